/**
 * `gi4over6 restore FILE`: a backup takes the place of the store of a stopped program.
 *
 *   1. nobody has the state directory, and nobody can take it meanwhile
 *   2. the file is verified, copied beside the store, the restore is put on record in the copy, and the copy verified
 *   3. the store goes aside as store.replaced-TIME, the copy takes its name
 *
 * A crash between the two renames of step 3 leaves no store: the start is refused then, and the command is to be given again.
 */

import type { Stats } from 'node:fs';
import {
  chownSync,
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { childrenOf, claim } from '../claim.ts';
import { readFileHead } from '../state/file-head.ts';
import { LOCK_FILE, STORE_FILE } from '../state/generations.ts';
import { recordRestore } from '../state/restore-record.ts';
import { backupNamed, listBackups, markUnknown, STATE_FILE, storeDir, storeFile } from '../state/store-files.ts';
import { syncPath } from '../state/sync.ts';
import type { StoreSummary } from '../state/verify.ts';
import { verifyFile } from '../state/verify.ts';

export interface RestoreOptions {
  readonly stateDir: string;
}

/** @throws Error with code and a sentence; then the store is what it was */
export async function restoreStore(file: string, options: RestoreOptions): Promise<void> {
  const stateDir = resolve(options.stateDir);
  const owner = ownerOf(stateDir);
  const release = claim([stateDir]);
  try {
    const [pid] = childrenOf(stateDir);
    if (pid !== undefined) {
      throw fault('ALREADY_RUNNING', `${stateDir} is in use by process ${pid} of gi4over6: stop it (kill ${pid})`);
    }
    const source = resolve(file);
    const { version, time, rows } = goodFile(source);
    const fresh = join(stateDir, 'store.new');
    rmSync(fresh, { recursive: true, force: true });
    mkdirSync(fresh, { mode: 0o700 });
    try {
      copyTo(source, join(fresh, STORE_FILE), owner);
      const { highest, doubt } = highestVersion(stateDir);
      const comment = `restored from backup ${basename(source)} of version ${version}`;
      const restored = await recordRestore(fresh, { comment, highest, knownUntil: knownUntil(source, time) });
      rmSync(join(fresh, LOCK_FILE), { force: true });
      goodFile(join(fresh, STORE_FILE));
      chownSync(fresh, owner.uid, owner.gid);
      syncPath(fresh);
      const aside = exchange(stateDir, fresh, owner);
      const kept = aside === undefined ? '' : `; the store before it is kept as ${aside}`;
      const numbered = `version ${version} of ${time} with ${rows} bindings is restored as version ${restored}${doubt}`;
      process.stdout.write(`${numbered}${kept}\n`);
    } finally {
      rmSync(fresh, { recursive: true, force: true });
    }
  } finally {
    release();
  }
}

/** @throws Error with code RESTORE when there is no state directory that a program has made */
function ownerOf(stateDir: string): Stats {
  const found = lstatSync(stateDir, { throwIfNoEntry: false });
  if (found?.isDirectory()) return found;
  const advice = 'name it with --state-dir; on a new device start the program once and stop it';
  throw fault('RESTORE', `there is no directory ${stateDir}: ${advice}`);
}

function goodFile(file: string): StoreSummary {
  const found = verifyFile(file);
  if (found.result === 'good') return found.summary;
  const newer = found.result === 'newer' ? `its format is ${found.format}: use a newer program` : 'it holds nothing';
  const why = found.result === 'damaged' ? found.faults[0] : newer;
  throw fault('RESTORE', `${file} is no good backup (${why}): nothing was changed; take another one`);
}

/** The highest version that was given out, as far as the store that goes and the backups say. */
function highestVersion(stateDir: string): { highest: number; doubt: string } {
  const versions = listBackups(stateDir).map((backup) => backup.version);
  const file = storeFile(stateDir);
  const version = readFileHead(file)?.head?.version;
  const isUnknown = version === undefined && existsSync(file);
  const doubt = isUnknown ? ' (the store before it cannot be read: it may have had versions of the same numbers)' : '';
  return { highest: Math.max(0, version ?? 0, ...versions), doubt };
}

/** When the backup was made, which its name says, else its last commit. The second of two in one second has a later name than it is old. */
function knownUntil(source: string, lastCommit: string): Date {
  const named = backupNamed(source);
  return new Date(named ? Math.min(named.time.getTime(), statSync(source).mtimeMs) : lastCommit);
}

/** A copy for the owner alone, on the disk when it returns. */
function copyTo(source: string, target: string, { uid, gid }: Stats): void {
  copyFileSync(source, target, constants.COPYFILE_EXCL);
  const descriptor = openSync(target, constants.O_RDWR | constants.O_NOFOLLOW);
  try {
    fchmodSync(descriptor, 0o600);
    fchownSync(descriptor, uid, gid);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Where the store before it is now; undefined when there was none. */
function exchange(stateDir: string, fresh: string, { uid, gid }: Stats): string | undefined {
  const store = storeDir(stateDir);
  // Whatever happens from here on: the next start reads all of what it finds.
  markUnknown(stateDir);
  lchownSync(join(stateDir, STATE_FILE), uid, gid);
  const aside = existsSync(store)
    ? freeName(`${store}.replaced-${new Date().toISOString().replace(/[-:]|\.\d+/g, '')}`)
    : undefined;
  if (aside !== undefined) renameSync(store, aside);
  renameSync(fresh, store);
  syncPath(stateDir);
  return aside;
}

function freeName(path: string): string {
  if (!statSync(path, { throwIfNoEntry: false })) return path;
  return freeName(`${path}-again`);
}

function fault(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}
