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
 * Workers add in the fast path (fast-path/row-counts.ts). One alone adds plainly, so that nobody else may add to a row that is in use.
 * Several share the words and add atomically: a lane for each would take 32 octets a row more.
 */

import { MAX_INSTANCES } from '../state/limits.ts';
import {
  FROM_GATEWAY,
  REFUSED_OCTETS,
  REFUSED_SHIFT,
  REFUSED_SOURCE,
  REFUSED_TIME,
  REFUSED_WORDS,
  TRAFFIC_SHIFT,
  TRAFFIC_WORDS,
} from './layout.ts';
import type { Allocate } from './memory.ts';

const HALF = 0x8000_0000;
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

export const TRAFFIC = [
  'encapsulatedPackets',
  'encapsulatedOctets',
  'decapsulatedPackets',
  'decapsulatedOctets',
] as const satisfies readonly (keyof RowTraffic)[];

export function sumOfTraffic(own: RowTraffic, other: RowTraffic | undefined): RowTraffic {
  if (!other) return own;
  return {
    encapsulatedPackets: own.encapsulatedPackets + other.encapsulatedPackets,
    encapsulatedOctets: own.encapsulatedOctets + other.encapsulatedOctets,
    decapsulatedPackets: own.decapsulatedPackets + other.decapsulatedPackets,
    decapsulatedOctets: own.decapsulatedOctets + other.decapsulatedOctets,
  };
}

export function differenceOfTraffic(all: RowTraffic, other: RowTraffic | undefined): RowTraffic {
  if (!other) return all;
  return {
    encapsulatedPackets: all.encapsulatedPackets - other.encapsulatedPackets,
    encapsulatedOctets: all.encapsulatedOctets - other.encapsulatedOctets,
    decapsulatedPackets: all.decapsulatedPackets - other.decapsulatedPackets,
    decapsulatedOctets: all.decapsulatedOctets - other.decapsulatedOctets,
  };
}

/** Memory for rows 0 to `rows`. */
export function allocateRowCounters(rows: number, workers: number, allocate: Allocate): RowCountersMemory {
  return {
    counting: allocate((1 + MAX_INSTANCES) * 4),
    low: allocate((rows + 1) * TRAFFIC_WORDS * 4, true),
    high: allocate((rows + 1) * TRAFFIC_WORDS * 4),
    refused: allocate((rows + 1) * REFUSED_WORDS * 4, true),
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
  /** What makes tenths since the base of the clock of the batches. */
  readonly #offsetMs: number;
  /** The moment of the batch in hand, and what it is in tenths since the base. */
  #notedMs = -1;
  #notedTenths = 0;

  constructor(memory: RowCountersMemory) {
    this.memory = memory;
    this.#counting = memory.counting;
    this.#low = memory.low;
    this.#high = memory.high;
    this.#refused = memory.refused;
    this.#offsetMs = performance.timeOrigin - memory.baseMs;
  }

  // Workers -----------------------------------------------------------------------------------------------------------

  /** Whether refusals by an instance are counted. */
  isCounting(instance: number): boolean {
    return this.#counting[1 + instance] === 1;
  }

  /** The gateway of `row` has sent a packet with an inner source (unsigned) that is not bound to it. */
  noteRefused(row: number, source: number, nowMs: number): void {
    const word = row << REFUSED_SHIFT;
    this.#refused[word + REFUSED_SOURCE] = source;
    this.#refused[word + REFUSED_TIME] = this.tenthsAt(nowMs);
  }

  /** A moment of the clock of the batches in tenths of a second since the base. */
  tenthsAt(nowMs: number): number {
    if (nowMs !== this.#notedMs) {
      this.#notedMs = nowMs;
      this.#notedTenths = Math.floor((this.#offsetMs + nowMs) / 100);
    }
    return this.#notedTenths;
  }

  // Control thread ----------------------------------------------------------------------------------------------------

  /** Which instances are counted from now on. */
  setCounting(instances: readonly number[]): void {
    const counting = this.#counting;
    for (let i = 1; i <= MAX_INSTANCES; i++) Atomics.store(counting, i, instances.includes(i - 1) ? 1 : 0);
    Atomics.store(counting, 0, instances.length > 0 ? 1 : 0);
  }

  /** Whether anything was counted for a row. A quick look, as with most there is nothing: never are all low words zero again. */
  hasAny(row: number): boolean {
    const [cell, word] = [row << TRAFFIC_SHIFT, row << REFUSED_SHIFT];
    return hasAny(this.#low, cell, TRAFFIC_WORDS) || hasAny(this.#refused, word, REFUSED_SOURCE);
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
      packets: read64(this.#refused, word),
      octets: read64(this.#refused, word + REFUSED_OCTETS),
      lastSource: (this.#refused[word + REFUSED_SOURCE] ?? 0) >>> 0,
      lastTime: this.#refused[word + REFUSED_TIME] ?? 0,
    };
  }

  /** Makes a row count from zero; the workers do not count for it, or are held. */
  clear(row: number): void {
    for (const words of [this.#low, this.#high]) zero(words, row << TRAFFIC_SHIFT, TRAFFIC_WORDS);
    zero(this.#refused, row << REFUSED_SHIFT, REFUSED_WORDS);
  }

  /** Makes the traffic of a row that nothing leads to yet, and that is zero, begin with this. */
  beginWith(row: number, traffic: RowTraffic): void {
    const cell = row << TRAFFIC_SHIFT;
    this.#write(cell, traffic.encapsulatedPackets);
    this.#write(cell + 1, traffic.encapsulatedOctets);
    this.#write(cell + FROM_GATEWAY, traffic.decapsulatedPackets);
    this.#write(cell + FROM_GATEWAY + 1, traffic.decapsulatedOctets);
  }

  #read(word: number): number {
    for (let tries = 0; ; tries++) {
      const high = Atomics.load(this.#high, word);
      const low = Atomics.load(this.#low, word);
      const isSettled = low >= 0 && high === Atomics.load(this.#high, word);
      if (isSettled || tries === PATIENCE) return (high >>> 0) * HALF + (low >>> 0);
    }
  }

  /** Of a word that is zero. */
  #write(word: number, count: number): void {
    if (count === 0) return;
    this.#high[word] = Math.floor(count / HALF);
    this.#low[word] = count % HALF;
  }
}

/** A count of 64 bits, each change of which is one store; exact up to 2^53. */
function read64(words: Int32Array, word: number): number {
  for (;;) {
    const high = Atomics.load(words, word + 1);
    const low = Atomics.load(words, word) >>> 0;
    if (high === Atomics.load(words, word + 1)) return (high >>> 0) * 0x1_0000_0000 + low;
  }
}

/** Zeroes words that are not zero: a page that was never touched is not touched. */
function zero(words: Int32Array, from: number, count: number): void {
  for (let i = from; i < from + count; i++) if (words[i] !== 0) words[i] = 0;
}

function hasAny(words: Int32Array, from: number, count: number): boolean {
  for (let i = from; i < from + count; i++) if (words[i] !== 0) return true;
  return false;
}
