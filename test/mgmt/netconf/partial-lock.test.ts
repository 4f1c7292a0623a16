// needs: addon
import { spawnSync } from 'node:child_process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { allOk, openLocal, untilUnlocked, withSessions } from '../../helpers/local-sessions.ts';
import { startManagement } from '../../helpers/management.ts';
import { outcome, RawClient } from '../../helpers/netconf-client.ts';
import {
  AFTR,
  binding,
  copy,
  edit,
  GI,
  lock,
  NC_PREFIX,
  nacm,
  RESET,
  systemUser,
  table,
} from '../../helpers/netconf-requests.ts';

/** Partial locks (RFC 5717) against the running program. */
const test = suite('netconf partial lock');

const PL = 'urn:ietf:params:xml:ns:netconf:partial-lock:1.0';
const NAMES = `xmlns="${PL}" xmlns:gi="urn:gi-4over6"`;
const [P, Q] = ['192.0.2.1/32', '192.0.2.2/32'];
const [G1, G2] = ['2001:db8:a::1', '2001:db8:a::2'];

const take = (...selects: readonly string[]) =>
  `<partial-lock ${NAMES}>${selects.map((select) => `<select>${select}</select>`).join('')}</partial-lock>`;
const free = (id: string) => `<partial-unlock ${NAMES}><lock-id>${id}</lock-id></partial-unlock>`;
const ONE_AFTR = "/gi-4over6:softwire/gi-4over6:aftr[gi-4over6:name='a']";
const BINDINGS = '/gi:softwire/gi:aftr/gi:binding-table/gi:binding';
const row = (prefix: string) => `${BINDINGS}[gi:ipv4-prefix='${prefix}']`;
const leaf = (name: string, value: string | number) =>
  edit(`<softwire ${GI}><aftr><name>a</name><${name}>${value}</${name}></aftr></softwire>`);
const removed = (prefix: string) =>
  edit(table(`<binding ${NC_PREFIX} nc:operation="delete"><ipv4-prefix>${prefix}</ipv4-prefix></binding>`));

const management = await startManagement();

const connect = () => openLocal(management);

/** Two clients, running being one AFTR with two bindings; whatever they hold is freed after. */
function withTwo(body: (one: RawClient, other: RawClient) => Promise<void>): () => Promise<void> {
  return async () => {
    await withSessions(connect, 2, async (one, other) => {
      await allOk(one, '<discard-changes/>', RESET, edit(AFTR), edit(table(binding(P, G1) + binding(Q, G1))));
      await body(one, other);
    });
    await untilUnlocked(management);
  };
}

function idIn(reply: string): string {
  const id = new RegExp(`<lock-id xmlns="${PL}">(\\d+)</lock-id>`).exec(reply)?.[1];
  if (id === undefined) throw new Error(`no lock-id: ${reply}`);
  return id;
}

/** Puts a binding through RESTCONF. */
function put(prefix: string, gateway: string): { readonly status: number; readonly body: string } {
  const path = `gi-4over6:softwire/aftr=a/binding-table/binding=${encodeURIComponent(prefix)}`;
  const body = JSON.stringify({ 'gi-4over6:binding': [{ 'ipv4-prefix': prefix, 'gateway-ipv6-address': gateway }] });
  const url = `https://127.0.0.1:${management.restconfPort}/restconf/data/${path}`;
  const type = 'Content-Type: application/yang-data+json';
  const words = [
    '-sk',
    '-u',
    `admin:${management.password}`,
    '-X',
    'PUT',
    '-H',
    type,
    '-d',
    body,
    '-w',
    '\n%{http_code}',
  ];
  const { stdout } = spawnSync('curl', [...words, url], { encoding: 'utf8' });
  const at = stdout.lastIndexOf('\n');
  return { status: Number(stdout.slice(at + 1)), body: stdout.slice(0, at) };
}

const sessionOf = (client: RawClient) => /<session-id>(\d+)</.exec(client.hello)?.[1];

/** What an operation of another session gets that meets a locked node (RFC 5717 section 2.5). */
function assertLocked(reply: string, holder: RawClient, what: string): void {
  assert.is(outcome(reply), 'in-use', what);
  assert.match(reply, '<error-app-tag>locked</error-app-tag>');
  assert.match(reply, `<error-info><session-id>${sessionOf(holder)}</session-id></error-info>`);
}

