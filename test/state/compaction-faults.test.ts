/** Compaction when something fails or goes on beside it: what was acknowledged is there, in every order of events. */

import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { switchTo } from '../../src/state/compaction.ts';
import type { Datastores } from '../../src/state/datastores.ts';
import type { Environment } from '../../src/state/environment.ts';
import { copyEnvironment, openEnvironment, openGeneration } from '../../src/state/environment.ts';
import { ManagementError } from '../../src/state/errors.ts';
import { generations, STORE_FILE, unfinishedDir } from '../../src/state/generations.ts';
import { verifyFile } from '../../src/state/verify.ts';
import { withFault } from '../helpers/faulty-fs.ts';
import { aftr, binding, OPERATOR, request, withDatastores } from '../helpers/state.ts';

const test = suite('compaction faults');

const verify = async (file: string): Promise<void> => assert.is(verifyFile(file).result, 'good');
const edit = (datastores: Datastores, number: number) =>
  datastores.edit(OPERATOR, request(aftr(binding(`192.0.2.${number}/32`, '2001:db8::1'))));
const rows = (datastores: Datastores) => datastores.head().counts.get('a') ?? 0;

async function refusal(work: Promise<unknown>): Promise<ManagementError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.instance(error, ManagementError);
  return error as ManagementError;
}

const faults = [
  ['the old file is not removed', 'rmSync', (path: string) => path.endsWith(`/${STORE_FILE}`)],
  ['the removal is not synced', 'openSync', undefined],
] as const;
for (const [name, call, isFaulty] of faults) {
  test(`${name}: the store goes on in the new file, it is told, and a start and a compaction later all is there`, async () => {
    const told: string[] = [];
    await withDatastores(
      async (datastores, dir, reopen) => {
        await edit(datastores, 1);
        let syncs = 0;
        // The store's folder is synced once for the new name and once for the old one that goes.
        const isSecondSync = (path: string) => path === dir && ++syncs === 2;
        await withFault(call, isFaulty ?? isSecondSync, () => datastores.compact(verify));
        assert.is(told.length, 1);
        assert.match(
          told[0] ?? '',
          /^the store goes on in \S+2; the file before it could not be removed.*: Error: EIO/,
        );
        for (let number = 2; number < 6; number++) await edit(datastores, number);
        const { version } = datastores.head();
        const again = await reopen();
        assert.equal([again.head().version, rows(again)], [version, 5]);
        assert.equal(generations(dir), [2]);
        await again.compact(verify);
        await edit(again, 6);
        assert.equal(generations(dir), [3]);
        assert.is(rows(await reopen()), 6);
      },
      { tell: (sentence, error) => told.push(`${sentence}: ${String(error)}`) },
    );
  });
}

test('an old file that stays is removed by the next compaction, before its own switch', () =>
  withDatastores(async (datastores, dir, reopen) => {
    await edit(datastores, 1);
    const isOld = (path: string) => path.endsWith(`/${STORE_FILE}`);
    await withFault('rmSync', isOld, () => datastores.compact(verify));
    assert.equal(generations(dir), [1, 2]);
    await edit(datastores, 2);
    const { tag } = await refusal(withFault('rmSync', isOld, () => datastores.compact(verify)));
    assert.is(tag, 'resource-denied');
    assert.equal(
      readdirSync(dir).sort(),
      ['2', 'data.mdb', 'lock.mdb'],
      'what leads to the store stays, no copy is left',
    );
    await edit(datastores, 3);
    await datastores.compact(verify);
    await edit(datastores, 4);
    assert.equal(generations(dir), [3]);
    assert.is(rows(await reopen()), 4);
  }));

for (const [name, call, isFaulty] of [
  ['the copy does not get its name', 'renameSync', () => true],
  ['its name does not get to the disk', 'openSync', (path: string, dir: string) => path === dir],
  ['what is in its folder does not get to the disk', 'openSync', (path: string) => path.endsWith('.new')],
] as const) {
  test(`${name}: nothing has changed, and nothing is left of it`, () =>
    withDatastores(async (datastores, dir, reopen) => {
      await edit(datastores, 1);
      const { tag } = await refusal(
        withFault(
          call,
          (path) => isFaulty(path, dir),
          () => datastores.compact(verify),
        ),
      );
      assert.is(tag, 'resource-denied');
      assert.equal(readdirSync(dir).sort(), ['data.mdb', 'lock.mdb']);
      await edit(datastores, 2);
      assert.is(rows(await reopen()), 2);
    }));
}

test('a copy that is not whole is removed', () =>
  withDatastores(async (datastores, dir) => {
    await edit(datastores, 1);
    const fault = new ManagementError('operation-failed', { message: 'the copy is not whole' });
    assert.is(await refusal(datastores.compact(() => Promise.reject(fault))), fault);
    assert.equal(readdirSync(dir).sort(), ['data.mdb', 'lock.mdb']);
  }));

