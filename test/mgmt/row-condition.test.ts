/** Conditions about rows say what the evaluation of XPath over nodes says; rows are passed over as they are counted. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { pageRequest } from '../../src/mgmt/restconf/page-query.ts';
import type { RowTable } from '../../src/mgmt/row-page.ts';
import { findRowPage, MAX_JUDGED_ROWS } from '../../src/mgmt/row-page.ts';
import type { Binding } from '../../src/state/binding.generated.ts';
import { ManagementError } from '../../src/state/errors.ts';
import { bindingToNode } from '../../src/state/rows.ts';
import type { View } from '../../src/state/view.ts';
import { random, seed } from '../helpers/random.ts';
import { aftr, binding, OPERATOR, plainCheck, request, schema, softwire, withDatastores } from '../helpers/state.ts';

const test = suite('conditions about rows');

const LIST = schema.find('/gi-4over6:softwire/aftr/binding-table/binding');
if (!LIST) throw new Error('the schema has no binding');
const list = LIST;

function conditionOf(where: string): ReturnType<typeof pageRequest> {
  return pageOf('where', where);
}

function pageOf(name: string, value: string): ReturnType<typeof pageRequest> {
  const source = {
    children: (node: Parameters<RowTable['rights']['mayRead']>[0]) => node.children(),
    rows: () => [],
    row: () => undefined,
  };
  return pageRequest({ schema, check: plainCheck }, list, new Map([[name, value]]), source);
}

const DESCRIPTIONS = [undefined, '', 'a', 'ab', 'b a', '2001:db8::1'];
async function withRows(body: (rows: readonly Binding[], view: View) => Promise<void>): Promise<void> {
  await withDatastores(async (datastores) => {
    const rows = Array.from({ length: 48 }, (_, i) => {
      const description = DESCRIPTIONS[i % DESCRIPTIONS.length];
      const own = i % 4 === 0 ? { 'aftr-ipv6-address': '2001:db8:b::1' } : {};
      return binding(`192.0.2.${i * 4}/${i % 3 === 0 ? 30 : 32}`, `2001:db8::${(i % 5) + 1}`, {
        ...(description !== undefined && { description }),
        ...own,
      });
    });
    await datastores.edit(OPERATOR, request(aftr(...rows)));
    const view = datastores.view('running');
    await body([...view.bindings('a')], view);
    view.close();
  });
}

const LEAVES = [
  'ipv4-prefix',
  'gateway-ipv6-address',
  'aftr-ipv6-address',
  'description',
  '/description',
  './description',
];
const TEXTS = [
  "'a'",
  "''",
  "'ab'",
  "'2001:DB8:0::1'",
  "'2001:db8::3'",
  "'192.0.2.4/32'",
  "'192.0.2.12/30'",
  "'nonsense'",
];

test(`random conditions: the row and its node agree (seed ${seed})`, () =>
  withRows(async (rows) => {
    const next = random();
    const pick = (items: readonly string[]) => items[next() % items.length] ?? '';
    const condition = (depth: number): string => {
      const [leaf, text] = [pick(LEAVES), pick(TEXTS)];
      const kind = next() % (depth > 0 ? 8 : 5);
      if (kind === 0) return leaf;
      if (kind === 1) return `${leaf} ${pick(['=', '!='])} ${text}`;
      if (kind === 2) return `${text} ${pick(['=', '!='])} ${leaf}`;
      if (kind === 3) return `starts-with(${leaf}, ${text})`;
      if (kind === 4) return `contains(${leaf}, ${text})`;
      if (kind === 5) return `not(${condition(depth - 1)})`;
      return `(${condition(depth - 1)}) ${pick(['and', 'or'])} (${condition(depth - 1)})`;
    };
    let both = 0;
    for (let round = 0; round < 500; round++) {
      const text = condition(3);
      const { where, whereRow } = conditionOf(text);
      assert.ok(where && whereRow, text);
      const told = rows.map((row) => whereRow?.(row));
      assert.equal(
        told,
        rows.map((row) => where?.(bindingToNode(list, row))),
        text,
      );
      if (told.includes(true) && told.includes(false)) both++;
    }
    assert.ok(both > 100, `${both} conditions divide the rows`);
  }));

const BY_NODE = [
  'origin',
  "origin='static'",
  'string-length(description)>1',
  'position()=1',
  "description[.='a']",
  'description=ipv4-prefix',
  'description<5',
  'true()',
  'description|ipv4-prefix',
  'starts-with(description,ipv4-prefix)',
  "concat(description,'x')='ax'",
  "description='a' and string-length(description)=1",
];
test('everything else takes a node', () => {
  for (const text of BY_NODE) {
    const { where, whereRow } = conditionOf(text);
    assert.type(where, 'function', text);
    assert.is(whereRow, undefined, text);
  }
});

function tableOf(view: View): RowTable {
  const table = view.tree.child('softwire', 'gi-4over6')?.entries('aftr')[0]?.child('binding-table');
  if (!table) throw new Error('no table');
  return { view, instance: 'a', table, isVersioned: true, rights: { rows: 'whole', mayRead: () => true } };
}

const many = (count: number) =>
  Array.from({ length: count }, (_, i) => binding(`10.${i >>> 16}.${(i >>> 8) & 255}.${i & 255}/32`, '2001:db8::1'));

test(`what takes a node is asked of ${MAX_JUDGED_ROWS} rows at most`, () =>
  withDatastores(async (datastores) => {
    await datastores.edit(OPERATOR, request(aftr()));
    const entries = { 'ipv4-pool': ['10.0.0.0/8'], 'binding-table': { binding: many(MAX_JUDGED_ROWS + 1) } };
    await datastores.edit(OPERATOR, request(softwire({ name: 'a', ...entries })));
    const view = datastores.view('running');
    const rows = tableOf(view);
    const find = (where: string, more: object = {}) =>
      findRowPage(rows, { ...conditionOf(where), limit: 10, ...more }).then(
        (page) => page.rows.length,
        (error: unknown) => (error instanceof ManagementError ? error.tag : error),
      );
    assert.is(await find('string-length(ipv4-prefix)=99'), 'too-big');
    assert.is(await find('string-length(ipv4-prefix)>5'), 10);
    assert.is(await find("description='nowhere'"), 0);
    assert.is(await find("contains(ipv4-prefix,'.1.134.160/')"), 1);
    // Who may not read all leaves is answered by nodes.
    const hidden = { ...rows, rights: { rows: 'each', mayRead: () => true } } as const;
    const page = findRowPage(hidden, { ...conditionOf("description='nowhere'"), limit: 10 });
    assert.is(await page.catch((error: unknown) => (error instanceof ManagementError ? error.tag : error)), 'too-big');
    view.close();
  }));

/** Pages that look at every row of the table, or pass over it. */
const LONG_WORK = [
  ['sort-by', 'gateway-ipv6-address'],
  ['sort-by', 'description'],
  ['where', "description='nowhere'"],
  ['where', 'string-length(ipv4-prefix)=99'],
] as const;
test('others have their turn while a page is looked for', () =>
  withDatastores(async (datastores) => {
    await datastores.edit(OPERATOR, request(aftr()));
    const entries = { 'ipv4-pool': ['10.0.0.0/8'], 'binding-table': { binding: many(60_000) } };
    await datastores.edit(OPERATOR, request(softwire({ name: 'a', ...entries })));
    const view = datastores.view('running');
    const rows = tableOf(view);
    for (const [name, value] of LONG_WORK) {
      let turns = 0;
      let isDone = false;
      const turn = () => {
        turns++;
        if (!isDone) setImmediate(turn);
      };
      setImmediate(turn);
      await findRowPage(rows, { ...pageOf(name, value), limit: 10 });
      isDone = true;
      // A slice is 10 ms long, and 60,000 rows take some of them on any machine.
      assert.ok(turns >= 2, `${name}=${value}: ${turns} turns`);
    }
    view.close();
  }));

