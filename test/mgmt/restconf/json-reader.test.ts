import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { dataFromJson } from '../../../src/mgmt/restconf/json-reader.ts';
import { isJsonObject, parseJson } from '../../../src/mgmt/restconf/json-text.ts';
import type { DataNode } from '../../../src/state/data.ts';
import { ManagementError } from '../../../src/state/errors.ts';
import { treeToJson } from '../../../src/state/json.ts';
import { plainCheck, schema } from '../../helpers/state.ts';

const test = suite('restconf json reader');

function read(text: string): DataNode {
  const value = parseJson(text);
  return dataFromJson(schema, plainCheck, isJsonObject(value) ? value : new Map());
}

const aftr = (members: string) => `{"gi-4over6:softwire":{"aftr":[{"name":"a",${members}}]}}`;

const good = [
  ['{}', {}],
  [aftr('"enabled":false'), { 'gi-4over6:softwire': { aftr: [{ name: 'a', enabled: false }] } }],
  [
    '{"gi-4over6:softwire":{"gi-4over6:aftr":[{"gi-4over6:name":"a"}]}}',
    { 'gi-4over6:softwire': { aftr: [{ name: 'a' }] } },
  ],
  [
    aftr('"ipv4-pool":["192.0.2.0/24","198.51.100.0/24"],"hop-limit":64'),
    {
      'gi-4over6:softwire': {
        aftr: [{ name: 'a', 'ipv4-pool': ['192.0.2.0/24', '198.51.100.0/24'], 'hop-limit': 64 }],
      },
    },
  ],
  [
    '{"gi-4over6:softwire":{"aftr":[{"enabled":true,"name":"b"}]}}',
    { 'gi-4over6:softwire': { aftr: [{ name: 'b', enabled: true }] } },
  ],
  [
    aftr('"enabled":true,"@enabled":{"ietf-netconf-with-defaults:default":true}'),
    { 'gi-4over6:softwire': { aftr: [{ name: 'a', enabled: true }] } },
  ],
  [
    aftr('"@enabled":{"ietf-netconf-with-defaults:default":false},"enabled":false'),
    { 'gi-4over6:softwire': { aftr: [{ name: 'a', enabled: false }] } },
  ],
  [
    '{"ietf-netconf-acm:nacm":{"rule-list":[{"name":"l","group":["*"]}]}}',
    { 'ietf-netconf-acm:nacm': { 'rule-list': [{ name: 'l', group: ['*'] }] } },
  ],
] as const;
for (const [text, expected] of good) test(`good: ${text}`, () => assert.equal(treeToJson(read(text)), expected));

test('bindings become entries in canonical form', () => {
  const table = read(
    aftr('"binding-table":{"binding":[{"ipv4-prefix":"192.0.2.9/24","gateway-ipv6-address":"2001:DB8::1"}]}'),
  );
  const entry = table.child('softwire')?.entries('aftr')[0]?.child('binding-table')?.entries('binding')[0];
  assert.is(entry?.leaf('ipv4-prefix'), '192.0.2.0/24');
  assert.is(entry?.leaf('gateway-ipv6-address'), '2001:db8::1');
});

