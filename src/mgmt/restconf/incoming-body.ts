/**
 * Takes a request body from the connection, within its limits of length, time and memory: short ones whole, long ones of configuration
 * read while they come.
 */

import type { Readable } from 'node:stream';
import type { LongBody } from './body.ts';
import { RestconfFault } from './fault.ts';
import type { HeldBody } from './held-bodies.ts';
import { LIMITS } from './limits.ts';

export interface BodyOptions {
  /** Octets it may have. */
  readonly limit: number;
  /** As announced by the client, NaN when it was not. */
  readonly contentLength: number;
  /** Milliseconds until it must be whole. */
  readonly timeMs: number;
  /** Counts the memory that it takes, and gives it up by the function. */
  readonly hold: (giveUp: () => void) => HeldBody;
  /** What a long body is read by; without it, it is kept whole. */
  readonly long?: () => LongBody;
}

type Settle = (result: Uint8Array | LongBody | Error) => void;

/**
 * The body when all of it has come.
 * @throws RestconfFault 413 above the limit, 408 when it is late, 409 resource-denied when it was given up, 400 when it is not as long as
 *   announced, or was broken off; the error of the connection, with status 400. The first three end a connection of HTTP/1.1
 */
export function takeBody(payload: Readable, options: BodyOptions): Promise<Uint8Array | LongBody> {
  if (options.contentLength > options.limit) return Promise.reject(tooLarge());
  // The client may be gone since its header came: nothing would tell of an end, and nothing end what is held.
  if (isBrokenOff(payload)) return Promise.reject(brokenOff());
  return new Promise((resolve, reject) => {
    collect(payload, options, (result) => (result instanceof Error ? reject(result) : resolve(result)));
  });
}

function collect(payload: Readable, { limit, contentLength, timeMs, hold, long }: BodyOptions, done: Settle): void {
  const pieces: Buffer[] = [];
  let length = 0;
  let body: LongBody | undefined;
  // Called by what is held, when it is too much: what comes behind is not looked at.
  const settle: Settle = (result) => {
    clearTimeout(timer);
    payload.off('data', onData).off('end', onEnd).off('error', onError);
    if (result instanceof Error) {
      pieces.length = 0;
      body = undefined;
    }
    done(result);
  };
  const held = hold(() => settle(givenUp()));
  const timer = setTimeout(() => settle(late(timeMs)), timeMs);
  const onData = (octets: Buffer) => {
    length += octets.length;
    if (length > limit) return settle(tooLarge());
    if (body) body.feed.push(octets);
    else {
      pieces.push(octets);
      if (long && length >= LIMITS.bulkOctets) {
        body = long();
        for (const piece of pieces.splice(0)) body.feed.push(piece);
      }
    }
    held.note(body?.feed.held ?? length);
  };
  const onError = (error: Error) => settle(Object.assign(error, { statusCode: 400 }));
  const onEnd = () => {
    if (isBrokenOff(payload)) return settle(brokenOff());
    held.whole();
    const isOther = !Number.isNaN(contentLength) && length !== contentLength;
    settle(isOther ? otherLength(contentLength, length) : (body ?? Buffer.concat(pieces, length)));
  };
  payload.on('data', onData).on('end', onEnd).on('error', onError);
}

/** Of HTTP/2 a body that its client breaks off ends for Node as a whole one does. */
function isBrokenOff(payload: Readable): boolean {
  return payload.destroyed || ('aborted' in payload && payload.aborted === true);
}

function brokenOff(): RestconfFault {
  const message = 'the request was broken off before its body was whole';
  return new RestconfFault(400, 'malformed-message', { type: 'transport', message });
}

/** What was not read to its end leaves nothing of HTTP/1.1 to go on with. */
const CLOSE = { connection: 'close' };

function tooLarge(): RestconfFault {
  const message = 'the request body is larger than allowed';
  return new RestconfFault(413, 'too-big', { type: 'transport', message }, CLOSE);
}

function late(timeMs: number): RestconfFault {
  const message = `the request body did not come whole within ${timeMs} ms`;
  return new RestconfFault(408, 'operation-failed', { type: 'transport', message }, CLOSE);
}

function givenUp(): RestconfFault {
  const message =
    'the request bodies of this connection, of its source or of all take too much memory, and this was the largest: try again later, or send less at a time';
  return new RestconfFault(409, 'resource-denied', { type: 'transport', message }, CLOSE);
}

function otherLength(announced: number, came: number): RestconfFault {
  const message = `the request announced a body of ${announced} octets, ${came} came`;
  return new RestconfFault(400, 'malformed-message', { type: 'transport', message });
}
