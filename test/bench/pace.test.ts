/** Edits of the benches keep to their rate. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Clock } from '../../tools/bench/load/pace.ts';
import { pace } from '../../tools/bench/load/pace.ts';

const test = suite('pace');

/** Pieces take so long in turn, by a clock that goes only by them and by sleeping; when each began. */
async function run(rate: number, lengths: readonly number[]): Promise<{ began: number[]; seconds: number }> {
  let now = 1_000;
  const began: number[] = [];
  const clock: Clock = {
    now: () => now,
    sleep: async (ms) => {
      now += ms;
    },
  };
  const work = async (turn: number) => {
    began.push(now - 1_000);
    now += lengths[turn] ?? 0;
  };
  const { times, seconds } = await pace(rate, () => began.length >= lengths.length, work, clock);
  assert.equal(times, lengths);
  return { began, seconds };
}

test('each begins when it is due', async () => {
  assert.equal(await run(10, [30, 20, 99, 1]), { began: [0, 100, 200, 300], seconds: 0.4 });
});

test('what is late is caught up', async () => {
  assert.equal(await run(10, [250, 10, 10, 10, 10]), { began: [0, 250, 260, 300, 400], seconds: 0.5 });
});

test('who is too slow for the rate has a lower one', async () => {
  assert.equal(await run(10, [200, 200, 200]), { began: [0, 200, 400], seconds: 0.6 });
});

test('one after the other, and none', async () => {
  assert.equal(await run(Number.POSITIVE_INFINITY, [5, 7]), { began: [0, 5], seconds: 0.012 });
  assert.equal(
    await pace(
      0,
      () => true,
      async () => assert.unreachable(),
    ),
    { times: [], seconds: 0 },
  );
});

test.run();
