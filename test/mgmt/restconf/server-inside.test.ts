/** The RESTCONF server from the inside: readings that stay open, an answer without end, mistakes of ours. Its clients are curl and raw sockets. */

import { once } from 'node:events';
import { connect as connectHttp2, constants } from 'node:http2';
import { setTimeout as delay } from 'node:timers/promises';
import { connect } from 'node:tls';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { RestconfFault } from '../../../src/mgmt/restconf/fault.ts';
import { RESTCONF_LIMITS } from '../../../src/restconf-limits.ts';
import type { Box, CurlOptions } from '../../helpers/restconf.ts';
import { ADMIN, addBindings, GUEST, withRestconf, XML_TYPE } from '../../helpers/restconf.ts';

const test = suite('restconf server: inside');

const DATA = '/restconf/data';
const AFTR = `${DATA}/gi-4over6:softwire/aftr=a`;
const TABLE = `${AFTR}/binding-table`;
const BINDINGS = ['192.0.2.0/25', '192.0.2.128/25'].map((prefix) => ({
  'ipv4-prefix': prefix,
  'gateway-ipv6-address': '2001:db8:a::1',
}));
const AUTHORIZATION = `Authorization: Basic ${Buffer.from(ADMIN).toString('base64')}`;

const BINDING = JSON.stringify({ 'gi-4over6:binding': BINDINGS.slice(0, 1) });
const PATCH = ['Content-Type: application/yang-patch+json'];
const patch = (edit: unknown[]) => JSON.stringify({ 'ietf-yang-patch:yang-patch': { 'patch-id': 'p', edit } });
const body = '{"gi-4over6:enabled":true}';
/** One request for each way that a reading can end. */
const requests: readonly (readonly [string, CurlOptions, number])[] = [
  [DATA, {}, 200],
  [DATA, { method: 'HEAD' }, 200],
  [`${TABLE}/binding`, {}, 200],
  [`${TABLE}/binding`, { headers: [`Accept: ${XML_TYPE}`] }, 400],
  [`${AFTR}x`, {}, 404],
  [`${AFTR}?content=config`, { headers: ['If-None-Match: *'] }, 304],
  [`${DATA}/gi-4over6:softwire/gateway=g`, { user: GUEST }, 404],
  [`${AFTR}/enabled`, { method: 'PUT', body }, 201],
  [`${AFTR}/enabled`, { method: 'PUT', body, headers: ['If-Match: "x"'] }, 412],
  [`${AFTR}x/enabled`, { method: 'PUT', body }, 404],
  [AFTR, { method: 'PATCH', headers: PATCH, body: patch([]) }, 200],
  [`${AFTR}x`, { method: 'PATCH', headers: PATCH, body: patch([]) }, 404],
];
for (const [path, options, status] of requests) {
  test(`no reading is left open: ${options.method ?? 'GET'} ${path} ${options.headers ?? ''} ${status}`, () =>
    withRestconf(async ({ curl, datastores, openReadings }) => {
      await addBindings(datastores, BINDINGS);
      const reply = await curl(path, options);
      assert.is(reply.status, status, reply.body);
      assert.is(openReadings(), 0);
    }));
}

test('a mistake of ours is 500 without its message', () =>
  withRestconf(async ({ curl, operations }) => {
    operations.edit = () => Promise.reject(new Error('secret detail'));
    const reply = await curl(TABLE, { method: 'POST', body: BINDING });
    assert.is(reply.status, 500);
    assert.is(reply.tag, 'operation-failed');
    assert.not.match(reply.body, 'secret');
    operations.edit = () => Promise.reject(new RestconfFault(409, 'resource-denied', { message: 'x' }));
    assert.is((await curl(TABLE, { method: 'POST', body: BINDING })).status, 409);
  }));

test('an answer with a header field that cannot be sent is 500 and told, not left without an end', () =>
  withRestconf(async ({ curl, operations }) => {
    const read = operations.read.bind(operations);
    const time = Object.assign(new Date(0), { toUTCString: () => 'no\r\ndate' });
    operations.read = async (caller, request) => ({ ...(await read(caller, request)), time });
    const more = ['--http1.1', '--max-time', '60'];
    const reply = await curl(`${AFTR}?content=config`, { more });
    assert.equal([reply.status, reply.tag], [500, 'operation-failed']);
    operations.read = read;
    assert.is((await curl(`${AFTR}?content=config`, { more })).status, 200);
  }));

/** Bodies that wait behind a stream on one connection of HTTP/1.1. */
const BODIES = 14;

