import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { AccessControl } from '../../src/mgmt/access.ts';
import { FIRST_START_FILE, firstConfiguration } from '../../src/mgmt/first-configuration.ts';
import { openReading } from '../../src/mgmt/reading.ts';
import { pathSelection } from '../../src/mgmt/selection.ts';
import { writeXml } from '../../src/mgmt/xml-data.ts';
import type { DataNode } from '../../src/state/data.ts';
import type { Caller } from '../../src/state/request.ts';
import { aftr, binding, OPERATOR, request, schema, tree, withDatastores } from '../helpers/state.ts';

const test = suite('access');
const GUEST: Caller = { user: 'guest', session: 9, face: 'netconf' };

function nacm(rules: readonly Record<string, unknown>[], more: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    'ietf-netconf-acm:nacm': {
      'read-default': 'deny',
      'write-default': 'deny',
      'exec-default': 'deny',
      groups: { group: [{ name: 'guests', 'user-name': ['guest'] }] },
      'rule-list': [
        { name: 'l', group: ['guests'], rule: rules.map((rule, index) => ({ name: `r${index}`, ...rule })) },
      ],
      ...more,
    },
  };
}

function control(data: Record<string, unknown>): AccessControl {
  const root = tree(data);
  return new AccessControl(() => root);
}

const configuration = tree(aftr(binding('192.0.2.1/32', '2001:db8::1')));
const softwire = configuration.child('softwire') as DataNode;
const entry = softwire.entries('aftr')[0] as DataNode;
const pool = entry.entries('ipv4-pool')[0] as DataNode;
const SOFTWIRE = '/gi-4over6:softwire';

const cases: readonly (readonly [
  string,
  Record<string, unknown>,
  DataNode,
  'read' | 'create' | 'update' | 'delete',
  boolean,
])[] = [
  ['no rule: the default', nacm([]), softwire, 'read', false],
  ['the default permits', nacm([], { 'read-default': 'permit' }), softwire, 'read', true],
  ['default-deny-write over write-default permit', nacm([], { 'write-default': 'permit' }), softwire, 'update', false],
  ['default-deny-write below', nacm([], { 'write-default': 'permit' }), pool, 'create', false],
  ['a rule for everything', nacm([{ action: 'permit' }]), pool, 'delete', true],
  ['of another module', nacm([{ 'module-name': 'ietf-system', action: 'permit' }]), softwire, 'read', false],
  ['for another access', nacm([{ 'access-operations': 'read exec', action: 'permit' }]), softwire, 'update', false],
  [
    'the first rule that matches decides',
    nacm([{ path: `${SOFTWIRE}/aftr`, action: 'deny' }, { action: 'permit' }]),
    pool,
    'read',
    false,
  ],
  ['a path above', nacm([{ path: SOFTWIRE, action: 'permit' }]), pool, 'read', true],
  ['a path below', nacm([{ path: `${SOFTWIRE}/aftr/ipv4-pool`, action: 'permit' }]), entry, 'read', false],
  ['a path with the key', nacm([{ path: `${SOFTWIRE}/aftr[name='a']`, action: 'permit' }]), pool, 'update', true],
  ['a path with another key', nacm([{ path: `${SOFTWIRE}/aftr[name='b']`, action: 'permit' }]), pool, 'update', false],
  ['every path', nacm([{ path: '/', action: 'permit' }]), pool, 'read', true],
  ['a user without group', nacm([{ action: 'permit' }], { groups: {} }), softwire, 'read', false],
  ['NACM off', nacm([], { 'enable-nacm': false }), softwire, 'delete', true],
];
for (const [why, data, node, access, permitted] of cases) {
  test(`data: ${why}`, () => assert.is(control(data).rightsOf(GUEST).may(node, access), permitted));
}

