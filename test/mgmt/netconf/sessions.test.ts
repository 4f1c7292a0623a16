// needs: addon
/** What is left of a session that ends: by close-session, by a connection that is reset, by a client that is killed. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { allOk, openLocal } from '../../helpers/local-sessions.ts';
import { startManagement } from '../../helpers/management.ts';
import { NC, outcome, RawClient } from '../../helpers/netconf-client.ts';
import {
  AFTR,
  binding,
  edit,
  getConfig,
  lock,
  NC_PREFIX,
  nacm,
  noUser,
  RESET,
  systemUser,
  table,
} from '../../helpers/netconf-requests.ts';

const test = suite('ends of sessions');
const P = '192.0.2.1/32';
const G1 = '2001:db8:a::1';
const WAIT_MS = 60_000;

const management = await startManagement();
const newSession = () => openLocal(management);
const root = await newSession();
const ok = allOk;

/** Until the reply to an operation is this. */
async function until(operation: string, expected: string): Promise<void> {
  for (const end = Date.now() + WAIT_MS; ; await new Promise((resolve) => setTimeout(resolve, 10))) {
    const found = outcome(await root.rpc(operation));
    if (found === expected) return;
    if (Date.now() > end) throw new Error(`${operation}: ${found}, not ${expected}`);
  }
}

const candidate = async () => (await root.rpc(getConfig('', 'candidate'))).includes(P);

async function start(): Promise<void> {
  await ok(root, '<discard-changes/>', RESET, edit(AFTR));
}

test('N22: close-session answers ok, then the end; locks go, and with the lock of the candidate its changes', async () => {
  await start();
  const client = await newSession();
  await ok(client, lock('running'));
  await ok(client, lock('candidate'));
  await ok(client, edit(table(binding(P, G1)), '', 'candidate'));
  assert.is(await candidate(), true);
  assert.is(outcome(await root.rpc(lock('running'))), 'lock-denied');
  await ok(client, '<close-session/>');
  assert.ok(await client.closes());
  assert.is(await candidate(), false);
  await ok(root, lock('running'));
  await ok(root, lock('candidate'));
  await ok(root, lock('running', 'unlock'));
  await ok(root, lock('candidate', 'unlock'));
});

test('N22: without a lock, close-session keeps what the candidate holds', async () => {
  await start();
  const client = await newSession();
  await ok(client, edit(table(binding(P, G1)), '', 'candidate'));
  await ok(client, '<close-session/>');
  assert.ok(await client.closes());
  assert.is(await candidate(), true);
  await ok(root, '<commit/>');
  assert.match(await root.rpc(getConfig()), P);
});

test('N25: a TCP reset frees the locks, over SSH', async () => {
  await start();
  const socket = connect(management.netconfPort, '127.0.0.1');
  await once(socket, 'connect');
  const connection = new ssh2.Client();
  connection.on('error', () => undefined);
  connection.connect({ sock: socket, username: 'admin', password: management.password });
  await once(connection, 'ready');
  const client = (await RawClient.over(connection)).greet('1.1');
  await ok(client, lock('running'));
  await ok(client, lock('candidate'));
  await ok(client, edit(table(binding(P, G1)), '', 'candidate'));
  assert.is(outcome(await root.rpc(lock('running'))), 'lock-denied');
  // With SO_LINGER 0: a segment with RST and nothing else.
  socket.resetAndDestroy();
  await until(lock('running'), 'ok');
  await until(lock('candidate'), 'ok');
  assert.is(await candidate(), false);
  await ok(root, lock('running', 'unlock'));
  await ok(root, lock('candidate', 'unlock'));
});