/** A store whose next commits end as `commit` says, with a copy that is to take its place. */
async function withFailingCommit(
  commit: (environment: Environment, work: () => void, count: number) => void,
  body: (switching: () => Environment, environment: Environment, dir: string) => void,
): Promise<void> {
  await withDatastores(async (datastores, dir) => {
    await edit(datastores, 1);
    await datastores.close();
    const real = openEnvironment(dir, 'write');
    mkdirSync(unfinishedDir(dir, 2));
    await copyEnvironment(real, unfinishedDir(dir, 2));
    let count = 0;
    const root = new Proxy(real.root, {
      get: (target, name) => {
        if (name === 'transactionSync') return (work: () => void) => commit(real, work, ++count);
        const value: unknown = Reflect.get(target, name);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    const environment = { ...real, root };
    const copy = { generation: 2, transaction: 0, octets: 0 };
    body(() => switchTo(dir, environment, copy, () => undefined), real, dir);
    await real.root.close();
  });
}

const failed = () => {
  throw new Error('MDB_PANIC');
};

test('the commit that leads to the new file fails, and is there all the same: the store goes on in it', () =>
  withFailingCommit(
    ({ root }, work) => {
      root.transactionSync(work);
      failed();
    },
    (switching, _environment, dir) => {
      const next = switching();
      assert.is(next.dir, join(dir, '2'));
      assert.equal(generations(dir), [2]);
      void next.root.close();
    },
  ));

test('it fails and is not there: the store goes on in the old file, the new one is removed', () =>
  withFailingCommit(
    ({ root }, work, count) => {
      if (count === 1) failed();
      root.transactionSync(work);
    },
    (switching, _environment, dir) => {
      assert.throws(switching, /MDB_PANIC/);
      assert.equal(generations(dir), [1]);
    },
  ));

test('it fails, and nobody can say that it is not there: the new file stays, the next start finds out', () =>
  withFailingCommit(failed, (switching, _environment, dir) => {
    assert.throws(switching, /MDB_PANIC/);
    assert.equal(generations(dir), [1, 2]);
  }));

/** A closed store that says that it goes on in generation 2. */
async function withLead(body: (dir: string, reopen: () => Promise<Datastores>) => Promise<void>): Promise<void> {
  await withDatastores(async (datastores, dir, reopen) => {
    await edit(datastores, 1);
    await datastores.close();
    const { root, meta } = openGeneration(dir, 'write');
    root.transactionSync(() => void meta.putSync(Buffer.from('next'), Buffer.from('2')));
    await root.close();
    await body(dir, reopen);
    await root.close();
  });
}

for (const [name, prepare, expected] of [
  ['is not there', () => undefined, /goes on in \S+2, which is not there: restore a backup/],
  ['has an empty folder', (dir: string) => mkdirSync(join(dir, '2')), /which is not there/],
  [
    'is an empty file',
    (dir: string) => {
      mkdirSync(join(dir, '2'));
      writeFileSync(join(dir, '2', STORE_FILE), '');
    },
    /which is not there/,
  ],
  ['is none', (dir: string) => notAStore(join(dir, '2')), /cannot be opened/],
  ['holds nothing', (dir: string) => openEmpty(join(dir, '2')), /which is empty/],
] as const) {
  test(`the file that the store leads to ${name}: refused, and the one that leads there stays`, () =>
    withLead(async (dir, reopen) => {
      await prepare(dir);
      const before = verifyFile(join(dir, STORE_FILE));
      assert.is(before.result, 'good');
      const error = await reopen().catch((thrown: unknown) => thrown as Error);
      assert.match(String(error), expected);
      assert.equal(verifyFile(join(dir, STORE_FILE)), before);
    }));
}

function notAStore(dir: string): void {
  mkdirSync(dir);
  writeFileSync(join(dir, STORE_FILE), 'no store'.repeat(2_000));
}

function openEmpty(dir: string): Promise<void> {
  return openGeneration(dir, 'create').root.close();
}

test('copies of the store while it is compacted are whole, and the old file is closed after them', () =>
  withDatastores(async (datastores, dir) => {
    const long = { description: 'x'.repeat(250) };
    const many = Array.from({ length: 15_000 }, (_, at) =>
      binding(`10.0.${at >>> 8}.${at & 255}/32`, '2001:db8::1', long),
    );
    const pool = { name: 'a', 'ipv6-address': '2001:db8:b::1', 'ipv4-pool': ['10.0.0.0/8'] };
    await datastores.edit(
      OPERATOR,
      request({ 'gi-4over6:softwire': { aftr: [{ ...pool, 'binding-table': { binding: many } }] } }),
    );
    for (let turn = 0; turn < 5; turn++) {
      const folder = join(dir, `copy-${turn}`);
      mkdirSync(folder);
      let copy: Promise<void> | undefined;
      await datastores.compact(async () => {
        copy = datastores.copyStore(folder);
        await sleep(turn * 3);
      });
      await copy;
      assert.is(verifyFile(join(folder, STORE_FILE)).result, 'good', `turn ${turn}`);
    }
  }));

test('a store that is closed waits for its copies', () =>
  withDatastores(async (datastores, dir) => {
    await edit(datastores, 1);
    mkdirSync(join(dir, 'copy'));
    const copy = datastores.copyStore(join(dir, 'copy'));
    await datastores.close();
    await copy;
    assert.is(verifyFile(join(dir, 'copy', STORE_FILE)).result, 'good');
  }));

test('every file of the store is for its owner alone, in each generation', () =>
  withDatastores(async (datastores, dir, reopen) => {
    const modes = (folder: string) =>
      [STORE_FILE, 'lock.mdb'].map((name) => (statSync(join(folder, name)).mode & 0o777).toString(8));
    assert.equal(modes(dir), ['600', '600']);
    await datastores.compact(verify);
    assert.equal(modes(join(dir, '2')), ['600', '600']);
    await reopen();
    assert.equal(modes(join(dir, '2')), ['600', '600']);
    assert.not.ok(existsSync(join(dir, STORE_FILE)));
  }));

test.run();
