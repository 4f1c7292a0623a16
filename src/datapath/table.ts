/**
 * The longest-prefix table of one role: IPv4 prefix of length 1 to 32 to row. One writer changes it in place while
 * workers read: what is new is written before the word that leads to it, and what was freed is used again only after
 * every worker has passed a batch boundary. Each step leaves the table right for every address.
 *
 * Every word says what its addresses map to after longest match, so a reader takes at most three steps: a /24, a /28,
 * an address. Blocks have 16 words because a million /32s scattered over as many /24s then cost two cache lines each
 * (122 MiB, where blocks of 256 words cost 950 MiB).
 */

import type { Ipv4Prefix } from '../address.ts';
import { ipv4Mask } from '../address.ts';
import { MAX_PORT_SETS } from '../state/limits.ts';
import type { Epochs } from './epochs.ts';
import { FreeList } from './free-list.ts';
import {
  BLOCK_SHIFT,
  BLOCK_WORDS,
  FIRST_LEVEL_WORDS,
  LENGTH_MASK,
  LENGTH_SHIFT,
  ROW_PREFIX,
  ROW_SHIFT,
  ROW_SOFTWIRE,
  ROW_WORDS,
  SOFTWIRE_MASK,
} from './layout.ts';
import type { Allocate } from './memory.ts';
import { octetsOf, sameFourWords } from './memory.ts';
import { isShared } from './port-sets.ts';
import { PrefixIndex } from './prefix-index.ts';

/** The shared memory of a table, for `TableReader` in another thread. */
export interface TableMemory {
  readonly first: Int32Array;
  readonly blocks: Int32Array;
  readonly rows: Int32Array;
}

/** A table as workers see it. The hot path reads the three arrays itself, a batch at a time. */
export class TableReader {
  readonly memory: TableMemory;
  readonly first: Int32Array;
  readonly blocks: Int32Array;
  readonly rows: Int32Array;
  /** The rows in octets: the remote address of row r begins at r * 32. */
  readonly octets: Uint8Array;

  constructor(memory: TableMemory) {
    this.memory = memory;
    this.first = memory.first;
    this.blocks = memory.blocks;
    this.rows = memory.rows;
    this.octets = octetsOf(memory.rows);
  }

  /** The row of the longest prefix that holds `address` (unsigned); 0 when none does. */
  lookup(address: number): number {
    let word = this.first[address >>> 8] ?? 0;
    if (word < 0) word = this.blocks[(-word << BLOCK_SHIFT) + ((address >>> 4) & 15)] ?? 0;
    if (word < 0) word = this.blocks[(-word << BLOCK_SHIFT) + (address & 15)] ?? 0;
    return word;
  }
}

/** Of the smallest page. */
const PAGE_WORDS = 1_024;
/** Looked at in one step. */
const ROWS_AT_ONCE = 10_000;
/** Blocks that a port set takes at most, one a level of its PSID. */
const PORT_SET_BLOCKS = 4;

/** What a prefix maps to: the IPv6 address of the other end (16 octets) and the softwire to reach it by. */
export interface Target {
  readonly remote: Uint8Array;
  readonly softwire: number;
}

/** One row as it is wanted: a served prefix of a gateway, or a binding. */
export interface WantedRow {
  readonly prefix: Ipv4Prefix;
  readonly target: Target;
}

/**
 * A change of one prefix that packets do not see yet: the row is written, the index has it, and its blocks are there. Changes are shown in the order
 * in which they were prepared, and completed then, each once.
 */
export interface PreparedChange {
  readonly prefix: number;
  readonly length: number;
  /** The row that goes; 0 for a prefix that is new. */
  readonly from: number;
  /** The row that comes: the covering one, or 0, for a prefix that goes. */
  readonly to: number;
  readonly isRemoval: boolean;
}

/** Who is told of rows that lead to a gateway: those of shared addresses do not. */
export interface RowWatcher {
  /** A row was written that nothing leads to yet. */
  written(row: number): void;
  /** `to`, which nothing leads to yet, takes the place of `from`, which is retired after it. */
  replaced(from: number, to: number): void;
  /** Nothing leads to the row any more; workers may still be at it. */
  retired(row: number): void;
  /** No worker is at a retired row any more; it is still as it was, and is used again at any time from now on. */
  passed(row: number): void;
}

