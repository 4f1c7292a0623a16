// needs: addon
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import ssh2 from 'ssh2';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { hyphenated } from '../../../src/limit-settings.ts';
import { LIMITS, NETCONF_SETTINGS } from '../../../src/netconf-limits.ts';
import type { Management } from '../../helpers/management.ts';
import { startManagement } from '../../helpers/management.ts';
import { NC, outcome, RawClient } from '../../helpers/netconf-client.ts';
import { AFTR, edit, getConfig, systemUser } from '../../helpers/netconf-requests.ts';

const test = suite('limits of NETCONF');

const MAIN = fileURLToPath(new URL('../../../src/main.js', import.meta.url));
const WAIT_MS = 60_000;
/** Less than the standards of hello-ms, login-ms and channel-ms: what ends within it ends by what was configured. */
const CLOSE_MS = 25_000;

/** Runs a body with a management process whose limits are these. */
async function withLimits(limits: Readonly<Record<string, number>>, body: (management: Management) => Promise<void>) {
  const words = Object.entries(limits).flatMap(([name, value]) => ['--netconf-limit', `${name}=${value}`]);
  const management = await startManagement(words);
  let code: number | null = null;
  try {
    await body(management);
  } finally {
    code = await management.stop();
  }
  assert.is(code, 0);
}

const local = (management: Management) => RawClient.local(management.socket);
const ssh = (management: Management, localAddress = '127.0.0.1', user = 'admin', password = management.password) =>
  RawClient.ssh(management.netconfPort, user, { password, localAddress });

async function until(condition: () => boolean, waitMs = WAIT_MS): Promise<void> {
  for (const end = Date.now() + waitMs; !condition(); await new Promise((resolve) => setTimeout(resolve, 5))) {
    if (Date.now() > end) throw new Error(`never happened: ${condition}`);
  }
}

/** How long it takes from the beginning of its opening until a client is closed; fails when it is not. */
async function timeToClose<Client extends { readonly isClosed: boolean }>(
  open: () => Client | Promise<Client>,
): Promise<number> {
  const began = performance.now();
  const client = await open();
  await until(() => client.isClosed, CLOSE_MS);
  return performance.now() - began;
}

/** A TCP connection that says no more than this. */
function silent(port: number, octets = '', localAddress = '127.0.0.1'): { isClosed: boolean; end(): void } {
  const socket = connect({ port, host: '127.0.0.1', localAddress });
  const connection = { isClosed: false, end: () => void socket.destroy() };
  socket.on('error', () => undefined).resume();
  for (const event of ['end', 'close']) {
    socket.on(event, () => {
      connection.isClosed = true;
    });
  }
  socket.write(octets);
  return connection;
}

/** A connection that is authenticated and asks for no channel; again where the time for that was too short for a busy machine. */
async function authenticated({ netconfPort: port, password }: Management): Promise<{ readonly isClosed: boolean }> {
  for (const end = Date.now() + WAIT_MS; ; ) {
    const connection = new ssh2.Client();
    const state = { isClosed: false };
    connection.on('error', () => undefined);
    const isReady = await new Promise<boolean>((resolve) => {
      connection
        .once('ready', () => resolve(true))
        .on('close', () => {
          state.isClosed = true;
          resolve(false);
        });
      connection.connect({ host: '127.0.0.1', port, username: 'admin', password });
    });
    if (isReady) return state;
    if (Date.now() > end) throw new Error('no connection was authenticated in time');
  }
}

/** Attempts with wrong passwords until the connection is closed. */
function countAttempts(port: number): Promise<number> {
  return new Promise((resolve) => {
    let count = 0;
    const client = new ssh2.Client();
    client.on('error', () => undefined).on('close', () => resolve(count));
    const next = () => ({ type: 'password', username: 'admin', password: `wrong ${++count}` }) as const;
    client.connect({ host: '127.0.0.1', port, username: 'admin', authHandler: (_left, _partial, go) => go(next()) });
  });
}

const { names: LIMIT_NAMES, read: readLimit, words: limitWords } = NETCONF_SETTINGS;

test('a setting is a name and a number within its range, and the last of a name holds', () => {
  for (const name of LIMIT_NAMES) {
    const { standard, range } = LIMITS[name];
    for (const value of [standard, ...range]) {
      assert.equal(readLimit(`${hyphenated(name)}=${value}`), { name, value });
      assert.equal(limitWords({ [name]: value }), ['--netconf-limit', `${hyphenated(name)}=${value}`]);
    }
    for (const value of [range[0] - 1, range[1] + 1]) {
      const found = readLimit(`${hyphenated(name)}=${value}`);
      assert.is(
        found,
        `${hyphenated(name)}: expected a whole number from ${range[0]} to ${range[1]}, found '${value}'.`,
      );
    }
  }
  for (const text of ['', 'depth', 'depth=', 'depth=ten', 'depth=1e2', 'depth= 50', 'helloOctets=512', '=5', 'x=5']) {
    assert.type(readLimit(text), 'string', text);
  }
});

