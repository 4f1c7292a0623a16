/** What a BGP neighbor announces, as it is used when its session comes, is lost and comes back. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { NeighborRoute } from '../../../src/mgmt/bgp/neighbor-routes.ts';
import { NeighborRoutes } from '../../../src/mgmt/bgp/neighbor-routes.ts';

const test = suite('neighbor-routes');

const A = { pathId: 0, endpoint: 'a', fault: '' };
const B = { pathId: 0, endpoint: 'b', fault: '' };
const SECOND = { pathId: 7, endpoint: 'c', fault: '' };
const NOW = { wallMs: 1_000_000, steadyMs: 5_000 };
/** So much later, with the clock of the day set by `jumpMs`. */
const later = (ms: number, jumpMs = 0) => ({ wallMs: NOW.wallMs + ms + jumpMs, steadyMs: NOW.steadyMs + ms });
const all = (...routes: readonly (readonly [number, ...NeighborRoute[]])[]) =>
  new Map(routes.map(([number, ...list]) => [number, list]));

/** A neighbor that is up with the routes 1 and 2, and which prefixes have changed since. */
function up(): { readonly routes: NeighborRoutes; readonly changed: number[] } {
  const changed: number[] = [];
  const routes = new NeighborRoutes((number) => changed.push(number));
  routes.established();
  routes.put(1, A);
  routes.synchronised(all([1, A], [2, A]));
  assert.equal(changed, [1, 2]);
  changed.length = 0;
  return { routes, changed };
}

const held = (routes: NeighborRoutes) => [...routes.entries()].map(([number, { endpoint }]) => `${number}${endpoint}`);

test('what is announced and withdrawn counts, what is said again is no change', () => {
  const { routes, changed } = up();
  routes.put(1, A);
  assert.equal(changed, []);
  routes.put(1, B);
  routes.remove(2, 0);
  routes.remove(3, 0);
  assert.equal(changed, [1, 2]);
  assert.equal(held(routes), ['1b']);
});

test('several routes of one prefix: each is announced and withdrawn for itself', () => {
  const { routes, changed } = up();
  routes.put(1, SECOND);
  assert.equal(held(routes), ['1a', '1c', '2a']);
  routes.put(1, SECOND);
  routes.remove(1, 5);
  assert.equal(changed, [1], 'what is said again, and what is not there, is no change');
  routes.remove(1, 0);
  assert.equal(held(routes), ['1c', '2a']);
  routes.lost(5_000, NOW);
  routes.established();
  routes.put(1, A);
  routes.synchronised(all([1, A]));
  assert.equal(held(routes), ['1a'], 'of each, what does not come again goes');
  routes.put(1, SECOND);
  routes.drop();
  assert.equal(held(routes), []);
});

test('a farewell takes all', () => {
  const { routes, changed } = up();
  routes.lost(0, NOW);
  assert.equal([routes.state, held(routes).length, changed], ['down', 0, [1, 2]]);
});

test('a loss keeps all until the time is over; a second loss makes it no longer', () => {
  const { routes, changed } = up();
  routes.lost(5_000, NOW);
  assert.equal([routes.state, held(routes).length, changed], ['stale', 2, []]);
  const end = routes.staleUntil?.getTime();
  assert.is(end, NOW.wallMs + 5_000);
  routes.established();
  assert.is(routes.lost(5_000, later(3_000)), 2_000);
  assert.equal([routes.state, routes.staleUntil?.getTime()], ['stale', end]);
  routes.drop();
  assert.equal([routes.state, held(routes).length, routes.staleUntil], ['down', 0, undefined]);
});

for (const jumpMs of [-3_600_000, 3_600_000]) {
  test(`a clock that is set by ${jumpMs / 1_000} s between two losses changes nothing of the time routes are kept`, () => {
    const { routes } = up();
    assert.is(routes.lost(5_000, NOW), 5_000);
    routes.established();
    assert.is(routes.lost(5_000, later(3_000, jumpMs)), 2_000);
    assert.is(routes.staleUntil?.getTime(), NOW.wallMs + jumpMs + 5_000, 'told by the clock as it is set');
    routes.established();
    assert.is(routes.lost(5_000, later(9_000, jumpMs)), 0);
  });
}

test('a session that comes back: what comes counts at once, what does not come again goes when all is told', () => {
  const { routes, changed } = up();
  routes.lost(5_000, NOW);
  routes.established();
  routes.put(1, B);
  routes.put(3, A);
  assert.equal(held(routes), ['1b', '2a', '3a']);
  routes.synchronised(all([1, B], [3, A]));
  assert.equal(held(routes), ['1b', '3a']);
  assert.equal(changed, [1, 3, 2]);
  assert.equal([routes.state, routes.staleUntil], ['up', undefined]);
  routes.lost(5_000, later(60_000));
  assert.is(routes.staleUntil?.getTime(), NOW.wallMs + 65_000, 'after a whole session the time begins anew');
});

test('what messages tell of while all is read counts more than what was read', () => {
  const { routes } = up();
  routes.lost(5_000, NOW);
  routes.established();
  routes.put(1, A);
  routes.put(2, A);
  routes.put(4, A);
  routes.reading();
  routes.remove(1, 0);
  routes.put(2, B);
  routes.put(3, A);
  routes.synchronised(all([1, A], [2, A]));
  assert.equal(held(routes), ['2b', '3a']);
  routes.synchronised(all([2, A]));
  assert.equal(held(routes), ['2a'], 'only of one reading');
});

test('a loss of what was never up keeps nothing', () => {
  const routes = new NeighborRoutes(() => undefined);
  routes.lost(5_000, NOW);
  assert.equal([routes.state, routes.staleUntil], ['down', undefined]);
});

test.run();
