import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ViolationLog } from '../../src/datapath/violation-log.ts';

const test = suite('violation-log');

test('one outer source at two AFTRs is told of at each, wherever their slots lie', () => {
  // Outer source, then the inner ones at the first and at the second AFTR.
  const words = Int32Array.of(0x0120_b80d, 0x0a00, 0, 0x0900_0000, 0x0100_000a, 0x0200_000a);
  for (let i = 0; i < 2_000; i++) {
    const seed = Math.imul(i, 0x9e37_79b1);
    const log = new ViolationLog(1, seed);
    for (const inner of [4, 4, 4]) log.add(0, 4, words, 0, inner);
    for (const inner of [5, 5]) log.add(0, 6, words, 0, inner);
    const { sources, missed } = log.take();
    assert.equal(
      sources
        .map(({ instance, innerSource, packets }) => [instance, innerSource, packets])
        .sort(([a = 0], [b = 0]) => a - b),
      [
        [4, 0x0a00_0001, 3],
        [6, 0x0a00_0002, 2],
      ],
      `seed ${seed}`,
    );
    assert.is(missed, 0);
  }
});

test.run();
