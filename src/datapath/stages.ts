/**
 * The table looked up for a whole batch in stages, so that cache misses of different packets overlap: a stage goes over all
 * packets with as little as it can, and what it waits for is waited for together.
 *
 *   1. side and addresses of each packet, and first words of these
 *   2. words of the /28s    3. words of the addresses, each only where the word before leads to a block
 *   4. softwires of the rows, which brings the rows into the cache
 *
 * Its loops call nothing and keep the arrays in locals: the compiler then looks at them once a batch, not once an access.
 */

import type { Batch } from './batch.ts';
import type { Role } from './engine.ts';
import * as layout from './layout.ts';
import * as plain from './plain.ts';
import { portSetRow } from './port-sets.ts';
import { plainPort } from './ports.ts';
import type { TableReader } from './table.ts';

// Constants of this file, because what is imported is looked at again at each access (see fast-path.ts).
const { BLOCK_SHIFT, ROW_SHIFT, ROW_SOFTWIRE, SOFTWIRE_MASK } = layout;
const { DESTINATION_WORD, OUTER_LEN, OUTER_WORDS, SOURCE_WORD } = plain;
const INNER_SOURCE = OUTER_WORDS + SOURCE_WORD;
const INNER_DESTINATION = OUTER_WORDS + DESTINATION_WORD;

export class Stages {
  /** Softwire of each row. */
  readonly softwires: Int32Array;
  /** Whether a packet of the batch goes to or comes from a shared address. */
  hasShared = false;
  readonly #isGateway: boolean;
  readonly #table: TableReader;
  /** Looked-up addresses of a batch as words of the packet: the address in the table, and the other one. */
  readonly #keys: Int32Array;
  readonly #otherKeys: Int32Array;

  /** For batches of up to `capacity` packets. */
  constructor(role: Role, table: TableReader, capacity: number) {
    this.#isGateway = role === 'gateway';
    this.#table = table;
    this.softwires = new Int32Array(capacity);
    this.#keys = new Int32Array(capacity);
    this.#otherKeys = new Int32Array(capacity);
  }

  /**
   * Leaves the side, the rows and the softwire of every packet. What a malformed packet leads to here is never used: fast
   * and slow path check before they trust a row.
   */
  lookUp(batch: Batch): void {
    const words = this.#isGateway ? this.#firstOfGateway(batch) : this.#firstOfAftr(batch);
    if (words < 0) this.#followBlocks(batch, 28);
    if (words < 0) this.#followBlocks(batch, 24);
    this.hasShared = this.#readRows(batch) < 0;
    if (this.hasShared) this.#choosePortSets(batch);
  }

  /** Below 0 when one of the words leads to a block. */
  #firstOfGateway(batch: Batch): number {
    const { words, at, sides, rows, otherRows, count } = batch;
    const { first } = this.#table;
    const keys = this.#keys;
    const others = this.#otherKeys;
    let all = 0;
    for (let k = 0; k < count; k++) {
      const w = (at[k] ?? 0) >> 2;
      const side = ((words[w] ?? 0) >>> 4) & 15;
      const key = words[side === 4 ? w + SOURCE_WORD : w + INNER_DESTINATION] ?? 0;
      const other = words[side === 4 ? w + DESTINATION_WORD : w + INNER_SOURCE] ?? 0;
      const word = first[((key & 0xff) << 16) | (key & 0xff00) | ((key >>> 16) & 0xff)] ?? 0;
      const otherWord = first[((other & 0xff) << 16) | (other & 0xff00) | ((other >>> 16) & 0xff)] ?? 0;
      sides[k] = side;
      keys[k] = key;
      others[k] = other;
      rows[k] = word;
      otherRows[k] = otherWord;
      all |= word | otherWord;
    }
    return all;
  }

  /** As of a gateway; but an AFTR does not ask where a packet from the IPv4 Internet comes from. */
  #firstOfAftr(batch: Batch): number {
    const { words, at, sides, rows, otherRows, count } = batch;
    const { first } = this.#table;
    const keys = this.#keys;
    const others = this.#otherKeys;
    let all = 0;
    for (let k = 0; k < count; k++) {
      const w = (at[k] ?? 0) >> 2;
      const side = ((words[w] ?? 0) >>> 4) & 15;
      const key = words[side === 4 ? w + DESTINATION_WORD : w + INNER_SOURCE] ?? 0;
      const other = side === 4 ? 0 : (words[w + INNER_DESTINATION] ?? 0);
      const word = first[((key & 0xff) << 16) | (key & 0xff00) | ((key >>> 16) & 0xff)] ?? 0;
      const otherWord = first[((other & 0xff) << 16) | (other & 0xff00) | ((other >>> 16) & 0xff)] ?? 0;
      sides[k] = side;
      keys[k] = key;
      others[k] = other;
      rows[k] = word;
      otherRows[k] = otherWord;
      all |= word | otherWord;
    }
    return all;
  }

  /** From words that lead to a block to those of it that four bits of the address name, which begin at `shift`. */
  #followBlocks(batch: Batch, shift: number): void {
    const { rows, otherRows, count } = batch;
    const { blocks } = this.#table;
    const keys = this.#keys;
    const others = this.#otherKeys;
    for (let k = 0; k < count; k++) {
      const word = rows[k] ?? 0;
      if (word < 0) rows[k] = blocks[(-word << BLOCK_SHIFT) + (((keys[k] ?? 0) >>> shift) & 15)] ?? 0;
      const other = otherRows[k] ?? 0;
      if (other < 0) otherRows[k] = blocks[(-other << BLOCK_SHIFT) + (((others[k] ?? 0) >>> shift) & 15)] ?? 0;
    }
  }

  /** Below 0 when one of the rows is that of a shared address (SHARED_FLAG is the sign). */
  #readRows(batch: Batch): number {
    const { rows, count } = batch;
    const tableRows = this.#table.rows;
    const { softwires } = this;
    let all = 0;
    for (let k = 0; k < count; k++) {
      const word = tableRows[((rows[k] ?? 0) << ROW_SHIFT) + ROW_SOFTWIRE] ?? 0;
      all |= word;
      softwires[k] = word & SOFTWIRE_MASK;
    }
    return all;
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
