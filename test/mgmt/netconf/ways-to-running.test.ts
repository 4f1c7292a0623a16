// needs: addon, root
/**
 * Every way to change running goes through the rights to data (RFC 8341 §3.2.5 to §3.2.8): for a user who may create bindings and execute
 * everything, each way takes a binding more and refuses a leaf of an AFTR that changes.
 */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { RawClient } from '../../helpers/netconf-client.ts';
import { outcome } from '../../helpers/netconf-client.ts';
import { binding, copy, edit, GI, getConfig, lock, NC_PREFIX, nacm, table } from '../../helpers/netconf-requests.ts';
import { editData } from '../../helpers/nmda-requests.ts';
import type { Asked, RuleText } from '../../helpers/two-worlds.ts';
import { answer, begin, closeWorld, done, guestOf, newestVersion, openWorld, SAVE } from '../../helpers/two-worlds.ts';

const test = suite('ways to change running');

const BINDINGS = '/gi:softwire/gi:aftr/gi:binding-table/gi:binding';
const PASSWORDS = '/sys:system/sys:authentication/sys:user/sys:password';
const RULES: readonly RuleText[] = [
  ['create', 'permit', BINDINGS],
  ['exec', 'permit'],
  ['read', 'permit'],
];
const PREFIX = '192.0.2.9/32';
const MORE = table(binding(PREFIX, '2001:db8:a::9'));
const HOPS = `<softwire ${GI}><aftr><name>a</name><hop-limit>9</hop-limit></aftr></softwire>`;

const DESCRIBED = table('<binding><ipv4-prefix>192.0.2.1/32</ipv4-prefix><description>secret</description></binding>');
const DELETE_STARTUP = '<delete-config><target><startup/></target></delete-config>';

const world = await openWorld();
// Else the user could not replace a whole configuration.
await done(world, edit(nacm(`<rule-list ${NC_PREFIX} nc:operation="remove"><name>secrets</name></rule-list>`)));

/** Runs a body with a fresh configuration and the user's session. */
async function withGuest(body: (guest: RawClient) => Promise<void>, rules = RULES): Promise<void> {
  await begin(world, rules, []);
  const guest = await guestOf(world);
  try {
    await body(guest);
  } finally {
    guest.end();
    await done(world, '<discard-changes/>');
  }
}

/** Whether running has the change. */
async function isChanged(): Promise<boolean> {
  const running = await world.root.rpc(getConfig());
  return running.includes(PREFIX) || running.includes('<hop-limit>9<');
}

const nc = (operation: string): Asked => ({ face: 'netconf', operation });
const rc = (method: string, path: string, body: unknown, type = 'yang-data'): Asked => ({
  face: 'restconf',
  method,
  path: `/restconf/data/gi-4over6:softwire/aftr=a${path}`,
  headers: { 'content-type': `application/${type}+json`, accept: 'application/yang-data+json' },
  body: JSON.stringify(body),
});
const NEW_ROW = { 'gi-4over6:binding': [{ 'ipv4-prefix': PREFIX, 'gateway-ipv6-address': '2001:db8:a::9' }] };
const NEW_HOPS = { 'gi-4over6:hop-limit': 9 };
const ROW = '/binding-table/binding=192.0.2.9%2F32';
const patch = (target: string, value: unknown) => ({
  'ietf-yang-patch:yang-patch': { 'patch-id': 'p', edit: [{ 'edit-id': 'e', operation: 'merge', target, value }] },
});

/** A change as it comes in the candidate, which the recovery session has made. */
const inCandidate = (content: string) => done(world, edit(content, '', 'candidate'));
/** A change that startup has and running has not. */
const inStartup = async (content: string) => {
  const before = await newestVersion(world);
  await done(world, edit(content), SAVE, rollBack(before));
};
/** A change that a version on record has and running has not. */
const onRecord = async (content: string) => {
  const before = await newestVersion(world);
  await done(world, edit(content), rollBack(before));
};
const rollBack = (version: number, target = 'running') =>
  `<roll-back ${GI}><version>${version}</version><target>${target}</target></roll-back>`;
