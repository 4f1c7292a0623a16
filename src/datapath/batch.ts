/**
 * A batch of packets on its way through the engine: where each packet lies, how it ended, and what is to be sent.
 *
 * All of it lies in one slab. Packets begin at multiples of four octets, with HEADROOM octets free before them, so that
 * an outer header is put in front without moving anything. What the engine makes itself (ICMP, headers of fragments)
 * lies in the scratch area at the end.
 */

import * as layout from './batch-layout.ts';
import { OUTPUT_WORDS } from './batch-layout.ts';
import type { Allocate } from './memory.ts';
import { allocateShared, octetsOf } from './memory.ts';
import { Settlements } from './settlements.ts';

/** Octets free before each packet: outer header, fragment header, and what the device puts before a packet. */
export const HEADROOM = 64;
export { OUTPUT_WORDS } from './batch-layout.ts';
/** Owner of what no packet of the batch has caused. */
export const NO_OWNER = -1;
const SCRATCH_OCTETS = 512 * 1_024;

/** A device that leaves for later what only few packets need: payload behind the headers, a whole checksum. */
export interface Unfinished {
  /** Makes packet `k` what it says it is. */
  complete(k: number): void;
  /** The same for all; and what is sent is left as it is, for somebody looks at it afterwards. */
  completeAll(): void;
}

export class Batch {
  readonly capacity: number;
  /** Longest packet that fits a slot. */
  readonly slotOctets: number;
  readonly buf: Uint8Array;
  /** The same memory in words, for the fast path. */
  readonly words: Int32Array;
  /** Packets of this batch. */
  count = 0;
  /** Packets of earlier batches that waited and end with this one; they have the places from `capacity` on. */
  late = 0;
  /** Milliseconds of a clock that never goes back. */
  nowMs = 0;
  /** All arrays of which the fast path knows where they lie (batch-layout.ts). */
  readonly entries: Int32Array;
  readonly at: Int32Array;
  readonly lengths: Int32Array;
  readonly verdicts: Int32Array;
  /** Version nibble each packet came with: decapsulation may overwrite it. */
  readonly sides: Int32Array;
  /** Instance each packet counts for. */
  readonly instances: Int32Array;
  /** Row that decided each packet, and the row of the other gateway when it hairpinned; without meaning for a drop. */
  readonly rows: Int32Array;
  readonly otherRows: Int32Array;
  /** Softwire of the row that was looked up for each packet. */
  readonly softwires: Int32Array;
  /** Row of the gateway that a refused packet came from; 0 when it is not counted. Only where the slow path or junk decided. */
  readonly violators: Int32Array;
  /**
   * Where the inner packet of a tunnel packet lies that the slow path has met, which a new outer header leaves as it is; else -1.
   * Only of packets of earlier batches, and of those that somebody has set to -1 before.
   */
  readonly inners: Int32Array;
  outputs = 0;
  readonly output: Int32Array;
  /** The packet that caused each output. */
  readonly owners: Int32Array;
  /** Packets of earlier batches whose verdict is known now. */
  readonly settlements: Settlements;
  /** Of whom gave the packets; undefined when they are all whole. */
  unfinished: Unfinished | undefined;
  /** Where the octets that the constructor was told of lie: memory of the device, in the same slab. */
  readonly deviceAt: number;
  readonly #scratchFrom: number;
  #scratchAt: number;

  /**
   * For `capacity` packets at a stride of `stride` octets, with `deviceOctets` for the device in the same slab; for an engine,
   * in the memory of its role. @throws RangeError for more than MOST_PACKETS
   */
  constructor(capacity: number, stride: number, deviceOctets = 0, allocate: Allocate = allocateShared) {
    if (capacity > layout.MOST_PACKETS) {
      throw new RangeError(`batch: expected at most ${layout.MOST_PACKETS} packets, found ${capacity}`);
    }
    this.capacity = capacity;
    this.slotOctets = stride - HEADROOM;
    this.settlements = new Settlements(capacity + layout.LATE_PACKETS);
    this.deviceAt = capacity * stride;
    this.#scratchFrom = this.deviceAt + deviceOctets;
    this.#scratchAt = this.#scratchFrom;
    this.words = allocate(this.#scratchFrom + SCRATCH_OCTETS);
    this.buf = octetsOf(this.words);
    const places = capacity + layout.LATE_PACKETS;
    const entries = allocate(layout.ENTRIES_OCTETS);
    const array = (from: number): Int32Array => entries.subarray(from >> 2, (from >> 2) + places);
    this.entries = entries;
    this.at = array(layout.AT);
    for (let slot = 0; slot < places; slot++) this.at[slot] = slot * stride + HEADROOM;
    this.lengths = array(layout.LENGTHS);
    this.verdicts = array(layout.VERDICTS);
    this.sides = array(layout.SIDES);
    this.instances = array(layout.INSTANCES);
    this.rows = array(layout.ROWS);
    this.otherRows = array(layout.OTHER_ROWS);
    this.softwires = array(layout.SOFTWIRES);
    this.violators = array(layout.VIOLATORS);
    this.inners = new Int32Array(places);
    const outputs = capacity + layout.SPARE_OUTPUTS;
    const sent = allocate(layout.OUTPUTS_OCTETS);
    this.output = sent.subarray(0, outputs * OUTPUT_WORDS);
    this.owners = sent.subarray(layout.OWNERS >> 2, (layout.OWNERS >> 2) + outputs);
  }

  /** Makes packet `k` whole, before anything but the first headers of it is read or changed. */
  complete(k: number): void {
    this.unfinished?.complete(k);
  }

  /** Forgets the outputs of the batch before, what ended late in it, and whose packets it had refused. */
  clearOutputs(): void {
    this.entries[layout.HAS_VIOLATORS >> 2] = 0;
    this.outputs = 0;
    this.late = 0;
    this.#scratchAt = this.#scratchFrom;
  }

  /** Whether so many outputs still fit beside one for each packet, and so many octets of scratch. */
  hasRoom(outputs: number, octets: number): boolean {
    return (
      this.outputs + outputs + this.capacity <= this.owners.length && this.#scratchAt + octets + 8 <= this.buf.length
    );
  }

  /** Takes octets of scratch, which `hasRoom` has promised; returns their offset, a multiple of eight. */
  takeScratch(octets: number): number {
    const at = this.#scratchAt;
    this.#scratchAt += (octets + 7) & ~7;
    return at;
  }

  /**
   * A place for a packet of an earlier batch, with room for `octets` of it in the scratch area; its number, or -1 when
   * there is none. Its other fields are for the caller to fill.
   */
  addLate(octets: number): number {
    if (this.late === layout.LATE_PACKETS || !this.hasRoom(1, HEADROOM + octets)) return -1;
    const k = this.capacity + this.late++;
    this.at[k] = this.takeScratch(HEADROOM + octets) + HEADROOM;
    this.inners[k] = -1;
    return k;
  }

  /** Sends `len` octets at `at` on account of packet `k`, or of NO_OWNER. */
  send(k: number, at: number, len: number): void {
    this.sendPieces(k, at, len, 0, 0);
  }

  /** Sends a packet of two pieces. */
  sendPieces(k: number, headAt: number, headLen: number, bodyAt: number, bodyLen: number): void {
    const slot = this.outputs++;
    const word = slot * OUTPUT_WORDS;
    this.output[word] = headAt;
    this.output[word + 1] = headLen;
    this.output[word + 2] = bodyAt;
    this.output[word + 3] = bodyLen;
    this.owners[slot] = k;
  }
}
