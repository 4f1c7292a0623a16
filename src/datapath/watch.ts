/**
 * Packets of one IPv4 address as they are decided, for a trace of live traffic: workers leave the headers, the verdict and
 * what left for it of each in shared memory, the control thread takes them out.
 *
 *   1. before a batch is decided, packets of the address leave their headers, and so do ICMPv6 errors that quote one
 *   2. after it they get their verdict; and packets are added that were decided in it and came in another shape, or before:
 *      tunnel packets that the last fragment made whole, and fragments that had waited for the ports of the first one
 *
 * A tunnel fragment on its way to worker 0 is left to that one.
 *
 *     word 0: the watched address as a word of a packet; 0 when nothing is watched, which is all a worker then looks at
 *     lane, one a worker: packets written, packets taken, packets left out because the lane was full, then slots:
 *         length, side, verdict, instance, time in seconds and milliseconds, row and the IPv6 address it leads to, first
 *         octets of the packet, how many left for it, of the first of those length and first octets
 *
 * A lane that is full takes no more until the control thread has taken some out: that bounds what watching costs.
 */

import type { Batch } from './batch.ts';
import { OUTPUT_WORDS } from './batch.ts';
import { DESTINATION_WORD, SOURCE_WORD } from './header-words.ts';
import { ROW_SHIFT } from './layout.ts';
import { HELD } from './verdict.ts';
import { isErrorType } from './wire/icmpv6.ts';
import { innerPacketAt, quotedPacketAt } from './wire/inner-packet.ts';
import { IPV4_HEADER_LEN, totalLength } from './wire/ipv4.ts';
import { IPV6_HEADER_LEN, NEXT_HEADER_ICMPV6, payloadLength } from './wire/ipv6.ts';
import type { Walk } from './wire/ipv6-extensions.ts';
import { newWalk, WALK_DONE, WALK_FRAGMENT, walkExtensions } from './wire/ipv6-extensions.ts';
import { u8 } from './wire/octets.ts';

const SLOTS = 64;
/** Octets of a packet that are kept: the outer header, the inner one, and what comes first in it. */
const KEPT_WORDS = 32;
const SLOT_ROW = 6;
const SLOT_REMOTE = 7;
const SLOT_HEADER = 11;
const SLOT_SENT = SLOT_HEADER + KEPT_WORDS;
/** Packets that left, of which the first octets are kept. */
const KEPT_SENT = 2;
const SENT_WORDS = 1 + KEPT_WORDS;
const SLOT_WORDS = SLOT_SENT + 1 + KEPT_SENT * SENT_WORDS;
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
  /** How many packets left for it, and the first octets of the first of them. */
  readonly sentPackets: number;
  readonly sent: readonly Uint8Array[];
}

export class Watch {
  readonly memory: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #lanes: number;
  /** Worker: packets of the batch in hand that are watched, and the slots they have. */
  readonly #packets = new Int32Array(SLOTS);
  #count = 0;
  #address = 0;
  /** Later tunnel fragments of the batch in hand, whosever they are. */
  readonly #later: number[] = [];
  readonly #walk = newWalk();

  /** Of `lanes` workers; `memory` is that of another thread's Watch, or new memory with nothing watched. */
  constructor(lanes: number, memory?: SharedArrayBuffer) {
    this.memory = memory ?? new SharedArrayBuffer((1 + lanes * LANE_WORDS) * 4);
    this.#words = new Int32Array(this.memory);
    this.#lanes = lanes;
  }

