/**
 * The Internet checksum (RFC 1071): one's complement sums of 16-bit words, 0 to 65,535. A header with a correct
 * checksum field sums to ALL_ONES.
 */

import { u8, u16 } from './octets.ts';

export const ALL_ONES = 0xffff;

/** From so many octets on a sum is made of words. */
const LONG = 64;
/** Words of the memory that was summed last: an engine has all its packets in one. */
let wordsOf: ArrayBufferLike | undefined;
let words: Int32Array = new Int32Array(0);

/** Folds carries into 16 bits; `sum` below 2^32. */
export function fold(sum: number): number {
  const once = (sum & 0xffff) + (sum >>> 16);
  return (once & 0xffff) + (once >>> 16);
}

/**
 * Sum of `len` octets at `at` added to `sum` and folded; an odd last octet counts as padded with zero. `len` up to
 * 65,535.
 */
export function addOctets(sum: number, buf: Uint8Array, at: number, len: number): number {
  const isLong = len >= LONG && ((buf.byteOffset + at) & 3) === 0;
  const from = isLong ? at + (len & ~3) : at;
  let total = isLong ? sum + sumOfWords(buf, at, len >> 2) : sum;
  const even = at + (len & ~1);
  for (let i = from; i < even; i += 2) total += u16(buf, i);
  if (len & 1) total += u8(buf, even) << 8;
  return fold(total);
}

/** Sum of `count` words that begin at `at`, a multiple of four in the memory of `buf`; folded. */
function sumOfWords(buf: Uint8Array, at: number, count: number): number {
  if (buf.buffer !== wordsOf) {
    wordsOf = buf.buffer;
    words = new Int32Array(wordsOf, 0, wordsOf.byteLength >> 2);
  }
  const w = (buf.byteOffset + at) >> 2;
  const all = words;
  let sum = 0;
  for (let i = w; i < w + count; i++) {
    const word = all[i] ?? 0;
    sum += (word & 0xffff) + (word >>> 16);
  }
  // The order of the octets in a word does not matter to the sum, but to how it is read (RFC 1071 §2 (B)).
  const folded = fold(sum);
  return ((folded & 0xff) << 8) | (folded >>> 8);
}

/**
 * Whether `count` words from word `w` on sum to ALL_ONES. The order of the octets in a word does not matter to that
 * (RFC 1071 §2 (B)); `count` up to 65,535.
 */
export function sumsToOnes(words: Int32Array, w: number, count: number): boolean {
  let sum = 0;
  for (let i = w; i < w + count; i++) {
    const word = words[i] ?? 0;
    sum += (word & 0xffff) + (word >>> 16);
  }
  return fold(sum) === ALL_ONES;
}

/** The checksum field that makes a sum correct. */
export function complement(sum: number): number {
  return ~fold(sum) & 0xffff;
}

/** The checksum field after one 16-bit word of what it covers went from `before` to `after` (RFC 1624 eqn. 3). */
export function updated(checksum: number, before: number, after: number): number {
  return complement((~checksum & 0xffff) + (~before & 0xffff) + after);
}
