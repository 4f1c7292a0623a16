// needs: addon
/** Advertisements that come together: one transaction, a version and an answer for each. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseIpv4Prefix } from '../../../src/address.ts';
import { ContentHash } from '../../../src/state/content-hash.ts';
import type { Datastores } from '../../../src/state/datastores.ts';
import type { AnyLearning } from '../../../src/state/learned/learning.ts';
import { LearningQueue } from '../../../src/state/learned/learning.ts';
import { RouteTable } from '../../../src/state/learned/route-table.ts';
import { learnedTable } from '../../../src/state/learned/tables.ts';
import { RowOverlay } from '../../../src/state/overlay.ts';
import { formatNumber, prefixNumber } from '../../../src/state/rows.ts';
import { OPERATOR, request, softwire, withDatastores } from '../../helpers/state.ts';

const test = suite('group');

const HASH = '$6$abcdefgh$LI0OBJ/CRCJdRHNZTFwyvhVcqSv1OMzNwTiDGEfu8gFuqCGuYFaMVUhDHtx45p2lVYsSSeTJHpKNfIc5uMgSJ1';
const NAMES = ['g1', 'g2', 'g3', 'g4'] as const;

interface Applied {
  readonly version: number;
  readonly contentHash: string;
  /** The version of the store when it was told of. */
  readonly newest: number;
}

interface World {
  readonly table: RouteTable;
  readonly datastores: Datastores;
  /** What participants were told since the sources were configured. */
  readonly applied: Applied[];
}

async function withSources(work: (world: World) => Promise<void>, more: Record<string, unknown> = {}): Promise<void> {
  await withDatastores(async (datastores) => {
    const table = new RouteTable(datastores);
    datastores.addParticipant(table);
    const sources = NAMES.map((name, index) => {
      return { name, 'gateway-ipv6-address': gatewayOf(index), password: HASH, 'allowed-prefix': ['192.0.2.0/24'] };
    });
    const entry = { name: 'a', 'ipv6-address': '2001:db8:b::1', 'ipv4-pool': ['192.0.2.0/24'] };
    await datastores.edit(OPERATOR, request(softwire({ ...entry, 'route-source': sources, ...more })));
    const applied: Applied[] = [];
    datastores.addParticipant({
      prepare: async () => async (version, contentHash) => {
        applied.push({ version, contentHash, newest: datastores.head().version });
      },
    });
    await work({ table, datastores, applied });
  });
}

function gatewayOf(index: number): string {
  return `2001:db8:a::${index + 1}`;
}

function numbers(...prefixes: readonly string[]): number[] {
  return prefixes.map((text) => {
    const prefix = parseIpv4Prefix(text);
    if (!prefix) throw new Error(text);
    return prefixNumber(prefix.address, prefix.length);
  });
}

/** All routes of a source; what it is told of each. */
async function advertise({ table }: World, name: string, ...prefixes: readonly string[]): Promise<string[]> {
  const caller = { user: name, session: 0, face: 'restconf' } as const;
  const advertisement = { isWhole: true, routes: new Set(numbers(...prefixes)), withdrawn: new Set<number>() };
  const { accepted, refused } = await table.advertise(caller, name, advertisement);
  return [
    ...accepted.map((number) => `${formatNumber(number)} bound`),
    ...refused.map(([number, reason]) => `${formatNumber(number)} ${reason}`),
  ];
}

/** Who committed and what came of it, the newest first, of versions after `version`. */
function record(datastores: Datastores, version: number): string[] {
  const view = datastores.view('running');
  try {
    const found: string[] = [];
    for (const { version: number, caller, comment, tallies } of view.history.summaries()) {
      if (number <= version) break;
      const { added = 0, removed = 0 } = tallies.get(learnedTable('a')) ?? {};
      found.push(`${caller.user} ${caller.face}: ${comment} +${added} -${removed}`);
    }
    return found;
  } finally {
    view.close();
  }
}

function bound(datastores: Datastores): string[] {
  const view = datastores.view('running');
  try {
    return Array.from(view.sealedRows(learnedTable('a')), ({ number }) => formatNumber(number));
  } finally {
    view.close();
  }
}

/** The content hash made anew of all rows. */
function hashOf(datastores: Datastores): string {
  const view = datastores.view('running');
  const hash = new ContentHash();
  for (const { number, value } of view.sealedRows(learnedTable('a'))) hash.add(learnedTable('a'), number, value);
  view.close();
  return hash.text;
}

test('those that wait while a commit runs are one transaction: each is told of its own, and is on record with what it brought', () =>
  withSources(async (world) => {
    const { datastores, applied } = world;
    const { version } = datastores.head();
    const answers = await Promise.all([
      advertise(world, 'g1', '192.0.2.1/32'),
      advertise(world, 'g2', '192.0.2.2/32', '192.0.2.3/32', '198.51.100.1/32'),
      advertise(world, 'g3', '192.0.2.2/32', '192.0.2.4/32'),
      advertise(world, 'g4'),
    ]);
    assert.equal(answers, [
      ['192.0.2.1/32 bound'],
      ['192.0.2.2/32 bound', '192.0.2.3/32 bound', '198.51.100.1/32 not-allowed'],
      ['192.0.2.4/32 bound', '192.0.2.2/32 other-source'],
      [],
    ]);
    assert.equal(record(datastores, version), [
      'g3 restconf: routes of g3 +1 -0',
      'g2 restconf: routes of g2 +2 -0',
      'g1 restconf: routes of g1 +1 -0',
    ]);
    // The first of the queue may have its turn before the others have come.
    assert.equal(
      applied.map((item) => item.version),
      [version + 1, version + 2, version + 3],
    );
    assert.ok(applied.slice(1).every(({ newest }) => newest === version + 3));
    assert.is(new Set(applied.map(({ contentHash }) => contentHash)).size, 3);
    assert.is(applied.at(-1)?.contentHash, datastores.head().contentHash);
    assert.is(hashOf(datastores), datastores.head().contentHash);
    assert.equal(bound(datastores), ['192.0.2.1/32', '192.0.2.2/32', '192.0.2.3/32', '192.0.2.4/32']);
  }));

