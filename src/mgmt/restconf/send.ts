/**
 * Sends replies. A small body goes out whole, with its length; a large one is made while it is sent: nothing more is
 * made than the connection takes, and when the client goes away, the making ends and with it the reading.
 */

import { constants } from 'node:http2';
import { Readable } from 'node:stream';
import { tellDamage } from '../../state/damage.ts';
import type { Piece } from '../pause.ts';
import { LIMITS } from './limits.ts';
import { Outbox } from './outbox.ts';
import type { Reply } from './reply.ts';

const SLICE_MS = 10;

/** A connection as far as it is needed here. */
export interface Connection {
  readonly destroyed: boolean;
  once(event: 'close', listener: () => void): unknown;
}

/** The part of Node's response that is needed. */
interface Response {
  writeHead(status: number, headers: Readonly<Record<string, string>>): unknown;
  end(text: string, encoding: 'utf8'): unknown;
  /** Of HTTP/2. */
  readonly stream?: { readonly closed: boolean; close(code: number): void };
}

/** The part of fastify's reply that is needed, whatever the HTTP version. */
export interface Sender {
  readonly request: { readonly raw: { readonly httpVersionMajor: number; readonly socket: Connection } };
  readonly raw: Response;
  /** From here on the answer is sent by way of `raw`. */
  hijack(): unknown;
  code(status: number): unknown;
  headers(headers: Readonly<Record<string, string>>): unknown;
  send(payload?: unknown): unknown;
}

/**
 * A small body that waits for nothing is sent when this returns, without a promise. `unreadMs`: how long a client may leave a large
 * body unread. What comes back is for fastify, which waits for the end of a stream.
 * @throws whatever making the first part of the body throws; after that, a failure breaks the connection off
 */
export function send(sender: Sender, reply: Reply, unreadMs: number = LIMITS.unreadMs): unknown {
  const { body = '', close, stream } = reply;
  if (typeof body !== 'string') return sendPieces(sender, reply, body, unreadMs);
  close?.();
  if (!stream) return sendText(sender, reply, body);
  begin(sender, reply);
  return sender.send(endWithConnection(sender, stream));
}

function begin(sender: Sender, { status, headers }: Reply): void {
  sender.code(status);
  sender.headers(headers);
}

function sendText(sender: Sender, reply: Reply, text: string): undefined {
  if (text === '') {
    begin(sender, reply);
    sender.send();
    return;
  }
  const { raw } = sender;
  // Past fastify, which has nothing to add: header and text leave as one, and no charset is added, which these media types do not have.
  raw.writeHead(reply.status, { ...reply.headers, 'content-length': String(Buffer.byteLength(text, 'utf8')) });
  // Until then it sees to what is thrown.
  sender.hijack();
  if (raw.stream) raw.end(text, 'utf8');
  else outbox.put(raw, text);
}

const outbox = new Outbox();

function sendPieces(sender: Sender, reply: Reply, body: Iterable<Piece>, unreadMs: number): unknown {
  const once = closeOnce(reply.close);
  const pieces = gather(body);
  const begun: string[] = [];
  const go = (isWhole: boolean) => {
    if (isWhole) {
      once();
      return sendText(sender, reply, begun.join(''));
    }
    begin(sender, reply);
    return sender.send(endWithConnection(sender, streamOf(begun, pieces, once, unreadMs)));
  };
  const fail = (error: unknown): never => {
    once();
    throw error;
  };
  let isWhole: boolean | Promise<boolean>;
  try {
    isWhole = readTwo(pieces, begun);
  } catch (error) {
    return fail(error);
  }
  return isWhole instanceof Promise ? isWhole.then(go, fail) : go(isWhole);
}

/** Reads two pieces into `begun`; whether these are all. @throws what making them throws */
function readTwo(pieces: Iterator<Piece, undefined>, begun: string[]): boolean | Promise<boolean> {
  while (begun.length < 2) {
    const { value, done = false } = pieces.next();
    if (value instanceof Promise) return value.then(() => readTwo(pieces, begun));
    if (done) return true;
    if (value !== undefined) begun.push(value);
  }
  return false;
}

function streamOf(
  begun: readonly string[],
  rest: Generator<Piece, undefined>,
  close: () => void,
  unreadMs: number,
): Readable {
  // Each piece is asked for when the client has taken about as much before.
  async function* all(): AsyncGenerator<string> {
    yield* begun;
    let began = performance.now();
    try {
      for (const piece of rest) {
        deadline.refresh();
        if (piece instanceof Promise) await piece;
        else yield piece;
        // A client that reads as fast as this is made must not hold up the others.
        if (performance.now() - began < SLICE_MS) continue;
        await new Promise((resolve) => setImmediate(resolve));
        began = performance.now();
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
    rest.return(undefined);
    close();
  });
  return stream;
}

/** Bodies that are sent or wait for their turn, by connection. */
const unsent = new WeakMap<Connection, Set<Readable>>();

/**
 * Ends a body with its connection: Node closes none of HTTP/1.1 whose turn in a pipeline has not come, and tells nobody of a stream of
 * HTTP/2 that was over before.
 */
function endWithConnection({ request, raw }: Sender, stream: Readable): Readable {
  const { httpVersionMajor, socket } = request.raw;
  if (raw.stream?.closed) return stream.destroy();
  // Without a code of its own a stream that breaks off would end as a whole one does (RFC 9113 §8.1).
  if (httpVersionMajor !== 1) return stream.once('error', () => raw.stream?.close(constants.NGHTTP2_INTERNAL_ERROR));
  if (socket.destroyed) return stream.destroy();
  const bodies = unsent.get(socket) ?? bodiesOf(socket);
  bodies.add(stream);
  return stream.once('close', () => bodies.delete(stream));
}

function bodiesOf(connection: Connection): Set<Readable> {
  const bodies = new Set<Readable>();
  unsent.set(connection, bodies);
  connection.once('close', () => {
    for (const body of bodies) body.destroy();
  });
  return bodies;
}

/** The same text in pieces of at least LIMITS.chunkCharacters, the last one apart; what is to be waited for in between. */
function* gather(body: Iterable<Piece>): Generator<Piece, undefined> {
  let pending = '';
  for (const piece of body) {
    if (piece instanceof Promise) {
      yield piece;
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
