// needs: addon
/** N115: call home (RFC 8071) of the running program, over SSH and TLS, to listeners of the test and to ncclient. */

import { execFile } from 'node:child_process';
import type { Socket } from 'node:net';
import { createServer } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { promisify } from 'node:util';
import ssh2 from 'ssh2';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Certificates, certificateMap, fingerprintOf, mapEntry } from '../../helpers/certificates.ts';
import { startManagement } from '../../helpers/management.ts';
import { outcome, RawClient } from '../../helpers/netconf-client.ts';
import { AFTR, edit, getConfig } from '../../helpers/netconf-requests.ts';
import { eventually } from '../../helpers/program.ts';

const test = suite('call home');

const WAIT_MS = 60_000;
const certificates = new Certificates();
process.once('exit', () => certificates.remove());
const root = certificates.authority('/CN=root');
const admin = certificates.issue({ subject: '/CN=admin', issuer: root });
const untrusted = certificates.issue({ subject: '/CN=admin' });
const management = await startManagement(['--netconf-limit', 'login-ms=8000'], undefined, {
  'client-ca.crt': root.cert,
});

/** A place that is called. */
class Home {
  readonly port: number;
  /** Connections that nobody has taken yet. */
  readonly waiting: Socket[] = [];
  readonly all: Socket[] = [];
  readonly #server: ReturnType<typeof createServer>;

  private constructor(server: ReturnType<typeof createServer>, port: number) {
    this.#server = server;
    this.port = port;
  }

  static async open(port = 0): Promise<Home> {
    const server = createServer();
    // Another program may have a port for a moment that was free before.
    await eventually(
      WAIT_MS,
      () =>
        new Promise<true>((resolve, reject) => {
          server.once('error', reject).listen(port, '127.0.0.1', () => resolve(true));
        }),
    );
    const address = server.address();
    const home = new Home(server, address && typeof address === 'object' ? address.port : port);
    server.on('connection', (socket) => {
      socket.on('error', () => undefined);
      home.waiting.push(socket);
      home.all.push(socket);
    });
    return home;
  }

  /** The next that calls. */
  next(): Promise<Socket> {
    return eventually(WAIT_MS, async () => this.waiting.shift());
  }

  /** Gone, with all its connections. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.all) socket.destroy();
    await closed;
  }

  /** A session on the next connection, as SSH client. */
  async ssh(password = management.password): Promise<RawClient> {
    const sock = await this.next();
    const connection = new ssh2.Client();
    await new Promise<void>((resolve, reject) => {
      connection.once('ready', resolve).on('error', reject);
      connection.connect({ sock, username: 'admin', password });
    });
    return RawClient.over(connection);
  }

  /** A session on the next connection, as TLS client; its hello is '' when it was refused. */
  async tls({ key, cert } = admin): Promise<RawClient> {
    const socket = connectTls({ socket: await this.next(), key, cert, rejectUnauthorized: false });
    socket.on('error', () => undefined);
    return RawClient.on(socket);
  }
}

interface Place {
  readonly port: number;
  readonly transport: 'ssh' | 'tls';
}

function client(name: string, places: readonly Place[], more = ''): string {
  const endpoints = places.map(
    ({ port, transport }, index) =>
      `<endpoint><name>e${index}</name><transport>${transport}</transport><remote-address>127.0.0.1</remote-address><remote-port>${port}</remote-port></endpoint>`,
  );
  return `<netconf-client><name>${name}</name>${endpoints.join('')}${more}</netconf-client>`;
}

const QUICK = '<reconnect-strategy><max-back-off>1</max-back-off><max-attempts>1</max-attempts></reconnect-strategy>';

async function done(operation: string): Promise<void> {
  const local = (await RawClient.local(management.socket)).greet('1.1');
  const reply = await local.rpc(operation);
  local.end();
  assert.is(outcome(reply), 'ok', reply);
}

