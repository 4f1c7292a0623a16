/** The edits of netconf-config-change for a user who may not read all: the same with and without what he may not read. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { AccessControl } from '../../../src/mgmt/access.ts';
import { MAX_ALL_EDITS, MAX_EDITS, MAX_ROW_EDITS } from '../../../src/mgmt/events/config-edits.ts';
import { EventLog } from '../../../src/mgmt/events/event-log.ts';
import { MAX_READERS } from '../../../src/mgmt/events/reader-edits.ts';
import { EventSources } from '../../../src/mgmt/events/sources.ts';
import { EventStreams } from '../../../src/mgmt/events/streams.ts';
import type { GuestRule } from '../../helpers/guest-rights.ts';
import { deny, GUEST, PERMIT } from '../../helpers/guest-rights.ts';
import { binding, OPERATOR, request, schema, withDatastores } from '../../helpers/state.ts';

const test = suite('edits of a reader');

type Json = Readonly<Record<string, unknown>>;
interface World {
  readonly softwire?: Json;
  /** Rule lists before that of the guest. */
  readonly lists?: readonly string[];
}
type Told = readonly string[];

const SOFTWIRE = '/gi-4over6:softwire';
const A = `${SOFTWIRE}/aftr[name='a']`;
const row = (prefix: string) => `${A}/binding-table/binding[ipv4-prefix='${prefix}']`;

function configuration({ softwire, lists = [] }: World, rules: readonly GuestRule[]): Json {
  const rule = rules.map(({ path, operations = '*', action }, index) => ({
    name: `r${index}`,
    ...(path !== undefined && { path }),
    'access-operations': operations,
    action,
  }));
  const guests = { name: 'guests', group: ['guests'], rule };
  return {
    'ietf-netconf-acm:nacm': {
      groups: { group: [{ name: 'guests', 'user-name': ['guest'] }] },
      'rule-list': [...lists.map((name) => ({ name })), guests],
    },
    ...(softwire && { 'gi-4over6:softwire': softwire }),
  };
}

/** What the guest is told of the way from one configuration to another; `later` are his rules when he asks. */
async function told(rules: readonly GuestRule[], before: World, after: World, later = rules): Promise<Told> {
  let edits: Told = [];
  await withDatastores(async (datastores) => {
    const log = EventLog.inMemory();
    datastores.addParticipant(new EventSources(log));
    const streams = new EventStreams(log, schema, new AccessControl(() => datastores.runningTree));
    const commit = (world: World, his: readonly GuestRule[]) =>
      datastores.edit(OPERATOR, request(configuration(world, his), { defaultOperation: 'replace' }));
    await commit(before, rules);
    const first = log.next;
    await commit(after, rules);
    if (later !== rules) await commit(after, later);
    const record = log.at(first);
    const event = record && streams.view(GUEST, undefined, first, record)?.node;
    assert.is(event?.schema.name, 'netconf-config-change');
    edits = (event?.entries('edit') ?? []).map((edit) => `${edit.leaf('operation')} ${edit.leaf('target')}`);
  });
  return edits;
}

const many = <Item>(count: number, make: (index: number) => Item): Item[] =>
  Array.from({ length: count }, (_, index) => make(index));
const aftr = (...rows: readonly Json[]): Json => ({
  name: 'a',
  'ipv6-address': '2001:db8:b::1',
  'ipv4-pool': ['192.0.2.0/24'],
  'binding-table': { binding: rows },
});
const gateways = (count: number, first = 0): Json[] =>
  many(count, (n) => ({ name: `g${first + n}`, enabled: false, 'ipv6-address': `2001:db8:e::${first + n}` }));
const rows = (count: number, more: Json = {}) =>
  many(count, (n) => binding(`192.0.2.${n + 1}/32`, '2001:db8:c::1', more));

const NO_GATEWAYS = [deny(`${SOFTWIRE}/gateway`), PERMIT];
const NO_LIST = [deny("/ietf-netconf-acm:nacm/rule-list[name='h']"), PERMIT];
const ONE_ROW: readonly GuestRule[] = [
  { path: `${SOFTWIRE}/aftr/binding-table/binding[ipv4-prefix='192.0.2.250/32']`, action: 'permit' },
  deny(`${SOFTWIRE}/aftr/binding-table/binding`),
  PERMIT,
];
const NO_DESCRIPTION = [deny(`${SOFTWIRE}/aftr/binding-table/binding/description`), PERMIT];
const OWN = binding('192.0.2.250/32', '2001:db8:c::2');
const MOVED = (name: string) => `merge /ietf-netconf-acm:nacm/rule-list[name='${name}']`;

