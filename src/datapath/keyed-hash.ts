/**
 * HalfSipHash-1-3 (Aumasson and Bernstein, in 32-bit words) over a few words: a hash whose collisions nobody can choose
 * who does not know the key, for tables that hold what strangers send.
 */

export class KeyedHash {
  readonly #low: number;
  readonly #high: number;
  #v0 = 0;
  #v1 = 0;
  #v2 = 0;
  #v3 = 0;

  /** `key`: two random words. */
  constructor(key: Int32Array) {
    this.#low = key[0] ?? 0;
    this.#high = key[1] ?? 0;
  }

  /** Hash of `count` words from `at` on, after `more`; a signed word. */
  of(words: Int32Array, at: number, count: number, more: number): number {
    this.#v0 = this.#low;
    this.#v1 = this.#high;
    this.#v2 = 0x6c796765 ^ this.#low;
    this.#v3 = 0x74656462 ^ this.#high;
    this.#absorb(more);
    for (let i = 0; i < count; i++) this.#absorb(words[at + i] ?? 0);
    this.#v2 ^= 0xff;
    for (let i = 0; i < 3; i++) this.#round();
    return this.#v1 ^ this.#v3;
  }

  #absorb(word: number): void {
    this.#v3 ^= word;
    this.#round();
    this.#v0 ^= word;
  }

  #round(): void {
    let v0 = (this.#v0 + this.#v1) | 0;
    let v1 = rotated(this.#v1, 5) ^ v0;
    v0 = rotated(v0, 16);
    let v2 = (this.#v2 + this.#v3) | 0;
    let v3 = rotated(this.#v3, 8) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = rotated(v3, 7) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = rotated(v1, 13) ^ v2;
    v2 = rotated(v2, 16);
    this.#v0 = v0;
    this.#v1 = v1;
    this.#v2 = v2;
    this.#v3 = v3;
  }
}

function rotated(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}
