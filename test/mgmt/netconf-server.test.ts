// needs: addon
/**
 * The YANG context of netconf-server: schema dump, values, validation, printing.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type SchemaNodeDump, YangContext } from 'netconf-server';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { SEARCH_DIRS } from '../helpers/netconf-server.ts';

const test = suite('netconf-server');

const PROBE = 'xmlns="urn:probe"';
const NC = 'xmlns="urn:ietf:params:xml:ns:netconf:base:1.0"';

function withProbe(body: (context: YangContext) => void): void {
  const context = new YangContext({
    searchDirs: SEARCH_DIRS,
    modules: [
      { name: 'probe', features: ['lit'] },
      { name: 'ietf-netconf', features: ['candidate'] },
    ],
  });
  try {
    body(context);
  } finally {
    context.close();
  }
}

/** The node at a path of names, each with its module where it changes. */
function nodeAt(context: YangContext, ...path: string[]): SchemaNodeDump {
  const { nodes } = context.schema();
  let parent = -1;
  let found: SchemaNodeDump | undefined;
  for (const name of path) {
    found = nodes.find((node) => node.parent === parent && node.name === name);
    assert.ok(found, `no node ${name} in ${path.join('/')}`);
    parent = found?.id ?? -1;
  }
  if (!found) throw new Error('the path is empty');
  return found;
}

function errorOf(body: () => unknown): { code: unknown; message: string } {
  try {
    body();
  } catch (error) {
    if (error instanceof Error) return { code: Reflect.get(error, 'code'), message: error.message };
  }
  throw new Error('nothing was thrown');
}

const loadFailures = [
  [['nope', []], /"nope" not found/],
  [['probe', ['no-such-feature']], /Feature "no-such-feature" not found in module "probe"/],
] as const;
for (const [[name, features], message] of loadFailures) {
  test(`a context refuses ${name} with features [${features}]`, () => {
    const error = errorOf(() => new YangContext({ searchDirs: SEARCH_DIRS, modules: [{ name, features }] }));
    assert.is(error.code, 'YANG_CONTEXT');
    assert.match(error.message, message);
  });
}

test('a context refuses a search directory that is not there, and names it', () => {
  const error = errorOf(() => new YangContext({ searchDirs: ['test/no-such-directory'], modules: [] }));
  assert.is(error.code, 'YANG_CONTEXT');
  assert.match(error.message, /test\/no-such-directory/);
});

