/** The packets of a queue as a Duplex in object mode: each chunk is one whole packet from its IP header on. */

import { Duplex } from 'node:stream';
import { native, type WatchHandle } from './native.ts';
import type { TunQueue } from './queue.ts';

export class PacketStream extends Duplex {
  readonly #read: () => Uint8Array | undefined;
  readonly #send: (packet: Uint8Array) => boolean;
  readonly #watch: WatchHandle;

  /** Over an open queue; `read` and `send` take one packet each. */
  constructor(queue: TunQueue, read: () => Uint8Array | undefined, send: (packet: Uint8Array) => boolean) {
    super({ objectMode: true, allowHalfOpen: false });
    this.#read = read;
    this.#send = send;
    this.#watch = native().watch(queue.descriptor, () => this.#fill());
  }

  override _read(): void {
    native().arm(this.#watch);
  }

  override _write(packet: Uint8Array, _encoding: string, done: (error?: Error) => void): void {
    try {
      // A packet the kernel refuses is lost, as on any wire.
      this.#send(packet);
      done();
    } catch (error) {
      done(asError(error));
    }
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    native().unwatch(this.#watch);
    done(error);
  }

  #fill(): void {
    if (this.destroyed) return;
    try {
      for (let packet = this.#read(); packet; packet = this.#read()) {
        if (!this.push(packet)) return;
      }
      native().arm(this.#watch);
    } catch (error) {
      this.destroy(asError(error));
    }
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
