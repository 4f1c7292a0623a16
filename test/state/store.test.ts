import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { formatIpv6 } from '../../src/address.ts';
import type { Binding } from '../../src/state/binding.generated.ts';
import { readHead, writeCommit } from '../../src/state/commit.ts';
import { DataNode } from '../../src/state/data.ts';
import type { DatastoreOptions } from '../../src/state/datastores.ts';
import { Datastores } from '../../src/state/datastores.ts';
import type { Environment } from '../../src/state/environment.ts';
import { openEnvironment, STORE_FORMAT } from '../../src/state/environment.ts';
import { ManagementError } from '../../src/state/errors.ts';
import { RowOverlay } from '../../src/state/overlay.ts';
import { sealJson } from '../../src/state/records.ts';
import { RowChanges } from '../../src/state/row-changes.ts';
import { Snapshot } from '../../src/state/snapshot.ts';
import { LineProcess } from '../helpers/line-process.ts';
import { aftr, binding, OPERATOR, request, schema, softwire, withDatastores } from '../helpers/state.ts';

const test = suite('store');
const G1 = '2001:db8:a::1';
const P = '192.0.2.1/32';

function options(dir: string): DatastoreOptions {
  const initial = () => new DataNode(schema.root);
  return { dir, schema, validate: () => [], startup: false, bootId: 'boot-1', initial };
}

/** The code and message an opening fails with. */
async function refusal(dir: string): Promise<{ code: unknown; message: string }> {
  try {
    await (await Datastores.open(options(dir))).close();
  } catch (error) {
    if (error instanceof Error) return { code: 'code' in error ? error.code : undefined, message: error.message };
  }
  throw new Error('it was opened');
}

/** Runs a body with the closed store of one binding. */
const withStore = (body: (dir: string, environment: () => Environment) => Promise<void>) =>
  withDatastores(async (datastores, dir) => {
    await datastores.edit(OPERATOR, request(aftr(binding(P, G1))));
    await datastores.close();
    const opened: Environment[] = [];
    const environment = () => {
      const fresh = openEnvironment(dir, 'write');
      opened.push(fresh);
      return fresh;
    };
    await body(dir, environment);
    for (const { root } of opened) await root.close();
  });

/** Every key and value of every database, as hex. */
function dump(dir: string): string[] {
  const environment = openEnvironment(dir, 'read');
  const { meta, tree, bindings, startup, changes, rowHistory, treeHistory } = environment;
  const databases = { meta, tree, bindings, startup, changes, 'row-history': rowHistory, 'tree-history': treeHistory };
  const text = Object.entries(databases).flatMap(([name, database]) =>
    [...database.getRange()].map(
      ({ key, value }) => `${name} ${Buffer.from(key).toString('hex')} ${value.toString('hex')}`,
    ),
  );
  void environment.root.close();
  return text;
}

test('a newer format is refused in one line', () =>
  withStore(async (dir, environment) => {
    const { root, meta } = environment();
    meta.putSync(Buffer.from('format'), Buffer.of(STORE_FORMAT + 1));
    await root.close();
    const { code, message } = await refusal(dir);
    assert.is(code, 'STORE_NEWER');
    assert.is(
      message,
      `the store in ${dir} has format ${STORE_FORMAT + 1}, this program knows ${STORE_FORMAT}: use a newer program or another --state-dir`,
    );
  }));

test('a store of format 1 is taken over, without the history that it did not have', () =>
  withStore(async (dir, environment) => {
    const { root, meta, changes, treeHistory, rowHistory } = environment();
    const before = dump(dir).filter((line) => /^(tree|bindings) /.test(line));
    const head = readHead(environment());
    root.transactionSync(() => {
      for (const database of [treeHistory, rowHistory]) database.clearSync();
      changes.putSync(Buffer.alloc(8, 1), Buffer.from('of another form'));
      const { oldestTime: _time, keptChanges: _changes, ...first } = head;
      const old = { ...first, keptRows: 7, tables: [...head.tables] };
      meta.putSync(Buffer.from('head'), sealJson('head', old));
      meta.putSync(Buffer.from('format'), Buffer.of(1));
    });
    await root.close();
    const upgraded = openEnvironment(dir, 'write');
    const { version, time } = head;
    assert.equal(readHead(upgraded), {
      ...head,
      oldestChange: version + 1,
      oldestTime: time,
      takenOut: version + 1,
      keptChanges: 0,
    });
    await upgraded.root.close();
    assert.equal(
      dump(dir).filter((line) => /^(tree|bindings|changes) /.test(line)),
      before,
    );
  }));

