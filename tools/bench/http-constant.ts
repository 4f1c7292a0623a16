/**
 * The baseline of RESTCONF: a handler on the same HTTP stack that answers a GET with a constant and anything else with 204.
 * `http-constant.js KEY CERT SIZE...`, both files in PEM; `GET /SIZE` gives so many octets. Writes its port, works until its input ends.
 */

import { readFileSync } from 'node:fs';
import { fastify } from 'fastify';
import { LIMITS } from '../../src/mgmt/restconf/limits.ts';
import { TLS_SUITES } from '../../src/mgmt/tls-suites.ts';
import { RESTCONF_LIMITS } from '../../src/restconf-limits.ts';

const [key = '', cert = '', ...sizes] = process.argv.slice(2);
const constants = new Map(sizes.map((size) => [`/${size}`, 'x'.repeat(Number(size))]));
/** With the limits of the program, which are part of the stack. */
const https = {
  allowHTTP1: true,
  key: readFileSync(key),
  cert: readFileSync(cert),
  ...TLS_SUITES,
  maxHeaderSize: LIMITS.parsedOctets,
  settings: { maxConcurrentStreams: LIMITS.streams, maxHeaderListSize: LIMITS.parsedListOctets },
  maxHeaderListPairs: LIMITS.parsedFields,
};
/** As the program sends them, of the same lengths. */
const FIELDS = {
  'content-type': 'application/yang-data+json',
  'cache-control': 'no-cache',
  vary: 'accept, content-type',
  etag: '"1-mgwh0n00"',
  'last-modified': 'Thu, 01 Jan 1970 00:00:00 GMT',
};

const app = fastify({
  http2: true,
  https,
  http2SessionTimeout: RESTCONF_LIMITS.idleMs,
  connectionTimeout: RESTCONF_LIMITS.idleMs,
  rewriteUrl: () => '/',
  exposeHeadRoutes: false,
});
app.removeAllContentTypeParsers();
app.addContentTypeParser('*', async (_request: unknown, payload: AsyncIterable<Buffer>) => {
  for await (const _ of payload);
});
app.all('/', async (request, reply) => {
  if (request.method !== 'GET') return reply.headers(FIELDS).code(204).send();
  // Past fastify, as the program sends a text.
  reply.hijack();
  const text = constants.get(request.originalUrl) ?? '';
  reply.raw.writeHead(200, { ...FIELDS, 'content-length': String(Buffer.byteLength(text, 'utf8')) });
  reply.raw.end(text, 'utf8');
});
await app.listen({ host: '127.0.0.1', port: 0 });
const address = app.server.address();
process.stdout.write(`${typeof address === 'object' && address !== null ? address.port : ''}\n`);
process.stdin.once('end', () => process.exit(0));
process.stdin.resume();
