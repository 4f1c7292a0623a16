/**
 * The table looked up for a whole batch in stages, so that cache misses of different packets overlap: a stage goes over all
 * packets with as little as it can, and what it waits for is waited for together.
 *
 *   1. side and addresses of each packet    2. words of the /24s
 *   3. words of the /28s    4. words of the addresses, each only where the word before leads to a block
 *   5. softwires of the rows, which brings the rows into the cache
 *   6. where port sets or several gateways share addresses: which of them it is
 *
 * Its loops call nothing that is not put in their place, keep the arrays in locals, and go on by four packets: the compiler
 * looks at an array once a turn of a loop, and the processor, which looks ahead some two hundred instructions, finds more
 * of what it has to wait for in these. Behind the last packet a turn does the last one again.
 */

import type { Batch } from './batch.ts';
import type { Role } from './engine.ts';
import * as layout from './layout.ts';
import * as memory from './memory.ts';
import * as plain from './plain.ts';
import { portSetRow } from './port-sets.ts';
import { plainPort } from './ports.ts';
import type { Softwires } from './softwires.ts';
import type { TableReader } from './table.ts';

// Constants of this file, because what is imported is looked at again at each access (see fast-path.ts).
const { BLOCK_SHIFT, ROW_OTHER, ROW_SHIFT, ROW_SOFTWIRE, SOFTWIRE_LOCAL, SOFTWIRE_MASK, SOFTWIRE_SHIFT } = layout;
const { sameFourWords } = memory;
const { DESTINATION_WORD, OUTER_LEN, OUTER_WORDS, SOURCE_WORD } = plain;
/** Packets of one turn of a loop. */
const TURN = 4;
const OUTER_DESTINATION = 6;
const INNER_SOURCE = OUTER_WORDS + SOURCE_WORD;
const INNER_DESTINATION = OUTER_WORDS + DESTINATION_WORD;

export class Stages {
  /** Softwire of each row. */
  readonly softwires: Int32Array;
  /** Whether a packet of the batch goes to or comes from a shared address. */
  hasShared = false;
  readonly #isGateway: boolean;
  readonly #table: TableReader;
  readonly #templates: Int32Array;
  /** Looked-up addresses of a batch as words of the packet: the address in the table, and the other one. */
  readonly #keys: Int32Array;
  readonly #otherKeys: Int32Array;

  /** For batches of up to `capacity` packets. */
  constructor(role: Role, table: TableReader, softwires: Softwires, capacity: number) {
    this.#isGateway = role === 'gateway';
    this.#table = table;
    this.#templates = softwires.words;
    this.softwires = new Int32Array(capacity);
    this.#keys = new Int32Array(capacity);
    this.#otherKeys = new Int32Array(capacity);
  }

  /**
   * Leaves the side, the rows and the softwire of every packet. What a malformed packet leads to here is never used: fast
   * and slow path check before they trust a row.
   */
  lookUp(batch: Batch): void {
    const { rows, otherRows, count } = batch;
    const others = this.#isGateway ? this.#readKeysOfGateway(batch) : this.#readKeysOfAftr(batch);
    this.#resolve(this.#keys, rows, count);
    if (others !== 0) this.#resolve(this.#otherKeys, otherRows, count);
    else otherRows.fill(0, 0, count);
    this.hasShared = this.#readRows(rows, count) < 0;
    if (this.hasShared) this.#choosePortSets(batch);
    if (this.#isGateway && this.#table.rows[ROW_OTHER] !== 0) this.#chooseGateways(batch);
  }

  /** 0 when no packet has another address to look up. */
  #readKeysOfGateway(batch: Batch): number {
    const { words, at, sides, count } = batch;
    const keys = this.#keys;
    const others = this.#otherKeys;
    for (let k = 0; k < count; k++) {
      const w = (at[k] ?? 0) >> 2;
      const side = ((words[w] ?? 0) >>> 4) & 15;
      sides[k] = side;
      keys[k] = words[side === 4 ? w + SOURCE_WORD : w + INNER_DESTINATION] ?? 0;
      others[k] = words[side === 4 ? w + DESTINATION_WORD : w + INNER_SOURCE] ?? 0;
    }
    return 1;
  }

