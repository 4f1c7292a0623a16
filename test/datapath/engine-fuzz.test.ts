import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fuzz } from '../helpers/fuzz.ts';
import { seed } from '../helpers/random.ts';

/** The engine against the naive one. More packets: `node dist/tools/fuzz.js`. */
const test = suite('engine-fuzz');

const PACKETS = 500_000;

for (const role of ['gateway', 'aftr'] as const) {
  test(`${role}: ${PACKETS} random packets end as the naive engine says (seed ${seed})`, async () => {
    const { ends } = await fuzz(role, PACKETS, seed + (role === 'aftr' ? 1 : 0));
    const least = PACKETS / 1_000;
    assert.ok(ends.forwarded > 20 * least && ends.dropped > 20 * least && ends.replied > least, JSON.stringify(ends));
    assert.ok(ends.held > 20 * least, JSON.stringify(ends));
    assert.ok(role === 'gateway' || ends.hairpinned > least, JSON.stringify(ends));
  });
}

test.run();
