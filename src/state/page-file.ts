/**
 * The file of an LMDB environment, read page by page without LMDB, which ends the process on pages that make no sense.
 * Whoever reads everything here knows that LMDB finds each entry and will write on no page that is in use:
 *
 *   1. the two meta pages belong together; the newer one counts
 *   2. the free pages, each once
 *   3. each tree from its root: page numbers, kinds and bounds; keys ascend and lie between those of the branch above; no
 *      page is used twice or free; entries and pages are as many as the record of the database says
 *
 *     page    | number, 8 | transaction, 8 | pad, 2 | kind, 2 | lower, 2 | upper, 2 | places of nodes, 2 each | free | nodes |
 *     node    | size or page, 4 | flags or page, 2 | key length, 2 | key | value |        little-endian throughout
 *     meta    | header, 24 | magic, 4 | version, 4 | address, 8 | map size, 8 | free tree, 48 | main tree, 48 | last page, 8 | transaction, 8 |
 *     tree    | pad, 4 | flags, 2 | depth, 2 | branches, 8 | leaves, 8 | overflow, 8 | entries, 8 | root, 8 |
 */

import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { DamageError } from './model-values.ts';

export const PAGE_SIZE = 4096;
const HEADER = 24;
/** Places and bounds of nodes count from behind the header. */
const ROOM = PAGE_SIZE - HEADER;
const NODE_HEADER = 8;
const KIND = { branch: 1, leaf: 2, overflow: 4, meta: 8 } as const;
const NODE = { plain: 0, overflow: 1, tree: 2 } as const;
const MAGIC = 0xbeefc0de;
const VERSION = 2;
const INTEGER_KEY = 0x08;
const NO_PAGE = -1;
const TREE_LENGTH = 48;
const MAX_DEPTH = 32;
/** 64 GiB: more than the store may ever have. */
const MAX_PAGES = 2 ** 24;

interface TreeRecord {
  readonly pad: number;
  readonly flags: number;
  readonly depth: number;
  readonly branches: number;
  readonly leaves: number;
  readonly overflow: number;
  readonly entries: number;
  readonly root: number;
}

interface Meta {
  readonly mapSize: number;
  readonly free: TreeRecord;
  readonly main: TreeRecord;
  readonly lastPage: number;
  readonly transaction: number;
}

/** Key and value share memory with a page that stays as it is. */
export type OnEntry = (key: Buffer, value: Buffer) => void;

interface Walk {
  readonly name: string;
  readonly compare: (a: Buffer, b: Buffer) => number;
  readonly isMain: boolean;
  readonly onEntry: (key: Buffer, value: Buffer, kind: number) => void;
  branches: number;
  leaves: number;
  overflow: number;
  entries: number;
}

export class PageFile {
  readonly #descriptor: number;
  readonly #metaPages: Buffer | undefined;
  readonly #octets: number;
  readonly #meta: Meta;
  /** By page: whether it is free or was read. */
  readonly #seen: Uint8Array;
  readonly #trees = new Map<string, TreeRecord>();
  #freePages = 0;

  private constructor(descriptor: number, metaPages: Buffer | undefined) {
    this.#descriptor = descriptor;
    this.#metaPages = metaPages;
    this.#octets = fstatSync(descriptor).size;
    this.#meta = this.#readMeta();
    this.#seen = new Uint8Array(this.#meta.lastPage + 1);
    this.#readFreePages();
    this.#readMain();
  }

  /**
   * Reads meta pages, free pages and the names of the databases. `metaPages` are those of a moment from which on somebody keeps
   * the pages they lead to; without, nobody may write the file. @throws DamageError; Error of the system when the file cannot be read
   */
  static open(path: string, metaPages?: Buffer): PageFile {
    const descriptor = openSync(path, 'r');
    try {
      return new PageFile(descriptor, metaPages);
    } catch (error) {
      closeSync(descriptor);
      throw error;
    }
  }

  /** Names of the databases in the file. */
  get names(): Iterable<string> {
    return this.#trees.keys();
  }

  /** How many entries a database should have. */
  entries(name: string): number {
    return this.#trees.get(name)?.entries ?? 0;
  }

  /** The commit that it was read at. */
  get transaction(): number {
    return this.#meta.transaction;
  }

