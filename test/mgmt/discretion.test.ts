/** State, errors and events for a user who may not read everything, each of them with and without what he may not read. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { discreet, hideState } from '../../src/mgmt/discretion.ts';
import { visibleEvent } from '../../src/mgmt/events/visibility.ts';
import { openReading } from '../../src/mgmt/reading.ts';
import { xpathTextSelection } from '../../src/mgmt/xpath/selection.ts';
import type { DataNode } from '../../src/state/data.ts';
import type { View } from '../../src/state/datastores.ts';
import { ManagementError } from '../../src/state/errors.ts';
import { treeFromJson, treeToJson } from '../../src/state/json.ts';
import type { GuestRule } from '../helpers/guest-rights.ts';
import { deny, guestRights, PERMIT } from '../helpers/guest-rights.ts';
import { aftr, binding, OPERATOR, plainCheck, request, schema, withDatastores } from '../helpers/state.ts';

const test = suite('discretion');

type Json = Record<string, unknown>;

const SOFTWIRE = '/gi-4over6:softwire';
const BINDING = `${SOFTWIRE}/aftr/binding-table/binding`;
const ENTRY = [deny(`${SOFTWIRE}/aftr[name='h']`), PERMIT];
const ROW = [deny(`${SOFTWIRE}/aftr[name='a']/binding-table/binding[ipv4-prefix='192.0.2.1/32']`), PERMIT];

/** State data as it is shown under these rules, as JSON text. */
function shown(state: Json, rules: readonly GuestRule[]): string {
  const root = treeFromJson(schema, state);
  hideState(root, guestRights(...rules), schema);
  return JSON.stringify(treeToJson(root));
}

const alarm = (resource: string, type: string, severity: string, cleared: boolean): Json => ({
  resource,
  'alarm-type-id': `gi-4over6-alarms:${type}`,
  'alarm-type-qualifier': '',
  'is-cleared': cleared,
  'last-changed': `2026-01-0${resource.length % 9}T00:00:00Z`,
  'perceived-severity': severity,
  'alarm-text': 'it is so',
});
const OF_A = alarm(`${SOFTWIRE}/aftr[name='a']`, 'not-forwarding', 'critical', false);
const OF_H = alarm(`${SOFTWIRE}/aftr[name='h']`, 'source-violations', 'warning', true);
const FULL = alarm(`${SOFTWIRE}/aftr[name='a']`, 'binding-table-near-limit', 'major', false);

/** Alarms with the counts that belong to them. */
function alarms(...list: readonly Json[]): Json {
  const count = (severity: string, cleared?: boolean) =>
    list.filter((one) => one['perceived-severity'] === severity && (cleared ?? one['is-cleared']) === one['is-cleared'])
      .length;
  const summary = ['critical', 'major', 'warning'].map((severity) => ({
    severity,
    total: count(severity),
    'not-cleared': count(severity, false),
    cleared: count(severity, true),
  }));
  const last = list
    .map((one) => `${one['last-changed']}`)
    .sort()
    .pop();
  return {
    'ietf-alarms:alarms': {
      summary: { 'alarm-summary': summary },
      'alarm-list': {
        'number-of-alarms': list.length,
        ...(last !== undefined && { 'last-changed': last }),
        alarm: list,
      },
    },
  };
}

const softwire = (...entries: readonly Json[]): Json => ({ 'gi-4over6:softwire': { aftr: entries } });
const table = (bindings: number, hash: string, ...gateways: readonly string[]): Json => ({
  name: 'a',
  'binding-table': { version: '7', bindings, 'content-hash': hash },
  softwire: gateways.map((address) => ({ 'gateway-ipv6-address': address, bindings: 1 })),
});
const withTraffic = (name: string): Json => ({ name, statistics: { 'ipv4-side': { 'received-packets': '7' } } });
const store = (sizes: Json, ofBackup: Json): Json => ({
  'gi-4over6:store': { state: { ...sizes, backup: [{ file: '/b/1.mdb', ...ofBackup }] } },
});
const SESSIONS = '/ietf-netconf-monitoring:netconf-state/sessions/session';
const sessionCounters = (count?: number): Json => ({
  'ietf-netconf-monitoring:netconf-state': {
    statistics: {
      'netconf-start-time': '2026-01-01T00:00:00Z',
      ...(count !== undefined && { 'in-sessions': count, 'in-rpcs': count }),
    },
  },
});
const locks = (...nodes: readonly string[]): Json => ({
  'ietf-netconf-monitoring:netconf-state': {
    datastores: {
      datastore: [
        {
          name: 'running',
          locks: { 'partial-lock': [{ 'lock-id': 1, 'locked-by-session': 4, select: nodes, 'locked-node': nodes }] },
        },
      ],
    },
  },
});

