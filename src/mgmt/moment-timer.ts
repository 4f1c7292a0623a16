/** One timer that waits for a moment, however far it is; it keeps no process alive. */

/** A timer of the system takes no more. */
const LONGEST_MS = 2 ** 31 - 1;

export class MomentTimer {
  #timer: NodeJS.Timeout | undefined;

  /** Calls once, not before the moment, in milliseconds since 1970, or soon when that is past; what was set before is forgotten. */
  set(momentMs: number, work: () => void): void {
    this.clear();
    const left = Math.max(0, momentMs - Date.now());
    // A timer counts on another clock: it may come a millisecond before the moment.
    const next = () => (Date.now() < momentMs ? this.set(momentMs, work) : work());
    this.#timer = setTimeout(next, Math.min(left, LONGEST_MS));
    this.#timer.unref();
  }

  clear(): void {
    clearTimeout(this.#timer);
  }
}
