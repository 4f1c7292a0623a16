import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { formatIpv4Prefix, formatIpv6 } from '../../src/address.ts';
import type { Datastores } from '../../src/state/datastores.ts';
import { treeToJson } from '../../src/state/json.ts';
import type { Caller, DatastoreName } from '../../src/state/request.ts';
import { aftr, binding, OPERATOR, request, softwire, withDatastores } from '../helpers/state.ts';

/* Candidate and startup are running with an overlay: what they show while running moves under them. */

const test = suite('overlays');
const OTHER: Caller = { user: 'other', session: 2, face: 'netconf' };
const CANDIDATE = { target: 'candidate' } as const;
const G = '2001:db8:a::1';
const P = '192.0.2.1/32';

const table = (...entries: readonly Readonly<Record<string, unknown>>[]) =>
  softwire({ name: 'a', 'binding-table': { binding: entries } });
const B = { name: 'b', 'ipv6-address': '2001:db8:b::2', 'ipv4-pool': ['198.51.100.0/24'] };
const withB = softwire({ ...B, 'binding-table': { binding: [binding('198.51.100.1/32', G)] } });

/** Rows of all AFTRs in the tree of a datastore: `name prefix gateway`. */
function rows(datastores: Datastores, datastore: DatastoreName = 'running'): string[] {
  const view = datastores.view(datastore);
  const names = (view.tree.child('softwire')?.entries('aftr') ?? []).map((entry) => entry.leaf('name') ?? '');
  const found = names.flatMap((name) =>
    [...view.bindings(name)].map(
      ({ address, length, gatewayIpv6Address }) =>
        `${name} ${formatIpv4Prefix(address, length)} ${formatIpv6(gatewayIpv6Address)}`,
    ),
  );
  view.close();
  return found;
}

function hopLimits(datastores: Datastores, datastore: DatastoreName): unknown[] {
  const view = datastores.view(datastore);
  const { aftr: entries = [] } = (treeToJson(view.tree)['gi-4over6:softwire'] ?? {}) as {
    aftr?: Record<string, unknown>[];
  };
  view.close();
  return entries.map((entry) => entry['hop-limit']);
}

test('an edit of the candidate that changes nothing leaves it unmodified, so that it can be locked', () =>
  withDatastores(async (datastores) => {
    await datastores.edit(OPERATOR, request(aftr(binding(P, G))));
    await datastores.edit(OPERATOR, request(aftr(binding(P, G)), CANDIDATE));
    assert.not(datastores.candidateModified);
    await datastores.edit(OPERATOR, request(softwire({ name: 'a', 'hop-limit': 9 }), CANDIDATE));
    assert.ok(datastores.candidateModified);
    const undo = request(aftr(binding(P, G)), { ...CANDIDATE, defaultOperation: 'replace' });
    await datastores.edit(OPERATOR, undo);
    assert.not(datastores.candidateModified);
    await datastores.lock(OTHER, 'candidate');
  }));

test('the small tree of the candidate follows running until it is edited itself', () =>
  withDatastores(async (datastores) => {
    await datastores.edit(OPERATOR, request(aftr(binding(P, G))));
    await datastores.edit(OPERATOR, request(table(binding('192.0.2.2/32', G)), CANDIDATE));
    await datastores.edit(OTHER, request(softwire({ name: 'a', 'hop-limit': 9 })));
    assert.equal(hopLimits(datastores, 'candidate'), [9]);
    await datastores.edit(OPERATOR, request(softwire({ name: 'a', 'hop-limit': 8 }), CANDIDATE));
    await datastores.edit(OTHER, request(softwire({ name: 'a', 'hop-limit': 7 })));
    assert.equal(hopLimits(datastores, 'candidate'), [8]);
    await datastores.commit(OPERATOR);
    assert.equal(hopLimits(datastores, 'running'), [8]);
    assert.is(rows(datastores).length, 2);
  }));

test('an AFTR that came to running meanwhile stays, with its rows, when the candidate has another tree', () =>
  withDatastores(async (datastores) => {
    await datastores.edit(OPERATOR, request(aftr(binding(P, G))));
    await datastores.edit(OPERATOR, request(softwire({ name: 'a', 'hop-limit': 9 }), CANDIDATE));
    await datastores.edit(OTHER, request(withB));
    const expected = rows(datastores);
    assert.equal(rows(datastores, 'candidate'), expected);
    await datastores.commit(OPERATOR);
    assert.equal(rows(datastores), expected);
  }));

