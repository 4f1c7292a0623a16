/** Commits of so many rows that a thread writes them. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { formatIpv6 } from '../../src/address.ts';
import { BULK_WRITE_ROWS } from '../../src/state/bulk-write.ts';
import { ContentHash } from '../../src/state/content-hash.ts';
import type { DataNode } from '../../src/state/data.ts';
import type { Datastores } from '../../src/state/datastores.ts';
import { openGeneration } from '../../src/state/environment.ts';
import { ManagementError } from '../../src/state/errors.ts';
import { DamageError } from '../../src/state/model-values.ts';
import { StoreReader } from '../../src/state/reader.ts';
import type { Change, DatastoreName } from '../../src/state/request.ts';
import { RowPack } from '../../src/state/row-pack.ts';
import type { OneEdit } from '../helpers/state.ts';
import { binding, OPERATOR, request, softwire, withDatastores } from '../helpers/state.ts';

const test = suite('bulk write');
const COUNT = BULK_WRITE_ROWS + 5;
const AFTR = { name: 'a', 'ipv6-address': '2001:db8:b::1', 'ipv4-pool': ['10.0.0.0/8'] };

/** An edit of the table of `a` by rows of 10.0.0.0/8 whose gateways end in `gateway`. */
function edit(first: number, count: number, gateway: number, more: Record<string, unknown> = {}): OneEdit {
  const rows = new RowPack();
  for (let i = first; i < first + count; i++) {
    const gatewayIpv6Address = Uint8Array.of(0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, gateway);
    rows.putBinding({
      address: 0x0a000000 + i,
      length: 32,
      gatewayIpv6Address,
      aftrIpv6Address: undefined,
      description: undefined,
      origin: 'static',
    });
  }
  const wanted = request(softwire({ name: 'a', 'binding-table': more }));
  const table = wanted.tree.child('softwire')?.entries('aftr')[0]?.child('binding-table') as DataNode;
  table.bulk = rows;
  return wanted;
}

/** Number of rows of `a` by gateway. */
function gatewaysOf(
  datastores: Datastores,
  datastore: DatastoreName,
  hash = new ContentHash(),
): Record<string, number> {
  const view = datastores.view(datastore);
  const found: Record<string, number> = {};
  for (const binding of view.bindings('a')) {
    const gateway = formatIpv6(binding.gatewayIpv6Address);
    found[gateway] = (found[gateway] ?? 0) + 1;
    hash.addBinding('a', binding);
  }
  assert.is(
    view.count('a'),
    Object.values(found).reduce((sum, count) => sum + count, 0),
  );
  view.close();
  return found;
}

/** Those of running; fails when the content hash is not that of the rows. */
function tableOf(datastores: Datastores): Record<string, number> {
  const hash = new ContentHash();
  const found = gatewaysOf(datastores, 'running', hash);
  assert.is(datastores.head().contentHash, hash.text);
  return found;
}

test('added, changed, replaced and removed; a follower sees each', () =>
  withDatastores(async (datastores, dir, reopen) => {
    await datastores.edit(OPERATOR, request(softwire(AFTR)));
    const reader = StoreReader.open(dir);
    const { version } = datastores.head();
    await datastores.edit(OPERATOR, edit(0, COUNT, 1));
    assert.equal(tableOf(datastores), { '2001:db8::1': COUNT });
    await datastores.edit(OPERATOR, edit(5, COUNT, 2));
    assert.equal(tableOf(datastores), { '2001:db8::1': 5, '2001:db8::2': COUNT });
    await datastores.edit(OPERATOR, edit(100, COUNT, 2, { '@operation': 'replace' }));
    assert.equal(tableOf(datastores), { '2001:db8::2': COUNT });
    assert.is(reader.renew(), version + 3);
    const view = datastores.view('running');
    const tallies = [...view.history.summaries()].slice(0, 3).map(({ tallies }) => tallies.get('a'));
    assert.equal(tallies, [
      { added: 95, changed: 0, removed: 100 },
      { added: 5, changed: COUNT - 5, removed: 0 },
      { added: COUNT, changed: 0, removed: 0 },
    ]);
    view.close();
    assert.is((await reader.changes(version + 2))?.rows?.length, 195);
    let turns = 0;
    const count = () => {
      turns++;
      next = setImmediate(count);
    };
    let next = setImmediate(count);
    const followed = (await reader.changes(version + 1))?.rows;
    clearImmediate(next);
    assert.ok(turns > 2, `others had ${turns} turns while changes were read`);
    assert.is(followed?.length, COUNT + 100);
    assert.is(followed?.[5]?.before?.gatewayIpv6Address[15], 1);
    reader.close();
    await datastores.edit(OPERATOR, request(softwire({ name: 'a', 'binding-table': { '@operation': 'remove' } })));
    assert.equal(tableOf(datastores), {});
    await datastores.edit(OPERATOR, edit(0, COUNT, 1));
    assert.equal(tableOf(await reopen()), { '2001:db8::1': COUNT });
  }));

