/**
 * Which outer sources send packets whose inner source is not bound to them (RFC 7596 §6.2), in shared memory that does not
 * grow whoever sends: an AFTR's workers leave each source in a slot, the control thread takes the slots out every second or so.
 *
 *     lane, one a worker: packets that found their slots taken by other sources, then slots of eight words:
 *         packets since it was taken out (0: free)   instance   outer source (four words)   inner source   unused
 *
 * Only the control thread frees a slot, and only then another source may have it: what stands beside a count above 0 is of
 * that source, and the inner source of its newest packet.
 */

import { MAX_INSTANCES } from '../state/limits.ts';
import { sameFourWords, swapWord } from './memory.ts';

/** Sources that are told apart between two takes, in each worker. */
const SLOTS = 256;
/** Slots that a source may have, one after the other: those of others may be in its way. */
const TRIED = 4;
const SLOT_WORDS = 8;
const LANE_HEADER = 8;
const LANE_WORDS = LANE_HEADER + SLOTS * SLOT_WORDS;
const PACKETS = 0;
const INSTANCE = 1;
const OUTER = 2;
const INNER = 6;

/** Packets of one outer source since they were last taken out. */
export interface ViolationSource {
  readonly instance: number;
  /** 16 octets. */
  readonly outerSource: Uint8Array;
  /** Of the newest of them. */
  readonly innerSource: number;
  readonly packets: number;
}

export class ViolationLog {
  readonly memory: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #lanes: number;
  readonly #seed: number;

  /** Of `lanes` workers; `seed` is random. `memory` is that of another thread's ViolationLog, or new memory. */
  constructor(lanes: number, seed: number, memory?: SharedArrayBuffer) {
    this.memory = memory ?? new SharedArrayBuffer(lanes * LANE_WORDS * 4);
    this.#words = new Int32Array(this.memory);
    this.#lanes = lanes;
    this.#seed = seed;
  }

  /** Worker: a packet with its outer source at word `outer` and its inner source at word `inner` of `words`. */
  add(lane: number, instance: number, words: Int32Array, outer: number, inner: number): void {
    const log = this.#words;
    const base = lane * LANE_WORDS;
    const place = this.#place(words, outer, instance);
    for (let i = 0; i < TRIED; i++) {
      const slot = base + LANE_HEADER + ((place + i) % SLOTS) * SLOT_WORDS;
      if (Atomics.load(log, slot + PACKETS) === 0) {
        log[slot + INSTANCE] = instance;
        for (let word = 0; word < 4; word++) log[slot + OUTER + word] = words[outer + word] ?? 0;
      } else if (log[slot + INSTANCE] !== instance || !sameFourWords(words, outer, log, slot + OUTER)) continue;
      log[slot + INNER] = words[inner] ?? 0;
      Atomics.add(log, slot + PACKETS, 1);
      return;
    }
    Atomics.add(log, base, 1);
  }

  /** Control thread: what came since the last call; `missed` packets are of sources that found no slot. */
  take(): { readonly sources: readonly ViolationSource[]; readonly missed: number } {
    const found = new Map<string, ViolationSource>();
    let missed = 0;
    for (let lane = 0; lane < this.#lanes; lane++) {
      const base = lane * LANE_WORDS;
      missed += Atomics.exchange(this.#words, base, 0) >>> 0;
      for (let slot = base + LANE_HEADER; slot < base + LANE_WORDS; slot += SLOT_WORDS) this.#takeSlot(slot, found);
    }
    return { sources: [...found.values()], missed };
  }

  /** Packets of one source may stand in the lanes of several workers. */
  #takeSlot(slot: number, found: Map<string, ViolationSource>): void {
    const words = this.#words;
    if (Atomics.load(words, slot + PACKETS) === 0) return;
    const instance = words[slot + INSTANCE] ?? 0;
    const outerSource = new Uint8Array(this.memory.slice((slot + OUTER) * 4, (slot + OUTER + 4) * 4));
    const innerSource = swapWord(words[slot + INNER] ?? 0) >>> 0;
    const packets = Atomics.exchange(words, slot + PACKETS, 0) >>> 0;
    const key = `${instance} ${outerSource.join()}`;
    const more = found.get(key)?.packets ?? 0;
    found.set(key, { instance, outerSource, innerSource, packets: packets + more });
  }

  /** Nobody who does not know the seed can choose sources that share a slot. */
  #place(words: Int32Array, outer: number, instance: number): number {
    let hash = this.#seed ^ (instance % MAX_INSTANCES);
    for (let i = 0; i < 4; i++) {
      hash = Math.imul(hash ^ (words[outer + i] ?? 0), 0x85ebca6b);
      hash ^= hash >>> 15;
    }
    return (Math.imul(hash, 0xc2b2ae35) >>> 16) & (SLOTS - 1);
  }
}
