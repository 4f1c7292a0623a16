/**
 * Backups of the store while it runs:
 *
 *   1. a compacted copy of the last commit in a folder of its own, synced; edits go on
 *   2. a child reads the copy back whole (gi4over6 verify-store)
 *   3. it gets its name, TIME-vVERSION.mdb, and only then counts
 *
 * Automatic ones are looked for every minute: one is due when the newest backup is old enough and of another state.
 */

import { existsSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Log } from '../log.ts';
import type { DataNode } from '../state/data.ts';
import type { Datastores } from '../state/datastores.ts';
import { systemFault } from '../state/disk-care.ts';
import { ManagementError } from '../state/errors.ts';
import { readFileHead } from '../state/file-head.ts';
import type { Backup } from '../state/store-files.ts';
import { backupDir, backupFile, listBackups, namesIn } from '../state/store-files.ts';
import { syncPath } from '../state/sync.ts';
import type { StoreSummary } from '../state/verify.ts';

const LOOK_MS = 60_000;
const HOUR_MS = 3_600_000;
/** Ends the names of what is not finished. */
const UNFINISHED = '.new';

export interface BackupParts {
  readonly stateDir: string;
  readonly datastores: Pick<Datastores, 'copyStore' | 'head'>;
  /** The root of the running configuration. */
  readonly configuration: () => DataNode;
  readonly log: Log;
  /** Reads a copy back, until `signal` ends it. @throws ManagementError when it is not whole */
  readonly verify: (file: string, signal: AbortSignal) => Promise<StoreSummary>;
  readonly now?: () => Date;
}

export interface MadeBackup extends Backup {
  readonly octets: number;
}

export class Backups {
  readonly #parts: BackupParts;
  readonly #now: () => Date;
  /** One at a time. */
  #last: Promise<unknown> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  readonly #ending = new AbortController();

  constructor(parts: BackupParts) {
    this.#parts = parts;
    this.#now = parts.now ?? (() => new Date());
    removeUnfinished(backupDir(parts.stateDir));
  }

  /** From now on automatic ones are made. */
  start(): void {
    this.#timer = setInterval(() => void this.makeDue().catch(() => undefined), LOOK_MS);
    this.#timer.unref();
  }

  /** The program ends, which does not wait until a copy is read back: one under way is given up. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#ending.abort();
    await this.#last.catch(() => undefined);
  }

  /** Those that are there, newest first. */
  list(): MadeBackup[] {
    return listBackups(this.#parts.stateDir).flatMap((backup) => {
      const found = statSync(backup.file, { throwIfNoEntry: false });
      return found ? [{ ...backup, octets: found.size }] : [];
    });
  }

  /** @throws ManagementError resource-denied when the disk does not take it, operation-failed when the copy is damaged */
  make(automatic = false): Promise<MadeBackup> {
    const made = this.#last.then(() => this.#make(automatic));
    this.#last = made.catch(() => undefined);
    return made;
  }

  /** Makes the automatic backup that is due, if one is, and removes those beyond what is to be kept. */
  async makeDue(): Promise<void> {
    const { stateDir, datastores, configuration, log } = this.#parts;
    const care = configuration().child('store', 'gi-4over6')?.child('automatic-backup');
    const interval = settingOf(configuration(), care, 'interval');
    const [newest] = listBackups(stateDir);
    if (interval === 0 || (newest && holds(newest, datastores.head()))) return;
    const age = newest ? this.#now().getTime() - newest.time.getTime() : Number.POSITIVE_INFINITY;
    // A clock that was set back makes a backup of the future: that one is old as well.
    if (age >= 0 && age < interval * HOUR_MS) return;
    try {
      const { file, version, octets } = await this.make(true);
      log.info({ file, version, octets }, 'an automatic backup is made');
      const old = listBackups(stateDir).filter(({ automatic }) => automatic);
      for (const { file } of old.slice(settingOf(configuration(), care, 'kept'))) rmSync(file, { force: true });
    } catch (error) {
      if (this.#ending.signal.aborted) log.info('the automatic backup is given up, since the program ends');
      else log.error({ error: String(error) }, 'the automatic backup could not be made');
    }
  }

  async #make(automatic: boolean): Promise<MadeBackup> {
    const { stateDir, datastores, verify } = this.#parts;
    const dir = backupDir(stateDir);
    const unfinished = join(dir, `${process.pid}${UNFINISHED}`);
    try {
      if (mkdirSync(dir, { recursive: true, mode: 0o700 }) !== undefined) syncPath(stateDir);
      rmSync(unfinished, { recursive: true, force: true });
      mkdirSync(unfinished, { mode: 0o700 });
      const time = this.#now();
      await datastores.copyStore(unfinished);
      const copy = join(unfinished, 'data.mdb');
      const { version, octets } = await verify(copy, this.#ending.signal);
      const file = freeName(stateDir, { time, version, automatic });
      renameSync(copy, file);
      syncPath(dir);
      return { file, time, version, automatic, octets };
    } catch (error) {
      if (error instanceof ManagementError) throw error;
      if (this.#ending.signal.aborted) {
        throw new ManagementError('operation-failed', { message: 'the backup was given up, since the program ends' });
      }
      const message = `no backup could be written to ${dir} (${systemFault(error)}): ${adviceFor(error)}`;
      throw new ManagementError('resource-denied', { message });
    } finally {
      removeQuietly(unfinished);
    }
  }
}

function adviceFor(error: unknown): string {
  const isForbidden = error instanceof Error && 'code' in error && (error.code === 'EACCES' || error.code === 'EPERM');
  return isForbidden
    ? 'the folder must belong to the user of the program, and let it write'
    : 'see whether its disk is full or fails';
}

/** What cannot be removed must not hide why the backup failed; the next one and the next start try again. */
function removeQuietly(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch {
    // Said by the backup itself, whose folder takes nothing.
  }
}

/** Whether a backup is of this very state. After a restore another history has versions of the same numbers. */
function holds({ file, version }: Backup, head: ReturnType<Datastores['head']>): boolean {
  if (version !== head.version) return false;
  const found = readFileHead(file)?.head;
  return found?.time === head.time.toISOString() && found.contentHash === head.contentHash;
}

/** A leaf of the container, or its default; the container need not be there. */
function settingOf(root: DataNode, care: DataNode | undefined, name: 'interval' | 'kept'): number {
  const schema = root.schema.child('store', 'gi-4over6')?.child('automatic-backup')?.child(name);
  return Number(care?.leaf(name) ?? schema?.defaults[0]);
}

/** Two in one second differ by their version, or the later one takes the next second. */
function freeName(stateDir: string, backup: Omit<Backup, 'file'>): string {
  const file = backupFile(stateDir, backup);
  if (!existsSync(file)) return file;
  return freeName(stateDir, { ...backup, time: new Date(backup.time.getTime() + 1_000) });
}

function removeUnfinished(dir: string): void {
  for (const name of namesIn(dir)) {
    if (name.endsWith(UNFINISHED)) removeQuietly(join(dir, name));
  }
}
