import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { StoreReader } from '../../src/state/reader.ts';
import { LineProcess } from '../helpers/line-process.ts';
import { aftr, binding, OPERATOR, request, softwire, withDatastores } from '../helpers/state.ts';

const test = suite('reader');
const G1 = '2001:db8:a::1';
const G2 = '2001:db8:a::2';
const P = '192.0.2.1/32';

interface Answer {
  readonly version: number;
  readonly followed: readonly number[] | 'rebuilt';
  readonly isSameHash: boolean;
  readonly counts: Readonly<Record<string, number>>;
  readonly table: readonly string[];
  readonly configuration: unknown;
}

const table = (...entries: readonly Readonly<Record<string, unknown>>[]) =>
  softwire({ name: 'a', 'binding-table': { binding: entries } });

test('a second process follows commits by their records', () =>
  withDatastores(async (datastores, dir) => {
    await datastores.edit(OPERATOR, request(aftr(binding(P, G1))));
    const reader = new LineProcess('reader-process', [dir]);
    const answer = async (): Promise<Answer> => JSON.parse((await reader.next()) ?? '{}') as Answer;
    const first = await answer();
    assert.is(first.version, datastores.head().version);
    assert.is(first.followed, 'rebuilt');
    assert.equal(first.table, [`a ${P} ${G1}`]);
    assert.equal(Object.keys(first.configuration as object), ['gi-4over6:softwire']);

    await datastores.edit(OPERATOR, request(table(binding(P, G2), binding('192.0.2.2/32', G1))));
    await datastores.edit(OPERATOR, request(table({ 'ipv4-prefix': P, '@operation': 'delete' })));
    reader.send('follow');
    const second = await answer();
    assert.equal(second.followed, [first.version + 1, first.version + 2]);
    assert.equal(second.table, [`a 192.0.2.2/32 ${G1}`]);
    assert.equal(second.counts, { a: 1 });
    assert.ok(first.isSameHash && second.isSameHash);

    const b = { name: 'b', 'ipv6-address': '2001:db8:b::2', 'ipv4-pool': ['198.51.100.0/24'] };
    await datastores.edit(
      OPERATOR,
      request(softwire({ ...b, 'binding-table': { binding: [binding('198.51.100.1/32', G1)] } })),
    );
    await datastores.edit(OPERATOR, request(softwire({ name: 'a', '@operation': 'delete' })));
    reader.send('follow');
    const third = await answer();
    assert.equal(third.table, [`b 198.51.100.1/32 ${G1}`]);
    assert.equal(third.counts, { b: 1 });
    reader.send('rebuild');
    const fourth = await answer();
    assert.equal([fourth.table, fourth.isSameHash], [third.table, true]);
    await reader.end();
    assert.equal(JSON.parse((await reader.next()) ?? ''), { 'data.mdb': 'r--s', 'lock.mdb': 'rw-s' });
  }));

test('a snapshot of the reader stays as it is until it is renewed', () =>
  withDatastores(async (datastores, dir) => {
    await datastores.edit(OPERATOR, request(aftr(binding(P, G1))));
    const reader = StoreReader.open(dir);
    try {
      const rows = reader.bindings()[Symbol.iterator]();
      assert.is(rows.next().value?.instance, 'a');
      await datastores.edit(OPERATOR, request(table(binding('192.0.2.2/32', G1))));
      assert.ok(rows.next().done, 'the row that came later is not in it');
      assert.is(reader.renew(), datastores.head().version);
      assert.is([...reader.bindings()].length, 2);
      assert.is(reader.contentHash(), datastores.head().contentHash);
    } finally {
      reader.close();
    }
  }));

test('records that are gone are told apart from none', () =>
  withDatastores(async (datastores, dir) => {
    await datastores.edit(OPERATOR, request(aftr()));
    const reader = StoreReader.open(dir);
    const { version } = datastores.head();
    assert.equal(await reader.changes(version), { treeChanged: false, rows: [] });
    assert.is(await reader.changes(0), undefined, 'the first version has no record');
    assert.is(await reader.changes(version + 1), undefined, 'a version that is to come');
    reader.close();
  }));

test('a store that is not there: STORE_MISSING', () => {
  const dir = mkdtempSync(join(tmpdir(), 'gi4over6-reader-'));
  assert.throws(
    () => StoreReader.open(join(dir, 'store')),
    (error: unknown) => error instanceof Error && 'code' in error && error.code === 'STORE_MISSING',
  );
  rmSync(dir, { recursive: true });
});

test.run();