// [what, rules, state with what is hidden, state as it is to be shown]
const states: readonly (readonly [string, readonly GuestRule[], Json, Json])[] = [
  ['an alarm of a hidden AFTR, and the counts of alarms', ENTRY, alarms(OF_A, OF_H), alarms(OF_A)],
  ['the only alarm', ENTRY, alarms(OF_H), alarms()],
  ['an alarm that hidden bindings raised', ROW, alarms(OF_A, FULL), alarms(OF_A)],
  [
    'all alarms for who may read their resources',
    [deny(`${SOFTWIRE}/gateway`), PERMIT],
    alarms(OF_A, FULL),
    alarms(OF_A, FULL),
  ],
  [
    'numbers, hash and gateways of bindings',
    ROW,
    softwire(table(3, 'ab:cd', '2001:db8::1')),
    softwire({ name: 'a', 'binding-table': { version: '7' } }),
  ],
  [
    'a hash of tables of which one is hidden',
    ENTRY,
    softwire(table(3, 'ab:cd')),
    softwire({ name: 'a', 'binding-table': { version: '7', bindings: 3 } }),
  ],
  [
    'what says nothing of what is hidden',
    [deny(`${SOFTWIRE}/gateway`), PERMIT],
    softwire(table(3, 'ab:cd', '2001:db8::1')),
    softwire(table(3, 'ab:cd', '2001:db8::1')),
  ],
  [
    'sizes of the store and its backups',
    ROW,
    store({ octets: '4096', 'free-octets': '0' }, { octets: '4096' }),
    store({}, {}),
  ],
  [
    'the same for who may read every binding',
    [deny(`${SOFTWIRE}/gateway`), PERMIT],
    store({ octets: '4096', 'free-octets': '0' }, { octets: '4096' }),
    store({ octets: '4096', 'free-octets': '0' }, { octets: '4096' }),
  ],
  [
    'a hash and problems of the device',
    ENTRY,
    {
      'gi-4over6:softwire': {
        state: { 'configured-version': '3', 'applied-content-hash': 'ab', problem: ['AFTR h: no way'] },
      },
    },
    { 'gi-4over6:softwire': { state: { 'configured-version': '3' } } },
  ],
  [
    'traffic of an AFTR some of whose bindings are hidden',
    ROW,
    softwire(withTraffic('a'), withTraffic('h')),
    softwire({ name: 'a' }, withTraffic('h')),
  ],
  [
    'traffic of AFTRs whose bindings are seen',
    [deny(`${SOFTWIRE}/gateway`), PERMIT],
    softwire(withTraffic('a')),
    softwire(withTraffic('a')),
  ],
  [
    'traffic of a gateway some of whose prefixes are hidden',
    [deny(`${SOFTWIRE}/gateway[name='a']/served-prefix[ipv4-prefix='192.0.2.0/29']`), PERMIT],
    { 'gi-4over6:softwire': { gateway: [{ ...withTraffic('a'), state: { 'path-mtu': 1400 } }, withTraffic('g')] } },
    { 'gi-4over6:softwire': { gateway: [{ name: 'a' }, withTraffic('g')] } },
  ],
  [
    'counters of sessions that are hidden',
    [deny(`${SESSIONS}[session-id='1']`), PERMIT],
    sessionCounters(7),
    sessionCounters(),
  ],
  ['counters of sessions that are seen', ROW, sessionCounters(7), sessionCounters(7)],
  ['a locked node with the words that say which', ENTRY, locks(`${SOFTWIRE}/aftr[name='h']`), locks()],
  ['a locked node that may be read', ENTRY, locks(`${SOFTWIRE}/aftr[name='a']`), locks(`${SOFTWIRE}/aftr[name='a']`)],
];
for (const [what, rules, state, expected] of states) {
  test(`state: ${what}`, () =>
    assert.is(shown(state, rules), JSON.stringify(treeToJson(treeFromJson(schema, expected)))));
}