test('N25: kill -9 of an OpenSSH client frees the locks', async () => {
  await start();
  const dir = mkdtempSync(join(tmpdir(), 'gi4over6-killed-'));
  const pair = ssh2.utils.generateKeyPairSync('ed25519');
  writeFileSync(join(dir, 'key'), pair.private, { mode: 0o600 });
  const key = `<authorized-key><name>k</name><algorithm>ssh-ed25519</algorithm><key-data>${pair.public.split(' ')[1]}</key-data></authorized-key>`;
  const user = `<system xmlns="urn:ietf:params:xml:ns:yang:ietf-system"><authentication><user><name>admin</name>${key}</user></authentication></system>`;
  await ok(root, edit(user));
  const options = ['StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'LogLevel=ERROR', 'IdentitiesOnly=yes'];
  const words = [
    '-p',
    String(management.netconfPort),
    '-i',
    join(dir, 'key'),
    ...options.flatMap((text) => ['-o', text]),
  ];
  const child = spawn('ssh', [...words, 'admin@127.0.0.1', '-s', 'netconf'], { stdio: ['pipe', 'pipe', 'ignore'] });
  try {
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    child.stdin.write(
      `<hello ${NC}><capabilities><capability>urn:ietf:params:netconf:base:1.0</capability></capabilities></hello>]]>]]>` +
        `<rpc ${NC} message-id="1">${lock('running')}</rpc>]]>]]>`,
    );
    for (const end = Date.now() + WAIT_MS; !output.includes('<ok/>'); ) {
      assert.ok(Date.now() < end, output);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.is(outcome(await root.rpc(lock('running'))), 'lock-denied');
    child.kill('SIGKILL');
    await until(lock('running'), 'ok');
    await ok(root, lock('running', 'unlock'));
  } finally {
    child.kill('SIGKILL');
    rmSync(dir, { recursive: true });
  }
});

test('N110: the recovery session is free of rules; what is denied is counted, each in its leaf', async () => {
  await start();
  const counters = async () => {
    const text = await root.rpc(`<get><filter>${nacm('')}</filter></get>`);
    return ['operations', 'data-writes', 'notifications'].map((name) =>
      Number(new RegExp(`<denied-${name}>(\\d+)<`).exec(text)?.[1]),
    );
  };
  const rule = (name: string, content: string, action: string) =>
    `<rule><name>${name}</name>${content}<action>${action}</action></rule>`;
  const rules =
    rule('commit', '<rpc-name>commit</rpc-name><access-operations>exec</access-operations>', 'deny') +
    rule('exec', '<access-operations>exec</access-operations>', 'permit') +
    rule('events', '<notification-name>netconf-session-start</notification-name>', 'deny');
  const everybody = `<groups><group><name>few</name><user-name>guest</user-name></group></groups><rule-list nc:operation="replace"><name>all</name><group>*</group>${rules}</rule-list>`;
  await ok(root, edit(systemUser('guest', '$0$guest word') + nacm(everybody)));
  const guest = (await RawClient.ssh(management.netconfPort, 'guest', { password: 'guest word' })).greet('1.1');
  const subscriber = (await RawClient.ssh(management.netconfPort, 'guest', { password: 'guest word' })).greet('1.1');
  await ok(subscriber, '<create-subscription xmlns="urn:ietf:params:xml:ns:netconf:notification:1.0"/>');
  const [operations = 0, writes = 0, notifications = 0] = await counters();

  assert.is(outcome(await guest.rpc('<commit/>')), 'access-denied');
  assert.equal(await counters(), [operations + 1, writes, notifications]);
  assert.is(outcome(await guest.rpc(edit(table(binding(P, G1))))), 'access-denied');
  assert.equal(await counters(), [operations + 1, writes + 1, notifications]);
  assert.is(outcome(await guest.rpc(edit(table(binding(P, G1)), '', 'candidate'))), 'access-denied');
  assert.equal(await counters(), [operations + 1, writes + 2, notifications]);
  const third = await newSession();
  assert.is(outcome(await third.rpc(getConfig())), 'data');
  for (const end = Date.now() + WAIT_MS; (await counters())[2] !== notifications + 1; ) {
    assert.ok(Date.now() < end, 'the notification was never counted');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.equal(await counters(), [operations + 1, writes + 2, notifications + 1]);

  // The rule is for everybody; root on the local socket does all three.
  await ok(root, edit(table(binding(P, G1)), '', 'candidate'));
  await ok(root, '<commit/>');
  // The events of that commit are denied to the subscriber, too.
  assert.equal((await counters()).slice(0, 2), [operations + 1, writes + 2]);
  await ok(root, edit(nacm(`<rule-list ${NC_PREFIX} nc:operation="delete"><name>all</name></rule-list>`)));
  for (const client of [guest, subscriber, third]) client.end();
});

test('a user who is deleted has no session any more, and his locks go; the one who deletes himself still has the answer', async () => {
  await start();
  const word = { password: 'word' };
  const permit = (user: string) =>
    `<groups><group><name>admin</name><user-name>${user}</user-name></group></groups><enable-nacm>true</enable-nacm>`;
  for (const user of ['first', 'second']) {
    await ok(root, edit(systemUser(user, '$0$word')), edit(nacm(permit(user))));
  }
  const [first, second] = await Promise.all(
    ['first', 'second'].map(async (user) => (await RawClient.ssh(management.netconfPort, user, word)).greet('1.1')),
  );
  if (!first || !second) throw new Error('there are two');
  await ok(first, lock('candidate'));
  await ok(second, edit(AFTR));
  await ok(root, edit(noUser('first')));
  assert.ok(await first.closes());
  await until(lock('candidate'), 'ok');
  await ok(root, lock('candidate', 'unlock'));
  await ok(second, edit(AFTR), edit(noUser('second')));
  assert.ok(await second.closes());
  const came = await RawClient.ssh(management.netconfPort, 'second', word).catch(() => undefined);
  assert.is(came, undefined);
});

test('the management process ends cleanly', async () => {
  root.end();
  assert.is(await management.stop(), 0);
});

test.run();
