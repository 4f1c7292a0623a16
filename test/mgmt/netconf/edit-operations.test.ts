// needs: addon
/** What an edit says with attributes, and where it contradicts itself: keys, cases of a choice, places among siblings. */

import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { startManagement } from '../../helpers/management.ts';
import { outcome, RawClient } from '../../helpers/netconf-client.ts';
import { AFTR, edit, GI, getConfig, NC_PREFIX, RESET, table } from '../../helpers/netconf-requests.ts';

const test = suite('operations of an edit');

const PROGRAM = fileURLToPath(new URL('../../helpers/probe-process.js', import.meta.url));
const management = await startManagement([], PROGRAM);
const client = (await RawClient.local(management.socket)).greet('1.1');

const P = '192.0.2.1/32';
const G = '<gateway-ipv6-address>2001:db8:a::1</gateway-ipv6-address>';
const NAMES = 'xmlns:p="urn:probe" xmlns:y="urn:ietf:params:xml:ns:yang:1"';
const rules = (inside: string, more = '') => `<rules xmlns="urn:probe" ${NC_PREFIX} ${NAMES}${more}>${inside}</rules>`;
const NO_RULES = edit(rules('', ' nc:operation="remove"'));
const op = (name: string) => (name === '' ? '' : ` ${NC_PREFIX} nc:operation="${name}"`);

async function ok(...operations: readonly string[]): Promise<void> {
  for (const operation of operations) {
    const reply = await client.rpc(operation);
    assert.is(outcome(reply), 'ok', reply);
  }
}

/** The outcome, and what error-info and error-path say of a refusal. */
async function told(operation: string): Promise<string> {
  const reply = await client.rpc(operation);
  const [, info = ''] = /<error-info>(.*?)<\/error-info>/s.exec(reply) ?? [];
  const words = [...info.matchAll(/<bad-(?:attribute|element)>([^<]*)</g)].map(([, word]) => word);
  return [outcome(reply), ...words].join(' ');
}

const entry = (operation: string, onKey: string, more = '') =>
  `<aftr${op(operation)}><name${op(onKey)}>a</name>${more}</aftr>`;
const row = (operation: string, onKey: string, more = '') =>
  `<binding${op(operation)}><ipv4-prefix${op(onKey)}>${P}</ipv4-prefix>${more}</binding>`;

// [operation of the entry, of its key, what becomes of an entry that is there, what of one that is not]
const onKeys: readonly (readonly [string, string, string, string])[] = [
  ['', 'merge', 'ok', 'ok'],
  ['', 'replace', 'ok', 'ok'],
  ['replace', 'merge', 'ok', 'ok'],
  ['', 'create', 'bad-attribute', 'bad-attribute'],
  ['', 'delete', 'bad-attribute', 'bad-attribute'],
  ['', 'remove', 'bad-attribute', 'bad-attribute'],
  ['create', 'create', 'data-exists', 'ok'],
  ['create', 'delete', 'bad-attribute', 'bad-attribute'],
  ['replace', 'create', 'bad-attribute', 'bad-attribute'],
  ['delete', 'delete', 'ok', 'data-missing'],
  ['delete', 'remove', 'bad-attribute', 'bad-attribute'],
  ['remove', 'remove', 'ok', 'ok'],
  ['delete', 'merge', 'ok', 'data-missing'],
  ['remove', 'create', 'bad-attribute', 'bad-attribute'],
];
for (const [operation, onKey, there, missing] of onKeys) {
  const what = `${operation || 'no operation'} with ${onKey} on its key`;
  const isGoing = operation === 'delete' || operation === 'remove';

  test(`an entry of the tree: ${what}`, async () => {
    const leaf = isGoing ? '' : '<ipv6-address>2001:db8:b::9</ipv6-address><ipv4-pool>192.0.2.0/24</ipv4-pool>';
    const change = edit(`<softwire ${GI}>${entry(operation, onKey, leaf)}</softwire>`);
    for (const [before, expected] of [
      [AFTR, there],
      ['', missing],
    ] as const) {
      await ok(RESET, edit(before));
      const was = await client.rpc(getConfig());
      const info = expected === 'bad-attribute' ? ' operation name' : '';
      assert.is(await told(change), `${expected}${info}`);
      const is = await client.rpc(getConfig());
      if (expected !== 'ok') assert.is(is, was);
      else assert.is(is.includes('<name>a</name>'), !isGoing);
    }
  });

  test(`a binding: ${what}`, async () => {
    const change = edit(table(row(operation, onKey, isGoing ? '' : G)));
    for (const [before, expected] of [
      [table(row('', '', G)), there],
      ['', missing],
    ] as const) {
      await ok(RESET, edit(AFTR), edit(before));
      const was = await client.rpc(getConfig());
      const info = expected === 'bad-attribute' ? ' operation ipv4-prefix' : '';
      assert.is(await told(change), `${expected}${info}`);
      const is = await client.rpc(getConfig());
      if (expected !== 'ok') assert.is(is, was);
      else assert.is(is.includes(P), !isGoing);
    }
  });
}

