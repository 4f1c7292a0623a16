/**
 * Counters of table rows in shared memory: what went to the gateway of a row and what came from it, each packet as it was
 * received, and what came from a gateway with an inner source that is not bound to it. Rows without traffic, and all rows while
 * nothing counts them, take no memory: their pages are never touched.
 *
 *     counting, words     0: whether any instance is counted; 1 + instance: whether its rows are
 *     low, 4 words a row  packets to the gateway, their octets, packets from it, their octets: the low 31 bits of each
 *     high, 4 words a row bits 31 to 62 of the same
 *     refused, 8 words a  0-1 packets, low and high   2-3 octets   4 inner source of the last   5 when it came, in tenths
 *       row               of a second since the base   6-7 unused
 *
 * A low word that passes 2^31 has its sign set, which alone is still the right figure; then the high word is raised, then
 * the sign is cleared. So a reader that sees a sign, or two different high words, looks again, and never sees a figure that falls.
 *
 * One worker alone adds plainly, so that nobody else may add to a row that is in use. Several share the words and add
 * atomically: a lane for each would take 32 octets a row more.
 */

import { MAX_INSTANCES } from '../state/limits.ts';
import type { Batch } from './batch.ts';
import { ROW_INSTANCE_MASK, ROW_INSTANCE_SHIFT, ROW_SHIFT, ROW_SOFTWIRE } from './layout.ts';
import type { Allocate } from './memory.ts';
import { addAlone, addToCount, readCount } from './shared-count.ts';
import { DROP_SOURCE_MISMATCH, DROP_UNBOUND_SOURCE, HAIRPINNED } from './verdict.ts';

const TRAFFIC_WORDS = 4;
const TRAFFIC_SHIFT = 2;
const FROM_GATEWAY = 2;
const REFUSED_WORDS = 8;
const REFUSED_SHIFT = 3;
const REFUSED_OCTETS = 2;
const REFUSED_SOURCE = 4;
const REFUSED_TIME = 5;
const HALF = 0x8000_0000;
const NO_SIGN = 0x7fff_ffff;
/** A worker that was stopped between two words is waited for so often. */
const PATIENCE = 1_000_000;

export interface RowCountersMemory {
  readonly counting: Int32Array;
  readonly low: Int32Array;
  readonly high: Int32Array;
  readonly refused: Int32Array;
  /** From where times are counted: milliseconds of Date.now(). */
  readonly baseMs: number;
  readonly workers: number;
}

/** Packets and octets of a row in both directions. */
export interface RowTraffic {
  readonly encapsulatedPackets: number;
  readonly encapsulatedOctets: number;
  readonly decapsulatedPackets: number;
  readonly decapsulatedOctets: number;
}

export interface RowRefusals {
  readonly packets: number;
  readonly octets: number;
  readonly lastSource: number;
  /** Tenths of a second since the base. */
  readonly lastTime: number;
}

/** Memory for rows 0 to `rows`. */
export function allocateRowCounters(rows: number, workers: number, allocate: Allocate): RowCountersMemory {
  return {
    counting: allocate((1 + MAX_INSTANCES) * 4),
    low: allocate((rows + 1) * TRAFFIC_WORDS * 4, true),
    high: allocate((rows + 1) * TRAFFIC_WORDS * 4),
    refused: allocate((rows + 1) * REFUSED_WORDS * 4),
    baseMs: performance.timeOrigin + performance.now(),
    workers,
  };
}

export class RowCounters {
  readonly memory: RowCountersMemory;
  readonly #counting: Int32Array;
  readonly #low: Int32Array;
  readonly #high: Int32Array;
  readonly #refused: Int32Array;
  /** Of the table. */
  readonly #rows: Int32Array;
  readonly #isAlone: boolean;
  readonly #fetched = new Int32Array(1);
  /** What makes tenths since the base of the clock of the batches. */
  readonly #offsetMs: number;
  /** The moment of the batch in hand, and what it is in tenths since the base. */
  #notedMs = -1;
  #notedTenths = 0;

  constructor(memory: RowCountersMemory, rows: Int32Array) {
    this.memory = memory;
    this.#counting = memory.counting;
    this.#low = memory.low;
    this.#high = memory.high;
    this.#refused = memory.refused;
    this.#rows = rows;
    this.#isAlone = memory.workers === 1;
    this.#offsetMs = performance.timeOrigin - memory.baseMs;
  }

  // Workers -----------------------------------------------------------------------------------------------------------

