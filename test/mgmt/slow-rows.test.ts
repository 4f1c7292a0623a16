import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseIpv4Prefix } from '../../src/address.ts';
import type { ReadOptions } from '../../src/mgmt/read-options.ts';
import type { Reading } from '../../src/mgmt/reading.ts';
import { openReading, openSlicedReading } from '../../src/mgmt/reading.ts';
import { writeJson } from '../../src/mgmt/restconf/json-writer.ts';
import type { TableRights } from '../../src/mgmt/row-rights.ts';
import type { SelectionPart } from '../../src/mgmt/selection.ts';
import { pathSelection } from '../../src/mgmt/selection.ts';
import { writeXml } from '../../src/mgmt/xml-data.ts';
import type { DataNode } from '../../src/state/data.ts';
import type { NamedRows } from '../../src/state/named-rows.ts';
import { prefixNumber } from '../../src/state/rows.ts';
import type { SchemaNode } from '../../src/state/schema.ts';
import type { View } from '../../src/state/view.ts';
import { aftr, binding, OPERATOR, request, schema, softwire, withDatastores } from '../helpers/state.ts';

/** Tables of which little or nothing goes out: others have their turn, and it is said what a reading in one go says. */
const test = suite('slow rows');

const ROWS = 60_000;
const LAST = `10.0.${(ROWS - 1) >>> 8}.${(ROWS - 1) & 255}/32`;
const PLAIN: ReadOptions = { content: 'config', withDefaults: 'explicit', readsAll: true, mayRead: () => true };

function node(path: string): SchemaNode {
  const found = schema.find(path);
  if (!found) throw new Error(`the schema has no ${path}`);
  return found;
}
const [SOFTWIRE, AFTR] = [node('/gi-4over6:softwire'), node('/gi-4over6:softwire/aftr')];
const TABLE = node('/gi-4over6:softwire/aftr/binding-table');
const BINDING = node('/gi-4over6:softwire/aftr/binding-table/binding');
const ABOVE = [
  { schema: SOFTWIRE, keys: [] },
  { schema: AFTR, keys: ['a'] },
];
const part = (of: SchemaNode, children: readonly SelectionPart[] = []): SelectionPart => ({
  schema: of,
  whole: children.length === 0,
  always: false,
  matches: [],
  children,
});
const words = part(node('/gi-4over6:softwire/aftr/binding-table/binding/description'));
/** The descriptions of all bindings, below the list and below the AFTR, where it has to be known whether there are any. */
const BELOW_LIST = pathSelection([...ABOVE, { schema: TABLE, keys: [] }, { schema: BINDING, keys: [] }], [words]);
const BELOW_AFTR = pathSelection(ABOVE, [
  part(node('/gi-4over6:softwire/aftr/name')),
  part(TABLE, [part(BINDING, [words])]),
]);

async function textOf(reading: Reading, write: typeof writeJson | typeof writeXml): Promise<string> {
  let text = '';
  for (const piece of write(reading.root.children(), reading.rows)) {
    if (typeof piece === 'string') text += piece;
    else await piece;
  }
  return text;
}

/** What is written of a reading, and how often others had their turn until then. */
async function sliced(view: View, options: ReadOptions, write: typeof writeJson | typeof writeXml) {
  let turns = 0;
  let isDone = false;
  const turn = () => {
    turns++;
    if (!isDone) setImmediate(turn);
  };
  setImmediate(turn);
  const before = process.cpuUsage();
  const text = await textOf(await openSlicedReading(view.tree, view, options), write);
  isDone = true;
  const { user, system } = process.cpuUsage(before);
  return { text, turns, tookMs: (user + system) / 1_000 };
}

test('leaves that hardly any of many bindings has', () =>
  withDatastores(async (datastores) => {
    const rows = Array.from({ length: ROWS }, (_, i) => binding(`10.0.${i >>> 8}.${i & 255}/32`, '2001:db8::1'));
    await datastores.edit(OPERATOR, request(aftr()));
    await datastores.edit(
      OPERATOR,
      request(softwire({ name: 'a', 'ipv4-pool': ['10.0.0.0/8'], 'binding-table': { binding: rows } })),
    );
    for (const described of [false, true]) {
      if (described) {
        const last = binding(LAST, '2001:db8::1', { description: 'the last one' });
        await datastores.edit(OPERATOR, request(softwire({ name: 'a', 'binding-table': { binding: [last] } })));
      }
      const view = datastores.view('running');
      for (const selection of [BELOW_LIST, BELOW_AFTR]) {
        for (const write of [writeJson, writeXml]) {
          const options = { ...PLAIN, selection };
          const { text, turns, tookMs } = await sliced(view, options, write);
          assert.is(text, await textOf(openReading(view.tree, view, options), write));
          assert.is(text.includes('the last one'), described, text);
          // A slice is 10 ms long, and 60,000 rows take more than 50 ms on most machines.
          assert.ok(turns >= Math.min(5, tookMs / 40), `${turns} turns in ${tookMs} ms of processors`);
        }
      }
      view.close();
    }
  }));

const OWN = ['192.0.2.2/32', '192.0.2.4/32', '192.0.2.99/32'];
const numberOf = (key: string) => {
  const prefix = parseIpv4Prefix(key);
  return prefix ? prefixNumber(prefix.address, prefix.length) : -1;
};
const named = (others: boolean): NamedRows => ({ seen: new Map(OWN.map((key) => [numberOf(key), !others])), others });

for (const others of [false, true]) {
  test(`rows that rules name: ${others ? 'all but these' : 'these alone'} are read, and no others looked at`, () =>
    withDatastores(async (datastores) => {
      const rows = Array.from({ length: 6 }, (_, i) => binding(`192.0.2.${i}/32`, '2001:db8::1'));
      await datastores.edit(OPERATOR, request(aftr(...rows)));
      const view = datastores.view('running');
      const asked: string[] = [];
      const noting = (item: DataNode) => {
        if (item.schema === BINDING) asked.push(item.leaf('ipv4-prefix') ?? '');
        return true;
      };
      const rights: TableRights = { rows: 'some', named: named(others), mayRead: noting };
      const options = { ...PLAIN, readsAll: false, mayRead: noting, ofRows: () => rights };
      const { text } = await sliced(view, options, writeJson);
      const octets = [...text.matchAll(/"192\.0\.2\.(\d)\/32"/g)].map(([, octet]) => octet).join(' ');
      assert.is(octets, others ? '0 1 3 5' : '2 4');
      assert.is(asked.length, others ? 4 : 2);
      view.close();
    }));
}

test.run();