test('docs/limits.md has each limit as it is', () => {
  const [section = ''] = readFileSync('docs/limits.md', 'utf8').split('## Subscriptions');
  const rows = section.split('\n').filter((line) => line.startsWith('| `') && line.split('|').length === 7);
  const expected = LIMIT_NAMES.map((name) => {
    const { standard, range, what } = LIMITS[name];
    return `| \`${hyphenated(name)}\` | ${standard} | ${range[0]} | ${range[1]} | ${what} |`;
  });
  assert.equal(rows, expected);
});

for (const command of ['run', 'management']) {
  test(`gi4over6 ${command} refuses a limit that there is not, in a sentence`, () => {
    const { status, stderr } = spawnSync(process.execPath, [MAIN, command, '--netconf-limit', 'patience=5'], {
      encoding: 'utf8',
      timeout: WAIT_MS,
    });
    assert.is.not(status, 0);
    assert.match(stderr, 'expected NAME=VALUE with NAME of hello-octets, ');
  });
}

test('sizes: what fits is answered, one more is not', () => {
  const sizes = {
    'hello-octets': 600,
    'message-octets': 6_000,
    'chunk-octets': 5_000,
    depth: 20,
    elements: 1_000,
    attributes: 10,
    'operation-characters': 2_000,
  };
  return withLimits(sizes, async (management) => {
    const capability = '<capability>urn:ietf:params:netconf:base:1.1</capability>';
    const hello = (size: number) => `<hello ${NC}><capabilities>${capability}</capabilities></hello>`.padEnd(size);
    const greeted = async (octets: string) => {
      const client = await local(management);
      client.write(`${octets}]]>]]>`);
      client.speak('chunked');
      return client;
    };
    assert.is(outcome(await (await greeted(hello(600))).rpc(getConfig())), 'data');
    assert.ok(await (await greeted(hello(601))).closes());

    const rpc = (inside: string, size = 0) => `<rpc ${NC} message-id="1">${inside}</rpc>`.padEnd(size);
    const client = await greeted(hello(0));
    const answer = async (message: string) => {
      client.send(message);
      return outcome(await client.receive());
    };
    // rpc, get-config and source stand around the others.
    const nested = (levels: number) => getConfig(`<filter>${'<a>'.repeat(levels)}${'</a>'.repeat(levels)}</filter>`);
    assert.is(await answer(rpc(nested(17))), 'data');
    assert.is(await answer(rpc(nested(18))), 'too-big');
    // The namespace counts as well; the answer repeats the others.
    const attributes = (count: number) => Array.from({ length: count }, (_, at) => ` a${at}=""`).join('');
    assert.is(await answer(rpc(getConfig()).replace('<rpc', `<rpc${attributes(8)}`)), 'data');
    assert.is(await answer(rpc(getConfig()).replace('<rpc', `<rpc${attributes(9)}`)), 'too-big');
    const filter = (count: number) => getConfig(`<filter>${'<a/>'.repeat(count)}</filter>`);
    // The others are rpc, get-config, source, running and filter.
    for (const [count, expected] of [
      [995, 'data'],
      [996, 'too-big'],
    ] as const) {
      assert.is(await answer(rpc(filter(count))), expected, `${count} elements`);
    }
    const commit = (size: number) => `<commit ${NC}><persist-id>${'x'.repeat(size)}</persist-id></commit>`;
    const around = commit(0).length;
    assert.is(await answer(rpc(commit(2_000 - around))), 'invalid-value');
    assert.is(await answer(rpc(commit(2_001 - around))), 'too-big');
    const sized = rpc(getConfig(), 6_001);
    client.write(`\n#5000\n${sized.slice(0, 5_000)}\n#1000\n${sized.slice(5_000, 6_000)}\n##\n`);
    assert.is(outcome(await client.receive()), 'data');
    client.write('\n#5001\n');
    assert.ok(await client.closes());
    const other = await greeted(hello(0));
    other.write(`\n#5000\n${sized.slice(0, 5_000)}\n#1001\n`);
    assert.ok(await other.closes());
  });
});

