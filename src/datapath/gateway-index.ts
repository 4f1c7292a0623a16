/**
 * Which rows lead to an IPv6 address: a hash table of chains through the rows themselves. The control thread changes it;
 * workers walk it for packets that are refused, to find out whose they are. A row that left a chain still leads on to what
 * followed it, and is not used again before every worker has passed a batch boundary.
 */

import { ROW_INSTANCE_MASK, ROW_INSTANCE_SHIFT, ROW_NEXT, ROW_PREVIOUS, ROW_SHIFT, ROW_SOFTWIRE } from './layout.ts';
import type { Allocate } from './memory.ts';
import { sameFourWords } from './memory.ts';

const HEAD_BITS = 20;
/** Rows that a worker looks at for one packet: chains are short, unless many bindings of one gateway share one. */
const LOOKED_ROWS = 64;

export class GatewayIndex {
  readonly memory: SharedArrayBuffer;
  readonly #heads: Int32Array;
  readonly #rows: Int32Array;
  readonly #seed: number;
  /** Gateways of each instance; of the control thread. */
  readonly #counts = new Map<number, number>();
  #highest = 0;

  /** Over the memory of another thread, or over new memory; `rows` are those of the table, `seed` is random. */
  constructor(from: SharedArrayBuffer | Allocate, rows: Int32Array, seed: number) {
    this.memory = typeof from === 'function' ? from(4 << HEAD_BITS) : from;
    this.#heads = new Int32Array(this.memory);
    this.#rows = rows;
    this.#seed = seed | 0;
  }

  /** Worker: a row of the instance that leads to the four words at `w` of a packet; 0 when none was found. */
  find(instance: number, packet: Int32Array, w: number): number {
    let row = this.#heads[this.#head(packet, w)] ?? 0;
    for (let looked = 0; row !== 0 && looked < LOOKED_ROWS; looked++) {
      if (this.#leadsTo(row, instance, packet, w)) return row;
      row = this.#rows[(row << ROW_SHIFT) + ROW_NEXT] ?? 0;
    }
    return 0;
  }

  /** Gateways of an instance. */
  count(instance: number): number {
    return this.#counts.get(instance) ?? 0;
  }

  instanceOf(row: number): number {
    return ((this.#rows[(row << ROW_SHIFT) + ROW_SOFTWIRE] ?? 0) >>> ROW_INSTANCE_SHIFT) & ROW_INSTANCE_MASK;
  }

  /** Takes a row of an instance in, which nothing else leads to yet. */
  add(row: number, instance: number): void {
    const rows = this.#rows;
    const word = row << ROW_SHIFT;
    rows[word + ROW_SOFTWIRE] = (rows[word + ROW_SOFTWIRE] ?? 0) | (instance << ROW_INSTANCE_SHIFT);
    const head = this.#head(rows, word);
    if (this.#first(head, instance, rows, word) === 0) this.#counts.set(instance, this.count(instance) + 1);
    const next = this.#heads[head] ?? 0;
    rows[word + ROW_NEXT] = next;
    rows[word + ROW_PREVIOUS] = 0;
    if (next !== 0) rows[(next << ROW_SHIFT) + ROW_PREVIOUS] = row;
    Atomics.store(this.#heads, head, row);
    this.#highest = Math.max(this.#highest, row);
  }

  /** Takes a row out; another row of its gateway, or 0 when there is none. */
  remove(row: number): number {
    const rows = this.#rows;
    const word = row << ROW_SHIFT;
    const head = this.#head(rows, word);
    const [next, previous] = [rows[word + ROW_NEXT] ?? 0, rows[word + ROW_PREVIOUS] ?? 0];
    if (next !== 0) rows[(next << ROW_SHIFT) + ROW_PREVIOUS] = previous;
    if (previous === 0) Atomics.store(this.#heads, head, next);
    else Atomics.store(rows, (previous << ROW_SHIFT) + ROW_NEXT, next);
    const instance = this.instanceOf(row);
    const other = this.#first(head, instance, rows, word);
    if (other === 0) this.#counts.set(instance, this.count(instance) - 1);
    return other;
  }

  /** Control thread: the rows of an instance that lead to 16 octets. */
  rowsTo(instance: number, address: Uint8Array): number[] {
    const words = new Int32Array(address.slice(0, 16).buffer);
    const found: number[] = [];
    for (let row = this.#heads[this.#head(words, 0)] ?? 0; row !== 0; row = this.#next(row)) {
      if (this.#leadsTo(row, instance, words, 0)) found.push(row);
    }
    return found;
  }

  /** Control thread: the rows of all gateways of an instance, in the order of memory, and perhaps some that left it. */
  *rows(instance: number): Generator<number> {
    if (this.count(instance) === 0) return;
    for (let row = 1; row <= this.#highest; row++) if (this.instanceOf(row) === instance) yield row;
  }

  /** Control thread: the rows of each gateway of an instance. */
  *gateways(instance: number): Generator<readonly number[]> {
    let left = this.count(instance);
    for (let head = 0; left > 0 && head < this.#heads.length; head++) {
      if (this.#heads[head] === 0) continue;
      for (const rows of this.#parted(this.#heads[head] ?? 0, instance)) {
        left--;
        yield rows;
      }
    }
  }

  #parted(first: number, instance: number): Iterable<number[]> {
    const rows = this.#rows;
    const found: number[][] = [];
    for (let row = first; row !== 0; row = this.#next(row)) {
      if (this.instanceOf(row) !== instance) continue;
      const known = found.find(([one = 0]) => sameFourWords(rows, one << ROW_SHIFT, rows, row << ROW_SHIFT));
      if (known) known.push(row);
      else found.push([row]);
    }
    return found;
  }

  #next(row: number): number {
    return this.#rows[(row << ROW_SHIFT) + ROW_NEXT] ?? 0;
  }

  #first(head: number, instance: number, words: Int32Array, w: number): number {
    let row = this.#heads[head] ?? 0;
    while (row !== 0 && !this.#leadsTo(row, instance, words, w)) row = this.#next(row);
    return row;
  }

  #leadsTo(row: number, instance: number, words: Int32Array, w: number): boolean {
    return this.instanceOf(row) === instance && sameFourWords(this.#rows, row << ROW_SHIFT, words, w);
  }

  #head(words: Int32Array, w: number): number {
    let hash = this.#seed;
    for (let i = 0; i < 4; i++) {
      hash = Math.imul(hash ^ (words[w + i] ?? 0), 0x9e3779b1);
      hash ^= hash >>> 15;
    }
    return hash >>> (32 - HEAD_BITS);
  }
}
