/**
 * The threads of the process that are not ours: V8 compiles and collects garbage in them, and Node.js reads files and starts programs, which inherit
 * their priority. At a start they are equals, as what they do is waited for. Later, on the core of a worker, each equal would have 4 ms at a time, from tick to
 * tick, and a few of them more than its queue holds.
 */

import { readdirSync } from 'node:fs';
import { constants, getPriority, setPriority } from 'node:os';

/** Niceness that they are behind the thread that follows the store. */
const BEHIND = 8;

let others: readonly number[] = [];

/** To be called before a thread of our own is made. */
export function noteOtherThreads(): void {
  others = readdirSync('/proc/self/task')
    .map(Number)
    .filter((thread) => thread !== process.pid);
}

/** Puts those that were noted behind; needs no right. */
export function putOtherThreadsBehind(): void {
  const niceness = Math.min(constants.priority.PRIORITY_LOW, getPriority() + BEHIND);
  for (const thread of others) {
    try {
      setPriority(thread, niceness);
    } catch {
      // It has ended, or stays an equal.
    }
  }
}
