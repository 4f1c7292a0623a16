// needs: addon
/** How many connections there may be and how long they may keep the running program waiting: nobody shuts anybody else out. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { HttpConnection } from '../../helpers/http-connections.ts';
import { BASIC, openHttp2, openSilentHttp2, openTcp, openTls, until } from '../../helpers/http-connections.ts';
import type { ProgramBox } from '../../helpers/restconf-program.ts';
import { startProgram } from '../../helpers/restconf-program.ts';

const test = suite('restconf: connections');

const GET = (path: string, authorization = BASIC) =>
  `GET ${path} HTTP/1.1\r\nHost: a\r\nAuthorization: ${authorization}\r\n\r\n`;
/** A PING frame of HTTP/2. */
const PING = '\0\0\x08\x06\0\0\0\0\0abcdefgh';

async function withLimits(limits: Readonly<Record<string, number>>, body: (box: ProgramBox) => Promise<void>) {
  const program = await startProgram(
    Object.entries(limits).flatMap(([name, value]) => ['--restconf-limit', `${name}=${value}`]),
  );
  let code: number | null = null;
  try {
    await program.run(body);
  } finally {
    code = await program.stop();
  }
  assert.is(code, 0);
}

const from = (address: string) => ({ more: ['--interface', address] });
const closedOf = (connections: readonly { readonly isClosed: boolean }[]) =>
  connections.map(({ isClosed }) => isClosed);

/** Long enough for anything here, so that counts alone decide. */
const PATIENT = { 'first-request-ms': 600_000, 'login-ms': 600_000, 'idle-ms': 600_000 };

test('R70: 256 silent HTTP/2 connections of one source leave room for others, and are gone soon', () =>
  // Places are taken away long before the time for a first request does it.
  withLimits({ 'first-request-ms': 30_000 }, async ({ port, curl }) => {
    const began = performance.now();
    const silent: HttpConnection[] = [];
    for (let count = 0; count < 256; count += 32) {
      silent.push(...(await Promise.all(Array.from({ length: 32 }, () => openSilentHttp2(port)))));
      assert.is((await curl('/restconf', from('127.0.0.2'))).status, 200);
    }
    await until(() => silent.filter(({ isClosed }) => !isClosed).length <= 32);
    assert.ok(performance.now() - began < 29_000);
    assert.is((await curl('/restconf', from('127.0.0.2'))).status, 200);
    await Promise.all(silent.map((connection) => connection.timeToClose()));
    assert.is((await curl('/restconf')).status, 200);
  }));

for (const [what, open] of [
  ['TCP alone', async (port: number, source: string) => openTcp(port, source)],
  ['TLS alone', (port: number, source: string) => openTls(port, source)],
  ['HTTP/2 without a request', openSilentHttp2],
] as const) {
  test(`R70: ${what}: a source has its places and no more, and gives one up to who has less`, () =>
    withLimits({ ...PATIENT, unauthenticated: 4, 'unauthenticated-per-source': 3 }, async ({ port, curl }) => {
      const connections: HttpConnection[] = [];
      const add = async (source: string) => {
        connections.push(await open(port, source));
        // Their order is what is counted by.
        await new Promise((resolve) => setTimeout(resolve, 50));
      };
      for (const source of ['127.0.0.1', '127.0.0.1', '127.0.0.1', '127.0.0.1']) await add(source);
      await until(() => connections[3]?.isClosed === true);
      assert.equal(closedOf(connections), [false, false, false, true]);
      await add('127.0.0.2');
      await add('127.0.0.3');
      await until(() => connections[0]?.isClosed === true);
      assert.equal(closedOf(connections), [true, false, false, true, false, false]);
      // Two, one, one: nobody has so many that one more of another would have fewer.
      await add('127.0.0.3');
      await until(() => connections[6]?.isClosed === true);
      assert.equal(closedOf(connections), [true, false, false, true, false, false, true]);
      for (const connection of connections) connection.end();
      await until(() => connections.every(({ isClosed }) => isClosed));
      assert.is((await curl('/restconf', from('127.0.0.4'))).status, 200);
    }));
}

