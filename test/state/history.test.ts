import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { formatIpv4Prefix, formatIpv6, parseIpv4 } from '../../src/address.ts';
import { openEnvironment } from '../../src/state/environment.ts';
import { ManagementError } from '../../src/state/errors.ts';
import { prefixNumber } from '../../src/state/rows.ts';
import { random, seed } from '../helpers/random.ts';
import { AFTR, randomStates, stateOf } from '../helpers/random-edits.ts';
import { aftr, binding, OPERATOR, request, softwire, withDatastores } from '../helpers/state.ts';

const test = suite('history');

test(`every version is as it was, seed ${seed}`, () =>
  withDatastores(async (datastores, _dir, reopen) => {
    const states = await randomStates(datastores, 150);
    const again = await reopen();
    for (const state of states) assert.equal(stateOf(again.viewVersion(state.version)), state);
  }));

test(`one row of a version, and what holds an address, seed ${seed}`, () =>
  withDatastores(async (datastores) => {
    const next = random();
    const states = await randomStates(datastores, 60);
    for (let tries = 0; tries < 300; tries++) {
      const state = states[next() % states.length];
      if (!state) continue;
      const view = datastores.viewVersion(state.version);
      const address = ((parseIpv4('192.0.2.0') ?? 0) + (next() % 64)) >>> 0;
      const found = view.longestMatch('a', address);
      const expected = state.rows
        .filter((row) => row.startsWith('a '))
        .map((row) => row.split(' ')[1]?.split('/') ?? [])
        .filter(
          ([text = '', length = '']) =>
            (parseIpv4(text) ?? 0) >>> (32 - Number(length)) === address >>> (32 - Number(length)),
        )
        .sort((a, b) => Number(b[1]) - Number(a[1]))[0];
      assert.is(found && formatIpv4Prefix(found.address, found.length), expected?.join('/'));
      view.close();
    }
  }));

test(`what lies between two versions leads from one to the other, seed ${seed}`, () =>
  withDatastores(async (datastores) => {
    const next = random();
    const states = await randomStates(datastores, 80);
    for (let tries = 0; tries < 60; tries++) {
      const [from, to] = [states[next() % states.length], states[next() % states.length]];
      if (!from || !to) continue;
      const rows = new Set(from.rows);
      const view = datastores.view('running');
      for (const { instance, before, after } of view.history.changes(from.version, to.version)) {
        const text = (row = before) =>
          `${instance} ${formatIpv4Prefix(row?.address ?? 0, row?.length ?? 0)} ${formatIpv6(row?.gatewayIpv6Address ?? new Uint8Array(16))} `;
        if (before) assert.ok(rows.delete(text(before)), 'what goes was there');
        if (after) rows.add(text(after));
      }
      view.close();
      assert.equal([...rows].sort(), [...to.rows].sort());
    }
  }));

test(`rolled back: running is what it was, as a new version, seed ${seed}`, () =>
  withDatastores(async (datastores) => {
    const next = random();
    const states = await randomStates(datastores, 40);
    for (let tries = 0; tries < 20; tries++) {
      const wanted = states[next() % states.length];
      if (!wanted) continue;
      const before = stateOf(datastores.view('running'));
      const target = tries % 2 === 0 ? 'running' : 'candidate';
      await datastores.rollBack(OPERATOR, wanted.version, target, undefined, 'back');
      if (target === 'candidate') {
        assert.equal(stateOf(datastores.view('running')), before, 'only the candidate');
        await datastores.commit(OPERATOR, undefined, 'back');
      }
      const after = stateOf(datastores.view('running'));
      assert.equal([after.rows, after.tree], [wanted.rows, wanted.tree]);
      if (after.version === before.version) continue;
      const view = datastores.view('running');
      assert.is(view.history.summary(after.version)?.comment, 'back');
      view.close();
      states.push(after);
    }
  }));

const entry = (number: number, gateway = '2001:db8:a::1') => binding(`192.0.2.${number}/32`, gateway);
const edit = (...entries: readonly Readonly<Record<string, unknown>>[]) =>
  request(softwire({ ...AFTR.a, 'binding-table': { binding: entries } }));
const limited = (maximum: number) => request({ 'gi-4over6:softwire': { history: { 'maximum-changes': maximum } } });

