// needs: addon
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { NETCONF_LIMITS } from '../../../src/netconf-limits.ts';
import { startManagement } from '../../helpers/management.ts';
import { NC, outcome, RawClient } from '../../helpers/netconf-client.ts';

const test = suite('netconf over ssh');

const management = await startManagement();
const dir = mkdtempSync(join(tmpdir(), 'gi4over6-ssh-'));
const keyFile = join(dir, 'key');
const pair = ssh2.utils.generateKeyPairSync('ed25519');
writeFileSync(keyFile, pair.private, { mode: 0o600 });

const GET = '<get-config><source><running/></source><filter type="subtree"/></get-config>';

async function addKey(): Promise<void> {
  const key = `<authorized-key><name>k</name><algorithm>ssh-ed25519</algorithm><key-data>${pair.public.split(' ')[1]}</key-data></authorized-key>`;
  const config = `<system xmlns="urn:ietf:params:xml:ns:yang:ietf-system"><authentication><user><name>admin</name>${key}</user></authentication></system>`;
  const client = (await RawClient.local(management.socket)).greet('1.1');
  const edit = `<edit-config><target><running/></target><config>${config}</config></edit-config>`;
  assert.is(outcome(await client.rpc(edit)), 'ok');
  client.end();
}

await addKey();

/** OpenSSH's client with our key; what it prints, and its exit code. */
function ssh(words: readonly string[], input = ''): Promise<{ code: number | null; output: string }> {
  const options = ['StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'LogLevel=ERROR', 'IdentitiesOnly=yes'];
  const child = spawn(
    'ssh',
    ['-p', String(management.netconfPort), '-i', keyFile, ...options.flatMap((text) => ['-o', text]), ...words],
    { stdio: ['pipe', 'pipe', 'ignore'] },
  );
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, output })));
}

test('OpenSSH: requests from a file are answered although its input has ended', async () => {
  const hello = `<hello ${NC}><capabilities><capability>urn:ietf:params:netconf:base:1.0</capability></capabilities></hello>]]>]]>\n`;
  const requests = [1, 2, 3].map((id) => `<rpc ${NC} message-id="${id}">${GET}</rpc>]]>]]>\n`).join('');
  const { output } = await ssh(['admin@127.0.0.1', '-s', 'netconf'], hello + requests);
  const [first = '', ...replies] = output.split(']]>]]>').slice(0, -1);
  assert.match(first, '<session-id>');
  assert.equal(
    replies.map((text) => /message-id="(\d)"/.exec(text)?.[1]),
    ['1', '2', '3'],
  );
});

for (const [what, end, expected] of [
  ['close-session', `<rpc ${NC} message-id="1"><close-session/></rpc>]]>]]>\n`, 0],
  ['the end of its input', '', 0],
  ['what is no request', ']]>]]>\n#0\n', 255],
] as const) {
  test(`N22: OpenSSH ends with ${expected} after ${what}`, async () => {
    const version = expected === 0 ? '1.0' : '1.1';
    const hello = `<hello ${NC}><capabilities><capability>urn:ietf:params:netconf:base:${version}</capability></capabilities></hello>]]>]]>\n`;
    assert.is((await ssh(['admin@127.0.0.1', '-s', 'netconf'], hello + end)).code, expected);
  });
}

for (const [what, input] of [
  ['nothing at all', ''],
  [
    'a hello alone',
    `<hello ${NC}><capabilities><capability>urn:ietf:params:netconf:base:1.1</capability></capabilities></hello>]]>]]>`,
  ],
] as const) {
  test(`N01: OpenSSH: whose input is ${what} reads the hello of the server`, async () => {
    const { output } = await ssh(['admin@127.0.0.1', '-s', 'netconf'], input);
    assert.match(output, /^<hello .*<session-id>\d+<\/session-id><\/hello>\]\]>\]\]>$/s);
  });
}

for (const [words, what] of [
  [['admin@127.0.0.1', 'ls'], 'a command'],
  [['-tt', 'admin@127.0.0.1'], 'a shell'],
  [['admin@127.0.0.1', '-s', 'sftp'], 'another subsystem'],
] as const) {
  test(`N112: OpenSSH: ${what} is refused`, async () => {
    const { code, output } = await ssh(words);
    assert.is.not(code, 0);
    assert.is(output, '');
  });
}

type KeyboardPrompt = Parameters<ssh2.KeyboardInteractiveAuthMethod['prompt']>;

/** What happens to one connection whose every attempt fails: the number of attempts until it is closed. */
function countAttempts(method: 'password' | 'keyboard-interactive'): Promise<number> {
  return new Promise((resolve) => {
    const client = new ssh2.Client();
    let attempts = 0;
    client.on('error', () => undefined);
    client.on('close', () => resolve(attempts));
    client.connect({
      host: '127.0.0.1',
      port: management.netconfPort,
      username: 'nobody-here',
      authHandler: (_left, _partial, next) => {
        attempts++;
        if (method === 'password') next({ type: 'password', username: 'nobody-here', password: `wrong ${attempts}` });
        else {
          const prompt = (...[, , , , answer]: KeyboardPrompt) => answer([`wrong ${attempts}`]);
          next({ type: 'keyboard-interactive', username: 'nobody-here', prompt });
        }
      },
    });
  });
}

test('N113: attempts with keyboard-interactive are limited', async () => {
  assert.is(await countAttempts('keyboard-interactive'), NETCONF_LIMITS.attempts + 1);
});

/** What is done at the first question of keyboard-interactive, with the client that was asked; resolves when its connection is closed. */
function atQuestion(act: (client: ssh2.Client) => void): Promise<void> {
  return new Promise((resolve) => {
    const client = new ssh2.Client();
    client.on('error', () => undefined);
    client.on('close', () => resolve());
    client.connect({
      host: '127.0.0.1',
      port: management.netconfPort,
      username: 'admin',
      authHandler: (_left, _partial, next) => {
        next({ type: 'keyboard-interactive', username: 'admin', prompt: () => act(client) });
      },
    });
  });
}

