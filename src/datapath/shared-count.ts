/** Counts of 64 bits that many threads add to, in two words of shared memory: low, high. For what is seldom. */

/** Adds one to the count at a word. */
export function addOne(words: Int32Array, word: number): void {
  if (Atomics.add(words, word, 1) === -1) Atomics.add(words, word + 1, 1);
}

/** Adds an amount of less than 2^53 to the count at a word. */
export function addToCount(words: Int32Array, word: number, amount: number): void {
  const low = amount | 0;
  const carry = Atomics.add(words, word, low) >>> 0 > ~low >>> 0 ? 1 : 0;
  // Amounts are small, and a division for each would be most of the work.
  const high = carry + (amount > 0xffff_ffff ? Math.floor(amount / 0x1_0000_0000) : 0);
  if (high > 0) Atomics.add(words, word + 1, high);
}

/** The count at a word; exact up to 2^53. */
export function readCount(words: Int32Array, word: number): number {
  for (;;) {
    const high = Atomics.load(words, word + 1);
    const low = Atomics.load(words, word) >>> 0;
    if (high === Atomics.load(words, word + 1)) return (high >>> 0) * 0x1_0000_0000 + low;
  }
}
