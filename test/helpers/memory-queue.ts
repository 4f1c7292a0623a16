/** A queue of a device with offloads, in memory: packets with their headers in and out, as hexadecimal text. */

import { Batch } from '../../src/datapath/batch.ts';
import type { Allocate } from '../../src/datapath/memory.ts';
import type { GatheringQueue, QueueMemory } from '../../src/datapath/offload/offload-device.ts';
import { DEVICE_OCTETS, OffloadDevice } from '../../src/datapath/offload/offload-device.ts';
import { READABLE, STRIDE, TIMEOUT } from '../../src/datapath/packet-device.ts';

const ENOBUFS = 105;

/** What was written at once, and where each of its pieces lay. */
export interface WrittenMessage {
  readonly text: string;
  readonly pieces: readonly number[];
}

export class MemoryQueue implements GatheringQueue {
  readonly waiting: string[] = [];
  readonly messages: WrittenMessage[] = [];
  /** Numbers of messages, from now on, that are refused. */
  readonly refused = new Set<number>();
  #memory: QueueMemory | undefined;
  #number = 0;

  get written(): readonly string[] {
    return this.messages.map(({ text }) => text);
  }

  attach(memory: QueueMemory): this {
    this.#memory = memory;
    return this;
  }

  readBatch(first: number, stride: number, capacity: number, max: number): number {
    const packets = this.waiting.splice(0, max);
    for (const [slot, packet] of packets.entries()) {
      const octets = Buffer.from(packet, 'hex').subarray(0, capacity);
      this.#memory?.arena.set(octets, first + slot * stride);
      this.#memory?.lengths.set([octets.length], slot);
    }
    return packets.length;
  }

  writeGathered(count: number): number {
    const { arena, pieces } = this.#memory ?? { arena: new Uint8Array(0), pieces: new Int32Array(0) };
    let word = 0;
    let written = 0;
    for (let message = 0; message < count; message++) {
      const number = pieces[word] ?? 0;
      const places = Array.from({ length: number }, (_, i) => pieces.subarray(word + 1 + 2 * i, word + 3 + 2 * i));
      const text = places
        .map(([at = 0, len = 0]) => Buffer.from(arena.subarray(at, at + len)).toString('hex'))
        .join('');
      if (this.refused.has(this.#number++)) pieces[word] = -ENOBUFS;
      else {
        this.messages.push({ text, pieces: places.map(([at = 0]) => at) });
        written++;
      }
      word += 1 + 2 * number;
    }
    return written;
  }

  wait(): typeof READABLE | typeof TIMEOUT {
    return this.waiting.length > 0 ? READABLE : TIMEOUT;
  }

  close(): void {
    this.waiting.length = 0;
  }
}

/** A device over such a queue, for batches of `capacity` packets in this memory. */
export function memoryOffloadDevice(
  capacity: number,
  allocate: Allocate,
): { readonly queue: MemoryQueue; readonly device: OffloadDevice } {
  const queue = new MemoryQueue();
  const device = new OffloadDevice(new Batch(capacity, STRIDE, DEVICE_OCTETS, allocate), (memory) =>
    queue.attach(memory),
  );
  return { queue, device };
}
