import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseIpv4Prefix } from '../../src/address.ts';
import type { Cursor, PageRequest, SortOrder } from '../../src/mgmt/page.ts';
import { pageOf, parseCursor, printCursor } from '../../src/mgmt/page.ts';
import { findRowPage, MAX_PAGE_ROWS } from '../../src/mgmt/row-page.ts';
import type { TableRights } from '../../src/mgmt/row-rights.ts';
import type { DataNode } from '../../src/state/data.ts';
import { ManagementError } from '../../src/state/errors.ts';
import { bindingToNode, formatNumber, prefixNumber } from '../../src/state/rows.ts';
import type { View } from '../../src/state/view.ts';
import { random, seed } from '../helpers/random.ts';
import { aftr, binding, OPERATOR, request, schema, softwire, withDatastores } from '../helpers/state.ts';

/** Parts of a binding table (draft-ietf-netconf-list-pagination), against the same list at hand, and by how many rows they read. */
const test = suite('pages of rows');

const LIST = schema.find('/gi-4over6:softwire/aftr/binding-table/binding');
if (!LIST) throw new Error('the schema has no binding');
const list = LIST;
const PLAIN: PageRequest = { list, isBackwards: false, offset: 0, limit: 10 };

/** A view that counts the rows that are read of it. */
function counting(view: View): { readonly counted: View; readonly reads: () => number } {
  let reads = 0;
  function* count<Row>(rows: Iterable<Row>): Generator<Row> {
    for (const row of rows) {
      reads++;
      yield row;
    }
  }
  const counted: Partial<View> = {
    sealed: (instance, number) => {
      reads++;
      return view.sealed(instance, number);
    },
    sealedRows: (instance, from) => count(view.sealedRows(instance, from)),
    sealedRowsBack: (instance, from) => count(view.sealedRowsBack(instance, from)),
    bindings: () => assert.unreachable() as never,
  };
  return { counted: Object.assign(Object.create(view) as View, counted), reads: () => reads };
}

const WHOLE: TableRights = { rows: 'whole', mayRead: () => true };

function tableOf(view: View, rights = WHOLE) {
  const table = view.tree.child('softwire', 'gi-4over6')?.entries('aftr')[0]?.child('binding-table');
  if (!table) throw new Error('no table');
  return { view, instance: 'a', table, isVersioned: true, rights };
}

const keysOf = (cursor: string | undefined) => (cursor === undefined ? undefined : parseCursor(cursor)?.keys[0]);
const tagOf = async (work: Promise<unknown>) => {
  try {
    await work;
  } catch (error) {
    if (error instanceof ManagementError) return error.appTag ?? error.tag;
    throw error;
  }
  return 'ok';
};

const many = (count: number) =>
  Array.from({ length: count }, (_, i) => binding(`10.${i >>> 16}.${(i >>> 8) & 255}.${i & 255}/32`, '2001:db8::1'));

test('each page reads as many rows, wherever it is and however long the table', async () => {
  const costs = new Set<number>();
  for (const size of [400, 40_000]) {
    await withDatastores(async (datastores) => {
      await datastores.edit(OPERATOR, request(aftr()));
      const whole = { name: 'a', 'ipv4-pool': ['10.0.0.0/8'], 'binding-table': { binding: many(size) } };
      await datastores.edit(OPERATOR, request(softwire(whole)));
      for (const isBackwards of [false, true]) {
        for (const place of [100, 200, size / 2, size - 100]) {
          const view = datastores.view('running');
          const { counted, reads } = counting(view);
          const key = `10.${place >>> 16}.${(place >>> 8) & 255}.${place & 255}/32`;
          const cursor = { keys: [key], version: view.version, rank: isBackwards ? size - 1 - place : place };
          const { rows, marks } = await findRowPage(tableOf(counted), { ...PLAIN, isBackwards, cursor });
          assert.equal([rows.length, formatNumber(rows[0]?.number ?? 0)], [10, key]);
          assert.is(marks.remaining, isBackwards ? place - 9 : size - place - 10);
          costs.add(reads());
          view.close();
        }
      }
    });
  }
  // The cursor's own row, ten rows and the one behind them, ten before them.
  assert.equal([...costs], [1 + 11 + 10]);
});

