/** Clients that take nothing of what is on its way to them, against the connections of a server that sends what it is asked for. */

import { once } from 'node:events';
import type { ClientHttp2Session } from 'node:http2';
import { connect as connectHttp2, constants, createSecureServer } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TLSSocket } from 'node:tls';
import { connect } from 'node:tls';
import { pino } from 'pino';
import { generate } from 'selfsigned';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Connections } from '../../../src/mgmt/restconf/connections.ts';
import { LIMITS } from '../../../src/mgmt/restconf/limits.ts';
import { RESTCONF_LIMITS } from '../../../src/restconf-limits.ts';

const test = suite('restconf: unread');
const UNREAD_MS = 1_500;
/** More than the system takes of what nobody reads. */
const MUCH = 32 * 2 ** 20;
const PIECES = 40;
const PIECE = 'x'.repeat(LIMITS.chunkCharacters);
const { private: key, cert } = await generate([{ name: 'commonName', value: 'localhost' }], { keyType: 'ec' });

/** When the system asks whether the last client is there, and how long it takes for it: libuv has it ask ten times, a second apart. */
let probedAfterMs = 0;
const PROBES_MS = 10_000;

/** `/text/N`: so many octets as one; `/comments`: a comment every now and then; `/pieces`: as long answers are sent. */
async function served(body: (port: number) => Promise<void>): Promise<void> {
  const connections = new Connections(RESTCONF_LIMITS, pino({ level: 'silent' }), UNREAD_MS);
  const server = createSecureServer({ allowHTTP1: true, key, cert }, (request, response) => {
    const [, what, size] = request.url.split('/');
    if (what === 'text') response.end('x'.repeat(Number(size)));
    if (what === 'pieces') Readable.from(Array(PIECES).fill(PIECE), { objectMode: false }).pipe(response);
    if (what !== 'comments') return;
    const comments = setInterval(() => response.write(':\n\n'), UNREAD_MS / 10);
    response.once('close', () => clearInterval(comments));
  });
  server.on('connection', (socket: Socket) => {
    const set = socket.setKeepAlive.bind(socket);
    socket.setKeepAlive = (isOn, afterMs = 0) => {
      if (isOn) probedAfterMs = afterMs;
      return set(isOn, afterMs);
    };
  });
  connections.watch(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    await body((server.address() as AddressInfo).port);
  } finally {
    connections.destroyAll();
    server.close();
  }
}

/** One whose streams may have so many octets on their way. */
async function http2(port: number, initialWindowSize: number): Promise<ClientHttp2Session> {
  const session = connectHttp2(`https://127.0.0.1:${port}`, {
    rejectUnauthorized: false,
    settings: { initialWindowSize },
  });
  session.on('error', () => undefined);
  await once(session, 'remoteSettings');
  return session;
}

async function http1(port: number, path: string): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] });
  socket.on('error', () => undefined);
  await once(socket, 'secureConnect');
  socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
  return socket;
}

/** With an error or without. */
function closed(stream: Duplex): Promise<void> {
  return new Promise((resolve) => stream.once('close', () => resolve()));
}

for (const path of ['/text/100', '/text/100000', '/comments', '/pieces']) {
  test(`HTTP/2, ${path}: a stream whose window stays shut ends with a code, the others and the connection go on`, () =>
    served(async (port) => {
      const session = await http2(port, 0);
      const stream = session.request({ ':path': path });
      stream.on('error', () => undefined).resume();
      const began = performance.now();
      await closed(stream);
      assert.is(stream.rstCode, constants.NGHTTP2_CANCEL);
      assert.ok(performance.now() - began >= UNREAD_MS - 10);
      const empty = session.request({ ':path': '/text/0' });
      empty.resume();
      const [headers] = await once(empty, 'response');
      assert.is(headers[':status'], 200);
      session.destroy();
    }));
}

test('HTTP/2: whoever takes a little now and then gets everything', () =>
  served(async (port) => {
    const session = await http2(port, LIMITS.chunkCharacters);
    const stream = session.request({ ':path': '/pieces' });
    const began = performance.now();
    let octets = 0;
    for await (const piece of stream) {
      octets += (piece as Buffer).length;
      await sleep(100);
    }
    assert.is(octets, PIECES * PIECE.length);
    assert.is(stream.rstCode, 0);
    assert.ok(performance.now() - began > 2 * UNREAD_MS);
    session.destroy();
  }));

test('HTTP/2: events that are taken as they come go on for as long as they may', () =>
  served(async (port) => {
    const session = await http2(port, 65_535);
    const stream = session.request({ ':path': '/comments' });
    let comments = 0;
    for await (const _ of stream) if (++comments === 25) break;
    assert.is(comments, 25);
    session.destroy();
  }));

test('HTTP/1.1: the connection of who takes nothing ends', () =>
  served(async (port) => {
    const socket = await http1(port, `/text/${MUCH}`);
    await once(socket, 'readable');
    const began = performance.now();
    // What has come is not read; that the other end has closed is seen by writing.
    const writes = setInterval(() => socket.write('\r\n'), 100);
    await closed(socket);
    clearInterval(writes);
    assert.ok(performance.now() - began >= UNREAD_MS - 10);
  }));

test('HTTP/1.1: whoever takes a little now and then is left alone', () =>
  served(async (port) => {
    const socket = await http1(port, `/text/${MUCH}`);
    const began = performance.now();
    let octets = 0;
    for await (const piece of socket) {
      octets += (piece as Buffer).length;
      if (performance.now() - began > 3 * UNREAD_MS) break;
      // Some of it at a time, so that the system always has more to give than it takes.
      if (octets % 2 ** 20 < (piece as Buffer).length) await sleep(200);
    }
    assert.ok(octets > 0 && performance.now() - began > 3 * UNREAD_MS, `${octets}`);
    socket.destroy();
  }));

test('a client that vanished is found before the next comment of an event stream is on its way to it', () =>
  served(async (port) => {
    const socket = await http1(port, '/text/1');
    await once(socket, 'readable');
    assert.ok(probedAfterMs > 0 && probedAfterMs + PROBES_MS < LIMITS.keepAliveMs, `${probedAfterMs}`);
    socket.destroy();
  }));

test.run();