test('N93 N113: times: hello, login, channel, idle; the end of a session is told with its reason', () => {
  // Each long enough for a busy machine to do what is to be done before it is over.
  const times = { 'hello-ms': 2_000, 'login-ms': 4_000, 'channel-ms': 2_500, 'idle-ms': 3_000 };
  return withLimits(times, async (management) => {
    const observer = (await local(management)).greet('1.1');
    const subscription = '<create-subscription xmlns="urn:ietf:params:xml:ns:netconf:notification:1.0"/>';
    assert.is(outcome(await observer.rpc(subscription)), 'ok');

    assert.ok((await timeToClose(() => local(management))) > 1_900, 'hello');
    const half = async () => {
      const client = await local(management);
      client.write(`<hello ${NC}>`);
      return client;
    };
    assert.ok((await timeToClose(half)) > 1_900, 'half a hello');

    const { netconfPort } = management;
    assert.ok((await timeToClose(() => silent(netconfPort))) > 3_900, 'a connection without a word');
    assert.ok((await timeToClose(() => silent(netconfPort, 'SSH-2.0-x\r\n'))) > 3_900, 'a word of SSH alone');

    assert.ok((await timeToClose(() => authenticated(management))) > 2_400, 'no channel');

    const stalls = ['', '\n', '\n#', '\n#5', '\n#5\n', '\n#5\nab', '\n#5\nabcde\n##'].map(async (stall) => {
      const stalled = async () => {
        const client = (await local(management)).greet('1.1');
        assert.is(outcome(await client.rpc(getConfig())), 'data');
        client.write(stall);
        return client;
      };
      assert.ok((await timeToClose(stalled)) > 2_900, `idle behind ${JSON.stringify(stall)}`);
    });
    await Promise.all(stalls);
    const reasons = new Map<string, number>();
    while (reasons.get('timeout') !== 9) {
      const [, reason] = /<termination-reason>([^<]*)</.exec(await observer.receive()) ?? [];
      if (reason !== undefined) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    }
    assert.equal([...reasons], [['timeout', 9]]);
    observer.end();
  });
});

test('unread: a client that leaves its answer unread is dropped, its lock with it', () =>
  withLimits({ 'unread-ms': 1_500 }, async (management) => {
    for (const connect of [local, ssh]) {
      const client = (await connect(management)).greet('1.1');
      assert.is(outcome(await client.rpc('<lock><target><running/></target></lock>')), 'ok');
      client.pause();
      const before = management.log().length;
      const schema =
        '<get-schema xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring"><identifier>gi-4over6</identifier></get-schema>';
      for (let sent = 0; sent < 100; sent++) client.send(`<rpc ${NC} message-id="1">${schema}</rpc>`);
      await until(() => management.log().slice(before).includes('it does not read its answers'));
      const other = (await local(management)).greet('1.1');
      assert.is(outcome(await other.rpc('<lock><target><running/></target></lock>')), 'ok');
      other.end();
      client.end();
    }
  }));

test('counts: sessions in all, of a user, from a source; the local socket has its own', () =>
  withLimits({ sessions: 4, 'sessions-per-user': 3, 'sessions-per-source': 2 }, async (management) => {
    const root = (await local(management)).greet('1.1');
    assert.is(outcome(await root.rpc(edit(systemUser('olga', '$0$a word')))), 'ok');
    const refused = async (client: Promise<RawClient>, why: string) => {
      const before = management.log().length;
      await client.then(
        (found) => assert.is(found.hello, ''),
        () => undefined,
      );
      await until(() => management.log().slice(before).includes(why));
    };
    const open = [await ssh(management), await ssh(management)];
    await refused(ssh(management), 'this source has all the sessions one source may have');
    open.push(await ssh(management, '127.0.0.2'));
    await refused(ssh(management, '127.0.0.3'), 'this user has all the sessions one user may have');
    open.push(await ssh(management, '127.0.0.2', 'olga', 'a word'));
    await refused(ssh(management, '127.0.0.3', 'olga', 'a word'), 'all sessions are taken');
    for (const client of open) {
      client.greet('1.1');
      assert.match(outcome(await client.rpc(getConfig())), /^(data|access-denied)$/);
    }
    const more = [await local(management), await local(management)];
    for (const client of more) assert.is(outcome(await client.greet('1.1').rpc(getConfig())), 'data');
    assert.is((await local(management)).hello, '');
    // A place is free again when its session has ended.
    for (const client of [...open, ...more]) client.end();
    await until(() => (management.log().match(/a NETCONF session has ended/g) ?? []).length === 6);
    assert.is(outcome(await (await ssh(management)).greet('1.1').rpc(getConfig())), 'data');
    assert.is(outcome(await root.rpc(edit(AFTR))), 'ok');
  }));

test('N113: connections that are not authenticated, in all and from a source; attempts', () =>
  withLimits({ unauthenticated: 3, 'unauthenticated-per-source': 2, attempts: 2 }, async (management) => {
    const port = management.netconfPort;
    const sources = ['127.0.0.1', '127.0.0.1', '127.0.0.1', '127.0.0.2', '127.0.0.2', '127.0.0.3'];
    const connections: ReturnType<typeof silent>[] = [];
    for (const source of sources) {
      connections.push(silent(port, 'SSH-2.0-x\r\n', source));
      // Their order is what is counted by.
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await until(() => connections.filter(({ isClosed }) => isClosed).length === 3);
    assert.equal(
      connections.map(({ isClosed }) => isClosed),
      [false, false, true, false, true, true],
    );
    assert.is(outcome(await (await local(management)).greet('1.1').rpc(getConfig())), 'data');
    for (const connection of connections) connection.end();

    // Their places are free when the server has seen them go.
    let attempts = 0;
    for (const end = Date.now() + WAIT_MS; attempts === 0 && Date.now() < end; ) attempts = await countAttempts(port);
    assert.is(attempts, 3, 'the third attempt is answered by the end');
  }));

test.run();