test('errors: what a fault says of a hidden node, and of others than its own', () => {
  const rights = guestRights(...ENTRY);
  const told = (error: ManagementError) => {
    const { tag, path, message, others, info } = discreet(error, rights, schema) as ManagementError;
    return [tag, path, message, others.length, info];
  };
  const path = `${SOFTWIRE}/aftr[name='h']/ipv6-address`;
  const hidden = new ManagementError('in-use', { appTag: 'locked', path, message: `session 4 has locked ${path}` });
  assert.equal(told(hidden), ['in-use', SOFTWIRE, `refused below ${SOFTWIRE}: locked`, 0, {}]);
  const own = `${SOFTWIRE}/aftr[name='a']`;
  const other = new ManagementError('operation-failed', {
    appTag: 'duplicate-tunnel-address',
    path: own,
    message: `2001:db8::1 is the tunnel address of ${SOFTWIRE}/aftr[name='h'] already`,
    info: { 'non-unique': [path] },
  });
  const withOther = new ManagementError('operation-failed', other, [hidden]);
  const message = 'the change does not fit what is configured: duplicate-tunnel-address';
  assert.equal(told(withOther), ['operation-failed', own, message, 1, {}]);
  for (const details of [
    { appTag: 'missing-pool', path: own, message: 'AFTR a has no pool' },
    { appTag: 'no-matches', type: 'protocol', message: 'the expressions select nothing' },
  ] as const) {
    const plain = new ManagementError('operation-failed', details);
    assert.is(discreet(plain, rights, schema), plain);
  }
  assert.is(discreet(other, guestRights(PERMIT), schema), other, 'who may read all is told all');
});

/** An event as it is seen under these rules: JSON text, or `nothing`. */
function seen(event: Json, rules: readonly GuestRule[]): string {
  const [node] = treeFromJson(schema, event).childMap.values();
  const visible = visibleEvent(schema, guestRights(...rules), node as DataNode);
  if (!visible) return 'nothing';
  const root = treeFromJson(schema, {});
  root.add(visible.clone());
  return JSON.stringify(treeToJson(root));
}

const changed = (name: string, more: Json = {}): Json => ({
  'gi-4over6:binding-table-changed': { aftr: name, version: '8', ...more, added: 1 },
});
const edits = (...list: readonly (readonly [target: string, operation: string])[]): Json => ({
  'ietf-netconf-notifications:netconf-config-change': {
    datastore: 'running',
    edit: list.map(([target, operation]) => ({ target, operation })),
  },
});
const A_TABLE = `${SOFTWIRE}/aftr[name='a']/binding-table`;
const A_ROW = `${A_TABLE}/binding[ipv4-prefix='192.0.2.2/32']`;
const DESCRIPTIONS = [deny(`${BINDING}/description`), PERMIT];

