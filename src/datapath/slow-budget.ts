/**
 * How many packets may take the slow path only to be found junk (fast-path/junk.ts): some three microseconds each, as what so few of
 * them need is in no cache, so that 18,000 a second, in all, are about a twentieth of a core. Unless configured for more, ICMP errors
 * about junk are limited to far less, so that who is told is the same.
 *
 *   1. SLOW_PER_MS for all. What is forwarded, answered, held, or dropped for a reason that takes the slow path to find
 *      anyway, costs nothing: it would not be cheaper elsewhere
 *   2. beyond that, the first one of each source in 32 ms, or one source could keep the slow path, and the errors, from all
 *      others. Sources fall into 256 slots by a keyed hash, 8 a millisecond
 */

import { ADMISSION_MS, ADMISSION_SLOTS } from './layout.ts';
import type { Allocate } from './memory.ts';
import {
  DROP_NO_BINDING,
  DROP_NO_INSTANCE,
  DROP_OUTSIDE_SERVED_PREFIX,
  DROP_SOURCE_MISMATCH,
  DROP_UNBOUND_SOURCE,
  DROP_WRONG_AFTR,
  VERDICTS,
} from './verdict.ts';

const SLOW_PER_MS = 10;
const SLOW_BURST = 200;
/** Octets of a worker. */
export const ADMISSIONS_OCTETS = ADMISSION_SLOTS * 8;
/** One for each verdict that junk can have. */
const IS_JUNK = new Uint8Array(VERDICTS);
for (const verdict of [
  DROP_NO_BINDING,
  DROP_NO_INSTANCE,
  DROP_OUTSIDE_SERVED_PREFIX,
  DROP_SOURCE_MISMATCH,
  DROP_UNBOUND_SOURCE,
  DROP_WRONG_AFTR,
]) {
  IS_JUNK[verdict] = 1;
}

/** When junk of the sources of each slot was last looked at in full, in the memory of the role, for each worker. */
export function allocateAdmissions(workers: number, allocate: Allocate): Int32Array {
  const words = allocate(workers * ADMISSIONS_OCTETS);
  new Float64Array(words.buffer, words.byteOffset, workers * ADMISSION_SLOTS).fill(-ADMISSION_MS);
  return words;
}

export class SlowBudget {
  #tokens = SLOW_BURST;
  #refilledMs = 0;

  /** With each batch. */
  refill(nowMs: number): void {
    this.#tokens = Math.min(SLOW_BURST, this.#tokens + Math.max(0, nowMs - this.#refilledMs) * SLOW_PER_MS);
    this.#refilledMs = nowMs;
  }

  /** Whether every packet takes the slow path for now. */
  get isPlenty(): boolean {
    return this.#tokens >= 1;
  }

  /** A packet had this verdict of the slow path. */
  charge(verdict: number): void {
    if (IS_JUNK[verdict] === 1 && this.#tokens >= 1) this.#tokens--;
  }
}
