/**
 * Where packets come from and go to, as a worker sees it: a device fills a batch and sends what the engine left in it.
 *
 *   1. `wait` blocks the worker until packets are there
 *   2. `readBatch` fills the slots of the batch
 *   3. the engine decides every packet and leaves outputs
 *   4. `writeBatch` sends the outputs
 *
 * The engine runs over a TUN queue (tun-device.ts) and, in tests and benches, over memory (MemoryDevice).
 */

import { type Batch, HEADROOM, OUTPUT_WORDS } from './batch.ts';

/**
 * Distance between slots: a packet of any length with its headroom. More than one page above 65,536, or the headers of a
 * batch would all fall into the same sets of the cache; a multiple of the cache line.
 */
export const STRIDE = 65_536 + 4_096 + 192;
/** Longest packet: its length is a field of 16 bits. */
export const PACKET_MAX = 65_535;

/** What ended a `wait`. */
export const TIMEOUT = 0;
export const READABLE = 1;
export const WOKEN = 2;
export type WaitResult = typeof TIMEOUT | typeof READABLE | typeof WOKEN;

export interface PacketDevice {
  /** The memory that packets are read to and written from. */
  readonly batch: Batch;
  /** Fills the batch with packets that wait and sets its count; returns the count, 0 when none waits. */
  readBatch(): number;
  /** Sends the outputs of the batch; returns how many were taken. One that is refused is lost. */
  writeBatch(): number;
  /** Blocks the calling thread for at most so many milliseconds (-1: without limit). */
  wait(timeoutMs: number): WaitResult;
  /** Gives the device back; a second time does nothing. */
  close(): void;
}

/** A device in memory: `push` what it is to receive, `take` what it sent. It never blocks. */
export class MemoryDevice implements PacketDevice {
  readonly batch: Batch;
  #waiting: Uint8Array[] = [];
  #sent: Uint8Array[] = [];
  #isOpen = true;

  constructor(batch: Batch) {
    this.batch = batch;
  }

  /** Puts packets behind those that wait. @throws RangeError when one is empty or longer than a slot of the batch */
  push(...packets: readonly Uint8Array[]): void {
    const { at } = this.batch;
    const stride = (at[1] ?? STRIDE + HEADROOM) - (at[0] ?? 0);
    const most = Math.min(PACKET_MAX, stride - HEADROOM);
    for (const packet of packets) {
      if (packet.length === 0 || packet.length > most) {
        throw new RangeError(`packet: expected 1 to ${most} octets, found ${packet.length}`);
      }
    }
    this.#waiting.push(...packets);
  }

  /** What was sent since the last call, in order. */
  take(): readonly Uint8Array[] {
    const sent = this.#sent;
    this.#sent = [];
    return sent;
  }

  readBatch(): number {
    this.#assertOpen();
    const { at, buf, capacity, lengths } = this.batch;
    const packets = this.#waiting.splice(0, capacity);
    for (const [slot, packet] of packets.entries()) {
      buf.set(packet, at[slot]);
      lengths[slot] = packet.length;
    }
    this.batch.count = packets.length;
    return packets.length;
  }

  writeBatch(): number {
    this.#assertOpen();
    const { buf, output, outputs } = this.batch;
    let written = 0;
    for (let slot = 0; slot < outputs; slot++) {
      const word = slot * OUTPUT_WORDS;
      const [headAt = 0, headLen = 0, bodyAt = 0, bodyLen = 0] = output.subarray(word, word + OUTPUT_WORDS);
      if (headLen === 0) continue;
      const packet = new Uint8Array(headLen + bodyLen);
      packet.set(buf.subarray(headAt, headAt + headLen));
      packet.set(buf.subarray(bodyAt, bodyAt + bodyLen), headLen);
      this.#sent.push(packet);
      written++;
    }
    return written;
  }

  wait(): WaitResult {
    this.#assertOpen();
    return this.#waiting.length > 0 ? READABLE : TIMEOUT;
  }

  close(): void {
    this.#isOpen = false;
    this.#waiting = [];
  }

  #assertOpen(): void {
    if (!this.#isOpen) throw Object.assign(new Error('the packet device is closed'), { code: 'EBADF' });
  }
}