// [what, rules, the event, what is seen of it; undefined for nothing]
const events: readonly (readonly [string, readonly GuestRule[], Json, Json | undefined])[] = [
  ['a table of a hidden AFTR', ENTRY, changed('h'), undefined],
  ['a table with a hidden row', ROW, changed('a'), undefined],
  ['a table that may be read, and the hash of all', ENTRY, changed('a', { 'content-hash': 'ab:cd' }), changed('a')],
  [
    'what a rule names',
    [{ notification: 'binding-table-changed', action: 'permit' }, ...ENTRY],
    changed('h'),
    changed('h'),
  ],
  [
    'the state of a hidden AFTR',
    ENTRY,
    { 'gi-4over6:softwire-state-change': { instance: 'h', forwards: true } },
    undefined,
  ],
  [
    'an alarm of a hidden AFTR',
    ENTRY,
    { 'ietf-alarms:alarm-notification': { ...OF_H, 'is-cleared': undefined, 'last-changed': undefined } },
    undefined,
  ],
  ['an edit of a hidden node', ENTRY, edits([`${SOFTWIRE}/aftr[name='h']`, 'create']), edits()],
  ['so many rows that the table is named', ROW, edits([A_TABLE, 'merge']), edits()],
  ['the same for who may read all of them', ENTRY, edits([A_TABLE, 'merge']), edits([A_TABLE, 'merge'])],
  ['a row of which a leaf is hidden', DESCRIPTIONS, edits([A_ROW, 'merge']), edits()],
  ['a row that comes', DESCRIPTIONS, edits([A_ROW, 'create']), edits([A_ROW, 'create'])],
  ['a container that came with what is hidden', ENTRY, edits([SOFTWIRE, 'create']), edits()],
];
for (const [what, rules, event, expected] of events) {
  test(`events: ${what}`, () => {
    const wanted =
      expected === undefined ? 'nothing' : JSON.stringify(treeToJson(treeFromJson(schema, strip(expected))));
    assert.is(seen(strip(event) as Json, rules), wanted);
  });
}

function strip(data: Json): Json {
  return JSON.parse(JSON.stringify(data)) as Json;
}

/** A view that counts what is read of the table. */
function counted(view: View): { readonly view: View; readonly reads: { rows: number; keys: number } } {
  const reads = { rows: 0, keys: 0 };
  const spy = new Proxy(view, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== 'function') return member;
      return (...args: unknown[]) => {
        if (name === 'binding') reads.keys++;
        const result: unknown = member.apply(target, args);
        if (name !== 'bindings') return result;
        return countedRows(result as Iterable<unknown>, reads);
      };
    },
  });
  return { view: spy, reads };
}

function* countedRows(rows: Iterable<unknown>, reads: { rows: number }): Generator<unknown> {
  for (const row of rows) {
    reads.rows++;
    yield row;
  }
}

// What would take time is what is read: a hidden table is not, and a hidden row costs what a missing one does.
const TABLE_RULES = [deny(`${SOFTWIRE}/aftr/binding-table/binding`), PERMIT];
const AFTRS = '/gi-4over6:softwire/gi-4over6:aftr';
const keyed = (prefix: string) =>
  `${AFTRS}[gi-4over6:name='a']/gi-4over6:binding-table/gi-4over6:binding[gi-4over6:ipv4-prefix='${prefix}']`;
for (const [what, rules, text, expected] of [
  ['a hidden table, asked for whole', TABLE_RULES, '//gi-4over6:binding', { rows: 0, keys: 0 }],
  ['a hidden table, counted', TABLE_RULES, `${AFTRS}[count(.//gi-4over6:binding) > 2]`, { rows: 0, keys: 0 }],
  ['a row of a hidden table', TABLE_RULES, keyed('192.0.2.1/32'), { rows: 0, keys: 0 }],
  ['a hidden row', ROW, keyed('192.0.2.1/32'), { rows: 0, keys: 1 }],
  ['a missing row', ROW, keyed('192.0.2.9/32'), { rows: 0, keys: 1 }],
] as const) {
  test(`what is read for ${what}`, () =>
    withDatastores(async (datastores) => {
      const rows = Array.from({ length: 20 }, (_, n) => binding(`192.0.2.${n < 9 ? n : n + 1}/32`, '2001:db8::1'));
      await datastores.edit(OPERATOR, request(aftr(...rows)));
      const rights = guestRights(...rules);
      const { view, reads } = counted(datastores.view('running'));
      const element = {
        name: 'xpath-filter',
        namespace: '',
        prefix: '',
        attributes: [],
        prefixes: {},
        children: [],
        text,
      };
      const reading = openReading(view.tree, view, {
        content: 'config',
        withDefaults: 'explicit',
        readsAll: false,
        mayRead: (node) => rights.may(node, 'read'),
        readsNone: (list, above) => rights.readsNone(list, above),
        selection: xpathTextSelection(schema, plainCheck, element),
      });
      assert.is([...reading.root.childMap.values()].length, 0);
      assert.equal(reads, expected);
      reading.close();
    }));
}

test.run();