  /** Counts each packet of a batch for its row; before the settlements of the batch are forgotten. */
  countBatch(batch: Batch): void {
    if (this.#counting[0] === 0) return;
    this.#fetch(batch);
    this.#countPlaces(batch, 0, batch.count);
    if (batch.late > 0) this.#countPlaces(batch, batch.capacity, batch.capacity + batch.late);
    if (batch.settlements.count > 0) this.#countSettled(batch);
  }

  /**
   * Brings the words of a batch into the cache together, so that the misses overlap: with a million bindings counting costs a
   * packet 1 to 17 % with it, 24 to 40 % without.
   */
  #fetch({ rows, count }: Batch): void {
    let all = 0;
    for (let k = 0; k < count; k++) all |= this.#low[(rows[k] ?? 0) << TRAFFIC_SHIFT] ?? 0;
    // What is kept has to be read.
    this.#fetched[0] = all;
  }

  #countPlaces(batch: Batch, from: number, to: number): void {
    const { verdicts, rows, sides, lengths, instances } = batch;
    const counting = this.#counting;
    // Refused packets of one gateway that follow each other, as in a flood, are added in one step.
    let violator = 0;
    let packets = 0;
    let octets = 0;
    for (let k = from; k < to; k++) {
      const verdict = verdicts[k] ?? 0;
      if (verdict > HAIRPINNED) {
        if (!isRefusal(verdict)) continue;
        const row = batch.violators[k] ?? 0;
        if (row !== violator) {
          this.#countRefused(violator, packets, octets);
          violator = row;
          packets = 0;
          octets = 0;
        }
        packets++;
        octets += lengths[k] ?? 0;
        continue;
      }
      if (verdict === HAIRPINNED) this.#addOther(batch, k, 1, lengths[k] ?? 0);
      if (counting[1 + (instances[k] ?? 0)] === 0) continue;
      const cell = ((rows[k] ?? 0) << TRAFFIC_SHIFT) + (sides[k] === 4 ? 0 : FROM_GATEWAY);
      this.#add(cell, 1, lengths[k] ?? 0);
    }
    this.#countRefused(violator, packets, octets);
  }

  /** Fragments that have waited end as the packet that they are part of. */
  #countSettled(batch: Batch): void {
    const { owners, packets, octets, count } = batch.settlements;
    for (let i = 0; i < count; i++) {
      const k = owners[i] ?? 0;
      if (k < 0) continue;
      const verdict = batch.verdicts[k] ?? 0;
      if (isRefusal(verdict)) this.#countRefused(batch.violators[k] ?? 0, packets[i] ?? 0, octets[i] ?? 0);
      if (verdict === HAIRPINNED) this.#addOther(batch, k, packets[i] ?? 0, octets[i] ?? 0);
      if (verdict > HAIRPINNED || this.#counting[1 + (batch.instances[k] ?? 0)] === 0) continue;
      this.#add(((batch.rows[k] ?? 0) << TRAFFIC_SHIFT) + FROM_GATEWAY, packets[i] ?? 0, octets[i] ?? 0);
    }
  }

  /** To the gateway that a packet was turned round to, which may belong to another instance. */
  #addOther(batch: Batch, k: number, packets: number, octets: number): void {
    const other = batch.otherRows[k] ?? 0;
    if (this.#counting[1 + this.#instanceOf(other)] !== 0) this.#add(other << TRAFFIC_SHIFT, packets, octets);
  }

  #instanceOf(row: number): number {
    return ((this.#rows[(row << ROW_SHIFT) + ROW_SOFTWIRE] ?? 0) >>> ROW_INSTANCE_SHIFT) & ROW_INSTANCE_MASK;
  }

  /** Nothing for row 0. */
  #countRefused(row: number, packets: number, octets: number): void {
    if (row === 0) return;
    const word = row << REFUSED_SHIFT;
    if (this.#isAlone) {
      addAlone(this.#refused, word, packets);
      addAlone(this.#refused, word + REFUSED_OCTETS, octets);
      return;
    }
    addToCount(this.#refused, word, packets);
    addToCount(this.#refused, word + REFUSED_OCTETS, octets);
  }

  /** Whether refusals by an instance are counted. */
  isCounting(instance: number): boolean {
    return this.#counting[1 + instance] === 1;
  }

  /**
   * Brings the words of refusals of `count` rows into the cache together: an atomic addition waits for memory, and lets nothing
   * else be waited for meanwhile.
   */
  fetchRefused(rows: Int32Array, count: number): void {
    let all = 0;
    for (let i = 0; i < count; i++) all |= this.#refused[(rows[i] ?? 0) << REFUSED_SHIFT] ?? 0;
    this.#fetched[0] = all;
  }

  /** The gateway of `row` has sent a packet with an inner source (unsigned) that is not bound to it. */
  noteRefused(row: number, source: number, nowMs: number): void {
    const word = row << REFUSED_SHIFT;
    this.#refused[word + REFUSED_SOURCE] = source;
    if (nowMs !== this.#notedMs) {
      this.#notedMs = nowMs;
      this.#notedTenths = Math.floor((this.#offsetMs + nowMs) / 100);
    }
    this.#refused[word + REFUSED_TIME] = this.#notedTenths;
  }

  #add(cell: number, packets: number, octets: number): void {
    const low = this.#low;
    if (!this.#isAlone) {
      this.#addShared(cell, packets);
      this.#addShared(cell + 1, octets);
      return;
    }
    const packetsNow = ((low[cell] ?? 0) + packets) | 0;
    const octetsNow = ((low[cell + 1] ?? 0) + octets) | 0;
    low[cell] = packetsNow;
    low[cell + 1] = octetsNow;
    if ((packetsNow | octetsNow) >= 0) return;
    if (packetsNow < 0) this.#carry(cell);
    if (octetsNow < 0) this.#carry(cell + 1);
  }

  #addShared(word: number, amount: number): void {
    const before = Atomics.add(this.#low, word, amount);
    const after = (before + amount) | 0;
    // Whoever sets the sign carries; what others add meanwhile stays.
    if (before >= 0 && after < 0) this.#carry(word);
    // So long meanwhile that the sign is gone by itself: the other half is carried here.
    else if (before < 0 && after >= 0) Atomics.add(this.#high, word, 1);
  }

  #carry(word: number): void {
    Atomics.add(this.#high, word, 1);
    Atomics.and(this.#low, word, NO_SIGN);
  }

  // Control thread ----------------------------------------------------------------------------------------------------

  /** Which instances are counted from now on. */
  setCounting(instances: readonly number[]): void {
    const counting = this.#counting;
    for (let i = 1; i <= MAX_INSTANCES; i++) Atomics.store(counting, i, instances.includes(i - 1) ? 1 : 0);
    Atomics.store(counting, 0, instances.length > 0 ? 1 : 0);
  }

  traffic(row: number): RowTraffic {
    const cell = row << TRAFFIC_SHIFT;
    return {
      encapsulatedPackets: this.#read(cell),
      encapsulatedOctets: this.#read(cell + 1),
      decapsulatedPackets: this.#read(cell + FROM_GATEWAY),
      decapsulatedOctets: this.#read(cell + FROM_GATEWAY + 1),
    };
  }

  refusals(row: number): RowRefusals {
    const word = row << REFUSED_SHIFT;
    return {
      packets: readCount(this.#refused, word),
      octets: readCount(this.#refused, word + REFUSED_OCTETS),
      lastSource: (this.#refused[word + REFUSED_SOURCE] ?? 0) >>> 0,
      lastTime: this.#refused[word + REFUSED_TIME] ?? 0,
    };
  }

  /** Makes a row count from zero; the workers do not count for it, or are held. */
  clear(row: number): void {
    this.#clearTraffic(row);
    zero(this.#refused, row << REFUSED_SHIFT, REFUSED_WORDS);
  }

  /** Makes the traffic of `to` go on where that of `from` is, which is zero then. */
  moveTraffic(from: number, to: number): void {
    for (const words of [this.#low, this.#high]) {
      const at = from << TRAFFIC_SHIFT;
      words.copyWithin(to << TRAFFIC_SHIFT, at, at + TRAFFIC_WORDS);
    }
    this.#clearTraffic(from);
  }

  #clearTraffic(row: number): void {
    for (const words of [this.#low, this.#high]) zero(words, row << TRAFFIC_SHIFT, TRAFFIC_WORDS);
  }

  #read(word: number): number {
    for (let tries = 0; ; tries++) {
      const high = Atomics.load(this.#high, word);
      const low = Atomics.load(this.#low, word);
      const isSettled = low >= 0 && high === Atomics.load(this.#high, word);
      if (isSettled || tries === PATIENCE) return (high >>> 0) * HALF + (low >>> 0);
    }
  }
}

function isRefusal(verdict: number): boolean {
  return verdict === DROP_SOURCE_MISMATCH || verdict === DROP_UNBOUND_SOURCE;
}

/** Zeroes words that are not zero: a page that was never touched is not touched. */
function zero(words: Int32Array, from: number, count: number): void {
  for (let i = from; i < from + count; i++) if (words[i] !== 0) words[i] = 0;
}
