/** A reader who is slower than a snapshot is held sees one version, whatever is committed meanwhile. */

import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { formatIpv4Prefix, formatIpv6 } from '../../src/address.ts';
import type { Binding } from '../../src/state/binding.generated.ts';
import type { Datastores, View } from '../../src/state/datastores.ts';
import { openEnvironment } from '../../src/state/environment.ts';
import { ManagementError } from '../../src/state/errors.ts';
import { openRow } from '../../src/state/rows.ts';
import { verifyFile } from '../../src/state/verify.ts';
import { random, seed } from '../helpers/random.ts';
import { AFTR, randomEdit, stateOf } from '../helpers/random-edits.ts';
import { aftr, binding, OPERATOR, request, softwire, withDatastores } from '../helpers/state.ts';

const test = suite('kept rows');
const HOLD_MS = 5;
const PAUSE_MS = 20;
const verify = async (file: string): Promise<void> => assert.is(verifyFile(file).result, 'good');
const G1 = '2001:db8:a::1';
const G2 = '2001:db8:a::2';

const textOf = ({ address, length, gatewayIpv6Address }: Binding): string =>
  `${formatIpv4Prefix(address, length)} ${formatIpv6(gatewayIpv6Address)}`;
const bindings = (count: number, gateway = G1) =>
  Array.from({ length: count }, (_, i) => binding(`192.0.2.${i}/32`, gateway));

/** The ways to walk over a table. */
type Walk = (view: View, instance: string) => Iterable<string>;
const byBindings: Walk = function* (view, instance) {
  for (const row of view.bindings(instance)) yield textOf(row);
};
const bySealed: Walk = function* (view, instance) {
  for (const { number, value } of view.sealedRows(instance)) yield textOf(openRow(number, value));
};
const byPassing: Walk = function* (view, instance) {
  for (const { number, value } of view.passingRows(instance)) yield textOf(openRow(number, value));
};

/** Reads both tables, with `between` and a pause longer than a snapshot is held after some of the rows. */
async function readSlowly(view: View, walk: Walk, between: () => unknown) {
  const read: string[] = [];
  for (const name of ['a', 'b']) {
    for (const row of walk(view, name)) {
      read.push(`${name} ${row}`);
      if (read.length % 3 > 0) continue;
      await between();
      await sleep(PAUSE_MS);
    }
  }
  return read;
}

function oldest(datastores: Datastores): number {
  const view = datastores.view('running');
  const found = view.history.oldest;
  view.close();
  return found;
}

const rowsOf = (view: View): string[] => stateOf(view).rows.map((row) => row.trimEnd());

for (const [name, walk] of Object.entries({ bindings: byBindings, sealed: bySealed, passing: byPassing })) {
  test(`${name} rows: running as it was when the reading began, seed ${seed}`, () =>
    withDatastores(
      async (datastores) => {
        const next = random();
        const edit = () => datastores.edit(OPERATOR, request(randomEdit(next)));
        for (let round = 0; round < 6; round++) {
          for (let i = 0; i < 15; i++) await edit();
          const expected = rowsOf(datastores.view('running'));
          const view = datastores.view('running');
          assert.equal(await readSlowly(view, walk, edit), expected, `round ${round}`);
          assert.is(view.count('a') + view.count('b'), expected.length);
          view.close();
        }
      },
      { holdMs: HOLD_MS },
    ));
}

test('a candidate, and an older version, as they were, while both datastores change', () =>
  withDatastores(
    async (datastores) => {
      await datastores.edit(OPERATOR, request(aftr(...bindings(12))));
      const { version } = datastores.head();
      await datastores.edit(OPERATOR, request(aftr(...bindings(6, G2))));
      await datastores.edit(OPERATOR, request(aftr(...bindings(3, G1)), { target: 'candidate' }));
      const views = () => [datastores.view('candidate'), datastores.viewVersion(version)] as const;
      const expected = views().map(rowsOf);
      const [candidate, old] = views();
      let edits = 0;
      const edit = async () => {
        const target = edits % 2 === 0 ? ('running' as const) : ('candidate' as const);
        await datastores.edit(
          OPERATOR,
          request(aftr(binding(`192.0.2.${11 - edits++}/32`, '2001:db8:a::9')), { target }),
        );
      };
      const read = [await readSlowly(candidate, byBindings, edit), await readSlowly(old, byBindings, edit)];
      assert.equal(read, expected);
      candidate.close();
      old.close();
    },
    { holdMs: HOLD_MS },
  ));

