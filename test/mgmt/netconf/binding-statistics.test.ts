// needs: addon
import { execFile } from 'node:child_process';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { SINCE, startFakeDatapath } from '../../helpers/fake-datapath.ts';
import { startManagement } from '../../helpers/management.ts';
import { outcome, RawClient } from '../../helpers/netconf-client.ts';

/** Statistics of bindings and gateways through the faces, and how many questions to the datapath they take. */
const test = suite('binding statistics');
const GI = 'xmlns="urn:gi-4over6"';
const ROWS = 5_000;
const TABLE = '/p:softwire/p:aftr/p:binding-table';

const management = await startManagement();
const datapath = await startFakeDatapath(dirname(management.socket));
const client = (await RawClient.local(management.socket)).greet('1.1');

const prefix = (at: number) => `198.51.${100 + (at >> 8)}.${at & 255}/32`;
const row = (at: number, inside: string) =>
  `<binding><ipv4-prefix>${prefix(at)}</ipv4-prefix><gateway-ipv6-address>2001:db8::${(at + 1).toString(16)}</gateway-ipv6-address>${inside}</binding>`;
const table = (content: string) =>
  `<softwire ${GI}><aftr><name>a</name><binding-table>${content}</binding-table></aftr></softwire>`;

function statistics(at: number): string {
  const last = at & 255;
  if (last === 13) return '';
  const leaves = [
    ['discontinuity-time', SINCE],
    ['encapsulated-packets', last],
    ['encapsulated-octets', 100 * last],
    ['decapsulated-packets', 2 ** 40 + last],
    ['decapsulated-octets', 2 ** 50 + last],
  ];
  return `<statistics>${leaves.map(([name, value]) => `<${name}>${value}</${name}>`).join('')}</statistics>`;
}

const whole = (at: number) => row(at, `<origin>static</origin>${statistics(at)}`);
const keyed = (at: number, inside: string) => `<binding><ipv4-prefix>${prefix(at)}</ipv4-prefix>${inside}</binding>`;

async function dataOf(operation: string): Promise<string> {
  const reply = await client.rpc(operation);
  const found = /<data[^>]*?(?:\/>|>([\s\S]*)<\/data>)/.exec(reply);
  return found ? (found[1] ?? '') : outcome(reply);
}

const subtree = (inside: string) => `<get><filter type="subtree">${table(inside)}</filter></get>`;
const xpath = (select: string) =>
  `<get><filter type="xpath" xmlns:p="urn:gi-4over6" select="${select.replaceAll('"', '&quot;').replaceAll('<', '&lt;')}"/></get>`;

/** The datapath answers in this process meanwhile. */
async function restconf(path: string): Promise<unknown> {
  const words = [
    '-sk',
    '--max-time',
    '60',
    '-u',
    `admin:${management.password}`,
    '-H',
    'Accept: application/yang-data+json',
  ];
  const url = `https://127.0.0.1:${management.restconfPort}/restconf/data/gi-4over6:softwire${path}`;
  const { stdout } = await promisify(execFile)('curl', [...words, url], { maxBuffer: 1 << 26 });
  return JSON.parse(stdout);
}

test('the table is filled', async () => {
  const every = Array.from({ length: ROWS }, (_, at) => row(at, ''));
  const config = `<softwire ${GI}><aftr><name>a</name><ipv6-address>2001:db8:b::1</ipv6-address><ipv4-pool>198.51.0.0/16</ipv4-pool><binding-counters>true</binding-counters><binding-table>${every.join('')}</binding-table></aftr></softwire>`;
  const edit = `<edit-config><target><running/></target><config>${config}</config></edit-config>`;
  assert.is(outcome(await client.rpc(edit)), 'ok');
});

/** A filter shows what it matches by. */
const NOTHING = `<softwire ${GI}><aftr><name>a</name></aftr></softwire>`;