  /** As of a gateway; but an AFTR does not ask where a packet from the IPv4 Internet comes from. */
  #readKeysOfAftr(batch: Batch): number {
    const { words, at, sides, count } = batch;
    const keys = this.#keys;
    const others = this.#otherKeys;
    let any = 0;
    for (let k = 0; k < count; k++) {
      const w = (at[k] ?? 0) >> 2;
      const side = ((words[w] ?? 0) >>> 4) & 15;
      const other = side === 4 ? 0 : (words[w + INNER_DESTINATION] ?? 0);
      sides[k] = side;
      keys[k] = words[side === 4 ? w + DESTINATION_WORD : w + INNER_SOURCE] ?? 0;
      others[k] = other;
      any |= other;
    }
    return any;
  }

  /** Addresses (words of a packet) to rows. */
  #resolve(keys: Int32Array, rows: Int32Array, count: number): void {
    const isDeep = this.#readFirst(keys, rows, count) < 0;
    if (isDeep && this.#followBlocks(keys, rows, count, 28) < 0) this.#followBlocks(keys, rows, count, 24);
  }

  /** Below 0 when one of the words leads to a block. */
  #readFirst(keys: Int32Array, rows: Int32Array, count: number): number {
    const { first } = this.#table;
    const last = count - 1;
    let all = 0;
    for (let k = 0; k < count; k += TURN) {
      const k1 = Math.min(k + 1, last);
      const k2 = Math.min(k + 2, last);
      const k3 = Math.min(k + 3, last);
      const word = first[slash24Of(keys[k] ?? 0)] ?? 0;
      const word1 = first[slash24Of(keys[k1] ?? 0)] ?? 0;
      const word2 = first[slash24Of(keys[k2] ?? 0)] ?? 0;
      const word3 = first[slash24Of(keys[k3] ?? 0)] ?? 0;
      rows[k] = word;
      rows[k1] = word1;
      rows[k2] = word2;
      rows[k3] = word3;
      all |= word | word1 | word2 | word3;
    }
    return all;
  }

  /**
   * From words that lead to a block to those of it that four bits of the address name, which begin at `shift`. Below 0 when
   * one of these leads to a block.
   */
  #followBlocks(keys: Int32Array, rows: Int32Array, count: number, shift: number): number {
    const { blocks } = this.#table;
    const last = count - 1;
    let all = 0;
    for (let k = 0; k < count; k += TURN) {
      const k1 = Math.min(k + 1, last);
      const k2 = Math.min(k + 2, last);
      const k3 = Math.min(k + 3, last);
      const word = follow(blocks, rows[k] ?? 0, (keys[k] ?? 0) >>> shift);
      const word1 = follow(blocks, rows[k1] ?? 0, (keys[k1] ?? 0) >>> shift);
      const word2 = follow(blocks, rows[k2] ?? 0, (keys[k2] ?? 0) >>> shift);
      const word3 = follow(blocks, rows[k3] ?? 0, (keys[k3] ?? 0) >>> shift);
      rows[k] = word;
      rows[k1] = word1;
      rows[k2] = word2;
      rows[k3] = word3;
      all |= word | word1 | word2 | word3;
    }
    return all;
  }

  /** Below 0 when one of the rows is that of a shared address (SHARED_FLAG is the sign). */
  #readRows(rows: Int32Array, count: number): number {
    const tableRows = this.#table.rows;
    const { softwires } = this;
    const last = count - 1;
    let all = 0;
    for (let k = 0; k < count; k += TURN) {
      const k1 = Math.min(k + 1, last);
      const k2 = Math.min(k + 2, last);
      const k3 = Math.min(k + 3, last);
      const word = tableRows[((rows[k] ?? 0) << ROW_SHIFT) + ROW_SOFTWIRE] ?? 0;
      const word1 = tableRows[((rows[k1] ?? 0) << ROW_SHIFT) + ROW_SOFTWIRE] ?? 0;
      const word2 = tableRows[((rows[k2] ?? 0) << ROW_SHIFT) + ROW_SOFTWIRE] ?? 0;
      const word3 = tableRows[((rows[k3] ?? 0) << ROW_SHIFT) + ROW_SOFTWIRE] ?? 0;
      softwires[k] = word & SOFTWIRE_MASK;
      softwires[k1] = word1 & SOFTWIRE_MASK;
      softwires[k2] = word2 & SOFTWIRE_MASK;
      softwires[k3] = word3 & SOFTWIRE_MASK;
      all |= word | word1 | word2 | word3;
    }
    return all;
  }

  /** From rows of gateways that packets leave through to those of the gateways that packets came to, where these serve them. */
  #chooseGateways({ words, at, sides, rows, count }: Batch): void {
    const tableRows = this.#table.rows;
    const templates = this.#templates;
    const { softwires } = this;
    for (let k = 0; k < count; k++) {
      if (sides[k] === 4) continue;
      const local = ((at[k] ?? 0) >> 2) + OUTER_DESTINATION;
      let row = rows[k] ?? 0;
      let s = softwires[k] ?? 0;
      while (row !== 0 && !sameFourWords(words, local, templates, (s << SOFTWIRE_SHIFT) + SOFTWIRE_LOCAL)) {
        row = tableRows[(row << ROW_SHIFT) + ROW_OTHER] ?? 0;
        s = (tableRows[(row << ROW_SHIFT) + ROW_SOFTWIRE] ?? 0) & SOFTWIRE_MASK;
      }
      if (row === 0) continue;
      rows[k] = row;
      softwires[k] = s;
    }
  }

  /** From rows of shared addresses to those of port sets; 0, for the slow path, where no port is plain to see. */
  #choosePortSets(batch: Batch): void {
    const { words, at, lengths, sides, rows } = batch;
    const tableRows = this.#table.rows;
    for (let k = 0; k < batch.count; k++) {
      const shared = rows[k] ?? 0;
      if ((tableRows[(shared << ROW_SHIFT) + ROW_SOFTWIRE] ?? 0) >= 0) continue;
      const isInner = sides[k] !== 4;
      const w = ((at[k] ?? 0) >> 2) + (isInner ? OUTER_WORDS : 0);
      const port = plainPort(words, w, (lengths[k] ?? 0) - (isInner ? OUTER_LEN : 0), isInner);
      const row = port < 0 ? 0 : portSetRow(this.#table, shared, port);
      rows[k] = row;
      this.softwires[k] = (tableRows[(row << ROW_SHIFT) + ROW_SOFTWIRE] ?? 0) & SOFTWIRE_MASK;
    }
  }
}

/** Index of the /24 of an address, which is a word of a packet. */
function slash24Of(key: number): number {
  return ((key & 0xff) << 16) | (key & 0xff00) | ((key >>> 16) & 0xff);
}

/** What a word of the table leads to: itself, or the word of its block that the low four bits of `place` name. */
function follow(blocks: Int32Array, word: number, place: number): number {
  return word < 0 ? (blocks[(-word << BLOCK_SHIFT) + (place & 15)] ?? 0) : word;
}
