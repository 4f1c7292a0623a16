/** One queue of a TUN device, for an engine: batches of packets in memory that stays attached. */

import { native, type QueueHandle } from './native.ts';

/** Results of `TunQueue.wait`. */
export const TIMEOUT = 0;
export const READABLE = 1;
export const WOKEN = 2;

/** Octets of the longest name of a device. */
const NAME_MAX = 15;

export interface QueueOptions {
  /** At most 15 octets; `%d` in it takes the first free number. */
  readonly name: string;
  /**
   * An open descriptor of /dev/net/tun that is attached to nothing yet, for a process that may not open the file. The queue
   * takes it over; when opening fails, it stays open.
   */
  readonly descriptor?: number | undefined;
  /** Whether the device stays when its last queue is closed. */
  readonly persist?: boolean | undefined;
  /**
   * Whether the kernel may leave checksums and segmentation (TCP over IPv4; UDP where it can) to the reader. Each packet read or
   * written then has a struct virtio_net_hdr_v1, 12 octets, before it. The same for all queues of a device.
   */
  readonly offloads?: boolean | undefined;
}

/** One queue of a multi-queue TUN device (IFF_TUN, IFF_NO_PI, IFF_MULTI_QUEUE), never blocking but in `wait`. */
export class TunQueue {
  readonly #queue: QueueHandle;

  private constructor(queue: QueueHandle) {
    this.#queue = queue;
  }

  /** Opens a queue; the device is made when there is none of that name. */
  static open({ name, descriptor, persist, offloads }: QueueOptions): TunQueue {
    const octets = Buffer.byteLength(name);
    if (octets === 0 || octets > NAME_MAX || name.includes('\0')) {
      throw new RangeError(`name of a device: expected 1 to ${NAME_MAX} characters, found '${name}'`);
    }
    return new TunQueue(native().open(name, descriptor ?? -1, persist ?? false, offloads ?? false));
  }

  get name(): string {
    return native().name(this.#queue);
  }

  /** The file descriptor; it stays the queue's. */
  get descriptor(): number {
    return native().descriptor(this.#queue);
  }

  /** For `wake` from another thread. */
  get wakeDescriptor(): number {
    return native().wakeDescriptor(this.#queue);
  }

  /** Whether the kernel leaves UDP to be cut as well: with offloads, from Linux 6.2 on. */
  get offloadsUdp(): boolean {
    return native().offloadsUdp(this.#queue);
  }

  set persist(persist: boolean) {
    native().setPersist(this.#queue, persist);
  }

  /**
   * The memory that batches use from now on, kept alive by the queue: packets lie in `arena`, `lengths` takes one word a
   * packet read, `outputs` four a packet to write. It may be shared between threads.
   */
  attach(arena: Uint8Array, lengths: Int32Array, outputs: Int32Array): void {
    native().attach(this.#queue, arena, lengths, outputs);
  }

  /**
   * Reads at most `max` packets that wait: packet k to `first + k * stride` of the arena, at most `capacity` octets of it (the rest
   * of a longer one is lost), its length to lengths[k]. Returns how many, 0 when none waits. @throws RangeError outside
   * the attached memory
   */
  readBatch(first: number, stride: number, capacity: number, max: number): number {
    return native().readBatch(this.#queue, first, stride, capacity, max);
  }

  /**
   * Writes `count` packets: outputs[4k] and [4k+1] are offset and length of the head (length 0: skipped), [4k+2] and [4k+3]
   * of the body (length 0: none). Returns how many the kernel took; of the others outputs[4k+1] becomes -errno.
   * @throws RangeError at the first packet outside the attached memory; those before it are written
   */
  writeBatch(count: number): number {
    return native().writeBatch(this.#queue, count);
  }

  /**
   * Writes `count` packets of any number of pieces up to 256: `outputs` holds for each, one behind the other, the number of its
   * pieces, then offset and length of each. Returns how many the kernel took; of the others the number becomes -errno.
   * @throws RangeError at the first packet outside the attached memory; those before it are written
   */
  writeGathered(count: number): number {
    return native().writeGathered(this.#queue, count);
  }

  /**
   * Blocks the calling thread until READABLE or WOKEN, or TIMEOUT after so many milliseconds (-1: without limit). A signal
   * may end it early with TIMEOUT. @throws Error code EBADFD when the device was removed
   */
  wait(timeoutMs: number): number {
    return native().wait(this.#queue, timeoutMs);
  }

  /** Ends the next `wait` of this queue, or the one under way. */
  wake(): void {
    native().wake(this.wakeDescriptor);
  }

  /** Closes the queue; a second time does nothing. */
  close(): void {
    native().close(this.#queue);
  }
}

/**
 * Ends the `wait` of the queue with that wake descriptor, from any thread of this process.
 * @throws Error code EBADF when the queue is closed
 */
export function wake(wakeDescriptor: number): void {
  native().wake(wakeDescriptor);
}

/** Makes a device that stays until it is removed; one that is there already becomes such a device. */
export function createPersistent(options: Omit<QueueOptions, 'persist'>): void {
  TunQueue.open({ ...options, persist: true }).close();
}

/** Removes a device that `createPersistent` made; it goes when the last queue is closed. */
export function removePersistent(options: Omit<QueueOptions, 'persist'>): void {
  const queue = TunQueue.open(options);
  queue.persist = false;
  queue.close();
}
