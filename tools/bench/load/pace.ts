/** Work at a rate: each piece has its due time, so that what is late is caught up. */

import { setTimeout as sleep } from 'node:timers/promises';

export interface Paced {
  /** How long each piece took, in milliseconds. */
  readonly times: number[];
  /** Until the last was done, or the next one due. */
  readonly seconds: number;
}

export interface Clock {
  /** Milliseconds. */
  readonly now: () => number;
  readonly sleep: (ms: number) => Promise<unknown>;
}

const CLOCK: Clock = { now: () => performance.now(), sleep };

/** `rate` pieces a second, one at least, until `isOver`; Infinity: one after the other, 0: none. */
export async function pace(
  rate: number,
  isOver: () => boolean,
  work: (turn: number) => Promise<void>,
  clock = CLOCK,
): Promise<Paced> {
  const times: number[] = [];
  if (rate === 0) return { times, seconds: 0 };
  const start = clock.now();
  const due = () => start + (times.length * 1_000) / rate;
  let last = start;
  do {
    const began = clock.now();
    await work(times.length);
    last = clock.now();
    times.push(last - began);
    const rest = due() - last;
    if (rest > 0) await clock.sleep(rest);
  } while (!isOver());
  return { times, seconds: (Math.max(last, due()) - start) / 1_000 };
}