  get octets(): number {
    return this.#octets;
  }

  get freeOctets(): number {
    return this.#freePages * PAGE_SIZE;
  }

  /** Gives every entry of a database, in key order; once for each database. @throws DamageError */
  read(name: string, onEntry: OnEntry): void {
    const tree = this.#trees.get(name);
    if (!tree) throw new DamageError(`there is no database ${name}`);
    this.#walk(tree, name, Buffer.compare, onEntry);
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  #readMeta(): Meta {
    const [even, odd] = [this.#metaAt(0), this.#metaAt(1)];
    const newer = even.transaction > odd.transaction ? even : odd;
    const older = newer === even ? odd : even;
    // Transactions write the two in turn. A copy begins with an empty first one and the number of its source in the second.
    const isTurn = newer.transaction - older.transaction === 1 && (newer === even) === (newer.transaction % 2 === 0);
    const isCopy = newer === odd && older.transaction === 0 && newer.transaction % 2 === 1;
    const isNew = newer.transaction === 0 && older.transaction === 0;
    const isEmptyCopy = older.main.root === NO_PAGE && older.free.root === NO_PAGE;
    if (!isTurn && !((isCopy || isNew) && isEmptyCopy)) {
      throw new DamageError(`its meta pages are of transactions ${even.transaction} and ${odd.transaction}`);
    }
    const [now, then] = [newer, older].map(({ free, main }) => [free.pad, free.flags, main.pad, main.flags].join());
    if (now !== then || newer.mapSize < older.mapSize) throw new DamageError('its meta pages do not belong together');
    return newer;
  }

  #metaAt(number: number): Meta {
    const kept = this.#metaPages?.subarray(number * PAGE_SIZE, (number + 1) * PAGE_SIZE);
    const page = kept ?? this.#page(number, 1, number + 1);
    const where = `meta page ${number}`;
    if (page.readUInt16LE(18) !== KIND.meta) throw new DamageError(`${where} is none`);
    if (page.readUInt32LE(24) !== MAGIC || page.readUInt32LE(28) !== VERSION) throw new DamageError(`${where} is none`);
    const meta = {
      mapSize: number64(page, 40, where),
      free: treeAt(page, 48, where),
      main: treeAt(page, 96, where),
      lastPage: number64(page, 144, where),
      transaction: number64(page, 152, where),
    };
    if (number64(page, 32, where) !== 0 || meta.free.pad !== PAGE_SIZE || (meta.free.flags & INTEGER_KEY) === 0) {
      throw new DamageError(`${where} asks for what this program does not use`);
    }
    if (meta.mapSize % PAGE_SIZE !== 0 || meta.mapSize > MAX_PAGES * PAGE_SIZE || meta.lastPage >= MAX_PAGES) {
      throw new DamageError(`${where} has impossible sizes`);
    }
    return meta;
  }

