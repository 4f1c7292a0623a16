/** Rights of whole edits, copies and commits (RFC 8341 §3.2): what is asked about, and how often. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { authorizeBy } from '../../src/mgmt/access.ts';
import { DataNode } from '../../src/state/data.ts';
import type { Datastores } from '../../src/state/datastores.ts';
import { ManagementError } from '../../src/state/errors.ts';
import type { Authorize } from '../../src/state/request.ts';
import { RowPack } from '../../src/state/row-pack.ts';
import type { GuestRule } from '../helpers/guest-rights.ts';
import { deny, GUEST, guestRights, PERMIT } from '../helpers/guest-rights.ts';
import { binding, OPERATOR, request, softwire, withDatastores } from '../helpers/state.ts';

const test = suite('rights of whole edits');

const NACM = '/ietf-netconf-acm:nacm';
const TABLE = '/gi-4over6:softwire/aftr/binding-table';
const BINDING = `${TABLE}/binding`;
const READS: GuestRule = { operations: 'read', action: 'permit' };

async function tagOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    return error instanceof ManagementError ? error.tag : String(error);
  }
  return 'ok';
}

/** Rule lists in this order. */
const lists = (...names: readonly string[]) => ({
  'ietf-netconf-acm:nacm': { 'rule-list': names.map((name) => ({ name })) },
});

/** Running, startup and the candidate get these orders, in turn. */
async function setOrders(datastores: Datastores, orders: readonly (readonly string[])[]): Promise<void> {
  const [running = [], startup = [], candidate = []] = orders;
  const put = (target: 'running' | 'candidate', names: readonly string[]) =>
    datastores.edit(OPERATOR, request(lists(...names), { target, defaultOperation: 'replace' }));
  await put('running', startup);
  await datastores.copy(OPERATOR, 'running', 'startup');
  await put('running', running);
  await put('candidate', candidate);
}

// [rules, running, startup, candidate, what a copy of the candidate to startup comes to]
const hidden = deny(`${NACM}/rule-list[name='h']`);
const moves: GuestRule = { path: `${NACM}/rule-list[name='v']`, operations: 'update', action: 'permit' };
for (const [rules, running, startup, candidate, expected] of [
  [[hidden, READS], 'v h', 'v h', 'h v', 'access-denied'],
  [[hidden, READS], 'v h', 'v h', 'v h', 'ok'],
  // Where the place of a hidden one differs in startup alone, it may become what running has.
  [[hidden, READS], 'h v w', 'v w h', 'h v w', 'ok'],
  [[hidden, READS], 'v w h', 'h v w', 'v h w', 'access-denied'],
  // What is seen is compared with startup, whatever running has.
  [[hidden, READS], 'w v h', 'v w h', 'v w h', 'ok'],
  [[hidden, READS], 'w v h', 'v w h', 'w v h', 'access-denied'],
  // Whoever may move the one that is seen may move it past a hidden one.
  [[moves, hidden, READS], 'v h', 'v h', 'h v', 'ok'],
  [[moves, hidden, READS], 'v h w', 'v h w', 'h v w', 'ok'],
  [[moves, hidden, READS], 'v h w', 'v h w', 'v w h', 'access-denied'],
] as const) {
  test(`copy to startup: running ${running}, startup ${startup}, candidate ${candidate}, ${rules.length} rules: ${expected}`, () =>
    withDatastores(
      async (datastores) => {
        await setOrders(
          datastores,
          [running, startup, candidate].map((names) => names.split(' ')),
        );
        const authorize = authorizeBy(guestRights(...rules));
        assert.is(await tagOf(datastores.copy(GUEST, 'candidate', 'startup', authorize)), expected);
      },
      { startup: true },
    ));
}

/** An authorization by these rules that counts what it is asked. */
function counted(...rules: readonly GuestRule[]): { readonly authorize: Authorize; readonly asked: () => number } {
  const by = authorizeBy(guestRights(...rules));
  let count = 0;
  const authorize: Authorize = (node, write) => {
    count++;
    return by(node, write);
  };
  return { authorize: Object.assign(authorize, { ...by }), asked: () => count };
}

const ROWS = 1000;
const bindings = (gateway: string) =>
  Array.from({ length: ROWS }, (_, index) =>
    binding(`10.0.${index >>> 8}.${index & 255}/32`, gateway, { description: `${index}` }),
  );
const [OLD, NEW] = [bindings('2001:db8:a::1'), bindings('2001:db8:a::2')];
/** What a user may not read of it: as many rows as have descriptions. */
const HIDES = [
  { path: TABLE, operations: 'create update delete', action: 'permit' } as const,
  deny(`${BINDING}/description`),
];

