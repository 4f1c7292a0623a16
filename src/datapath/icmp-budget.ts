/**
 * How many ICMP errors an instance may send (RFC 4443 §2.4 (f), RFC 1812 §4.3.2.8): a token bucket for each instance and
 * family, in shared memory. All workers of a role draw on the same bucket, so rate and burst are those of the instance
 * however many workers there are; a lock word keeps their steps apart.
 *
 * Kinds: who causes errors of one kind must not take those of another. Who scans addresses that nothing holds, or forges ICMPv6
 * errors, takes nothing from path MTU discovery and traceroute; who sends tunnel packets from made-up addresses takes nothing
 * from what gateways are told. What a kind has used fades with the time in which the bucket fills. A kind that has used its
 * share of a burst leaves a guard to those that have not: of a bucket that ran over nothing, then half of all that flows in, until the guard
 * is 0.3 of a burst, or one token for each of them. So one kind after a pause has a whole burst, one that keeps to its share of the rate finds a token
 * two tokens' time after the burst of any other, and no more than burst and rate of the family ever leave. A burst of one
 * has no room for a guard: kinds get what they come for first.
 *
 * Fairness: what a source has used is kept by kind, and fades likewise. A source that has used something gets a token
 * only while as much is left after it: n sources that all ask without end leave about the n-th part of what their kind may
 * have to one that comes new. A source that nobody else of its kind asks beside has all of that, but for a reserve of 0.2 of a
 * burst that grows first and is for others. Sources fall into slots by a keyed hash: those that share a slot share their use.
 *
 *     kind (words):     0 lock, in the first of a family   1-2 sent   3-4 suppressed
 *     family (doubles): 0 rate a second   1 burst   2 tokens   3 time of the last step   4 guard   5 the most it is
 *                       6 use up to which a kind keeps to its share
 *     kind (doubles):   0 use   1 its time   2 reserve   3.. slots of: use, its time
 */

import type { ErrorCounters } from '../control.ts';
import { MAX_INSTANCES } from '../state/limits.ts';
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
const FIRST_ICMPV6 = ABOUT_TUNNEL;
const KINDS = 6;

/** The kinds of each family. */
export const ICMPV4_ERRORS: readonly number[] = [ABOUT_UNBOUND, ABOUT_IPV4, ABOUT_TUNNELLED, RELAYED];
export const ICMPV6_ERRORS: readonly number[] = [ABOUT_TUNNEL, ABOUT_STRANGER];

const LOCK = 0;
const SENT = 1;
const SUPPRESSED = 3;
const KIND_WORDS = 8;

const RATE = 0;
const BURST = 1;
const TOKENS = 2;
const STEPPED_MS = 3;
const GUARD = 4;
const FULL_GUARD = 5;
const SHARE = 6;
const FAMILY_DOUBLES = 8;

const USE = 0;
const RESERVE = 2;
const FIRST_SLOT = 3;
const SLOTS = 256;
const KIND_DOUBLES = FIRST_SLOT + 2 * SLOTS;

/** Parts of a burst: what a kind beyond its share leaves to other kinds, and a source that asks alone to others of its kind. */
const GUARDED = 0.3;
const RESERVED = 0.2;
/** Part of what flows in by which the guard grows; of an empty bucket the first token is anybody's. */
const GROWTH = 0.5;

