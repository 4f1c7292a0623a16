/**
 * How full the reassembly of a role is, in shared memory: its worker writes, the control thread reads.
 *
 *     word n: datagrams of instance n in reassembly     last word: chunks of memory in use
 */

import { MAX_INSTANCES } from '../state/limits.ts';

const CHUNKS = MAX_INSTANCES;

export class ReassemblyGauges {
  readonly memory: SharedArrayBuffer;
  readonly #words: Int32Array;

  /** Over the memory of another thread, or over new memory that is all zero. */
  constructor(memory?: SharedArrayBuffer) {
    this.memory = memory ?? new SharedArrayBuffer((MAX_INSTANCES + 1) * 4);
    this.#words = new Int32Array(this.memory);
  }

  /** Datagrams of an instance. */
  datagrams(instance: number): number {
    return this.#words[instance] ?? 0;
  }

  addDatagrams(instance: number, count: number): void {
    this.#words[instance] = this.datagrams(instance) + count;
  }

  /** Chunks in use by all instances. */
  get chunks(): number {
    return this.#words[CHUNKS] ?? 0;
  }

  set chunks(count: number) {
    this.#words[CHUNKS] = count;
  }
}
