// needs: addon
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { benchGate, bestShare, leastOf, recordedShare } from '../../tools/bench/gate.ts';

const RECORDED = 0.4;
const cases = [
  { name: 'what is as recorded is measured once', shares: [0.4, 0], best: 0.4, measured: 1, passes: true },
  { name: 'a quarter may be lost', shares: [0.301, 0], best: 0.301, measured: 1, passes: true },
  { name: 'noise is measured again', shares: [0.1, 0.29, 0.5, 0], best: 0.5, measured: 3, passes: true },
  { name: 'a loss stays one', shares: [0.2, 0.29, 0.25, 0.1, 0.2, 0.4], best: 0.29, measured: 5, passes: false },
];
for (const { name, shares, best, measured, passes } of cases) {
  test(name, () => {
    let count = 0;
    const found = bestShare(RECORDED, () => shares[count++] ?? 0);
    assert.is(found, best);
    assert.is(count, measured);
    assert.is(found >= leastOf(RECORDED), passes);
  });
}

test('the median of some measurements is recorded, with three digits', () => {
  const shares = [0.9, 0.5, 0.7123, 0.7128, 0.1, 0.7119, 0.7124, 0.8, 0.3];
  let count = 0;
  assert.is(
    recordedShare(() => shares[count++] ?? Number.NaN),
    0.712,
  );
  assert.is(leastOf(0.712), 0.534);
});

test('the engine has not become slower beside C++ by more than a quarter', async () => {
  const results = await benchGate();
  assert.is(results.length, 4);
  for (const { id, value, target, met } of results) assert.ok(met, `${id}: ${value}, at least ${target} expected`);
});

test.run();
