/**
 * The rows of one table that commits touched, with the first commit that did: what that one found is what the row was before
 * all of them. A million are two words each, sorted as numbers:
 *
 *     |       address, 32       | length, 6 | versions after the first one, 26 |
 */

const LENGTH_SHIFT = 26;
const MOST_VERSIONS = 1 << LENGTH_SHIFT;
/** Rows there is room for at first. */
const FIRST_ROOM = 64;

export class TouchedRows {
  readonly #base: number;
  /** Low word, high word of each. */
  #words = new Uint32Array(2 * FIRST_ROOM);
  #count = 0;

  /** Of commits after the version `base`. */
  constructor(base: number) {
    this.#base = base;
  }

  /** @throws RangeError when 2^26 versions or more lie between */
  add(number: number, version: number): void {
    const distance = version - this.#base;
    if (distance >= MOST_VERSIONS)
      throw new RangeError(`${distance} versions: fewer than ${MOST_VERSIONS} can be compared`);
    const at = 2 * this.#count++;
    if (at === this.#words.length) this.#grow();
    this.#words[at] = ((number % 64) << LENGTH_SHIFT) | distance;
    this.#words[at + 1] = Math.floor(number / 64);
  }

  /** Number of each prefix once, with the first version that touched it. Nothing may be added after it. */
  *inKeyOrder(): Generator<readonly [number: number, version: number]> {
    const words = this.#words.subarray(0, 2 * this.#count);
    new BigUint64Array(words.buffer, 0, this.#count).sort();
    let last = -1;
    for (let at = 0; at < words.length; at += 2) {
      const low = words[at] ?? 0;
      const number = (words[at + 1] ?? 0) * 64 + (low >>> LENGTH_SHIFT);
      if (number !== last) yield [number, this.#base + (low & (MOST_VERSIONS - 1))];
      last = number;
    }
  }

  #grow(): void {
    const larger = new Uint32Array(2 * this.#words.length);
    larger.set(this.#words);
    this.#words = larger;
  }
}