test('refused by a rule or a participant: nothing is written, and the next one goes', () =>
  withDatastores(async (datastores) => {
    await datastores.edit(OPERATOR, request(softwire(AFTR)));
    let refuses = true;
    const prepare = async ({ rowCounts }: Change) => {
      if (refuses && rowCounts.get('a') === COUNT) throw new ManagementError('resource-denied', { message: 'no' });
      return async () => undefined;
    };
    datastores.addParticipant({ prepare });
    const { version } = datastores.head();
    const faultOf = (wanted: OneEdit) =>
      datastores.edit(OPERATOR, wanted).then(
        () => undefined,
        (error: ManagementError) => error,
      );
    assert.is((await faultOf(edit(0, COUNT, 1)))?.tag, 'resource-denied');
    const outside = edit(0x01000000 - COUNT + 1, COUNT, 1);
    const fault = await faultOf(outside);
    assert.is(fault?.path, "/gi-4over6:softwire/aftr[name='a']/binding-table/binding[ipv4-prefix='11.0.0.0/32']");
    assert.is(fault?.faults.length, 1);
    assert.equal([datastores.head().version, tableOf(datastores)], [version, {}]);
    refuses = false;
    await datastores.edit(OPERATOR, edit(0, COUNT, 1));
    assert.equal(tableOf(datastores), { '2001:db8::1': COUNT });
  }));

test('the candidate: edits on top of a bulk edit cost no copy of it, and a view of before stays', () =>
  withDatastores(async (datastores) => {
    await datastores.edit(OPERATOR, request(softwire(AFTR)));
    await datastores.edit(OPERATOR, { ...edit(0, COUNT, 1), target: 'candidate' });
    const before = datastores.view('candidate');
    for (let i = 0; i < 40; i++) await datastores.edit(OPERATOR, { ...edit(i, 1, 2), target: 'candidate' });
    const seen = [...before.bindings('a')].filter(({ gatewayIpv6Address }) => gatewayIpv6Address[15] === 2);
    before.close();
    assert.is(seen.length, 0);
    assert.equal(tableOf(datastores), {});
    await datastores.commit(OPERATOR);
    assert.equal(tableOf(datastores), { '2001:db8::1': COUNT - 40, '2001:db8::2': 40 });
  }));

test('rows merged into rows that are there keep what the edit does not name, and others have their turn meanwhile', () =>
  withDatastores(async (datastores) => {
    const old = { description: 'old', 'aftr-ipv6-address': '2001:db8:b::1' };
    const rows = [0, 1].map((i) => binding(`10.0.0.${i}/32`, '2001:db8::9', old));
    await datastores.edit(OPERATOR, request(softwire({ ...AFTR, 'binding-table': { binding: rows } })));
    const given = edit(1, 2, 1);
    const table = given.tree.child('softwire')?.entries('aftr')[0]?.child('binding-table') as DataNode;
    const gatewayIpv6Address = Uint8Array.of(0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7);
    const rest = { aftrIpv6Address: undefined, description: 'new', origin: 'static' as const };
    table.bulk?.putBinding({ address: 0x0a000000, length: 32, gatewayIpv6Address, ...rest });
    await datastores.edit(OPERATOR, given);
    const view = datastores.view('running');
    const found = [...view.bindings('a')].map(({ gatewayIpv6Address: gateway, aftrIpv6Address, description }) =>
      [formatIpv6(gateway), aftrIpv6Address && formatIpv6(aftrIpv6Address), description].join(' '),
    );
    view.close();
    assert.equal(found, ['2001:db8::7 2001:db8:b::1 new', '2001:db8::1 2001:db8:b::1 old', '2001:db8::1  ']);
    await datastores.edit(OPERATOR, edit(10, 100_000, 1));
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    await datastores.edit(OPERATOR, { ...edit(10, 100_000, 2), target: 'candidate' });
    clearInterval(timer);
    assert.ok(turns > 5, `${turns} turns`);
    await datastores.commit(OPERATOR);
    assert.equal(tableOf(datastores), { '2001:db8::7': 1, '2001:db8::1': 2, '2001:db8::2': 100_000 });
  }));

test('a startup that differs in very many rows is written by the thread, too: kept, booted from, deleted', () =>
  withDatastores(
    async (first, _dir, reopen) => {
      let datastores = first;
      let threads = 0;
      const count = () => void threads++;
      process.on('worker', count);
      try {
        await datastores.edit(OPERATOR, request(softwire(AFTR)));
        await datastores.edit(OPERATOR, edit(0, COUNT, 1));
        const { version } = datastores.head();
        await datastores.edit(OPERATOR, { ...edit(5, COUNT, 2, { '@operation': 'replace' }), target: 'candidate' });
        threads = 0;
        await datastores.copy(OPERATOR, 'candidate', 'startup');
        assert.is(threads, 1);
        assert.equal([datastores.head().version, tableOf(datastores)], [version, { '2001:db8::1': COUNT }]);
        assert.equal(gatewaysOf(datastores, 'startup'), { '2001:db8::2': COUNT });
        datastores = await reopen({ bootId: 'boot-2' });
        assert.equal(tableOf(datastores), { '2001:db8::2': COUNT });
        assert.equal(gatewaysOf(datastores, 'startup'), { '2001:db8::2': COUNT });
        threads = 0;
        await datastores.deleteStartup(OPERATOR);
        assert.is(threads, 1);
        assert.equal(gatewaysOf(datastores, 'startup'), {});
        assert.equal(tableOf(datastores), { '2001:db8::2': COUNT });
      } finally {
        process.off('worker', count);
      }
    },
    { startup: true },
  ));