export class Table extends TableReader {
  /** Prefixes it can take. */
  readonly capacity: number;
  watcher: RowWatcher | undefined;
  /** Places of rows and blocks: what is linked from the table, here or by port sets, is taken and retired there. */
  readonly rowPlaces: FreeList;
  readonly blockPlaces: FreeList;
  readonly #index: PrefixIndex;

  constructor(capacity: number, epochs: Epochs, allocate: Allocate) {
    // A replaced row lives on until the workers have passed it; so many may wait at a time, and every port set twice.
    const rows = capacity + 65_536 + 2 * MAX_PORT_SETS;
    const blocks = 2 * rows + 2 * PORT_SET_BLOCKS * MAX_PORT_SETS;
    super({
      first: allocate(FIRST_LEVEL_WORDS * 4, true),
      blocks: allocate((blocks + 1) * BLOCK_WORDS * 4, true),
      rows: allocate((rows + 1) * ROW_WORDS * 4, true),
    });
    this.capacity = capacity;
    this.rowPlaces = new FreeList(rows, epochs, (row) => {
      if (!isShared(this, row)) this.watcher?.passed(row);
    });
    this.blockPlaces = new FreeList(blocks, epochs);
    this.#index = new PrefixIndex(rows, this.rows);
  }

  /** Prefixes it holds. */
  get size(): number {
    return this.#index.size;
  }

  /** Memory of blocks in use or waiting to be free, in octets. */
  get blockOctets(): number {
    return this.blockPlaces.used * BLOCK_WORDS * 4;
  }

  /** Row of exactly this prefix; 0 when it is not there. */
  find(prefix: number, length: number): number {
    return this.#index.find(prefix, length);
  }

  /** For an image: all memory of the table, that of the first level by /8. */
  get areas(): Uint8Array[] {
    return this.#areas(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, () => true);
  }

  /** Looks in steps for the same areas, as far as they may not be zero: to look at the rest would take memory for it. */
  *usedAreas(): Generator<void, Uint8Array[]> {
    const used = new Uint8Array(256);
    for (const row of this.rowsInUse()) {
      const { address, length } = this.prefixOf(row);
      used.fill(1, address >>> 24, (address >>> 24) + (length < 8 ? 1 << (8 - length) : 1));
      if (row % ROWS_AT_ONCE === 0) yield;
    }
    return this.#areas(this.rowPlaces.highest, this.blockPlaces.highest, (first) => used[first] === 1);
  }

