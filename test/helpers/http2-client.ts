/** Requests to a RESTCONF server over one HTTP/2 connection, for tests that make thousands: curl takes a process for each. */

import type { ClientHttp2Session } from 'node:http2';
import { connect } from 'node:http2';
import type { CurlReply } from './restconf.ts';
import { ADMIN, JSON_TYPE } from './restconf.ts';

export interface Ask {
  readonly method?: string;
  /** Header fields by lower-case name, beside those of a JSON body. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** `user:password`; '' sends none. */
  readonly user?: string;
}

export interface Http2Client {
  ask(path: string, options?: Ask): Promise<CurlReply>;
  close(): void;
}

/** @throws Error when the connection breaks */
export function http2Client(url: string): Http2Client {
  let session: ClientHttp2Session | undefined;
  // A server may end a connection between two requests.
  const open = () => {
    if (!session || session.closed || session.destroyed) {
      session = connect(url, { rejectUnauthorized: false });
      // The requests that are under way have it, too.
      session.on('error', () => undefined);
    }
    return session;
  };
  return { ask: (path, options = {}) => request(open(), path, options), close: () => session?.close() };
}

function request(session: ClientHttp2Session, path: string, options: Ask): Promise<CurlReply> {
  const { method = 'GET', headers = {}, body, user = ADMIN } = options;
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ':method': method,
      ':path': path,
      ...(user !== '' && { authorization: `Basic ${Buffer.from(user).toString('base64')}` }),
      ...(body !== undefined && { 'content-type': JSON_TYPE }),
      ...headers,
    });
    let reply: Readonly<Record<string, string>> = {};
    const pieces: Buffer[] = [];
    stream.on('response', (fields) => {
      reply = Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, String(value)]));
    });
    stream.on('data', (piece: Buffer) => pieces.push(piece));
    stream.once('error', reject);
    stream.once('close', () => {
      const text = Buffer.concat(pieces).toString('utf8');
      const tag = /"error-tag":"([^"]*)"/.exec(text)?.[1];
      resolve({ status: Number(reply[':status'] ?? 0), headers: reply, body: text, tag });
    });
    stream.end(body);
  });
}
