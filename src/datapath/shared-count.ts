/**
 * Counts that many threads add to and others read at any time, in two words of shared memory. For what is seldom.
 *
 *     low    the low 32 bits
 *     high   how often bit 31 of the count has changed: bits 31 to 62
 *
 * Bit 31 stands in both. Where it differs, somebody has added to the low word and not yet to the high one, and a reader does so
 * for itself: that it comes between the two adds, or that a worker is off its core there, makes no difference.
 */

const HALF = 0x8000_0000;

/** Adds one to the count at a word. */
export function addOne(words: Int32Array, word: number): void {
  // What takes the low word to 2^31, and what takes it to 0.
  if (((Atomics.add(words, word, 1) + 1) & 0x7fff_ffff) === 0) Atomics.add(words, word + 1, 1);
}

/** Adds an amount of less than 2^53 to the count at a word. */
export function addToCount(words: Int32Array, word: number, amount: number): void {
  const before = Atomics.add(words, word, amount | 0) >>> 0;
  const changes = Math.floor((before + amount) / HALF) - (before >>> 31);
  if (changes > 0) Atomics.add(words, word + 1, changes);
}

/** The count at a word; exact up to 2^53. */
export function readCount(words: Int32Array, word: number): number {
  const high = Atomics.load(words, word + 1);
  const low = Atomics.load(words, word);
  const isLate = ((high ^ (low >>> 31)) & 1) !== 0;
  return ((high + (isLate ? 1 : 0)) >>> 0) * HALF + (low & 0x7fff_ffff);
}
