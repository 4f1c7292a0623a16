/** Backups of a store that runs: what they hold, what becomes of those that fail, when an automatic one is due, which ones stay. */

import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Backups } from '../../src/mgmt/backups.ts';
import { verifyCopy } from '../../src/mgmt/verify-copy.ts';
import type { Datastores } from '../../src/state/datastores.ts';
import { ManagementError } from '../../src/state/errors.ts';
import { verifyFile } from '../../src/state/verify.ts';
import { aftr, binding, OPERATOR, request, withDatastores } from '../helpers/state.ts';

const test = suite('backups');
const PROGRAM = fileURLToPath(new URL('../../src/main.js', import.meta.url));
const HOUR_MS = 3_600_000;

interface Place {
  readonly stateDir: string;
  readonly backups: Backups;
  readonly datastores: Datastores;
  /** Lets so many hours pass, and one look at what is due. */
  after(hours: number): Promise<void>;
  /** Versions of the backups, newest first. */
  versions(): number[];
}

async function withBackups(body: (place: Place) => Promise<void>, program = PROGRAM): Promise<void> {
  const stateDir = mkdtempSync(join(tmpdir(), 'gi4over6-backups-'));
  let now = Date.parse('2026-01-01T00:00:00Z');
  try {
    await withDatastores(async (datastores) => {
      const configuration = () => {
        const view = datastores.view('running');
        view.close();
        return view.tree;
      };
      const log = pino({ level: 'silent' });
      const backups = new Backups({
        stateDir,
        datastores,
        configuration,
        log,
        verify: (file, signal) => verifyCopy(program, file, undefined, signal),
        now: () => new Date(now),
      });
      const after = (hours: number) => {
        now += hours * HOUR_MS;
        return backups.makeDue();
      };
      await body({
        stateDir,
        backups,
        datastores,
        after,
        versions: () => backups.list().map(({ version }) => version),
      });
      await backups.close();
      assert.not.ok(readdirSync(join(stateDir, 'backups')).some((name) => name.endsWith('.new')));
    });
  } finally {
    rmSync(stateDir, { recursive: true });
  }
}

let gateways = 0;
const commit = (datastores: Datastores) =>
  datastores.edit(OPERATOR, request(aftr(binding('192.0.2.1/32', `2001:db8::${(++gateways).toString(16)}`))));
const setting = (name: string, value: number) =>
  request({ 'gi-4over6:store': { 'automatic-backup': { [name]: value } } });

test('a backup holds what is committed, for its owner alone', () =>
  withBackups(async ({ stateDir, backups, datastores }) => {
    await commit(datastores);
    const made = await backups.make();
    assert.is(made.file, join(stateDir, 'backups/20260101T000000Z-v2.mdb'));
    assert.equal([made.version, made.automatic, made.octets], [2, false, statSync(made.file).size]);
    assert.is(statSync(made.file).mode & 0o777, 0o600);
    assert.is(statSync(join(stateDir, 'backups')).mode & 0o777, 0o700);
    const found = verifyFile(made.file);
    assert.is(found.result === 'good' ? found.summary.contentHash : '', datastores.head().contentHash);
    assert.equal(backups.list(), [made]);
  }));

test('edits go on meanwhile, and several at a time come one after the other', () =>
  withBackups(async ({ backups, datastores }) => {
    let isOver = false;
    const all = Promise.all([backups.make(), backups.make(), backups.make()]).finally(() => {
      isOver = true;
    });
    let commits = 0;
    for (; !isOver; commits++) {
      await commit(datastores);
      await sleep(5);
    }
    const made = await all;
    assert.ok(commits > 2, 'no edit came through meanwhile');
    assert.is(new Set(made.map(({ file }) => file)).size, 3);
    assert.ok(made.every(({ file }) => verifyFile(file).result === 'good'));
    assert.is(datastores.head().version, 1 + commits);
  }));