test(`the row behind so many others, of running, a candidate and an older version (seed ${seed})`, () =>
  withDatastores(async (datastores) => {
    const next = random();
    await datastores.edit(OPERATOR, request(aftr()));
    const put = (entry: Record<string, unknown>, target: 'running' | 'candidate') =>
      datastores.edit(OPERATOR, request(softwire({ name: 'a', 'binding-table': { binding: [entry] } }), { target }));
    const entries = { 'ipv4-pool': ['10.0.0.0/8'], 'binding-table': { binding: many(300) } };
    await datastores.edit(OPERATOR, request(softwire({ name: 'a', ...entries })));
    const old = datastores.view('running');
    await put(binding('10.0.0.0/24', '2001:db8::7'), 'running');
    await put({ 'ipv4-prefix': '10.0.0.9/32', '@operation': 'delete' }, 'running');
    await put(binding('10.0.9.9/32', '2001:db8::8'), 'candidate');
    for (const view of [old, datastores.view('running'), datastores.view('candidate')]) {
      const numbers = [...view.sealedRows('a')].map(({ number }) => number);
      assert.is(numbers.length, view.count('a'));
      for (const isBackwards of [false, true]) {
        const order = isBackwards ? [...numbers].reverse() : numbers;
        for (let round = 0; round < 60; round++) {
          const [count, start] = [next() % 320, next() % order.length];
          assert.is(view.nth('a', count, isBackwards), order[count], `${count}`);
          assert.is(view.nth('a', count, isBackwards, order[start]), order[start + count], `${start} + ${count}`);
        }
      }
      assert.is(view.nth('nothing', 0), undefined);
      view.close();
    }
  }));

test.run();
