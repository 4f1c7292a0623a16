// needs: root
/** Confirmed commits (RFC 6241 §8.4) of the running program: NETCONF sessions, its timer, its restarts, RESTCONF beside it. */

import { spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { startManagement } from '../../helpers/management.ts';
import { outcome, RawClient } from '../../helpers/netconf-client.ts';
import { eventually } from '../../helpers/program.ts';

const test = suite('netconf confirmed commit');
const GI = 'xmlns="urn:gi-4over6"';
const G = '2001:db8:a::1';
const WAIT_MS = 60_000;

const management = await startManagement();

const config = (content: string) =>
  `<softwire ${GI}><aftr><name>a</name><ipv6-address>2001:db8:b::1</ipv6-address><ipv4-pool>192.0.2.0/24</ipv4-pool>${content}</aftr></softwire>`;

/** Binds 192.0.2.`number`. */
function bind(number: number, target: 'candidate' | 'running' = 'candidate'): string {
  const binding = `<binding><ipv4-prefix>192.0.2.${number}/32</ipv4-prefix><gateway-ipv6-address>${G}</gateway-ipv6-address></binding>`;
  return `<edit-config><target><${target}/></target><config>${config(`<binding-table>${binding}</binding-table>`)}</config></edit-config>`;
}

const confirmed = (parameters = '<confirm-timeout>60</confirm-timeout>') =>
  `<commit><confirmed/>${parameters}</commit>`;
const PERSIST = '<confirm-timeout>60</confirm-timeout><persist>token 1</persist>';
const PERSIST_ID = '<persist-id>token 1</persist-id>';
const LOCK = '<lock><target><running/></target></lock>';

const open = async () => (await RawClient.local(management.socket)).greet('1.1');

async function ok(client: RawClient, ...operations: readonly string[]): Promise<void> {
  for (const operation of operations) assert.is(outcome(await client.rpc(operation)), 'ok', operation);
}

/** Last octets of the addresses that running binds. */
async function bound(client: RawClient): Promise<string> {
  const reply = await client.rpc('<get-config><source><running/></source></get-config>');
  return [...reply.matchAll(/<ipv4-prefix>192\.0\.2\.(\d+)\/32</g)].map(([, octet]) => octet).join(' ');
}

async function untilBound(client: RawClient, wanted: string): Promise<void> {
  const deadline = Date.now() + WAIT_MS;
  while ((await bound(client)) !== wanted) {
    assert.ok(Date.now() < deadline, `${wanted} in time`);
    await sleep(20);
  }
}

/** What the state says of the pending one; '' for none. */
async function pending(client: RawClient): Promise<string> {
  const filter = `<filter type="subtree"><softwire ${GI}><state><confirmed-commit/></state></softwire></filter>`;
  return /<confirmed-commit>(.*)<\/confirmed-commit>/s.exec(await client.rpc(`<get>${filter}</get>`))?.[1] ?? '';
}

/** Runs a body with two sessions; running binds 192.0.2.1 alone, and the candidate holds 192.0.2.2 too. */
function fresh(name: string, body: (client: RawClient, other: RawClient) => Promise<void>): void {
  test(name, async () => {
    const [client, other] = [await open(), await open()];
    try {
      const remove = `<edit-config><target><running/></target><config><softwire ${GI} xmlns:nc="urn:ietf:params:xml:ns:netconf:base:1.0" nc:operation="remove"/></config></edit-config>`;
      // What a session before has locked or committed for a while is let go when the server has seen its end.
      await eventually(WAIT_MS, async () => (await pending(other)) === '' || undefined);
      await eventually(WAIT_MS, async () => outcome(await other.rpc(LOCK)) === 'ok' || undefined);
      await ok(other, '<unlock><target><running/></target></unlock>');
      await ok(other, '<discard-changes/>', remove, bind(1, 'running'));
      await ok(client, bind(2));
      await body(client, other);
    } finally {
      client.end();
      other.end();
    }
  });
}

test('the capability is in the hello and in the monitoring data', async () => {
  const client = await open();
  const capability = 'urn:ietf:params:netconf:capability:confirmed-commit:1.1';
  assert.ok(client.hello.includes(`<capability>${capability}</capability>`));
  const filter =
    '<netconf-state xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring"><capabilities/></netconf-state>';
  assert.ok((await client.rpc(`<get><filter type="subtree">${filter}</filter></get>`)).includes(capability));
  client.end();
});

fresh('N75: taken back when the time runs out', async (client, other) => {
  await ok(client, confirmed('<confirm-timeout>4</confirm-timeout>'));
  assert.is(await bound(other), '1 2');
  await untilBound(other, '1');
  assert.is(await pending(other), '');
});

fresh('N75: 600 seconds unless it says otherwise; state says who, until when, back to what', async (client, other) => {
  const asked = Date.now();
  const version = /<configured-version>(\d+)</.exec(
    await other.rpc(`<get><filter type="subtree"><softwire ${GI}><state/></softwire></filter></get>`),
  )?.[1];
  await ok(client, confirmed(''));
  const state = await pending(other);
  const leaf = (name: string) => new RegExp(`<${name}>([^<]+)<`).exec(state)?.[1];
  const session = /<session-id>(\d+)</.exec(client.hello)?.[1];
  assert.equal(['user', 'session-id', 'persistent', 'base-version'].map(leaf), ['root', session, 'false', version]);
  const after = Date.parse(leaf('deadline') ?? '') - 600_000;
  assert.ok(asked <= after && after <= Date.now(), state);
});

fresh('N76: confirmed in time it stays', async (client, other) => {
  await ok(client, confirmed('<confirm-timeout>4</confirm-timeout>'), '<commit/>');
  assert.is(await pending(other), '');
  await sleep(4_100);
  assert.is(await bound(other), '1 2');
});

fresh('N77: taken back when its session ends, not when another does', async (client, other) => {
  const third = await open();
  await ok(client, confirmed());
  await ok(third, '<close-session/>');
  assert.ok(await third.closes());
  assert.is(await bound(other), '1 2');
  await ok(client, '<close-session/>');
  await untilBound(other, '1');
});

fresh('N77: taken back when the connection of its session breaks', async (client, other) => {
  await ok(client, confirmed());
  client.end();
  await untilBound(other, '1');
});

fresh('N24: taken back when its session is killed', async (client, other) => {
  await ok(client, confirmed());
  const session = /<session-id>(\d+)</.exec(client.hello)?.[1];
  await ok(other, `<kill-session><session-id>${session}</session-id></kill-session>`);
  await untilBound(other, '1');
});

fresh('N78: with persist it outlives its session; another confirms with the persist-id', async (client, other) => {
  await ok(client, confirmed(PERSIST));
  client.end();
  assert.match(await pending(other), /<persistent>true</);
  assert.is(outcome(await other.rpc('<commit/>')), 'in-use');
  assert.is(outcome(await other.rpc('<commit><persist-id>token 2</persist-id></commit>')), 'invalid-value');
  assert.is(await bound(other), '1 2');
  assert.match(await pending(other), /<persistent>true</);
  await ok(other, `<commit>${PERSIST_ID}</commit>`);
  assert.is(await pending(other), '');
  assert.is(await bound(other), '1 2');
});

fresh('N79: the second one moves the deadline and covers both changes', async (client, other) => {
  await ok(client, confirmed('<confirm-timeout>4</confirm-timeout>'), bind(3));
  await ok(client, confirmed());
  await sleep(4_100);
  assert.is(await bound(other), '1 2 3');
  await ok(client, confirmed('<confirm-timeout>1</confirm-timeout>'));
  await untilBound(other, '1');
});

fresh('N80: cancel-commit', async (client, other) => {
  assert.is(outcome(await client.rpc('<cancel-commit/>')), 'operation-failed');
  await ok(client, confirmed());
  assert.is(outcome(await other.rpc('<cancel-commit/>')), 'in-use');
  assert.is(outcome(await client.rpc(`<cancel-commit>${PERSIST_ID}</cancel-commit>`)), 'invalid-value');
  assert.is(await bound(other), '1 2');
  await ok(client, '<cancel-commit/>');
  assert.is(await bound(other), '1');
  await ok(client, bind(2), confirmed(PERSIST));
  assert.is(outcome(await client.rpc('<cancel-commit/>')), 'invalid-value');
  assert.is(outcome(await other.rpc('<cancel-commit><persist-id>other</persist-id></cancel-commit>')), 'invalid-value');
  await ok(other, `<cancel-commit>${PERSIST_ID}</cancel-commit>`);
  assert.is(await bound(other), '1');
});

/** Who the next change of running is told as made by (RFC 6470 §2.2). */
async function changedBy(watcher: RawClient): Promise<string> {
  for (;;) {
    const event = await watcher.receive();
    const by = /<changed-by>(.*)<\/changed-by><datastore>running</.exec(event)?.[1];
    if (by !== undefined) return by;
  }
}

fresh('N92: who cancels has changed running; when time is over the server has', async (client, other) => {
  const watcher = await open();
  assert.is(
    outcome(await watcher.rpc('<create-subscription xmlns="urn:ietf:params:xml:ns:netconf:notification:1.0"/>')),
    'ok',
  );
  const by = ({ hello }: RawClient) =>
    `<username>root</username><session-id>${/<session-id>(\d+)</.exec(hello)?.[1]}</session-id>`;
  await ok(client, confirmed(PERSIST));
  assert.is(await changedBy(watcher), by(client));
  await ok(other, `<cancel-commit>${PERSIST_ID}</cancel-commit>`);
  assert.is(await changedBy(watcher), by(other));
  await ok(client, bind(2), confirmed('<confirm-timeout>1</confirm-timeout>'));
  assert.is(await changedBy(watcher), by(client));
  assert.is(await changedBy(watcher), '<server/>');
  await ok(client, bind(2), confirmed());
  assert.is(await changedBy(watcher), by(client));
  client.end();
  assert.is(await changedBy(watcher), '<server/>');
  watcher.end();
});

const parameters: readonly (readonly [string, string, string])[] = [
  ['no seconds', '<commit><confirmed/><confirm-timeout>0</confirm-timeout></commit>', 'invalid-value'],
  [
    'more seconds than fit',
    '<commit><confirmed/><confirm-timeout>4294967296</confirm-timeout></commit>',
    'invalid-value',
  ],
  ['persist without confirmed', '<commit><persist>x</persist></commit>', 'missing-element'],
  ['confirm-timeout without confirmed', '<commit><confirm-timeout>5</confirm-timeout></commit>', 'missing-element'],
  ['persist-id with none pending', '<commit><persist-id>x</persist-id></commit>', 'invalid-value'],
];
for (const [what, operation, tag] of parameters) {
  fresh(`parameters: ${what} is ${tag}, nothing is committed`, async (client, other) => {
    assert.is(outcome(await client.rpc(operation)), tag);
    assert.is(await bound(other), '1');
    assert.is(await pending(other), '');
  });
}

fresh('running meanwhile: others may neither lock nor edit it, its session may', async (client, other) => {
  await ok(client, confirmed());
  const denied = await other.rpc(LOCK);
  assert.is(outcome(denied), 'lock-denied');
  assert.is(/<session-id>(\d+)</.exec(denied)?.[1], /<session-id>(\d+)</.exec(client.hello)?.[1]);
  assert.is(outcome(await other.rpc(bind(9, 'running'))), 'in-use');
  await ok(client, LOCK, bind(3, 'running'), '<cancel-commit/>');
  assert.is(await bound(other), '1');
});

/** Binds 192.0.2.`number` through RESTCONF; the status and the first error-tag. */
function post(number: number): string {
  const body = JSON.stringify({
    'gi-4over6:binding': [{ 'ipv4-prefix': `192.0.2.${number}/32`, 'gateway-ipv6-address': G }],
  });
  const url = `https://127.0.0.1:${management.restconfPort}/restconf/data/gi-4over6:softwire/aftr=a/binding-table`;
  const json = 'Content-Type: application/yang-data+json';
  const words = ['-sk', '-u', `admin:${management.password}`, '-H', json, '-d', body, '-w', '\n%{http_code}', url];
  const { stdout } = spawnSync('curl', words, { encoding: 'utf8', timeout: WAIT_MS });
  const tag = /"error-tag":\s*"([^"]+)"/.exec(stdout)?.[1];
  return `${stdout.slice(stdout.lastIndexOf('\n') + 1)}${tag === undefined ? '' : ` ${tag}`}`;
}

