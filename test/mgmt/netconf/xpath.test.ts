// needs: addon
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { startManagement } from '../../helpers/management.ts';
import { outcome, RawClient } from '../../helpers/netconf-client.ts';
import { getData } from '../../helpers/nmda-requests.ts';

/** Filters of type xpath (RFC 6241 §8.9) against the running program. */
const test = suite('netconf xpath');
const GI = 'xmlns="urn:gi-4over6"';
const NCM = 'urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring';
const CAPABILITY = 'urn:ietf:params:netconf:capability:xpath:1.0';
const ROWS = 300;

const management = await startManagement();
const client = (await RawClient.local(management.socket)).greet('1.1');

const prefix = (at: number) => `198.51.${100 + (at >> 8)}.${at & 255}/32`;
const row = (at: number) =>
  `<binding><ipv4-prefix>${prefix(at)}</ipv4-prefix><gateway-ipv6-address>2001:db8::${at.toString(16)}</gateway-ipv6-address></binding>`;
const every = Array.from({ length: ROWS }, (_, at) => row(at + 1));
const table = (content: string) =>
  `<softwire ${GI}><aftr><name>a</name><binding-table>${content}</binding-table></aftr></softwire>`;
const TABLE = '/p:softwire/p:aftr/p:binding-table';

/** A filter with `select`; the prefix p is declared on it unless the attributes say otherwise. */
function filter(select: string, attributes = 'xmlns:p="urn:gi-4over6"'): string {
  return `<filter type="xpath" ${attributes} select="${select.replaceAll('"', '&quot;').replaceAll('<', '&lt;')}"/>`;
}

function getConfig(inside: string): string {
  return `<get-config><source><running/></source>${inside}</get-config>`;
}

/** What stands in `data` of the reply, or the outcome when it is an error. */
async function dataOf(operation: string): Promise<string> {
  const reply = await client.rpc(operation);
  const found = /<data[^>]*?(?:\/>|>([\s\S]*)<\/data>)/.exec(reply);
  return found ? (found[1] ?? '') : outcome(reply);
}

test('the table is filled', async () => {
  const config = `<softwire ${GI}><aftr><name>a</name><ipv6-address>2001:db8:b::1</ipv6-address><ipv4-pool>198.51.0.0/16</ipv4-pool><binding-table>${every.join('')}</binding-table></aftr></softwire>`;
  const edit = `<edit-config><target><running/></target><config>${config}</config></edit-config>`;
  assert.is(outcome(await client.rpc(edit)), 'ok');
});

test('the capability is in the hello, in the monitoring data, and can be found by XPath', async () => {
  assert.ok(client.hello.includes(`<capability>${CAPABILITY}</capability>`));
  const select = `/m:netconf-state/m:capabilities/m:capability[contains(., ':xpath:')]`;
  assert.is(
    await dataOf(`<get>${filter(select, `xmlns:m="${NCM}"`)}</get>`),
    `<netconf-state xmlns="${NCM}"><capabilities><capability>${CAPABILITY}</capability></capabilities></netconf-state>`,
  );
});

/** [what, filter, content of data, or the tag of the error]. */
const cases: readonly (readonly [string, string, string])[] = [
  ['N34 one row by its key', filter(`${TABLE}/p:binding[p:ipv4-prefix='${prefix(7)}']`), table(row(7))],
  [
    'N34 a row by its key in a table by the name of its AFTR',
    filter(`/p:softwire/p:aftr[p:name='a']/p:binding-table/p:binding["${prefix(299)}"=p:ipv4-prefix]`),
    table(row(299)),
  ],
  [
    'N34 a leaf of a row, with the keys on the way',
    filter(`//p:binding[p:ipv4-prefix='${prefix(7)}']/p:gateway-ipv6-address`),
    table(row(7)),
  ],
  ['a row that is not there', filter(`${TABLE}/p:binding[p:ipv4-prefix='192.0.2.1/32']`), ''],
  ['an address that is not canonical', filter(`//p:binding[p:gateway-ipv6-address='2001:DB8:0::0A']`), table(row(10))],
  ['the whole table', filter(`${TABLE}/p:binding`), table(every.join(''))],
  [
    'rows by a leaf that is no key',
    filter(`//p:binding[starts-with(p:gateway-ipv6-address, '2001:db8::12')]`),
    table([0x12, ...Array.from({ length: 13 }, (_, at) => 0x120 + at)].map(row).join('')),
  ],
  ['the last row', filter(`//p:binding[last()]`), table(row(ROWS))],
  ['a page of rows', filter(`//p:binding[position() > 10][position() <= 3]`), table([11, 12, 13].map(row).join(''))],
  [
    'a prefix that is the name of a module',
    filter('/gi-4over6:softwire/gi-4over6:aftr/gi-4over6:name', ''),
    `<softwire ${GI}><aftr><name>a</name></aftr></softwire>`,
  ],
  ['names without prefix', filter('/softwire'), ''],
  [
    'names without prefix, a default namespace around',
    `<nc:filter xmlns:nc="urn:ietf:params:xml:ns:netconf:base:1.0" ${GI} type="xpath" select="/softwire"/>`,
    '',
  ],
  ['N35 a syntax error', filter('/p:softwire['), 'invalid-value'],
  ['N35 a number', filter('count(//p:binding)'), 'invalid-value'],
  ['N35 a truth', filter('/p:softwire = 1'), 'invalid-value'],
  ['N35 a text', filter("'a'"), 'invalid-value'],
  ['an unknown function', filter('/p:softwire[f(.)]'), 'invalid-value'],
  ['a variable', filter('/p:softwire[$x]'), 'invalid-value'],
  ['an unknown prefix', filter('/z:softwire'), 'unknown-namespace'],
  ['no select', '<filter type="xpath"/>', 'missing-attribute'],
  ['an unknown type', '<filter type="regex" select="/"/>', 'bad-attribute'],
  ['nested too deep', filter(`${'('.repeat(100_000 / 5)}/${')'.repeat(100_000 / 5)}`), 'too-big'],
  [
    'joins of the table with itself',
    filter(`//p:binding[count(//p:binding[. != current()]) = 1]${"[count(../*[. = 'x']) = 1]".repeat(20)}`),
    '',
  ],
];
for (const [what, inside, expected] of cases) {
  test(what, async () => {
    assert.is(await dataOf(getConfig(inside)), expected);
    assert.is(await dataOf(getConfig(filter('//p:name'))), `<softwire ${GI}><aftr><name>a</name></aftr></softwire>`);
  });
}

