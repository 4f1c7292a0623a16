/** Damage of a store that runs, which nobody has met: it is found by its sum, and by reading the file beside the edits. */

import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { DatapathStatus } from '../../src/control.ts';
import { StoreWatch } from '../../src/mgmt/store-watch.ts';
import { tellDamage } from '../../src/state/damage.ts';
import type { Datastores } from '../../src/state/datastores.ts';
import { DamageError } from '../../src/state/model-values.ts';
import { storeDir, storeFile } from '../../src/state/store-files.ts';
import { verifyFile } from '../../src/state/verify.ts';
import { aftr, binding, OPERATOR, openDatastores, request } from '../helpers/state.ts';

const test = suite('store watch');
const PROGRAM = fileURLToPath(new URL('../../src/main.js', import.meta.url));

interface Place {
  readonly stateDir: string;
  readonly datastores: Datastores;
  readonly watch: StoreWatch;
  readonly logged: { readonly level: number; readonly msg: string; readonly verification?: string }[];
  /** What the datapath says of itself. */
  says(status: Partial<DatapathStatus> | undefined): void;
}

const edit = (datastores: Datastores, number: number, gateway: string) =>
  datastores.edit(OPERATOR, request(aftr(binding(`192.0.2.${number}/32`, gateway))));

async function withWatch(body: (place: Place) => Promise<void>): Promise<void> {
  const stateDir = mkdtempSync(join(tmpdir(), 'gi4over6-watch-'));
  const datastores = await openDatastores(storeDir(stateDir));
  const logged: Place['logged'] = [];
  const log = pino({ level: 'info' }, { write: (line: string) => logged.push(JSON.parse(line)) });
  let status: Partial<DatapathStatus> | undefined;
  const datapath = { status: async () => status as DatapathStatus | undefined };
  const watch = new StoreWatch({ stateDir, datastores, datapath, log, program: PROGRAM, delayMs: 10 });
  try {
    await edit(datastores, 1, '2001:db8:dead::1');
    const says: Place['says'] = (next) => {
      status = next;
    };
    await body({ stateDir, datastores, watch, logged, says });
  } finally {
    await watch.close();
    await datastores.close();
    rmSync(stateDir, { recursive: true });
  }
}

/** Changes an octet of each copy of a row; the time of the file stays. */
function damage(file: string): void {
  const { atime, mtime } = statSync(file);
  const octets = readFileSync(file);
  const row = Buffer.from('20010db8dead00000000000000000001', 'hex');
  for (let at = octets.indexOf(row); at >= 0; at = octets.indexOf(row, at + 1)) octets[at] = 0x21;
  writeFileSync(file, octets);
  utimesSync(file, atime, mtime);
}

test('a sound store is read once, and nothing is said', () =>
  withWatch(async ({ watch, logged }) => {
    watch.start(true);
    for (const until = Date.now() + 60_000; logged.length === 0 && Date.now() < until; ) await sleep(20);
    assert.equal(
      logged.map(({ msg }) => msg),
      ['the store is verified'],
    );
    assert.match(logged[0]?.verification ?? '', /is good: version 2 /);
    assert.equal(watch.problems, []);
  }));

test('damage is told with the newest good backup, in the log once and in the status', () =>
  withWatch(async ({ stateDir, watch, logged }) => {
    mkdirSync(join(stateDir, 'backups'));
    const backup = join(stateDir, 'backups', '20260101T000000Z-v2.mdb');
    copyFileSync(storeFile(stateDir), backup);
    damage(storeFile(stateDir));
    await watch.read();
    await watch.read();
    const [problem = '', ...others] = watch.problems;
    assert.equal(others, []);
    assert.match(problem, /^The store is damaged; stop the program and restore a backup: \S+data\.mdb is damaged \(/);
    assert.ok(problem.includes(`take it with \`gi4over6 restore ${backup} --state-dir ${stateDir}\``), problem);
    assert.equal(
      logged.map(({ level, msg }) => [level, msg]),
      [[50, 'the store is damaged: stop the program and restore a backup']],
    );
  }));

test('what somebody met: no change is taken until a reading has judged it', () =>
  withWatch(async ({ stateDir, watch, logged }) => {
    watch.requireWhole();
    tellDamage(new Error('no damage'));
    assert.not.ok(watch.isDamaged, 'any other error');
    tellDamage(new DamageError('a row is not what was written'));
    assert.ok(watch.isDamaged);
    assert.throws(() => watch.requireWhole(), /no change is taken, .*: a row is not what was written$/);
    assert.match(watch.problems.join(), /^The store is damaged \(a row is not what was written\): it is read now /);
    for (const end = Date.now() + 60_000; watch.isDamaged && Date.now() < end; ) await sleep(20);
    assert.equal(watch.problems, [], 'the file is sound');
    watch.requireWhole();
    damage(storeFile(stateDir));
    tellDamage(new DamageError('a row is not what was written'));
    const isJudged = () => logged.some(({ msg }) => msg.startsWith('the store is damaged: stop'));
    for (const end = Date.now() + 60_000; !isJudged() && Date.now() < end; ) await sleep(20);
    assert.throws(
      () => watch.requireWhole(),
      /no change is taken, .*data\.mdb is damaged \(.*there is no good backup in /,
    );
  }));

test('edits while it is read are no damage, and a compaction neither', () =>
  withWatch(async ({ stateDir, datastores, watch, logged }) => {
    let isOver = false;
    let edits = 0;
    const editing = (async () => {
      for (; !isOver; edits++) {
        await edit(datastores, edits % 250, `2001:db8::${edits.toString(16)}`);
        // Edits alone would leave no turn to anything else.
        await sleep(1);
      }
    })();
    for (let turn = 0; turn < 4 || (edits <= 100 && turn < 100); turn++) {
      const reading = watch.read();
      if (turn === 3) await datastores.compact(async () => undefined);
      await reading;
    }
    isOver = true;
    await editing;
    assert.ok(edits > 100, `${edits} edits`);
    assert.equal(watch.problems, []);
    const verified = logged.filter(({ msg }) => msg === 'the store is verified');
    assert.ok(verified.length >= 3, JSON.stringify(logged));
    assert.is(verifyFile(storeFile(stateDir)).result, 'good');
  }));

test('rows that are forwarded by and are not those of the store at the same version', () =>
  withWatch(async ({ datastores, watch, logged, says }) => {
    const { version, contentHash } = datastores.head();
    for (const status of [
      undefined,
      { version, contentHash },
      { version: version - 1, contentHash: 'another' },
      { version, contentHash: '' },
    ]) {
      says(status);
      await watch.look();
      assert.equal(watch.problems, []);
    }
    says({ version, contentHash: 'another' });
    for (let turn = 0; turn < 2; turn++) {
      await watch.look();
      assert.match(watch.problems.join(), /^The datapath forwards by other rows than the store has at version 2: /);
    }
    await watch.read();
    assert.equal(
      logged.map(({ level }) => level),
      [50, 30],
      'it is told once, and the store was read',
    );
    says({ version, contentHash });
    await watch.look();
    assert.equal(watch.problems, []);
  }));

test('it ends while it reads', () =>
  withWatch(async ({ watch, logged }) => {
    void watch.read();
    await sleep(5);
    await watch.close();
    assert.equal(logged, []);
  }));

test.run();