fresh('R53: an edit through RESTCONF confirms; with a token it is refused', async (client, other) => {
  await ok(client, confirmed());
  assert.is(post(3), '201');
  assert.is(await pending(other), '');
  client.end();
  await ok(other, '<discard-changes/>');
  assert.is(await bound(other), '1 2 3');
  await ok(other, bind(4), confirmed(PERSIST));
  assert.is(post(5), '409 in-use');
  assert.match(await pending(other), /<persistent>true</);
  await ok(other, `<cancel-commit>${PERSIST_ID}</cancel-commit>`);
  assert.is(await bound(other), '1 2 3');
});

fresh('N104: who may not execute them is refused', async (_client, root) => {
  const hash = /<password>([^<]+)</.exec(await root.rpc('<get-config><source><running/></source></get-config>'))?.[1];
  const user = `<system xmlns="urn:ietf:params:xml:ns:yang:ietf-system"><authentication><user><name>guest</name><password>${hash}</password></user></authentication></system>`;
  await ok(root, `<edit-config><target><running/></target><config>${user}</config></edit-config>`);
  const guest = await RawClient.ssh(management.netconfPort, 'guest', { password: management.password });
  guest.greet('1.1');
  for (const operation of [confirmed(), '<cancel-commit/>']) {
    assert.is(outcome(await guest.rpc(operation)), 'access-denied');
  }
  guest.end();
});

