/** Which refusal a change meets first: of its rights, of what others hold, of a condition, of validation. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { authorizeBy } from '../../src/mgmt/access.ts';
import { DataNode } from '../../src/state/data.ts';
import type { Datastores, View } from '../../src/state/datastores.ts';
import { ManagementError } from '../../src/state/errors.ts';
import type { Authorize, Caller } from '../../src/state/request.ts';
import { RowPack } from '../../src/state/row-pack.ts';
import type { GuestRule } from '../helpers/guest-rights.ts';
import { deny, guestRights, PERMIT } from '../helpers/guest-rights.ts';
import { aftr, binding, OPERATOR, request, softwire, withDatastores } from '../helpers/state.ts';
import { tagOf } from '../helpers/tag-of.ts';

const test = suite('order of refusals');

const OTHER: Caller = { user: 'other', session: 8, face: 'netconf' };
const RESTCONF: Caller = { user: 'other', session: 0, face: 'restconf' };
const P = '192.0.2.1/32';
const ROW = binding(P, '2001:db8:a::1');

const aftrOf = ({ tree }: View) => tree.child('softwire')?.entries('aftr')[0];
const aftrNode = (view: View) => {
  const found = aftrOf(view);
  if (!found) throw new Error('there is no AFTR');
  return [found];
};

/** What another session holds, and what running is changed to with it. */
const holds: readonly (readonly [string, (datastores: Datastores) => Promise<unknown>])[] = [
  ['a lock of running', (datastores) => datastores.lock(OPERATOR, 'running')],
  ['a partial lock', (datastores) => datastores.partialLock(OPERATOR, ['x'], aftrNode)],
  [
    'a confirmed commit',
    async (datastores) => {
      await datastores.edit(OPERATOR, request(aftr(binding(P, '2001:db8:a::9')), { target: 'candidate' }));
      await datastores.commit(OPERATOR, undefined, undefined, { confirmed: { timeoutMs: 60_000, persist: 'p' } });
    },
  ],
];
const unmet = new ManagementError('too-big', { message: 'a condition is false' });
const withCondition = {
  precondition: async () => () => {
    throw unmet;
  },
};
const good = () => aftr(binding(P, '2001:db8:a::2'));
/** In no pool. */
const bad = () => aftr(binding('203.0.113.1/32', '2001:db8:a::2'));
const denied: Authorize = () => false;

for (const caller of [OTHER, RESTCONF]) {
  for (const [what, hold] of holds) {
    test(`${what}: ${caller.face} meets it behind rights, before conditions and validation`, () =>
      withDatastores(async (datastores) => {
        await datastores.edit(OPERATOR, request(aftr(ROW)));
        await hold(datastores);
        const { version } = datastores.head();
        const edit = (data: Record<string, unknown>, more = {}, authorize?: Authorize) =>
          tagOf(datastores.edit(caller, request(data, more), authorize));
        assert.equal(
          [
            await edit(good(), {}, denied),
            await edit(good(), withCondition, denied),
            await edit(good()),
            await edit(good(), withCondition),
            await edit(bad()),
            await edit(bad(), { testOption: 'test-only' }),
          ],
          ['access-denied', 'access-denied', 'in-use', 'in-use', 'in-use', 'in-use'],
        );
        assert.is(datastores.head().version, version);
      }));
  }
}

for (const [what, hold] of holds.slice(0, 2)) {
  test(`${what}: commit, copy and roll-back meet it behind rights, before validation`, () =>
    withDatastores(async (datastores) => {
      await datastores.edit(OPERATOR, request(aftr()));
      const { version } = datastores.head();
      await datastores.edit(OPERATOR, request(aftr(ROW)));
      await datastores.edit(OTHER, request(bad(), { target: 'candidate', testOption: 'set' }));
      await hold(datastores);
      for (const [authorize, tag] of [
        [denied, 'access-denied'],
        [undefined, 'in-use'],
      ] as const) {
        assert.is(await tagOf(datastores.commit(OTHER, authorize)), tag);
        assert.is(await tagOf(datastores.copy(OTHER, 'candidate', 'running', authorize)), tag);
        assert.is(await tagOf(datastores.rollBack(OTHER, version, 'running', authorize)), tag);
      }
    }));
}

