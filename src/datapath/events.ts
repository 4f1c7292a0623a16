/**
 * What workers met that is worth a line in the log, in shared memory: numbers alone, one lane a worker, since a worker
 * blocks in the kernel and has no messages. The control thread adds the lanes up now and then.
 *
 *     lane: one word an instance: ECN combinations that mean danger (RFC 6040 §4.2), modulo 2^32
 */

import { MAX_INSTANCES } from '../state/limits.ts';

export class Events {
  readonly memory: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #lanes: number;

  /** Of `lanes` workers; `memory` is that of another thread's Events, or new memory that is all zero. */
  constructor(lanes: number, memory?: SharedArrayBuffer) {
    this.memory = memory ?? new SharedArrayBuffer(lanes * MAX_INSTANCES * 4);
    this.#words = new Int32Array(this.memory);
    this.#lanes = lanes;
  }

  /** Worker: a dangerous ECN combination. */
  countEcnAnomaly(lane: number, instance: number): void {
    const word = lane * MAX_INSTANCES + instance;
    this.#words[word] = ((this.#words[word] ?? 0) + 1) | 0;
  }

  /** Reader: the sum over all lanes, modulo 2^32. */
  ecnAnomalies(instance: number): number {
    let sum = 0;
    for (let lane = 0; lane < this.#lanes; lane++) {
      sum = (sum + Atomics.load(this.#words, lane * MAX_INSTANCES + instance)) >>> 0;
    }
    return sum;
  }
}
