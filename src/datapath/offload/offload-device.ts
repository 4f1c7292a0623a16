/**
 * A queue of a TUN device with offloads, as a PacketDevice: the engine sees single packets only, as if there were none.
 *
 *   1. what the kernel gives is read into slots of the device's own, each behind its header (vnet-header.ts)
 *   2. a single packet is handed to the batch where it lies; of a super-packet the batch gets one packet after the other, each with
 *      headers of its own (segmentation.ts) in a slot of the batch, its payload left where it is. What does not fit the batch waits
 *      for the next one
 *   3. the fast path reads and changes no more than headers. For whoever does, `complete` puts the payload behind the headers and
 *      completes the checksum; of a super-packet of IPv6 that is done at once
 *   4. TCP segments for the IPv4 side that follow each other become one super-packet again (coalescing.ts); everything is written in
 *      pieces, a header first
 *
 * A checksum that the kernel left partial stays so when the packet was not completed: whoever sends it on, or takes it, completes it.
 */

import type { Batch, Unfinished } from '../batch.ts';
import { HEADROOM } from '../batch.ts';
import type { PacketDevice, WaitResult } from '../packet-device.ts';
import { PACKET_MAX, READABLE, STRIDE } from '../packet-device.ts';
import { IPV4_HEADER_LEN } from '../wire/ipv4.ts';
import { IPV6_HEADER_LEN } from '../wire/ipv6.ts';
import { u8 } from '../wire/octets.ts';
import { Marks } from './marks.ts';
import { Messages } from './messages.ts';
import { completeChecksum } from './partial-checksum.ts';
import { newSuperPacket, pieceLength, readSuperPacket, writePieceHeaders } from './segmentation.ts';
import * as vnet from './vnet-header.ts';

/** Packets and super-packets read at once. */
const READ_SLOTS = 64;
/** Octets of the slab that a device with offloads needs of a batch. */
export const DEVICE_OCTETS = READ_SLOTS * STRIDE + 64;

/** What the device needs of a queue: that of node-tuntap2, or memory. */
export interface GatheringQueue {
  readBatch(first: number, stride: number, capacity: number, max: number): number;
  writeGathered(count: number): number;
  wait(timeoutMs: number): WaitResult;
  close(): void;
}

/** Memory that the queue is to be attached to: the slab of the batch, a length for each slot read, the pieces to write. */
export interface QueueMemory {
  readonly arena: Uint8Array;
  readonly lengths: Int32Array;
  readonly pieces: Int32Array;
}

export class OffloadDevice implements PacketDevice, Unfinished {
  readonly batch: Batch;
  readonly memory: QueueMemory;
  readonly #queue: GatheringQueue;
  readonly #marks: Marks;
  readonly #messages: Messages;
  /** Slots of the batch, and those read into. */
  readonly #ownAt: Int32Array;
  readonly #readAt: Int32Array;
  /** Packets read, and the first of them that is not in a batch yet. */
  #waiting = 0;
  #next = 0;
  /** The super-packet in hand, and how much of its payload is in a batch. */
  readonly #super = newSuperPacket();
  #offset = -1;