const damages: readonly (readonly [string, (environment: Environment) => void])[] = [
  ['the head', ({ meta }) => damage(meta, Buffer.from('head'))],
  ['the small tree', ({ tree }) => damage(tree, Buffer.from('running'))],
];
for (const [what, spoil] of damages) {
  test(`damage in ${what} is seen when it is opened`, () =>
    withStore(async (dir, environment) => {
      const opened = environment();
      spoil(opened);
      await opened.root.close();
      const { code, message } = await refusal(dir);
      assert.is(code, 'STORE_DAMAGED');
      assert.match(message, dir);
    }));
}

function damage(database: Environment['meta'], key: Buffer): void {
  const octets = Buffer.from(database.get(key) ?? []);
  octets[5] = (octets[5] ?? 0) ^ 1;
  database.putSync(key, octets);
}

test('damage in a row is seen when it is read, never passed on', () =>
  withStore(async (_dir, environment) => {
    const opened = environment();
    for (const key of [...opened.bindings.getKeys()]) damage(opened.bindings, Buffer.from(key));
    const snapshot = new Snapshot(opened);
    const isDamage = (error: unknown) => error instanceof Error && 'code' in error && error.code === 'STORE_DAMAGED';
    assert.throws(() => [...snapshot.bindings('a')], isDamage);
    assert.throws(() => snapshot.binding('a', 0xc0000201, 32), isDamage);
    snapshot.close();
  }));

test('a file that is no store is refused', () =>
  withStore(async (dir) => {
    const file = openSync(join(dir, 'data.mdb'), 'r+');
    writeSync(file, Buffer.alloc(2 * 4096, 0x5a), 0, 2 * 4096, 0);
    closeSync(file);
    assert.is((await refusal(dir)).code, 'STORE_DAMAGED');
  }));

test('a folder that cannot be one is refused', () =>
  withStore(async (dir) => {
    writeFileSync(join(dir, 'file'), '');
    const { code, message } = await refusal(join(dir, 'file', 'store'));
    assert.is(code, 'STORE_ACCESS');
    assert.match(message, '--state-dir');
  }));

test('a refused edit leaves every octet of every database', () =>
  withDatastores(
    async (datastores, dir) => {
      await datastores.edit(OPERATOR, request(aftr(binding(P, G1))));
      await datastores.copy(OPERATOR, 'running', 'startup');
      const before = dump(dir);
      const table = (...entries: readonly Readonly<Record<string, unknown>>[]) =>
        softwire({ name: 'a', 'binding-table': { binding: entries } });
      const edits = [
        table(binding('192.0.2.2/32', G1), binding(P, G1, { '@operation': 'create' })),
        table(binding('192.0.2.2/32', G1), binding('203.0.113.1/32', G1)),
        softwire({ name: 'a', '@operation': 'create' }),
        softwire({ name: 'a', 'ipv4-pool': ['0.0.0.0/0'] }),
      ];
      for (const edit of edits) {
        for (const target of ['running', 'candidate'] as const) {
          try {
            await datastores.edit(OPERATOR, request(edit, { target }));
            await datastores.commit(OPERATOR);
            throw new Error('it was taken');
          } catch (error) {
            assert.instance(error, ManagementError);
          }
          await datastores.discard(OPERATOR);
        }
      }
      assert.equal(dump(dir), before);
    },
    { startup: true },
  ));