/** [what, rules, the ways of the worlds, what he is told in each] */
const cases: readonly (readonly [
  what: string,
  rules: readonly GuestRule[],
  worlds: readonly (readonly [before: World, after: World])[],
  expected: Told,
])[] = [
  [
    'a container that is there already for what is hidden',
    NO_GATEWAYS,
    [
      [{}, { softwire: { aftr: [aftr()] } }],
      [{ softwire: { gateway: gateways(1) } }, { softwire: { gateway: gateways(1), aftr: [aftr()] } }],
      [{}, { softwire: { gateway: gateways(1), aftr: [aftr()] } }],
    ],
    [`create ${A}`],
  ],
  [
    'a container that stays for what is hidden',
    NO_GATEWAYS,
    [
      [{ softwire: { aftr: [aftr()] } }, {}],
      [{ softwire: { gateway: gateways(1), aftr: [aftr()] } }, { softwire: { gateway: gateways(1) } }],
    ],
    [`delete ${A}`],
  ],
  [
    'an entry that a hidden one passes',
    NO_LIST,
    [
      [{ lists: ['v'] }, { lists: ['v', 'n'] }],
      [{ lists: ['h', 'v'] }, { lists: ['v', 'h', 'n'] }],
    ],
    ["create /ietf-netconf-acm:nacm/rule-list[name='n']"],
  ],
  [
    'an entry that moves behind a hidden one that does',
    NO_LIST,
    [
      [{ lists: ['k', 'v', 'w'] }, { lists: ['k', 'w', 'v'] }],
      [{ lists: ['h', 'k', 'v', 'w'] }, { lists: ['k', 'h', 'w', 'v'] }],
    ],
    [MOVED('w')],
  ],
  [
    'an edit beside more hidden ones than are told one by one',
    NO_GATEWAYS,
    [
      [{ softwire: { aftr: [] } }, { softwire: { aftr: [aftr()] } }],
      [{}, { softwire: { gateway: gateways(MAX_EDITS + 1), aftr: [aftr()] } }],
    ],
    [`create ${A}`],
  ],
  [
    'a row beside more hidden ones',
    ONE_ROW,
    [
      [{ softwire: { aftr: [aftr()] } }, { softwire: { aftr: [aftr(OWN)] } }],
      [{ softwire: { aftr: [aftr()] } }, { softwire: { aftr: [aftr(...rows(MAX_ROW_EDITS + 1), OWN)] } }],
    ],
    [`create ${row('192.0.2.250/32')}`],
  ],
  [
    'a row that comes beside more of which a hidden leaf changes',
    NO_DESCRIPTION,
    [
      [{ softwire: { aftr: [aftr(...rows(120))] } }, { softwire: { aftr: [aftr(...rows(120), OWN)] } }],
      [
        { softwire: { aftr: [aftr(...rows(120))] } },
        { softwire: { aftr: [aftr(...rows(120, { description: 'secret' }), OWN)] } },
      ],
    ],
    [`create ${row('192.0.2.250/32')}`],
  ],
  [
    'more rows than are told one by one, all of them seen',
    NO_DESCRIPTION,
    [
      [{ softwire: { aftr: [aftr()] } }, { softwire: { aftr: [aftr(...rows(MAX_ROW_EDITS + 1))] } }],
      [
        { softwire: { aftr: [aftr()] } },
        { softwire: { aftr: [aftr(...rows(MAX_ROW_EDITS + 1, { description: 'secret' }))] } },
      ],
    ],
    [`merge ${A}/binding-table`],
  ],
  [
    'a table that is hidden',
    [deny(`${A}/binding-table`), PERMIT],
    [[{ softwire: { aftr: [aftr()] } }, { softwire: { aftr: [aftr(...rows(MAX_ROW_EDITS + 1))] } }]],
    [],
  ],
  [
    'more entries than are told one by one, all of them seen',
    [deny(`${SOFTWIRE}/aftr`), PERMIT],
    [
      [{}, { softwire: { gateway: gateways(MAX_EDITS + 1) } }],
      [{}, { softwire: { gateway: gateways(MAX_EDITS + 1), aftr: [aftr(...rows(3))] } }],
    ],
    [`merge ${SOFTWIRE}`],
  ],
  [
    'more than an event holds, for who reads all and for who does not',
    [deny(`${SOFTWIRE}/gateway`), PERMIT],
    [[{ softwire: { aftr: tables(0) } }, { softwire: { gateway: gateways(2), aftr: tables(100) } }]],
    [`merge ${SOFTWIRE}`],
  ],
];

/** So many AFTRs that the rows of all, each table told row by row, are too many. */
function tables(count: number): Json[] {
  return many(MAX_ALL_EDITS / 100 + 1, (n) => ({
    name: `t${n}`,
    'ipv6-address': `2001:db8:b::${n + 1}`,
    'ipv4-pool': [`10.${n}.0.0/24`],
    'binding-table': { binding: many(count, (at) => binding(`10.${n}.0.${at}/32`, '2001:db8:c::1')) },
  }));
}

for (const [what, rules, worlds, expected] of cases) {
  test(what, async () => {
    for (const [before, after] of worlds) assert.equal(await told(rules, before, after), expected);
  });
}

test('whose rights are others by the time is told what could not come from anything hidden', async () => {
  const [before, after] = [{ lists: ['h', 'v', 'w'] }, { lists: ['w', 'v', 'h'] }];
  assert.equal(await told([PERMIT], before, after, NO_LIST), []);
  assert.equal(await told(NO_LIST, before, after, [PERMIT]), [MOVED('w')], 'who reads all is told all');
});

test('each kind of reader has a list of his own, up to a number of kinds', () => {
  const names = many(MAX_READERS + 3, (n) => `u${n}`);
  const group = names.map((name) => ({ name, 'user-name': [name, `${name}-too`] }));
  const lists = names.map((name) => ({
    name,
    group: [name],
    rule: [{ name: 'r', path: `${SOFTWIRE}/aftr[name='${name}']`, 'access-operations': 'read', action: 'deny' }],
  }));
  const root = request({ 'ietf-netconf-acm:nacm': { groups: { group }, 'rule-list': lists } }).tree;
  const found = new AccessControl(() => root).readers(MAX_READERS);
  assert.is(new Set(found.map(({ readingMark }) => readingMark)).size, MAX_READERS);
});

test.run();
