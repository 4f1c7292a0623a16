/**
 * Timers for numbered items: each item is in the list of its tick, 256 ticks of 250 ms in a circle. Setting, ending and
 * finding the next one that is due cost the same for any number of items.
 */

export const TICK_MS = 250;
const SLOTS = 256;
/** Longest time a timer may run: the circle less what a tick is rounded up by. */
export const LONGEST_MS = (SLOTS - 2) * TICK_MS;

export class TimerWheel {
  readonly #heads = new Int32Array(SLOTS);
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #dueTick: Float64Array;
  #tick = 0;
  #running = 0;

  /** For items 1 to `items`. */
  constructor(items: number) {
    this.#next = new Int32Array(items + 1);
    this.#previous = new Int32Array(items + 1);
    this.#dueTick = new Float64Array(items + 1);
  }

  /** Starts the timer of an item that has none: due `delayMs` (at most LONGEST_MS) after `nowMs`, rounded up to a tick. */
  start(item: number, nowMs: number, delayMs: number): void {
    if (this.#running++ === 0) this.#tick = Math.floor(nowMs / TICK_MS);
    const due = Math.ceil((nowMs + delayMs) / TICK_MS);
    const head = this.#heads[due % SLOTS] ?? 0;
    this.#dueTick[item] = due;
    this.#previous[item] = 0;
    this.#next[item] = head;
    if (head !== 0) this.#previous[head] = item;
    this.#heads[due % SLOTS] = item;
  }

  /** Ends the timer of an item that has one. */
  stop(item: number): void {
    const next = this.#next[item] ?? 0;
    const previous = this.#previous[item] ?? 0;
    if (previous !== 0) this.#next[previous] = next;
    else this.#heads[(this.#dueTick[item] ?? 0) % SLOTS] = next;
    if (next !== 0) this.#previous[next] = previous;
    this.#running--;
  }

  /** An item whose time is over; 0 when there is none. Its timer still runs: stop it. */
  due(nowMs: number): number {
    const now = Math.floor(nowMs / TICK_MS);
    if (this.#running === 0) return 0;
    this.#tick = Math.max(this.#tick, now - SLOTS);
    for (;;) {
      let item = this.#heads[this.#tick % SLOTS] ?? 0;
      while (item !== 0 && (this.#dueTick[item] ?? 0) > now) item = this.#next[item] ?? 0;
      if (item !== 0 || this.#tick >= now) return item;
      this.#tick++;
    }
  }
}
