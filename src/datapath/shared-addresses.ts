/**
 * The writer of shared addresses: each is a row of the table that leads to a tree of port sets (layout.ts). It changes
 * in place while workers read: what is new is written before the word that leads to it.
 */

import {
  BLOCK_SHIFT,
  BLOCK_WORDS,
  ROW_PORT_SETS,
  ROW_PSID_BITS,
  ROW_SHIFT,
  ROW_SOFTWIRE,
  SHARED_FLAG,
} from './layout.ts';
import { PSID_LEVEL_BITS, psidLevels } from './port-sets.ts';
import type { Table, Target } from './table.ts';

/** A shared address as it is wanted. */
export interface WantedSharedAddress {
  readonly address: number;
  readonly psidOffset: number;
  readonly psidLength: number;
  /** What each PSID maps to. */
  readonly portSets: ReadonlyMap<number, Target>;
}

/** A shared address as it is. */
interface SharedAddress {
  readonly row: number;
  /** The block that its port sets begin at; 0 with psid-length 0. */
  readonly root: number;
  readonly psidOffset: number;
  readonly psidLength: number;
  /** Row of each PSID. */
  readonly portSets: Map<number, number>;
}

/** Nobody has it, so no outer source is equal to it. */
const NO_REMOTE = new Uint8Array(16).fill(0xff);
const ADDRESS_BITS = 32;

export class SharedAddresses {
  readonly #table: Table;
  readonly #addresses = new Map<number, SharedAddress>();

  constructor(table: Table) {
    this.#table = table;
  }

  /** Shared addresses. */
  get size(): number {
    return this.#addresses.size;
  }

  has(address: number): boolean {
    return this.#addresses.has(address);
  }

  /** The addresses there are. They may be removed on the way. */
  addresses(): Iterable<number> {
    return this.#addresses.keys();
  }

  /** Rows of port sets. */
  *rows(): Generator<number> {
    for (const { portSets } of this.#addresses.values()) yield* portSets.values();
  }

  /** Whose a row is: the shared address and the PSID; undefined when it is the row of no port set. Looks at all of them. */
  portSetOf(row: number): { readonly address: number; readonly psid: number } | undefined {
    for (const [address, { portSets }] of this.#addresses) {
      for (const [psid, own] of portSets) if (own === row) return { address, psid };
    }
    return undefined;
  }

  /** Rows that `put` writes and gives back; 0 for an address that is as it is wanted. */
  changesOf(wanted: WantedSharedAddress): number {
    const known = this.#addresses.get(wanted.address);
    if (!known) return 1 + wanted.portSets.size;
    if (!this.#isKept(known, wanted)) return 2 + wanted.portSets.size + known.portSets.size;
    let changes = 0;
    for (const [psid, target] of wanted.portSets) {
      const row = known.portSets.get(psid);
      if (row === undefined || !this.#table.leadsTo(row, target)) changes++;
    }
    for (const psid of known.portSets.keys()) if (!wanted.portSets.has(psid)) changes++;
    return changes;
  }

  /** Adds a shared address or makes it as it is wanted. False, and nothing done, when the table is full. */
  put(wanted: WantedSharedAddress): boolean {
    const { address } = wanted;
    const known = this.#addresses.get(address);
    if (known && this.#isKept(known, wanted)) {
      this.#change(known, wanted.portSets);
      return true;
    }
    const isFull = this.#table.size >= this.#table.capacity;
    if (isFull && this.#table.find(address, ADDRESS_BITS) === 0) return false;
    const fresh = this.#write(wanted);
    this.#table.place(fresh.row, address, ADDRESS_BITS);
    this.#addresses.set(address, fresh);
    if (known) this.#retirePortSets(known);
    return true;
  }

  /** Removes a shared address; a binding that took its place meanwhile stays. */
  remove(address: number): void {
    const known = this.#addresses.get(address);
    if (!known) return;
    this.#addresses.delete(address);
    if (this.#isLinked(address, known)) this.#table.remove(address, ADDRESS_BITS);
    this.#retirePortSets(known);
  }

  #isKept(known: SharedAddress, { address, psidOffset, psidLength }: WantedSharedAddress): boolean {
    return known.psidOffset === psidOffset && known.psidLength === psidLength && this.#isLinked(address, known);
  }

  #isLinked(address: number, { row }: SharedAddress): boolean {
    return this.#table.find(address, ADDRESS_BITS) === row;
  }

  /** A shared address with all its port sets, which nothing leads to yet. */
  #write({ address, psidOffset, psidLength, portSets }: WantedSharedAddress): SharedAddress {
    const row = this.#table.writeRow(address, ADDRESS_BITS, { remote: NO_REMOTE, softwire: 0 });
    const { rows } = this.#table;
    const word = row << ROW_SHIFT;
    rows[word + ROW_SOFTWIRE] = (rows[word + ROW_SOFTWIRE] ?? 0) | SHARED_FLAG;
    rows[word + ROW_PSID_BITS] = psidOffset | (psidLength << 8);
    const root = psidLength > 0 ? this.#newBlock() : 0;
    rows[word + ROW_PORT_SETS] = root;
    const shared = { row, root, psidOffset, psidLength, portSets: new Map<number, number>() };
    this.#change(shared, portSets);
    return shared;
  }

  /** Makes the port sets those wanted: first what is new or different, then what goes. */
  #change(shared: SharedAddress, wanted: ReadonlyMap<number, Target>): void {
    for (const [psid, target] of wanted) {
      const old = shared.portSets.get(psid);
      if (old !== undefined && this.#table.leadsTo(old, target)) continue;
      const row = this.#table.writeRow(0, 0, target);
      shared.portSets.set(psid, row);
      this.#link(shared, psid, row);
      if (old !== undefined) this.#table.retireRow(old);
    }
    for (const [psid, row] of shared.portSets) {
      if (wanted.has(psid)) continue;
      shared.portSets.delete(psid);
      this.#unlink(shared, psid);
      this.#table.retireRow(row);
    }
  }

  /** Makes a PSID lead to `row`. */
  #link(shared: SharedAddress, psid: number, row: number): void {
    const { blocks } = this.#table;
    let [words, at] = this.#top(shared, psid);
    for (let level = psidLevels(shared.psidLength) - 2; level >= 0; level--) {
      const block = words[at] || this.#addBlock(words, at);
      [words, at] = [blocks, (block << BLOCK_SHIFT) + nibble(psid, level)];
    }
    Atomics.store(words, at, row);
  }

  #addBlock(words: Int32Array, at: number): number {
    const block = this.#newBlock();
    Atomics.store(words, at, block);
    return block;
  }

