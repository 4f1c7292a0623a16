/** Answers to what is no HTTP request, or asks for what no server does, where the ordinary way to an answer is not there. */

import type { IncomingMessage } from 'node:http';
import { ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { escapeText } from '../xml.ts';
import { LIMITS } from './limits.ts';
import type { Encoding, Headers } from './media.ts';
import { errorEncoding, MEDIA_TYPES } from './media.ts';
import { RESTCONF_NAMESPACE } from './reply.ts';

interface Answer {
  readonly status: string;
  readonly tag: string;
  readonly message: string;
}

/** What Node's parser says of octets that it refuses, and those of the last piece that came. */
interface ParseError extends Error {
  readonly code?: string;
  readonly reason?: string;
  /** A Buffer. */
  readonly rawPacket?: unknown;
}

/** How much of it is looked at. */
const LOOKED_AT_OCTETS = 16 * 1024;

/** Connections whose refusal waits for the answers to requests before it. */
const waiting = new WeakSet<Socket>();

/**
 * Answers what HTTP/1.1 cannot parse and ends the connection: in the encoding that the client accepts, as far as that can be seen in
 * octets that are no request. Requests before it that came whole are answered first, or this would be taken for the answer to one.
 */
export function refuseConnection(error: ParseError, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed || !socket.writable) {
    socket.destroy();
    return;
  }
  // Octets that came behind.
  if (waiting.has(socket)) return;
  waiting.add(socket);
  behindAnswers(socket, () => refuse(error, socket));
}

/** Does it when what came whole before is answered, or nothing when the connection is over then. */
function behindAnswers(socket: Duplex, work: () => void): void {
  if (!socket.writable) return;
  const before = responseUnderWay(socket);
  if (before?.req.complete) before.once('close', () => behindAnswers(socket, work));
  else work();
}

/** The answer that is sent or made on a connection of HTTP/1.1; Node has it there alone. */
function responseUnderWay(socket: Duplex): ServerResponse | undefined {
  const response: unknown = Reflect.get(socket, '_httpMessage');
  return response instanceof ServerResponse ? response : undefined;
}

function refuse(error: ParseError, socket: Socket): void {
  const { rawPacket } = error;
  const text = Buffer.isBuffer(rawPacket) ? rawPacket.toString('latin1', 0, LOOKED_AT_OCTETS) : '';
  end(socket, answerTo(error, text), acceptedIn(text));
}

function answerTo({ code, reason }: ParseError, text: string): Answer {
  const [, method, version] = /^([!#$%&'*+.^`|~\w-]+) \S+ (HTTP\/\d\.\d)\r?\n/.exec(text) ?? [];
  switch (code) {
    case 'HPE_HEADER_OVERFLOW': {
      const message = `request line and header fields have more than ${LIMITS.parsedOctets} octets`;
      return { status: '431 Request Header Fields Too Large', tag: 'too-big', message };
    }
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return { status: '408 Request Timeout', tag: 'operation-failed', message: 'the request did not come in time' };
    case 'HPE_INVALID_METHOD':
      // RFC 9110 §9.1; what is behind nonsense is no request.
      if (method === undefined) break;
      return notImplemented(`the method ${method}: it is not known`);
    case 'HPE_INVALID_VERSION': {
      // What is wrong is behind it: a line that does not end in CR LF, say.
      if (version === undefined || version === 'HTTP/1.1' || version === 'HTTP/1.0') break;
      const message = `${version}: expected HTTP/1.1 or HTTP/2`;
      return { status: '505 HTTP Version Not Supported', tag: 'operation-not-supported', message };
    }
  }
  const message = reason === undefined || reason === '' ? 'not HTTP' : `not HTTP: ${reason}`;
  return { status: '400 Bad Request', tag: 'malformed-message', message };
}

function notImplemented(message: string): Answer {
  return { status: '501 Not Implemented', tag: 'operation-not-supported', message };
}

/**
 * CONNECT, which is for proxies (RFC 9110 §9.3.6); over HTTP/1.1 what comes behind it is not HTTP, and there is the socket to answer on.
 */
export function refuseTunnel(
  { headers }: Pick<IncomingMessage, 'headers'>,
  answered: Duplex | Http2ServerResponse,
): void {
  const answer = notImplemented('the method CONNECT: this is no proxy');
  if (answered instanceof Duplex) behindAnswers(answered, () => end(answered, answer, headers));
  else reply(answered, 501, answer, headers);
}

/** The field Accept of a header that may be cut off, as what chooses an encoding. */
function acceptedIn(text: string): Headers {
  const [header = ''] = text.split(/\r?\n\r?\n/, 1);
  const [, accept] = /\r?\naccept:([^\r\n]*)\r?\n/i.exec(`${header}\r\n`) ?? [];
  return accept === undefined ? {} : { accept };
}

function end(socket: Duplex, { status, tag, message }: Answer, headers: Headers): void {
  const encoding = errorEncoding(headers);
  const body = errorsBody(encoding, tag, message);
  const head = [
    `HTTP/1.1 ${status}`,
    `Content-Type: ${MEDIA_TYPES[encoding]}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}

/** 417: what is expected is the one thing that is known of such a request (RFC 9110 §10.1.1). */
export function refuseExpectation({ headers }: Http2ServerRequest, response: Http2ServerResponse): void {
  const message = `Expect '${headers.expect}': only 100-continue is known`;
  reply(response, 417, { tag: 'operation-not-supported', message }, headers);
}

function reply(
  response: Http2ServerResponse,
  status: number,
  { tag, message }: Pick<Answer, 'tag' | 'message'>,
  headers: Headers,
): void {
  const encoding = errorEncoding(headers);
  const body = errorsBody(encoding, tag, message);
  response.writeHead(status, {
    'content-type': MEDIA_TYPES[encoding],
    'content-length': `${Buffer.byteLength(body)}`,
  });
  response.end(body);
}

function errorsBody(encoding: Encoding, tag: string, message: string): string {
  const fault = { 'error-type': 'transport', 'error-tag': tag, 'error-message': message };
  if (encoding === 'json') return JSON.stringify({ 'ietf-restconf:errors': { error: [fault] } });
  const leaves = Object.entries(fault).map(([name, value]) => `<${name}>${escapeText(value)}</${name}>`);
  return `<errors xmlns="${RESTCONF_NAMESPACE}"><error>${leaves.join('')}</error></errors>`;
}