test('the hello has partial-lock', async () => {
  const client = await connect();
  assert.match(client.hello, '>urn:ietf:params:netconf:capability:partial-lock:1.0<');
  client.end();
});

test(
  'N99: a lock names its nodes; each is monitored, and an edit inside by another session is in-use',
  withTwo(async (one, other) => {
    const reply = await one.rpc(
      take(row(P), '/gi:softwire/gi:aftr/gi:hop-limit | /gi:softwire/gi:aftr/gi:ipv6-address'),
    );
    const id = idIn(reply);
    assert.match(
      reply,
      `>${ONE_AFTR}/gi-4over6:binding-table/gi-4over6:binding[gi-4over6:ipv4-prefix='${P}']</locked-node>`,
    );
    assert.match(reply, `>${ONE_AFTR}/gi-4over6:ipv6-address</locked-node>`);
    assert.is(reply.split('<locked-node').length - 1, 2, 'what is not there is not locked');
    const monitored = await other.rpc(
      '<get><filter><netconf-state xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring"><datastores/></netconf-state></filter></get>',
    );
    assert.match(
      monitored,
      new RegExp(
        `<partial-lock><lock-id>${id}</lock-id><locked-by-session>${sessionOf(one)}</locked-by-session><locked-time>[^<]*</locked-time><select xmlns:gi-4over6="urn:gi-4over6">/gi-4over6:softwire/gi-4over6:aftr`,
      ),
    );
    const steps: readonly (readonly [string, boolean])[] = [
      [edit(table(binding(P, G2))), false],
      [removed(P), false],
      [edit(table(binding(P, G2) + binding(Q, G2))), false],
      [leaf('ipv6-address', '2001:db8:b::2'), false],
      [RESET, false],
      [edit(`<softwire ${GI}><aftr ${NC_PREFIX} nc:operation="delete"><name>a</name></aftr></softwire>`), false],
      [edit(AFTR.replace('<softwire', `<softwire ${NC_PREFIX} nc:operation="replace"`)), false],
      [edit(table(binding(P, G1))), true],
      [edit(table(binding(Q, G2))), true],
      [edit(table(binding('192.0.2.3/32', G2))), true],
      [leaf('hop-limit', 63), true],
    ];
    for (const [request, isFree] of steps) {
      const answer = await other.rpc(request);
      if (isFree) assert.is(outcome(answer), 'ok', request);
      else assertLocked(answer, one, request);
    }
    assert.is(outcome(await one.rpc(edit(table(binding(P, G2))))), 'ok', 'its holder may');
    assert.is(outcome(await one.rpc(free(id))), 'ok');
    assert.is(outcome(await other.rpc(edit(table(binding(P, G1))))), 'ok');
    assert.is(outcome(await one.rpc(free(id))), 'invalid-value', 'it is gone');
  }),
);

test(
  'N99: a commit of the candidate that touches a locked node is in-use; one beside it passes',
  withTwo(async (one, other) => {
    await one.rpc(take(row(P)));
    assert.is(
      outcome(await other.rpc(edit(table(binding(P, G2)), '', 'candidate'))),
      'ok',
      'the candidate is not locked',
    );
    assertLocked(await other.rpc('<commit/>'), one, 'commit');
    assertLocked(await other.rpc(copy('<candidate/>', 'running')), one, 'copy-config');
    assert.is(outcome(await other.rpc('<discard-changes/>')), 'ok');
    assert.is(outcome(await other.rpc(edit(table(binding(Q, G2)), '', 'candidate'))), 'ok');
    assert.is(outcome(await other.rpc('<commit/>')), 'ok');
    assert.is(outcome(await one.rpc(edit(table(binding(P, G2)), '', 'candidate'))), 'ok');
    assert.is(outcome(await one.rpc('<commit/>')), 'ok', 'its holder may');
  }),
);

test(
  'N99: an edit through RESTCONF meets a lock as 409',
  withTwo(async (one) => {
    const id = idIn(await one.rpc(take('/gi:softwire/gi:aftr/gi:binding-table')));
    const refused = put('192.0.2.9/32', G1);
    assert.is(refused.status, 409);
    assert.match(refused.body, '"error-tag":"in-use"');
    // A number (RFC 7951 §6.1).
    assert.match(refused.body, /"error-info":\{"session-id":\d+\}/);
    await one.rpc(free(id));
    assert.is(put('192.0.2.9/32', G1).status, 201);
  }),
);

