/**
 * How many ICMP errors an instance may send (RFC 4443 §2.4 (f), RFC 1812 §4.3.2.8): a token bucket for each instance and
 * kind of error, in shared memory. All workers of a role draw on the same bucket, so a rate is that of the instance
 * however many workers there are; a lock word keeps their steps apart.
 *
 * Kinds: the errors of a family have the same rate and burst, but a bucket for each kind, by who can cause them. Who scans
 * addresses that nothing holds, or forges ICMPv6 errors, takes nothing from path MTU discovery and traceroute; who sends tunnel
 * packets from made-up addresses takes nothing from what gateways are told.
 *
 * Fairness: what a source has used is kept beside the bucket, and fades with the time in which the bucket fills. A
 * source that has used something gets a token only while as much is left after it: n sources that all ask without end
 * leave about the n-th part of the bucket to one that comes new. A source that nobody else asks beside may empty a full
 * bucket, and then has the rate, but for the reserve that grows first and is for others. So after a pause any source has a
 * whole burst, one that comes new seldom finds nothing, and no more than burst and rate ever leave. Sources fall into
 * slots by a keyed hash: those that share a slot share their use.
 *
 *     bucket (words):   0 lock   1-2 sent   3-4 suppressed
 *     bucket (doubles): 0 rate a second   1 burst   2 tokens   3 time of the last step   4 use of all
 *                       5 reserve   6.. slots of: use, its time
 */

import type { ErrorCounters } from '../control.ts';
import { MAX_INSTANCES } from './layout.ts';
import { addOne, addToCount, readCount } from './shared-count.ts';
import { tryLock, unlock } from './spin-lock.ts';

/** About a packet to an address that nothing holds. */
export const ABOUT_UNBOUND = 0;
/** About any other packet from the IPv4 side. */
export const ABOUT_IPV4 = 1;
/** About an IPv4 packet that came through the tunnel from who may send it. */
export const ABOUT_TUNNELLED = 2;
/** What an ICMPv6 error from inside the tunnel, which anybody can forge, says to an IPv4 source. */
export const RELAYED = 3;
/** ICMPv6, about a tunnel packet from an address that a row leads to. */
export const ABOUT_TUNNEL = 4;
/** The same from any other address, which may be made up. */
export const ABOUT_STRANGER = 5;
const KINDS = 6;

/** The kinds of each family. */
export const ICMPV4_ERRORS: readonly number[] = [ABOUT_UNBOUND, ABOUT_IPV4, ABOUT_TUNNELLED, RELAYED];
export const ICMPV6_ERRORS: readonly number[] = [ABOUT_TUNNEL, ABOUT_STRANGER];

const LOCK = 0;
const SENT = 1;
const SUPPRESSED = 3;
const BUCKET_WORDS = 8;

const RATE = 0;
const BURST = 1;
const TOKENS = 2;
const STEPPED_MS = 3;
const USE = 4;
const RESERVE = 5;
const FIRST_SLOT = 6;
const SLOTS = 256;
const BUCKET_DOUBLES = FIRST_SLOT + 2 * SLOTS;
/** Part of a burst that a bucket which was empty keeps for others than the one source that asks. */
const RESERVED = 0.4;

