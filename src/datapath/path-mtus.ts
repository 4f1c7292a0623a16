/**
 * Path MTUs learned from Packet Too Big (RFC 8201), in shared memory of fixed size: what is learned of one far end holds
 * for that one only, is at least 1,280, only ever falls, and is forgotten when the lifetime of its softwire is over after it fell last (§5.3).
 *
 * The fast path pays nothing for it: SOFTWIRE_PAYLOAD_MTU of a softwire is what every far end of it takes, so only a
 * packet above that is looked up here; of a softwire out of use it is 0, which every packet is above.
 *
 *     lock   1 when something is known   payload MTU configured for each softwire   lifetime of each, in tenths of a
 *     second   sets of WAYS entries
 *     entry, 8 words:   0-3 far end (wire)   4 softwire | MTU << 16, 0 for none   5 when, in tenths of a second
 *                       6 who reported it, hashed
 *
 * Workers write under the lock and read without. A set is chosen by a keyed hash of softwire and far end. When it is
 * full, a reporter replaces the oldest of its own there, and only a reporter without any takes the place of another: so
 * one that reports without end keeps at most one entry in a full set from others.
 */

import { MAX_SOFTWIRES } from '../state/limits.ts';
import { ROW_SHIFT, SOFTWIRE_MASK, SOFTWIRE_PAYLOAD_MTU, SOFTWIRE_SHIFT } from './layout.ts';
import type { Softwires } from './softwires.ts';
import { tryLock, unlock } from './spin-lock.ts';
import { IPV6_MINIMUM_MTU } from './wire/ipv6.ts';

const SETS = 8_192;
const WAYS = 8;
const ENTRY_WORDS = 8;
const VALUE = 4;
const LEARNED = 5;
const REPORTER = 6;

const LOCK = 0;
const KNOWN = 1;
const CONFIGURED = 2;
const LIFETIMES = CONFIGURED + MAX_SOFTWIRES + 1;
const ENTRIES = LIFETIMES + MAX_SOFTWIRES + 1;
const WORDS = ENTRIES + SETS * WAYS * ENTRY_WORDS;

/** What was learned of one far end. */
export interface LearnedMtu {
  readonly softwire: number;
  readonly remote: Uint8Array;
  readonly mtu: number;
}

export class PathMtus {
  readonly memory: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #softwires: Softwires;
  readonly #rows: Int32Array;
  readonly #seed: number;

  /** `rows` are those of the table; `memory` is that of another thread's PathMtus, or new memory with nothing learned. */
  constructor(softwires: Softwires, rows: Int32Array, seed: number, memory?: SharedArrayBuffer) {
    this.memory = memory ?? new SharedArrayBuffer(WORDS * 4);
    this.#words = new Int32Array(this.memory);
    this.#softwires = softwires;
    this.#rows = rows;
    this.#seed = seed | 0;
  }

  /** The payload MTU that a softwire is configured for. */
  configured(softwire: number): number {
    return this.#words[CONFIGURED + softwire] ?? 0;
  }