const executions: readonly (readonly [string, Record<string, unknown>, string, boolean])[] = [
  ['close-session always', nacm([{ action: 'deny' }]), 'close-session', true],
  ['the default', nacm([]), 'get', false],
  ['a rule', nacm([{ 'rpc-name': 'get', 'module-name': 'ietf-netconf', action: 'permit' }]), 'get', true],
  ['another rpc', nacm([{ 'rpc-name': 'get', action: 'permit' }]), 'lock', false],
  ['kill-session in spite of the default', nacm([], { 'exec-default': 'permit' }), 'kill-session', false],
  ['delete-config in spite of the default', nacm([], { 'exec-default': 'permit' }), 'delete-config', false],
  ['a data rule says nothing of it', nacm([{ path: '/', action: 'permit' }]), 'get', false],
];
for (const [why, data, operation, permitted] of executions) {
  test(`exec: ${why}`, () => {
    assert.is(
      control(data).rightsOf(GUEST).mayExecute('ietf-netconf', operation, schema.root.child(operation, 'ietf-netconf')),
      permitted,
    );
  });
}

test('the local socket and the system are free; a user called root over the network is not', () => {
  const access = control(nacm([]));
  for (const face of ['netconf', 'restconf', 'local', 'system'] as const) {
    assert.is(
      access.rightsOf({ user: 'root', session: 1, face }).may(softwire, 'update'),
      face === 'local' || face === 'system',
      face,
    );
  }
});

test('what may not be read does not show, nor does a filter tell of it', () =>
  withDatastores(async (datastores) => {
    await datastores.edit(OPERATOR, request(aftr(binding('192.0.2.1/32', '2001:db8::1', { description: 'secret' }))));
    const rights = control(
      nacm([{ path: `${SOFTWIRE}/aftr/binding-table/binding/description`, action: 'deny' }, { action: 'permit' }]),
    ).rightsOf(GUEST);
    const list = schema.find(`${SOFTWIRE}/aftr/binding-table/binding`);
    const description = list?.child('description');
    const steps = ['', '/aftr', '/aftr/binding-table'].map((path) => ({
      schema: schema.find(SOFTWIRE + path) ?? schema.root,
      keys: path === '/aftr' ? ['a'] : [],
    }));
    const read = (below?: Parameters<typeof pathSelection>[1]) => {
      const view = datastores.view('running');
      const mayRead = (node: DataNode) => rights.may(node, 'read');
      const reading = openReading(view.tree, view, {
        content: 'config',
        withDefaults: 'explicit',
        readsAll: rights.readsAll,
        mayRead,
        selection: pathSelection(steps, below),
      });
      const text = [...writeXml(reading.root.children(), reading.rows)].join('');
      reading.close();
      return text;
    };
    assert.match(read(), /192\.0\.2\.1/);
    assert.not.match(read(), /secret/);
    assert.ok(list && description);
    const matching = (value: string) =>
      read([{ schema: list, whole: true, always: false, matches: [{ leaf: description, value }], children: [] }]);
    assert.is(matching('secret'), matching('something else'));
  }));

test('the first configuration: one administrator; hashes stay hidden whatever others are permitted; no group, no right', () => {
  const dir = mkdtempSync(join(tmpdir(), 'gi4over6-access-'));
  writeFileSync(join(dir, FIRST_START_FILE), JSON.stringify({ user: 'admin', passwordHash: '$6$x$y' }));
  const first = firstConfiguration(dir) as ReturnType<typeof nacm>;
  rmSync(dir, { recursive: true });
  const rules = first['ietf-netconf-acm:nacm'] as { 'rule-list': object[]; groups: { group: object[] } };
  rules.groups.group.push({ name: 'guests', 'user-name': ['guest'] });
  rules['rule-list'].push({ name: 'guests', group: ['guests'], rule: [{ name: 'all', action: 'permit' }] });
  const root = tree(first);
  const access = new AccessControl(() => root);
  const user = root.child('system')?.child('authentication')?.entries('user')[0];
  const password = user?.child('password') as DataNode;
  const [admin, guest, stranger] = ['admin', 'guest', 'x'].map((name) => access.rightsOf({ ...GUEST, user: name }));
  assert.equal([admin?.readsAll, admin?.may(password, 'read'), admin?.writesAll], [true, true, true]);
  assert.equal(
    [guest?.readsAll, guest?.may(password, 'read'), guest?.may(user as DataNode, 'read')],
    [false, false, true],
  );
  assert.not(guest?.may(password, 'update'));
  assert.not(stranger?.mayExecute('ietf-netconf', 'get-config', undefined));
  assert.not(stranger?.mayExecute('ietf-netconf', 'lock', undefined));
});

test.run();
