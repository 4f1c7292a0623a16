/** A TUN device for everyday use: open it, give it addresses, bring it up, read and write packets. */

import { isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import { native } from './native.ts';
import { PacketStream } from './packet-stream.ts';
import { type QueueOptions, TunQueue } from './queue.ts';

const PACKET_MAX = 65_535;
/** What the kernel gives an IPv6 device by itself. */
const LINK_LOCAL = /^fe[89ab]/;

/** Everything but `open`, `isOpen` and `release` fails with code EBADF while the device is not open. */
export class Tun {
  readonly #options: QueueOptions;
  #queue: TunQueue | undefined;
  #stream: PacketStream | undefined;
  readonly #arena = new Uint8Array(PACKET_MAX);
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
    return native().getMtu(this.name);
  }

  /** In octets, 68 to 65,535. */
  set mtu(mtu: number) {
    native().setMtu(this.name, mtu);
  }

  get isUp(): boolean {
    return native().getUp(this.name);
  }

  set isUp(up: boolean) {
    native().setUp(this.name, up);
  }

  /** The IPv4 address with its prefix length, `192.0.2.1/24`; '' when there is none. */
  get ipv4(): string {
    return native().getAddresses(this.name, 4)[0] ?? '';
  }

  set ipv4(text: string) {
    const [address, length] = splitAddress(text, 4);
    native().setIpv4(this.name, address, length);
  }

  /** All IPv6 addresses with their prefix lengths, the kernel's own link-local one included. */
  get ipv6(): readonly string[] {
    return native().getAddresses(this.name, 6);
  }

  /** Makes the addresses these (one, or several); a link-local one of the kernel stays. */
  set ipv6(addresses: string | readonly string[]) {
    const wanted = typeof addresses === 'string' ? [addresses] : addresses;
    for (const text of wanted) splitAddress(text, 6);
    for (const text of this.ipv6) if (!LINK_LOCAL.test(text)) this.removeIpv6(text);
    for (const text of wanted) this.addIpv6(text);
  }

  /** Adds an address; one that is there already stays. */
  addIpv6(text: string): void {
    native().changeIpv6(this.name, ...splitAddress(text, 6), false);
  }

  removeIpv6(text: string): void {
    native().changeIpv6(this.name, ...splitAddress(text, 6), true);
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

  /**
   * The packets as a Duplex, each chunk a Uint8Array with one packet; the same stream until it is destroyed. `release`
   * destroys it.
   */
  packets(): Duplex {
    const queue = this.#opened();
    if (!this.#stream || this.#stream.destroyed) {
      this.#stream = new PacketStream(
        queue,
        () => this.read(),
        (packet) => this.write(packet),
      );
    }
    return this.#stream;
  }

  /** Closes the device, which goes unless it is persistent; a second time does nothing. */
  release(): void {
    this.#stream?.destroy();
    this.#stream = undefined;
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

function splitAddress(text: string, family: 4 | 6): readonly [string, number] {
  const most = family === 4 ? 32 : 128;
  const [address = '', digits = ''] = text.split('/');
  if (isIP(address) === family && /^\d{1,3}$/.test(digits) && Number(digits) <= most) return [address, Number(digits)];
  throw new RangeError(`IPv${family} address: expected ADDRESS/LENGTH with a length up to ${most}, found '${text}'`);
}