const DEFAULT = '{"ietf-netconf-with-defaults:default":true}';
const A = "/gi-4over6:softwire/aftr[name='a']";
const bad = [
  ['{"softwire":{}}', 'unknown-element', '/softwire', 'no module at the top'],
  ['{"nothing:softwire":{}}', 'unknown-namespace', '', 'unknown module'],
  ['{"gi-4over6:nothing":{}}', 'unknown-element', '/gi-4over6:nothing', 'unknown name'],
  ['{"__proto__":{}}', 'unknown-element', '/__proto__', 'a name of JavaScript'],
  ['{"ietf-netconf:get-config":{}}', 'unknown-element', '/ietf-netconf:get-config', 'an rpc'],
  [
    '{"ietf-netconf-monitoring:netconf-state":{}}',
    'unknown-element',
    '/ietf-netconf-monitoring:netconf-state',
    'state data',
  ],
  [aftr('"statistics":{}'), 'unknown-element', `${A}/statistics`, 'state data below'],
  [aftr('"lookup":{}'), 'unknown-element', `${A}/lookup`, 'an action'],
  [aftr('"nothing":1'), 'unknown-element', `${A}/nothing`, 'unknown name below'],
  [aftr('"ietf-system:enabled":true'), 'unknown-element', `${A}/ietf-system:enabled`, 'wrong module below'],
  ['{"gi-4over6:softwire":[]}', 'invalid-value', '/gi-4over6:softwire', 'array for a container'],
  ['{"gi-4over6:softwire":null}', 'invalid-value', '/gi-4over6:softwire', 'null for a container'],
  ['{"gi-4over6:softwire":{"aftr":{"name":"a"}}}', 'invalid-value', '/gi-4over6:softwire/aftr', 'object for a list'],
  ['{"gi-4over6:softwire":{"aftr":["a"]}}', 'invalid-value', '/gi-4over6:softwire/aftr', 'string for an entry'],
  ['{"gi-4over6:softwire":{"aftr":[{}]}}', 'missing-element', '/gi-4over6:softwire/aftr', 'entry without key'],
  [
    '{"gi-4over6:softwire":{"aftr":[{"name":1}]}}',
    'invalid-value',
    "/gi-4over6:softwire/aftr[name='']/name",
    'number for a string',
  ],
  [
    '{"gi-4over6:softwire":{"aftr":[{"name":null}]}}',
    'invalid-value',
    "/gi-4over6:softwire/aftr[name='']/name",
    'null for a string',
  ],
  ['{"gi-4over6:softwire":{"aftr":[{"name":"a"},{"name":"a"}]}}', 'bad-element', A, 'entry twice'],
  [aftr('"enabled":"true"'), 'invalid-value', `${A}/enabled`, 'string for a boolean'],
  [aftr('"enabled":1'), 'invalid-value', `${A}/enabled`, 'number for a boolean'],
  [aftr('"hop-limit":"64"'), 'invalid-value', `${A}/hop-limit`, 'string for a number'],
  [aftr('"hop-limit":64.0'), 'invalid-value', `${A}/hop-limit`, 'fraction for an integer'],
  [aftr('"hop-limit":1e1'), 'invalid-value', `${A}/hop-limit`, 'exponent for an integer'],
  [aftr('"hop-limit":[64]'), 'invalid-value', `${A}/hop-limit`, 'array for a leaf'],
  [aftr('"ipv4-pool":"192.0.2.0/24"'), 'invalid-value', `${A}/ipv4-pool`, 'string for a leaf-list'],
  [aftr('"ipv4-pool":["x","x"]'), 'bad-element', `${A}/ipv4-pool[.='x']`, 'value twice'],
  [aftr('"enabled":true,"@enabled":{"a:b":1}'), 'unknown-attribute', A, 'unknown annotation'],
  [aftr('"enabled":true,"@enabled":1'), 'bad-attribute', A, 'annotation that is no object'],
  [aftr(`"@enabled":${DEFAULT}`), 'bad-attribute', A, 'annotation of a node that did not come'],
  [aftr(`"@nothing":${DEFAULT}`), 'unknown-element', `${A}/nothing`, 'annotation of a node that is not in the schema'],
  [
    aftr(`"enabled":true,"@enabled":${DEFAULT.replace('true', '"true"')}`),
    'bad-attribute',
    A,
    'default that is a string',
  ],
  [aftr(`"enabled":true,"@enabled":[${DEFAULT}]`), 'bad-attribute', A, 'array of annotations for a leaf'],
  [aftr(`"ipv4-pool":["x"],"@ipv4-pool":${DEFAULT}`), 'bad-attribute', A, 'annotation of a leaf-list that is no array'],
  [aftr(`"ipv4-pool":["x"],"@ipv4-pool":[null,${DEFAULT}]`), 'bad-attribute', A, 'annotation behind the last entry'],
  [aftr(`"enabled":false,"@enabled":${DEFAULT}`), 'invalid-value', `${A}/enabled`, 'default with another value'],
  [aftr(`"@name":${DEFAULT}`), 'invalid-value', `${A}/name`, 'default of a leaf that has none'],
  [aftr(`"@":${DEFAULT}`), 'invalid-value', A, 'default of an entry'],
  [
    aftr('"ipv4-pool":["x"],"gi-4over6:ipv4-pool":["y"]'),
    'bad-element',
    `${A}/ipv4-pool`,
    'a leaf-list under two names',
  ],
  [
    '{"gi-4over6:softwire":{"aftr":[{"name":"a"}],"gi-4over6:aftr":[{"name":"b"}]}}',
    'bad-element',
    '/gi-4over6:softwire/aftr',
    'a list under two names',
  ],
  [
    aftr('"binding-table":{"binding":[{"ipv4-prefix":"192.0.2.0/33","gateway-ipv6-address":"::1"}]}'),
    'invalid-value',
    `${A}/binding-table/binding[ipv4-prefix='192.0.2.0/33']/ipv4-prefix`,
    'a key of a wrong type',
  ],
] as const;
for (const [text, tag, path, why] of bad) {
  test(`bad: ${why}`, () => {
    const { faults } = faultOf(text);
    assert.is(faults.length, 1, faults.map(({ message }) => message).join('; '));
    assert.is(faults[0]?.tag, tag);
    assert.is(faults[0]?.path ?? '', path);
  });
}

function faultOf(text: string): ManagementError {
  try {
    read(text);
  } catch (error) {
    if (error instanceof ManagementError) return error;
    throw error;
  }
  return assert.unreachable('expected a fault') as never;
}

test('all faults of a body are found', () => {
  const { faults } = faultOf(aftr('"enabled":1,"hop-limit":"x","nothing":1'));
  assert.equal(
    faults.map(({ tag, path }) => [tag, path]),
    [
      ['invalid-value', `${A}/enabled`],
      ['invalid-value', `${A}/hop-limit`],
      ['unknown-element', `${A}/nothing`],
    ],
  );
});

test('two cases of one choice', () => {
  const text =
    '{"ietf-netconf-acm:nacm":{"rule-list":[{"name":"l","rule":[{"name":"r","rpc-name":"x","path":"/","action":"permit"}]}]}}';
  assert.is(faultOf(text).tag, 'bad-element');
});

test('input of an action: state is welcome, the parent is the input', () => {
  const input = schema.find('/gi-4over6:softwire/aftr/lookup/input');
  if (!input) throw new Error('the schema has no lookup');
  const value = parseJson('{"ipv4-address":"192.0.2.1"}');
  const node = dataFromJson(schema, plainCheck, isJsonObject(value) ? value : new Map(), {
    parent: input,
    state: true,
  });
  assert.is(node.leaf('ipv4-address'), '192.0.2.1');
});

test('a module assumed by the URL', () => {
  const value = parseJson('{"softwire":{}}');
  const node = dataFromJson(schema, plainCheck, isJsonObject(value) ? value : new Map(), { module: 'gi-4over6' });
  assert.ok(node.child('softwire'));
});

test.run();