test(
  'N99: global and partial locks exclude each other; own partial locks may overlap, those of others not',
  withTwo(async (one, other) => {
    await one.rpc(lock('running'));
    for (const client of [one, other]) {
      const reply = await client.rpc(take(row(P)));
      assert.is(outcome(reply), 'lock-denied');
      assert.match(reply, `<session-id>${sessionOf(one)}</session-id>`);
    }
    await one.rpc(lock('running', 'unlock'));
    const id = idIn(await one.rpc(take('/gi:softwire/gi:aftr/gi:binding-table')));
    for (const client of [one, other]) {
      const reply = await client.rpc(lock('running'));
      assert.is(outcome(reply), 'lock-denied');
      assert.match(reply, `<session-id>${sessionOf(one)}</session-id>`);
    }
    assert.is(outcome(await other.rpc(lock('candidate'))), 'ok', 'the candidate has nothing to do with it');
    for (const select of [
      row(P),
      '/gi:softwire',
      '/gi:softwire/gi:aftr/gi:binding-table',
      `${row(P)}/gi:gateway-ipv6-address`,
    ]) {
      const reply = await other.rpc(take(select));
      assert.is(outcome(reply), 'lock-denied', select);
      assert.match(reply, `<session-id>${sessionOf(one)}</session-id>`);
    }
    assert.is(outcome(await other.rpc(free(id))), 'invalid-value', 'the lock of another session');
    const beside = idIn(await other.rpc(take('/gi:softwire/gi:aftr/gi:ipv6-address')));
    const second = idIn(await one.rpc(take(row(P))));
    await one.rpc(free(id));
    assertLocked(await other.rpc(edit(table(binding(P, G2)))), one, 'the second lock holds');
    assertLocked(await one.rpc(leaf('ipv6-address', '2001:db8:b::3')), other, 'each of the two is asked');
    assert.is(new Set([id, second, beside]).size, 3);
  }),
);

test(
  'N99: locks end with their session, however it ends',
  withTwo(async (one, other) => {
    const third = await connect();
    for (const [client, end] of [
      [one, () => one.rpc('<close-session/>')],
      [third, () => other.rpc(`<kill-session><session-id>${sessionOf(third)}</session-id></kill-session>`)],
    ] as const) {
      idIn(await client.rpc(take(row(P))));
      assertLocked(await other.rpc(edit(table(binding(P, G2)))), client, 'held');
      await end();
      await untilUnlocked(management);
      assert.is(outcome(await other.rpc(edit(table(binding(P, G2))))), 'ok');
      assert.is(outcome(await other.rpc(edit(table(binding(P, G1))))), 'ok');
    }
    third.end();
  }),
);

test(
  'N99: a locked node that its holder deletes is locked no more',
  withTwo(async (one, other) => {
    const id = idIn(await one.rpc(take(row(P), '/gi:softwire/gi:aftr/gi:ipv6-address')));
    assert.is(outcome(await one.rpc(removed(P))), 'ok');
    assert.is(outcome(await other.rpc(edit(table(binding(P, G2))))), 'ok');
    assertLocked(await other.rpc(leaf('ipv6-address', '2001:db8:b::2')), one, 'the rest of it');
    assert.is(outcome(await one.rpc(free(id))), 'ok');
  }),
);

test(
  'N99: while a confirmed commit is pending nothing can be locked in part',
  withTwo(async (one, other) => {
    await one.rpc(edit(table(binding(P, G2)), '', 'candidate'));
    assert.is(outcome(await one.rpc('<commit><confirmed/></commit>')), 'ok');
    for (const client of [one, other]) {
      const reply = await client.rpc(take(row(Q)));
      assert.is(outcome(reply), 'in-use');
      assert.match(reply, '<error-app-tag>outstanding-confirmed-commit</error-app-tag>');
    }
    assert.is(outcome(await one.rpc('<cancel-commit/>')), 'ok');
    idIn(await other.rpc(take(row(Q))));
  }),
);