test('R70: connections of users have their places; one in use is never taken away, the longest idle goes first', () =>
  withLimits({ ...PATIENT, connections: 6, 'connections-per-source': 4 }, async ({ port, curl }) => {
    const used = async (source: string) => {
      const connection = await openTls(port, source);
      connection.write(GET('/restconf'));
      await until(() => connection.received.includes('yang-library-version') || connection.isClosed);
      return connection;
    };
    const busy = await openTls(port);
    busy.write(GET('/restconf/streams/NETCONF/json'));
    await until(() => busy.received.includes('200 OK'));
    const first = [busy, await used('127.0.0.1'), await used('127.0.0.1'), await used('127.0.0.1')];
    assert.ok((await used('127.0.0.1')).isClosed, 'a fifth of one source');
    const second = [await used('127.0.0.2'), await used('127.0.0.2')];
    assert.equal(closedOf([...first, ...second]), [false, false, false, false, false, false]);
    assert.is((await curl('/restconf', from('127.0.0.3'))).status, 200);
    await until(() => first[1]?.isClosed === true);
    assert.equal(closedOf([...first, ...second]), [false, true, false, false, false, false]);
    for (const connection of [...first, ...second]) connection.end();
  }));

/** Frames that are errors of the whole connection (RFC 9113 §5.4.1), of which the library tells nobody. */
const ERRORS = [
  ['a frame that is too large', '\xff\xff\xff\0\0\0\0\0\x01'],
  ['DATA on a stream that nobody opened', '\0\0\x01\0\0\0\0\0\x01x'],
  ['header fields that nobody can decode', '\0\0\x04\x01\x05\0\0\0\x01\xff\xff\xff\xff'],
  ['a PING of three octets', '\0\0\x03\x06\0\0\0\0\0abc'],
  ['CONTINUATION of nothing', '\0\0\x01\x09\x04\0\0\0\x01\x82'],
] as const;
/** Type, flags and stream of it. */
const GOAWAY = '\x07\0\0\0\0\0';

test('R70: a connection error of HTTP/2 ends the connection, not only what is said on it; others go on', () =>
  withLimits(PATIENT, async ({ port }) => {
    const client = await openHttp2(port);
    let pings = 0;
    client.session.on('ping', () => pings++);
    for (const [what, frame] of ERRORS) {
      const connection = await openSilentHttp2(port);
      connection.write(frame);
      await connection.timeToClose().catch(() => assert.unreachable(what));
      assert.ok(connection.received.includes(GOAWAY), what);
      // One that is used is looked at again and again.
      const before = pings;
      for (let asked = 0; asked === 0 || pings === before; asked++) {
        assert.is((await client.ask('/restconf').answer).status, 200);
      }
    }
    assert.not(client.isClosed);
    client.end();
  }));

test('R70: times: the first request', () =>
  withLimits({ ...PATIENT, 'first-request-ms': 1_500 }, async ({ port, curl }) => {
    const began = performance.now();
    const pinging = await openSilentHttp2(port);
    const pings = setInterval(() => pinging.write(PING), 100);
    const halfHeader = await openTls(port);
    halfHeader.write('GET /restconf HTTP/1.1\r\nHost: a\r\n');
    const silent = [openTcp(port), await openTls(port), await openTls(port, '127.0.0.1', 'h2'), pinging, halfHeader];
    await Promise.all(silent.map((connection) => connection.timeToClose()));
    assert.ok(performance.now() - began < 9_000, 'where the standard has 10 s');
    clearInterval(pings);
    assert.is((await curl('/restconf')).status, 200);
  }));

test('R70: times: the first request by a user', () =>
  withLimits({ ...PATIENT, 'login-ms': 4_000 }, async ({ port, curl }) => {
    const began = performance.now();
    const refused = await openTls(port);
    const asking = setInterval(() => refused.write(GET('/.well-known/host-meta', 'none')), 200);
    await refused.timeToClose();
    const took = performance.now() - began;
    clearInterval(asking);
    assert.match(refused.received, '200 OK');
    assert.ok(took > 3_900, `without a user: ${took} ms`);
    assert.is((await curl('/restconf')).status, 200);
  }));

test('R70: times: idleness', () =>
  withLimits({ ...PATIENT, 'idle-ms': 2_500 }, async ({ port, curl }) => {
    const streaming = await openHttp2(port, '127.0.0.2');
    const stream = streaming.ask('/restconf/streams/NETCONF/json');
    const idle = await openHttp2(port, '127.0.0.2');
    const began = performance.now();
    assert.is((await idle.ask('/restconf').answer).status, 200);
    const keeping = setInterval(() => idle.session.destroyed || idle.session.ping(() => undefined), 100);
    await until(() => idle.isClosed);
    clearInterval(keeping);
    const idled = performance.now() - began;
    assert.ok(idled > 2_400, `idle: ${idled} ms`);
    assert.ok(!streaming.isClosed && stream.isAnswered, 'a request that is answered is no idleness');
    streaming.end();
    assert.is((await curl('/restconf')).status, 200);
  }));

test.run();