test('each is judged by what those before it have left, and every version of them can be read', () =>
  withSources(async (world) => {
    const { datastores } = world;
    await advertise(world, 'g1', '192.0.2.1/32', '192.0.2.2/32');
    const { version } = datastores.head();
    const answers = await Promise.all([
      advertise(world, 'g4', '192.0.2.9/32'),
      advertise(world, 'g1', '192.0.2.2/32'),
      advertise(world, 'g2', '192.0.2.1/32', '192.0.2.2/32'),
    ]);
    assert.equal(answers, [['192.0.2.9/32 bound'], [], ['192.0.2.1/32 bound', '192.0.2.2/32 other-source']]);
    assert.is(hashOf(datastores), datastores.head().contentHash);
    const counts = [0, 1, 2, 3].map((after) => {
      const view = datastores.viewVersion(version + after);
      const count = [...view.sealedRows(learnedTable('a'))].length;
      view.close();
      return count;
    });
    assert.equal(counts, [2, 3, 2, 3]);
  }));

test('softwire-num-max counts what the others of a group have brought', () =>
  withSources(
    async (world) => {
      const answers = await Promise.all([
        advertise(world, 'g1', '192.0.2.1/32'),
        advertise(world, 'g2', '192.0.2.2/32', '192.0.2.3/32'),
        advertise(world, 'g3', '192.0.2.4/32', '192.0.2.5/32'),
      ]);
      assert.equal(answers.flat().filter((text) => text.endsWith('bound')).length, 4);
      assert.equal(answers[2], ['192.0.2.4/32 bound', '192.0.2.5/32 too-many']);
    },
    { 'softwire-num-max': 4 },
  ));

test('one that fails takes no other with it', () =>
  withSources(async (world) => {
    const { datastores, table } = world;
    const failing: AnyLearning = {
      key: 'failing',
      weight: 1,
      caller: OPERATOR,
      comment: 'fails',
      work: async () => {
        throw new Error('it fails');
      },
    };
    const first = advertise(world, 'g1', '192.0.2.1/32');
    const failed = datastores.learn(failing).then(
      () => 'done',
      (error: Error) => error.message,
    );
    const third = advertise(world, 'g3', '192.0.2.3/32');
    assert.equal(await Promise.all([first, failed, third]), [
      ['192.0.2.1/32 bound'],
      'it fails',
      ['192.0.2.3/32 bound'],
    ]);
    assert.equal(bound(datastores), ['192.0.2.1/32', '192.0.2.3/32']);
    assert.is(table.refusals('g1') + table.refusals('g3'), 0);
    assert.is(hashOf(datastores), datastores.head().contentHash);
  }));

function learning(name: string, more: { readonly key?: string; readonly weight?: number } = {}): AnyLearning {
  const work = async () => ({ overlay: new RowOverlay(), done: () => undefined });
  const about = { caller: OPERATOR, comment: name, work };
  return more.key === undefined ? about : { ...about, key: more.key, weight: more.weight ?? 1 };
}

// [what waits while `first` has its turn, as name, key (none: alone) and weight; the groups that follow]
const groups: readonly (readonly [string, readonly (readonly [string, string?, number?])[], readonly string[]])[] = [
  [
    'of different keys',
    [
      ['b', 'b'],
      ['c', 'c'],
      ['d', 'd'],
    ],
    ['b c d'],
  ],
  [
    'two of one key',
    [
      ['b', 'b'],
      ['c', 'c'],
      ['b2', 'b'],
      ['d', 'd'],
    ],
    ['b c', 'b2 d'],
  ],
  ['one alone between', [['b', 'b'], ['c'], ['d', 'd']], ['b', 'c', 'd']],
  [
    'as heavy as one moment',
    [
      ['b', 'b', 400],
      ['c', 'c', 600],
      ['d', 'd', 0],
    ],
    ['b c', 'd'],
  ],
  [
    'heavier than that',
    [
      ['b', 'b', 400],
      ['c', 'c', 601],
    ],
    ['b', 'c'],
  ],
  [
    'one that is too heavy itself',
    [
      ['b', 'b', 5_000],
      ['c', 'c'],
    ],
    ['b', 'c'],
  ],
];
for (const [what, waiting, expected] of groups) {
  test(`what waits, ${what}: ${expected.join(' | ')}`, async () => {
    const seen: string[] = [];
    let open = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const queue = new LearningQueue(async (take) => {
      seen.push(
        take()
          .map(({ comment }) => comment)
          .join(' '),
      );
      await gate;
    });
    const all = [queue.add(learning('first'))];
    for (const [name, key, weight] of waiting)
      all.push(queue.add(learning(name, { ...(key && { key }), ...(weight !== undefined && { weight }) })));
    open();
    await Promise.all(all);
    assert.equal(seen, ['first', ...expected]);
  });
}

test('a turn that is not given is an error for who was first, and the next one is asked for', async () => {
  let turns = 0;
  const queue = new LearningQueue(async (take) => {
    if (++turns === 1) throw new Error('no change is taken now');
    take();
  });
  const [first, second] = await Promise.allSettled([queue.add(learning('a')), queue.add(learning('b'))]);
  assert.is(first?.status, 'rejected');
  assert.is(second?.status, 'fulfilled');
});

test.run();
