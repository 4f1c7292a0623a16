/** Answers to what is no HTTP request, or asks for what no server does, where the ordinary way to an answer is not there. */

import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import type { Socket } from 'node:net';
import { LIMITS } from './limits.ts';
import { MEDIA_TYPES } from './media.ts';

const ANSWERS: Readonly<Record<string, readonly [status: string, tag: string, message: string]>> = {
  HPE_HEADER_OVERFLOW: [
    '431 Request Header Fields Too Large',
    'too-big',
    `request line and header fields have more than ${LIMITS.parsedOctets} octets`,
  ],
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'operation-failed', 'the request did not come in time'],
};

/** Answers what HTTP/1.1 cannot parse, in JSON as the client's wishes are unknown, and ends the connection. */
export function refuseConnection(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, tag, message] = ANSWERS[error.code ?? ''] ?? ['400 Bad Request', 'malformed-message', 'not HTTP'];
  const body = errorsBody(tag, message);
  const head = [
    `HTTP/1.1 ${status}`,
    `Content-Type: ${MEDIA_TYPES.json}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}

/** 417 in JSON: nothing is known but that a body is waited for (RFC 9110 §10.1.1). */
export function refuseExpectation({ headers }: Http2ServerRequest, response: Http2ServerResponse): void {
  const body = errorsBody('operation-not-supported', `Expect '${headers.expect}': only 100-continue is known`);
  const type = MEDIA_TYPES.json;
  response.writeHead(417, { 'content-type': type, 'content-length': `${Buffer.byteLength(body)}` });
  response.end(body);
}

function errorsBody(tag: string, message: string): string {
  const fault = { 'error-type': 'transport', 'error-tag': tag, 'error-message': message };
  return JSON.stringify({ 'ietf-restconf:errors': { error: [fault] } });
}