  /** Worker: keeps the headers of watched packets before the engine changes them; whether `finish` is to be called. */
  keep(lane: number, batch: Batch): boolean {
    const address = this.#words[0] ?? 0;
    if (address === 0) return false;
    batch.unfinished?.completeAll();
    this.#address = address;
    this.#count = 0;
    this.#later.length = 0;
    for (let k = 0; k < batch.count; k++) {
      const inner = innerAt(batch, k, batch.lengths[k] ?? 0, this.#walk);
      if (isOf(batch, inner, address)) this.#keepPacket(lane, batch, k, batch.lengths[k] ?? 0, sideOf(batch, k));
      else if (inner < 0 && sideOf(batch, k) === 6 && this.#walk.end === WALK_FRAGMENT) {
        batch.inners[k] = -1;
        this.#later.push(k);
      }
    }
    return true;
  }

  /**
   * Worker: adds how the kept packets ended, by which of the table's `rows`, and what left for them; and the packets that
   * were decided with them. Hands all over.
   */
  finish(lane: number, batch: Batch, rows: Int32Array): void {
    const address = this.#address;
    for (const k of this.#later) if (batch.verdicts[k] !== HELD) this.#keepDecided(lane, batch, k, address);
    for (let i = 0; i < batch.late; i++) this.#keepDecided(lane, batch, batch.capacity + i, address);
    const words = this.#words;
    const base = 1 + lane * LANE_WORDS;
    const first = words[base + WRITTEN] ?? 0;
    let count = 0;
    for (let i = 0; i < this.#count; i++) {
      const k = this.#packets[i] ?? 0;
      const kept = slotOf(base, first + i);
      if (lane !== 0 && batch.verdicts[k] === HELD && isTunnelFragment(this.#octetsAt(kept), this.#walk)) continue;
      const slot = slotOf(base, first + count);
      words.copyWithin(slot, kept, kept + SLOT_WORDS);
      this.#packets[count++] = k;
      this.#addEnd(slot, batch, k, rows);
    }
    this.#addSent(base, first, count, batch);
    Atomics.store(words, base + WRITTEN, first + count);
  }

  /** A packet that is whole, or has its verdict, only now: from its inner header on, or whole as an ICMPv6 error. */
  #keepDecided(lane: number, batch: Batch, k: number, address: number): void {
    const at = batch.at[k] ?? 0;
    const isInner = batch.sides[k] === 6;
    const len = isInner ? IPV6_HEADER_LEN + payloadLength(batch.buf, at) : (batch.lengths[k] ?? 0);
    // One that turned round has another outer header by now, which may begin elsewhere.
    const known = batch.inners[k] ?? -1;
    const inner = known >= 0 ? known : innerAt(batch, k, len, this.#walk);
    if (!isOf(batch, inner, address)) return;
    if (inner !== known && isError(batch.buf, this.#walk)) this.#keepPacket(lane, batch, k, len, 6);
    else this.#keepPacket(lane, batch, k, totalLength(batch.buf, inner), batch.sides[k] ?? 0, inner);
  }

  #addEnd(slot: number, batch: Batch, k: number, rows: Int32Array): void {
    const words = this.#words;
    const row = batch.rows[k] ?? 0;
    words[slot + 2] = batch.verdicts[k] ?? 0;
    words[slot + 3] = batch.instances[k] ?? 0;
    words[slot + SLOT_ROW] = row;
    for (let word = 0; word < 4; word++) words[slot + SLOT_REMOTE + word] = rows[(row << ROW_SHIFT) + word] ?? 0;
    words[slot + SLOT_SENT] = 0;
  }

  /** What left for each of the `count` packets from place `first` on; an output that the kernel refused did not. */
  #addSent(base: number, first: number, count: number, batch: Batch): void {
    const words = this.#words;
    const octets = new Uint8Array(this.memory);
    for (let slot = 0; slot < batch.outputs && count > 0; slot++) {
      const i = this.#packets.subarray(0, count).indexOf(batch.owners[slot] ?? 0);
      const word = slot * OUTPUT_WORDS;
      const [headAt = 0, headLen = 0, bodyAt = 0, bodyLen = 0] = batch.output.subarray(word, word + OUTPUT_WORDS);
      if (i < 0 || headLen < 0) continue;
      const sent = slotOf(base, first + i) + SLOT_SENT;
      const number = words[sent] ?? 0;
      words[sent] = number + 1;
      if (number >= KEPT_SENT) continue;
      const length = sent + 1 + number * SENT_WORDS;
      words[length] = headLen + bodyLen;
      const head = batch.buf.subarray(headAt, headAt + Math.min(headLen, KEPT_WORDS * 4));
      const body = batch.buf.subarray(bodyAt, bodyAt + Math.min(bodyLen, KEPT_WORDS * 4 - head.length));
      octets.set(head, (length + 1) * 4);
      octets.set(body, (length + 1) * 4 + head.length);
    }
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

  /** Packet `k` of `length` octets, as it came on a side, from `at` on. */
  #keepPacket(lane: number, batch: Batch, k: number, length: number, side: number, at = batch.at[k] ?? 0): void {
    const words = this.#words;
    const base = 1 + lane * LANE_WORDS;
    const place = (words[base + WRITTEN] ?? 0) + this.#count;
    if (place - Atomics.load(words, base + TAKEN) >= SLOTS) {
      Atomics.add(words, base + MISSED, 1);
      return;
    }
    const slot = slotOf(base, place);
    const now = Date.now();
    words[slot] = length;
    words[slot + 1] = side;
    words[slot + 4] = Math.floor(now / 1_000);
    words[slot + 5] = now % 1_000;
    const w = at >> 2;
    for (let i = 0; i < KEPT_WORDS; i++) words[slot + SLOT_HEADER + i] = batch.words[w + i] ?? 0;
    this.#packets[this.#count++] = k;
  }

  #read(slot: number): WatchedPacket {
    const [length = 0, side = 0, verdict = 0, instance = 0, seconds = 0, ms = 0] = this.#words.subarray(slot);
    const row = this.#words[slot + SLOT_ROW] ?? 0;
    const octetsFrom = (word: number, count: number) => new Uint8Array(this.memory.slice(word * 4, word * 4 + count));
    const remote = octetsFrom(slot + SLOT_REMOTE, 16);
    const octets = this.#octetsAt(slot);
    const sentPackets = this.#words[slot + SLOT_SENT] ?? 0;
    const sent = Array.from({ length: Math.min(sentPackets, KEPT_SENT) }, (_, number) => {
      const word = slot + SLOT_SENT + 1 + number * SENT_WORDS;
      return octetsFrom(word + 1, Math.min(this.#words[word] ?? 0, KEPT_WORDS * 4));
    });
    const time = new Date(seconds * 1_000 + ms);
    return { verdict, instance, side, length, time, row, remote, octets, sentPackets, sent };
  }

  /** The first octets of the packet in a slot. */
  #octetsAt(slot: number): Uint8Array {
    const from = (slot + SLOT_HEADER) * 4;
    return new Uint8Array(this.memory.slice(from, from + Math.min(this.#words[slot] ?? 0, KEPT_WORDS * 4)));
  }
}

/** The version that packet `k` begins with. */
function sideOf({ at, words }: Batch, k: number): number {
  return ((words[(at[k] ?? 0) >> 2] ?? 0) >>> 4) & 15;
}

/**
 * The IPv4 header of packet `k` of `len` octets, in the tunnel that of the inner packet or of the one that an ICMPv6 error
 * quotes; -1 when none is there. A later fragment of a tunnel packet has none to be seen, and leaves WALK_FRAGMENT as the
 * end of `walk`.
 */
function innerAt(batch: Batch, k: number, len: number, walk: Walk): number {
  const at = batch.at[k] ?? 0;
  walk.end = WALK_DONE;
  walk.nextHeader = 0;
  let inner = sideOf(batch, k) === 4 ? at : innerPacketAt(batch.buf, at, len, walk);
  if (inner < 0 && isError(batch.buf, walk)) inner = quotedPacketAt(batch.buf, walk.at, at + len);
  return inner + IPV4_HEADER_LEN > at + len ? -1 : inner;
}

/** Whether `walk` ended at an ICMPv6 error; there may be nothing of it. */
function isError(buf: Uint8Array, walk: Walk): boolean {
  return walk.end === WALK_DONE && walk.nextHeader === NEXT_HEADER_ICMPV6 && isErrorType(u8(buf, walk.at));
}

/** Whether the packet with this IPv4 header is from or to the address. */
function isOf({ words }: Batch, inner: number, address: number): boolean {
  const w = inner >> 2;
  return inner >= 0 && (words[w + SOURCE_WORD] === address || words[w + DESTINATION_WORD] === address);
}

/** Whether the first octets of a packet are those of a fragment of a tunnel packet. */
function isTunnelFragment(octets: Uint8Array, walk: Walk): boolean {
  if (u8(octets, 0) >>> 4 !== 6) return false;
  walkExtensions(octets, 0, walk);
  return walk.end === WALK_FRAGMENT;
}

function slotOf(base: number, place: number): number {
  return base + LANE_HEADER + (place % SLOTS) * SLOT_WORDS;
}
