/**
 * The client of the RESTCONF bench: so many TLS connections, each with one request under way. It makes and reads no more of HTTP/1.1
 * (RFC 9112) and HTTP/2 (RFC 9113) than it must, so that what is measured is the server: one process has one core, the client the other.
 */

import type { TLSSocket } from 'node:tls';
import { connect } from 'node:tls';

export type Protocol = 'h1' | 'h2';

export interface Ask {
  readonly method: 'GET' | 'PUT';
  readonly path: string;
  readonly authorization: string;
  readonly body?: string;
}

export interface Load {
  /** Requests answered a second. */
  readonly rate: number;
  /** Milliseconds, each in order. */
  readonly times: readonly number[];
}

interface Connection {
  /** Sends the request; ends with the status when the whole answer is there. @throws Error when the connection ends before */
  ask(request: Ask): Promise<number>;
  close(): void;
}

const MEDIA_TYPE = 'application/yang-data+json';

/**
 * Asks on all connections for `ms`, on each one request after the other, `requests` in turn.
 * @throws Error for a status other than 200 and 204
 */
export async function load(connections: readonly Connection[], requests: readonly Ask[], ms: number): Promise<Load> {
  const times: number[] = [];
  const began = performance.now();
  let turn = 0;
  const one = async (connection: Connection) => {
    for (let at = performance.now(); at - began < ms; ) {
      const request = requests[turn++ % requests.length];
      if (!request) throw new Error('there is nothing to ask');
      const status = await connection.ask(request);
      const now = performance.now();
      if (status !== 200 && status !== 204) throw new Error(`${request.method} ${request.path}: ${status}`);
      times.push(now - at);
      at = now;
    }
  };
  await Promise.all(connections.map(one));
  const rate = (1_000 * times.length) / (performance.now() - began);
  return { rate, times: times.sort((a, b) => a - b) };
}

export async function openConnections(protocol: Protocol, port: number, count: number): Promise<Connection[]> {
  const opened: Connection[] = [];
  while (opened.length < count) {
    const socket = await connected(protocol === 'h1' ? 'http/1.1' : 'h2', port);
    opened.push(protocol === 'h1' ? new Http1(socket) : new Http2(socket));
  }
  return opened;
}

function connected(protocol: string, port: number): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, ALPNProtocols: [protocol], rejectUnauthorized: false };
    const socket = connect(options, () => {
      if (socket.alpnProtocol !== protocol) return reject(new Error(`the server does not speak ${protocol}`));
      socket.setNoDelay(true);
      resolve(socket);
    });
    socket.once('error', reject);
  });
}

/** One answer that is waited for. */
class Waiting {
  #resolve: ((status: number) => void) | undefined;
  #reject: ((error: Error) => void) | undefined;

  constructor(socket: TLSSocket) {
    const fail = (error: Error) => this.#reject?.(error);
    socket.on('error', fail).on('close', () => fail(new Error('the server closed the connection')));
  }

  next(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  done(status: number): void {
    this.#resolve?.(status);
  }
}

const HEADERS_END = '\r\n\r\n';
const LAST_CHUNK = Buffer.from('\r\n0\r\n\r\n');

class Http1 implements Connection {
  readonly #socket: TLSSocket;
  readonly #waiting: Waiting;
  #status = 0;
  /** Octets still to come; Infinity while the last chunk is waited for. */
  #missing = 0;
  #tail: Buffer = Buffer.alloc(0);

