/**
 * A queue of a TUN device as a PacketDevice, and the persistent devices themselves. With arena.ts the only
 * file of the datapath that knows node-tuntap2.
 *
 * A device has as many queues as workers open; the kernel keeps the packets of a flow on one of them. The device stays
 * when the process ends, so that its routes do.
 */

import { createPersistent, shortenSlice, TunQueue, wake } from 'node-tuntap2';
import { Batch, HEADROOM } from './batch.ts';
import type { Allocate } from './memory.ts';
import { DEVICE_OCTETS, OffloadDevice } from './offload/offload-device.ts';
import { PACKET_MAX, type PacketDevice, READABLE, STRIDE, TIMEOUT, type WaitResult, WOKEN } from './packet-device.ts';

export interface TunDeviceOptions {
  readonly name: string;
  /** An open descriptor of /dev/net/tun that is attached to nothing yet; the device takes it over. */
  readonly descriptor?: number | undefined;
}

/** One queue of a TUN device with the batch that it fills. */
export class TunDevice implements PacketDevice {
  readonly batch: Batch;
  readonly #queue: TunQueue;

  private constructor(queue: TunQueue, batch: Batch) {
    this.#queue = queue;
    this.batch = batch;
  }

  /**
   * Opens a queue for a batch of stride STRIDE. @throws Error with code, syscall and device when the system refuses;
   * RangeError when the batch has another stride
   */
  static open({ name, descriptor }: TunDeviceOptions, batch: Batch): TunDevice {
    if (batch.capacity > 1 && (batch.at[1] ?? 0) - (batch.at[0] ?? 0) !== STRIDE) {
      throw new RangeError(`batch of a TUN device: expected a stride of ${STRIDE} octets`);
    }
    const queue = TunQueue.open({ name, descriptor });
    queue.attach(batch.buf, batch.lengths, batch.output);
    return new TunDevice(queue, batch);
  }

  /** Of the queue, for a bench that reads and writes it by other means. */
  get descriptor(): number {
    return this.#queue.descriptor;
  }

  /** For `wakeTunDevice` from another thread. */
  get wakeDescriptor(): number {
    return this.#queue.wakeDescriptor;
  }

  readBatch(): number {
    const { batch } = this;
    batch.count = this.#queue.readBatch(HEADROOM, STRIDE, PACKET_MAX, batch.capacity);
    return batch.count;
  }

  writeBatch(): number {
    return this.#queue.writeBatch(this.batch.outputs);
  }

  wait(timeoutMs: number): WaitResult {
    return waitResult(this.#queue.wait(timeoutMs));
  }

  close(): void {
    this.#queue.close();
  }
}

function waitResult(result: number): WaitResult {
  return result === READABLE ? READABLE : result === WOKEN ? WOKEN : TIMEOUT;
}

/** A queue as a worker uses it, and what `wakeTunDevice` takes. */
export interface OpenedTun {
  readonly device: PacketDevice;
  readonly wakeDescriptor: number;
  /** Whether the kernel hands UDP over in super-packets, too. */
  readonly offloadsUdp: boolean;
}

/** Opens a queue with or without offloads, with a batch of `capacity` packets in this memory. @throws Error as `TunDevice.open` does */
export function openTun(
  options: TunDeviceOptions & { readonly offloads: boolean },
  capacity: number,
  allocate: Allocate,
): OpenedTun {
  if (!options.offloads) {
    const device = TunDevice.open(options, new Batch(capacity, STRIDE, 0, allocate));
    return { device, wakeDescriptor: device.wakeDescriptor, offloadsUdp: false };
  }
  const queue = TunQueue.open(options);
  const device = new OffloadDevice(
    new Batch(capacity, STRIDE, DEVICE_OCTETS, allocate),
    ({ arena, lengths, pieces }) => {
      queue.attach(arena, lengths, pieces);
      return {
        readBatch: (first, stride, most, max) => queue.readBatch(first, stride, most, max),
        writeGathered: (count) => queue.writeGathered(count),
        wait: (timeoutMs) => waitResult(queue.wait(timeoutMs)),
        close: () => queue.close(),
      };
    },
  );
  return { device, wakeDescriptor: queue.wakeDescriptor, offloadsUdp: queue.offloadsUdp };
}

/** Ends the `wait` of the device with that wake descriptor, from any thread of this process; nothing when it is closed. */
export function wakeTunDevice(wakeDescriptor: number): void {
  try {
    wake(wakeDescriptor);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EBADF')) throw error;
  }
}

export { shortenSlice };

/** Makes a TUN device that stays until it is removed; one that is there already is kept. @throws Error as `open` does */
export function createPersistentTun(name: string, descriptor?: number): void {
  createPersistent({ name, descriptor });
}