test('an offset is passed over in the store; a key in where is a keyed read', () =>
  withDatastores(async (datastores) => {
    await datastores.edit(OPERATOR, request(aftr()));
    const whole = { name: 'a', 'ipv4-pool': ['10.0.0.0/8'], 'binding-table': { binding: many(3_000) } };
    await datastores.edit(OPERATOR, request(softwire(whole)));
    const cost = async (page: Partial<PageRequest>, rights?: TableRights) => {
      const view = datastores.view('running');
      const { counted, reads } = counting(view);
      const { rows } = await findRowPage(tableOf(counted, rights), { ...PLAIN, ...page });
      view.close();
      return [rows.length, reads()];
    };
    assert.equal(await cost({ offset: 2_000 }), [10, 11 + 10]);
    assert.equal(await cost({ offset: 2_000, isBackwards: true }), [10, 11 + 10]);
    assert.equal(await cost({}), [10, 11]);
    const isIt = (entry: DataNode) => entry.leaf('ipv4-prefix') === '10.0.1.0/32';
    const [found, reads = 0] = await cost({ where: isIt, whereKeys: ['10.0.1.0/32'] });
    assert.is(found, 1);
    assert.ok(reads <= 4, `${reads} rows`);
    assert.equal(await cost({ limit: Number.POSITIVE_INFINITY }), [3_000, 3_000]);
    assert.equal(await cost({ offset: 2_000 }, { rows: 'each', mayRead: () => true }), [10, 11 + 10], 'who sees each');
    const none = { rows: 'none', mayRead: () => false } as const;
    assert.equal(await cost({}, none), [0, 0], 'who sees none');
    assert.is(await tagOf(cost({ offset: 1 }, none)), 'offset-out-of-range');
    const seen = new Map([[numberOf('10.0.2.0/32'), true]]);
    const one = { rows: 'some', named: { seen, others: false }, mayRead: () => assert.unreachable() as never } as const;
    const [own, looked = 0] = await cost({}, one);
    assert.is(own, 1);
    assert.ok(looked <= 4, `${looked} rows for who sees one`);
  }));

test(`no page has more than ${MAX_PAGE_ROWS} rows: the cursor leads on`, () =>
  withDatastores(async (datastores) => {
    await datastores.edit(OPERATOR, request(aftr()));
    const size = MAX_PAGE_ROWS + 5;
    const whole = { name: 'a', 'ipv4-pool': ['10.0.0.0/8'], 'binding-table': { binding: many(size) } };
    await datastores.edit(OPERATOR, request(softwire(whole)));
    const view = datastores.view('running');
    const first = await findRowPage(tableOf(view), { ...PLAIN, limit: Number.POSITIVE_INFINITY });
    assert.equal([first.rows.length, first.marks.remaining], [MAX_PAGE_ROWS, 5]);
    const cursor = parseCursor(first.marks.next ?? '');
    const rest = await findRowPage(tableOf(view), { ...PLAIN, cursor, limit: MAX_PAGE_ROWS });
    assert.equal([rest.rows.length, rest.marks.remaining, rest.marks.next], [5, undefined, undefined]);
    view.close();
  }));

const byText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
function sortBy(name: string): SortOrder {
  const leaf = list.child(name);
  if (!leaf) throw new Error(name);
  return { path: [leaf], compare: byText, locale: 'C' };
}

const EACH: TableRights = { rows: 'each', mayRead: () => true };
const BY_GATEWAY: TableRights = {
  rows: 'some',
  mayRead: (node) => node.leaf('gateway-ipv6-address') !== '2001:db8::3',
};

/** Some rows, among them one that is not there, are seen or not; all others as `others` says. */
function named(others: boolean, below: (limit: number) => number): TableRights {
  const keys = Array.from({ length: 20 }, () => `192.0.2.${below(64) * 3}/32`);
  const seen = new Map(keys.map((key) => [numberOf(key), below(2) === 0]));
  const mayRead = (node: DataNode) => {
    const entry = node.schema.kind === 'list' ? node : node.parent;
    return seen.get(numberOf(entry?.leaf('ipv4-prefix') ?? '')) ?? others;
  };
  return { rows: 'some', named: { seen, others }, mayRead };
}

function numberOf(key: string): number {
  const prefix = parseIpv4Prefix(key);
  return prefix ? prefixNumber(prefix.address, prefix.length) : -1;
}

