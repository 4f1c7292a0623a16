/** What a set of routes comes to, against the definition with big integers. */

import { createHash } from 'node:crypto';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { RouteHash } from '../../../src/state/learned/route-hash.ts';
import { formatNumber, prefixNumber } from '../../../src/state/rows.ts';
import { random, seed } from '../../helpers/random.ts';

const test = suite('route-hash');

function naive(routes: Iterable<number>): string {
  let sum = 0n;
  for (const number of routes) sum += BigInt(`0x${createHash('sha256').update(formatNumber(number)).digest('hex')}`);
  const hex = (sum % 2n ** 256n).toString(16).padStart(64, '0');
  return (hex.match(/../g) ?? []).join(':');
}

// [routes, what they come to] by sha256sum of each text.
const known: readonly (readonly [readonly string[], string])[] = [
  [[], `00${':00'.repeat(31)}`],
  [['192.0.2.0/24'], 'e3:36:91:5f:f1:79:f5:36:c8:e8:ff:f8:48:0a:52:93:f8:2e:4d:b8:26:36:70:68:43:3f:33:7a:a7:c9:46:01'],
];
for (const [routes, expected] of known) {
  test(`${routes.length} routes: ${expected.slice(0, 11)}`, () => {
    assert.is(new RouteHash(routes.length === 0 ? [] : [prefixNumber(0xc0000200, 24)]).text, expected);
  });
}

test(`routes that come and go, and a copy that goes its own way, seed ${seed}`, () => {
  const next = random();
  const routes = new Set<number>();
  let hash = new RouteHash();
  for (let round = 0; round < 2_000; round++) {
    const number = prefixNumber((0x10000000 + (next() % 500) * 256) >>> 0, 24);
    if (routes.delete(number)) hash.subtract(number);
    else {
      routes.add(number);
      hash.add(number);
    }
    if (round % 100 !== 0) continue;
    assert.is(hash.text, naive(routes), `round ${round}`);
    const copy = hash.copy();
    hash.add(1);
    assert.is(copy.text, naive(routes), `the copy in round ${round}`);
    hash = copy;
  }
});

test.run();
