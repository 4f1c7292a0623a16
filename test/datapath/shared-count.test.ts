import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { addOne, addToCount, readCount } from '../../src/datapath/shared-count.ts';

const test = suite('shared-count');

const TWO_32 = 0x1_0000_0000;
const HALF = TWO_32 / 2;
const cases = [
  [0, 0],
  [0, 1],
  [0x7fff_ffff, 1],
  [0x7fff_fffe, 1],
  [0xffff_ffff, 0],
  [0xffff_ffff, 1],
  [0xffff_fffe, 1],
  [1, 0xffff_ffff],
  [0xffff_ffff, 0xffff_ffff],
  [5, TWO_32],
  [0xffff_ffff, TWO_32 + 1],
  [3 * TWO_32 + HALF, HALF],
  [7, 2 ** 52 + 0xffff_fff9],
] as const;

/** A count, with another word on either side. */
function wordsOf(count: number): Int32Array {
  return Int32Array.of(9, count % TWO_32, Math.floor(count / HALF), 9);
}

for (const [before, amount] of cases) {
  test(`${before} + ${amount}`, () => {
    const words = wordsOf(before);
    addToCount(words, 1, amount);
    assert.is(readCount(words, 1), before + amount);
    assert.equal([words[0], words[3]], [9, 9]);
  });
}

for (const before of [HALF - 2, TWO_32 - 2, 5 * TWO_32 - 2, 2 ** 52 + HALF - 2]) {
  test(`one by one from ${before}, and no reader sees a step of a carry`, () => {
    const words = wordsOf(before);
    for (let i = 1; i <= 4; i++) {
      const first = words.slice();
      Atomics.add(first, 1, 1);
      assert.is(readCount(first, 1), before + i, 'between the two adds');
      addOne(words, 1);
      assert.is(readCount(words, 1), before + i);
    }
  });

  test(`many at once from ${before}, and no reader sees a step of a carry`, () => {
    const words = wordsOf(before);
    for (const amount of [1, 2, 64, 70_000, HALF - 1]) {
      const sum = readCount(words, 1) + amount;
      const first = words.slice();
      Atomics.add(first, 1, amount);
      assert.is(readCount(first, 1), sum, 'between the two adds');
      addToCount(words, 1, amount);
      assert.is(readCount(words, 1), sum);
    }
  });
}

test.run();
