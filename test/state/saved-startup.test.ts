import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { formatIpv4Prefix } from '../../src/address.ts';
import type { Datastores } from '../../src/state/datastores.ts';
import { openEnvironment } from '../../src/state/environment.ts';
import type { Caller, Change, DatastoreName } from '../../src/state/request.ts';
import { verifyFile } from '../../src/state/verify.ts';
import { aftr, binding, OPERATOR, request, softwire, withDatastores } from '../helpers/state.ts';

/** RFC 8040 §1.4: with :startup, what RESTCONF changes of running is saved to startup in the same commit. */
const test = suite('saved startup');

const CLIENT: Caller = { user: 'admin', session: 0, face: 'restconf' };
const OTHER: Caller = { user: 'other', session: 2, face: 'netconf' };
const G = '2001:db8:a::1';
const STARTUP = { startup: true };

const row = (last: number) => binding(`192.0.2.${last}/32`, G);
const table = (...entries: readonly Readonly<Record<string, unknown>>[]) =>
  softwire({ name: 'a', 'binding-table': { binding: entries } });
const removed = (last: number) => table({ 'ipv4-prefix': `192.0.2.${last}/32`, '@operation': 'delete' });

/** Last octets of the addresses bound in AFTR `a`, and its description. */
function shown(datastores: Datastores, datastore: DatastoreName): readonly unknown[] {
  const view = datastores.view(datastore);
  const rows = [...view.bindings('a')].map(({ address, length }) => formatIpv4Prefix(address, length).slice(8, -3));
  const [entry] = view.tree.child('softwire')?.entries('aftr') ?? [];
  view.close();
  return [rows.join(' '), entry?.leaf('hop-limit')];
}

/** What startup has of its own: rows, and octets of its tree. */
async function ownOf(dir: string): Promise<readonly number[]> {
  const environment = openEnvironment(dir, 'read');
  const { entryCount } = environment.startup.getStats() as { entryCount: number };
  const tree = environment.tree.get(Buffer.from('startup'))?.length ?? 0;
  await environment.root.close();
  return [entryCount, tree];
}

test('after an edit through RESTCONF startup is running, whatever it was before, and a boot returns to that', () =>
  withDatastores(async (datastores, _dir, reopen) => {
    await datastores.edit(OPERATOR, request(aftr(row(1))));
    await datastores.copy(OPERATOR, 'running', 'startup');
    await datastores.edit(OPERATOR, request(softwire({ name: 'a', 'hop-limit': 9 })));
    await datastores.edit(OPERATOR, request(removed(1)));
    assert.equal(shown(datastores, 'startup'), ['1', undefined]);
    await datastores.edit(CLIENT, request(table(row(2))));
    assert.equal(shown(datastores, 'startup'), ['2', '9']);
    const { contentHash, version } = datastores.head();
    const booted = await reopen({ bootId: 'boot-2' });
    assert.equal(shown(booted, 'running'), ['2', '9']);
    assert.equal([booted.head().contentHash, booted.head().version], [contentHash, version]);
  }, STARTUP));

test('later edits through NETCONF leave the saved startup as it is', () =>
  withDatastores(async (datastores, _dir, reopen) => {
    await datastores.edit(CLIENT, request(aftr(row(1))));
    await datastores.edit(OPERATOR, request(softwire({ name: 'a', 'hop-limit': 9 })));
    await datastores.edit(OPERATOR, request(table(row(2))));
    assert.equal(shown(datastores, 'startup'), ['1', undefined]);
    assert.equal(shown(await reopen(), 'running'), ['1 2', '9']);
    assert.equal(shown(await reopen({ bootId: 'boot-2' }), 'running'), ['1', undefined]);
  }, STARTUP));

test('it outlives a time without the feature', () =>
  withDatastores(async (datastores, _dir, reopen) => {
    await datastores.edit(CLIENT, request(aftr(row(1))));
    const without = await reopen({ startup: false });
    await without.edit(CLIENT, request(table(row(2))));
    assert.equal(shown(await reopen(), 'startup'), ['1', undefined]);
  }, STARTUP));