test('a startup that differs in very many rows is read in slices where it is compared', () =>
  withDatastores(
    async (datastores) => {
      await datastores.edit(OPERATOR, request(softwire(AFTR)));
      await datastores.edit(OPERATOR, { ...edit(0, COUNT, 1), target: 'candidate' });
      await datastores.copy(OPERATOR, 'candidate', 'startup');
      // Each look at the clock ends a slice.
      const { now } = performance;
      let time = now.call(performance);
      performance.now = () => (time += 1000);
      let turns = 0;
      const count = () => {
        turns++;
        next = setImmediate(count);
      };
      let next = setImmediate(count);
      try {
        const { comparison, close } = await datastores.compare('startup', 'running');
        assert.is([...comparison.rows()].length, COUNT);
        close();
      } finally {
        performance.now = now;
        clearImmediate(next);
      }
      // Its rows are read, and compared.
      assert.ok(turns > (1.5 * COUNT) / 256, `${turns} turns`);
    },
    { startup: true },
  ));

test('memory is given back when nobody reads, and everything goes on', () =>
  withDatastores(async (datastores, dir) => {
    await datastores.edit(OPERATOR, request(softwire(AFTR)));
    await datastores.edit(OPERATOR, edit(0, COUNT, 1));
    const view = datastores.view('running');
    assert.is(await datastores.giveBackMemory(), false, 'somebody reads');
    assert.is([...view.bindings('a')].length, COUNT);
    view.close();
    const reader = StoreReader.open(dir);
    const given = datastores.giveBackMemory();
    const edited = datastores.edit(OPERATOR, edit(0, 3, 2));
    assert.is(await given, true);
    await edited;
    assert.equal(tableOf(datastores), { '2001:db8::1': COUNT - 3, '2001:db8::2': 3 });
    assert.is(reader.renew(), datastores.head().version);
    reader.close();
    const copy = mkdtempSync(join(tmpdir(), 'gi4over6-copy-'));
    const copied = datastores.copyStore(copy);
    assert.is(await datastores.giveBackMemory(), false, 'it is copied');
    await copied;
    rmSync(copy, { recursive: true });
    await datastores.edit(OPERATOR, edit(5, COUNT, 2));
    assert.is(await datastores.giveBackMemory(), true);
    assert.equal(tableOf(datastores), { '2001:db8::1': 2, '2001:db8::2': COUNT + 3 });
  }));

test('reads go on while rows are written', () =>
  withDatastores(async (datastores) => {
    await datastores.edit(OPERATOR, request(softwire(AFTR)));
    let isDone = false;
    const writing = datastores.edit(OPERATOR, edit(0, 100_000, 1)).finally(() => {
      isDone = true;
    });
    let reads = 0;
    while (!isDone) {
      const view = datastores.view('running');
      assert.ok([0, 100_000].includes(view.count('a')), 'all or nothing');
      assert.is(
        [...view.bindings('a', { address: 0x0a000000 + 99_998, length: 0 })].length,
        view.count('a') === 0 ? 0 : 2,
      );
      view.close();
      reads++;
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    await writing;
    assert.ok(reads > 5, `${reads} reads`);
  }));

test('damage that the thread meets is told as damage, not as a full disk', () =>
  withDatastores(async (datastores, dir) => {
    await datastores.edit(OPERATOR, request(softwire(AFTR)));
    const { root, tree } = openGeneration(dir, 'write');
    const sealed = Buffer.from(tree.get(Buffer.from('running')) ?? '');
    sealed[0] = (sealed[0] ?? 0) ^ 1;
    root.transactionSync(() => void tree.putSync(Buffer.from('running'), sealed));
    await root.close();
    const wanted = edit(0, COUNT, 1);
    const leaf = request(softwire({ name: 'a', 'softwire-payload-mtu': 1400 })).tree;
    const mtu = leaf.child('softwire')?.entries('aftr')[0]?.child('softwire-payload-mtu') as DataNode;
    wanted.tree.child('softwire')?.entries('aftr')[0]?.add(mtu);
    const { version } = datastores.head();
    const error = await datastores.edit(OPERATOR, wanted).catch((thrown: unknown) => thrown);
    assert.instance(error, DamageError);
    assert.match(String(error), /the stored record 'running' is damaged: its CRC does not fit/);
    assert.is(datastores.head().version, version);
  }));

test.run();
