/** Counts of 64 bits that many threads add to, in two words of shared memory: low, high. For what is seldom. */

/** Adds one to the count at a word. */
export function addOne(words: Int32Array, word: number): void {
  if (Atomics.add(words, word, 1) === -1) Atomics.add(words, word + 1, 1);
}

/** The count at a word; exact up to 2^53. */
export function readCount(words: Int32Array, word: number): number {
  for (;;) {
    const high = Atomics.load(words, word + 1);
    const low = Atomics.load(words, word) >>> 0;
    if (high === Atomics.load(words, word + 1)) return (high >>> 0) * 0x1_0000_0000 + low;
  }
}