/** The clients that are called from now on, and no others. */
const callHome = (...clients: readonly string[]) =>
  done(
    edit(
      '<management xmlns="urn:gi-4over6:management" xmlns:nc="urn:ietf:params:xml:ns:netconf:base:1.0">' +
        `<call-home nc:operation="replace">${clients.join('')}</call-home></management>`,
    ),
  );

/** Runs a body with places to call, and nobody called afterwards. */
async function withHomes(count: number, body: (...homes: Home[]) => Promise<void>): Promise<void> {
  const homes = await Promise.all(Array.from({ length: count }, () => Home.open()));
  try {
    await body(...homes);
  } finally {
    await callHome();
    for (const home of homes) await home.close();
  }
}

const at = ({ port }: Home, transport: Place['transport'] = 'ssh'): Place => ({ port, transport });

const sessions = async (session: RawClient) => {
  const filter =
    '<filter><netconf-state xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring"><sessions/></netconf-state></filter>';
  return session.rpc(`<get>${filter}</get>`);
};

await done(edit(certificateMap(mapEntry(1, fingerprintOf(root), 'common-name'))));

for (const transport of ['ssh', 'tls'] as const) {
  test(`${transport}: the device calls, and the client has a session as any other`, () =>
    withHomes(1, async (home) => {
      await callHome(client('nms', [at(home, transport)]));
      const session = (await home[transport]()).greet('1.1');
      assert.is(outcome(await session.rpc(edit(AFTR))), 'ok');
      assert.match(await session.rpc(getConfig()), '2001:db8:b::1');
      const [, id] = /<session-id>(\d+)</.exec(session.hello) ?? [];
      const mine = new RegExp(
        `<session-id>${id}</session-id><transport[^>]*>[^<]*netconf-${transport}</transport>` +
          '<username>admin</username><source-host>127.0.0.1</source-host>',
      );
      assert.match(await sessions(session), mine);
      assert.is(home.waiting.length, 0, 'one connection and no more');
      session.end();
    }));

  test(`${transport}: who goes is called again, and again when it was away`, () =>
    withHomes(1, async (home) => {
      await callHome(client('nms', [at(home, transport)], QUICK));
      const first = (await home[transport]()).greet('1.1');
      assert.is(outcome(await first.rpc(getConfig())), 'data');
      first.end();
      home.all.at(-1)?.destroy();
      const second = (await home[transport]()).greet('1.1');
      assert.is(outcome(await second.rpc(getConfig())), 'data');
      const { port } = home;
      await home.close();
      await new Promise((resolve) => setTimeout(resolve, 2_500));
      const again = await Home.open(port);
      const third = (await again[transport]()).greet('1.1');
      assert.is(outcome(await third.rpc(getConfig())), 'data');
      await again.close();
    }));

  test(`${transport}: who says nothing is given up after the time for a login, and the next place has its turn`, () =>
    withHomes(2, async (silent, home) => {
      const began = performance.now();
      await callHome(client('nms', [at(silent, transport), at(home, transport)], QUICK));
      const socket = (await silent.next()).resume();
      const session = (await home[transport]()).greet('1.1');
      const took = performance.now() - began;
      assert.ok(took > 7_900 && took < 25_000, `${took} ms, where the standard has 30 s`);
      assert.is(outcome(await session.rpc(getConfig())), 'data');
      assert.ok(socket.destroyed || socket.readableEnded);
      session.end();
    }));
}

test('ssh: a wrong password; tls: a certificate that is not trusted: no session, and it is called again', () =>
  withHomes(1, async (home) => {
    await callHome(client('nms', [at(home)], QUICK));
    let refused = '';
    await home.ssh('wrong').catch((error: Error) => {
      refused = error.message;
    });
    assert.match(refused, /authentication/i);
    home.all.at(-1)?.destroy();
    assert.match((await home.ssh()).hello, '<session-id>');
    await callHome();
    for (const socket of home.all) socket.destroy();
    await callHome(client('other', [at(home, 'tls')], QUICK));
    assert.is((await home.tls(untrusted)).hello, '');
    assert.match((await home.tls()).hello, '<session-id>');
  }));