// [what, parameters, signal, rows after the restart]
const restarts = [
  ['without persist it is taken back', '<confirm-timeout>60</confirm-timeout>', 'SIGKILL', '1'],
  ['with persist it is pending still', PERSIST, 'SIGKILL', '1 2'],
  ['without persist it is taken back by a stop as well', '<confirm-timeout>60</confirm-timeout>', 'SIGTERM', '1'],
] as const;
for (const [what, parameters, signal, rows] of restarts) {
  fresh(`N81: a restart by ${signal}: ${what}`, async (client) => {
    await ok(client, confirmed(parameters));
    await management.restart(signal);
    const again = await open();
    assert.is(await bound(again), rows);
    if (rows === '1 2') {
      assert.not.match(await pending(again), /session-id/);
      await ok(again, `<commit><confirmed/><confirm-timeout>1</confirm-timeout>${PERSIST_ID}</commit>`);
      await untilBound(again, '1');
    }
    assert.is(await pending(again), '');
    again.end();
  });
}

for (const parameters of ['<confirm-timeout>60</confirm-timeout>', PERSIST]) {
  fresh(
    `N81: a boot of the kernel takes it back, ${parameters === PERSIST ? 'with' : 'without'} persist`,
    async (client) => {
      await ok(client, confirmed(parameters));
      management.reboot();
      await management.restart('SIGKILL');
      const again = await open();
      assert.is(await bound(again), '1');
      assert.is(await pending(again), '');
      again.end();
    },
  );
}

test('the log says what became of them', async () => {
  const events = [...management.log().matchAll(/"event":"([a-z-]+)"/g)].map(([, event]) => event);
  for (const event of ['start', 'extend', 'complete', 'cancel', 'timeout', 'session-end', 'restart']) {
    assert.ok(events.includes(event), event);
  }
  assert.is(await management.stop(), 0);
});

test.run();
