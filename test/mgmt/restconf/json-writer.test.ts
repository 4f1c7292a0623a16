import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { dataFromJson } from '../../../src/mgmt/restconf/json-reader.ts';
import { isJsonObject, parseJson } from '../../../src/mgmt/restconf/json-text.ts';
import { writeJson } from '../../../src/mgmt/restconf/json-writer.ts';
import { DataNode } from '../../../src/state/data.ts';
import type { SchemaNodeDump } from '../../../src/state/schema.ts';
import { Schema } from '../../../src/state/schema.ts';
import { plainCheck, schema } from '../../helpers/state.ts';

const test = suite('restconf json writer');

function read(text: string, from = schema): DataNode {
  const value = parseJson(text);
  return dataFromJson(from, plainCheck, isJsonObject(value) ? value : new Map(), { state: true });
}

function write(nodes: Iterable<DataNode>, rows?: (parent: DataNode) => Iterable<DataNode>): string {
  return [...writeJson(nodes, rows)].join('');
}

const texts = [
  '{}',
  '{"gi-4over6:softwire":{}}',
  '{"gi-4over6:softwire":{"aftr":[{"name":"a","enabled":false,"ipv4-pool":["192.0.2.0/24","198.51.100.0/24"]},{"name":"b"}]}}',
  '{"gi-4over6:softwire":{"aftr":[{"name":"a","binding-table":{"version":"18446744073709551615","bindings":4294967295}}]}}',
  '{"gi-4over6:softwire":{"aftr":[{"name":"\\"\\\\\\n 😀"}]},"ietf-netconf-acm:nacm":{"enable-nacm":true}}',
  '{"ietf-netconf-acm:nacm":{"denied-operations":0}}',
];
for (const text of texts) {
  test(`round trip of ${text}`, () => {
    assert.equal(JSON.parse(write(read(text).children())), JSON.parse(text));
  });
}

test('order is that of the schema, keys first', () => {
  const { childMap } = read('{"gi-4over6:softwire":{"aftr":[{"enabled":true,"hop-limit":7,"name":"a"}]}}');
  assert.is(write(childMap.values()), '{"gi-4over6:softwire":{"aftr":[{"name":"a","enabled":true,"hop-limit":7}]}}');
});

test('a target further down stands at the top under its module', () => {
  const entry = read('{"gi-4over6:softwire":{"aftr":[{"name":"a","ipv4-pool":["192.0.2.0/24"]}]}}')
    .child('softwire')
    ?.entries('aftr')[0];
  const name = entry?.child('name');
  assert.is(write(entry ? [entry] : []), '{"gi-4over6:aftr":[{"name":"a","ipv4-pool":["192.0.2.0/24"]}]}');
  assert.is(write(name ? [name] : []), '{"gi-4over6:name":"a"}');
  assert.is(write(entry?.entries('ipv4-pool') ?? []), '{"gi-4over6:ipv4-pool":["192.0.2.0/24"]}');
});

test('rows are printed behind the children of their parent, as one array', () => {
  const text = '{"gi-4over6:softwire":{"aftr":[{"name":"a","binding-table":{"version":"1"}},{"name":"b"}]}}';
  const tree = read(text);
  const binding = (prefix: string) =>
    read(
      `{"gi-4over6:softwire":{"aftr":[{"name":"x","binding-table":{"binding":[{"ipv4-prefix":"${prefix}","gateway-ipv6-address":"2001:db8::1"}]}}]}}`,
    )
      .child('softwire')
      ?.entries('aftr')[0]
      ?.child('binding-table')
      ?.entries('binding')[0] ?? tree;
  const rows = function* (parent: DataNode): Generator<DataNode> {
    if (parent.schema.name !== 'binding-table') return;
    yield binding('192.0.2.0/25');
    yield binding('192.0.2.128/25');
  };
  assert.is(
    write(tree.children(), rows),
    '{"gi-4over6:softwire":{"aftr":[{"name":"a","binding-table":{"version":"1","binding":[' +
      '{"ipv4-prefix":"192.0.2.0/25","gateway-ipv6-address":"2001:db8::1"},' +
      '{"ipv4-prefix":"192.0.2.128/25","gateway-ipv6-address":"2001:db8::1"}]}},{"name":"b"}]}}',
  );
});