/** All of running with the change, as a client sends it back. */
const whole = async (content: string) => {
  await inCandidate(content);
  const candidate = /<data[^>]*>(.*)<\/data>/s.exec(await world.root.rpc(getConfig('', 'candidate')))?.[1] ?? '';
  await done(world, '<discard-changes/>');
  return candidate;
};

type Way = readonly [
  name: string,
  ready: (content: string) => Promise<unknown>,
  requests: (content: string, ready: unknown) => readonly Asked[] | Promise<readonly Asked[]>,
];
const nothing = async () => undefined;
const isRow = (content: string) => content === MORE;
const ways: readonly Way[] = [
  ['edit-config', nothing, (content) => [nc(edit(content))]],
  ['edit-data', nothing, (content) => [nc(editData(content))]],
  ['commit of what others put into the candidate', inCandidate, () => [nc('<commit/>')]],
  ['confirmed commit', inCandidate, () => [nc('<commit><confirmed/></commit>'), nc('<commit/>')]],
  ['copy-config of the candidate', inCandidate, () => [nc(copy('<candidate/>', 'running'))]],
  ['copy-config of startup', inStartup, () => [nc(copy('<startup/>', 'running'))]],
  ['copy-config of a configuration', whole, (_, config) => [nc(copy(`<config>${config}</config>`, 'running'))]],
  ['roll-back of running', onRecord, async () => [nc(rollBack((await newestVersion(world)) - 1))]],
  ['POST', nothing, (content) => [isRow(content) ? rc('POST', '/binding-table', NEW_ROW) : rc('POST', '', NEW_HOPS)]],
  ['PUT', nothing, (content) => [isRow(content) ? rc('PUT', ROW, NEW_ROW) : rc('PUT', '/hop-limit', NEW_HOPS)]],
  [
    'PATCH',
    nothing,
    (content) => {
      const name = {
        name: 'a',
        ...(isRow(content) ? { 'binding-table': { binding: NEW_ROW['gi-4over6:binding'] } } : { 'hop-limit': 9 }),
      };
      return [rc('PATCH', '', { 'gi-4over6:aftr': [name] })];
    },
  ],
  [
    'YANG Patch',
    nothing,
    (content) => [rc('PATCH', '', isRow(content) ? patch(ROW, NEW_ROW) : patch('/hop-limit', NEW_HOPS), 'yang-patch')],
  ],
];

const isGood = (reply: string) => outcome(reply) === 'ok' || /^20[014]\n/.test(reply);
for (const [name, ready, requests] of ways) {
  for (const [what, content, mayPass] of [
    ['a binding more', MORE, true],
    ['a leaf that changes', HOPS, false],
  ] as const) {
    test(`N107: ${name}: ${what} is ${mayPass ? 'taken' : 'refused'}`, () =>
      withGuest(async (guest) => {
        const made = await ready(content);
        assert.is(await isChanged(), false, 'not before');
        for (const asked of await requests(content, made)) {
          const reply = await answer(world, guest, asked);
          if (isGood(reply) === mayPass) continue;
          // What was refused leaves nothing to be confirmed.
          assert.ok(!mayPass && reply.includes('<ok/>') && !(await isChanged()), reply);
        }
        assert.is(await isChanged(), mayPass);
      }));
  }
}

test('N107: roll-back of the candidate asks as well, and discard-changes and saving in startup ask for nothing but the right to execute', () =>
  withGuest(async (guest) => {
    await onRecord(HOPS);
    assert.is(outcome(await guest.rpc(rollBack((await newestVersion(world)) - 1, 'candidate'))), 'access-denied');
    await inCandidate(HOPS);
    assert.is(outcome(await guest.rpc('<discard-changes/>')), 'ok');
    assert.not.match(await world.root.rpc(getConfig('', 'candidate')), '<hop-limit>9<');
    await done(world, edit(HOPS));
    assert.is(outcome(await guest.rpc(SAVE)), 'ok');
    assert.match(await world.root.rpc(getConfig('', 'startup')), '<hop-limit>9<');
    assert.is(outcome(await guest.rpc(copy('<candidate/>', 'startup'))), 'ok', 'no difference');
    await inCandidate(HOPS.replace('>9<', '>8<'));
    assert.is(outcome(await guest.rpc(copy('<candidate/>', 'startup'))), 'access-denied');
  }));

