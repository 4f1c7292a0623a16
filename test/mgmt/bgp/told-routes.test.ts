/** Routes beyond the room of their source. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ToldRoutes } from '../../../src/mgmt/bgp/told-routes.ts';

const test = suite('told routes');

test('a route that is left out and announced again is counted once, when all are looked at', () => {
  const told = new ToldRoutes();
  told.setAll(new Set([1, 2, 3]), 2);
  assert.is(told.left, 1);
  assert.not.ok(told.mayChange(2));
  assert.is(
    told.change(3, true, () => 2),
    undefined,
  );
  assert.ok(told.mayChange(2));
  told.setAll(new Set([1, 2, 3]), 2);
  assert.is(told.left, 1);
});

test.run();
