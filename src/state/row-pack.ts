/**
 * Many sealed rows in little memory: values one after the other in one buffer, found by prefix through a map of numbers.
 * About 70 octets a row, where a row as an object takes several hundred.
 */

import type { Binding } from './model.generated.ts';
import { encodeBinding } from './model.generated.ts';
import { prefixNumber } from './rows.ts';

const GONE = -1;
/** Above this the buffer grows by as much each time, in octets. */
const LARGEST_STEP = 32 * 1024 ** 2;

/** Rows by prefix number. A prefix may also be noted as gone. */
export class RowPack {
  /** Place in `#ends`, or GONE. */
  readonly #places = new Map<number, number>();
  #octets: Uint8Array = new Uint8Array(0);
  /** End of each value in `#octets`; it begins where the one before ends. */
  #ends = new Uint32Array(0);
  #count = 0;

  get size(): number {
    return this.#places.size;
  }

  has(number: number): boolean {
    return this.#places.has(number);
  }

  /** The sealed value of a prefix, not to be changed; null for one that is gone, undefined for one nothing is known of. */
  get(number: number): Uint8Array | null | undefined {
    const place = this.#places.get(number);
    if (place === undefined) return undefined;
    if (place === GONE) return null;
    return this.#octets.subarray(place === 0 ? 0 : this.#ends[place - 1], this.#ends[place]);
  }

  putBinding(binding: Binding): void {
    this.put(prefixNumber(binding.address, binding.length), encodeBinding(binding));
  }

  /** Takes a copy of the value. */
  put(number: number, value: Uint8Array): void {
    const at = this.#count === 0 ? 0 : (this.#ends[this.#count - 1] ?? 0);
    if (at + value.length > this.#octets.length) this.#octets = grown(this.#octets, at + value.length);
    if (this.#count === this.#ends.length) {
      const ends = new Uint32Array(Math.max(16, this.#count * 2));
      ends.set(this.#ends);
      this.#ends = ends;
    }
    this.#octets.set(value, at);
    this.#ends[this.#count] = at + value.length;
    this.#places.set(number, this.#count++);
  }

  remove(number: number): void {
    this.#places.set(number, GONE);
  }

  /** All prefixes that something is known of, gone ones included, in the order they came in first. */
  numbers(): Iterable<number> {
    return this.#places.keys();
  }
}

function grown(octets: Uint8Array, needed: number): Uint8Array {
  const larger = new Uint8Array(Math.max(256, needed, Math.min(octets.length * 2, octets.length + LARGEST_STEP)));
  larger.set(octets);
  return larger;
}
