import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Fuzz } from '../helpers/fuzz.ts';
import { FuzzMemory } from '../helpers/fuzz-memory.ts';
import { seed } from '../helpers/random.ts';

/** The engine against the naive one. More packets: `node dist/tools/fuzz.js`. */
const test = suite('engine-fuzz');

const PIECE = 100_000;
const PIECES = 5;
const WARM_UP = 2;

for (const role of ['gateway', 'aftr'] as const) {
  test(`${role}: ${PIECES * PIECE} random packets end as the naive engine says (seed ${seed})`, async () => {
    const fuzz = new Fuzz(role, seed + (role === 'aftr' ? 1 : 0));
    const memory = new FuzzMemory(true);
    for (let piece = 0; piece < PIECES; piece++) {
      await fuzz.run(PIECE);
      memory.take(piece < WARM_UP);
    }
    const { packets, changes, ends, within, told, offloaded, cut, joined } = fuzz.tally;
    const least = packets / 1_000;
    const text = JSON.stringify(fuzz.tally);
    assert.ok(ends.forwarded > 20 * least && ends.dropped > 20 * least && ends.replied > least, text);
    assert.ok(ends.held > 10 * least && changes > least / 10, text);
    assert.ok(role === 'gateway' || ends.hairpinned > least, text);
    assert.ok(role === 'gateway' || (within > least / 50 && told.before + told.after > 0), text);
    assert.ok(offloaded > 100 * least && cut > least && joined > least / 10, text);
    assert.ok(memory.judge()?.isFlat, memory.judge()?.text);
  });
}

test.run();