  constructor(socket: TLSSocket) {
    this.#socket = socket;
    this.#waiting = new Waiting(socket);
    socket.on('data', (piece: Buffer) => this.#take(piece));
  }

  ask({ method, path, authorization, body }: Ask): Promise<number> {
    const content =
      body === undefined ? '' : `Content-Type: ${MEDIA_TYPE}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n`;
    const fields = `Host: 127.0.0.1\r\nAuthorization: ${authorization}\r\n${content}`;
    this.#status = 0;
    this.#socket.write(`${method} ${path} HTTP/1.1\r\n${fields}\r\n${body ?? ''}`);
    return this.#waiting.next();
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(piece: Buffer): void {
    // What may be cut is an end of headers or the last chunk.
    const octets = this.#tail.length === 0 ? piece : Buffer.concat([this.#tail, piece]);
    const body = this.#status === 0 ? this.#head(octets) : piece;
    if (body === undefined) {
      this.#tail = octets;
      return;
    }
    if (this.#missing === Number.POSITIVE_INFINITY) {
      this.#tail = octets.subarray(-LAST_CHUNK.length);
      if (!this.#tail.equals(LAST_CHUNK)) return;
      this.#missing = 0;
    } else this.#missing -= body.length;
    if (this.#missing > 0) return;
    this.#tail = Buffer.alloc(0);
    this.#waiting.done(this.#status);
  }

  /** Reads status and length; what stands behind the headers, or undefined when they are not whole. */
  #head(octets: Buffer): Buffer | undefined {
    const end = octets.indexOf(HEADERS_END);
    if (end < 0) return undefined;
    const text = octets.toString('latin1', 0, end).toLowerCase();
    this.#status = Number(text.slice(9, 12));
    const length = /\r\ncontent-length: *(\d+)/.exec(text)?.[1];
    this.#missing = /\r\ntransfer-encoding: *chunked/.test(text) ? Number.POSITIVE_INFINITY : Number(length ?? 0);
    this.#tail = Buffer.alloc(0);
    return octets.subarray(end + HEADERS_END.length);
  }
}

/** Of RFC 9113 §6. */
const FRAME = { data: 0, headers: 1, settings: 4, goaway: 7, windowUpdate: 8 } as const;
const END_STREAM = 1;
const END_HEADERS = 4;
const ACK = 1;
const FRAME_HEADER = 9;
const INITIAL_WINDOW_SIZE = 4;
const LARGEST_WINDOW = 2 ** 31 - 1;
const DEFAULT_WINDOW = 65_535;
/** The window of the connection is filled up when so much of it is used. */
const REFILL = 2 ** 28;
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
/** The statuses that answers may begin with, as indices of the static table (RFC 7541 appendix A). */
const STATUSES: ReadonlyMap<number, number> = new Map([
  [0x88, 200],
  [0x89, 204],
  [0x8c, 400],
  [0x8d, 404],
  [0x8e, 500],
]);

class Http2 implements Connection {
  readonly #socket: TLSSocket;
  readonly #waiting: Waiting;
  #held: Buffer = Buffer.alloc(0);
  #stream = -1;
  #status = 0;
  #used = 0;

  constructor(socket: TLSSocket) {
    this.#socket = socket;
    this.#waiting = new Waiting(socket);
    socket.on('data', (piece: Buffer) => this.#take(piece));
    const settings = Buffer.alloc(6);
    settings.writeUInt16BE(INITIAL_WINDOW_SIZE);
    settings.writeUInt32BE(LARGEST_WINDOW, 2);
    const window = windowUpdate(LARGEST_WINDOW - DEFAULT_WINDOW);
    socket.write(Buffer.concat([PREFACE, frame(FRAME.settings, 0, 0, settings), window]));
  }

  ask(request: Ask): Promise<number> {
    this.#stream += 2;
    const { body } = request;
    const flags = body === undefined ? END_HEADERS | END_STREAM : END_HEADERS;
    const head = frame(FRAME.headers, flags, this.#stream, headerBlock(request));
    const data = body === undefined ? [] : [frame(FRAME.data, END_STREAM, this.#stream, Buffer.from(body))];
    this.#socket.write(Buffer.concat([head, ...data]));
    return this.#waiting.next();
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(piece: Buffer): void {
    const octets = this.#held.length === 0 ? piece : Buffer.concat([this.#held, piece]);
    let at = 0;
    while (octets.length - at >= FRAME_HEADER) {
      const length = octets.readUIntBE(at, 3);
      const end = at + FRAME_HEADER + length;
      if (octets.length < end) break;
      this.#frame(octets[at + 3] ?? 0, octets[at + 4] ?? 0, octets.subarray(at + FRAME_HEADER, end));
      at = end;
    }
    this.#held = octets.subarray(at);
  }

  #frame(type: number, flags: number, payload: Buffer): void {
    if (type === FRAME.settings && (flags & ACK) === 0) {
      this.#socket.write(frame(FRAME.settings, ACK, 0, Buffer.alloc(0)));
    }
    if (type === FRAME.goaway) this.#socket.destroy();
    if (type === FRAME.headers) this.#status = STATUSES.get(payload[0] ?? 0) ?? 0;
    if (type === FRAME.data) this.#count(payload.length);
    const isLast = (flags & END_STREAM) !== 0 && (type === FRAME.headers || type === FRAME.data);
    if (isLast) this.#waiting.done(this.#status);
  }

  #count(octets: number): void {
    this.#used += octets;
    if (this.#used < REFILL) return;
    this.#socket.write(windowUpdate(this.#used));
    this.#used = 0;
  }
}

function frame(type: number, flags: number, stream: number, payload: Uint8Array): Buffer {
  const head = Buffer.alloc(FRAME_HEADER);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

function windowUpdate(octets: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(octets);
  return frame(FRAME.windowUpdate, 0, 0, payload);
}

/** Literal fields that no table remembers (RFC 7541 §6.2.2), so that each request can be sent as it is. */
function headerBlock({ method, path, authorization, body }: Ask): Buffer {
  const content: readonly (readonly [string, string])[] =
    body === undefined
      ? []
      : [
          ['content-type', MEDIA_TYPE],
          ['content-length', String(Buffer.byteLength(body))],
        ];
  const fields: readonly (readonly [string, string])[] = [
    [':method', method],
    [':scheme', 'https'],
    [':path', path],
    [':authority', '127.0.0.1'],
    ['authorization', authorization],
    ...content,
  ];
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.of(0), literal(name), literal(value)]));
}

/** A string without Huffman coding; its length as an integer with a prefix of 7 bits (RFC 7541 §5.1, §5.2). */
function literal(text: string): Buffer {
  const octets = Buffer.from(text);
  const lengths: number[] = [Math.min(octets.length, 127)];
  if (octets.length >= 127) {
    let rest = octets.length - 127;
    for (; rest >= 128; rest >>>= 7) lengths.push((rest & 127) | 128);
    lengths.push(rest);
  }
  return Buffer.concat([Buffer.from(lengths), octets]);
}
