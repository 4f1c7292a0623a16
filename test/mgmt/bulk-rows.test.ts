/** Documents read with and without the short way for plain entries must come to the same. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { formatIpv4Prefix, formatIpv6 } from '../../src/address.ts';
import { OctetFeed } from '../../src/mgmt/octet-feed.ts';
import { JsonFeed } from '../../src/mgmt/restconf/json-feed.ts';
import { dataFromJson } from '../../src/mgmt/restconf/json-reader.ts';
import type { JsonValue } from '../../src/mgmt/restconf/json-text.ts';
import { BulkArray, isJsonArray, isJsonObject, MAX_BULK_TABLES, parseJson } from '../../src/mgmt/restconf/json-text.ts';
import { parseXml, XML_LIMITS, XmlFeed } from '../../src/mgmt/xml.ts';
import { dataFromXml } from '../../src/mgmt/xml-data.ts';
import type { DataNode } from '../../src/state/data.ts';
import { ManagementError } from '../../src/state/errors.ts';
import { openRow } from '../../src/state/rows.ts';
import { random, seed } from '../helpers/random.ts';
import { plainCheck, schema } from '../helpers/state.ts';

const test = suite('bulk rows');
const NETCONF = 'urn:ietf:params:xml:ns:netconf:base:1.0';

/** What a reading came to: each entry with its operation and leaves, sorted; or its faults. */
function outcome(read: () => DataNode): string[] {
  try {
    return entries(read()).sort();
  } catch (error) {
    if (!(error instanceof ManagementError)) throw error;
    // Behind rows the parser cannot tell the place of a mistake.
    return error.faults.map(({ tag, path, message }) => `${tag} ${path} ${message.replace(/\d+:\d+: /, '')}`);
  }
}

function entries(node: DataNode): string[] {
  const own = [...node.childMap.values()].flatMap(entries);
  if (node.schema.name === 'binding' && node.schema.rows) {
    const leaves = [...node.childMap.values()].map(({ schema: { name }, value }) => `${name}=${value}`).sort();
    return [`${node.operation ?? ''} ${leaves.join(' ')}`];
  }
  for (const number of node.bulk?.numbers() ?? []) {
    const value = node.bulk?.get(number);
    if (!value) continue;
    const { address, length, gatewayIpv6Address, aftrIpv6Address, description } = openRow(number, value);
    const leaves = [`ipv4-prefix=${formatIpv4Prefix(address, length)}`];
    leaves.push(`gateway-ipv6-address=${formatIpv6(gatewayIpv6Address)}`);
    if (aftrIpv6Address) leaves.push(`aftr-ipv6-address=${formatIpv6(aftrIpv6Address)}`);
    if (description !== undefined) leaves.push(`description=${description}`);
    own.push(` ${leaves.sort().join(' ')}`);
  }
  return own;
}

function readXml(text: string, bulk: 'config' | 'none'): () => DataNode {
  return () => dataFromXml(schema, plainCheck, parseXml(text, XML_LIMITS, bulk).children, { edit: true });
}

function readJson(text: string, bulk: boolean): () => DataNode {
  return () => {
    const value = parseJson(text, bulk);
    if (!isJsonObject(value)) throw new Error('no object');
    return dataFromJson(schema, plainCheck, value);
  };
}

const xml = (inside: string, table = 'binding-table') =>
  `<config xmlns="${NETCONF}" xmlns:nc="${NETCONF}"><softwire xmlns="urn:gi-4over6" xmlns:gi="urn:gi-4over6"><aftr><name>a</name><${table}>${inside}</${table.split(' ')[0]}></aftr></softwire></config>`;
const json = (inside: string) =>
  `{"gi-4over6:softwire":{"aftr":[{"name":"a","binding-table":{"binding":[${inside}]}}]}}`;

const leaf = (name: string, value: string) => `<${name}>${value}</${name}>`;
const entry = (prefix: string, gateway = '2001:db8::1', more = '') =>
  `<binding>${leaf('ipv4-prefix', prefix)}${leaf('gateway-ipv6-address', gateway)}${more}</binding>`;
const A = entry('192.0.2.1/32');
const B = entry('192.0.2.2/32', '2001:DB8::2', leaf('description', 'rack 7'));