  /** The largest IPv4 packet that goes whole to the far end of `row`; 0 when the softwire is out of use. */
  payloadMtu(softwire: number, row: number, nowMs: number): number {
    const configured = this.#words[CONFIGURED + softwire] ?? 0;
    const least = this.#softwires.payloadMtu(softwire);
    if (least === configured || least === 0) return least;
    const entry = this.#find(softwire, row);
    if (entry === 0 || this.#isOld(entry, nowMs)) return configured;
    return Math.min(configured, ((this.#words[entry + VALUE] ?? 0) >>> 16) - this.#softwires.headerLength(softwire));
  }

  /**
   * Worker: a link on the way to the far end of `row` takes packets of `mtu` octets. Ignored when that is less than any
   * link takes, or no less than is known (RFC 8201 §4). `reporter` is 32 bits of or from the address that says so.
   */
  learn(softwire: number, row: number, mtu: number, reporter: number, nowMs: number): void {
    const payloadMtu = mtu - this.#softwires.headerLength(softwire);
    if (mtu < IPV6_MINIMUM_MTU || payloadMtu >= this.payloadMtu(softwire, row, nowMs)) return;
    const words = this.#words;
    if (!tryLock(words, LOCK)) return;
    const known = this.#find(softwire, row);
    const entry = known === 0 ? this.#place(this.#setOf(softwire, row), reporter, nowMs) : known;
    Atomics.store(words, entry + VALUE, 0);
    for (let i = 0; i < 4; i++) words[entry + i] = this.#rows[(row << ROW_SHIFT) + i] ?? 0;
    words[entry + LEARNED] = tenths(nowMs);
    words[entry + REPORTER] = reporter;
    Atomics.store(words, entry + VALUE, (mtu << 16) | softwire);
    this.#lower(softwire, payloadMtu);
    words[KNOWN] = 1;
    unlock(words, LOCK);
  }

  /**
   * Control thread, workers held: what is configured for a softwire, whose words are written next. What was learned
   * before is forgotten by the new lifetime, too.
   */
  configure(softwire: number, payloadMtu: number, lifetimeMs: number): void {
    this.#words[CONFIGURED + softwire] = payloadMtu;
    this.#words[LIFETIMES + softwire] = tenths(lifetimeMs);
  }

  /** Control thread, now and then: forgets what is old. */
  age(nowMs: number): void {
    if (Atomics.load(this.#words, KNOWN) !== 0) this.refresh(nowMs);
  }

  /**
   * Control thread: forgets what is old, and what was learned of softwires that are no longer there; then
   * SOFTWIRE_PAYLOAD_MTU is right again for each.
   */
  refresh(nowMs: number): void {
    const words = this.#words;
    while (!tryLock(words, LOCK));
    words[KNOWN] = 0;
    const least = words.slice(CONFIGURED, CONFIGURED + MAX_SOFTWIRES + 1);
    for (let entry = ENTRIES; entry < WORDS; entry += ENTRY_WORDS) {
      const value = words[entry + VALUE] ?? 0;
      if (value === 0) continue;
      const softwire = value & SOFTWIRE_MASK;
      if (this.#isOld(entry, nowMs) || !this.#softwires.isEnabled(softwire)) Atomics.store(words, entry + VALUE, 0);
      else {
        least[softwire] = Math.min(least[softwire] ?? 0, (value >>> 16) - this.#softwires.headerLength(softwire));
        words[KNOWN] = 1;
      }
    }
    for (let softwire = 1; softwire <= MAX_SOFTWIRES; softwire++) {
      const payloadMtu = this.#softwires.isEnabled(softwire) ? (least[softwire] ?? 0) : 0;
      this.#softwires.words[(softwire << SOFTWIRE_SHIFT) + SOFTWIRE_PAYLOAD_MTU] = payloadMtu;
    }
    unlock(words, LOCK);
  }

  /** Control thread: everything that is known. */
  learned(nowMs: number): LearnedMtu[] {
    const found: LearnedMtu[] = [];
    const octets = new Uint8Array(this.memory);
    for (let entry = ENTRIES; entry < WORDS; entry += ENTRY_WORDS) {
      const value = this.#words[entry + VALUE] ?? 0;
      if (value === 0 || this.#isOld(entry, nowMs)) continue;
      const remote = octets.slice(entry * 4, entry * 4 + 16);
      found.push({ softwire: value & SOFTWIRE_MASK, remote, mtu: value >>> 16 });
    }
    return found;
  }

  #lower(softwire: number, payloadMtu: number): void {
    const word = (softwire << SOFTWIRE_SHIFT) + SOFTWIRE_PAYLOAD_MTU;
    const words = this.#softwires.words;
    if (payloadMtu < (words[word] ?? 0)) words[word] = payloadMtu;
  }

  /** The entry of the far end of a row; 0 when nothing was learned of it. */
  #find(softwire: number, row: number): number {
    const words = this.#words;
    const remote = row << ROW_SHIFT;
    const first = this.#setOf(softwire, row);
    for (let entry = first; entry < first + WAYS * ENTRY_WORDS; entry += ENTRY_WORDS) {
      const value = Atomics.load(words, entry + VALUE);
      if (value === 0 || (value & SOFTWIRE_MASK) !== softwire) continue;
      let same = true;
      for (let i = 0; i < 4; i++) same &&= words[entry + i] === this.#rows[remote + i];
      // It may have become another's while its words were read.
      if (same && Atomics.load(words, entry + VALUE) === value) return entry;
    }
    return 0;
  }

  /** An entry of the set for something new. */
  #place(first: number, reporter: number, nowMs: number): number {
    const words = this.#words;
    let oldest = first;
    let own = 0;
    for (let entry = first; entry < first + WAYS * ENTRY_WORDS; entry += ENTRY_WORDS) {
      if (words[entry + VALUE] === 0 || this.#isOld(entry, nowMs)) return entry;
      if ((words[entry + LEARNED] ?? 0) < (words[oldest + LEARNED] ?? 0)) oldest = entry;
      const isOwn = words[entry + REPORTER] === reporter;
      if (isOwn && (own === 0 || (words[entry + LEARNED] ?? 0) < (words[own + LEARNED] ?? 0))) own = entry;
    }
    return own === 0 ? oldest : own;
  }

  #isOld(entry: number, nowMs: number): boolean {
    const lifetime = this.#words[LIFETIMES + ((this.#words[entry + VALUE] ?? 0) & SOFTWIRE_MASK)] ?? 0;
    return tenths(nowMs) - (this.#words[entry + LEARNED] ?? 0) >= lifetime;
  }

  #setOf(softwire: number, row: number): number {
    let hash = this.#seed ^ softwire;
    for (let i = 0; i < 4; i++) {
      hash = Math.imul(hash ^ (this.#rows[(row << ROW_SHIFT) + i] ?? 0), 0x9e3779b1);
      hash ^= hash >>> 15;
    }
    return ENTRIES + (hash & (SETS - 1)) * WAYS * ENTRY_WORDS;
  }
}

function tenths(ms: number): number {
  return Math.floor(ms / 100);
}