test('requests with bodies behind a stream, on one connection, add no listener each', () =>
  withRestconf(async ({ port, curl }) => {
    const warnings: Error[] = [];
    const note = (warning: Error) => warnings.push(warning);
    process.on('warning', note);
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] });
    await once(socket, 'secureConnect');
    const posts = Array.from({ length: BODIES }, (_, at) => {
      const text = `{"gi-4over6:gateway":[{"name":"waits${at}","enabled":false}]}`;
      const fields = `Host: x\r\n${AUTHORIZATION}\r\nContent-Type: application/yang-data+json\r\nContent-Length: ${text.length}\r\n`;
      return `POST ${DATA}/gi-4over6:softwire HTTP/1.1\r\n${fields}\r\n${text}`;
    });
    socket.write(`GET /restconf/streams/NETCONF/json HTTP/1.1\r\nHost: x\r\n${AUTHORIZATION}\r\n\r\n${posts.join('')}`);
    const path = `${DATA}/gi-4over6:softwire/gateway=waits${BODIES - 1}`;
    for (let tries = 0; (await curl(path)).status !== 200; tries++) {
      assert.ok(tries < 400, 'the last one was never made');
      await delay(50);
    }
    assert.equal(warnings, []);
    process.off('warning', note);
    socket.destroy();
  }));

/** Makes the one binding of the table two million, each made when it is asked for; `made` counts them. */
async function withEndlessTable(body: (box: Box, made: () => number) => Promise<void>): Promise<void> {
  await withRestconf(async (box) => {
    const { datastores, operations } = box;
    await addBindings(datastores, [{ 'ipv4-prefix': '192.0.2.0/24', 'gateway-ipv6-address': '2001:db8:a::1' }]);
    let made = 0;
    const read = operations.read.bind(operations);
    operations.read = async (caller, request) => {
      const reading = await read(caller, request);
      return {
        ...reading,
        *rows(parent) {
          for (const row of reading.rows(parent)) for (let i = 0; i < 2_000_000; i++, made++) yield row;
        },
      };
    };
    await body(box, () => made);
  });
}

/** The reading ends soon, and nothing more is made. */
async function assertStopped({ openReadings }: Box, made: () => number): Promise<void> {
  // Sooner than what is left unread is given up, after a minute.
  for (let i = 0; i < 1_500 && openReadings() > 0; i++) await delay(20);
  assert.is(openReadings(), 0);
  const stopped = made();
  assert.ok(stopped > 0 && stopped < 1_000_000, `${stopped} rows`);
  await delay(100);
  assert.is(made(), stopped);
}

/** Soon nothing more is made, long before the end: buffers are full. */
async function assertPaused(made: () => number): Promise<void> {
  let before = -1;
  for (let i = 0; i < 50 && made() !== before; i++) {
    before = made();
    await delay(300);
  }
  assert.is(made(), before);
  assert.ok(before > 0 && before < 1_000_000, `${before} rows`);
}

test('no more is made than a slow client takes; when it goes away the reading ends (HTTP/1.1)', () =>
  withEndlessTable(async (box, made) => {
    const socket = connect({
      port: box.port,
      host: '127.0.0.1',
      rejectUnauthorized: false,
      ALPNProtocols: ['http/1.1'],
    });
    await once(socket, 'secureConnect');
    socket.write(`GET ${TABLE}/binding HTTP/1.1\r\nHost: x\r\n${AUTHORIZATION}\r\n\r\n`);
    await once(socket, 'readable');
    await assertPaused(made);
    assert.is(box.openReadings(), 1);
    socket.destroy();
    await assertStopped(box, made);
  }));

test('a cancelled stream ends the reading (HTTP/2)', () =>
  withEndlessTable(async (box, made) => {
    const session = connectHttp2(box.url, { rejectUnauthorized: false });
    const stream = session.request({
      ':path': `${TABLE}/binding`,
      authorization: AUTHORIZATION.slice('Authorization: '.length),
    });
    await once(stream, 'data');
    stream.close(constants.NGHTTP2_CANCEL);
    await assertStopped(box, made);
    session.destroy();
  }));

test('a taken port is one error that says so', () =>
  withRestconf(async ({ port }) => {
    const { startRestconf } = await import('../../../src/mgmt/restconf/server.ts');
    await withRestconf(async ({ operations }) => {
      try {
        await startRestconf({
          operations,
          users: {
            exists: () => true,
            judgePassword: async () => 'wrong' as const,
            knownBy: () => undefined,
            rememberWords: () => undefined,
          },
          routeSources: {
            exists: () => false,
            judgePassword: async () => 'wrong' as const,
            certified: () => undefined,
          },
          key: '',
          cert: '',
          hosts: ['127.0.0.1'],
          port,
          limits: RESTCONF_LIMITS,
          log: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} },
        });
        assert.unreachable('the port was free');
      } catch (error) {
        assert.is(error instanceof Error && 'code' in error && error.code, 'EADDRINUSE');
        assert.match(String(error), /the port is taken: stop the other program/);
      }
    });
  }));

test.run();
