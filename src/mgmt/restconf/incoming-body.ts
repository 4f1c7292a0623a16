/** Takes a request body from the connection, within its limit: short ones whole, long ones of configuration read while they come. */

import type { Readable } from 'node:stream';
import type { LongBody } from './body.ts';
import { RestconfFault } from './fault.ts';
import { LIMITS } from './limits.ts';

export interface BodyOptions {
  /** Octets it may have. */
  readonly limit: number;
  /** As announced by the client, NaN when it was not. */
  readonly contentLength: number;
  /** What a long body is read by; without it, it is kept whole. */
  readonly long?: () => LongBody;
}

/**
 * The body when all of it has come.
 * @throws RestconfFault 413 above the limit, 400 when it is not as long as announced; the error of the connection, with status 400
 */
export function takeBody(
  payload: Readable,
  { limit, contentLength, long }: BodyOptions,
): Promise<Uint8Array | LongBody> {
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = [];
    let length = 0;
    let body: LongBody | undefined;
    const leave = () => payload.off('data', onData).off('end', onEnd).off('error', onError);
    const onData = (octets: Buffer) => {
      length += octets.length;
      if (length > limit) {
        leave();
        reject(tooLarge());
      } else if (body) body.feed.push(octets);
      else {
        pieces.push(octets);
        if (!long || length < LIMITS.bulkOctets) return;
        body = long();
        for (const piece of pieces.splice(0)) body.feed.push(piece);
      }
    };
    const onError = (error: Error) => {
      leave();
      reject(Object.assign(error, { statusCode: 400 }));
    };
    const onEnd = () => {
      leave();
      if (!Number.isNaN(contentLength) && length !== contentLength) reject(otherLength(contentLength, length));
      else resolve(body ?? Buffer.concat(pieces, length));
    };
    if (contentLength > limit) reject(tooLarge());
    else payload.on('data', onData).on('end', onEnd).on('error', onError);
  });
}

function tooLarge(): RestconfFault {
  return new RestconfFault(413, 'too-big', { type: 'transport', message: 'the request body is larger than allowed' });
}

function otherLength(announced: number, came: number): RestconfFault {
  const message = `the request announced a body of ${announced} octets, ${came} came`;
  return new RestconfFault(400, 'malformed-message', { type: 'transport', message });
}
