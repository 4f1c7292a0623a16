/**
 * Fragments on their way to the worker that reassembles, worker 0: a ring of octets in shared memory from each other
 * worker, with one writer and one reader.
 *
 *     word 0 wake descriptor of worker 0, plus one    16 whether it sleeps
 *     then for each other worker: word 0 tail, 16 head (both run on and wrap), 32 records
 *     record: octets of the packet, instance it is held for, the packet in whole words
 *
 * No source can fill a ring for others: strangers, to whom no row leads, have the first half of it; beyond that a source has a
 * share of what passes, counted in windows of a quarter of the ring, and in the last quarter no more than a packet of it: twenty
 * sources that somebody forges leave room for others.
 *
 * What a worker puts in becomes visible when the worker has counted it as held, all of a batch at once. A full ring
 * takes nothing: the fragment is dropped and counted.
 */

import type { Batch } from './batch.ts';

const LINE = 16;
const WAKE = 0;
const SLEEPS = LINE;
const HEADER_WORDS = 2 * LINE;
const TAIL = 0;
const HEAD = LINE;
const RECORDS = 2 * LINE;
const RECORD_HEADER = 2;
/** 256 KiB: some hundred packets of usual size, three of the largest. */
const RING_WORDS = 1 << 16;
const MASK = RING_WORDS - 1;
const PRODUCER_WORDS = RECORDS + RING_WORDS;
const HALF = RING_WORDS >> 1;
const WINDOW_SHIFT = 14;
/** Words of a window that one source may have when the ring is more than half full; a single packet may be larger. */
const SHARE = 1 << 12;
/** The same in the last quarter: a packet of 1,500 octets. */
const LAST_SHARE = 384;
const THREE_QUARTERS = RING_WORDS - (RING_WORDS >> 2);
const SLOTS = 256;
/** Nobody is to be woken. */
export const NO_WAKE = -1;
/** Sources with a share are numbers of 0 and more; these are others. */
export const STRANGER = -1;
export const ONLY_SOURCE = -2;

/** Memory for so many workers. */
export function allocateRings(workers: number): SharedArrayBuffer {
  return new SharedArrayBuffer((HEADER_WORDS + (workers - 1) * PRODUCER_WORDS) * 4);
}

/** The end of a worker that hands fragments over. */
export class FragmentSender {
  readonly #words: Int32Array;
  readonly #base: number;
  /** Behind the last record, published or not. */
  #tail: number;
  /** Words that each slot of sources has taken of the window that the tail is in. */
  readonly #taken = new Int32Array(SLOTS);
  #window = 0;

  /** For worker `worker`, 1 or more. */
  constructor(memory: SharedArrayBuffer, worker: number) {
    this.#words = new Int32Array(memory);
    this.#base = HEADER_WORDS + (worker - 1) * PRODUCER_WORDS;
    this.#tail = this.#words[this.#base + TAIL] ?? 0;
  }

  /** Puts in the packet of `octets` at `at`, of `source`; false when the ring has no room for it. */
  put(batch: Batch, at: number, octets: number, instance: number, source: number): boolean {
    const count = (octets + 3) >> 2;
    const head = Atomics.load(this.#words, this.#base + HEAD);
    const full = ((this.#tail - head) | 0) + RECORD_HEADER + count;
    if (full > RING_WORDS || (source !== ONLY_SOURCE && !this.#isInShare(source, count, full))) return false;
    const records = this.#base + RECORDS;
    const tail = this.#tail;
    this.#words[records + (tail & MASK)] = octets;
    this.#words[records + ((tail + 1) & MASK)] = instance;
    const from = at >> 2;
    for (let i = 0; i < count; i++) {
      this.#words[records + ((tail + RECORD_HEADER + i) & MASK)] = batch.words[from + i] ?? 0;
    }
    this.#tail = (tail + RECORD_HEADER + count) | 0;
    return true;
  }

  /** Whether a source may have so many words more, by which the ring would be `full`; they are noted. */
  #isInShare(source: number, count: number, full: number): boolean {
    if (source === STRANGER) return full <= HALF;
    const window = this.#tail >>> WINDOW_SHIFT;
    if (window !== this.#window) this.#taken.fill(0);
    this.#window = window;
    const slot = source & (SLOTS - 1);
    const taken = this.#taken[slot] ?? 0;
    const share = full > THREE_QUARTERS ? LAST_SHARE : SHARE;
    if (full > HALF && taken > 0 && taken + count > share) return false;
    this.#taken[slot] = taken + count;
    return true;
  }

  /** Makes visible what was put in; returns the wake descriptor of worker 0 when it sleeps over new records, or NO_WAKE. */
  publish(): number {
    const at = this.#base + TAIL;
    if (this.#tail === this.#words[at]) return NO_WAKE;
    Atomics.store(this.#words, at, this.#tail);
    return Atomics.load(this.#words, SLEEPS) === 1 ? Atomics.load(this.#words, WAKE) - 1 : NO_WAKE;
  }
}

/** The end of worker 0. */
export class FragmentReceiver {
  readonly #words: Int32Array;
  readonly #producers: number;
  #turn = 0;

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
    this.#producers = (this.#words.length - HEADER_WORDS) / PRODUCER_WORDS;
  }

  /** How worker 0 is woken from its sleep. */
  set wakeDescriptor(descriptor: number) {
    Atomics.store(this.#words, WAKE, descriptor + 1);
  }

  /** Said before every sleep, and then `isEmpty` is asked again; and after it. */
  set sleeps(sleeps: boolean) {
    Atomics.store(this.#words, SLEEPS, sleeps ? 1 : 0);
  }

  isEmpty(): boolean {
    for (let i = 0; i < this.#producers; i++) {
      const base = HEADER_WORDS + i * PRODUCER_WORDS;
      if (Atomics.load(this.#words, base + TAIL) !== this.#words[base + HEAD]) return false;
    }
    return true;
  }

  /** Fills the batch with records, in turn from all workers, and says for each that it is counted anew; their number. */
  readBatch(batch: Batch): number {
    batch.count = 0;
    for (let idle = 0; idle < this.#producers && batch.count < batch.capacity; ) {
      this.#turn = (this.#turn + 1) % this.#producers;
      idle = this.#take(batch, HEADER_WORDS + this.#turn * PRODUCER_WORDS) ? 0 : idle + 1;
    }
    return batch.count;
  }

  #take(batch: Batch, base: number): boolean {
    const words = this.#words;
    const head = words[base + HEAD] ?? 0;
    if (Atomics.load(words, base + TAIL) === head) return false;
    const records = base + RECORDS;
    const octets = words[records + (head & MASK)] ?? 0;
    const k = batch.count++;
    const to = (batch.at[k] ?? 0) >> 2;
    const count = (octets + 3) >> 2;
    for (let i = 0; i < count; i++) batch.words[to + i] = words[records + ((head + RECORD_HEADER + i) & MASK)] ?? 0;
    batch.lengths[k] = octets;
    batch.settlements.recount(words[records + ((head + 1) & MASK)] ?? 0, octets);
    Atomics.store(words, base + HEAD, (head + RECORD_HEADER + count) | 0);
    return true;
  }
}