test('an entry below one that is created or deleted has its operation', async () => {
  await ok(RESET, edit(AFTR));
  const inside = (outer: string, onKey: string) =>
    edit(`<softwire ${GI}${op(outer)}>${entry('', onKey, '<ipv6-address>2001:db8:b::9</ipv6-address>')}</softwire>`);
  assert.is(await told(inside('create', 'delete')), 'data-exists');
  assert.is(await told(inside('replace', 'delete')), 'bad-attribute operation name');
  await ok(RESET);
  assert.is(await told(inside('create', 'delete')), 'bad-attribute operation name');
});

test('an operation on a key that there is not: the error names the entry', async () => {
  await ok(RESET, edit(AFTR));
  const reply = await client.rpc(edit(table(row('', 'destroy', G))));
  assert.is(outcome(reply), 'bad-attribute');
  assert.match(reply, /<error-path[^>]*>[^<]*binding\[[^\]]*'192\.0\.2\.1\/32'\]\/[^<]*ipv4-prefix</);
  assert.match(
    await client.rpc(edit(table(row('', 'create', G)))),
    /<error-path[^>]*>[^<]*binding\[[^\]]*'192\.0\.2\.1\/32'\]\/[^<]*ipv4-prefix</,
  );
});

const strict = (inside: string) => rules(`<strict><needed>n</needed>${inside}<order>x</order></strict>`);
const LEFT = /<left\/>/;
const RIGHT = /<right\/>/;

// [what, before, edit, outcome, what is there afterwards]
const cases: readonly (readonly [string, string, string, string, RegExp])[] = [
  ['delete of one, create of another', '<left/>', `<left${op('delete')}/><right${op('create')}/>`, 'ok', RIGHT],
  ['the other way round', '<left/>', `<right${op('create')}/><left${op('delete')}/>`, 'ok', RIGHT],
  ['remove and merge', '<right/>', `<left/><right${op('remove')}/>`, 'ok', LEFT],
  ['remove of what is not there', '<left/>', `<right${op('remove')}/><left/>`, 'ok', LEFT],
  ['delete of what is not there', '<left/>', `<right${op('delete')}/><left/>`, 'data-missing right', LEFT],
  ['both', '<left/>', '<left/><right/>', 'bad-element right', LEFT],
  ['create of what is there', '<left/>', `<left${op('create')}/><right${op('remove')}/>`, 'data-exists', LEFT],
];
for (const [what, before, change, expected, after] of cases) {
  test(`N49: two cases of a choice, ${what}: ${expected}`, async () => {
    await ok(NO_RULES, edit(strict(before)));
    assert.is((await told(edit(strict(change)))).split(' ')[0], expected.split(' ')[0]);
    assert.match(await client.rpc(getConfig()), after);
    assert.not.match(await client.rpc(getConfig()), after === LEFT ? RIGHT : LEFT);
  });
}

const pair = (first: number, second: string, more = '') =>
  `<pair${more}><first>${first}</first><second>${second}</second></pair>`;