test('an edit that is refused, or changes nothing of running, saves nothing', () =>
  withDatastores(async (datastores) => {
    await datastores.edit(OPERATOR, request(aftr(row(1))));
    await datastores.edit(CLIENT, request(removed(9))).then(
      () => assert.unreachable(),
      () => undefined,
    );
    await datastores.edit(CLIENT, request(table(row(1))));
    assert.equal(shown(datastores, 'startup'), ['', undefined]);
  }, STARTUP));

test('a session that holds the lock of startup keeps RESTCONF from changing running', () =>
  withDatastores(async (datastores) => {
    await datastores.edit(OPERATOR, request(aftr(row(1))));
    await datastores.lock(OTHER, 'startup');
    const error = await datastores.edit(CLIENT, request(table(row(2)))).catch((thrown: unknown) => thrown);
    assert.is((error as { tag: string }).tag, 'in-use');
    await datastores.edit(OPERATOR, request(table(row(2))));
    datastores.unlock(OTHER, 'startup');
    await datastores.edit(CLIENT, request(table(row(3))));
    assert.equal(shown(datastores, 'startup'), ['1 2 3', undefined]);
  }, STARTUP));

test('startup has nothing of its own after it, so that no edit costs more for it; participants are told', () =>
  withDatastores(async (datastores, dir) => {
    const told: boolean[] = [];
    datastores.addParticipant({
      prepare: async ({ savesStartup }: Change) => {
        told.push(savesStartup);
        return async () => undefined;
      },
    });
    await datastores.edit(OPERATOR, request(aftr(...[1, 2, 3, 4].map(row))));
    await datastores.copy(OPERATOR, 'running', 'startup');
    for (const last of [1, 2, 3]) await datastores.edit(OPERATOR, request(removed(last)));
    const [rows, tree = 0] = await ownOf(dir);
    assert.is(rows, 3);
    for (const last of [5, 6]) {
      await datastores.edit(CLIENT, request(table(row(last))));
      const [left, mark = 0] = await ownOf(dir);
      assert.is(left, 0);
      assert.ok(mark < 32 && mark < tree, `${mark} octets in place of ${tree}`);
    }
    assert.equal(told, [false, false, false, false, true, true]);
  }, STARTUP));

test('a commit of very many rows saves them too', () =>
  withDatastores(async (datastores, dir, reopen) => {
    await datastores.edit(OPERATOR, request(aftr()));
    const many = Array.from({ length: 25_000 }, (_, index) =>
      binding(`10.0.${index >>> 8}.${index & 255}/32`, '2001:db8:a::1'),
    );
    const pool = { name: 'a', 'ipv4-pool': ['10.0.0.0/9'], 'binding-table': { binding: many } };
    await datastores.edit(CLIENT, request(softwire(pool)));
    assert.is((await ownOf(dir))[0], 0);
    const booted = await reopen({ bootId: 'boot-2' });
    assert.is(booted.head().counts.get('a'), 25_000);
  }, STARTUP));

test('a store whose startup was saved so is whole, and goes on in a compacted file', () =>
  withDatastores(async (datastores, dir, reopen) => {
    await datastores.edit(CLIENT, request(aftr(row(1), row(2))));
    assert.is(verifyFile(join(dir, 'data.mdb')).result, 'good');
    await datastores.compact(async () => undefined);
    await datastores.edit(OPERATOR, request(removed(1)));
    assert.equal(shown(await reopen(), 'startup'), ['1 2', undefined]);
    assert.equal(shown(await reopen({ bootId: 'boot-2' }), 'running'), ['1 2', undefined]);
  }, STARTUP));

test('without the feature nothing is saved', () =>
  withDatastores(async (datastores, dir, reopen) => {
    await datastores.edit(CLIENT, request(aftr(row(1))));
    assert.equal(await ownOf(dir), [0, 0]);
    assert.equal(shown(await reopen({ bootId: 'boot-2' }), 'running'), ['1', undefined]);
  }));

test.run();
