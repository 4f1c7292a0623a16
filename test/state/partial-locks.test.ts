import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { DataNode } from '../../src/state/data.ts';
import type { Datastores, View } from '../../src/state/datastores.ts';
import { ManagementError } from '../../src/state/errors.ts';
import type { Caller } from '../../src/state/request.ts';
import { bindingToNode } from '../../src/state/rows.ts';
import { aftr, binding, request, withDatastores } from '../helpers/state.ts';

/** What partial locks keep from changing, asked of the datastores themselves. */
const test = suite('partial locks');

const HOLDER: Caller = { user: 'holder', session: 7, face: 'netconf' };
const OTHER: Caller = { user: 'other', session: 8, face: 'netconf' };
const RESTCONF: Caller = { user: 'other', session: 0, face: 'restconf' };
const row = (last: number, gateway = 1) => binding(`192.0.2.${last}/32`, `2001:db8::${gateway}`);

const table = (view: View): DataNode => {
  const found = view.tree.child('softwire')?.entries('aftr')[0]?.child('binding-table');
  if (!found) throw new Error('there is no table');
  return found;
};
/** The entry of a row, as an expression would select it. */
const entry = (last: number) => (view: View) => {
  const above = table(view);
  const schema = above.schema.children.find((child) => child.rows);
  const found = view.binding('a', 0xc0000200 + last, 32);
  if (!schema || !found) throw new Error('there is no such row');
  const node = bindingToNode(schema, found);
  node.parent = above;
  return [node];
};

async function tagOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'ok';
  } catch (error) {
    return error instanceof ManagementError ? `${error.tag} ${error.info['session-id'] ?? ''}`.trim() : String(error);
  }
}

function withRows(body: (datastores: Datastores) => Promise<void>): () => Promise<void> {
  return () =>
    withDatastores(async (datastores) => {
      await datastores.edit(HOLDER, request(aftr(row(1), row(2), row(3))));
      await body(datastores);
    });
}

test(
  'a lock that is asked for by a session that ends before its turn is not taken',
  withRows(async (datastores) => {
    const [partial, whole] = [datastores.partialLock(HOLDER, ['x'], entry(1)), datastores.lock(HOLDER, 'candidate')];
    datastores.releaseSession(HOLDER.session);
    await Promise.all([partial, whole]);
    await datastores.validate('running');
    assert.equal(datastores.partialLocks.all, []);
    assert.is(datastores.lockOwner('candidate'), undefined);
  }),
);

test(
  'a row that many changes of others go past is kept, whoever they are',
  withRows(async (datastores) => {
    await datastores.partialLock(HOLDER, ['x'], entry(2));
    const many = (gateway: number, ...without: readonly number[]) => {
      const rows = Array.from({ length: 250 }, (_, i) => i).filter((i) => !without.includes(i));
      return request(aftr(...rows.map((i) => row(i, gateway))));
    };
    for (const caller of [OTHER, RESTCONF]) {
      assert.is(await tagOf(datastores.edit(caller, many(5))), 'in-use 7');
      assert.is(await tagOf(datastores.edit(caller, many(1))), 'ok', 'row 2 stays as it is');
    }
    assert.is(await tagOf(datastores.edit(OTHER, many(6, 2))), 'ok');
    assert.is(await tagOf(datastores.rollBack(OTHER, 2, 'running')), 'ok', 'row 2 was the same then');
    assert.is(await tagOf(datastores.edit(HOLDER, many(7))), 'ok');
    assert.is(await tagOf(datastores.rollBack(OTHER, 2, 'running')), 'in-use 7');
  }),
);

test(
  'a confirmed commit of another session that is taken back asks nobody',
  withRows(async (datastores) => {
    await datastores.edit(OTHER, { ...request(aftr(row(3, 9))), target: 'candidate' });
    const lock = await datastores.partialLock(HOLDER, ['x'], entry(2));
    await datastores.commit(OTHER, undefined, undefined, { confirmed: { timeoutMs: 60_000 } });
    assert.is(await tagOf(datastores.partialLock(HOLDER, ['x'], entry(1))), 'in-use');
    assert.is(await tagOf(datastores.cancelCommit(OTHER)), 'ok');
    assert.is(datastores.partialLocks.all[0]?.id, lock.id);
    assert.is(await tagOf(datastores.edit(OTHER, request(aftr(row(2, 9))))), 'in-use 7');
  }),
);

test(
  'a table keeps all its rows, and goes with its rows when its holder deletes it',
  withRows(async (datastores) => {
    await datastores.partialLock(HOLDER, ['x'], (view) => [table(view)]);
    assert.is(await tagOf(datastores.edit(OTHER, request(aftr(row(9))))), 'in-use 7');
    assert.is(await tagOf(datastores.partialLock(OTHER, ['x'], entry(2))), 'lock-denied 7');
    const empty = { ...request({}), defaultOperation: 'replace' as const };
    assert.is(await tagOf(datastores.edit(OTHER, empty)), 'in-use 7');
    assert.is(await tagOf(datastores.edit(HOLDER, empty)), 'ok');
    assert.equal(datastores.partialLocks.all[0]?.paths, []);
    assert.is(await tagOf(datastores.edit(OTHER, request(aftr(row(9))))), 'ok');
    assert.is(await tagOf(datastores.lock(OTHER, 'running')), 'ok', 'nothing of it is locked any more');
  }),
);

test.run();
