/**
 * Which rows lead to an IPv6 address: a hash table of chains through the rows themselves. The control thread changes it;
 * workers walk it for packets that are refused, to find out whose they are.
 *
 *     head -> row of gateway A -> row of gateway B -> ...     ROW_NEXT: chains hold one row of each gateway and instance
 *                 |
 *             other rows of A -> ...                          ROW_OTHERS leads to the first, ROW_NEXT to the next one;
 *                                                             their ROW_PREVIOUS leads back
 *
 * So a chain is as long as few gateways are that share a hash, whose seed nobody knows, however many bindings they have. A
 * row that left a chain still leads on to what followed it, and is not used again before every worker has passed a batch
 * boundary.
 */

import {
  ROW_INSTANCE_MASK,
  ROW_INSTANCE_SHIFT,
  ROW_NEXT,
  ROW_OTHERS,
  ROW_PREVIOUS,
  ROW_SHIFT,
  ROW_SOFTWIRE,
} from './layout.ts';
import type { Allocate } from './memory.ts';
import { sameFourWords } from './memory.ts';
import { ofIpv6 } from './source-hash.ts';

const HEAD_BITS = 20;
/** What shifts a hash, which is mixed with its instance, to the number of a chain. */
export const HEAD_SHIFT = 32 - HEAD_BITS;

export class GatewayIndex {
  readonly memory: Int32Array;
  readonly #heads: Int32Array;
  readonly #rows: Int32Array;
  readonly #seed: number;
  /** Gateways of each instance; of the control thread. */
  readonly #counts = new Map<number, number>();
  #highest = 0;

  /** Over the memory of another thread, or over new memory; `rows` are those of the table, `seed` is random. */
  constructor(from: Int32Array | Allocate, rows: Int32Array, seed: number) {
    this.memory = typeof from === 'function' ? from(4 << HEAD_BITS, true) : from;
    this.#heads = this.memory;
    this.#rows = rows;
    this.#seed = seed | 0;
  }

  /** Worker: the row that stands for the gateway at the four words at `w` of a packet; 0 when the instance has none. */
  find(instance: number, packet: Int32Array, w: number): number {
    return this.#first(this.#head(instance, packet, w), instance, packet, w);
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
    const head = this.#head(instance, rows, word);
    const known = this.#first(head, instance, rows, word);
    if (known !== 0) this.#addOther(known, row);
    else {
      this.#counts.set(instance, this.count(instance) + 1);
      rows[word + ROW_NEXT] = this.#heads[head] ?? 0;
      rows[word + ROW_OTHERS] = 0;
      Atomics.store(this.#heads, head, row);
    }
    this.#highest = Math.max(this.#highest, row);
  }

  /** Takes a row out; the row that stands for its gateway from now on, or 0 when it was the last one. */
  remove(row: number): number {
    const rows = this.#rows;
    const word = row << ROW_SHIFT;
    const instance = this.instanceOf(row);
    const head = this.#head(instance, rows, word);
    const known = this.#first(head, instance, rows, word);
    if (known !== row) {
      this.#removeOther(known, row);
      return known;
    }
    const other = rows[word + ROW_OTHERS] ?? 0;
    if (other === 0) this.#counts.set(instance, this.count(instance) - 1);
    else {
      // What follows it among the others leads back to it already.
      rows[(other << ROW_SHIFT) + ROW_OTHERS] = this.#next(other);
      rows[(other << ROW_SHIFT) + ROW_NEXT] = this.#next(row);
    }
    this.#relink(head, row, other === 0 ? this.#next(row) : other);
    return other;
  }

  /** Control thread: the rows of an instance that lead to 16 octets. */
  rowsTo(instance: number, address: Uint8Array): number[] {
    const words = new Int32Array(address.slice(0, 16).buffer);
    const known = this.find(instance, words, 0);
    return known === 0 ? [] : this.#rowsOf(known);
  }

  /** Control thread: the row that stands for the gateway that a row leads to, or led to until it was taken out; 0 for none. */
  standsFor(row: number): number {
    const word = row << ROW_SHIFT;
    const instance = this.instanceOf(row);
    return this.#first(this.#head(instance, this.#rows, word), instance, this.#rows, word);
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
      for (let row = this.#heads[head] ?? 0; row !== 0; row = this.#next(row)) {
        if (this.instanceOf(row) !== instance) continue;
        left--;
        yield this.#rowsOf(row);
      }
    }
  }

  /**
   * Control thread: a row of each gateway of all instances from a place on, until they are `count` or, where gateways share a place,
   * a few more; and the place after them, 0 when no more follow. As long as none comes or goes, all have been there by then.
   */
  some(from: number, count: number): { readonly rows: readonly number[]; readonly next: number } {
    const rows: number[] = [];
    for (let head = from; head < this.#heads.length; head++) {
      const first = this.#heads[head] ?? 0;
      if (first !== 0 && rows.length >= count) return { rows, next: head };
      for (let row = first; row !== 0; row = this.#next(row)) rows.push(row);
    }
    return { rows, next: 0 };
  }

  /** For an image: what is to be known beside its memory and that of the rows. */
  kept(): number[] {
    return [this.#highest, ...[...this.#counts].flat()];
  }

  /** Goes on where `kept` was; both memories are as they were then. */
  resume([highest = 0, ...counts]: readonly number[]): void {
    this.#highest = highest;
    for (let i = 0; i + 1 < counts.length; i += 2) this.#counts.set(counts[i] ?? 0, counts[i + 1] ?? 0);
  }

  /** The rows of a gateway, first the one that stands for it. */
  #rowsOf(known: number): number[] {
    const found = [known];
    for (let row = this.#rows[(known << ROW_SHIFT) + ROW_OTHERS] ?? 0; row !== 0; row = this.#next(row))
      found.push(row);
    return found;
  }

  #addOther(known: number, row: number): void {
    const rows = this.#rows;
    const next = rows[(known << ROW_SHIFT) + ROW_OTHERS] ?? 0;
    rows[(row << ROW_SHIFT) + ROW_NEXT] = next;
    rows[(row << ROW_SHIFT) + ROW_PREVIOUS] = known;
    if (next !== 0) rows[(next << ROW_SHIFT) + ROW_PREVIOUS] = row;
    rows[(known << ROW_SHIFT) + ROW_OTHERS] = row;
  }

  #removeOther(known: number, row: number): void {
    const rows = this.#rows;
    const next = this.#next(row);
    const previous = rows[(row << ROW_SHIFT) + ROW_PREVIOUS] ?? 0;
    if (next !== 0) rows[(next << ROW_SHIFT) + ROW_PREVIOUS] = previous;
    rows[(previous << ROW_SHIFT) + (previous === known ? ROW_OTHERS : ROW_NEXT)] = next;
  }

  /** Makes what led to a row of a chain lead to another, with one store: a worker sees the one or the other. */
  #relink(head: number, row: number, to: number): void {
    let before = 0;
    for (let one = this.#heads[head] ?? 0; one !== row; one = this.#next(one)) before = one;
    if (before === 0) Atomics.store(this.#heads, head, to);
    else Atomics.store(this.#rows, (before << ROW_SHIFT) + ROW_NEXT, to);
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

  #head(instance: number, words: Int32Array, w: number): number {
    return headOf(instance, ofIpv6(words, w, this.#seed));
  }
}

function headOf(instance: number, hash: number): number {
  return Math.imul(hash ^ instance, 0x9e3779b1) >>> HEAD_SHIFT;
}