/** [what, operation, content of data, bindings in each question]. */
const cases: readonly (readonly [string, string, string, readonly number[]])[] = [
  ['one binding', subtree(keyed(7, '')), table(whole(7)), [1]],
  ['its statistics', subtree(keyed(7, '<statistics/>')), table(keyed(7, statistics(7))), [1]],
  [
    'one leaf of them',
    subtree(keyed(7, '<statistics><encapsulated-octets/></statistics>')),
    table(keyed(7, '<statistics><encapsulated-octets>700</encapsulated-octets></statistics>')),
    [1],
  ],
  ['two bindings', subtree(keyed(7, '') + keyed(300, '')), table(whole(7) + whole(300)), [2]],
  ['one that the datapath does not have', subtree(keyed(13, '')), table(whole(13)), [1]],
  ['a binding that is not there', subtree('<binding><ipv4-prefix>192.0.2.1/32</ipv4-prefix></binding>'), NOTHING, []],
  ['a leaf of the configuration', subtree(keyed(7, '<origin/>')), table(keyed(7, '<origin>static</origin>')), []],
  [
    'bindings by a figure',
    subtree('<binding><statistics><encapsulated-packets>254</encapsulated-packets></statistics></binding>'),
    table(
      Array.from({ length: ROWS }, (_, at) => at)
        .filter((at) => (at & 255) === 254)
        .map((at) => keyed(at, statistics(at)))
        .join(''),
    ),
    [2_048, 2_048, 904],
  ],
  [
    'by a figure that no binding has',
    subtree('<binding><statistics><encapsulated-packets>999</encapsulated-packets></statistics></binding>'),
    NOTHING,
    [2_048, 2_048, 904],
  ],
  ['XPath: one binding', xpath(`${TABLE}/p:binding[p:ipv4-prefix='${prefix(9)}']`), table(whole(9)), [1]],
  [
    'XPath: a figure of one binding',
    xpath(`${TABLE}/p:binding[p:ipv4-prefix='${prefix(9)}']/p:statistics/p:encapsulated-octets`),
    table(keyed(9, '<statistics><encapsulated-octets>900</encapsulated-octets></statistics>')),
    [1],
  ],
  [
    'XPath: bindings by a figure',
    xpath(`${TABLE}/p:binding[p:statistics/p:encapsulated-packets > 253]/p:ipv4-prefix`),
    table(
      Array.from({ length: ROWS }, (_, at) => at)
        .filter((at) => (at & 255) > 253)
        .map((at) => keyed(at, ''))
        .join(''),
    ),
    [2_048, 2_048, 904],
  ],
  [
    'XPath: whole bindings by what is configured',
    xpath(`//p:binding[p:gateway-ipv6-address='2001:db8::a']`),
    table(whole(9)),
    [1],
  ],
  [
    'XPath: a leaf that is configured',
    xpath(`//p:binding[p:gateway-ipv6-address='2001:db8::a']/p:ipv4-prefix`),
    table(keyed(9, '')),
    [],
  ],
];
for (const [what, operation, expected, questions] of cases) {
  test(`NETCONF: ${what}: ${questions.length} questions`, async () => {
    datapath.takeQuestions();
    assert.is(await dataOf(operation), expected);
    assert.equal(datapath.takeQuestions(), questions);
  });
}

test('NETCONF: the whole table, with few questions; and none for the configuration', async () => {
  const all = await dataOf(
    `<get><filter type="subtree"><softwire ${GI}><aftr><binding-table><binding/></binding-table></aftr></softwire></filter></get>`,
  );
  const expected = Array.from({ length: ROWS }, (_, at) => whole(at)).join('');
  assert.ok(all === table(expected), all.slice(0, 600));
  assert.equal(datapath.takeQuestions(), [2_048, 2_048, 904]);
  const config = await dataOf('<get-config><source><running/></source></get-config>');
  assert.not.match(config, /statistics/);
  assert.equal(datapath.takeQuestions(), []);
});

test('RESTCONF: one binding, all of them, and what stands beside them', async () => {
  const path = `/aftr=a/binding-table/binding=${encodeURIComponent(prefix(7))}`;
  const figures = {
    'discontinuity-time': SINCE,
    'encapsulated-packets': '7',
    'encapsulated-octets': '700',
    'decapsulated-packets': String(2 ** 40 + 7),
    'decapsulated-octets': String(2 ** 50 + 7),
  };
  const binding = { 'ipv4-prefix': prefix(7), 'gateway-ipv6-address': '2001:db8::8' };
  assert.equal(await restconf(path), { 'gi-4over6:binding': [{ ...binding, origin: 'static', statistics: figures }] });
  assert.equal(await restconf(`${path}/statistics`), { 'gi-4over6:statistics': figures });
  assert.equal(await restconf(`${path}?content=config`), { 'gi-4over6:binding': [binding] });
  assert.equal(datapath.takeQuestions(), [1, 1]);
  for (const all of ['/aftr=a/binding-table/binding', '/aftr=a/binding-table/binding?content=nonconfig']) {
    const { 'gi-4over6:binding': found } = (await restconf(all)) as { 'gi-4over6:binding': { statistics?: unknown }[] };
    assert.is(found.length, ROWS);
    assert.equal(found[7]?.statistics, figures);
    assert.is(found[13]?.statistics, undefined);
    assert.equal(datapath.takeQuestions(), [2_048, 2_048, 904]);
  }
});