test(`random pages are those of the list at hand, seed ${seed}`, async () => {
  const next = random();
  const below = (limit: number) => next() % limit;
  const pick = <T>(items: readonly T[]): T => items[below(items.length)] as T;
  await withDatastores(async (datastores) => {
    const rows = Array.from({ length: 60 }, (_, i) => {
      const more = below(10) < 6 ? { description: `d${below(8)}` } : {};
      return binding(`192.0.2.${i * 3}/32`, `2001:db8::${below(9) + 1}`, more);
    });
    await datastores.edit(OPERATOR, request(aftr(...rows)));
    const late = { target: 'candidate' } as const;
    const table = (entry: Record<string, unknown>) => softwire({ name: 'a', 'binding-table': { binding: [entry] } });
    await datastores.edit(OPERATOR, request(table(binding('192.0.2.7/32', '2001:db8::5')), late));
    await datastores.edit(OPERATOR, request(table({ 'ipv4-prefix': '192.0.2.30/32', '@operation': 'delete' }), late));
    for (let round = 0; round < 400; round++) {
      const view = datastores.view(pick(['running', 'candidate']));
      const entries = [...view.bindings('a')].map((row) => bindingToNode(list, row));
      const rights = pick([WHOLE, EACH, BY_GATEWAY, named(true, below), named(false, below)]);
      const visible = rights.rows === 'some' ? entries.filter(rights.mayRead) : entries;
      const wanted = `d${below(8)}`;
      const page: PageRequest = {
        list,
        isBackwards: below(2) === 0,
        offset: 0,
        limit: pick([1, 3, 7, 100]),
        where: pick([undefined, undefined, (node: DataNode) => (node.leaf('description') ?? '') > wanted]),
        sort: pick([undefined, sortBy('description'), sortBy('gateway-ipv6-address')]),
      };
      const cursor: Cursor = { keys: [pick(entries).leaf('ipv4-prefix') ?? ''] };
      const asked = pick([page, { ...page, offset: below(70) }, { ...page, cursor }]);
      const { sort, where, ...plain } = asked;
      const told = `round ${round}: ${JSON.stringify({ ...plain, list: '' })} ${sort?.path[0]?.name} ${where && wanted}`;
      let expected: readonly unknown[];
      try {
        const naive = pageOf(visible, visible, asked);
        const { remaining, next: behind, previous } = naive.marks;
        expected = [
          naive.entries.map((entry) => entry.leaf('ipv4-prefix')),
          remaining !== undefined,
          keysOf(behind),
          keysOf(previous),
        ];
      } catch (error) {
        if (!(error instanceof ManagementError)) throw error;
        assert.is(await tagOf(findRowPage(tableOf(view, rights), asked)), error.appTag, told);
        view.close();
        continue;
      }
      const found = await findRowPage(tableOf(view, rights), asked);
      const { remaining, next: behind, previous } = found.marks;
      const numbers = found.rows.map(({ number }) => formatNumber(number));
      assert.equal([numbers, remaining !== undefined, keysOf(behind), keysOf(previous)], expected, told);
      view.close();
    }
  });
});

test('following the cursors there and back shows each row once, also when rows come meanwhile', () =>
  withDatastores(async (datastores) => {
    await datastores.edit(
      OPERATOR,
      request(aftr(...Array.from({ length: 50 }, (_, i) => binding(`192.0.2.${i * 4}/32`, '2001:db8::1')))),
    );
    const seen: string[] = [];
    let cursor: string | undefined;
    let remaining: number | 'unknown' | undefined;
    for (let page = 0; page < 10; page++) {
      const view = datastores.view('running');
      const at = cursor === undefined ? undefined : parseCursor(cursor);
      const found = await findRowPage(tableOf(view), { ...PLAIN, limit: 6, cursor: at });
      view.close();
      seen.push(...found.rows.map(({ number }) => formatNumber(number)));
      ({ remaining } = found.marks);
      if (page === 2) {
        const entry = binding('192.0.2.1/32', '2001:db8::2');
        await datastores.edit(OPERATOR, request(softwire({ name: 'a', 'binding-table': { binding: [entry] } })));
      }
      // The rank is of another version then.
      if (page === 3) assert.is(remaining, 'unknown');
      cursor = found.marks.next;
      if (cursor === undefined) break;
    }
    assert.equal(
      seen,
      Array.from({ length: 50 }, (_, i) => `192.0.2.${i * 4}/32`),
    );
  }));

const NO_CURSORS = ['', 'x', '!!', 'W10', 'e30', 'W1sxXV0', Buffer.from('["a"]').toString('base64url'), 'bnVsbA'];
test('what is no cursor is none', () => {
  for (const text of NO_CURSORS) assert.is(parseCursor(text), undefined, text);
  const cursor = { keys: ['a', 'b'], version: 3, rank: 7 };
  assert.equal(parseCursor(printCursor(cursor)), cursor);
  assert.equal(parseCursor(printCursor({ keys: ['a'] })), { keys: ['a'] });
});

test.run();
