/**
 * What a gateway knows of its AFTR refusing it: that a packet came back with "source address failed ingress/egress
 * policy" (RFC 7596 §5.1), in shared memory that the workers write.
 *
 *     instance, words:   0-1 how often   2 inner source of the last   3 unused       doubles: when the last came
 */

import { MAX_INSTANCES } from '../state/limits.ts';
import { addOne, readCount } from './shared-count.ts';

const SOURCE = 2;
const INSTANCE_WORDS = 4;
const WORDS = MAX_INSTANCES * INSTANCE_WORDS;

export interface Refusals {
  readonly count: number;
  /** When the last came, by the clock of the batches. */
  readonly lastMs: number;
  readonly lastIpv4Source: number;
}

export class SourceRefusals {
  readonly memory: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #times: Float64Array;
  /** Of the control thread: what the counts said when they were last cleared, by instance. */
  readonly #cleared = new Map<number, number>();

  /** `memory` is that of another thread's SourceRefusals, or new memory. */
  constructor(memory?: SharedArrayBuffer) {
    this.memory = memory ?? new SharedArrayBuffer(WORDS * 4 + MAX_INSTANCES * 8);
    this.#words = new Int32Array(this.memory, 0, WORDS);
    this.#times = new Float64Array(this.memory, WORDS * 4);
  }

  /** Control thread: an instance gets a number that another may have had. */
  begin(instance: number): void {
    this.#words.fill(0, instance * INSTANCE_WORDS, (instance + 1) * INSTANCE_WORDS);
    this.#cleared.delete(instance);
  }

  /** Control thread: counts from zero; workers may count meanwhile. */
  clear(instance: number): void {
    this.#cleared.set(instance, readCount(this.#words, instance * INSTANCE_WORDS));
  }

  /** Worker: a packet from `ipv4Source` was refused. */
  add(instance: number, ipv4Source: number, nowMs: number): void {
    const word = instance * INSTANCE_WORDS;
    this.#words[word + SOURCE] = ipv4Source;
    this.#times[instance] = nowMs;
    addOne(this.#words, word);
  }

  /** Control thread: undefined when no packet was refused since the count was cleared. */
  read(instance: number): Refusals | undefined {
    const word = instance * INSTANCE_WORDS;
    const count = readCount(this.#words, word) - (this.#cleared.get(instance) ?? 0);
    if (count === 0) return undefined;
    return { count, lastMs: this.#times[instance] ?? 0, lastIpv4Source: (this.#words[word + SOURCE] ?? 0) >>> 0 };
  }
}