test('an AFTR that the candidate takes away goes with the rows it has got meanwhile', () =>
  withDatastores(async (datastores) => {
    await datastores.edit(OPERATOR, request(aftr(binding(P, G))));
    await datastores.edit(OPERATOR, request(withB));
    await datastores.edit(OPERATOR, request(softwire({ name: 'b', '@operation': 'delete' }), CANDIDATE));
    await datastores.edit(OTHER, request(withB));
    await datastores.commit(OPERATOR);
    assert.equal(rows(datastores), [`a ${P} ${G}`]);
    assert.equal([...datastores.head().counts], [['a', 1]]);
    await datastores.edit(OTHER, request(softwire(B)));
    assert.equal(rows(datastores), [`a ${P} ${G}`]);
  }));

test('startup keeps an AFTR without rows as it was when its first rows come to running', () =>
  withDatastores(
    async (datastores, _dir, reopen) => {
      await datastores.edit(OPERATOR, request(aftr()));
      await datastores.copy(OPERATOR, 'running', 'startup');
      await datastores.edit(OPERATOR, request(table(binding(P, G))));
      assert.equal(rows(datastores, 'startup'), []);
      assert.equal(rows(await reopen({ bootId: 'boot-2' })), []);
    },
    { startup: true },
  ));

test('startup keeps the rows of an AFTR that running deletes, and none of one that comes', () =>
  withDatastores(
    async (datastores, _dir, reopen) => {
      await datastores.edit(OPERATOR, request(aftr(binding(P, G))));
      await datastores.copy(OPERATOR, 'running', 'startup');
      const { contentHash } = datastores.head();
      await datastores.edit(OPERATOR, request(softwire({ name: 'a', '@operation': 'delete' })));
      await datastores.edit(OPERATOR, request(withB));
      assert.equal(rows(datastores, 'startup'), [`a ${P} ${G}`]);
      const booted = await reopen({ bootId: 'boot-2' });
      assert.equal(rows(booted), [`a ${P} ${G}`]);
      assert.is(booted.head().contentHash, contentHash);
      assert.equal(rows(booted, 'startup'), [`a ${P} ${G}`]);
    },
    { startup: true },
  ));

test('without a save, a boot returns to the first configuration', () =>
  withDatastores(
    async (datastores, _dir, reopen) => {
      await datastores.edit(OPERATOR, request(aftr(binding(P, G))));
      const booted = await reopen({ bootId: 'boot-2' });
      assert.equal(rows(booted), []);
      assert.equal(hopLimits(booted, 'running'), []);
    },
    { startup: true },
  ));

test('a saved startup outlives a time without the feature', () =>
  withDatastores(
    async (datastores, _dir, reopen) => {
      await datastores.edit(OPERATOR, request(aftr(binding(P, G))));
      await datastores.copy(OPERATOR, 'running', 'startup');
      const without = await reopen({ startup: false });
      await without.edit(OPERATOR, request(table(binding('192.0.2.2/32', G))));
      assert.is(rows(await reopen({ startup: false, bootId: 'boot-2' })).length, 2);
      const again = await reopen({ startup: true, bootId: 'boot-2' });
      assert.equal(rows(again, 'startup'), [`a ${P} ${G}`]);
      assert.equal(rows(await reopen({ startup: true, bootId: 'boot-3' })), [`a ${P} ${G}`]);
    },
    { startup: true },
  ));

test('deleting startup leaves a device without softwires at the next boot', () =>
  withDatastores(
    async (datastores, _dir, reopen) => {
      await datastores.edit(OPERATOR, request(aftr(binding(P, G))));
      await datastores.copy(OPERATOR, 'running', 'startup');
      await datastores.deleteStartup(OPERATOR);
      assert.equal(rows(datastores, 'startup'), []);
      assert.equal(rows(datastores), [`a ${P} ${G}`]);
      const booted = await reopen({ bootId: 'boot-2' });
      assert.equal([rows(booted), [...booted.head().counts]], [[], []]);
    },
    { startup: true },
  ));

test('a boot that finds running as startup has it makes no version', () =>
  withDatastores(
    async (datastores, _dir, reopen) => {
      await datastores.edit(OPERATOR, request(aftr(binding(P, G))));
      await datastores.copy(OPERATOR, 'running', 'startup');
      const { version } = datastores.head();
      assert.is((await reopen({ bootId: 'boot-2' })).head().version, version);
    },
    { startup: true },
  ));

test.run();