  /** `attach` gives the queue its memory; the batch has been made with STRIDE and DEVICE_OCTETS. */
  constructor(batch: Batch, attach: (memory: QueueMemory) => GatheringQueue) {
    this.batch = batch;
    this.#marks = new Marks(batch.capacity);
    this.#messages = new Messages(batch, this.#marks, batch.deviceAt + READ_SLOTS * STRIDE);
    this.#ownAt = batch.at.slice(0, batch.capacity);
    this.#readAt = Int32Array.from({ length: READ_SLOTS }, (_, slot) => batch.deviceAt + slot * STRIDE + HEADROOM);
    this.memory = { arena: batch.buf, lengths: new Int32Array(READ_SLOTS), pieces: this.#messages.pieces };
    this.#queue = attach(this.memory);
    batch.unfinished = this;
  }

  readBatch(): number {
    const { batch } = this;
    // A slot that still waits to be taken must not be the batch's: fragments of other workers are put there.
    for (let k = 0; k < batch.capacity; k++) batch.at[k] = this.#ownAt[k] ?? 0;
    if (this.#next === this.#waiting) {
      const first = (this.#readAt[0] ?? 0) - vnet.VNET_HEADER_LEN;
      this.#waiting = this.#queue.readBatch(first, STRIDE, PACKET_MAX + vnet.VNET_HEADER_LEN, READ_SLOTS);
      this.#next = 0;
    }
    let k = 0;
    while (k < batch.capacity && this.#next < this.#waiting) k += this.#take(k) ? 1 : 0;
    batch.count = k;
    return k;
  }

  /** Makes the next packet the batch's packet `k`; false when what was read is too short to be one. */
  #take(k: number): boolean {
    if (this.#offset >= 0) return this.#takePiece(k);
    const { buf, words, at, lengths } = this.batch;
    const from = this.#readAt[this.#next] ?? 0;
    const len = (this.memory.lengths[this.#next] ?? 0) - vnet.VNET_HEADER_LEN;
    const w = (from >> 2) - vnet.VNET_WORDS;
    if (len <= 0) {
      this.#next++;
      return false;
    }
    const flags = vnet.flagsOf(words, w);
    const start = vnet.checksumStartOf(words, w);
    const offset = vnet.checksumOffsetOf(words, w);
    const isPartial = (flags & vnet.NEEDS_CSUM) !== 0 && start > 0 && start + offset + 2 <= len;
    const type = vnet.gsoTypeOf(words, w);
    if (type !== vnet.GSO_NONE && isPartial) {
      if (readSuperPacket(this.#super, buf, from, len, type, vnet.gsoSizeOf(words, w), start)) {
        this.#offset = 0;
        return this.#takePiece(k);
      }
    }
    at[k] = from;
    lengths[k] = len;
    const isLate = isPartial && isTransportChecksum(buf, from, start, offset);
    if (isPartial && !isLate) completeChecksum(buf, from, len, start, offset);
    this.#marks.partials[k] = isLate ? (start << 16) | offset : 0;
    this.#marks.vouched[k] = (flags & vnet.DATA_VALID) === 0 ? 0 : 1;
    this.#next++;
    return true;
  }

  #takePiece(k: number): boolean {
    const { buf, words, at, lengths } = this.batch;
    const packet = this.#super;
    const offset = this.#offset;
    const { headers, start } = packet;
    const piece = pieceLength(packet, offset);
    writePieceHeaders(packet, offset, buf, words, at[k] ?? 0);
    lengths[k] = headers + piece;
    const field = packet.type === vnet.GSO_TCPV4 ? vnet.TCP_CHECKSUM_OFFSET : vnet.UDP_CHECKSUM_OFFSET;
    this.#marks.partials[k] = (start << 16) | field;
    this.#marks.bodyAt[k] = packet.at + headers + offset;
    this.#marks.bodyLen[k] = piece;
    this.#offset = offset + piece;
    // A guest of this machine says where the headers end. Behind an IPv6 header the engine looks further than that.
    if (u8(buf, packet.at) >>> 4 !== 4) this.complete(k);
    if (headers + this.#offset === packet.len) {
      this.#offset = -1;
      this.#next++;
    }
    return true;
  }

  complete(k: number): void {
    if (k >= this.batch.capacity) return;
    const { buf, at, lengths } = this.batch;
    const { partials, bodyAt, bodyLen } = this.#marks;
    const from = at[k] ?? 0;
    const len = lengths[k] ?? 0;
    const body = bodyAt[k] ?? 0;
    const octets = bodyLen[k] ?? 0;
    if (octets > 0) buf.copyWithin(from + len - octets, body, body + octets);
    const partial = partials[k] ?? 0;
    if (partial !== 0) completeChecksum(buf, from, len, partial >>> 16, partial & 0xffff);
    this.#marks.clear(k);
  }

  completeAll(): void {
    for (let k = 0; k < this.batch.count; k++) this.complete(k);
    this.#messages.keepsAll = true;
  }

  writeBatch(): number {
    const { batch } = this;
    const messages = this.#messages;
    const count = messages.build();
    let written = batch.outputs;
    if (this.#queue.writeGathered(count) < count) written -= messages.markRefused();
    messages.keepsAll = false;
    this.#marks.clearAll();
    return written;
  }

  wait(timeoutMs: number): WaitResult {
    return this.#next < this.#waiting ? READABLE : this.#queue.wait(timeoutMs);
  }

  close(): void {
    this.#queue.close();
  }
}

/**
 * Whether a checksum is that of TCP or UDP directly behind an IPv4 header, in the tunnel or not: the engine neither decides by it nor
 * changes what it covers, so it may stay left. A guest of this machine chooses the place freely; any other is completed at once.
 */
function isTransportChecksum(buf: Uint8Array, at: number, start: number, offset: number): boolean {
  const ip = u8(buf, at) >>> 4 === 4 ? 0 : IPV6_HEADER_LEN;
  if (start !== ip + IPV4_HEADER_LEN) return false;
  return offset === vnet.TCP_CHECKSUM_OFFSET || offset === vnet.UDP_CHECKSUM_OFFSET;
}
