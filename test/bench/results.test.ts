/** Figures of benches and how they are judged. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { median, medianRatio, result } from '../../tools/bench/results.ts';

const test = suite('results of benches');

for (const [value, bound, target, met, shown] of [
  [0.95, 'at least', 0.95, true, 0.95],
  [0.94996, 'at least', 0.95, false, 0.95],
  [0.94, 'at least', 0.95, false, 0.94],
  [2, 'at most', 2, true, 2],
  [2.0004, 'at most', 2, false, 2],
  [1.9, 'at most', 2, true, 1.9],
  [Number.NaN, 'at least', 1, false, Number.NaN],
  [7.12345, 'at most', null, null, 7.123],
] as const) {
  test(`${value}, ${bound} ${target}`, () => {
    assert.equal(result('x', value, 'times', bound, target), { id: 'x', value: shown, unit: 'times', target, met });
  });
}

test('the median is a value of the list, a ratio one of values that belong together', () => {
  assert.is(median([3, 1, 2]), 2);
  assert.is(median([4, 1, 2, 3]), 3);
  assert.ok(Number.isNaN(median([])));
  assert.is(medianRatio([2, 9, 8], [1, 3, 8]), 2);
});

test.run();