// [what is wrong, request, error-tag, error-app-tag]
const FAULTS: readonly (readonly [string, string, string, string?])[] = [
  ['no select', take(), 'operation-failed', 'too-few-elements'],
  ['an expression that is none', take('/gi:softwire['), 'invalid-value'],
  ['an unknown prefix', take('/nobody:softwire'), 'unknown-namespace'],
  ['an expression that gives no nodes', take('count(/gi:softwire)'), 'invalid-value', 'not-a-node-set'],
  ['nothing there', take('/gi:softwire/gi:gateway', row('192.0.2.77/32')), 'operation-failed', 'no-matches'],
  ['state', take('/gi:softwire/gi:aftr/gi:binding-table/gi:bindings'), 'operation-failed', 'no-matches'],
  ['the root', take('/'), 'invalid-value'],
  ['no lock-id', `<partial-unlock ${NAMES}/>`, 'missing-element'],
  ['a lock-id of nobody', free('4242'), 'invalid-value'],
];
for (const [what, request, tag, appTag] of FAULTS) {
  test(
    `N99: ${what} is ${tag}`,
    withTwo(async (one) => {
      const reply = await one.rpc(request);
      assert.is(outcome(reply), tag);
      if (appTag !== undefined) assert.match(reply, `<error-app-tag>${appTag}</error-app-tag>`);
      assert.is(outcome(await one.rpc(lock('running'))), 'ok', 'nothing was locked');
    }),
  );
}

test(
  'N99: one expression that gives nothing is fine beside one that does; a node is locked once',
  withTwo(async (one) => {
    const reply = await one.rpc(take('/gi:softwire/gi:gateway', row(P), `${BINDINGS}[1]`));
    assert.is(reply.split('<locked-node').length - 1, 1);
  }),
);

test(
  'N99: there is a limit to the nodes of a lock, and to the locks of a session',
  withTwo(async (one, other) => {
    const pool = AFTR.replace('192.0.2.0/24', '10.0.0.0/8');
    const rows = Array.from({ length: 1_001 }, (_, i) => binding(`10.0.${i >> 8}.${i & 255}/32`, G1)).join('');
    for (const step of [edit(pool), edit(table(rows))]) assert.is(outcome(await one.rpc(step)), 'ok');
    assert.is(outcome(await one.rpc(take(BINDINGS))), 'resource-denied');
    assert.is(outcome(await other.rpc(edit(table(binding(P, G2))))), 'ok', 'nothing was locked');
    for (let i = 0; i < 100; i++) idIn(await one.rpc(take(row(P))));
    assert.is(outcome(await one.rpc(take(row(P)))), 'resource-denied');
    assert.is(idIn(await other.rpc(take(row(Q)))).length > 0, true);
  }),
);

test(
  'N99: who may not write a node does not lock it, nor learns who has',
  withTwo(async (one) => {
    const rule = (name: string, content: string) =>
      `<rule><name>${name}</name>${content}<action>permit</action></rule>`;
    const read = rule(
      'read',
      '<path xmlns:gi="urn:gi-4over6">/gi:softwire</path><access-operations>read</access-operations>',
    );
    const write = rule(
      'write',
      `<path xmlns:gi="urn:gi-4over6">/gi:softwire/gi:aftr/gi:hop-limit</path><access-operations>*</access-operations>`,
    );
    const may = rule('exec', '<access-operations>exec</access-operations>');
    const list = nacm(
      `<groups><group><name>few</name><user-name>guest</user-name></group></groups><rule-list nc:operation="replace"><name>few</name><group>few</group>${may}${write}${read}</rule-list>`,
    );
    assert.is(outcome(await one.rpc(edit(systemUser('guest', '$0$guest word') + list))), 'ok');
    await one.rpc(leaf('hop-limit', 63));
    const guest = (await RawClient.ssh(management.netconfPort, 'guest', { password: 'guest word' })).greet('1.1');
    idIn(await one.rpc(take(row(P))));
    assert.is(outcome(await guest.rpc(take(row(P)))), 'access-denied');
    assert.is(
      outcome(await guest.rpc(take('/ietf-netconf-acm:nacm'))),
      'operation-failed',
      'what he may not read is not there',
    );
    idIn(await guest.rpc(take('/gi:softwire/gi:aftr/gi:hop-limit')));
    assertLocked(await one.rpc(leaf('hop-limit', 62)), guest, 'hop-limit');
    guest.end();
  }),
);

test('the program ends cleanly', async () => {
  assert.is(await management.stop(), 0);
});

test.run();
