// needs: addon
/** N114: the limits of docs/limits.md over TLS, apart from those that are SSH's own. */

import { connect as connectPlain } from 'node:net';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Certificates, certificateMap, fingerprintOf, mapEntry } from '../../helpers/certificates.ts';
import type { Management } from '../../helpers/management.ts';
import { startManagement } from '../../helpers/management.ts';
import { NC, outcome, RawClient } from '../../helpers/netconf-client.ts';
import { AFTR, edit, getConfig, systemUser } from '../../helpers/netconf-requests.ts';
import { eventually } from '../../helpers/program.ts';

const test = suite('limits of NETCONF over TLS');

const WAIT_MS = 60_000;
/** Less than the standards of hello-ms and login-ms: what ends within it ends by what was configured. */
const CLOSE_MS = 25_000;
const certificates = new Certificates();
process.once('exit', () => certificates.remove());
const root = certificates.authority('/CN=root');
const issue = (name: string) => certificates.issue({ subject: `/CN=${name}`, issuer: root });
const [admin, olga] = [issue('admin'), issue('olga')];

interface Box extends Management {
  /** A session of the administrator or of olga over TLS; its hello is '' when it was refused. */
  tls(localAddress?: string, who?: typeof admin): Promise<RawClient>;
}

async function withLimits(limits: Readonly<Record<string, number>>, body: (box: Box) => Promise<void>): Promise<void> {
  const words = Object.entries(limits).flatMap(([name, value]) => ['--netconf-limit', `${name}=${value}`]);
  const management = await startManagement(words, undefined, { 'client-ca.crt': root.cert });
  const local = (await RawClient.local(management.socket)).greet('1.1');
  const map = certificateMap(mapEntry(1, fingerprintOf(root), 'common-name'));
  for (const data of [map, systemUser('olga', '$0$word')]) assert.is(outcome(await local.rpc(edit(data))), 'ok');
  local.end();
  const tls: Box['tls'] = (localAddress = '127.0.0.1', who = admin) =>
    RawClient.tls(management.netconfTlsPort, { key: who.key, cert: who.cert, localAddress });
  let code: number | null = null;
  try {
    await body(Object.assign(Object.create(management) as Management, { tls }));
  } finally {
    code = await management.stop();
  }
  assert.is(code, 0);
}

/** How long it takes from the beginning of its opening until a client is closed; fails when it is not. */
async function timeToClose<Client extends { readonly isClosed: boolean }>(
  open: () => Client | Promise<Client>,
): Promise<number> {
  const began = performance.now();
  const client = await open();
  await eventually(CLOSE_MS, async () => client.isClosed || undefined);
  return performance.now() - began;
}

/** A TCP connection that says no more than this. */
function silent(port: number, octets = '', localAddress = '127.0.0.1') {
  const socket = connectPlain({ port, host: '127.0.0.1', localAddress });
  const connection = { isClosed: false, end: () => void socket.destroy() };
  socket.on('error', () => undefined).resume();
  socket.on('close', () => {
    connection.isClosed = true;
  });
  socket.write(Buffer.from(octets, 'latin1'));
  return connection;
}

test('times: hello, login, idle', () =>
  withLimits({ 'hello-ms': 2_000, 'login-ms': 4_000, 'idle-ms': 3_000 }, async (box) => {
    const port = box.netconfTlsPort;
    assert.ok((await timeToClose(() => box.tls())) > 1_900, 'no hello');
    const half = async () => {
      const client = await box.tls();
      client.write(`<hello ${NC}>`);
      return client;
    };
    assert.ok((await timeToClose(half)) > 1_900, 'half a hello');
    assert.ok((await timeToClose(() => silent(port))) > 3_900, 'no word');
    assert.ok((await timeToClose(() => silent(port, '\x16\x03\x01'))) > 3_900, 'the begin of a handshake');
    const idle = async () => {
      const client = (await box.tls()).greet('1.1');
      assert.is(outcome(await client.rpc(getConfig())), 'data');
      client.write('\n#5');
      return client;
    };
    assert.ok((await timeToClose(idle)) > 2_900, 'idle');
  }));

test('a handshake that goes on for ever ends in time', () =>
  withLimits({ 'login-ms': 1_500 }, async (box) => {
    const socket = connectPlain(box.netconfTlsPort, '127.0.0.1');
    socket.on('error', () => undefined).resume();
    // A record of 16 KiB, an octet at a time.
    socket.write(Buffer.from([0x16, 0x03, 0x01, 0x40, 0x00, 0x01, 0x00, 0x3f, 0xfc]));
    const timer = setInterval(() => socket.write('\x03'), 50);
    const state = { isClosed: false };
    socket.on('close', () => {
      state.isClosed = true;
    });
    const took = await timeToClose(() => state);
    clearInterval(timer);
    assert.ok(took > 800 && took < CLOSE_MS, `${took} ms`);
  }));