const FAMILIES = 2;
const INSTANCE_DOUBLES = FAMILIES * FAMILY_DOUBLES + KINDS * KIND_DOUBLES;
const WORDS = KINDS * MAX_INSTANCES * KIND_WORDS;
const OCTETS = WORDS * 4 + MAX_INSTANCES * INSTANCE_DOUBLES * 8;

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

  /** Control thread: an instance gets a number that another may have had; its buckets have no limits, its counts are zero. */
  begin(instance: number): void {
    const word = this.#word(instance, 0);
    this.#words.fill(0, word, word + KINDS * KIND_WORDS);
    const from = instance * INSTANCE_DOUBLES;
    this.#doubles.fill(0, from, from + INSTANCE_DOUBLES);
  }

  /** Control thread, workers held: errors a second and at once of a family; a bucket whose limits change is full. */
  setLimits(instance: number, kinds: readonly number[], rate: number, burst: number): void {
    const [first = 0] = kinds;
    const family = this.#family(instance, first);
    if (this.#doubles[family + RATE] === rate && this.#doubles[family + BURST] === burst) return;
    this.#doubles.fill(0, family, family + FAMILY_DOUBLES);
    this.#doubles[family + RATE] = rate;
    this.#doubles[family + BURST] = burst;
    this.#doubles[family + TOKENS] = burst;
    this.#doubles[family + FULL_GUARD] = Math.min(burst - 1, Math.max(kinds.length - 1, burst * GUARDED));
    // What a use has faded to when the next part of the rate is due: u with (u + 1) exp(-kinds / burst) = u.
    this.#doubles[family + SHARE] = 1 / Math.expm1(kinds.length / burst);
    for (const kind of kinds) {
      const at = this.#kind(instance, kind);
      this.#doubles.fill(0, at, at + KIND_DOUBLES);
    }
  }

  /**
   * Worker: whether an instance may send one error of a kind that the source which `source` (32 bits of or from its
   * address) stands for has caused. It is counted as sent or as suppressed.
   */
  take(instance: number, kind: number, source: number, nowMs: number): boolean {
    const word = this.#word(instance, kind);
    const lock = this.#word(instance, kind < FIRST_ICMPV6 ? 0 : FIRST_ICMPV6) + LOCK;
    let granted = false;
    if (tryLock(this.#words, lock)) {
      granted = this.#step(instance, kind, source, nowMs);
      unlock(this.#words, lock);
    }
    addOne(this.#words, word + (granted ? SENT : SUPPRESSED));
    return granted;
  }

  /** Worker: `count` errors of a kind were due that were not asked for, or found no room. */
  addSuppressed(instance: number, kind: number, count: number): void {
    addToCount(this.#words, this.#word(instance, kind) + SUPPRESSED, count);
  }

  /** Reader: errors of an instance, of all of `kinds` together, since `begin`. */
  read(instance: number, kinds: readonly number[]): ErrorCounters {
    const sum = (count: number): number =>
      kinds.reduce((all, kind) => all + readCount(this.#words, this.#word(instance, kind) + count), 0);
    return { sent: sum(SENT), suppressed: sum(SUPPRESSED) };
  }

  /** One token of the bucket, which is locked. */
  #step(instance: number, kind: number, source: number, nowMs: number): boolean {
    const doubles = this.#doubles;
    const family = this.#family(instance, kind);
    const at = this.#kind(instance, kind);
    const burst = doubles[family + BURST] ?? 0;
    if (burst === 0) return false;
    const rateMs = (doubles[family + RATE] ?? 0) / 1_000;
    this.#fill(family, burst, rateMs, nowMs);
    const tokens = doubles[family + TOKENS] ?? 0;
    const ofKind = this.#faded(at + USE, nowMs, rateMs / burst);
    const isWithinShare = ofKind <= (doubles[family + SHARE] ?? 0);
    const open = isWithinShare ? tokens : tokens - Math.max(0, doubles[family + GUARD] ?? 0);
    const slot = at + FIRST_SLOT + 2 * this.#slotOf(source);
    const use = this.#faded(slot, nowMs, rateMs / burst);
    const reserve = isWithinShare || tokens >= burst ? 0 : (doubles[at + RESERVE] ?? 0);
    const isFair = open >= 1 && (use < 1 || use + 1 <= open);
    const isAlone = open >= 1 + reserve && ofKind - use < 1;
    // Of a full bucket nobody gains by a refusal.
    const granted = isFair || isAlone || tokens >= burst;
    if (granted) {
      const guard = doubles[family + GUARD] ?? 0;
      doubles[family + TOKENS] = tokens - 1;
      doubles[family + GUARD] = guard <= 0 && tokens < 2 ? -GROWTH : Math.min(guard, tokens - 1);
      doubles[at + USE] = ofKind + 1;
      doubles[slot] = use + 1;
    }
    const left = granted ? open - 1 : open;
    doubles[at + RESERVE] =
      left < 1 ? Math.max(0, Math.min(burst * RESERVED, burst - 1 - (doubles[family + FULL_GUARD] ?? 0))) : reserve;
    return granted;
  }

  /** What has flowed into a bucket since the last step. One that ran over has no guard: nobody has asked for long. */
  #fill(family: number, burst: number, rateMs: number, nowMs: number): void {
    const doubles = this.#doubles;
    const flowed = Math.max(0, nowMs - (doubles[family + STEPPED_MS] ?? 0)) * rateMs;
    const tokens = (doubles[family + TOKENS] ?? 0) + flowed;
    const guard = Math.min(doubles[family + FULL_GUARD] ?? 0, (doubles[family + GUARD] ?? 0) + flowed * GROWTH);
    doubles[family + TOKENS] = Math.min(burst, tokens);
    doubles[family + GUARD] = tokens >= burst + 1 ? 0 : guard;
    doubles[family + STEPPED_MS] = nowMs;
  }

  /** A use as it is now, of which `fading` goes in a millisecond; its time, which stands behind it, is now. */
  #faded(at: number, nowMs: number, fading: number): number {
    const doubles = this.#doubles;
    const use = (doubles[at] ?? 0) * Math.exp(-Math.max(0, nowMs - (doubles[at + 1] ?? 0)) * fading);
    doubles[at] = use;
    doubles[at + 1] = nowMs;
    return use;
  }

  #slotOf(source: number): number {
    const mixed = Math.imul(source ^ this.#seed, 0x9e3779b1);
    return Math.imul(mixed ^ (mixed >>> 15), 0x85ebca6b) >>> 24;
  }

  #word(instance: number, kind: number): number {
    return (instance * KINDS + kind) * KIND_WORDS;
  }

  #family(instance: number, kind: number): number {
    return instance * INSTANCE_DOUBLES + (kind < FIRST_ICMPV6 ? 0 : FAMILY_DOUBLES);
  }

  #kind(instance: number, kind: number): number {
    return instance * INSTANCE_DOUBLES + FAMILIES * FAMILY_DOUBLES + kind * KIND_DOUBLES;
  }
}
