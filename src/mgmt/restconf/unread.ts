/**
 * What a client leaves lying of what is on its way to it: on its connection, which the system takes no more of, and on each stream of
 * HTTP/2, whose window it may hold shut while the connection goes on (RFC 9113 §5.2).
 */

import type { ServerHttp2Stream } from 'node:http2';
import { constants } from 'node:http2';
import type { Socket } from 'node:net';

/** For how long nothing was taken of what waits. */
class Standstill {
  #sinceMs: number | undefined;

  /** To be told now and then; the milliseconds so far. */
  lasts(isStill: boolean, now: number): number {
    if (isStill) this.#sinceMs ??= now;
    else this.#sinceMs = undefined;
    return this.#sinceMs === undefined ? 0 : now - this.#sinceMs;
  }
}

/** A TCP connection. */
export class UnreadSocket {
  readonly #socket: Socket;
  readonly #still = new Standstill();
  #taken = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** To be asked now and then: for how many milliseconds something waits of which the system takes nothing. */
  lasts(now: number): number {
    const waiting = handleNumber(this.#socket, 'writeQueueSize') ?? 0;
    const taken = (handleNumber(this.#socket, 'bytesWritten') ?? 0) - waiting;
    const isStill = waiting > 0 && taken === this.#taken;
    this.#taken = taken;
    return this.#still.lasts(isStill, now);
  }
}

/** What Node tells of a socket by its handle alone. */
export function handleNumber(socket: Socket, name: 'writeQueueSize' | 'bytesWritten'): number | undefined {
  const handle: unknown = Reflect.get(socket, '_handle');
  const value: unknown = typeof handle === 'object' && handle !== null ? Reflect.get(handle, name) : undefined;
  return typeof value === 'number' ? value : undefined;
}

class UnreadStream {
  readonly #stream: ServerHttp2Stream;
  readonly #still = new Standstill();
  #waiting = 0;
  #hasDrained = false;

  constructor(stream: ServerHttp2Stream) {
    this.#stream = stream;
    // What is filled up as it is taken may have the same length at each look.
    stream.on('drain', () => {
      this.#hasDrained = true;
    });
  }

  lasts(now: number): number {
    const waiting = this.#stream.writableLength;
    const isStill = waiting > 0 && waiting >= this.#waiting && !this.#hasDrained;
    this.#waiting = waiting;
    this.#hasDrained = false;
    return this.#still.lasts(isStill, now);
  }
}

/** The streams of a connection of HTTP/2 whose requests are not answered to their end. */
export class UnreadStreams {
  /** Most are over before they are looked at. */
  readonly #open = new Map<ServerHttp2Stream, UnreadStream | undefined>();

  add(stream: ServerHttp2Stream): void {
    this.#open.set(stream, undefined);
  }

  delete(stream: ServerHttp2Stream): void {
    this.#open.delete(stream);
  }

  /** Ends those of which nothing was taken for so long; to be called now and then. */
  endOverdue(now: number, unreadMs: number): void {
    for (const [stream, known] of this.#open) {
      const unread = known ?? new UnreadStream(stream);
      if (!known) this.#open.set(stream, unread);
      // With a code, or an answer that is not whole would look so.
      if (unread.lasts(now) > unreadMs) stream.close(constants.NGHTTP2_CANCEL);
    }
  }
}