test('what commits touched is gathered while others have their turn, however long a snapshot is held', () =>
  withDatastores(
    async (datastores) => {
      const pool = Array.from({ length: 20_000 }, (_, i) => `10.0.${i >> 8}.${i & 255}/32`);
      const commit = (gateway: string) => {
        const table = { binding: pool.map((prefix) => binding(prefix, gateway)) };
        const entry = { ...AFTR.a, 'ipv4-pool': ['10.0.0.0/8'], 'binding-table': table };
        return datastores.edit(OPERATOR, request(softwire(entry)));
      };
      await commit(G1);
      const { version } = datastores.head();
      for (const gateway of [G2, G1, G2, G1, G2]) await commit(gateway);
      const view = datastores.viewVersion(version);
      let turns = 0;
      let isDone = false;
      const others = (async () => {
        for (; !isDone; turns++) await new Promise(setImmediate);
      })();
      await view.gather(version, datastores.head().version);
      isDone = true;
      await others;
      // Gathering in one go would leave the others a single turn; how many they get besides is a matter of the machine's speed.
      assert.ok(turns > 1, `${turns} turns of others`);
      assert.is([...view.bindings('a')].filter((row) => textOf(row).endsWith(` ${G1}`)).length, pool.length);
      assert.is([...view.changes(version, datastores.head().version)].length, pool.length);
      view.close();
    },
    { holdMs: HOLD_MS },
  ));

test('differences of versions and of datastores go on too', () =>
  withDatastores(
    async (datastores) => {
      await datastores.edit(OPERATOR, request(aftr(...bindings(9))));
      const from = datastores.head().version;
      await datastores.edit(
        OPERATOR,
        request(softwire({ ...AFTR.b, 'binding-table': { binding: [binding('198.51.100.1/32', G1)] } })),
      );
      await datastores.edit(OPERATOR, request(aftr(...bindings(6, G2))));
      const to = datastores.head().version;
      await datastores.edit(OPERATOR, request(aftr(...bindings(12, '2001:db8:a::3')), { target: 'candidate' }));
      let edits = 0;
      const slowly = async (changes: Iterable<{ before: Binding | undefined; after: Binding | undefined }>) => {
        const read: string[] = [];
        for (const { before, after } of changes) {
          read.push(`${before ? textOf(before) : '-'} > ${after ? textOf(after) : '-'}`);
          await datastores.edit(OPERATOR, request(aftr(binding(`192.0.2.${10 + (edits++ % 9)}/32`, G2))));
          await sleep(PAUSE_MS);
        }
        return read;
      };
      const view = datastores.view('running');
      const changed = Array.from({ length: 6 }, (_, i) => `192.0.2.${i}/32 ${G1} > 192.0.2.${i}/32 ${G2}`);
      const difference = [...changed, `- > 198.51.100.1/32 ${G1}`];
      assert.equal((await slowly(view.changes(from, to))).sort(), difference.sort());
      view.close();
      const { comparison, close } = await datastores.compare('running', 'candidate');
      const read = await slowly(comparison.rows());
      assert.is(read.length, 12);
      assert.equal(read.slice(0, 2), [
        `192.0.2.0/32 ${G2} > 192.0.2.0/32 2001:db8:a::3`,
        `192.0.2.1/32 ${G2} > 192.0.2.1/32 2001:db8:a::3`,
      ]);
      close();
    },
    { holdMs: HOLD_MS },
  ));