test('N107: a whole configuration that leaves what is hidden as it is is refused as one that changes it, or copies would find it by guessing', () =>
  withGuest(
    async (guest) => {
      const config = await whole(MORE);
      const wrong = config.replace(/(<password>)[^<]+/, '$1$0$guess');
      assert.not.equal(wrong, config);
      const replies = [];
      for (const source of [config, wrong]) {
        for (const target of ['running', 'candidate', 'startup']) {
          const reply = await guest.rpc(copy(`<config>${source}</config>`, target));
          assert.is(outcome(reply), 'access-denied');
          replies.push(reply.replace(/message-id="\d+"/, ''));
        }
      }
      assert.is(new Set(replies).size, 1, replies.join('\n'));
    },
    [['*', 'deny', PASSWORDS], ...RULES],
  ));

test('N107: into startup a user copies the candidate with what he may not read, as long as that is as in running', () =>
  withGuest(
    async (guest) => {
      await done(world, edit(DESCRIBED), DELETE_STARTUP);
      assert.is(outcome(await guest.rpc(copy('<candidate/>', 'startup'))), 'ok');
      assert.match(await world.root.rpc(getConfig('', 'startup')), 'secret');
      await inCandidate(DESCRIBED.replace('secret', 'other'));
      assert.is(outcome(await guest.rpc(copy('<candidate/>', 'startup'))), 'access-denied');
      assert.match(await world.root.rpc(getConfig('', 'startup')), 'secret');
    },
    [
      ['*', 'deny', `${BINDINGS}/gi:description`],
      ['*', 'permit', '/gi:softwire'],
      ['read exec', 'permit'],
    ],
  ));

test('N107: who may create bindings, but no descriptions, commits none with one', () =>
  withGuest(
    async (guest) => {
      await inCandidate(MORE.replace('</binding>', '<description>x</description></binding>'));
      for (const operation of ['<commit/>', copy('<candidate/>', 'running')])
        assert.is(outcome(await guest.rpc(operation)), 'access-denied');
      assert.is(await isChanged(), false);
    },
    [['create', 'deny', `${BINDINGS}/gi:description`], ...RULES],
  ));

for (const [what, content] of [
  ['there is', table('<binding><ipv4-prefix>192.0.2.1/32</ipv4-prefix><description>secret</description></binding>')],
  ['could be', ''],
] as const) {
  test(`N107: delete-config of startup is refused where ${what} something in the softwires that may be neither read nor deleted`, () =>
    withGuest(
      async (guest) => {
        if (content) await done(world, edit(content), SAVE);
        assert.is(outcome(await guest.rpc(DELETE_STARTUP)), 'access-denied');
        await done(world, lock('startup'));
        assert.is(outcome(await guest.rpc(DELETE_STARTUP)), 'access-denied', 'nor does he learn of a lock');
        await done(world, lock('startup', 'unlock'));
        assert.match(await world.root.rpc(getConfig('', 'startup')), '192.0.2.1/32');
      },
      [['read', 'deny', `${BINDINGS}/gi:description`], ...RULES],
    ));
}

test('N107: delete-config of startup by who reads it takes the right to execute it alone', () =>
  withGuest(async (guest) => {
    assert.is(outcome(await guest.rpc(DELETE_STARTUP)), 'ok');
    assert.not.match(await world.root.rpc(getConfig('', 'startup')), '192.0.2.1/32');
  }));

test('N106: who may delete bindings, but not what some of them have, deletes and replaces no table with such', () =>
  withGuest(
    async (guest) => {
      await done(world, edit(DESCRIBED));
      const inTable = (operation: string) =>
        edit(table('').replace('<binding-table>', `<binding-table ${NC_PREFIX} nc:operation="${operation}">`));
      const ofAftr = (operation: string) =>
        edit(`<softwire ${GI}><aftr ${NC_PREFIX} nc:operation="${operation}"><name>a</name></aftr></softwire>`);
      const operations = ['delete', 'remove', 'replace'].flatMap((operation) => [
        inTable(operation),
        ofAftr(operation),
      ]);
      const whole = edit(MORE).replace('<binding-table>', `<binding-table ${NC_PREFIX} nc:operation="replace">`);
      for (const operation of [...operations, whole]) {
        assert.is(outcome(await guest.rpc(operation)), 'access-denied', operation);
      }
      const deleted = { ...rc('DELETE', '/binding-table', undefined), body: undefined };
      const put = rc('PUT', '/binding-table', {
        'gi-4over6:binding-table': { binding: NEW_ROW['gi-4over6:binding'] },
      });
      for (const asked of [deleted, put]) assert.match(await answer(world, guest, asked), /^403\n/);
      assert.match(await world.root.rpc(getConfig()), 'secret');
    },
    [
      ['delete', 'deny', `${BINDINGS}/gi:description`],
      ['*', 'permit', '/gi:softwire'],
      ['read exec', 'permit'],
    ],
  ));