test('sizes: hello, message, chunk', () =>
  withLimits({ 'hello-octets': 600, 'message-octets': 3_000, 'chunk-octets': 2_000 }, async (box) => {
    const capability = '<capability>urn:ietf:params:netconf:base:1.1</capability>';
    const hello = (size: number) => `<hello ${NC}><capabilities>${capability}</capabilities></hello>`.padEnd(size);
    const greeted = async (size: number) => {
      const client = await box.tls();
      client.write(`${hello(size)}]]>]]>`);
      return client.speak('chunked');
    };
    const client = await greeted(600);
    assert.is(outcome(await client.rpc(getConfig())), 'data');
    assert.ok(await (await greeted(601)).closes());
    client.write('\n#2001\n');
    assert.ok(await client.closes());
    const other = await greeted(0);
    other.write(`\n#2000\n${' '.repeat(2_000)}\n#1001\n`);
    assert.ok(await other.closes());
  }));

test('unread: a client that leaves its answers unread is dropped, its lock with it', () =>
  withLimits({ 'unread-ms': 1_500 }, async (box) => {
    const client = (await box.tls()).greet('1.1');
    assert.is(outcome(await client.rpc('<lock><target><running/></target></lock>')), 'ok');
    client.pause();
    const schema =
      '<get-schema xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring"><identifier>gi-4over6</identifier></get-schema>';
    for (let sent = 0; sent < 100; sent++) client.send(`<rpc ${NC} message-id="1">${schema}</rpc>`);
    await eventually(WAIT_MS, async () => box.log().includes('it does not read its answers') || undefined);
    const other = (await RawClient.local(box.socket)).greet('1.1');
    assert.is(outcome(await other.rpc('<lock><target><running/></target></lock>')), 'ok');
    client.end();
  }));

test('counts: sessions over SSH and TLS together, of a user, from a source; the local socket has its own', () =>
  withLimits({ sessions: 4, 'sessions-per-user': 3, 'sessions-per-source': 2 }, async (box) => {
    const refused = async (client: Promise<RawClient>, why: string) => {
      const before = box.log().length;
      assert.is(await client.then(({ hello }) => hello).catch(() => ''), '');
      await eventually(WAIT_MS, async () => box.log().slice(before).includes(why) || undefined);
    };
    const ssh = (localAddress: string) =>
      RawClient.ssh(box.netconfPort, 'admin', { password: box.password, localAddress });
    const open = [await box.tls(), await ssh('127.0.0.1')];
    await refused(box.tls(), 'this source has all the sessions one source may have');
    open.push(await box.tls('127.0.0.2'));
    await refused(box.tls('127.0.0.3'), 'this user has all the sessions one user may have');
    await refused(ssh('127.0.0.3'), 'this user has all the sessions one user may have');
    open.push(await box.tls('127.0.0.2', olga));
    await refused(box.tls('127.0.0.3', olga), 'all sessions are taken');
    const local = (await RawClient.local(box.socket)).greet('1.1');
    assert.is(outcome(await local.rpc(edit(AFTR))), 'ok');
    for (const client of open) client.end();
    // A place is free again when its session has ended.
    const hello = await eventually(WAIT_MS, async () => (await box.tls()).hello || undefined);
    assert.match(hello, '<session-id>');
  }));

test('connections that are not authenticated: of SSH and TLS together, in all and from a source', () =>
  withLimits({ unauthenticated: 3, 'unauthenticated-per-source': 2 }, async (box) => {
    const [ssh, tls] = [box.netconfPort, box.netconfTlsPort];
    const wanted = [
      [tls, '127.0.0.1', false],
      [ssh, '127.0.0.1', false],
      [tls, '127.0.0.1', true],
      [tls, '127.0.0.2', false],
      [ssh, '127.0.0.2', true],
      [tls, '127.0.0.3', true],
    ] as const;
    const connections: ReturnType<typeof silent>[] = [];
    for (const [port, source] of wanted) {
      connections.push(silent(port, port === ssh ? 'SSH-2.0-x\r\n' : '\x16\x03\x01', source));
      // Their order is what is counted by.
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await eventually(WAIT_MS, async () => connections.filter(({ isClosed }) => isClosed).length === 3 || undefined);
    assert.equal(
      connections.map(({ isClosed }) => isClosed),
      wanted.map(([, , isClosed]) => isClosed),
    );
    for (const connection of connections) connection.end();
    // Their places are free when the server has seen them go; sessions take none.
    const hellos: string[] = [];
    while (hellos.length < 4) {
      const client = await eventually(WAIT_MS, async () => {
        const found = await box.tls();
        return found.hello === '' ? undefined : found;
      });
      hellos.push(client.hello);
    }
    for (const hello of hellos) assert.match(hello, '<session-id>');
  }));

test.run();
