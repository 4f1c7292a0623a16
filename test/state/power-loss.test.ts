/**
 * Power loss: of what a store process wrote, everything after the last completed sync is lost, kept, kept in part or torn; at
 * many points of its life, its creation and compactions included. Every commit that was acknowledged before is there.
 */

import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { StoreReader } from '../../src/state/reader.ts';
import { storeFile } from '../../src/state/store-files.ts';
import { verifyFile } from '../../src/state/verify.ts';
import { Edits } from '../helpers/crash-edits.ts';
import type { Contents, Edit, State } from '../helpers/crash-model.ts';
import { after, EMPTY, isSame } from '../helpers/crash-model.ts';
import { checkedContents } from '../helpers/crash-store.ts';
import type { DiskRecord, Fate } from '../helpers/disk-log.ts';
import { Disk, readDiskLog } from '../helpers/disk-log.ts';
import { diskEnvironment } from '../helpers/disk-shim.ts';
import { LineProcess } from '../helpers/line-process.ts';
import { random, seed } from '../helpers/random.ts';

const test = suite('power loss');

const EDITS = 90;
/** Chance brings further ones. */
const COMPACT_EVERY = 25;
const COMPACT: Edit = { kind: 'compact', session: 1 };
const LOSSES = Number(process.env.GI4OVER6_LOSSES ?? 200);
/** Of the losses so many fall on the creation of the store. */
const EARLY = 60;
const FATES: readonly Fate[] = ['lost', 'kept', 'some', 'torn'];

/** One life from the creation on: what its disk was told, and running after each edit. */
async function recordLife(base: string, next: () => number): Promise<{ records: DiskRecord[]; states: State[] }> {
  const log = join(base, 'log');
  const folder = join(base, 'disk');
  mkdirSync(folder);
  const environment = diskEnvironment({ dir: folder, log });
  const child = new LineProcess('crash-process', [join(folder, 'store'), 'boot'], 'unlimited', environment);
  assert.ok(await child.next());
  const edits = new Edits(next, { startup: false, bulk: true });
  const states: State[] = [EMPTY];
  for (let count = 0; count < EDITS; count++) {
    const state = states.at(-1) ?? EMPTY;
    const edit = count === 0 ? edits.first() : count % COMPACT_EVERY === 0 ? COMPACT : edits.next(state);
    child.send(JSON.stringify(edit));
    assert.is(await child.next(), 'ok');
    states.push(after(state, edit));
  }
  await child.end();
  return { records: readDiskLog(log), states };
}

/** Running of the store in a folder; undefined when there is none. */
async function runningOf(dir: string): Promise<Contents | undefined> {
  let reader: StoreReader;
  try {
    reader = StoreReader.open(dir);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'STORE_MISSING') return undefined;
    throw error;
  }
  try {
    return await checkedContents(reader);
  } finally {
    reader.close();
  }
}

/** What is there after a loss at that record is running after the last acknowledged edit, or a later one. */
async function judge(
  base: string,
  disk: Disk,
  fate: Fate,
  states: readonly State[],
  next: () => number,
): Promise<void> {
  const folder = join(base, 'after');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  for (const [path, content] of disk.afterLoss(fate, next)) {
    // Nobody counts on the lock file.
    if (path.endsWith('lock.mdb')) continue;
    const target = path.replace(join(base, 'disk'), folder);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, content);
  }
  // The first line says that the store is there; each further one acknowledges an edit.
  const acknowledged = disk.acknowledged.length - 1;
  const found = await runningOf(join(folder, 'store'));
  if (found === undefined) {
    assert.ok(acknowledged < 0, `there is no store, though ${acknowledged} edits were acknowledged`);
    return;
  }
  const isPossible = states.slice(Math.max(0, acknowledged)).some(({ running }) => isSame(running, found));
  assert.ok(isPossible, `what is there is older than edit ${acknowledged}, or none that was made`);
  // Where the start would look for the store.
  assert.is(verifyFile(storeFile(folder)).result, 'good');
}

test(`${LOSSES} losses of power: every acknowledged commit is there, seed ${seed}`, async () => {
  const next = random();
  const base = mkdtempSync(join(tmpdir(), 'gi4over6-power-'));
  const { records, states } = await recordLife(base, next);
  const folder = join(base, 'disk');
  const inode = statSync(folder).ino % 2 ** 32;
  const points = new Set<number>();
  while (points.size < Math.min(LOSSES, records.length)) {
    points.add(next() % (points.size < EARLY ? Math.min(2 * EARLY, records.length) : records.length));
  }
  const disk = new Disk(folder, inode);
  for (const [place, record] of records.entries()) {
    disk.apply(record);
    if (!points.has(place)) continue;
    const fate = FATES[next() % FATES.length] ?? 'lost';
    try {
      await judge(base, disk, fate, states, next);
    } catch (cause) {
      throw new Error(`record ${place} of ${records.length}, ${fate}, kept in ${base}: ${String(cause)}`, { cause });
    }
  }
  assert.is(disk.acknowledged.length, EDITS + 1);
  assert.ok(records.filter(({ kind }) => kind === 'rename').length > 2, 'it was compacted');
  rmSync(base, { recursive: true });
});

test.run();
