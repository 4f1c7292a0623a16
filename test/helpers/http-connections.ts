/** Connections to a RESTCONF server that are opened one by one, from chosen source addresses, and told when they end. */

import { once } from 'node:events';
import type { ClientHttp2Session, OutgoingHttpHeaders } from 'node:http2';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { connect as connectTls } from 'node:tls';
import { ADMIN } from './restconf.ts';

const WAIT_MS = 60_000;

/** The preface of HTTP/2 and an empty SETTINGS frame (RFC 9113 §3.4). */
export const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0';
export const BASIC = `Basic ${Buffer.from(ADMIN).toString('base64')}`;

export interface HttpConnection {
  readonly isClosed: boolean;
  /** What has come, in Latin-1. */
  readonly received: string;
  write(octets: string): void;
  end(): void;
  /** Milliseconds from now until the other end closes it; fails when it does not. */
  timeToClose(): Promise<number>;
}

export async function until(condition: () => boolean): Promise<void> {
  for (const end = Date.now() + WAIT_MS; !condition(); await new Promise((resolve) => setTimeout(resolve, 10))) {
    if (Date.now() > end) throw new Error(`never happened: ${condition}`);
  }
}

function connectionOf(socket: Duplex): HttpConnection {
  let isClosed = false;
  let received = '';
  socket
    .on('error', () => undefined)
    .on('data', (octets: Buffer) => {
      received += octets.toString('latin1');
    });
  for (const event of ['end', 'close']) {
    socket.on(event, () => {
      isClosed = true;
    });
  }
  const connection: HttpConnection = {
    get isClosed() {
      return isClosed;
    },
    get received() {
      return received;
    },
    write: (octets) => void socket.write(octets, 'latin1'),
    end: () => void socket.destroy(),
    timeToClose: async () => {
      const began = performance.now();
      await until(() => isClosed);
      return performance.now() - began;
    },
  };
  return connection;
}

/** TCP and nothing on it. */
export function openTcp(port: number, localAddress = '127.0.0.1'): HttpConnection {
  return connectionOf(connect({ port, host: '127.0.0.1', localAddress }));
}

function tlsTo(port: number, localAddress: string, protocol: string): TLSSocket {
  const socket = connect({ port, host: '127.0.0.1', localAddress });
  socket.on('error', () => undefined);
  return connectTls({ socket, rejectUnauthorized: false, ALPNProtocols: [protocol] });
}

/** TLS, which is waited for unless the server has closed it. */
export async function openTls(
  port: number,
  localAddress = '127.0.0.1',
  protocol: 'h2' | 'http/1.1' = 'http/1.1',
): Promise<HttpConnection> {
  const socket = tlsTo(port, localAddress, protocol);
  const connection = connectionOf(socket);
  let isSecure = false;
  socket.once('secureConnect', () => {
    isSecure = true;
  });
  await until(() => isSecure || connection.isClosed);
  return connection;
}

/** HTTP/2 up to the preface. */
export async function openSilentHttp2(port: number, localAddress = '127.0.0.1'): Promise<HttpConnection> {
  const connection = await openTls(port, localAddress, 'h2');
  connection.write(PREFACE);
  return connection;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

/** A request of HTTP/2 that is under way. */
export interface Asked {
  write(octets: string | Uint8Array): void;
  end(octets?: string): void;
  /** Whether the body is asked for (RFC 9110 §15.2.1). */
  readonly isInvited: boolean;
  /** Whether an answer has begun. */
  readonly isAnswered: boolean;
  /** Whether the stream is closed, by either side. */
  readonly isClosed: boolean;
  /** When all of it has come, or the stream is closed. */
  readonly answer: Promise<Answer>;
}

export interface Http2Client {
  readonly session: ClientHttp2Session;
  readonly isClosed: boolean;
  /** As the administrator, in JSON, unless the fields say otherwise; `isWhole` where no body follows. */
  ask(path: string, fields?: OutgoingHttpHeaders, isWhole?: boolean): Asked;
  end(): void;
}

export async function openHttp2(port: number, localAddress = '127.0.0.1'): Promise<Http2Client> {
  const session = connectHttp2(`https://127.0.0.1:${port}`, {
    createConnection: () => tlsTo(port, localAddress, 'h2'),
    maxSendHeaderBlockLength: 1024 * 1024,
  });
  let isClosed = false;
  session
    .on('error', () => undefined)
    .once('close', () => {
      isClosed = true;
    });
  await Promise.race([once(session, 'remoteSettings'), once(session, 'close')]);
  return {
    session,
    get isClosed() {
      return isClosed;
    },
    ask: (path, fields = {}, isWhole = true) => ask(session, { ':path': path, ...fields }, isWhole),
    end: () => session.destroy(),
  };
}

function ask(session: ClientHttp2Session, fields: OutgoingHttpHeaders, isWhole: boolean): Asked {
  const type = 'application/yang-data+json';
  const all = { authorization: BASIC, ...(!isWhole && { 'content-type': type }), ...fields };
  const stream = session.request(all, { endStream: isWhole });
  let status = 0;
  let headers: Readonly<Record<string, unknown>> = {};
  let body = '';
  let isInvited = false;
  stream.on('continue', () => {
    isInvited = true;
  });
  stream.setEncoding('utf8').on('error', () => undefined);
  stream.on('response', (found) => {
    status = Number(found[':status']);
    headers = found;
  });
  stream.on('data', (text: string) => {
    body += text;
  });
  const answer = new Promise<Answer>((resolve) => {
    // Node's client may tell of no close where it still had something to send.
    for (const event of ['end', 'close']) stream.once(event, () => resolve({ status, headers, body }));
  });
  return {
    write: (octets) => void stream.write(octets),
    end: (octets = '') => void stream.end(octets),
    get isInvited() {
      return isInvited;
    },
    get isAnswered() {
      return status !== 0;
    },
    get isClosed() {
      return stream.closed;
    },
    answer,
  };
}

/** The first error of an errors body in JSON. */
export function errorIn(body: string): Readonly<Record<string, string>> {
  return JSON.parse(body)['ietf-restconf:errors'].error[0];
}