  #newBlock(): number {
    const block = this.#table.blockPlaces.take();
    this.#table.blocks.fill(0, block << BLOCK_SHIFT, (block + 1) << BLOCK_SHIFT);
    return block;
  }

  /** The first word that a PSID chooses: in the root, or that of the row when there is one port set. */
  #top({ row, root, psidLength }: SharedAddress, psid: number): [words: Int32Array, at: number] {
    if (root === 0) return [this.#table.rows, (row << ROW_SHIFT) + ROW_PORT_SETS];
    return [this.#table.blocks, (root << BLOCK_SHIFT) + nibble(psid, psidLevels(psidLength) - 1)];
  }

  /** Makes a PSID lead nowhere; blocks below the root that are empty then are given back. */
  #unlink(shared: SharedAddress, psid: number): void {
    const [words, at] = this.#top(shared, psid);
    this.#clear(words, at, psid, psidLevels(shared.psidLength) - 1);
  }

  /** Clears what a PSID leads to behind a word, `levels` blocks below it. */
  #clear(words: Int32Array, at: number, psid: number, levels: number): void {
    const { blocks, blockPlaces } = this.#table;
    const block = words[at] ?? 0;
    const from = block << BLOCK_SHIFT;
    if (levels > 0) {
      this.#clear(blocks, from + nibble(psid, levels - 1), psid, levels - 1);
      for (let i = 0; i < BLOCK_WORDS; i++) if (blocks[from + i] !== 0) return;
    }
    Atomics.store(words, at, 0);
    if (levels > 0) blockPlaces.retire(block);
  }

  /** Gives back all that an address led to but its own row; nothing leads to the address any more. */
  #retirePortSets({ root, psidLength, portSets }: SharedAddress): void {
    for (const portSet of portSets.values()) this.#table.retireRow(portSet);
    this.#retireBlocks(root, psidLevels(psidLength));
  }

  #retireBlocks(block: number, levels: number): void {
    if (levels === 0 || block === 0) return;
    const from = block << BLOCK_SHIFT;
    for (let i = 0; i < BLOCK_WORDS; i++) this.#retireBlocks(this.#table.blocks[from + i] ?? 0, levels - 1);
    this.#table.blockPlaces.retire(block);
  }
}

/** Four bits of a PSID; level 0 are the lowest. */
function nibble(psid: number, level: number): number {
  return (psid >>> (level * PSID_LEVEL_BITS)) & (BLOCK_WORDS - 1);
}