const WORDS = KINDS * MAX_INSTANCES * BUCKET_WORDS;
const OCTETS = WORDS * 4 + KINDS * MAX_INSTANCES * BUCKET_DOUBLES * 8;

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
    const word = this.#bucketWord(instance, 0);
    this.#words.fill(0, word, word + KINDS * BUCKET_WORDS);
    const bucket = this.#bucket(instance, 0);
    this.#doubles.fill(0, bucket, bucket + KINDS * BUCKET_DOUBLES);
  }

  /** Control thread, workers held: errors a second and at once of each of `kinds`; a bucket whose limits change is full. */
  setLimits(instance: number, kinds: readonly number[], rate: number, burst: number): void {
    for (const kind of kinds) this.#setLimits(this.#bucket(instance, kind), rate, burst);
  }

  #setLimits(bucket: number, rate: number, burst: number): void {
    if (this.#doubles[bucket + RATE] === rate && this.#doubles[bucket + BURST] === burst) return;
    this.#doubles.fill(0, bucket, bucket + BUCKET_DOUBLES);
    this.#doubles[bucket + RATE] = rate;
    this.#doubles[bucket + BURST] = burst;
    this.#doubles[bucket + TOKENS] = burst;
  }

  /**
   * Worker: whether an instance may send one error of a kind that the source which `source` (32 bits of or from its
   * address) stands for has caused. It is counted as sent or as suppressed.
   */
  take(instance: number, kind: number, source: number, nowMs: number): boolean {
    const word = this.#bucketWord(instance, kind);
    const granted = tryLock(this.#words, word + LOCK) && this.#step(this.#bucket(instance, kind), source, nowMs, word);
    addOne(this.#words, word + (granted ? SENT : SUPPRESSED));
    return granted;
  }

  /** Worker: `count` errors of a kind were due that were not asked for, or found no room. */
  addSuppressed(instance: number, kind: number, count: number): void {
    addToCount(this.#words, this.#bucketWord(instance, kind) + SUPPRESSED, count);
  }

  /** Reader: errors of an instance, of all of `kinds` together, since `begin`. */
  read(instance: number, kinds: readonly number[]): ErrorCounters {
    const sum = (count: number): number =>
      kinds.reduce((all, kind) => all + readCount(this.#words, this.#bucketWord(instance, kind) + count), 0);
    return { sent: sum(SENT), suppressed: sum(SUPPRESSED) };
  }

  /** One token of the bucket, which is locked and is not any more afterwards. */
  #step(bucket: number, source: number, nowMs: number, word: number): boolean {
    const doubles = this.#doubles;
    const burst = doubles[bucket + BURST] ?? 0;
    const rateMs = (doubles[bucket + RATE] ?? 0) / 1_000;
    const passedMs = Math.max(0, nowMs - (doubles[bucket + STEPPED_MS] ?? 0));
    const tokens = Math.min(burst, (doubles[bucket + TOKENS] ?? 0) + passedMs * rateMs);
    const reserve = tokens >= burst ? 0 : (doubles[bucket + RESERVE] ?? 0);
    const all = (doubles[bucket + USE] ?? 0) * Math.exp((-passedMs * rateMs) / burst);
    const slot = bucket + FIRST_SLOT + 2 * this.#slotOf(source);
    const idleMs = Math.max(0, nowMs - (doubles[slot + 1] ?? 0));
    const use = (doubles[slot] ?? 0) * Math.exp((-idleMs * rateMs) / burst);
    const isFair = tokens >= 1 && (use < 1 || use + 1 <= tokens);
    const isAlone = tokens >= 1 + reserve && all - use < 1;
    const granted = isFair || isAlone;
    const left = granted ? tokens - 1 : tokens;
    doubles[bucket + STEPPED_MS] = nowMs;
    doubles[bucket + TOKENS] = left;
    doubles[bucket + USE] = granted ? all + 1 : all;
    doubles[bucket + RESERVE] = left < 1 ? Math.min(burst * RESERVED, burst - 1) : reserve;
    doubles[slot] = granted ? use + 1 : use;
    doubles[slot + 1] = nowMs;
    unlock(this.#words, word + LOCK);
    return granted;
  }

  #slotOf(source: number): number {
    const mixed = Math.imul(source ^ this.#seed, 0x9e3779b1);
    return Math.imul(mixed ^ (mixed >>> 15), 0x85ebca6b) >>> 24;
  }

  #bucketWord(instance: number, kind: number): number {
    return (instance * KINDS + kind) * BUCKET_WORDS;
  }

  #bucket(instance: number, kind: number): number {
    return (instance * KINDS + kind) * BUCKET_DOUBLES;
  }
}