const documents: (readonly [string, string])[] = [
  ['plain entries', xml(A + B)],
  ['white space everywhere', xml(`\n  ${A.replaceAll('><', '>\n\t<')}\r\n ${B}\n`)],
  [
    'leaves in another order',
    xml(`<binding>${leaf('gateway-ipv6-address', '::2')}${leaf('ipv4-prefix', '10.0.0.0/8')}</binding>`),
  ],
  ['an AFTR address', xml(entry('192.0.2.1/32', '::2', leaf('aftr-ipv6-address', '2001:db8:b::1')))],
  ['a prefix of their own', xml(A.replaceAll('<', '<gi:').replaceAll('<gi:/', '</gi:'), 'gi:binding-table')],
  [
    'an operation on one in the middle',
    xml(`${A}<binding nc:operation="delete">${leaf('ipv4-prefix', '192.0.2.9/32')}</binding>${B}`),
  ],
  ['a comment between', xml(`${A}<!-- <binding-table> ${B} -->${entry('192.0.2.7/32')}`)],
  ['a comment at the beginning that looks like the table', xml(`<!-- binding-table>${B} -->${A}`)],
  [
    'a comment inside an entry',
    xml(
      `<binding><!-- x -->${leaf('ipv4-prefix', '192.0.2.1/32')}${leaf('gateway-ipv6-address', '::2')}</binding>${B}`,
    ),
  ],
  [
    'CDATA',
    xml(
      `${A}<binding>${leaf('ipv4-prefix', '<![CDATA[192.0.2.5/32]]>')}${leaf('gateway-ipv6-address', '::2')}</binding>`,
    ),
  ],
  ['an escape', xml(entry('192.0.2.1/32', '::2', leaf('description', 'a &amp; b')) + B)],
  ['a description beyond ASCII', xml(entry('192.0.2.1/32', '::2', leaf('description', 'Büro')) + B)],
  ['a description of spaces', xml(entry('192.0.2.1/32', '::2', leaf('description', '  two  ')) + B)],
  ['an empty description', xml(entry('192.0.2.1/32', '::2', '<description/>') + B)],
  ['an empty description with two tags', xml(entry('192.0.2.1/32', '::2', '<description></description>') + B)],
  ['the same prefix twice', xml(A + B + A)],
  [
    'the same prefix twice, one of them not plain',
    xml(`${A}<binding nc:operation="merge">${leaf('ipv4-prefix', '192.0.2.1/32')}</binding>`),
  ],
  [
    'a leaf twice',
    xml(
      `<binding>${leaf('ipv4-prefix', '192.0.2.1/32')}${leaf('ipv4-prefix', '192.0.2.1/32')}${leaf('gateway-ipv6-address', '::2')}</binding>`,
    ),
  ],
  ['an unknown leaf', xml(A + entry('192.0.2.3/32', '::2', leaf('colour', 'red')) + B)],
  ['text between entries', xml(`${A}oops${B}`)],
  ['an entry without key', xml(`${A}<binding>${leaf('gateway-ipv6-address', '::2')}</binding>${B}`)],
  ['an entry without gateway', xml(`${A}<binding>${leaf('ipv4-prefix', '192.0.2.8/32')}</binding>`)],
  ['no end of the table', xml(A + B).replace('</binding-table>', '')],
  ['no end at all', xml(A + B).slice(0, -70)],
  ['an entry that never ends', xml(`${A}<binding>${leaf('ipv4-prefix', '192.0.2.8/32')}`)],
  ['a table in a namespace of nobody', xml(A, 'binding-table xmlns="urn:other"')],
  ['an operation on the table', xml(A + B, 'binding-table nc:operation="replace"')],
  [
    'two AFTRs',
    xml(A)
      .replace('</softwire>', '')
      .replace('</config>', `<aftr><name>b</name><binding-table>${B}</binding-table></aftr></softwire></config>`),
  ],
];
for (const value of [
  '192.0.2.1',
  '192.0.2.1/24',
  '192.0.2.01/32',
  '192.0.2.256/32',
  '192.0.2.1/33',
  '192.0.2.1/032',
  ' 192.0.2.1/32',
  '1.2.3/8',
  '1.2.3.4.5/32',
  '',
  '0.0.0.0/0',
]) {
  documents.push([`prefix '${value}'`, xml(A + entry(value) + B)]);
}
for (const value of [
  '::',
  '1:2:3:4:5:6:7:8',
  '1:2:3:4:5:6:7::',
  '1::2::3',
  ':1',
  '::ffff:192.0.2.1',
  'fe80::1%eth0',
  '12345::',
  'g::',
  '::1 ',
]) {
  documents.push([`gateway '${value}'`, xml(A + entry('192.0.2.9/32', value) + B)]);
}
for (const [what, text] of documents) {
  test(`XML: ${what}`, () => {
    assert.equal(outcome(readXml(text, 'config')), outcome(readXml(text, 'none')));
  });
}