  #readFreePages(): void {
    const byNumber = (a: Buffer, b: Buffer) => Number(a.readBigUInt64LE(0) - b.readBigUInt64LE(0));
    const lists: Buffer[] = [];
    this.#walk(this.#meta.free, 'of free pages', byNumber, (key, value) => {
      if (key.length !== 8 || value.length < 8 || value.length % 8 !== 0)
        throw new DamageError('a list of free pages is none');
      lists.push(value);
    });
    for (const list of lists) this.#takeFree(list);
  }

  /** | count | then page, or minus the number of pages and the first of them, or 0 |: eight octets each. */
  #takeFree(list: Buffer): void {
    const count = number64(list, 0, 'a list of free pages');
    if (count > list.length / 8 - 1) throw new DamageError('a list of free pages is longer than its record');
    for (let place = 1; place <= count; place++) {
      const entry = Number(list.readBigInt64LE(8 * place));
      if (entry === 0) continue;
      const isBlock = entry < 0;
      if (isBlock && ++place > count) throw new DamageError('a list of free pages ends inside a block');
      const first = isBlock ? Number(list.readBigInt64LE(8 * place)) : entry;
      const pages = isBlock ? -entry : 1;
      if (pages > this.#seen.length) throw new DamageError('a list of free pages has an impossible block');
      for (let number = first; number < first + pages; number++) this.#mark(number, 'as free');
      this.#freePages += pages;
    }
  }

  #readMain(): void {
    const { main } = this.#meta;
    this.#walk(
      main,
      'of databases',
      Buffer.compare,
      () => undefined,
      (key, value) => {
        if (value.length !== TREE_LENGTH) throw new DamageError('the record of a database is none');
        // lmdb-js ends some names with a zero octet.
        const name = key.toString('latin1').replace(/\0$/, '');
        this.#trees.set(name, treeAt(value, 0, `the record of database ${name}`));
      },
    );
    const flags = new Set([...this.#trees.values()].map((tree) => `${tree.flags} ${tree.pad}`));
    if (flags.size > 1) throw new DamageError('its databases are of different kinds');
  }

  #mark(number: number, how: string): void {
    if (!(number >= 2 && number < this.#seen.length))
      throw new DamageError(`page ${number} is used ${how} and does not exist`);
    if (this.#seen[number]) throw new DamageError(`page ${number} is used ${how}, and for something else`);
    this.#seen[number] = 1;
  }

  #walk(tree: TreeRecord, name: string, compare: Walk['compare'], onEntry: OnEntry, onTree?: OnEntry): void {
    const isMain = onTree !== undefined;
    const walk: Walk = {
      ...{ name, compare, isMain, branches: 0, leaves: 0, overflow: 0, entries: 0 },
      onEntry: (key, value, kind) => (kind === NODE.tree ? onTree?.(key, value) : onEntry(key, value)),
    };
    if (tree.depth > MAX_DEPTH || (tree.root === NO_PAGE) !== (tree.depth === 0)) {
      throw new DamageError(`the tree ${name} has an impossible depth`);
    }
    if (tree.root !== NO_PAGE) this.#readTree(walk, tree.root, tree.depth, undefined, undefined);
    for (const what of ['branches', 'leaves', 'overflow', 'entries'] as const) {
      if (walk[what] === tree[what]) continue;
      throw new DamageError(`the tree ${name} has ${walk[what]} ${what} and should have ${tree[what]}`);
    }
  }

  /** The subtree of a page: all keys from `low` on and below `high`. */
  #readTree(walk: Walk, number: number, depth: number, low: Buffer | undefined, high: Buffer | undefined): void {
    this.#mark(number, `in the tree ${walk.name}`);
    const where = `page ${number}, in the tree ${walk.name},`;
    const page = this.#page(number, 1, number + 1);
    const isLeaf = depth === 1;
    if (page.readUInt16LE(18) !== (isLeaf ? KIND.leaf : KIND.branch))
      throw new DamageError(`${where} is of another kind`);
    const nodes = nodesOf(page, where, isLeaf);
    if (isLeaf) walk.leaves++;
    else walk.branches++;
    let last = low;
    for (const [index, at] of nodes.entries()) {
      const key = keyAt(page, at);
      // Nobody looks at the first key of a branch.
      const isKey = isLeaf || index > 0;
      if (isKey) {
        const order = last ? walk.compare(last, key) : -1;
        if (order > 0 || (order === 0 && last !== low)) throw new DamageError(`${where} has keys out of order`);
        if (high && walk.compare(key, high) >= 0) throw new DamageError(`${where} has keys of another page`);
        last = key;
      }
      if (isLeaf) this.#readLeafNode(walk, page, at, key, where);
      else {
        const next = nodes[index + 1];
        const end = next === undefined ? high : keyAt(page, next);
        this.#readTree(walk, childAt(page, at), depth - 1, isKey ? key : low, end);
      }
    }
  }

  #readLeafNode(walk: Walk, page: Buffer, at: number, key: Buffer, where: string): void {
    const kind = page.readUInt16LE(at + 4);
    const size = page.readUInt32LE(at);
    const valueAt = at + NODE_HEADER + key.length;
    walk.entries++;
    // LMDB ends a transaction that meets any other.
    const isKnown = walk.isMain ? kind === NODE.tree : kind === NODE.plain || kind === NODE.overflow;
    if (!isKnown) throw new DamageError(`${where} has a node of another kind`);
    if (kind === NODE.overflow) walk.onEntry(key, this.#overflow(walk, page, valueAt, size, where), kind);
    else walk.onEntry(key, page.subarray(valueAt, valueAt + size), kind);
  }

  #overflow(walk: Walk, page: Buffer, at: number, size: number, where: string): Buffer {
    const number = number64(page, at, where);
    const pages = number64(page, at + 16, where);
    if (pages !== pagesFor(size)) throw new DamageError(`${where} has a long value of another length`);
    for (let next = number; next < number + pages; next++) this.#mark(next, `in the tree ${walk.name}`);
    walk.overflow += pages;
    const octets = this.#page(number, pages, number + pages);
    if (octets.readUInt16LE(18) !== KIND.overflow || octets.readUInt32LE(20) !== pages) {
      throw new DamageError(`page ${number}, in the tree ${walk.name}, is of another kind`);
    }
    return octets.subarray(HEADER, HEADER + size);
  }

  /** `count` pages from `number` on, in memory of their own. */
  #page(number: number, count: number, end: number): Buffer {
    if (end * PAGE_SIZE > this.#octets)
      throw new DamageError(`the file ends before page ${end - 1}, at octet ${this.#octets}`);
    const octets = Buffer.allocUnsafe(count * PAGE_SIZE);
    for (let at = 0; at < octets.length; ) {
      const read = readSync(this.#descriptor, octets, at, octets.length - at, number * PAGE_SIZE + at);
      if (read === 0) throw new DamageError(`the file ends inside page ${number}`);
      at += read;
    }
    if (number > 1 && number64(octets, 0, `page ${number}`) !== number) {
      throw new DamageError(`page ${number} carries another number`);
    }
    if (number > 1 && number64(octets, 8, `page ${number}`) > this.#meta.transaction) {
      throw new DamageError(`page ${number} is of a transaction that never was`);
    }
    return octets;
  }
}