test('N107: a commit that is not confirmed is taken back when its session ends, whatever right that would need', () =>
  withGuest(async (guest) => {
    await inCandidate(MORE);
    assert.is(outcome(await guest.rpc('<commit><confirmed/></commit>')), 'ok');
    assert.is(await isChanged(), true);
    guest.end();
    for (let tries = 0; tries < 300 && (await isChanged()); tries++)
      await new Promise((resolve) => setTimeout(resolve, 50));
    assert.is(await isChanged(), false);
  }));

test('lookup answers with nothing that may not be read, and with the next longer prefix that may', async () => {
  const row = (n: number, length: number) => binding(`192.0.2.${n}/${length}`, `2001:db8:a::${n}`);
  const hidden: RuleText = [
    '*',
    'deny',
    "/gi:softwire/gi:aftr/gi:binding-table/gi:binding[gi:ipv4-prefix='192.0.2.65/32']",
  ];
  await begin(world, [hidden, ['*', 'deny', `${BINDINGS}/gi:description`], ['read exec', 'permit']], []);
  await done(
    world,
    edit(table(row(64, 28) + row(65, 32).replace('</binding>', '<description>x</description></binding>'))),
  );
  const guest = await guestOf(world);
  const ask = (address: string) => `<lookup-address ${GI}><ipv4-address>${address}</ipv4-address></lookup-address>`;
  const seen = await guest.rpc(ask('192.0.2.65'));
  assert.match(seen, '192.0.2.64/28');
  assert.not.match(seen, /192\.0\.2\.65|<description>|<since>/);
  assert.match(await world.root.rpc(ask('192.0.2.65')), '192.0.2.65/32');
  assert.not.match(await guest.rpc(`<list-versions ${GI}/>`), /<added>|<other-configuration>/);
  assert.match(await world.root.rpc(`<list-versions ${GI}/>`), '<added>');
  guest.end();
});

test('a session that holds a lock is named, and not what it has locked where that may not be read', async () => {
  await begin(
    world,
    [
      ['*', 'deny', '/gi:softwire/gi:aftr/gi:hop-limit'],
      ['*', 'permit'],
    ],
    [],
  );
  await done(world, edit(HOPS));
  const take = (path: string) =>
    `<partial-lock xmlns="urn:ietf:params:xml:ns:netconf:partial-lock:1.0"><select xmlns:gi="urn:gi-4over6">${path}</select></partial-lock>`;
  const locked = await world.root.rpc(take("/gi:softwire/gi:aftr[gi:name='a']/gi:hop-limit"));
  const id = /<lock-id[^>]*>(\d+)</.exec(locked)?.[1];
  const guest = await guestOf(world);
  const refused = await guest.rpc(take("/gi:softwire/gi:aftr[gi:name='a']"));
  assert.is(outcome(refused), 'lock-denied');
  assert.match(refused, '<session-id>');
  assert.not.match(refused, 'hop-limit');
  const state =
    '<get><filter><netconf-state xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring"><datastores/></netconf-state></filter></get>';
  assert.not.match(await guest.rpc(state), /hop-limit/);
  assert.match(await world.root.rpc(state), /hop-limit/);
  await done(
    world,
    `<partial-unlock xmlns="urn:ietf:params:xml:ns:netconf:partial-lock:1.0"><lock-id>${id}</lock-id></partial-unlock>`,
  );
  await done(world, lock('running'), lock('running', 'unlock'));
  guest.end();
});

test('a stop ends with code 0', async () => {
  assert.is(await closeWorld(world), 0);
});

test.run();