test('plain entries do go the short way, in XML and in JSON', () => {
  const table = (node: DataNode): DataNode =>
    node.schema.name === 'binding-table' ? node : table([...node.childMap.values()].at(-1) as DataNode);
  assert.is(table(readXml(xml(A + B), 'config')()).bulk?.size, 2);
  const items = ['192.0.2.1/32', '192.0.2.2/32', '192.0.2.3/32'].map(
    (prefix) => `{"ipv4-prefix":"${prefix}","gateway-ipv6-address":"::2"}`,
  );
  assert.is(table(readJson(json(items.join(', ')), true)()).bulk?.size, 3);
  // A comma that nothing follows is left to the ordinary reader, who refuses it.
  assert.throws(() => readJson(json(`${items.join(', ')},`), true)(), /expected a value/);
  assert.throws(() => readJson(json(`${items[0]?.replace('}', ',}')},${items[1]}`), true)(), /expected a member name/);
});

/** What a document comes to when it comes in pieces of `pieceLength` octets. */
function inPieces(text: string, isXml: boolean, pieceLength: (left: number) => number): () => DataNode {
  return () => {
    const octets = Buffer.from(text);
    const notUtf8 = () => new ManagementError('malformed-message', { message: 'no UTF-8' });
    const xmlFeed = new OctetFeed(new XmlFeed(XML_LIMITS, 'config'), notUtf8);
    const jsonFeed = new OctetFeed(new JsonFeed(), notUtf8);
    for (let at = 0; at < octets.length; ) {
      const end = at + pieceLength(octets.length - at);
      (isXml ? xmlFeed : jsonFeed).push(octets.subarray(at, end));
      at = end;
    }
    if (isXml) return dataFromXml(schema, plainCheck, xmlFeed.end().children, { edit: true });
    const value = jsonFeed.end();
    if (!isJsonObject(value)) throw new Error('no object');
    return dataFromJson(schema, plainCheck, value);
  };
}

for (const [what, text] of documents) {
  test(`XML in pieces: ${what}`, () => {
    const expected = outcome(readXml(text, 'none'));
    for (const length of [1, 7, 100]) assert.equal(outcome(inPieces(text, true, () => length)), expected, `${length}`);
  });
}

test('in pieces, too, plain entries go the short way, and a table that is long or shows late is read', () => {
  const table = (node: DataNode): DataNode =>
    node.schema.name === 'binding-table' ? node : table([...node.childMap.values()].at(-1) as DataNode);
  const prefixes = Array.from({ length: 500 }, (_, i) => `10.0.${i >> 8}.${i & 255}/32`);
  const xmlText = xml(prefixes.map((prefix) => entry(prefix)).join('\n'));
  const items = prefixes.map((prefix) => `{"ipv4-prefix":"${prefix}","gateway-ipv6-address":"::2"}`);
  for (const length of [1, 13, 4_000, 100_000]) {
    assert.is(table(inPieces(xmlText, true, () => length)()).bulk?.size, 500);
    assert.is(table(inPieces(json(items.join(',')), false, () => length)()).bulk?.size, 500);
  }
});

test('JSON in pieces: the place of a fault behind rows is that in the document', () => {
  const item = '{"ipv4-prefix":"10.0.0.1/32","gateway-ipv6-address":"::2"}';
  const messageOf = (read: () => unknown): string => {
    try {
      read();
    } catch (error) {
      return error instanceof ManagementError ? error.message : String(error);
    }
    return 'no fault';
  };
  for (const text of [
    json(`${item},\n\n ${item.replace('.1/', '.2/')},\n  ?`),
    `${json(item)}?`,
    json(`${item}, ${item.replace('.1/', '.2/')},?`),
  ]) {
    const expected = messageOf(() => parseJson(text));
    assert.match(expected, /line \d+, column \d+/);
    for (const length of [1, 9, 10_000]) assert.is(messageOf(inPieces(text, false, () => length)), expected);
  }
});