/** Keys in the databases of history. */
function kept(dir: string): { changes: number; rows: number; trees: number } {
  const environment = openEnvironment(dir, 'read');
  const count = (name: 'changes' | 'rowHistory' | 'treeHistory') => environment[name].getKeysCount();
  const found = { changes: count('changes'), rows: count('rowHistory'), trees: count('treeHistory') };
  void environment.root.close();
  return found;
}

/** What is kept once there are so many change records; what is forgotten is taken out a little later. */
async function tidied(dir: string, changes: number): Promise<ReturnType<typeof kept>> {
  for (let turn = 0; turn < 100 && kept(dir).changes > changes; turn++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return kept(dir);
}

test('beyond the limit the oldest versions are forgotten, and nothing of them is left', () =>
  withDatastores(async (datastores, dir) => {
    await datastores.edit(OPERATOR, edit(entry(1)));
    await datastores.edit(OPERATOR, limited(10));
    for (let round = 0; round < 30; round++) {
      await datastores.edit(OPERATOR, edit(entry(1, `2001:db8:a::${round + 2}`), entry(2, `2001:db8:a::${round + 2}`)));
    }
    const { version } = datastores.head();
    const view = datastores.view('running');
    assert.equal([view.history.oldest, view.history.newest], [version - 5, version]);
    assert.is([...view.history.summaries()].length, 5);
    view.close();
    assert.equal(await tidied(dir, 5), { changes: 5, rows: 10, trees: 0 });
    assert.is(stateOf(datastores.viewVersion(version - 5)).rows.length, 2);
    for (const missing of [version - 6, version + 1]) {
      assert.throws(
        () => datastores.viewVersion(missing),
        (error: unknown) =>
          error instanceof ManagementError &&
          error.tag === 'invalid-value' &&
          error.message === `version ${missing} is not on record: versions ${version - 5} to ${version} are`,
      );
    }
  }));

test('one commit larger than the limit stays, and goes in pieces after the next ones', () =>
  withDatastores(async (datastores, dir) => {
    await datastores.edit(OPERATOR, limited(100));
    const wide = { ...AFTR.a, 'ipv4-pool': ['10.0.0.0/8'] };
    const many = (gateway: string) =>
      Array.from({ length: 5_000 }, (_, index) => binding(`10.0.${index >> 8}.${index & 255}/32`, gateway));
    const bulk = (gateway: string) => request(softwire({ ...wide, 'binding-table': { binding: many(gateway) } }));
    await datastores.edit(OPERATOR, bulk('2001:db8:a::1'));
    await datastores.edit(OPERATOR, bulk('2001:db8:a::2'));
    const { version } = datastores.head();
    assert.is(stateOf(datastores.viewVersion(version - 1)).rows[0], 'a 10.0.0.0/32 2001:db8:a::1 ');
    assert.is(kept(dir).rows, 5_000);
    for (let round = 3; round < 123; round++) {
      const one = [binding('10.0.0.0/32', `2001:db8:a::${round.toString(16)}`)];
      await datastores.edit(OPERATOR, request(softwire({ ...wide, 'binding-table': { binding: one } })));
    }
    assert.equal(await tidied(dir, 100), { changes: 100, rows: 100, trees: 0 });
  }));

test('a lower limit is kept without a further commit', () =>
  withDatastores(async (datastores, dir) => {
    for (let round = 1; round < 200; round++) await datastores.edit(OPERATOR, edit(entry(1, `2001:db8:a::${round}`)));
    await datastores.edit(OPERATOR, limited(1));
    assert.equal(await tidied(dir, 1), { changes: 1, rows: 0, trees: 1 });
    const { history, close } = datastores.view('running');
    assert.is(history.oldest, datastores.head().version - 1);
    close();
  }));

test('a moment belongs to one version', () =>
  withDatastores(async (datastores) => {
    const times: [number, Date][] = [];
    for (let round = 1; round < 9; round++) {
      await datastores.edit(OPERATOR, edit(entry(1, `2001:db8:a::${round}`)));
      times.push([datastores.head().version, datastores.head().time]);
      await new Promise((resolve) => setTimeout(resolve, 3));
    }
    const view = datastores.view('running');
    const { history } = view;
    for (const [version, time] of times) {
      assert.is(history.versionAt(time), version);
      assert.is(history.versionAt(new Date(time.getTime() + 1)), version);
      assert.is(history.versionAt(new Date(time.getTime() - 1)), version - 1);
    }
    assert.is(history.versionAt(new Date(0)), undefined);
    assert.is(history.versionAt(new Date(Date.now() + 1e9)), history.newest);
    view.close();
  }));

test(`since when and until when a row was as it was, seed ${seed}`, () =>
  withDatastores(async (datastores) => {
    const states = await randomStates(datastores, 80);
    const view = datastores.view('running');
    const rowOf = (at: number, prefix: string) =>
      states.findLast(({ version }) => version <= at)?.rows.find((row) => row.startsWith(`a ${prefix} `));
    let told = 0;
    for (const { version } of states.slice(1)) {
      for (let last = 0; last < 64; last += 4) {
        const prefix = `192.0.2.${last}/32`;
        const number = prefixNumber((parseIpv4('192.0.2.0') ?? 0) + last, 32);
        const { since, until } = view.history.spanOf(version, 'a', number);
        // A row that is there: its last and its next change are told; of one that is not, the table may have come and gone.
        if (rowOf(version, prefix) === undefined) continue;
        const isSame = ({ version: at }: { readonly version: number }) => rowOf(at, prefix) === rowOf(version, prefix);
        const begin = states.filter((state) => state.version <= version).findLast((state) => !isSame(state))?.version;
        const end = states.find((state) => state.version > version && !isSame(state))?.version;
        const first = begin === undefined ? undefined : states.find((state) => state.version > begin)?.version;
        assert.is(since?.getTime(), first === undefined ? undefined : view.history.timeOf(first).getTime());
        assert.is(until?.getTime(), end === undefined ? undefined : view.history.timeOf(end).getTime());
        told++;
      }
    }
    assert.ok(told > 20, `${told}`);
    view.close();
  }));

test('a one-row commit takes at most 250 octets of history, the small tree apart', () =>
  withDatastores(async (datastores, dir) => {
    const count = 1_000;
    for (let round = 0; round < count; round++) {
      const gateway = `2001:db8:a::${(1 + (round % 7)).toString(16)}`;
      await datastores.edit(OPERATOR, edit(entry((round * 37) % 256, gateway)));
    }
    const environment = openEnvironment(dir, 'read');
    let pages = 0;
    for (const name of ['changes', 'rowHistory'] as const) {
      const stats = environment[name].getStats() as Record<string, number>;
      pages += (stats.treeBranchPageCount ?? 0) + (stats.treeLeafPageCount ?? 0) + (stats.overflowPages ?? 0);
    }
    void environment.root.close();
    assert.ok(pages * 4096 <= 250 * count, `${(pages * 4096) / count} octets a change`);
  }));

test('history that is older than its limit is forgotten, by the next commit or without one', () =>
  withDatastores(async (datastores) => {
    await datastores.edit(OPERATOR, request(aftr()));
    await datastores.edit(OPERATOR, request({ 'gi-4over6:softwire': { history: { 'maximum-age': 1 } } }));
    const commit = (number: number) =>
      datastores.edit(
        OPERATOR,
        request(
          softwire({ name: 'a', 'binding-table': { binding: [binding(`192.0.2.${number}/32`, '2001:db8::1')] } }),
        ),
      );
    const onRecord = () => {
      const view = datastores.view('running');
      const found = [...view.history.summaries()].map(({ version }) => version);
      view.close();
      return found;
    };
    const real = Date.now;
    const after = async (hours: number, work: () => Promise<unknown>) => {
      Date.now = () => real() + hours * 3_600_000;
      try {
        await work();
      } finally {
        Date.now = real;
      }
    };
    for (const number of [1, 2, 3]) await commit(number);
    const { version } = datastores.head();
    const all = onRecord();
    await after(23, () => datastores.forgetOld());
    assert.equal(onRecord(), all, 'nothing is a day old yet');
    await after(20, () => commit(4));
    await after(25, () => datastores.forgetOld());
    assert.equal(onRecord(), [version + 1], 'what is younger than a day stays');
    assert.throws(() => datastores.viewVersion(version - 1), /is not on record/);
    await after(60, () => commit(5));
    assert.equal(onRecord(), [version + 2]);
    await after(600, () => datastores.forgetOld());
    assert.equal(onRecord(), [version + 2], 'the newest commit always stays');
  }));

test.run();
