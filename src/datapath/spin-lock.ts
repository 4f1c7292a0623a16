/** A lock in one word of shared memory, for steps of some hundred nanoseconds that are seldom. */

/** Tries until its holder must have been put to sleep in it. */
const TRIES = 10_000;

/** Takes the lock; false when it did not come free in time. */
export function tryLock(words: Int32Array, word: number): boolean {
  for (let i = 0; i < TRIES; i++) if (Atomics.compareExchange(words, word, 0, 1) === 0) return true;
  return false;
}

export function unlock(words: Int32Array, word: number): void {
  Atomics.store(words, word, 0);
}