test('octets that are no UTF-8 are found in the last piece and between two', () => {
  const fault = (pieces: readonly Buffer[]) => {
    const feed = new OctetFeed(
      { push: () => undefined, end: () => 'read' },
      () => new ManagementError('malformed-message', { message: 'no UTF-8' }),
    );
    for (const piece of pieces) feed.push(piece);
    try {
      return feed.end();
    } catch (error) {
      return error instanceof ManagementError ? error.message : error;
    }
  };
  assert.is(fault([Buffer.of(0x61, 0xc3), Buffer.of(0xa9)]), 'read');
  assert.is(fault([Buffer.of(0x61, 0xc3)]), 'no UTF-8');
  assert.is(fault([Buffer.of(0xc3), Buffer.of(0x61), Buffer.of(0x62)]), 'no UTF-8');
});

test('outside an edit nothing goes the short way: a filter keeps its elements', () => {
  const filter = parseXml(xml(A).replaceAll('config', 'filter'), XML_LIMITS, 'config');
  assert.is(JSON.stringify(filter), JSON.stringify(parseXml(xml(A).replaceAll('config', 'filter'))));
});

test(`random documents, mutilated: both ways come to the same (seed ${seed})`, () => {
  const next = random();
  const pick = (count: number) => next() % count;
  const from = <Item>(items: readonly Item[]): Item => items[pick(items.length)] as Item;
  for (let round = 0; round < 3_000; round++) {
    const isXml = pick(2) === 0;
    const parts = Array.from({ length: 1 + pick(6) }, () => {
      const prefix = `10.0.0.${pick(6)}/${from(['32', '31', '32', '032'])}`;
      const gateway = from(['2001:db8::1', '::2', '1:2:3:4:5:6:7:8', 'x', '2001:DB8:0:0::5']);
      const description = from([undefined, 'rack 1', '', 'é', 'a\\u0041', '&lt;']);
      if (isXml) return entry(prefix, gateway, description === undefined ? '' : leaf('description', description));
      const more = description === undefined ? '' : `,"description":"${description}"`;
      return `{"ipv4-prefix":"${prefix}","gateway-ipv6-address":"${gateway}"${more}}`;
    });
    let text = isXml ? xml(parts.join(from(['', '\n', '<!-- x -->']))) : json(parts.join(from([',', ' , ', ',\n'])));
    if (pick(3) === 0) {
      const at = pick(text.length);
      text =
        text.slice(0, at) +
        from(['', '<', '>', '"', ',', '{', ' ', 'binding-table>', '<binding>', '[']) +
        text.slice(at + pick(4));
    }
    const [short, ordinary] = isXml
      ? [readXml(text, 'config'), readXml(text, 'none')]
      : [readJson(text, true), readJson(text, false)];
    const expected = outcome(ordinary).sort();
    assert.equal(outcome(short).sort(), expected, text);
    assert.equal(outcome(inPieces(text, isXml, (left) => 1 + pick(left))).sort(), expected, text);
  }
});

test('of very many tables in one JSON document the first are read as rows, all are read', () => {
  const entry = (index: number) =>
    `{"ipv4-prefix":"10.${index >> 8}.${index & 255}.0/24","gateway-ipv6-address":"2001:db8::1"}`;
  for (const count of [MAX_BULK_TABLES - 1, MAX_BULK_TABLES, MAX_BULK_TABLES + 1, 3 * MAX_BULK_TABLES]) {
    const tables = Array.from({ length: count }, (_, index) => `{"binding":[${entry(index)}]}`);
    const text = `[${tables.join(', ')}]`;
    const feed = new JsonFeed();
    for (let at = 0; at < text.length; at += 1000) feed.push(text.slice(at, at + 1000));
    for (const value of [feed.end(), parseJson(text, true)]) {
      assert.ok(isJsonArray(value));
      const arrays = (isJsonArray(value) ? value : []).map((item) => isJsonObject(item) && item.get('binding'));
      const asRows = arrays.filter((array) => array instanceof BulkArray);
      const asValues = arrays.filter((array) => isJsonArray(array || null) && !(array instanceof BulkArray));
      assert.equal([asRows.length, asValues.length], [Math.min(count, MAX_BULK_TABLES), count - asRows.length]);
      assert.ok(asRows.every((array) => array instanceof BulkArray && array.length === 0 && array.bulk?.size === 1));
      assert.ok(asValues.every((array) => isJsonArray(array || null) && isJsonObject((array as JsonValue[])[0])));
    }
  }
});

test.run();
