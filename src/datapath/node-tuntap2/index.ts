/**
 * Linux TUN devices for Node.js: an everyday device (`Tun`) and the queue of an engine (`TunQueue`). The native part is
 * build/Release/node_tuntap2.node; it works in worker threads, each with its own queues.
 *
 * System calls that fail throw an Error with `code` (EPERM, ENODEV ...), `syscall` and `device`; its message says what to
 * do. Anything on a device that is not open fails with EBADF.
 */

import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

declare const queueBrand: unique symbol;
interface QueueHandle {
  readonly [queueBrand]: true;
}

interface Native {
  open(name: string, descriptor: number, persist: boolean): QueueHandle;
  name(queue: QueueHandle): string;
  wakeDescriptor(queue: QueueHandle): number;
  setPersist(queue: QueueHandle, persist: boolean): void;
  attach(queue: QueueHandle, arena: Uint8Array, lengths: Int32Array, outputs: Int32Array): void;
  readBatch(queue: QueueHandle, first: number, stride: number, capacity: number, max: number): number;
  writeBatch(queue: QueueHandle, count: number): number;
  wait(queue: QueueHandle, timeoutMs: number): number;
  wake(descriptor: number): void;
  close(queue: QueueHandle): void;
  getMtu(name: string): number;
  setMtu(name: string, mtu: number): void;
  getUp(name: string): boolean;
  setUp(name: string, up: boolean): void;
  getAddresses(name: string, family: 4 | 6): string[];
  setIpv4(name: string, address: string, length: number): void;
  changeIpv6(name: string, address: string, length: number, remove: boolean): void;
}

function isNative(value: unknown): value is Native {
  return typeof value === 'object' && value !== null && 'readBatch' in value;
}

function loadAddon(): Native {
  const path = fileURLToPath(new URL('../build/Release/node_tuntap2.node', import.meta.url));
  if (!existsSync(path)) {
    const message = `The addon node-tuntap2 is not built (expected ${path}): run \`npm run build:native\`.`;
    throw Object.assign(new Error(message), { code: 'ADDON_MISSING' });
  }
  const loaded: { exports: unknown } = { exports: {} };
  process.dlopen(loaded, path);
  if (!isNative(loaded.exports)) throw new Error(`${path} is not the addon node-tuntap2`);
  return loaded.exports;
}

const native = loadAddon();

/** Results of `TunQueue.wait`. */
export const TIMEOUT = 0;
export const READABLE = 1;
export const WOKEN = 2;

export interface QueueOptions {
  /** At most 15 characters; `%d` in it takes the first free number. */
  readonly name: string;
  /** An open descriptor of /dev/net/tun that is attached to nothing yet, for a process that may not open the file. */
  readonly descriptor?: number | undefined;
  /** Whether the device stays when its last queue is closed. */
  readonly persist?: boolean | undefined;
}

/** One queue of a multi-queue TUN device (IFF_TUN, IFF_NO_PI, IFF_MULTI_QUEUE), never blocking but in `wait`. */
export class TunQueue {
  readonly #queue: QueueHandle;

  private constructor(queue: QueueHandle) {
    this.#queue = queue;
  }

  /** Opens a queue; the device is made when there is none of that name. */
  static open({ name, descriptor, persist }: QueueOptions): TunQueue {
    if (name.length === 0 || name.length > 15) {
      throw new RangeError(`name of a device: expected 1 to 15 characters, found '${name}'`);
    }
    return new TunQueue(native.open(name, descriptor ?? -1, persist ?? false));
  }