function pagesFor(size: number): number {
  return Math.floor((HEADER - 1 + size) / PAGE_SIZE) + 1;
}

function number64(octets: Buffer, at: number, where: string): number {
  const value = octets.readBigUInt64LE(at);
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new DamageError(`${where} has an impossible number`);
  return Number(value);
}

function treeAt(octets: Buffer, at: number, where: string): TreeRecord {
  const number = (place: number) => number64(octets, at + place, where);
  return {
    pad: octets.readUInt32LE(at),
    flags: octets.readUInt16LE(at + 4),
    depth: octets.readUInt16LE(at + 6),
    branches: number(8),
    leaves: number(16),
    overflow: number(24),
    entries: number(32),
    root: octets.readBigInt64LE(at + 40) === -1n ? NO_PAGE : number(40),
  };
}

/** Where the nodes of a page begin, in key order. They lie without gaps at its end. @throws DamageError */
function nodesOf(page: Buffer, where: string, isLeaf: boolean): number[] {
  const [lower, upper] = [page.readUInt16LE(20), page.readUInt16LE(22)];
  if (lower < 2 || lower % 2 !== 0 || lower > upper || upper > ROOM) throw new DamageError(`${where} has wrong bounds`);
  const nodes: number[] = [];
  let length = 0;
  for (let place = HEADER; place < HEADER + lower; place += 2) {
    const at = HEADER + page.readUInt16LE(place);
    if (at < HEADER + upper || at + NODE_HEADER > PAGE_SIZE) throw new DamageError(`${where} has a node outside of it`);
    const size = NODE_HEADER + page.readUInt16LE(at + 6) + (isLeaf ? valueRoom(page, at) : 0);
    if (at + size > PAGE_SIZE) throw new DamageError(`${where} has a node that is too long`);
    length += size + (size % 2);
    nodes.push(at);
  }
  if (length !== ROOM - upper) throw new DamageError(`${where} has nodes of wrong lengths`);
  return nodes;
}

/** Octets that the value of a leaf's node has in the page itself. */
function valueRoom(page: Buffer, at: number): number {
  return page.readUInt16LE(at + 4) === NODE.overflow ? 24 : page.readUInt32LE(at);
}

function keyAt(page: Buffer, at: number): Buffer {
  return page.subarray(at + NODE_HEADER, at + NODE_HEADER + page.readUInt16LE(at + 6));
}

function childAt(page: Buffer, at: number): number {
  return page.readUIntLE(at, 6);
}