test('rows are asked for as they are printed, a piece at a time', () => {
  const tree = read('{"gi-4over6:softwire":{"aftr":[{"name":"a","binding-table":{"version":"1"}}]}}');
  const table = tree.child('softwire')?.entries('aftr')[0]?.child('binding-table');
  const schemaOfRow = table?.schema.child('binding') ?? schema.root;
  let made = 0;
  const rows = function* (parent: DataNode): Generator<DataNode> {
    while (parent === table) {
      made++;
      yield new DataNode(schemaOfRow);
    }
  };
  const pieces = writeJson(tree.children(), rows);
  let text = '';
  while (!text.includes('"binding":[{}')) text += pieces.next().value;
  const printed = text.split('{}').length - 1;
  assert.is(made, printed);
  assert.ok(text.length < 32_768);
  pieces.return(undefined);
  assert.is(made, printed);
});

test('defaults carry their annotation (RFC 6243, RFC 7952)', () => {
  const tree = read('{"gi-4over6:softwire":{"aftr":[{"name":"a","enabled":true,"ipv4-pool":["x","y"]}]}}');
  const entry = tree.child('softwire')?.entries('aftr')[0];
  const enabled = entry?.child('enabled');
  const pool = entry?.entries('ipv4-pool')[1];
  if (!entry || !enabled || !pool) throw new Error('no entry');
  enabled.isDefault = true;
  pool.isDefault = true;
  const mark = '{"ietf-netconf-with-defaults:default":true}';
  assert.is(
    write([entry]),
    `{"gi-4over6:aftr":[{"name":"a","enabled":true,"@enabled":${mark},"ipv4-pool":["x","y"],"@ipv4-pool":[null,${mark}]}]}`,
  );
});

/** One leaf `v` of a type in a module of its own. */
function leafSchema(type: string, more: Partial<SchemaNodeDump> = {}): Schema {
  return new Schema({
    modules: [{ name: 'm', namespace: 'urn:m', prefix: 'm', implemented: true, features: [] }],
    nodes: [{ id: 1, parent: -1, name: 'v', module: 'm', kind: 'leaf', config: true, type, ...more }],
  });
}

const values = [
  ['int8', '-128', '-128'],
  ['int16', '1', '1'],
  ['int32', '-2147483648', '-2147483648'],
  ['uint8', '0', '0'],
  ['uint16', '65535', '65535'],
  ['uint32', '4294967295', '4294967295'],
  ['int64', '-9223372036854775808', '"-9223372036854775808"'],
  ['uint64', '18446744073709551615', '"18446744073709551615"'],
  ['decimal64', '1.5', '"1.5"'],
  ['boolean', 'true', 'true'],
  ['empty', '', '[null]'],
  ['string', '', '""'],
  ['enumeration', 'one', '"one"'],
  ['bits', 'a b', '"a b"'],
  ['binary', 'AAEC', '"AAEC"'],
  ['identityref', 'm:id', '"m:id"'],
  ['instance-identifier', "/m:a[b='c']", '"/m:a[b=\'c\']"'],
] as const;
for (const [type, value, expected] of values) {
  test(`${type} ${value}`, () => {
    const from = leafSchema(type);
    const node = new DataNode(from.root.child('v') ?? from.root, value);
    assert.is(write([node]), `{"m:v":${expected}}`);
    assert.is(read(`{"m:v":${expected}}`, from).leaf('v'), value);
  });
}

test('a union prints by the type of the value', () => {
  const from = leafSchema('union', { types: ['uint8', 'string'] });
  const leaf = from.root.child('v') ?? from.root;
  assert.is(write([new DataNode(leaf, '5', 'uint8')]), '{"m:v":5}');
  assert.is(write([new DataNode(leaf, 'x', 'string')]), '{"m:v":"x"}');
  assert.is(read('{"m:v":5}', from).leaf('v'), '5');
  assert.is(read('{"m:v":"x"}', from).leaf('v'), 'x');
  assert.throws(() => read('{"m:v":true}', from), /expected a JSON number \(an integer\) or a JSON string, true came/);
});

test('anydata keeps its JSON', () => {
  const from = leafSchema('', { kind: 'anydata' });
  const text = '{"m:v":{"a":[1,2.50,"x"]}}';
  assert.is(write(read(text, from).children()), text);
});

test('anydata without nodes is an empty object', () => {
  const leaf = leafSchema('', { kind: 'anydata' }).root.child('v', 'm');
  assert.is(write(leaf ? [new DataNode(leaf)] : []), '{"m:v":{}}');
});

test.run();