test('RESTCONF: a page asks for the bindings in it alone, in whatever order, with fields and without', async () => {
  type Page = { 'gi-4over6:binding': { '@'?: Record<string, unknown>; statistics?: Record<string, string> }[] };
  const figures = async (query: string) => {
    const { 'gi-4over6:binding': found } = (await restconf(`/aftr=a/binding-table/binding?${query}`)) as Page;
    return [
      found.map(({ statistics: shown }) => shown?.['encapsulated-packets']),
      found[0]?.['@']?.['ietf-list-pagination:remaining'],
      datapath.takeQuestions(),
    ];
  };
  datapath.takeQuestions();
  assert.equal(await figures('limit=3&offset=12'), [['12', undefined, '14'], ROWS - 15, [3]]);
  assert.equal(await figures('limit=2&direction=backwards'), [['135', '134'], ROWS - 2, [2]]);
  const fields = 'fields=statistics/encapsulated-packets';
  assert.equal(await figures(`limit=2&offset=300&${fields}`), [['44', '45'], ROWS - 302, [2]]);
  assert.equal(await figures('limit=2&offset=5&content=config'), [[undefined, undefined], ROWS - 7, []]);
  const where = `where=${encodeURIComponent("gateway-ipv6-address='2001:db8::a'")}`;
  assert.equal(await figures(where), [['9'], undefined, [1]]);
});

test('gateways: all of them, or the one that is asked for', async () => {
  datapath.takeGateways();
  const entry = (address: string, more = {}) => ({
    'gateway-ipv6-address': address,
    bindings: 7,
    ...more,
    statistics: {
      'discontinuity-time': SINCE,
      'encapsulated-packets': '1',
      'encapsulated-octets': '2',
      'decapsulated-packets': '3',
      'decapsulated-octets': '4',
      'violation-packets': '5',
      'violation-octets': '6',
    },
    'last-violation': { time: SINCE, 'ipv4-source': '192.0.2.9' },
  });
  const all = [entry('2001:db8::1'), entry('2001:db8::2', { 'path-mtu': 1400 })];
  assert.equal(await restconf('/aftr=a/softwire'), { 'gi-4over6:softwire': all });
  assert.equal(await restconf(`/aftr=a/softwire=${encodeURIComponent('2001:db8::1')}`), {
    'gi-4over6:softwire': [all[0]],
  });
  assert.equal(datapath.takeGateways(), [undefined, ['2001:db8::1']]);
});

test('while the AFTR does not count, nobody is asked', async () => {
  const off = `<softwire ${GI}><aftr><name>a</name><binding-counters>false</binding-counters></aftr></softwire>`;
  await client.rpc(`<edit-config><target><running/></target><config>${off}</config></edit-config>`);
  datapath.takeQuestions();
  assert.is(await dataOf(subtree(keyed(7, ''))), table(row(7, '<origin>static</origin>')));
  assert.equal(datapath.takeQuestions(), []);
  const on = off.replace('false', 'true');
  await client.rpc(`<edit-config><target><running/></target><config>${on}</config></edit-config>`);
});

test('a datapath that is gone leaves the bindings without statistics', async () => {
  await datapath.close();
  assert.is(await dataOf(subtree(keyed(7, ''))), table(row(7, '<origin>static</origin>')));
  const { 'gi-4over6:binding': found } = (await restconf('/aftr=a/binding-table/binding')) as {
    'gi-4over6:binding': unknown[];
  };
  assert.is(found.length, ROWS);
});

test('the end', async () => {
  assert.is(await management.stop(), 0);
});

test.run();