test('with nothing held: rights, conditions, what is there, validation', () =>
  withDatastores(async (datastores) => {
    await datastores.edit(OPERATOR, request(aftr(ROW)));
    const created = { ...ROW, '@operation': 'create' };
    const missing = { 'ipv4-prefix': '192.0.2.9/32', '@operation': 'delete' };
    const edit = (data: Record<string, unknown>, more = {}, authorize?: Authorize) =>
      tagOf(datastores.edit(OTHER, request(data, more), authorize));
    assert.equal(
      [
        await edit(good(), withCondition, denied),
        // Who may not create something does not hear that it is there.
        await edit(aftr(created), {}, denied),
        await edit(aftr(created), withCondition),
        await edit(aftr(missing), withCondition),
        await edit(bad(), withCondition),
        await edit(bad()),
        await edit(aftr(created)),
      ],
      ['access-denied', 'access-denied', 'too-big', 'too-big', 'too-big', 'operation-failed', 'data-exists'],
    );
  }));

/** Rows that count how often one is looked at. */
class CountedPack extends RowPack {
  looks = 0;
  override get(number: number): Uint8Array | null | undefined {
    this.looks++;
    return super.get(number);
  }
}

const ROWS = 200;
/** An edit that merges rows, over which nothing but rules about single rows has a say. */
function bulk(): { readonly data: ReturnType<typeof request>; readonly pack: CountedPack } {
  const pack = new CountedPack();
  for (let last = 0; last < ROWS; last++) {
    pack.putBinding({
      address: 0xc0000200 + last,
      length: 32,
      gatewayIpv6Address: new Uint8Array(16).fill(2),
      aftrIpv6Address: undefined,
      description: undefined,
      origin: 'static',
    });
  }
  const data = request(softwire({ name: 'a', 'binding-table': {} }));
  const entry = data.tree.child('softwire')?.entries('aftr')[0];
  const schema = entry?.schema.child('binding-table');
  if (!entry || !schema) throw new Error('there is no table');
  const table = entry.child('binding-table') ?? entry.add(new DataNode(schema));
  table.bulk = pack;
  return { data, pack };
}

const READS_LESS: readonly GuestRule[] = [deny('/gi-4over6:softwire/aftr/hop-limit'), PERMIT];
for (const [whose, authorize] of [
  ['who is permitted everything', () => undefined],
  ['who is permitted all of a table', () => authorizeBy(guestRights(...READS_LESS))],
] as const) {
  test(`rows of ${whose} are not looked at for an edit that is refused anyhow`, () =>
    withDatastores(async (datastores) => {
      await datastores.edit(OPERATOR, request(aftr(ROW)));
      const stale = bulk();
      const condition = { ...stale.data, ...withCondition };
      assert.is(await tagOf(datastores.edit(OTHER, condition, authorize())), 'too-big');
      await datastores.lock(OPERATOR, 'running');
      const locked = bulk();
      assert.is(await tagOf(datastores.edit(OTHER, locked.data, authorize())), 'in-use');
      assert.equal([stale.pack.looks, locked.pack.looks], [0, 0]);
      datastores.unlock(OPERATOR, 'running');
      assert.is(await tagOf(datastores.edit(OTHER, locked.data, authorize())), 'ok');
      assert.ok(locked.pack.looks >= ROWS);
      assert.is(datastores.head().counts.get('a'), ROWS);
    }));
}

test('a condition that is false is no way past a lock of a row', () =>
  withDatastores(async (datastores) => {
    await datastores.edit(OPERATOR, request(aftr(ROW)));
    await datastores.partialLock(OPERATOR, ['x'], (view) => {
      const table = aftrOf(view)?.child('binding-table');
      if (!table) throw new Error('there is no table');
      return [table];
    });
    assert.is(await tagOf(datastores.edit(OTHER, { ...bulk().data, ...withCondition })), 'in-use');
  }));

test.run();