// [what, attributes of the entry that is inserted, outcome and error-info, order afterwards]
const places: readonly (readonly [string, string, string, string])[] = [
  ['all keys', `y:insert="before" y:key="[p:first='2'][p:second='b']"`, 'ok', '1a 3c 2b'],
  ['in another order', `y:insert="before" y:key="[p:second='b'][p:first='2']"`, 'ok', '1a 3c 2b'],
  ['white space', `y:insert="after" y:key=" [ p:first = '1' ]\n  [p:second=&quot;a&quot;] "`, 'ok', '1a 3c 2b'],
  ['without prefixes', `y:insert="before" y:key="[first='1'][second='a']"`, 'ok', '3c 1a 2b'],
  ['another form of a value', `y:insert="before" y:key="[p:first='+02'][p:second='b']"`, 'ok', '1a 3c 2b'],
  ['first', 'y:insert="first"', 'ok', '3c 1a 2b'],
  ['a name that is no key', `y:insert="before" y:key="[p:first='2'][p:zzz='b']"`, 'bad-attribute key pair', '1a 2b'],
  [
    'a prefix that is not declared',
    `y:insert="before" y:key="[q:first='2'][p:second='b']"`,
    'bad-attribute key pair',
    '1a 2b',
  ],
  [
    'a prefix of another module',
    `y:insert="before" y:key="[nc:first='2'][p:second='b']"`,
    'bad-attribute key pair',
    '1a 2b',
  ],
  ['a key less', `y:insert="before" y:key="[p:first='2']"`, 'bad-attribute key pair', '1a 2b'],
  [
    'a key twice',
    `y:insert="before" y:key="[p:first='2'][p:first='2'][p:second='b']"`,
    'bad-attribute key pair',
    '1a 2b',
  ],
  [
    'a value of another type',
    `y:insert="before" y:key="[p:first='x'][p:second='b']"`,
    'bad-attribute key pair',
    '1a 2b',
  ],
  ['no predicates', 'y:insert="before" y:key="2b"', 'bad-attribute key pair', '1a 2b'],
  [
    'an entry that is not there',
    `y:insert="before" y:key="[p:first='2'][p:second='c']"`,
    'bad-attribute insert pair',
    '1a 2b',
  ],
  ['no key', 'y:insert="before"', 'missing-attribute key pair', '1a 2b'],
  ['value instead of key', 'y:insert="before" y:value="b"', 'missing-attribute key pair', '1a 2b'],
  ['a key beside first', `y:insert="first" y:key="[p:first='2'][p:second='b']"`, 'bad-attribute key pair', '1a 2b'],
  ['a key alone', `y:key="[p:first='2'][p:second='b']"`, 'bad-attribute key pair', '1a 2b'],
];
for (const [what, attributes, expected, order] of places) {
  test(`N48: the place of an entry with two keys, ${what}: ${expected}`, async () => {
    await ok(NO_RULES, edit(rules(pair(1, 'a') + pair(2, 'b'))));
    assert.is(await told(edit(rules(pair(3, 'c', ` ${attributes}`)))), expected);
    const found = (await client.rpc(getConfig())).matchAll(/<first>(\d)<\/first><second>(\w)</g);
    assert.is([...found].map(([, first, second]) => `${first}${second}`).join(' '), order);
  });
}

test('N48: the place of a value of a leaf-list', async () => {
  await ok(NO_RULES, edit(strict('<left/><order>y</order>')));
  const insert = (attributes: string) => told(edit(rules(`<strict><order ${attributes}>z</order></strict>`)));
  assert.is(await insert(`y:insert="before" y:key="[.='y']"`), 'missing-attribute value order');
  assert.is(await insert('y:insert="before" y:value="w"'), 'bad-attribute insert order');
  assert.is(await insert('y:insert="before" y:value="x"'), 'ok');
  const values = [...(await client.rpc(getConfig())).matchAll(/<order>(\w)</g)].map(([, value]) => value);
  assert.equal(values, ['y', 'z', 'x']);
});

