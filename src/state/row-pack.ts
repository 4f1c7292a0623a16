/**
 * Many sealed rows in little memory: values one after the other in one buffer. Rows that come in key order are found by halving,
 * others through a hash table of numbers. 40 to 60 octets a row, where a row as an object takes several hundred.
 */

import type { Binding } from './binding.generated.ts';
import { encodeBinding } from './binding.generated.ts';
import { prefixNumber } from './rows.ts';

/** Above this a buffer grows by as much each time, in octets. */
const LARGEST_STEP = 32 * 1024 ** 2;
const FIRST_PLACES = 8;
/** Number and end of a value, and its place in a table of hashes. */
const ROW_OCTETS = 32;

/** Rows in key order, one after the other; a value of no octets is a row that goes. */
export interface PackedRows {
  readonly numbers: Float64Array;
  /** Ends of the values in `octets`; each begins where the one before ends. */
  readonly ends: Uint32Array;
  readonly octets: Uint8Array;
}

/** Rows by prefix number. A prefix may also be noted as gone. What it stands in is shared memory: a thread may read it. */
export class RowPack {
  /** Places plus one, by hash of the prefix number, with open addressing; 0 is free. None as long as rows come in key order. */
  #slots: Int32Array | undefined;
  /** By place, in the order they came: prefix number, and end of the value, which begins where the one before ends. */
  #numbers = sharedNumbers(FIRST_PLACES);
  #ends = sharedEnds(FIRST_PLACES);
  #octets: Uint8Array = new Uint8Array(0);
  /** Places in use; a row put again leaves its old place behind. */
  #count = 0;
  #size = 0;
  /** The place found last: rows are mostly asked for in order. */
  #found = 0;

  get size(): number {
    return this.#size;
  }

  /** Octets of memory it takes. */
  get held(): number {
    return this.#octets.length + ROW_OCTETS * this.#count;
  }

  has(number: number): boolean {
    return this.#find(number) >= 0;
  }

  /** The sealed value of a prefix, not to be changed; null for one that is gone, undefined for one nothing is known of. */
  get(number: number): Uint8Array | null | undefined {
    const place = this.#find(number);
    if (place < 0) return undefined;
    const start = this.#startOf(place);
    const end = this.#ends[place] ?? 0;
    return start === end ? null : this.#octets.subarray(start, end);
  }

  putBinding(binding: Binding): void {
    this.put(prefixNumber(binding.address, binding.length), encodeBinding(binding));
  }

  /** Takes a copy of the value. */
  put(number: number, value: Uint8Array): void {
    const start = this.#startOf(this.#count);
    const end = start + value.length;
    if (end > this.#octets.length) this.#growOctets(end);
    this.#octets.set(value, start);
    this.#place(number, end);
  }

  remove(number: number): void {
    this.#place(number, this.#startOf(this.#count));
  }

  /** The rows as they stand, for a thread to read; undefined when they did not come in key order. Nobody changes them any more. */
  packed(): PackedRows | undefined {
    if (this.#slots) return undefined;
    const numbers = this.#numbers.subarray(0, this.#count);
    return { numbers, ends: this.#ends.subarray(0, this.#count), octets: this.#octets };
  }

  /** All prefixes that something is known of, gone ones included, in the order they came last. */
  numbers(): Iterable<number> {
    return this.#size === this.#count ? this.#numbers.subarray(0, this.#count) : this.#lastNumbers();
  }

  *#lastNumbers(): Generator<number> {
    for (let place = 0; place < this.#count; place++) {
      const number = this.#numbers[place] ?? 0;
      if (this.#find(number) === place) yield number;
    }
  }

  #startOf(place: number): number {
    return place === 0 ? 0 : (this.#ends[place - 1] ?? 0);
  }

  #place(number: number, end: number): void {
    if (this.#count === this.#ends.length) this.#growPlaces();
    const isNext = this.#count === 0 || number > (this.#numbers[this.#count - 1] ?? 0);
    if (!this.#slots && !isNext) this.#slots = this.#hashed();
    this.#numbers[this.#count] = number;
    this.#ends[this.#count] = end;
    if (this.#slots) {
      const slot = this.#slotOf(this.#slots, number);
      if (this.#slots[slot] === 0) this.#size++;
      this.#slots[slot] = this.#count + 1;
    } else this.#size++;
    this.#count++;
  }

  /** The place of a prefix, or a negative number. */
  #find(number: number): number {
    if (this.#slots) return (this.#slots[this.#slotOf(this.#slots, number)] ?? 0) - 1;
    if (this.#count === 0 || number > (this.#numbers[this.#count - 1] ?? 0)) return -1;
    const isAt = (place: number) => place < this.#count && this.#numbers[place] === number;
    if (isAt(this.#found)) return this.#found;
    this.#found = isAt(this.#found + 1) ? this.#found + 1 : firstAtLeast(this.#numbers, this.#count, number);
    return isAt(this.#found) ? this.#found : -1;
  }

  /** The slot that holds the prefix, or the free one where it belongs. */
  #slotOf(slots: Int32Array, number: number): number {
    const mask = slots.length - 1;
    const mixed = Math.imul(((number / 64) | 0) ^ ((number % 64) << 25), 0x9e3779b1);
    for (let slot = (mixed ^ (mixed >>> 15)) & mask; ; slot = (slot + 1) & mask) {
      const place = slots[slot] ?? 0;
      if (place === 0 || this.#numbers[place - 1] === number) return slot;
    }
  }

  #growPlaces(): void {
    const room = this.#count * 2;
    const [numbers, ends] = [this.#numbers, this.#ends];
    this.#numbers = sharedNumbers(room);
    this.#numbers.set(numbers);
    this.#ends = sharedEnds(room);
    this.#ends.set(ends);
    if (this.#slots) this.#slots = this.#hashed();
  }

  /** The slots of all places so far; of a prefix that came twice, the last. */
  #hashed(): Int32Array {
    const slots = slotsFor(this.#numbers.length);
    for (let place = 0; place < this.#count; place++) {
      slots[this.#slotOf(slots, this.#numbers[place] ?? 0)] = place + 1;
    }
    return slots;
  }

  #growOctets(needed: number): void {
    const { length } = this.#octets;
    const larger = sharedOctets(Math.max(256, needed, length + Math.min(length, LARGEST_STEP)));
    larger.set(this.#octets);
    this.#octets = larger;
  }
}

/** The first of `count` ascending numbers that is not below `number`. */
function firstAtLeast(numbers: Float64Array, count: number, number: number): number {
  let [low, high] = [0, count];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((numbers[middle] ?? 0) < number) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Documents mostly come in order, and looking is much quicker than sorting. */
export function isAscending(numbers: Float64Array): boolean {
  for (let i = 1; i < numbers.length; i++) if ((numbers[i - 1] ?? 0) > (numbers[i] ?? 0)) return false;
  return true;
}

/** At least twice as many as places, a power of two. */
function slotsFor(places: number): Int32Array {
  return new Int32Array(2 ** Math.ceil(Math.log2(2 * places)));
}

function sharedNumbers(length: number): Float64Array {
  return new Float64Array(new SharedArrayBuffer(length * Float64Array.BYTES_PER_ELEMENT));
}

function sharedEnds(length: number): Uint32Array {
  return new Uint32Array(new SharedArrayBuffer(length * Uint32Array.BYTES_PER_ELEMENT));
}

function sharedOctets(length: number): Uint8Array {
  return new Uint8Array(new SharedArrayBuffer(length));
}
