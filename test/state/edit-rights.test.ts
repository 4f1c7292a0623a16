/** Rights of whole edits, copies and commits (RFC 8341 §3.2): what is asked about, and how often. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { authorizeBy } from '../../src/mgmt/access.ts';
import { keepRowParents } from '../../src/state/content.ts';
import type { Operation } from '../../src/state/data.ts';
import { DataNode } from '../../src/state/data.ts';
import type { Datastores } from '../../src/state/datastores.ts';
import { authorizeDifference, editDraft, emptyDraft, rowChanges } from '../../src/state/draft.ts';
import { OverlaidRows, RowOverlay } from '../../src/state/overlay.ts';
import type { Authorize } from '../../src/state/request.ts';
import { RowPack } from '../../src/state/row-pack.ts';
import { NoRows } from '../../src/state/rows.ts';
import type { GuestRule } from '../helpers/guest-rights.ts';
import { deny, GUEST, guestRights, PERMIT } from '../helpers/guest-rights.ts';
import { random, seed } from '../helpers/random.ts';
import { binding, OPERATOR, request, softwire, tree, withDatastores } from '../helpers/state.ts';
import { tagOf } from '../helpers/tag-of.ts';

const test = suite('rights of whole edits');

const NACM = '/ietf-netconf-acm:nacm';
const TABLE = '/gi-4over6:softwire/aftr/binding-table';
const BINDING = `${TABLE}/binding`;
const READS: GuestRule = { operations: 'read', action: 'permit' };

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

const KEYS = Array.from({ length: 6 }, (_, last) => `192.0.2.${last}/32`);

/** Rules at random about rows, what is in them and what is above them, in front of one about everything. */
function randomRules(next: () => number): GuestRule[] {
  const pick = <Item>(items: readonly Item[]): Item => items[next() % items.length] as Item;
  const rule = (): GuestRule => {
    const key = next() % 3 > 0 ? `[ipv4-prefix='${pick([...KEYS, '192.0.2.200/32', '192.0.2.00/32'])}']` : '';
    const below = pick(['', '', '/description', '/gateway-ipv6-address', '/ipv4-prefix']);
    const path = pick([`${BINDING}${key}${below}`, `${BINDING}${key}${below}`, TABLE, '/gi-4over6:softwire']);
    const operations = pick(['*', 'create', 'update', 'delete', 'read', 'read update', 'create delete']);
    return { path, operations, action: pick(['permit', 'deny']) };
  };
  return [...Array.from({ length: 1 + (next() % 3) }, rule), pick([PERMIT, PERMIT, READS])];
}

/** Some of the rows, in one of two versions, as they come in bulk. */
function randomPack(next: () => number): RowPack {
  const pack = new RowPack();
  for (let last = 0; last < KEYS.length; last++) {
    if (next() % 3 === 0) continue;
    pack.putBinding({
      address: 0xc0000200 + last,
      length: 32,
      gatewayIpv6Address: new Uint8Array(16).fill(1 + (next() % 2)),
      aftrIpv6Address: undefined,
      description: next() % 2 === 0 ? 'd' : undefined,
      origin: 'static',
    });
  }
  return pack;
}

function withTable(pack?: RowPack, operation?: Operation): DataNode {
  const root = tree(softwire({ name: 'a' }));
  keepRowParents(root);
  const table = root.child('softwire')?.entries('aftr')[0]?.child('binding-table');
  assert.ok(table);
  if (pack) table.bulk = pack;
  if (operation) table.operation = operation;
  return root;
}

/** What an edit and the commit of it come to: a tag, and the rows. */
async function outcomeOf(before: RowPack, edit: () => DataNode, authorize: Authorize): Promise<string> {
  const overlay = new RowOverlay();
  overlay.putAll('a', before);
  const base = new OverlaidRows(new NoRows(), overlay);
  const [draft, free] = [emptyDraft(withTable()), emptyDraft(withTable())];
  const edited = await tagOf(editDraft(draft, base, edit(), 'merge', { authorize }));
  const rows = [...new OverlaidRows(base, draft.overlay).sealedRows('a')].map(({ number }) => number);
  const commit = async () => {
    await editDraft(free, base, edit(), 'merge');
    await authorizeDifference(free, withTable(), await rowChanges(free, base), authorize);
  };
  const made = await tagOf(commit());
  return JSON.stringify([edited, edited === 'ok' ? rows : [], made]);
}

test(`what rules say of all rows at once is what they say of each (seed ${seed})`, async () => {
  const next = random();
  const found = new Set<string>();
  for (let round = 0; round < 600; round++) {
    const rules = randomRules(next);
    const [before, pack] = [randomPack(next), randomPack(next)];
    const operation = (['merge', 'replace', 'delete', 'create', 'remove'] as const)[next() % 5];
    const isEmptied = operation === 'delete' || operation === 'remove';
    const edit = () => withTable(isEmptied ? undefined : pack, operation);
    const whole = authorizeBy(guestRights(...rules));
    const each: Authorize = (node, write) => whole(node, write);
    Object.assign(each, { holds: whole.holds, secrecy: whole.secrecy });
    const [one, other] = [await outcomeOf(before, edit, whole), await outcomeOf(before, edit, each)];
    assert.is(one, other, `${operation} with ${JSON.stringify(rules)}`);
    found.add(`${operation} ${one.slice(0, 12)}`);
  }
  assert.ok(found.size >= 8, [...found].join(', '));
});

test('others have their turn while the rows of a commit are asked about', () =>
  withDatastores(async (datastores) => {
    await fill(datastores);
    await inCandidate(datastores, config(NEW));
    // No row loses its description, which the rules do not know.
    const by = authorizeBy(guestRights(deny(`${BINDING}/description`, 'delete'), PERMIT));
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