// [what, filter, outcome and error-info, whether the AFTR is in the answer]
const SELECT = '/gi-4over6:softwire';
const SUBTREE = `<softwire ${GI}/>`;
const filters: readonly (readonly [string, string, string, boolean])[] = [
  ['of no type', `<filter>${SUBTREE}</filter>`, 'data', true],
  ['of the namespace of NETCONF', `<filter ${NC_PREFIX} nc:type="xpath" nc:select="${SELECT}"/>`, 'data', true],
  ['another attribute', `<filter kind="xpath">${SUBTREE}</filter>`, 'unknown-attribute kind filter', false],
  [
    'another namespace',
    `<filter xmlns:q="urn:q" q:type="subtree">${SUBTREE}</filter>`,
    'unknown-attribute type filter',
    false,
  ],
  ['type twice', `<filter ${NC_PREFIX} type="subtree" nc:type="xpath"/>`, 'unknown-attribute type filter', false],
  ['another type', `<filter type="regex" select="${SELECT}"/>`, 'bad-attribute type filter', false],
  ['an empty type', `<filter type="">${SUBTREE}</filter>`, 'bad-attribute type filter', false],
  [
    'select of a subtree',
    `<filter type="subtree" select="${SELECT}">${SUBTREE}</filter>`,
    'bad-attribute select filter',
    false,
  ],
  ['select without type', `<filter select="${SELECT}"/>`, 'bad-attribute select filter', false],
  ['xpath without select', '<filter type="xpath"/>', 'missing-attribute select filter', false],
  ['xpath and a subtree', `<filter type="xpath" select="${SELECT}">${SUBTREE}</filter>`, 'bad-element filter', false],
  ['text', `<filter>softwire</filter>`, 'bad-element filter', false],
];
for (const [what, filter, expected, hasData] of filters) {
  test(`N27 N36: attributes of a filter, ${what}: ${expected}`, async () => {
    await ok(RESET, edit(AFTR));
    for (const operation of [getConfig(filter), `<get>${filter}</get>`]) {
      assert.is(await told(operation), expected);
      assert.is((await client.rpc(operation)).includes('<name>a</name>'), hasData);
    }
    const subscription = `<create-subscription xmlns="urn:ietf:params:xml:ns:netconf:notification:1.0">${filter}</create-subscription>`;
    if (expected !== 'data') assert.is(await told(subscription), expected);
  });
}

const DATASTORE = '<datastore xmlns:ds="urn:ietf:params:xml:ns:yang:ietf-datastores">ds:running</datastore>';
for (const [inside, expected] of [
  [`<subtree-filter type="subtree">${SUBTREE}</subtree-filter>`, 'unknown-attribute type subtree-filter'],
  ['<subtree-filter>softwire</subtree-filter>', 'bad-element subtree-filter'],
  [`<subtree-filter>${SUBTREE}</subtree-filter>`, 'data'],
] as const) {
  test(`N97: ${inside.slice(0, 32)} of get-data: ${expected}`, async () => {
    const getData = `<get-data xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-nmda">${DATASTORE}${inside}</get-data>`;
    assert.is(await told(getData), expected);
  });
}

const action = (inside: string) =>
  `<action xmlns="urn:ietf:params:xml:ns:yang:1"><rules xmlns="urn:probe">${inside}</rules></action>`;
const POKE = '<poke><times>1</times></poke>';
for (const [row, operation, expected] of [
  ['N45', action(`<item>${POKE}</item>`), 'missing-element name'],
  ['N17', action(`<item><name>a</name>${POKE}</item><item><name>b</name>${POKE}</item>`), 'bad-element poke'],
  ['N17', '<get-config><source><running><a/></running></source></get-config>', 'unknown-element a'],
  ['N17', '<get-config><source>running</source></get-config>', 'bad-element source'],
] as const) {
  test(`${row}: faults of parameters, ${operation.slice(-60)}: ${expected}`, async () => {
    assert.is(await told(operation), expected);
  });
}

test('the program ends cleanly', async () => {
  client.end();
  assert.is(await management.stop(), 0);
});

test.run();
