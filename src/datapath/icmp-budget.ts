/**
 * How many ICMP errors an instance may send (RFC 4443 §2.4 (f), RFC 1812 §4.3.2.8): a token bucket for each instance and
 * family, in shared memory. All workers of a role draw on the same bucket, so a rate is that of the instance however
 * many workers there are; a lock word keeps their steps apart.
 *
 * Fairness: what a source has used is kept beside the bucket, and fades with the time in which the bucket fills. A
 * source that has used something gets a token only while as much is left after it. So one source alone may take half of
 * a full bucket at once, and in the long run the whole rate; n sources that all ask without end leave about the n-th
 * part of the bucket to one that comes new. Sources fall into slots by a keyed hash: those that share a slot share their
 * use.
 *
 *     bucket (words):   0 lock   1-2 sent   3-4 suppressed
 *     bucket (doubles): 0 rate a second   1 burst   2 tokens   3 time of the last step   4.. slots of: use, its time
 */

import type { ErrorCounters } from '../control.ts';
import { MAX_INSTANCES } from './layout.ts';
import { addOne, readCount } from './shared-count.ts';
import { tryLock, unlock } from './spin-lock.ts';

export const ICMPV4_ERRORS = 0;
export const ICMPV6_ERRORS = 1;
const FAMILIES = 2;

const LOCK = 0;
const SENT = 1;
const SUPPRESSED = 3;
const BUCKET_WORDS = 8;

const RATE = 0;
const BURST = 1;
const TOKENS = 2;
const STEPPED_MS = 3;
const FIRST_SLOT = 4;
const SLOTS = 256;
const BUCKET_DOUBLES = FIRST_SLOT + 2 * SLOTS;

const WORDS = FAMILIES * MAX_INSTANCES * BUCKET_WORDS;
const OCTETS = WORDS * 4 + FAMILIES * MAX_INSTANCES * BUCKET_DOUBLES * 8;

export class IcmpBudget {
  readonly memory: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #doubles: Float64Array;
  readonly #seed: number;

  /** `memory` is that of another thread's IcmpBudget, or new memory without any budget. `seed` is secret. */
  constructor(seed: number, memory?: SharedArrayBuffer) {
    this.memory = memory ?? new SharedArrayBuffer(OCTETS);
    this.#words = new Int32Array(this.memory, 0, WORDS);
    this.#doubles = new Float64Array(this.memory, WORDS * 4);
    this.#seed = seed | 0;
  }

  /** Control thread: an instance gets a number that another may have had; its bucket is full, its counts are zero. */
  begin(instance: number): void {
    for (const family of [ICMPV4_ERRORS, ICMPV6_ERRORS]) {
      const word = this.#bucketWord(instance, family);
      this.#words.fill(0, word, word + BUCKET_WORDS);
      const bucket = this.#bucket(instance, family);
      this.#doubles.fill(0, bucket, bucket + BUCKET_DOUBLES);
    }
  }

  /** Control thread, workers held: errors a second and at once; a bucket whose limits change is full. */
  setLimits(instance: number, family: number, rate: number, burst: number): void {
    const bucket = this.#bucket(instance, family);
    if (this.#doubles[bucket + RATE] === rate && this.#doubles[bucket + BURST] === burst) return;
    this.#doubles.fill(0, bucket, bucket + BUCKET_DOUBLES);
    this.#doubles[bucket + RATE] = rate;
    this.#doubles[bucket + BURST] = burst;
    this.#doubles[bucket + TOKENS] = burst;
  }

  /**
   * Worker: whether an instance may send one error to the source that `source` (32 bits of or from its address) stands
   * for. It is counted as sent or as suppressed.
   */
  take(instance: number, family: number, source: number, nowMs: number): boolean {
    const word = this.#bucketWord(instance, family);
    const granted =
      tryLock(this.#words, word + LOCK) && this.#step(this.#bucket(instance, family), source, nowMs, word);
    addOne(this.#words, word + (granted ? SENT : SUPPRESSED));
    return granted;
  }

  /** Reader: errors of an instance since `begin`. */
  read(instance: number, family: number): ErrorCounters {
    const word = this.#bucketWord(instance, family);
    return { sent: readCount(this.#words, word + SENT), suppressed: readCount(this.#words, word + SUPPRESSED) };
  }

  /** One token of the bucket, which is locked and is not any more afterwards. */
  #step(bucket: number, source: number, nowMs: number, word: number): boolean {
    const doubles = this.#doubles;
    const rateMs = (doubles[bucket + RATE] ?? 0) / 1_000;
    const burst = doubles[bucket + BURST] ?? 0;
    const passedMs = Math.max(0, nowMs - (doubles[bucket + STEPPED_MS] ?? 0));
    const tokens = Math.min(burst, (doubles[bucket + TOKENS] ?? 0) + passedMs * rateMs);
    const slot = bucket + FIRST_SLOT + 2 * this.#slotOf(source);
    const idleMs = Math.max(0, nowMs - (doubles[slot + 1] ?? 0));
    const use = (doubles[slot] ?? 0) * Math.exp((-idleMs * rateMs) / burst);
    const granted = tokens >= 1 && (use < 1 || use + 1 <= tokens);
    doubles[bucket + STEPPED_MS] = nowMs;
    doubles[bucket + TOKENS] = granted ? tokens - 1 : tokens;
    doubles[slot] = granted ? use + 1 : use;
    doubles[slot + 1] = nowMs;
    unlock(this.#words, word + LOCK);
    return granted;
  }

  #slotOf(source: number): number {
    const mixed = Math.imul(source ^ this.#seed, 0x9e3779b1);
    return Math.imul(mixed ^ (mixed >>> 15), 0x85ebca6b) >>> 24;
  }

  #bucketWord(instance: number, family: number): number {
    return (instance * FAMILIES + family) * BUCKET_WORDS;
  }

  #bucket(instance: number, family: number): number {
    return (instance * FAMILIES + family) * BUCKET_DOUBLES;
  }
}
