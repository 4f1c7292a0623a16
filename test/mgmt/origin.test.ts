import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { ReadOptions } from '../../src/mgmt/read-options.ts';
import { openReading } from '../../src/mgmt/reading.ts';
import { writeJson } from '../../src/mgmt/restconf/json-writer.ts';
import type { AnySelection } from '../../src/mgmt/selection.ts';
import { subtreeSelection } from '../../src/mgmt/selection.ts';
import { parseXml } from '../../src/mgmt/xml.ts';
import { writeXml } from '../../src/mgmt/xml-data.ts';
import { xpathTextSelection } from '../../src/mgmt/xpath/selection.ts';
import type { Origin } from '../../src/state/data.ts';
import { aftr, binding, OPERATOR, plainCheck, request, schema, withDatastores } from '../helpers/state.ts';

/** Origins of learned bindings beside configured ones (RFC 8342 section 5.3.4), however they are read. */
const test = suite('origin');

const OR = 'xmlns:or="urn:ietf:params:xml:ns:yang:ietf-origin"';
const [CONFIGURED, LEARNED] = ['192.0.2.1/32', '192.0.2.2/32'];
const entry = (prefix: string, origin: string, attribute = '') =>
  `<binding${attribute}><ipv4-prefix>${prefix}</ipv4-prefix><gateway-ipv6-address>2001:db8::1</gateway-ipv6-address><origin>${origin}</origin></binding>`;
const shown = entry(CONFIGURED, 'static') + entry(LEARNED, 'learned', ` ${OR} or:origin="or:learned"`);

async function read(options: Partial<ReadOptions>, write: typeof writeXml = writeXml): Promise<string> {
  let text = '';
  await withDatastores(async (datastores) => {
    const rows = [binding(CONFIGURED, '2001:db8::1'), binding(LEARNED, '2001:db8::1', { origin: 'learned' })];
    await datastores.edit(OPERATOR, request(aftr(...rows)));
    const view = datastores.view('running');
    const plain: ReadOptions = { content: 'all', withDefaults: 'report-all', readsAll: true, mayRead: () => true };
    const reading = openReading(view.tree, view, { ...plain, ...options });
    text = [...write(reading.root.children(), reading.rows)].join('');
    reading.close();
  });
  return text;
}

const table = parseXml('<f xmlns=""><softwire><aftr><binding-table/></aftr></softwire></f>');
const row = parseXml(
  `<f xmlns=""><softwire><aftr><binding-table><binding><ipv4-prefix>${LEARNED}</ipv4-prefix></binding></binding-table></aftr></softwire></f>`,
);
const expression = parseXml('<f xmlns:p="urn:gi-4over6">//p:binding[p:gateway-ipv6-address]</f>');
const leaf = parseXml('<f xmlns:p="urn:gi-4over6">//p:binding/p:gateway-ipv6-address</f>');

const origins = { isShown: true };
// [how, options, what the table holds]
const cases: readonly (readonly [string, Partial<ReadOptions>, string])[] = [
  ['rows that go out as they are', { origins }, shown],
  ['rows that are copied', { origins, readsAll: false }, shown],
  ['a filter', { origins, selection: subtreeSelection(schema, plainCheck, table) }, shown],
  [
    'one row',
    { origins, selection: subtreeSelection(schema, plainCheck, row) },
    shown.slice(shown.indexOf('</binding>') + 10),
  ],
  ['rows that an expression hits', { origins, selection: xpathTextSelection(schema, plainCheck, expression) }, shown],
  [
    'leaves that an expression hits',
    { origins, selection: xpathTextSelection(schema, plainCheck, leaf) },
    shown.replace(/<origin>\w+<\/origin>/g, ''),
  ],
  ['not asked for', { origins: { isShown: false } }, entry(CONFIGURED, 'static') + entry(LEARNED, 'learned')],
];
for (const [how, options, rows] of cases) {
  test(`a learned binding is or:learned: ${how}`, async () => {
    const found = await read(options);
    const [, inTable] = /<binding-table>(.*?)<\/binding-table>/.exec(found) ?? [];
    assert.is(inTable, rows);
  });
}

for (const readsAll of [true, false]) {
  test(`the same in JSON (RFC 7952 §5.2): rows that ${readsAll ? 'go out as they are' : 'are copied'}`, async () => {
    const data = JSON.parse(await read({ origins, readsAll, withDefaults: 'explicit' }, writeJson));
    const { binding: found } = data['gi-4over6:softwire'].aftr[0]['binding-table'];
    const row = (prefix: string, origin: string) => binding(prefix, '2001:db8::1', { origin });
    const learned = { '@': { 'ietf-origin:origin': 'ietf-origin:learned' }, ...row(LEARNED, 'learned') };
    assert.equal(found, [row(CONFIGURED, 'static'), learned]);
    assert.equal(data['gi-4over6:softwire']['@'], { 'ietf-origin:origin': 'ietf-origin:intended' });
  });
}

/** What of each row goes out when configuration of these origins is wanted; state always does. */
const filters: readonly (readonly [readonly Origin[], string])[] = [
  [
    ['learned'],
    `<binding><ipv4-prefix>${CONFIGURED}</ipv4-prefix><origin>static</origin></binding>${entry(LEARNED, 'learned')}`,
  ],
  [
    ['intended'],
    `${entry(CONFIGURED, 'static')}<binding><ipv4-prefix>${LEARNED}</ipv4-prefix><origin>learned</origin></binding>`,
  ],
];
const selections: readonly AnySelection[] = [
  subtreeSelection(schema, plainCheck, table),
  xpathTextSelection(schema, plainCheck, expression),
];
for (const [wanted, rows] of filters) {
  test(`only ${wanted.join()} is wanted`, async () => {
    for (const selection of [undefined, ...selections]) {
      const isWanted = (origin: Origin) => wanted.includes(origin);
      assert.match(await read({ origins: { isShown: false, isWanted }, selection }), rows);
    }
  });
}

test.run();
