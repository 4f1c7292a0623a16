/**
 * Whether the library has given up a connection of HTTP/2 for a connection error: it has written a GOAWAY and reads no more (RFC 9113
 * §5.4.1). Of most errors it tells nobody, nor does it hear then that the client closes its end. What it still writes tells:
 *
 *   1. look        something was written since the look before: a PING is asked for
 *   2. next look   it has left, and the connection lives; or it has not, though all that was written is with the system
 *
 * A client answers the PING (§6.7). One from which nothing comes for long has vanished, which the system would find out after some
 * 15 minutes.
 */

import type { ServerHttp2Session } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import { handleNumber } from './unread.ts';

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
  readonly #silentMs: number;
  /** Octets that had come when a PING was asked for that nothing has answered yet, and when that was. */
  #unanswered: { readonly read: number; readonly sinceMs: number } | undefined;

  /** `silentMs`: how long nothing may come of a client that has a PING to answer. */
  constructor(session: ServerHttp2Session, socket: TLSSocket, silentMs: number) {
    this.#session = session;
    this.#socket = socket;
    this.#silentMs = silentMs;
  }

  /** To be asked now and then; true for good, at the second look at the latest that finds nothing else on its way. */
  look(now: number): boolean {
    if (this.#session.destroyed) return false;
    if (this.#unanswered && this.#socket.bytesRead !== this.#unanswered.read) this.#unanswered = undefined;
    if (this.#unanswered && now - this.#unanswered.sinceMs > this.#silentMs) return true;
    return !this.#isAsking && this.#hasEnded(now);
  }

  #hasEnded(now: number): boolean {
    const written = this.#socket.bytesWritten;
    const asked = this.#asked;
    if (asked !== undefined && written === asked) return unsent(this.#socket) === 0;
    if (asked !== undefined) this.#known = asked + PING_OCTETS;
    this.#asked = undefined;
    if (written !== this.#known) this.#ask(written, now);
    return false;
  }

  #ask(written: number, now: number): void {
    // False with many that are not answered.
    if (!this.#session.ping(() => undefined)) return;
    this.#unanswered ??= { read: this.#socket.bytesRead, sinceMs: now };
    this.#isAsking = true;
    // The library writes in a turn of its own, before this one.
    setImmediate(() => {
      this.#isAsking = false;
      this.#asked = written;
    });
  }
}

/** Octets that wait for the client to take some. */
function unsent(socket: TLSSocket): number {
  return handleNumber(socket, 'writeQueueSize') ?? Number.POSITIVE_INFINITY;
}
