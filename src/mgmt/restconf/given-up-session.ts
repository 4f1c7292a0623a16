/**
 * Whether the library has given up a connection of HTTP/2 for a connection error: it has written a GOAWAY and reads no more (RFC 9113
 * §5.4.1). Of most errors it tells nobody, nor does it hear then that the client closes its end. What it still writes tells:
 *
 *   1. look        something was written since the look before: a PING is asked for
 *   2. next look   it has left, and the connection lives; or it has not, though all that was written is with the system
 */

import type { ServerHttp2Session } from 'node:http2';
import type { TLSSocket } from 'node:tls';

/** Octets of a PING with its frame header (RFC 9113 §6.7). */
const PING_OCTETS = 17;

export class GivenUpSession {
  readonly #session: ServerHttp2Session;
  readonly #socket: TLSSocket;
  /** Octets written when nothing was left to be asked. */
  #known = 0;
  /** Octets that were written when a PING was asked for, once it has had its turn to leave. */
  #asked: number | undefined;
  #isAsking = false;

  constructor(session: ServerHttp2Session, socket: TLSSocket) {
    this.#session = session;
    this.#socket = socket;
  }

  /** To be asked now and then; true for good, at the second look at the latest that finds nothing else on its way. */
  look(): boolean {
    if (this.#session.destroyed || this.#isAsking) return false;
    const written = this.#socket.bytesWritten;
    const asked = this.#asked;
    if (asked !== undefined && written === asked) return unsent(this.#socket) === 0;
    if (asked !== undefined) this.#known = asked + PING_OCTETS;
    this.#asked = undefined;
    if (written !== this.#known) this.#ask(written);
    return false;
  }

  #ask(written: number): void {
    // False with many that are not answered.
    if (!this.#session.ping(() => undefined)) return;
    this.#isAsking = true;
    // The library writes in a turn of its own, before this one.
    setImmediate(() => {
      this.#isAsking = false;
      this.#asked = written;
    });
  }
}

/** Octets that wait for the client to take some; Node says it of nothing but the handle. */
function unsent(socket: TLSSocket): number {
  const handle: unknown = Reflect.get(socket, '_handle');
  const size: unknown =
    typeof handle === 'object' && handle !== null ? Reflect.get(handle, 'writeQueueSize') : undefined;
  return typeof size === 'number' ? size : Number.POSITIVE_INFINITY;
}
