/** Commits of most of a table write their database anew: what stays must stay, and in its place. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ContentHash } from '../../src/state/content-hash.ts';
import type { Datastores, View } from '../../src/state/datastores.ts';
import { openEnvironment } from '../../src/state/environment.ts';
import { append, rewrite } from '../../src/state/rewrite.ts';
import { binding, OPERATOR, request, withDatastores } from '../helpers/state.ts';

const test = suite('rewrite');
const MANY = 3_000;
/** Octets of one of these rows in a page, its key and the node's header included, at most. */
const ROW_OCTETS = 48;
const PAGE_OCTETS = 4_096;

const POOLS = { a: '10.0.0.0/16', b: '10.1.0.0/16', c: '10.2.0.0/16' } as const;
type Name = keyof typeof POOLS;
type Wanted = readonly [Name, number, string];

/** An edit of these AFTRs in this order: so many rows each, with that gateway, in place of what was there. */
function tables(...wanted: readonly Wanted[]) {
  const aftr = wanted.map(([name, count, gateway], at) => {
    const [first, second] = POOLS[name].split('.');
    const rows = Array.from({ length: count }, (_, i) =>
      binding(`${first}.${second}.${i >> 8}.${i & 255}/32`, `2001:db8:${gateway}::1`),
    );
    return {
      name,
      'ipv6-address': `2001:db8:b::${name}${at}`,
      'ipv4-pool': [POOLS[name]],
      'binding-table': { '@operation': 'replace', binding: rows },
    };
  });
  return request({ 'gi-4over6:softwire': { aftr } });
}

/** By AFTR how many rows with which gateway a view has. */
function contentOf(view: View): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of Object.keys(POOLS)) {
    const rows = [...view.bindings(name)];
    const groups = new Set(rows.map(({ gatewayIpv6Address }) => gatewayIpv6Address[5]?.toString(16)));
    assert.is(view.count(name), rows.length);
    found[name] = `${rows.length} ${[...groups].join(' ')}`.trim();
  }
  view.close();
  return found;
}

function requireHash(datastores: Datastores): void {
  const hash = new ContentHash();
  const view = datastores.view('running');
  for (const name of Object.keys(POOLS)) for (const row of view.bindings(name)) hash.addBinding(name, row);
  view.close();
  assert.is(datastores.head().contentHash, hash.text);
}

test('a table between two others is loaded, replaced and emptied; the others and all versions stay', () =>
  withDatastores(async (datastores, _dir, reopen) => {
    const steps: readonly (readonly Wanted[])[] = [
      [
        ['a', 3, 'a'],
        ['b', 1, 'a'],
        ['c', 5, 'a'],
      ],
      [['b', MANY, 'b']],
      [['b', MANY, 'c']],
      [['b', 0, 'c']],
      [['b', MANY, 'd']],
    ];
    const seen: Record<string, string>[] = [];
    for (const step of steps) {
      await datastores.edit(OPERATOR, tables(...step));
      requireHash(datastores);
      seen.push(contentOf(datastores.view('running')));
    }
    assert.equal(seen, [
      { a: '3 a', b: '1 a', c: '5 a' },
      { a: '3 a', b: `${MANY} b`, c: '5 a' },
      { a: '3 a', b: `${MANY} c`, c: '5 a' },
      { a: '3 a', b: '0', c: '5 a' },
      { a: '3 a', b: `${MANY} d`, c: '5 a' },
    ]);
    const opened = await reopen();
    const { version } = opened.head();
    assert.equal(
      [undefined, ...steps].map((_, at) => contentOf(opened.viewVersion(version - steps.length + at))),
      [{ a: '0', b: '0', c: '0' }, ...seen],
    );
  }));

test('many rows come to few that stay', () =>
  withDatastores(async (datastores) => {
    const [few, others] = [binding('10.0.200.1/32', '2001:db8:a::1'), { name: 'a', 'ipv4-pool': [POOLS.a] }];
    const edit = (rows: readonly Record<string, unknown>[]) =>
      request({
        'gi-4over6:softwire': {
          aftr: [{ ...others, 'ipv6-address': '2001:db8:b::1', 'binding-table': { binding: rows } }],
        },
      });
    await datastores.edit(OPERATOR, edit([few]));
    const many = Array.from({ length: MANY }, (_, i) => binding(`10.0.${i >> 8}.${i & 255}/32`, '2001:db8:a::1'));
    await datastores.edit(OPERATOR, edit(many));
    requireHash(datastores);
    assert.is(contentOf(datastores.view('running')).a, `${MANY + 1} a`);
  }));

test('tables in another order than their numbers', () =>
  withDatastores(async (datastores) => {
    await datastores.edit(OPERATOR, tables(['a', 1, 'a'], ['b', 1, 'a'], ['c', 1, 'a']));
    await datastores.edit(OPERATOR, tables(['c', MANY, 'b'], ['a', MANY, 'b']));
    await datastores.edit(OPERATOR, tables(['c', MANY, 'c'], ['b', 2, 'c'], ['a', MANY, 'c']));
    requireHash(datastores);
    assert.equal(contentOf(datastores.view('running')), { a: `${MANY} c`, b: '2 c', c: `${MANY} c` });
    const { version } = datastores.head();
    assert.equal(contentOf(datastores.viewVersion(version - 1)), { a: `${MANY} b`, b: '1 a', c: `${MANY} b` });
  }));

test('pages are full, also in front of another table', () =>
  withDatastores(async (datastores, dir) => {
    await datastores.edit(OPERATOR, tables(['a', 1, 'a'], ['b', 1, 'a']));
    await datastores.edit(OPERATOR, tables(['a', MANY, 'b']));
    await datastores.edit(OPERATOR, tables(['a', MANY, 'c']));
    const environment = openEnvironment(dir, 'read');
    const { treeLeafPageCount } = environment.bindings.getStats() as { treeLeafPageCount: number };
    void environment.root.close();
    assert.ok(treeLeafPageCount <= (MANY * ROW_OCTETS) / PAGE_OCTETS + 2, `${treeLeafPageCount} pages`);
  }));

test('an entry out of order is refused, and nothing of its transaction stays', () =>
  withDatastores(async (_datastores, dir) => {
    const { root, tree } = openEnvironment(dir, 'write');
    const before = [...tree.getKeys()].map(String);
    const [early, late] = [Buffer.from('a'), Buffer.from('z')];
    for (const work of [
      () => append(tree, early, late),
      () =>
        rewrite(tree, [], (put) => {
          put(late, late);
          put(early, early);
        }),
    ]) {
      assert.throws(() => root.transactionSync(work), /does not come behind all others/);
    }
    assert.equal([...tree.getKeys()].map(String), before);
  }));

test.run();
