import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { MomentTimer } from '../../src/mgmt/moment-timer.ts';

const test = suite('moment timer');
const TIMERS = 300;

test('no call comes before its moment, and each comes once', async () => {
  const calls: number[] = [];
  const keptAlive = setInterval(() => {}, 1_000);
  await new Promise<void>((resolve) => {
    for (let at = 0; at < TIMERS; at++) {
      const moment = Date.now() + 20 + at;
      new MomentTimer().set(moment, () => {
        calls.push(Date.now() - moment);
        if (calls.length === TIMERS) setTimeout(resolve, 20);
      });
    }
  });
  clearInterval(keptAlive);
  assert.is(calls.length, TIMERS);
  assert.is(Math.min(0, ...calls), 0);
});

test('a moment that is past comes soon; one that was set anew or cleared does not come', async () => {
  const calls: string[] = [];
  const [once, cleared] = [new MomentTimer(), new MomentTimer()];
  once.set(Date.now() + 5, () => calls.push('first'));
  cleared.set(0, () => calls.push('cleared'));
  cleared.clear();
  await new Promise<void>((resolve) => {
    const keptAlive = setInterval(() => {}, 1_000);
    once.set(0, () => {
      calls.push('second');
      setTimeout(resolve, 20);
      clearInterval(keptAlive);
    });
  });
  assert.equal(calls, ['second']);
});

test.run();
