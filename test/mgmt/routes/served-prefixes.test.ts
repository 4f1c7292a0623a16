/** What a gateway that has ended leaves of what it was about to serve. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ServedPrefixes } from '../../../src/mgmt/routes/served-prefixes.ts';

const test = suite('served prefixes');

const MANY = 5_000;
const NUMBERS = Array.from({ length: MANY }, (_, i) => i);

for (const [name, after, writes, served] of [
  ['to its end', MANY + 1, 1, MANY],
  ['until its gateway is over', 100, 0, 100],
] as const) {
  test(`prefixes are looked at ${name}`, async () => {
    let writings = 0;
    const prefixes = new ServedPrefixes('g', [], {
      store: { learn: async () => void writings++ },
      log: { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined },
      onRetry: () => undefined,
    });
    prefixes.begin(new Uint8Array(16));
    let looked = 0;
    const isServed = () => ++looked > 0;
    await prefixes.follow(NUMBERS, new Set(NUMBERS), isServed, () => looked >= after);
    assert.is(writings, writes);
    assert.is(prefixes.numbers.size, served);
  });
}

test.run();