test('N34: the prefix is declared on the operation', async () => {
  const inside = filter(`//b:binding[b:ipv4-prefix='${prefix(8)}']`, '');
  const operation = `<get-config xmlns:b="urn:gi-4over6"><source><running/></source>${inside}</get-config>`;
  assert.is(await dataOf(operation), table(row(8)));
});

test('get: state beside configuration', async () => {
  const version = await dataOf(`<get>${filter('//p:configured-version')}</get>`);
  assert.match(version, /<configured-version>\d+<\/configured-version>/);
  const found = await dataOf(`<get>${filter(`//p:binding[p:ipv4-prefix='${prefix(7)}'][p:origin='static']`)}</get>`);
  assert.is(found, table(row(7).replace('</binding>', '<origin>static</origin></binding>')));
});

const LIBRARY = 'urn:ietf:params:xml:ns:yang:ietf-yang-library';
const NACM = 'urn:ietf:params:xml:ns:yang:ietf-netconf-acm';
const MORE = `xmlns:p="urn:gi-4over6" xmlns:yl="${LIBRARY}" xmlns:n="${NACM}" xmlns:ds="urn:ietf:params:xml:ns:yang:ietf-datastores"`;
const RULES = `<nacm xmlns="${NACM}"><rule-list><name>l</name><group>g</group>${[
  ['reads', 'read exec', 'permit'],
  ['all', '*', 'deny'],
]
  .map(
    ([name, operations, action]) =>
      `<rule><name>${name}</name><access-operations>${operations}</access-operations><action>${action}</action></rule>`,
  )
  .join('')}</rule-list></nacm>`;

/** [select of get-data, datastore, texts of all leaves of the answer or the outcome]. */
const ofYang: readonly (readonly [string, string, string])[] = [
  [
    `//p:binding[re-match(p:ipv4-prefix, '198\\.51\\.100\\.(7|8)/32')]/p:ipv4-prefix`,
    'running',
    `a ${prefix(7)} ${prefix(8)}`,
  ],
  [`//n:rule[bit-is-set(n:access-operations, 'exec')]/n:name`, 'running', 'l reads'],
  [`//n:rule[bit-is-set(n:access-operations, 'create')]/n:name`, 'running', ''],
  [`//n:rule-list[n:name='l']/n:rule[enum-value(n:action) = 1]/n:name`, 'running', 'l all'],
  [
    `//yl:datastore[derived-from(yl:name, 'ds:conventional')]/yl:name`,
    'operational',
    'ds:running ds:candidate ds:intended',
  ],
  [`//yl:datastore[derived-from-or-self(yl:name, 'ds:operational')]/yl:name`, 'operational', 'ds:operational'],
  [`deref(//yl:datastore[1]/yl:schema)`, 'operational', 'complete'],
  [`/p:softwire[derived-from(., 'ds:none')]`, 'running', 'invalid-value'],
  [`/p:softwire[derived-from(., 'z:none')]`, 'running', 'unknown-namespace'],
  [`/p:softwire[re-match(., '\\p{IsKlingon}')]`, 'running', 'invalid-value'],
];
for (const [select, datastore, expected] of ofYang) {
  test(`functions of RFC 7950: ${select}`, async () => {
    const edit = `<edit-config><target><running/></target><config>${RULES}</config></edit-config>`;
    assert.is(outcome(await client.rpc(edit)), 'ok');
    const inside = `<xpath-filter ${MORE}>${select}</xpath-filter>`;
    const found = await dataOf(getData(datastore, inside));
    const texts = [...found.matchAll(/>([^<]+)</g)].map(([, text]) => text).join(' ');
    const prefixed = texts.replaceAll('ietf-datastores:', 'ds:').replaceAll('ids:', 'ds:');
    assert.is(found.includes('<') ? prefixed : found, expected);
  });
}

test('the end', async () => {
  client.end();
  assert.is(await management.stop(), 0);
});

test.run();