test('a context refuses a broken module with the line of the fault', () => {
  const directory = mkdtempSync(join(tmpdir(), 'netconf-server-'));
  try {
    writeFileSync(
      join(directory, 'broken.yang'),
      'module broken {\n  namespace "urn:b";\n  prefix b;\n  leaf x { typo y; }\n}\n',
    );
    const error = errorOf(
      () => new YangContext({ searchDirs: [directory], modules: [{ name: 'broken', features: [] }] }),
    );
    assert.match(error.message, /typo.*line number 4/i);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('schema: modules with revision, features that are on, submodules', () =>
  withProbe((context) => {
    const { modules } = context.schema();
    assert.equal(
      modules.find((module) => module.name === 'probe'),
      {
        name: 'probe',
        revision: '2026-01-01',
        namespace: 'urn:probe',
        prefix: 'p',
        implemented: true,
        features: ['lit'],
        submodules: [{ name: 'probe-parts', revision: '2026-01-01' }],
        deviations: [],
        identities: { shape: ['probe:round'], round: [] },
      },
    );
    assert.is(modules.find((module) => module.name === 'ietf-inet-types')?.implemented, false);
  }));

/** Facts of one node, without its place. */
const nodeFacts: readonly (readonly [path: readonly string[], facts: object])[] = [
  [
    ['values', 'small'],
    { kind: 'leaf', config: true, type: 'uint8', defaults: ['7'], units: 'cm', typedef: 'size', range: '1..10 | 20' },
  ],
  [
    ['values', 'colour'],
    {
      kind: 'leaf',
      config: true,
      type: 'enumeration',
      enums: ['red', 'deep blue'],
      numbers: { red: 0, 'deep blue': 1 },
    },
  ],
  [['values', 'access'], { kind: 'leaf', config: true, type: 'bits', enums: ['read', 'write'] }],
  [
    ['values', 'mixed'],
    {
      kind: 'leaf',
      config: true,
      type: 'union',
      types: ['uint8', 'identityref', 'enumeration', 'string'],
      numbers: { any: 0 },
    },
  ],
  [
    ['values', 'pointer'],
    {
      kind: 'leaf',
      config: true,
      type: 'string',
      leafref: { path: '/p:rules/p:item/p:name', prefixes: { '': 'probe', p: 'probe' } },
    },
  ],
  [['rules', 'item'], { kind: 'list', config: true, keys: ['name'], max: 3 }],
  [['rules', 'item', 'poke'], { kind: 'action', config: false }],
  [['rules', 'item', 'poke', 'input', 'times'], { kind: 'leaf', config: false, type: 'uint8', mandatory: true }],
  [['rules', 'item', 'poke', 'output', 'felt'], { kind: 'leaf', config: false, type: 'boolean' }],
  [['rules', 'strict'], { kind: 'container', config: true, presence: true }],
  [
    ['rules', 'strict', 'right'],
    { kind: 'leaf', config: true, choices: [['way', 'right', true, false]], type: 'empty' },
  ],
  [['rules', 'strict', 'order'], { kind: 'leaf-list', config: true, type: 'string', min: 1, userOrdered: true }],
  [['secrets'], { kind: 'container', config: true, nacm: 'default-deny-all' }],
  [['secrets', 'word'], { kind: 'leaf', config: true, type: 'string' }],
  [['secrets', 'note'], { kind: 'leaf', config: true, type: 'string', nacm: 'default-deny-write' }],
  [['state', 'up'], { kind: 'leaf', config: false, type: 'boolean', status: 'deprecated' }],
  [['add'], { kind: 'rpc', config: false, nacm: 'default-deny-all' }],
  [['add', 'input', 'a'], { kind: 'leaf', config: false, type: 'uint8', mandatory: true }],
  [['fetch', 'output', 'data'], { kind: 'anyxml', config: false }],
  [['bell'], { kind: 'notification', config: false }],
  [['part', 'name'], { kind: 'leaf', config: true, type: 'string' }],
];
for (const [path, facts] of nodeFacts) {
  test(`schema: ${path.join('/')}`, () =>
    withProbe((context) => {
      const { id: _id, parent: _parent, name: _name, module, ...rest } = nodeAt(context, ...path);
      assert.is(module, 'probe');
      assert.equal(rest, facts);
    }));
}

test('schema: a node behind a feature that is off is not there', () =>
  withProbe((context) => assert.not.ok(context.schema().nodes.some((node) => node.name === 'hidden'))));

test('schema: ids are positions and parents stand before their children', () =>
  withProbe((context) => {
    for (const [at, node] of context.schema().nodes.entries()) {
      assert.is(node.id, at);
      assert.ok(node.parent < at);
    }
  }));

const SCOPE = { q: 'urn:probe', '': 'urn:other' };
const goodValues: readonly (readonly [leaf: string, text: string, value: string, type: string, json?: boolean])[] = [
  ['small', '1', '1', 'uint8'],
  ['small', '+010', '10', 'uint8'],
  ['small', ' 20 ', '20', 'uint8'],
  ['big', '-9223372036854775808', '-9223372036854775808', 'int64'],
  ['price', '1.5', '1.5', 'decimal64'],
  ['price', '2', '2.0', 'decimal64'],
  ['price', '-0.50', '-0.5', 'decimal64'],
  ['flag', 'false', 'false', 'boolean'],
  ['mark', '', '', 'empty'],
  ['colour', 'deep blue', 'deep blue', 'enumeration'],
  ['access', 'write  read', 'read write', 'bits'],
  ['blob', 'AAEC', 'AAEC', 'binary'],
  ['code', 'ab', 'ab', 'string'],
  ['text', ' ä\n𝄞 ', ' ä\n𝄞 ', 'string'],
  ['text', '\ufffd', '\ufffd', 'string'],
  ['text', 'x'.repeat(1000), 'x'.repeat(1000), 'string'],
  ['form', 'q:round', 'probe:round', 'identityref'],
  ['form', 'probe:round', 'probe:round', 'identityref', true],
  ['form', 'round', 'probe:round', 'identityref', true],
  ['mixed', '5', '5', 'uint8'],
  ['mixed', 'x300', 'x300', 'string'],
  ['mixed', 'q:round', 'probe:round', 'identityref'],
  ['mixed', 'any', 'any', 'enumeration'],
  ['address', '2001:DB8:0:0::1', '2001:db8::1', 'string'],
  ['address', '192.0.2.1', '192.0.2.1', 'string'],
  ['prefix', '192.0.2.9/24', '192.0.2.0/24', 'string'],
  ['prefix', '2001:db8::1/32', '2001:db8::/32', 'string'],
  ['pointer', 'nobody', 'nobody', 'string'],
  ['place', '/q:rules/q:limit', '/probe:rules/limit', 'instance-identifier'],
];
for (const [leaf, text, value, type, json] of goodValues) {
  test(`value: ${leaf} takes ${JSON.stringify(text).slice(0, 40)}`, () =>
    withProbe((context) => {
      const checked = context.checkValue(nodeAt(context, 'values', leaf).id, text, json ? undefined : SCOPE);
      assert.equal(checked, { value, type });
    }));
}

const badValues: readonly (readonly [leaf: string, text: string, message: RegExp, appTag?: string])[] = [
  ['small', '0', /out of the allowed range/],
  ['small', '11', /out of the allowed range/],
  ['small', '256', /min\/max bounds/],
  ['small', '0x1', /Invalid type uint8 value "0x1"/],
  ['small', '1.0', /Invalid type uint8 value "1.0"/],
  ['small', '', /empty value/],
  ['big', '9223372036854775808', /Invalid type int64/],
  ['price', '1.234', /fraction digits/],
  ['flag', 'True', /Invalid boolean value "True"/],
  ['mark', 'x', /Invalid empty value/],
  ['colour', 'blue', /Invalid enumeration value "blue"/],
  ['access', 'read read', /Duplicate bit/],
  ['blob', 'AAECAwQ=', /length/],
  ['blob', '***', /Base64/],
  ['code', 'a', /length/],
  ['code', 'AB', /Only small letters/, 'not-small'],
  ['text', 'a\u0000b', /cannot hold/],
  ['text', 'a\u0007b', /cannot hold/],
  ['text', '\ufffe', /cannot hold/],
  ['text', 'half \ud800', /cannot hold/],
  ['text', '\ufffd \udc00', /cannot hold/],
  ['form', 'r:round', /prefix/],
  ['form', 'q:shape', /not derived|Invalid identityref/],
  ['form', 'round', /Invalid identityref/],
  ['mixed', 'nope', /no matching subtype/],
  ['address', '192.0.2.256', /192.0.2.256/],
  ['prefix', '192.0.2.0/33', /192.0.2.0\/33/],
  ['place', 'rules', /rules/],
];
for (const [leaf, text, message, appTag] of badValues) {
  test(`value: ${leaf} refuses ${JSON.stringify(text)}`, () =>
    withProbe((context) => {
      const checked = context.checkValue(nodeAt(context, 'values', leaf).id, text, SCOPE);
      assert.ok('message' in checked, JSON.stringify(checked));
      if (!('message' in checked)) return;
      assert.match(checked.message, message);
      assert.is(checked.appTag, appTag);
    }));
}

test('value: the id of no leaf is our own mistake', () =>
  withProbe((context) => {
    assert.is(errorOf(() => context.checkValue(nodeAt(context, 'values').id, 'x')).code, 'YANG_CONTEXT');
    assert.is(errorOf(() => context.checkValue(100_000, 'x')).code, 'YANG_CONTEXT');
    assert.is(errorOf(() => context.checkValue(-1, 'x')).code, 'YANG_CONTEXT');
  }));

const items = (...list: string[]): string =>
  `<rules ${PROBE}>${list.map((item) => `<item>${item}</item>`).join('')}</rules>`;
const ITEM = '/probe:rules/item';
const configs: readonly (readonly [xml: string, code: string, path: string, appTag?: string])[] = [
  [`<rules ${PROBE}>`, 'other', ''],
  ['<x/>', 'unknown', ''],
  ['<x xmlns="urn:none"/>', 'unknown', ''],
  [`<values ${PROBE}><typo/></values>`, 'unknown', '/probe:values'],
  [`<values ${PROBE}><small>0</small></values>`, 'value', '/probe:values/small'],
  [`<values ${PROBE}><code>AB</code></values>`, 'value', '/probe:values/code', 'not-small'],
  [`<values ${PROBE}><small>1</small><small>2</small></values>`, 'duplicate', '/probe:values/small'],
  [`<state ${PROBE}/>`, 'unknown', '/probe:state'],
  [`<rules ${PROBE}><limit>5</limit></rules>`, 'must', '/probe:rules/limit', 'must-violation'],
  [items('<name>bad</name>'), 'must', '/probe:rules', 'bad-name'],
  [items('<port>1</port>'), 'mandatory', ITEM],
  [items('<name>a</name>', '<name>a</name>'), 'duplicate', `${ITEM}[name='a']`],
  [
    items('<name>a</name><port>1</port>', '<name>b</name><port>1</port>'),
    'unique',
    `${ITEM}[name='b']`,
    'data-not-unique',
  ],
  [items('<name>a</name><friend>b</friend>'), 'leafref', `${ITEM}[name='a']/friend`, 'instance-required'],
  [items('<name>a</name><port>2</port><extra>x</extra>'), 'when', `${ITEM}[name='a']/extra`],
  [
    items(...['a', 'b', 'c', 'd'].map((name) => `<name>${name}</name>`)),
    'too-many',
    `${ITEM}[name='d']`,
    'too-many-elements',
  ],
  [`<rules ${PROBE}><strict><left/><order>a</order></strict></rules>`, 'mandatory', '/probe:rules/strict/needed'],
  [
    `<rules ${PROBE}><strict><needed>a</needed><order>a</order></strict></rules>`,
    'mandatory-choice',
    '/probe:rules/strict',
    'missing-choice',
  ],
  [
    `<rules ${PROBE}><strict><needed>a</needed><left/><right/><order>a</order></strict></rules>`,
    'duplicate',
    '/probe:rules/strict',
  ],
  [
    `<rules ${PROBE}><strict><needed>a</needed><left/></strict></rules>`,
    'too-few',
    '/probe:rules/strict/order',
    'too-few-elements',
  ],
  [`<values ${PROBE}><text>\u0001</text></values>`, 'other', ''],
];
for (const [xml, code, path, appTag] of configs) {
  test(`configuration: ${code} for ${JSON.stringify(xml).slice(0, 90)}`, () =>
    withProbe((context) => {
      const [fault, ...more] = context.validateConfig(xml);
      assert.equal([fault?.code, fault?.path, fault?.appTag], [code, path, appTag], fault?.message);
      assert.is(more.length, 0);
      assert.ok(fault?.message);
    }));
}

const goodConfigs = [
  '',
  `<values ${PROBE}><small>1</small></values>`,
  `<values ${PROBE}><small>1</small></values><part ${PROBE}><name>a</name></part>`,
  items('<name>a</name><port>1</port><friend>b</friend><extra>x</extra>', '<name>b</name>'),
  `<rules ${PROBE}><strict><needed>a</needed><right/><order>b</order><order>a</order></strict></rules>`,
];
for (const xml of goodConfigs) {
  test(`configuration: nothing against ${JSON.stringify(xml).slice(0, 90)}`, () =>
    withProbe((context) => assert.equal(context.validateConfig(xml), [])));
}

const YANG_1 = 'xmlns="urn:ietf:params:xml:ns:yang:1"';
const operations: readonly (readonly [xml: string, code: string | undefined, path?: string])[] = [
  [`<get-config ${NC}><source><running/></source></get-config>`, undefined],
  [`<add ${PROBE}><a>1</a></add>`, undefined],
  [`<action ${YANG_1}>${items('<name>a</name><poke><times>1</times></poke>')}</action>`, undefined],
  [`<edit-config ${NC}><target><candidate/></target><config><any xmlns="urn:x"/></config></edit-config>`, undefined],
  [`<add ${PROBE}/>`, 'mandatory', '/probe:add/a'],
  [`<add ${PROBE}><a>256</a></add>`, 'value', '/probe:add/a'],
  [`<add ${PROBE}><a>1</a><c/></add>`, 'unknown', '/probe:add'],
  [`<add ${PROBE}><a>1</a><a>2</a></add>`, 'duplicate', '/probe:add/a'],
  [`<get-config ${NC}/>`, 'mandatory-choice', '/ietf-netconf:get-config'],
  [`<subtract ${PROBE}/>`, 'unknown', ''],
  [`<get ${NC}/><get ${NC}/>`, 'other', ''],
  ['', 'value', ''],
  [`<action ${YANG_1}/>`, 'value', ''],
  [`<values ${PROBE}/>`, 'value', ''],
];
for (const [xml, code, path] of operations) {
  test(`operation: ${code ?? 'nothing'} against ${JSON.stringify(xml).slice(0, 80)}`, () =>
    withProbe((context) => {
      const [fault] = context.checkOperation(xml);
      assert.equal([fault?.code, fault?.path], [code, path], fault?.message);
    }));
}

test('YANG library: modules, and a content-id that follows the features', () =>
  withProbe((context) => {
    const { json, contentId } = context.yangLibrary();
    const library = JSON.parse(json)['ietf-yang-library:yang-library'];
    assert.is(library['content-id'], contentId);
    const probe = library['module-set'][0].module.find((module: { name: string }) => module.name === 'probe');
    assert.equal(probe.feature, ['lit']);
    assert.is(probe.submodule[0].name, 'probe-parts');
    const other = new YangContext({ searchDirs: SEARCH_DIRS, modules: [{ name: 'probe', features: ['lit', 'dark'] }] });
    assert.is.not(other.yangLibrary().contentId, contentId);
    other.close();
  }));

test('the source of every module and submodule, printed and loaded again, gives the same schema', () =>
  withProbe((context) => {
    const directory = mkdtempSync(join(tmpdir(), 'netconf-server-'));
    try {
      const schema = context.schema();
      for (const { name, revision } of [...schema.modules, { name: 'probe-parts', revision: undefined }]) {
        const source = context.moduleSource(name, revision, 'yang');
        assert.ok(source, name);
        writeFileSync(join(directory, `${name}.yang`), source ?? '');
      }
      const again = new YangContext({
        searchDirs: [directory],
        modules: [
          { name: 'probe', features: ['lit'] },
          { name: 'ietf-netconf', features: ['candidate'] },
        ],
      });
      assert.equal(again.schema(), schema);
      again.close();
    } finally {
      rmSync(directory, { recursive: true });
    }
  }));

test('module source: YIN, by revision, and none for what is not there', () =>
  withProbe((context) => {
    assert.match(context.moduleSource('probe', '2026-01-01', 'yin') ?? '', /<module name="probe"/);
    assert.match(context.moduleSource('probe-parts', '2026-01-01', 'yang') ?? '', /submodule probe-parts/);
    assert.is(context.moduleSource('probe', '2020-01-01', 'yang'), undefined);
    assert.is(context.moduleSource('nope', undefined, 'yang'), undefined);
  }));

test('print: JSON keeps empty containers, XML keeps values', () =>
  withProbe((context) => {
    const xml = `<values ${PROBE}><small>01</small></values><rules ${PROBE}/>`;
    assert.equal(JSON.parse(context.print(xml, 'json')), { 'probe:values': { small: 1 }, 'probe:rules': {} });
    assert.is(context.print(xml, 'xml'), `<values ${PROBE}><small>1</small></values><rules ${PROBE}/>`);
    assert.is(context.print('', 'json'), '{}');
    assert.is(errorOf(() => context.print('<x', 'json')).code, 'YANG_DATA');
  }));

test('a closed context says so, and closing twice is harmless', () => {
  const context = new YangContext({ searchDirs: SEARCH_DIRS, modules: [] });
  context.close();
  context.close();
  for (const call of [() => context.schema(), () => context.checkValue(0, ''), () => context.yangLibrary()]) {
    assert.is(errorOf(call).code, 'YANG_CONTEXT');
  }
});

test.run();