test('ncclient is called home over SSH', () =>
  withHomes(1, async (home) => {
    const { port } = home;
    await home.close();
    const words = ['test/helpers/ncclient-call-home.py', String(port), 'admin', management.password];
    // Debian's python3 has ncclient; another may stand first in PATH. It waits for ten seconds.
    const waiting = promisify(execFile)('/usr/bin/python3', words, { timeout: 180_000 });
    await callHome(client('ncclient', [{ port, transport: 'ssh' }], QUICK));
    const [transport, user, source] = JSON.parse((await waiting).stdout) as string[];
    assert.match(transport ?? '', /netconf-ssh$/);
    assert.equal([user, source], ['admin', '127.0.0.1']);
  }));

test('several clients are called beside each other, also two at one place', () =>
  withHomes(1, async (home) => {
    const names = ['a', 'b', 'c'];
    await callHome(...names.map((name) => client(name, [at(home)])));
    const open = await Promise.all(names.map(() => home.ssh()));
    for (const session of open) assert.is(outcome(await session.greet('1.1').rpc(getConfig())), 'data');
    assert.is(home.waiting.length, 0);
    for (const session of open) session.end();
  }));

test('a client that is taken away is not called again; its session goes on', () =>
  withHomes(1, async (home) => {
    await callHome(client('nms', [at(home)], QUICK));
    const session = (await home.ssh()).greet('1.1');
    await callHome();
    assert.is(outcome(await session.rpc(getConfig())), 'data');
    session.end();
    home.all.at(-1)?.destroy();
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    assert.is(home.all.length, 1);
  }));

test('last-connected holds over a restart', () =>
  withHomes(2, async (one, other) => {
    const strategy = QUICK.replace('<max', '<start-with>last-connected</start-with><max');
    await callHome(client('nms', [at(one), at(other)], strategy));
    // The first says nothing it could be authenticated by.
    (await one.next()).destroy();
    assert.match((await other.ssh()).hello, '<session-id>');
    const before = one.all.length;
    await management.restart('SIGTERM', ['--netconf-limit', 'login-ms=8000']);
    assert.match((await other.ssh()).hello, '<session-id>');
    assert.is(one.all.length, before);
  }));

test('a periodic client: called, and its idle connection ended', () =>
  withHomes(1, async (home) => {
    await callHome(client('nms', [at(home, 'tls')], '<periodic><idle-timeout>3</idle-timeout></periodic>'));
    const session = (await home.tls()).greet('1.1');
    for (let count = 0; count < 10; count++) {
      await new Promise((resolve) => setTimeout(resolve, 500));
      assert.is(outcome(await session.rpc(getConfig())), 'data');
    }
    assert.ok(await session.closes());
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    assert.is(home.all.length, 1, 'not before the period is over');
  }));

test('a client without a place, and one with two of one name, are refused by the edit', async () => {
  const local = (await RawClient.local(management.socket)).greet('1.1');
  const wrap = (content: string) =>
    edit(`<management xmlns="urn:gi-4over6:management"><call-home>${content}</call-home></management>`);
  assert.is(outcome(await local.rpc(wrap('<netconf-client><name>x</name></netconf-client>'))), 'operation-failed');
  const bad = client('x', [{ port: 0, transport: 'ssh' }]).replace('127.0.0.1', 'not a host');
  assert.is(outcome(await local.rpc(wrap(bad))), 'invalid-value');
  local.end();
});

test('it ends while it calls', () =>
  withHomes(1, async (home) => {
    await callHome(client('silent', [at(home)]), client('nobody', [{ port: 1, transport: 'ssh' }]));
    await home.next();
  }));

test('stop, with connections open', async () => {
  const home = await Home.open();
  await callHome(client('nms', [at(home, 'tls')]), client('other', [at(home, 'tls')]));
  const open = [(await home.tls()).greet('1.1'), (await home.tls()).greet('1.1')];
  assert.is(await management.stop(), 0);
  for (const session of open) assert.ok(await session.closes());
  await home.close();
});

test.run();