  #areas(rows: number, blocks: number, isUsed: (firstOctet: number) => boolean): Uint8Array[] {
    const first = octetsOf(this.first);
    const octets = first.length / 256;
    return [
      ...Array.from({ length: 256 }, (_, at) => first.subarray(at * octets, (at + (isUsed(at) ? 1 : 0)) * octets)),
      octetsOf(this.blocks).subarray(0, (blocks + 1) * BLOCK_WORDS * 4),
      this.octets.subarray(0, (rows + 1) * ROW_WORDS * 4),
      ...this.#index.areas(rows),
    ];
  }

  /** And what is to be known of it. */
  kept(): number[][] {
    return [this.rowPlaces.kept(), this.blockPlaces.kept(), this.#index.kept()];
  }

  /** Goes on where `kept` was; the memory is as it was then. */
  resume([rows = [], blocks = [], index = []]: readonly (readonly number[])[]): void {
    this.rowPlaces.resume(rows);
    this.blockPlaces.resume(blocks);
    this.#index.resume(index);
  }

  /** Every row in use. Rows may be removed on the way. */
  rowsInUse(): Generator<number> {
    return this.#index.rows();
  }

  /** The prefix of a row. */
  prefixOf(row: number): Ipv4Prefix {
    const word = row << ROW_SHIFT;
    return { address: (this.rows[word + ROW_PREFIX] ?? 0) >>> 0, length: this.#lengthOf(row) };
  }

  /** Far end of a row, that of no shared address as a whole: 16 octets. */
  remoteAt(row: number): Uint8Array {
    return this.octets.slice(row * ROW_WORDS * 4, row * ROW_WORDS * 4 + 16);
  }

  /** Number of the softwire a row leads into. */
  softwireOf(row: number): number {
    return (this.rows[(row << ROW_SHIFT) + ROW_SOFTWIRE] ?? 0) & SOFTWIRE_MASK;
  }

  haveSameRemote(row: number, other: number): boolean {
    return sameFourWords(this.rows, row << ROW_SHIFT, this.rows, other << ROW_SHIFT);
  }

  /** Whether a row leads to this target already. */
  leadsTo(row: number, target: Target): boolean {
    if (this.softwireOf(row) !== target.softwire) return false;
    const at = row * ROW_WORDS * 4;
    for (let i = 0; i < 16; i++) if (this.octets[at + i] !== target.remote[i]) return false;
    return true;
  }

  /**
   * Adds a prefix (host bits zero, length 1 to 32) or replaces what it maps to. False, and nothing done, when the table
   * is full.
   */
  put(prefix: number, length: number, target: Target): boolean {
    if (length < 1 || length > 32) throw new RangeError(`table: prefix length ${length} is not 1 to 32`);
    return this.putOver(this.#index.find(prefix, length), prefix, length, target) !== 0;
  }

  /** The same for who knows the row that is there, 0 when none is; gives the new row, 0 when the table is full. */
  putOver(old: number, prefix: number, length: number, target: Target): number {
    const change = this.preparePut(old, prefix, length, target);
    if (!change) return 0;
    this.show(change);
    this.complete(change);
    return change.to;
  }

  /** First step of `putOver`: all that packets do not see. Undefined when the table is full. */
  preparePut(old: number, prefix: number, length: number, target: Target): PreparedChange | undefined {
    if (old === 0 && this.size >= this.capacity) return undefined;
    const row = this.writeRow(prefix, length, target);
    this.#makeWay(prefix, length);
    this.#enter(old, row, prefix, length);
    return { prefix, length, from: old, to: row, isRemoval: false };
  }

  /** Adds a prefix that is not there; its row, or 0 when the table is full. */
  append(prefix: number, length: number, target: Target): number {
    if (this.size >= this.capacity) return 0;
    const row = this.writeRow(prefix, length, target);
    this.#index.add(row, prefix, length);
    this.#paint(prefix, length, 0, row);
    return row;
  }

  /** Makes a written row that of its prefix, and gives back the one that was there. */
  place(row: number, prefix: number, length: number): void {
    const old = this.swap(row, prefix, length);
    if (old !== 0) this.retireRow(old);
  }

  /** Makes a written row that of its prefix; the one that was there, to be given back by `retireRow`, or 0. */
  swap(row: number, prefix: number, length: number): number {
    const old = this.#index.find(prefix, length);
    this.#enter(old, row, prefix, length);
    this.#paint(prefix, length, old, row);
    return old;
  }

  /** Makes a written row that of its prefix in the index, where `old` is now. */
  #enter(old: number, row: number, prefix: number, length: number): void {
    if (old !== 0) this.#index.remove(prefix, length);
    this.#index.add(row, prefix, length);
    if (old !== 0 && !isShared(this, old) && !isShared(this, row)) this.watcher?.replaced(old, row);
  }

  /** Gives back a row that nothing leads to any more. */
  retireRow(row: number): void {
    if (!isShared(this, row)) this.watcher?.retired(row);
    this.rowPlaces.retire(row);
  }

  /** Removes a prefix; its addresses map to the covering prefix again. False when it was not there. */
  remove(prefix: number, length: number): boolean {
    const row = this.#index.find(prefix, length);
    if (row === 0) return false;
    const change = this.prepareRemoval(row, prefix, length);
    this.show(change);
    this.complete(change);
    return true;
  }

  /** First step of `remove`, for who knows the row that is there. */
  prepareRemoval(row: number, prefix: number, length: number): PreparedChange {
    this.#makeWay(prefix, length);
    this.#index.remove(prefix, length);
    return { prefix, length, from: row, to: this.covering(prefix, length), isRemoval: true };
  }

  /** Second step: leads the addresses of the prefix to the row. It writes words, takes no memory and does not fail. */
  show({ prefix, length, from, to }: PreparedChange): void {
    this.#paint(prefix, length, from, to);
  }

  /** Third step: gives back the row and the blocks that nothing needs since the change is shown. */
  complete({ prefix, length, from, isRemoval }: PreparedChange): void {
    if (isRemoval && length > 28) this.#collapse(this.blocks, this.#blockWord(prefix));
    if (isRemoval && length > 24) this.#collapse(this.first, prefix >>> 8);
    if (from !== 0) this.retireRow(from);
  }

  /** Writes a row that nothing leads to yet; without a softwire, that of a shared address. */
  writeRow(prefix: number, length: number, target: Target): number {
    const row = this.rowPlaces.take();
    const at = row << ROW_SHIFT;
    for (let i = 0; i < 16; i++) this.octets[4 * at + i] = target.remote[i] ?? 0;
    this.rows[at + ROW_SOFTWIRE] = target.softwire | (length << LENGTH_SHIFT);
    this.rows[at + ROW_PREFIX] = prefix;
    if (target.softwire !== 0) this.watcher?.written(row);
    return row;
  }

  /** Row of the longest shorter prefix that holds this one; 0 when none does. */
  covering(prefix: number, length: number): number {
    for (let shorter = length - 1; shorter > 0; shorter--) {
      if (!this.#index.hasLength(shorter)) continue;
      const row = this.#index.find((prefix & ipv4Mask(shorter)) >>> 0, shorter);
      if (row !== 0) return row;
    }
    return 0;
  }

  /**
   * Makes the addresses of a prefix that map to `old` map to `row`; with `old` 0, those that map to nothing or to a
   * shorter prefix.
   */
  #paint(prefix: number, length: number, old: number, row: number): void {
    if (length <= 24) {
      this.#paintWords(this.first, prefix >>> 8, 1 << (24 - length), length, old, row);
      return;
    }
    const block = this.#ensureBlock(this.first, prefix >>> 8);
    const word = (block << BLOCK_SHIFT) + ((prefix >>> 4) & 15);
    if (length <= 28) {
      this.#paintWords(this.blocks, word, 1 << (28 - length), length, old, row);
      return;
    }
    const leaf = this.#ensureBlock(this.blocks, word);
    this.#paintWords(this.blocks, (leaf << BLOCK_SHIFT) + (prefix & 15), 1 << (32 - length), length, old, row);
  }

  #paintWords(words: Int32Array, from: number, count: number, length: number, old: number, row: number): void {
    for (let i = from; i < from + count; i++) {
      const word = words[i] ?? 0;
      if (word < 0) this.#paintWords(this.blocks, -word << BLOCK_SHIFT, BLOCK_WORDS, length, old, row);
      else if (old === 0 ? this.#lengthOf(word) < length : word === old) Atomics.store(words, i, row);
    }
  }

  /** Sees to it that the words of a prefix are there, and in memory: pages that the system has yet to give are not waited for when it is shown. */
  #makeWay(prefix: number, length: number): void {
    if (length <= 24) {
      const from = prefix >>> 8;
      const end = from + (1 << (24 - length));
      for (let word = from; word < end; word += PAGE_WORDS) this.first[word] = this.first[word] ?? 0;
      return;
    }
    const block = this.#ensureBlock(this.first, prefix >>> 8);
    if (length > 28) this.#ensureBlock(this.blocks, (block << BLOCK_SHIFT) + ((prefix >>> 4) & 15));
  }

  #lengthOf(row: number): number {
    return row === 0 ? 0 : ((this.rows[(row << ROW_SHIFT) + ROW_SOFTWIRE] ?? 0) >>> LENGTH_SHIFT) & LENGTH_MASK;
  }

  /** The block behind a word; a word without one gets a block that maps as it did. */
  #ensureBlock(words: Int32Array, at: number): number {
    const word = words[at] ?? 0;
    if (word < 0) return -word;
    const block = this.blockPlaces.take();
    this.blocks.fill(word, block << BLOCK_SHIFT, (block + 1) << BLOCK_SHIFT);
    Atomics.store(words, at, -block);
    return block;
  }

  /** Index in `blocks` of the /28's word; the /24 has a block. */
  #blockWord(prefix: number): number {
    return (-(this.first[prefix >>> 8] ?? 0) << BLOCK_SHIFT) + ((prefix >>> 4) & 15);
  }

  /** Gives a block back when all its words say the same. */
  #collapse(words: Int32Array, at: number): void {
    const block = -(words[at] ?? 0);
    if (block <= 0) return;
    const from = block << BLOCK_SHIFT;
    const word = this.blocks[from] ?? 0;
    if (word < 0) return;
    for (let i = 1; i < BLOCK_WORDS; i++) if (this.blocks[from + i] !== word) return;
    Atomics.store(words, at, word);
    this.blockPlaces.retire(block);
  }
}