test('a copy that is not whole is told and not kept', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'gi4over6-backups-program-'));
  const program = join(dir, 'program.mjs');
  writeFileSync(program, "console.error('page 7 is of another kind'); process.exitCode = 65;");
  try {
    await withBackups(async ({ backups, after, versions }) => {
      const error = await backups.make().catch((thrown: unknown) => thrown);
      assert.instance(error, ManagementError);
      assert.is((error as ManagementError).tag, 'operation-failed');
      assert.match((error as Error).message, /^the copy is not whole, .*: page 7 is of another kind$/);
      await after(48);
      assert.equal(versions(), []);
    }, program);
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test('a disk that takes nothing is told, and the next backup is made', () =>
  withBackups(async ({ stateDir, backups }) => {
    const dir = join(stateDir, 'backups');
    writeFileSync(dir, 'a file where the folder should be');
    const error = await backups.make().catch((thrown: unknown) => thrown);
    rmSync(dir);
    assert.instance(error, ManagementError);
    assert.is((error as ManagementError).tag, 'resource-denied');
    assert.match(
      (error as Error).message,
      /^no backup could be written to \S+backups \(EEXIST: file already exists\): /,
    );
    assert.is((await backups.make()).version, 1);
  }));

test('one is made when the newest is a day old and something was committed since', () =>
  withBackups(async ({ datastores, after, versions }) => {
    await after(0);
    assert.equal(versions(), [1], 'the first at once');
    await commit(datastores);
    await after(23);
    assert.equal(versions(), [1]);
    await after(1);
    assert.equal(versions(), [2, 1]);
    await after(48);
    assert.equal(versions(), [2, 1], 'nothing was committed');
  }));

test('three automatic ones are kept, those that were asked for stay', () =>
  withBackups(async ({ backups, datastores, after, versions }) => {
    const asked = await backups.make();
    for (let day = 0; day < 5; day++) {
      await commit(datastores);
      await after(25);
    }
    assert.equal(versions(), [6, 5, 4, asked.version]);
    await datastores.edit(OPERATOR, setting('kept', 1));
    await after(25);
    assert.equal(versions(), [7, asked.version]);
  }));

test('an interval of its own; 0 turns them off', () =>
  withBackups(async ({ datastores, after, versions }) => {
    await datastores.edit(OPERATOR, setting('interval', 0));
    await after(1000);
    assert.equal(versions(), []);
    await datastores.edit(OPERATOR, setting('interval', 2));
    await after(0);
    await commit(datastores);
    await after(1);
    assert.equal(versions(), [3]);
    await after(1);
    assert.equal(versions(), [4, 3]);
  }));

test('the end of the program does not wait until a copy is read back', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'gi4over6-endless-'));
  const program = join(folder, 'endless.mjs');
  const begun = join(folder, 'begun');
  writeFileSync(
    program,
    `import('node:fs').then((fs) => fs.writeFileSync(${JSON.stringify(begun)}, '')); setInterval(() => {}, 1000);`,
  );
  try {
    await withBackups(async ({ backups, versions }) => {
      const made = backups.make().then(
        () => 'made',
        (error: Error) => error.message,
      );
      while (!existsSync(begun)) await new Promise((resolve) => setTimeout(resolve, 10));
      await backups.close();
      assert.is(await made, 'the backup was given up, since the program ends');
      assert.equal(versions(), []);
    }, program);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('after a restore one is made also when the version is that of the newest backup', async () => {
  let stateDir = '';
  await withBackups(async (place) => {
    stateDir = place.stateDir;
    await commit(place.datastores);
    await place.after(25);
    assert.equal(place.versions(), [2]);
    // Another history of as many commits, as it is after a restore of version 1.
    await withDatastores(async (other) => {
      await commit(other);
      const backups = new Backups({
        ...{
          stateDir,
          datastores: other,
          log: pino({ level: 'silent' }),
          verify: (file: string) => verifyCopy(PROGRAM, file),
        },
        configuration: () => other.runningTree,
        now: () => new Date(Date.parse('2026-01-05T00:00:00Z')),
      });
      await backups.makeDue();
      assert.equal(
        backups.list().map(({ version }) => version),
        [2, 2],
      );
      await backups.makeDue();
      assert.is(backups.list().length, 2, 'of the same state there is one now');
    });
  });
});

test.run();
