/**
 * Sends replies. A small body goes out whole, with its length; a large one is made while it is sent: nothing more is
 * made than the connection takes, and when the client goes away, the making ends and with it the reading.
 */

import { Readable } from 'node:stream';
import { tellDamage } from '../../state/damage.ts';
import type { Piece } from '../pause.ts';
import { LIMITS } from './limits.ts';
import type { Reply } from './reply.ts';

/** The part of fastify's reply that is needed, whatever the HTTP version. */
export interface Sender {
  code(status: number): unknown;
  headers(headers: Readonly<Record<string, string>>): unknown;
  send(payload?: unknown): unknown;
}

/**
 * `unreadMs`: how long a client may leave a large body unread.
 * @throws whatever making the first part of the body throws; after that, a failure breaks the connection off
 */
export async function send(sender: Sender, reply: Reply, unreadMs: number = LIMITS.unreadMs): Promise<unknown> {
  const { status, headers, body, close } = reply;
  if (reply.stream) {
    sender.code(status);
    sender.headers(headers);
    return sender.send(reply.stream);
  }
  const once = closeOnce(close);
  const pieces = gather(body ?? []);
  let first: IteratorResult<string>;
  let second: IteratorResult<string>;
  try {
    first = await pieces.next();
    second = first.done ? first : await pieces.next();
  } catch (error) {
    once();
    throw error;
  }
  sender.code(status);
  sender.headers(headers);
  if (second.done) {
    once();
    // As octets: to a string fastify would add a charset, which these media types do not have.
    return first.done ? sender.send() : sender.send(Buffer.from(first.value, 'utf8'));
  }
  return sender.send(streamOf([first.value ?? '', second.value], pieces, once, unreadMs));
}

function streamOf(
  begun: readonly string[],
  rest: AsyncIterator<string>,
  close: () => void,
  unreadMs: number,
): Readable {
  // Each piece is asked for when the client has taken about as much before.
  async function* all(): AsyncGenerator<string> {
    yield* begun;
    try {
      for (let next = await rest.next(); !next.done; next = await rest.next()) {
        deadline.refresh();
        yield next.value;
      }
    } catch (error) {
      tellDamage(error);
      throw error;
    }
  }
  const stream = Readable.from(all(), { objectMode: false, highWaterMark: LIMITS.chunkCharacters });
  const deadline = setTimeout(() => {
    stream.destroy(new Error(`the client left its answer unread for ${unreadMs} ms`));
  }, unreadMs);
  stream.once('close', () => {
    clearTimeout(deadline);
    void rest.return?.();
    close();
  });
  return stream;
}

/** The same text in pieces of at least LIMITS.chunkCharacters, the last one apart. */
async function* gather(body: Iterable<Piece>): AsyncGenerator<string, undefined> {
  let pending = '';
  for (const piece of body) {
    if (piece instanceof Promise) {
      await piece;
      continue;
    }
    pending += piece;
    if (pending.length < LIMITS.chunkCharacters) continue;
    yield pending;
    pending = '';
  }
  if (pending !== '') yield pending;
  return undefined;
}

function closeOnce(close: (() => void) | undefined): () => void {
  let isClosed = false;
  return () => {
    if (!isClosed) close?.();
    isClosed = true;
  };
}