const config = (rows: readonly Record<string, unknown>[]) =>
  softwire({
    name: 'a',
    'ipv6-address': '2001:db8:b::1',
    'ipv4-pool': ['10.0.0.0/16'],
    'binding-table': { binding: rows },
  });
const fill = (datastores: Datastores) => datastores.edit(OPERATOR, request(config(OLD)));
const inCandidate = async (datastores: Datastores, change: Record<string, unknown>) => {
  await datastores.edit(OPERATOR, request(change, { target: 'candidate' }));
};
const without = { 'gi-4over6:softwire': { aftr: [{ name: 'a', 'binding-table': { '@operation': 'delete' } }] } };
const ways: readonly (readonly [string, (datastores: Datastores, authorize: Authorize) => Promise<unknown>])[] = [
  [
    'commit of rows that change',
    async (datastores, authorize) => {
      await inCandidate(datastores, config(NEW));
      await datastores.commit(GUEST, authorize);
    },
  ],
  [
    'commit of rows that go',
    async (datastores, authorize) => {
      await inCandidate(datastores, without);
      await datastores.commit(GUEST, authorize);
    },
  ],
  [
    'copy of rows that change to startup',
    async (datastores, authorize) => {
      await datastores.copy(OPERATOR, 'running', 'startup');
      await inCandidate(datastores, config(NEW));
      await datastores.copy(GUEST, 'candidate', 'startup', authorize);
    },
  ],
  ['delete of a table', (datastores, authorize) => datastores.edit(GUEST, request(without), authorize)],
];
for (const [what, go] of ways) {
  test(`${what}: rows are not asked about one by one where the rules permit each`, () =>
    withDatastores(
      async (datastores) => {
        await fill(datastores);
        const { authorize, asked } = counted(...HIDES, PERMIT);
        await go(datastores, authorize);
        assert.ok(asked() < 20, `${asked()} questions`);
      },
      { startup: true },
    ));

  test(`${what}: each row is asked about where the rules tell them apart`, () =>
    withDatastores(
      async (datastores) => {
        await fill(datastores);
        const last = `${BINDING}[ipv4-prefix='10.0.3.231/32']`;
        const { authorize } = counted({ path: last, operations: 'create update delete', action: 'deny' }, PERMIT);
        assert.is(await tagOf(go(datastores, authorize)), 'access-denied');
      },
      { startup: true },
    ));
}

test('rows that stay as they are, sent again in bulk, are not asked about by who may update each, whatever he reads of it', () =>
  withDatastores(async (datastores) => {
    await fill(datastores);
    const update: GuestRule = { path: TABLE, operations: 'update', action: 'permit' };
    const { authorize, asked } = counted(update, deny(`${BINDING}/description`), READS);
    const edit = request(softwire({ name: 'a', 'binding-table': {} }));
    const entry = edit.tree.child('softwire')?.entries('aftr')[0];
    const tableSchema = entry?.schema.child('binding-table');
    assert.ok(entry && tableSchema);
    const pack = new RowPack();
    const view = datastores.view('running');
    for (const row of view.bindings('a')) pack.putBinding(row);
    view.close();
    const table = entry.child('binding-table') ?? entry.add(new DataNode(tableSchema));
    table.bulk = pack;
    const { version } = datastores.head();
    assert.is((await datastores.edit(GUEST, edit, authorize)).version, version);
    assert.is(pack.size, ROWS);
    assert.ok(asked() < 20, `${asked()} questions`);
  }));

test('others have their turn while the rows of a commit are asked about', () =>
  withDatastores(async (datastores) => {
    await fill(datastores);
    await inCandidate(datastores, config(NEW));
    const far = deny(`${BINDING}[ipv4-prefix='192.0.2.1/32']`);
    const by = authorizeBy(guestRights(far, PERMIT));
    let turns = 0;
    const seen: number[] = [];
    const authorize: Authorize = (node, write) => {
      const until = performance.now() + 0.2;
      while (performance.now() < until);
      seen.push(turns);
      return by(node, write);
    };
    let isOver = false;
    const count = () => {
      turns++;
      if (!isOver) setImmediate(count);
    };
    setImmediate(count);
    await datastores.commit(GUEST, Object.assign(authorize, { ...by }));
    isOver = true;
    assert.ok(seen.length >= ROWS);
    assert.ok((seen.at(-1) ?? 0) > (seen[0] ?? 0), 'it asked all in one piece');
  }));

test.run();
