/**
 * Which row holds exactly which prefix: a chained hash table in typed arrays, for the writer. The prefix stands in the row
 * itself.
 */

import { ROW_PREFIX, ROW_SHIFT } from './layout.ts';
import { octetsOf } from './memory.ts';

/** Up to four rows a bucket when all are in use: chains cost little, and buckets are memory that any table touches. */
const ROWS_PER_BUCKET_BITS = 2;

export class PrefixIndex {
  readonly #buckets: Int32Array;
  readonly #next: Int32Array;
  readonly #rows: Int32Array;
  readonly #lengths: Uint8Array;
  readonly #shift: number;
  readonly #perLength = new Int32Array(33);
  #size = 0;
  #highest = 0;

  /** For rows 1 to `rows` of a table, which are `words`. */
  constructor(rows: number, words: Int32Array) {
    const bits = Math.max(4, Math.ceil(Math.log2(rows)) - ROWS_PER_BUCKET_BITS);
    this.#buckets = new Int32Array(2 ** bits);
    this.#shift = 32 - bits;
    this.#next = new Int32Array(rows + 1);
    this.#rows = words;
    this.#lengths = new Uint8Array(rows + 1);
  }

  get size(): number {
    return this.#size;
  }

  /** Whether any prefix of this length is there. */
  hasLength(length: number): boolean {
    return (this.#perLength[length] ?? 0) > 0;
  }

  /** Row of exactly this prefix; 0 when it is not there. */
  find(prefix: number, length: number): number {
    let row = this.#buckets[this.#bucket(prefix, length)] ?? 0;
    while (row !== 0 && !this.#holds(row, prefix, length)) row = this.#next[row] ?? 0;
    return row;
  }

  /** Adds a prefix that is not there; the row holds it. */
  add(row: number, prefix: number, length: number): void {
    const bucket = this.#bucket(prefix, length);
    this.#lengths[row] = length;
    this.#next[row] = this.#buckets[bucket] ?? 0;
    this.#buckets[bucket] = row;
    this.#highest = Math.max(this.#highest, row);
    this.#count(length, 1);
  }

  /** Removes a prefix that is there. */
  remove(prefix: number, length: number): void {
    const bucket = this.#bucket(prefix, length);
    let before = 0;
    let row = this.#buckets[bucket] ?? 0;
    while (row !== 0 && !this.#holds(row, prefix, length)) {
      before = row;
      row = this.#next[row] ?? 0;
    }
    if (row === 0) return;
    if (before === 0) this.#buckets[bucket] = this.#next[row] ?? 0;
    else this.#next[before] = this.#next[row] ?? 0;
    this.#lengths[row] = 0;
    this.#count(length, -1);
  }

  /** For an image: the memory beside the rows, as far as rows up to `highest` need it. */
  areas(highest: number): Uint8Array[] {
    const next = octetsOf(this.#next).subarray(0, 4 * (highest + 1));
    return [octetsOf(this.#buckets), next, this.#lengths.subarray(0, highest + 1)];
  }

  /** And what is to be known of it. */
  kept(): number[] {
    return [this.#size, this.#highest, ...this.#perLength];
  }

  /** Goes on where `kept` was; the memory is as it was then. */
  resume([size = 0, highest = 0, ...perLength]: readonly number[]): void {
    this.#size = size;
    this.#highest = highest;
    this.#perLength.set(perLength);
  }

  /** Every row that holds a prefix. */
  *rows(): Generator<number> {
    for (let row = 1; row <= this.#highest; row++) if (this.#lengths[row] !== 0) yield row;
  }

  #holds(row: number, prefix: number, length: number): boolean {
    return this.#rows[(row << ROW_SHIFT) + ROW_PREFIX] === (prefix | 0) && this.#lengths[row] === length;
  }

  #bucket(prefix: number, length: number): number {
    return Math.imul(prefix ^ Math.imul(length, 0x9e3779b1), 0x85ebca6b) >>> this.#shift;
  }

  #count(length: number, by: number): void {
    this.#perLength[length] = (this.#perLength[length] ?? 0) + by;
    this.#size += by;
  }
}
