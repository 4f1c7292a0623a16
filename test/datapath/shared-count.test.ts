import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { addOne, addToCount, readCount } from '../../src/datapath/shared-count.ts';

const test = suite('shared-count');

const TWO_32 = 0x1_0000_0000;
const cases = [
  [0, 0],
  [0, 1],
  [0x7fff_ffff, 1],
  [0xffff_ffff, 0],
  [0xffff_ffff, 1],
  [0xffff_fffe, 1],
  [1, 0xffff_ffff],
  [0xffff_ffff, 0xffff_ffff],
  [5, TWO_32],
  [0xffff_ffff, TWO_32 + 1],
  [3 * TWO_32 + 0x8000_0000, 0x8000_0000],
  [7, 2 ** 52 + 0xffff_fff9],
] as const;
for (const [before, amount] of cases) {
  test(`${before} + ${amount}`, () => {
    const words = Int32Array.of(9, before % TWO_32, Math.floor(before / TWO_32), 9);
    addToCount(words, 1, amount);
    assert.is(readCount(words, 1), before + amount);
    assert.equal([words[0], words[3]], [9, 9]);
  });
}

test('one by one across a carry', () => {
  const words = Int32Array.of(-2, 0);
  for (let i = 0; i < 4; i++) addOne(words, 0);
  assert.is(readCount(words, 0), TWO_32 + 2);
});

test.run();