test('a disk that takes no more refuses the edit and keeps what is there', () =>
  withStore(async (dir) => {
    const child = new LineProcess('store-process', [dir], '400');
    const lastVersion = Number(await child.next());
    const answers: string[] = [];
    for (let edit = 0; edit < 40 && answers.at(-1) !== 'resource-denied'; edit++) {
      const rows = Array.from({ length: 200 }, (_, index) => [`192.0.2.${index}/32`, `2001:db8:c::${edit + 1}`]);
      child.send(JSON.stringify({ rows, candidate: false }));
      answers.push((await child.next()) ?? '');
    }
    await child.end();
    assert.is(answers.at(-1), 'resource-denied');
    const after = await Datastores.open(options(dir));
    assert.is(after.head().version, lastVersion + answers.length - 1);
    const view = after.view('running');
    const gateways = new Set([...view.bindings('a')].map(({ gatewayIpv6Address }) => formatIpv6(gatewayIpv6Address)));
    view.close();
    assert.equal([...gateways], [`2001:db8:c::${answers.length - 1}`]);
    await after.close();
  }));

test('AFTRs whose names are those of object members', () =>
  withDatastores(async (datastores, _dir, reopen) => {
    for (const [index, name] of ['constructor', '__proto__', 'toString'].entries()) {
      const table = { binding: [binding(`192.0.2.${index}/32`, G1)] };
      const entry = { name, 'ipv6-address': `2001:db8:b::${index + 1}`, 'ipv4-pool': [`192.0.2.${index}/32`] };
      await datastores.edit(OPERATOR, request(softwire({ ...entry, 'binding-table': table })));
    }
    const again = await reopen();
    assert.equal(
      [...again.head().counts],
      [
        ['constructor', 1],
        ['__proto__', 1],
        ['toString', 1],
      ],
    );
    const view = again.view('running');
    assert.equal(
      [...view.bindings('__proto__')].map(({ address }) => address),
      [0xc0000201],
    );
    view.close();
  }));

/** Rows of 10/8 from `first` on. */
function rows(first: number, count: number): Binding[] {
  return Array.from({ length: count }, (_, index) => ({
    address: 0x0a000000 + first + index,
    length: 32,
    gatewayIpv6Address: new Uint8Array(16).fill(0x20),
    aftrIpv6Address: undefined,
    description: undefined,
    origin: 'static' as const,
  }));
}

/** Commits rows of AFTR `a`; the number of the version. */
async function commit(environment: Environment, bindings: readonly Binding[]): Promise<number> {
  const base = new Snapshot(environment);
  const overlay = new RowOverlay();
  for (const row of bindings) overlay.put('a', row);
  const changes = await RowChanges.between(base, overlay);
  const { version } = await writeCommit(environment, {
    commit: { caller: OPERATOR, startup: 'none', rows: changes },
    retention: { maximumChanges: 100, maximumAgeMs: undefined },
  });
  base.close();
  return version;
}

test('a cursor that is left behind does not keep its snapshot, and with it old pages', () =>
  withStore(async (_dir, environment) => {
    const opened = environment();
    await commit(opened, rows(0, 10));
    const readers = () => opened.root.readerList().split('\n').length - 2;
    const snapshot = new Snapshot(opened);
    snapshot.bindings('a').next();
    await turn();
    assert.is(readers(), 1);
    snapshot.close();
    await turn();
    assert.is(readers(), 0);
  }));

/** lmdb lets go of a read transaction in the next turn of the event loop. */
const turn = () => new Promise((resolve) => setTimeout(resolve, 5));

test('the form of the file is what this program says it is', () =>
  withStore(async (dir) => {
    const names = dump(dir).map((line) => line.split(' ', 2).join(' '));
    const hex = (text: string) => Buffer.from(text).toString('hex');
    assert.equal(names, [
      `meta ${hex('format')}`,
      `meta ${hex('head')}`,
      `tree ${hex('running')}`,
      'bindings 0001c000020120',
      'changes 0000000000020000',
      'row-history 0001ffffffffff000000000002',
      'tree-history 000000000002',
    ]);
  }));

test.run();