test('after a commit of very many rows, and after a compaction', () =>
  withDatastores(
    async (datastores) => {
      const pool = softwire({ name: 'a', 'ipv6-address': '2001:db8:b::1', 'ipv4-pool': ['10.0.0.0/8'] });
      await datastores.edit(OPERATOR, request(pool));
      await datastores.edit(OPERATOR, request(bulk(40, 0)));
      const view = datastores.view('running');
      const expected = rowsOf(datastores.view('running'));
      let step = 0;
      const between = async () => {
        if (step === 1) await datastores.edit(OPERATOR, request(bulk(12_000, 20)));
        if (step === 3) await datastores.compact(verify);
        step++;
      };
      assert.equal(await readSlowly(view, byPassing, between), expected);
      assert.ok(step > 3);
      view.close();
    },
    { holdMs: HOLD_MS },
  ));

/** Bindings 10.0.0.0 and on, from the `first`. */
function bulk(count: number, first: number): Readonly<Record<string, unknown>> {
  const entries = Array.from({ length: count }, (_, i) => {
    const number = first + i;
    return binding(`10.0.${number >> 8}.${number & 255}/32`, count > 100 ? G2 : G1);
  });
  return softwire({ name: 'a', 'binding-table': { binding: entries } });
}

test('a version that goes from the record while it is read: resource-denied, with what to do', () =>
  withDatastores(
    async (datastores) => {
      const limit = { 'gi-4over6:softwire': { history: { 'maximum-changes': 2 } } };
      await datastores.edit(OPERATOR, request(limit));
      await datastores.edit(OPERATOR, request(aftr(...bindings(9))));
      const view = datastores.view('running');
      const edit = (i: number) => datastores.edit(OPERATOR, request(aftr(binding('192.0.2.200/32', `2001:db8::${i}`))));
      const error = await readSlowly(view, byBindings, async () => {
        for (let i = 1; i < 9; i++) await edit(i);
      }).catch((thrown: unknown) => thrown);
      assert.instance(error, ManagementError);
      assert.match(String(error), /version \d+ went from the record while it was read/);
      view.close();
    },
    { holdMs: HOLD_MS },
  ));

test('versions that are compared, one of which goes from the record meanwhile: resource-denied, not fewer rows', () =>
  withDatastores(
    async (datastores) => {
      await datastores.edit(OPERATOR, request({ 'gi-4over6:softwire': { history: { 'maximum-changes': 60 } } }));
      await datastores.edit(OPERATOR, request(aftr(...bindings(20))));
      const from = datastores.head().version;
      await datastores.edit(OPERATOR, request(aftr(...bindings(10, G2))));
      await datastores.edit(OPERATOR, request(aftr(binding('192.0.2.5/32', '2001:db8:a::3'))));
      const to = datastores.head().version;
      const view = datastores.view('running');
      const edit = (i: number) => datastores.edit(OPERATOR, request(aftr(binding('192.0.2.200/32', `2001:db8::${i}`))));
      const read = async () => {
        let rows = 0;
        for (const _ of view.changes(from, to)) {
          if (++rows !== 3) continue;
          // The version compared from goes, that of the view does not.
          for (let i = 1; oldest(datastores) <= from; i++) await edit(i);
          await sleep(PAUSE_MS);
        }
        return rows;
      };
      const error = await read().catch((thrown: unknown) => thrown);
      assert.instance(error, ManagementError);
      assert.match(String(error), /version \d+ went from the record while it was read/);
      view.close();
    },
    { holdMs: HOLD_MS },
  ));

test('a reader who has stopped holds no snapshot; a closed one is not read', () =>
  withDatastores(
    async (datastores, dir) => {
      await datastores.edit(OPERATOR, request(aftr(...bindings(3))));
      const environment = openEnvironment(dir, 'read');
      // One that holds no snapshot has no number of a transaction.
      const readers = () => environment.root.readerList().match(/ \d+$/gm)?.length ?? 0;
      const view = datastores.view('running');
      const rows = view.bindings('a');
      rows[Symbol.iterator]().next();
      await sleep(10);
      assert.is(readers(), 1);
      await sleep(300);
      assert.is(readers(), 0);
      assert.ok(view.binding('a', 0xc0000200, 32));
      view.close();
      assert.throws(() => view.count('a'), /after they were closed/);
      await environment.root.close();
    },
    { holdMs: 100 },
  ));

test.run();
