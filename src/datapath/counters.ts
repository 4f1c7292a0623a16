/**
 * Counters in shared memory: packets and octets by instance, side and verdict. Each is two 32-bit words; each worker
 * has a lane of its own, and readers add the lanes up. What was received is the sum of the verdicts, since every packet
 * has exactly one.
 *
 *     lane: sequence word, unused word, then [instance][side][verdict] of four words: packets low, high, octets low, high
 *
 * The sequence word is odd while a carry moves from a low word to its high one; a reader then reads again.
 */

import type { Batch } from './batch.ts';
import { MAX_INSTANCES } from './layout.ts';
import { WAITING } from './verdict.ts';

export const SIDE_IPV4 = 0;
export const SIDE_IPV6 = 1;

const WORDS = 4;
const LANE_HEADER = 2;
/** What waits has a place like a verdict, which nobody reads. */
const SIDE_WORDS = (WAITING + 1) * WORDS;
const LANE_WORDS = LANE_HEADER + MAX_INSTANCES * 2 * SIDE_WORDS;

export interface Count {
  readonly packets: number;
  readonly octets: number;
}

export class Counters {
  readonly memory: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #lanes: number;

  /** Of `lanes` workers; `memory` is that of another thread's Counters, or new memory that is all zero. */
  constructor(lanes: number, memory?: SharedArrayBuffer) {
    this.memory = memory ?? new SharedArrayBuffer(lanes * LANE_WORDS * 4);
    this.#words = new Int32Array(this.memory);
    this.#lanes = lanes;
  }

  /** Worker: counts each packet of a batch by its verdict. Packets that end alike in a row are added in one step. */
  countBatch(lane: number, batch: Batch): void {
    this.#countPlaces(lane, batch, 0, batch.count);
    if (batch.late > 0) this.#countPlaces(lane, batch, batch.capacity, batch.capacity + batch.late);
  }

  #countPlaces(lane: number, batch: Batch, from: number, to: number): void {
    let cell = -1;
    let packets = 0;
    let octets = 0;
    for (let k = from; k < to; k++) {
      const next = this.#cell(lane, batch.instances[k] ?? 0, sideOf(batch, k), batch.verdicts[k] ?? 0);
      if (next !== cell) {
        if (packets > 0) this.#add(lane, cell, packets, octets);
        cell = next;
        packets = 0;
        octets = 0;
      }
      packets++;
      octets += batch.lengths[k] ?? 0;
    }
    if (packets > 0) this.#add(lane, cell, packets, octets);
  }

  /** Reader: the sum over all lanes. */
  read(instance: number, side: number, verdict: number): Count {
    let packets = 0;
    let octets = 0;
    for (let lane = 0; lane < this.#lanes; lane++) {
      const cell = this.#cell(lane, instance, side, verdict);
      packets += this.#read64(lane, cell);
      octets += this.#read64(lane, cell + 2);
    }
    return { packets, octets };
  }

  #cell(lane: number, instance: number, side: number, verdict: number): number {
    return lane * LANE_WORDS + LANE_HEADER + (instance * 2 + side) * SIDE_WORDS + verdict * WORDS;
  }

  #add(lane: number, cell: number, packets: number, octets: number): void {
    this.#add64(lane, cell, packets);
    this.#add64(lane, cell + 2, octets);
  }

  #add64(lane: number, word: number, amount: number): void {
    const words = this.#words;
    const low = ((words[word] ?? 0) >>> 0) + amount;
    if (low < 0x1_0000_0000) {
      words[word] = low;
      return;
    }
    const sequence = lane * LANE_WORDS;
    Atomics.add(words, sequence, 1);
    Atomics.store(words, word, low | 0);
    Atomics.add(words, word + 1, 1);
    Atomics.add(words, sequence, 1);
  }

  /** Exact up to 2^53. */
  #read64(lane: number, word: number): number {
    const words = this.#words;
    for (;;) {
      const sequence = Atomics.load(words, lane * LANE_WORDS);
      const low = Atomics.load(words, word) >>> 0;
      const high = Atomics.load(words, word + 1) >>> 0;
      if ((sequence & 1) === 0 && sequence === Atomics.load(words, lane * LANE_WORDS)) {
        return high * 0x1_0000_0000 + low;
      }
    }
  }
}

/** The side a packet was received on. What is no IPv4 counts as IPv6. */
function sideOf(batch: Batch, k: number): number {
  return (batch.sides[k] ?? 0) === 4 ? SIDE_IPV4 : SIDE_IPV6;
}
