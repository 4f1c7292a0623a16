/**
 * Packets of one IPv4 address as they are decided, for a trace of live traffic: workers leave the headers and the verdict of
 * each in shared memory, the control thread takes them out.
 *
 *     word 0: the watched address as a word of a packet; 0 when nothing is watched, which is all a worker then looks at
 *     lane, one a worker: packets written, packets taken, packets left out because the lane was full, then slots:
 *         length, side, verdict, instance, time in seconds and milliseconds, row and the IPv6 address it leads to, first
 *         octets of the packet
 *
 * A lane that is full takes no more until the control thread has taken some out: that bounds what watching costs.
 */

import type { Batch } from './batch.ts';
import { ROW_SHIFT } from './layout.ts';
import { DESTINATION_WORD, SOURCE_WORD } from './plain.ts';
import { innerPacketAt } from './wire/inner-packet.ts';
import { IPV4_HEADER_LEN } from './wire/ipv4.ts';
import type { Walk } from './wire/ipv6-extensions.ts';
import { newWalk } from './wire/ipv6-extensions.ts';

const SLOTS = 64;
/** Octets of a packet that are kept: the outer header, the inner one, and what comes first in it. */
const KEPT_WORDS = 32;
const SLOT_ROW = 6;
const SLOT_REMOTE = 7;
const SLOT_HEADER = 11;
const SLOT_WORDS = SLOT_HEADER + KEPT_WORDS;
const LANE_HEADER = 3;
const LANE_WORDS = LANE_HEADER + SLOTS * SLOT_WORDS;
const WRITTEN = 0;
const TAKEN = 1;
const MISSED = 2;

export interface WatchedPacket {
  readonly verdict: number;
  readonly instance: number;
  /** 4 or 6: the side it was received on. */
  readonly side: number;
  readonly length: number;
  readonly time: Date;
  /** The row that decided; 0 for none. Then the 16 octets of the IPv6 address that it led to. */
  readonly row: number;
  readonly remote: Uint8Array;
  readonly octets: Uint8Array;
}

export class Watch {
  readonly memory: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #lanes: number;
  /** Worker: packets of the batch in hand that are watched, and the slots they have. */
  readonly #packets = new Int32Array(SLOTS);
  #count = 0;
  readonly #walk = newWalk();

  /** Of `lanes` workers; `memory` is that of another thread's Watch, or new memory with nothing watched. */
  constructor(lanes: number, memory?: SharedArrayBuffer) {
    this.memory = memory ?? new SharedArrayBuffer((1 + lanes * LANE_WORDS) * 4);
    this.#words = new Int32Array(this.memory);
    this.#lanes = lanes;
  }

  /** Worker: keeps the headers of watched packets before the engine changes them; whether there are any. */
  keep(lane: number, batch: Batch): boolean {
    const address = this.#words[0] ?? 0;
    if (address === 0) return false;
    this.#count = 0;
    for (let k = 0; k < batch.count; k++) if (isOf(batch, k, address, this.#walk)) this.#keepPacket(lane, batch, k);
    return this.#count > 0;
  }

  /** Worker: adds how the kept packets ended and by which of the table's `rows`, and hands them over. */
  finish(lane: number, batch: Batch, rows: Int32Array): void {
    const words = this.#words;
    const base = 1 + lane * LANE_WORDS;
    const first = words[base + WRITTEN] ?? 0;
    for (let i = 0; i < this.#count; i++) {
      const slot = slotOf(base, first + i);
      const k = this.#packets[i] ?? 0;
      const row = batch.rows[k] ?? 0;
      words[slot + 2] = batch.verdicts[k] ?? 0;
      words[slot + 3] = batch.instances[k] ?? 0;
      words[slot + SLOT_ROW] = row;
      for (let word = 0; word < 4; word++) words[slot + SLOT_REMOTE + word] = rows[(row << ROW_SHIFT) + word] ?? 0;
    }
    Atomics.store(words, base + WRITTEN, first + this.#count);
  }

  /** Control thread: from now on packets from or to this address (as a word of a packet, not 0); 0 ends it. */
  set(address: number): void {
    Atomics.store(this.#words, 0, address);
  }

  /** Control thread: what was left since the last call, and how many packets found no room meanwhile. */
  take(): { readonly packets: readonly WatchedPacket[]; readonly missed: number } {
    const packets: WatchedPacket[] = [];
    let missed = 0;
    for (let lane = 0; lane < this.#lanes; lane++) {
      const base = 1 + lane * LANE_WORDS;
      const written = Atomics.load(this.#words, base + WRITTEN);
      for (let i = this.#words[base + TAKEN] ?? 0; i < written; i++) packets.push(this.#read(slotOf(base, i)));
      Atomics.store(this.#words, base + TAKEN, written);
      missed += Atomics.exchange(this.#words, base + MISSED, 0);
    }
    return { packets: packets.sort((a, b) => a.time.getTime() - b.time.getTime()), missed };
  }

  #keepPacket(lane: number, batch: Batch, k: number): void {
    const words = this.#words;
    const base = 1 + lane * LANE_WORDS;
    const place = (words[base + WRITTEN] ?? 0) + this.#count;
    if (place - Atomics.load(words, base + TAKEN) >= SLOTS) {
      Atomics.add(words, base + MISSED, 1);
      return;
    }
    const slot = slotOf(base, place);
    const now = Date.now();
    words[slot] = batch.lengths[k] ?? 0;
    words[slot + 1] = ((batch.words[(batch.at[k] ?? 0) >> 2] ?? 0) >>> 4) & 15;
    words[slot + 4] = Math.floor(now / 1_000);
    words[slot + 5] = now % 1_000;
    const w = (batch.at[k] ?? 0) >> 2;
    for (let i = 0; i < KEPT_WORDS; i++) words[slot + SLOT_HEADER + i] = batch.words[w + i] ?? 0;
    this.#packets[this.#count++] = k;
  }

  #read(slot: number): WatchedPacket {
    const [length = 0, side = 0, verdict = 0, instance = 0, seconds = 0, ms = 0] = this.#words.subarray(slot);
    const row = this.#words[slot + SLOT_ROW] ?? 0;
    const octetsFrom = (word: number, count: number) => new Uint8Array(this.memory.slice(word * 4, word * 4 + count));
    const remote = octetsFrom(slot + SLOT_REMOTE, 16);
    const octets = octetsFrom(slot + SLOT_HEADER, Math.min(length, KEPT_WORDS * 4));
    return { verdict, instance, side, length, time: new Date(seconds * 1_000 + ms), row, remote, octets };
  }
}

/** From or to the address; in the tunnel, the inner packet. A later fragment of a tunnel packet has none to be seen. */
function isOf(batch: Batch, k: number, address: number, walk: Walk): boolean {
  const at = batch.at[k] ?? 0;
  const len = batch.lengths[k] ?? 0;
  const inner = (((batch.words[at >> 2] ?? 0) >>> 4) & 15) === 4 ? at : innerPacketAt(batch.buf, at, len, walk);
  if (inner < 0 || inner + IPV4_HEADER_LEN > at + len) return false;
  const w = inner >> 2;
  return batch.words[w + SOURCE_WORD] === address || batch.words[w + DESTINATION_WORD] === address;
}

function slotOf(base: number, place: number): number {
  return base + LANE_HEADER + (place % SLOTS) * SLOT_WORDS;
}
