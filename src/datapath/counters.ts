/**
 * Counters in shared memory: packets and octets by instance, side and verdict. Each is two 32-bit words; each worker
 * has a lane of its own, and readers add the lanes up. What was received is the sum of the verdicts, since every packet
 * has exactly one. Workers count in the fast path (fast-path/counts.ts).
 *
 *     lane: sequence word, unused word, then [instance][side][verdict] of four words: packets low, high, octets low, high
 *
 * The sequence word is odd while a carry moves from a low word to its high one, and while held packets get their last
 * verdict; a reader then reads again. A packet that another worker holds is counted there before it is taken over in lane
 * 0, and lane 0 is read first: it may be held a moment longer, but is never missing.
 */

import { MAX_INSTANCES } from '../state/limits.ts';
import type { Batch } from './batch.ts';
import type { Allocate } from './memory.ts';
import { COUNTED_ANEW } from './settlements.ts';
import { HELD, VERDICTS } from './verdict.ts';

export const SIDE_IPV4 = 0;
export const SIDE_IPV6 = 1;

const WORDS = 4;
const LANE_HEADER = 2;
const SIDE_WORDS = VERDICTS * WORDS;
/** Octets of what is counted for a side of an instance, and from the sequence word of a lane to the first of them. */
export const SIDE_OCTETS = SIDE_WORDS * 4;
export const LANE_HEADER_OCTETS = LANE_HEADER * 4;
export const LANE_WORDS = LANE_HEADER + MAX_INSTANCES * 2 * SIDE_WORDS;

export interface Count {
  readonly packets: number;
  readonly octets: number;
}

export class Counters {
  /** The memory, for another thread. */
  readonly words: Int32Array;
  readonly #lanes: number;

  /** Of `lanes` workers, over the memory of another thread, or over new memory of the allocator. */
  constructor(lanes: number, from: Int32Array | Allocate) {
    this.words = typeof from === 'function' ? from(lanes * LANE_WORDS * 4) : from;
    this.#lanes = lanes;
  }

  /** Reader: the sum over all lanes. */
  read(instance: number, side: number, verdict: number): Count {
    return this.readAll(instance, side)[verdict] ?? { packets: 0, octets: 0 };
  }

  /** Reader: the counts of every verdict, each lane as it was at one moment. */
  readAll(instance: number, side: number): Count[] {
    const sums = new Float64Array(VERDICTS * 2);
    for (let lane = 0; lane < this.#lanes; lane++) this.#addLane(sums, lane, this.#cell(lane, instance, side, 0));
    return Array.from({ length: VERDICTS }, (_, verdict) => ({
      packets: sums[verdict * 2] ?? 0,
      octets: sums[verdict * 2 + 1] ?? 0,
    }));
  }

  /** Worker: held packets leave HELD, all those of a batch in one step to a reader. Then they are forgotten. */
  settle(lane: number, batch: Batch): void {
    if (batch.settlements.count === 0) return;
    const { owners, verdicts, instances, sides, packets, octets, count } = batch.settlements;
    Atomics.add(this.words, lane * LANE_WORDS, 1);
    for (let i = 0; i < count; i++) {
      const instance = instances[i] ?? 0;
      const owner = owners[i] ?? 0;
      const side = sides[i] ?? SIDE_IPV6;
      const verdict = owner < 0 ? (verdicts[i] ?? 0) : (batch.verdicts[owner] ?? 0);
      this.#move(this.#cell(lane, instance, side, HELD), -(packets[i] ?? 0), -(octets[i] ?? 0));
      if (verdict === COUNTED_ANEW) continue;
      this.#move(this.#cell(lane, instance, side, verdict), packets[i] ?? 0, octets[i] ?? 0);
    }
    Atomics.add(this.words, lane * LANE_WORDS, 1);
    batch.settlements.count = 0;
  }

  #move(cell: number, packets: number, octets: number): void {
    this.#move64(cell, packets);
    this.#move64(cell + 2, octets);
  }

  /** Adds a signed amount, with the sequence word odd. */
  #move64(word: number, amount: number): void {
    const words = this.words;
    const low = ((words[word] ?? 0) >>> 0) + amount;
    const carry = Math.floor(low / 0x1_0000_0000);
    words[word] = low | 0;
    if (carry !== 0) words[word + 1] = (words[word + 1] ?? 0) + carry;
  }

  #cell(lane: number, instance: number, side: number, verdict: number): number {
    return lane * LANE_WORDS + LANE_HEADER + (instance * 2 + side) * SIDE_WORDS + verdict * WORDS;
  }

  /** Adds what one lane says from `cell` on to `sums`. Exact up to 2^53; HELD of one lane may be below zero. */
  #addLane(sums: Float64Array, lane: number, cell: number): void {
    const words = this.words;
    const seen = new Float64Array(sums.length);
    for (;;) {
      const sequence = Atomics.load(words, lane * LANE_WORDS);
      for (let i = 0; i < seen.length; i++) {
        const word = cell + i * 2;
        seen[i] = Atomics.load(words, word + 1) * 0x1_0000_0000 + (Atomics.load(words, word) >>> 0);
      }
      if ((sequence & 1) === 0 && sequence === Atomics.load(words, lane * LANE_WORDS)) break;
    }
    for (let i = 0; i < seen.length; i++) sums[i] = (sums[i] ?? 0) + (seen[i] ?? 0);
  }
}