  get name(): string {
    return native.name(this.#queue);
  }

  /** For `wake` from another thread. */
  get wakeDescriptor(): number {
    return native.wakeDescriptor(this.#queue);
  }

  set persist(persist: boolean) {
    native.setPersist(this.#queue, persist);
  }

  /**
   * The memory that batches use from now on, kept alive by the queue: packets lie in `arena`, `lengths` takes one word a
   * packet read, `outputs` four a packet to write.
   */
  attach(arena: Uint8Array, lengths: Int32Array, outputs: Int32Array): void {
    native.attach(this.#queue, arena, lengths, outputs);
  }

  /**
   * Reads at most `max` packets that wait: packet k to `first + k * stride` of the arena, at most `capacity` octets of it,
   * its length to lengths[k]. Returns how many. @throws RangeError outside the attached memory
   */
  readBatch(first: number, stride: number, capacity: number, max: number): number {
    return native.readBatch(this.#queue, first, stride, capacity, max);
  }

  /**
   * Writes `count` packets: outputs[4k] and [4k+1] are offset and length of the head (length 0: skipped), [4k+2] and [4k+3]
   * of the body (length 0: none). Returns how many the kernel took; of the others outputs[4k+1] becomes -errno.
   */
  writeBatch(count: number): number {
    return native.writeBatch(this.#queue, count);
  }

  /** Blocks the calling thread until READABLE or WOKEN, or TIMEOUT after so many milliseconds (-1: never). */
  wait(timeoutMs: number): number {
    return native.wait(this.#queue, timeoutMs);
  }

  /** Ends a `wait` of this queue. */
  wake(): void {
    native.wake(this.wakeDescriptor);
  }

  /** Closes the queue; a second time does nothing. */
  close(): void {
    native.close(this.#queue);
  }
}

/** Ends the `wait` of the queue with that wake descriptor, from any thread of this process. */
export function wake(wakeDescriptor: number): void {
  native.wake(wakeDescriptor);
}

/** A TUN device for everyday use: open it, give it addresses, bring it up, read and write single packets. */
export class Tun {
  readonly #options: QueueOptions;
  #queue: TunQueue | undefined;
  readonly #arena = new Uint8Array(65_536);
  readonly #lengths = new Int32Array(1);
  readonly #outputs = new Int32Array(4);

  constructor(options: Partial<QueueOptions> = {}) {
    this.#options = { name: 'tun%d', ...options };
  }

  /** Makes the device or attaches to it. @throws Error with code EALREADY when it is open */
  open(): this {
    if (this.#queue) throw this.#fault('EALREADY', 'is open already');
    this.#queue = TunQueue.open(this.#options);
    this.#queue.attach(this.#arena, this.#lengths, this.#outputs);
    return this;
  }

  get isOpen(): boolean {
    return this.#queue !== undefined;
  }

  /** The name the kernel gave. */
  get name(): string {
    return this.#opened().name;
  }

  get mtu(): number {
    return native.getMtu(this.name);
  }

  /** In octets, 68 to 65,535. */
  set mtu(mtu: number) {
    native.setMtu(this.name, mtu);
  }

  get isUp(): boolean {
    return native.getUp(this.name);
  }

  set isUp(up: boolean) {
    native.setUp(this.name, up);
  }

  /** The IPv4 address with its prefix length, `192.0.2.1/24`; '' when there is none. */
  get ipv4(): string {
    return native.getAddresses(this.name, 4)[0] ?? '';
  }

  set ipv4(text: string) {
    const [address, length] = splitAddress(text, 32);
    native.setIpv4(this.name, address, length);
  }

  /** All IPv6 addresses with their prefix lengths, the kernel's own link-local one included. */
  get ipv6(): readonly string[] {
    return native.getAddresses(this.name, 6);
  }

  addIpv6(text: string): void {
    native.changeIpv6(this.name, ...splitAddress(text, 128), false);
  }

  removeIpv6(text: string): void {
    native.changeIpv6(this.name, ...splitAddress(text, 128), true);
  }

  /** One packet that waits, from its IP header on; undefined when there is none. */
  read(): Uint8Array | undefined {
    const count = this.#opened().readBatch(0, 0, this.#arena.length, 1);
    return count === 0 ? undefined : this.#arena.slice(0, this.#lengths[0]);
  }

  /** Hands one packet to the kernel; whether it took it. */
  write(packet: Uint8Array): boolean {
    const queue = this.#opened();
    if (packet.length === 0 || packet.length > this.#arena.length) {
      throw new RangeError(`packet: expected 1 to ${this.#arena.length} octets, found ${packet.length}`);
    }
    this.#arena.set(packet);
    this.#outputs.set([0, packet.length, 0, 0]);
    return queue.writeBatch(1) === 1;
  }

  /** Closes the device, which goes unless it is persistent; a second time does nothing. */
  release(): void {
    this.#queue?.close();
    this.#queue = undefined;
  }

  #opened(): TunQueue {
    if (!this.#queue) throw this.#fault('EBADF', 'is not open: call open() first');
    return this.#queue;
  }

  #fault(code: string, what: string): Error {
    const device = this.#options.name;
    return Object.assign(new Error(`${device} ${what}`), { code, syscall: 'open', device });
  }
}

function splitAddress(text: string, most: number): readonly [string, number] {
  const [address = '', digits = ''] = text.split('/');
  if (address !== '' && /^\d{1,3}$/.test(digits) && Number(digits) <= most) return [address, Number(digits)];
  throw new RangeError(`address: expected ADDRESS/LENGTH with a length up to ${most}, found '${text}'`);
}