/** Asks for another attempt in place of an answer, which ssh2's client cannot: its packets stand behind this name. */
function askAgain(client: ssh2.Client): void {
  (client as unknown as { _protocol: { authKeyboard(user: string): void } })._protocol.authKeyboard('admin');
}

test('N113: who is gone before he answers harms nobody, and leaves no connection behind', async () => {
  const other = (await RawClient.ssh(management.netconfPort, 'admin', { privateKey: String(pair.private) })).greet(
    '1.1',
  );
  // More of them than may be unauthenticated at once.
  for (let turn = 0; turn < 2 * NETCONF_LIMITS.unauthenticatedPerSource; turn++) {
    await atQuestion((client) => client.destroy());
  }
  assert.is(outcome(await other.rpc(GET)), 'data');
  other.end();
  assert.equal(await askedFor([management.password]), [true, 'Password: false']);
});

test('N113: each attempt that is given up for another counts', async () => {
  let questions = 0;
  await atQuestion((client) => {
    questions++;
    askAgain(client);
  });
  assert.is(questions, NETCONF_LIMITS.attempts);
});

/** Whether who answers so is let in, and what was asked. */
function askedFor(answers: readonly string[]): Promise<readonly [boolean, string]> {
  return new Promise((resolve) => {
    const client = new ssh2.Client();
    let asked = '';
    let isFirst = true;
    const prompt = (...[, , , prompts, answer]: KeyboardPrompt) => {
      asked += prompts.map(({ prompt: text, echo }) => `${text}${echo}`).join();
      answer([...answers]);
    };
    const end = (isIn: boolean) => {
      client.end();
      resolve([isIn, asked]);
    };
    client.on('error', () => undefined);
    client.on('ready', () => end(true)).on('close', () => end(false));
    client.connect({
      host: '127.0.0.1',
      port: management.netconfPort,
      username: 'admin',
      authHandler: (_left, _partial, next) => {
        if (!isFirst) {
          client.end();
          return;
        }
        isFirst = false;
        next({ type: 'keyboard-interactive', username: 'admin', prompt });
      },
    });
  });
}

for (const [what, answers, isIn] of [
  ['the password', () => [management.password], true],
  ['another', () => ['wrong'], false],
  ['nothing', () => [], false],
  ['two answers', () => [management.password, 'more'], false],
] as const) {
  test(`N113: keyboard-interactive, answered with ${what}: ${isIn ? 'in' : 'refused'}`, async () => {
    assert.equal(await askedFor(answers()), [isIn, 'Password: false']);
  });
}

test('connections that never authenticate are limited by source, and a local session still works', async () => {
  const sockets: Socket[] = [];
  const isOpen = (socket: Socket) => !socket.destroyed && !socket.readableEnded;
  try {
    for (let count = 0; count < NETCONF_LIMITS.unauthenticatedPerSource + 4; count++) {
      const socket = connect(management.netconfPort, '127.0.0.1');
      socket.on('error', () => undefined);
      socket.resume();
      sockets.push(socket);
    }
    await until(() => sockets.filter(isOpen).length === NETCONF_LIMITS.unauthenticatedPerSource);
    const client = (await RawClient.local(management.socket)).greet('1.1');
    assert.is(outcome(await client.rpc(GET)), 'data');
    client.end();
  } finally {
    for (const socket of sockets) socket.destroy();
  }
  // Their places are free again as soon as the server has seen them go.
  await until(async () => {
    const login = RawClient.ssh(management.netconfPort, 'admin', { privateKey: String(pair.private) });
    const client = await login.catch(() => undefined);
    client?.end();
    return client !== undefined;
  });
});

test('two sessions over one connection: the end of one leaves the other', async () => {
  const connection = new ssh2.Client();
  await new Promise<void>((resolve, reject) => {
    connection.once('ready', resolve).on('error', reject);
    connection.connect({
      host: '127.0.0.1',
      port: management.netconfPort,
      username: 'admin',
      privateKey: pair.private,
    });
  });
  try {
    const [first, second] = [await RawClient.over(connection), await RawClient.over(connection)];
    first.greet('1.1');
    second.greet('1.1');
    assert.is.not(/<session-id>(\d+)/.exec(first.hello)?.[1], /<session-id>(\d+)/.exec(second.hello)?.[1]);
    assert.is(outcome(await first.rpc('<close-session/>')), 'ok');
    assert.ok(await first.closes());
    assert.is(outcome(await second.rpc(GET)), 'data');
  } finally {
    connection.end();
  }
});

test('round trips take no time of Nagle', async () => {
  const client = (await RawClient.ssh(management.netconfPort, 'admin', { privateKey: String(pair.private) })).greet(
    '1.1',
  );
  const times: number[] = [];
  for (let turn = 0; turn < 50; turn++) {
    const start = performance.now();
    assert.is(outcome(await client.rpc(GET)), 'data');
    times.push(performance.now() - start);
  }
  client.end();
  // The best: a busy machine makes others longer, and without TCP_NODELAY each takes more than 40 ms.
  assert.ok(Math.min(...times) < 20, times.map((time) => time.toFixed(1)).join());
});

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 60_000; !(await condition()); await new Promise((resolve) => setTimeout(resolve, 10))) {
    if (Date.now() > end) throw new Error(`never happened: ${condition}`);
  }
}

test('the management process ends cleanly', async () => {
  rmSync(dir, { recursive: true, force: true });
  assert.is(await management.stop(), 0);
});

test.run();
