/**
 * How many packets may take the slow path only to be found junk (junk.ts): about half a microsecond each, so that 28,000
 * a second, in all, are less than two hundredths of a core. ICMP errors about junk are limited to far less, so that who
 * is told is the same.
 *
 *   1. SLOW_PER_MS for all. What is forwarded, answered, held, or dropped for a reason that takes the slow path to find
 *      anyway, costs nothing: it would not be cheaper elsewhere
 *   2. beyond that, the first packet of each source in a period, or one source could keep the slow path, and the errors,
 *      from all others. Sources fall into slots by a keyed hash
 */

import {
  DROP_NO_BINDING,
  DROP_NO_INSTANCE,
  DROP_OUTSIDE_SERVED_PREFIX,
  DROP_SOURCE_MISMATCH,
  DROP_UNBOUND_SOURCE,
  DROP_WRONG_AFTR,
  VERDICTS,
} from './verdict.ts';

const SLOW_PER_MS = 20;
const SLOW_BURST = 200;
/** Each slot lets one packet through in so many milliseconds: 256 slots, 8 a millisecond. */
const PERIOD_MS = 32;
const SLOTS = 256;
const SLOT_SHIFT = 24;

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

export class SlowBudget {
  readonly #passedMs = new Float64Array(SLOTS).fill(-PERIOD_MS);
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

  /** Whether a packet takes the slow path though it may be junk, while there is not plenty; `hash` is that of its source. */
  admits(hash: number, nowMs: number): boolean {
    const slot = hash >>> SLOT_SHIFT;
    if (nowMs - (this.#passedMs[slot] ?? 0) < PERIOD_MS) return false;
    this.#passedMs[slot] = nowMs;
    return true;
  }

  /** A packet had this verdict of the slow path. */
  charge(verdict: number): void {
    if (IS_JUNK[verdict] === 1 && this.#tokens >= 1) this.#tokens--;
  }
}
