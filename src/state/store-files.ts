/**
 * Where the files of the store lie in the state directory:
 *
 *     store/data.mdb           the store, or in a folder below (generations.ts); lock.mdb beside it is LMDB's
 *     store-state.json         whether management has it open, and how its file was when it was closed last
 *     backups/TIME-vN.mdb      copies of version N
 *
 * store-state.json is there from the first commit on: without it there never was a store.
 */

import {
  closeSync,
  fstatSync,
  fsyncSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { STATE_FILE, stampOf, stateText } from '../closed-note.ts';
import { readFileHead } from './file-head.ts';
import { generationDir, generations, STORE_FILE } from './generations.ts';
import { syncPath } from './sync.ts';

export { STATE_FILE } from '../closed-note.ts';

const BACKUP_NAME = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z-v(\d+)(-automatic)?\.mdb$/;

export function storeDir(stateDir: string): string {
  return join(stateDir, 'store');
}

export function backupDir(stateDir: string): string {
  return join(stateDir, 'backups');
}

/** The file that holds the store now: the one that the lowest generation leads to, as far as that can be read. It need not be there. */
export function storeFile(stateDir: string): string {
  const store = storeDir(stateDir);
  for (let at = generations(store)[0] ?? 1; ; ) {
    const file = join(generationDir(store, at), STORE_FILE);
    const next = readFileHead(file)?.nextGeneration;
    if (next === undefined || !(next > at)) return file;
    at = next;
  }
}

/** What the name of a backup says. */
export interface Backup {
  readonly file: string;
  readonly time: Date;
  readonly version: number;
  readonly automatic: boolean;
}

/** The backups, newest first. */
export function listBackups(stateDir: string): Backup[] {
  const dir = backupDir(stateDir);
  return namesIn(dir)
    .sort()
    .reverse()
    .flatMap((name) => backupNamed(join(dir, name)) ?? []);
}

/** What the name of a file says of it as a backup; undefined for another name. */
export function backupNamed(file: string): Backup | undefined {
  const found = BACKUP_NAME.exec(basename(file));
  if (!found) return undefined;
  const [year, month, day, hour, minute, second, version] = found.slice(1, 8).map(Number);
  const time = new Date(Date.UTC(year ?? 0, (month ?? 1) - 1, day, hour, minute, second));
  return { file, time, version: version ?? 0, automatic: found[8] !== undefined };
}

/** The file of a backup of this moment. */
export function backupFile(stateDir: string, { time, version, automatic }: Omit<Backup, 'file'>): string {
  const moment = time.toISOString().replace(/[-:]|\.\d+/g, '');
  return join(backupDir(stateDir), `${moment}-v${version}${automatic ? '-automatic' : ''}.mdb`);
}

/** What lies in a folder; nothing when it is none, or cannot be looked into. */
export function namesIn(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch (error) {
    if (isOf(error, ['ENOENT', 'ENOTDIR', 'EACCES'])) return [];
    throw error;
  }
}

/** `unclean`: somebody had it open and did not close it, or its file has changed since. */
export type StoreState = 'none' | 'clean' | 'unclean';

export function storeState(stateDir: string): StoreState {
  let text: string;
  try {
    text = readFileSync(join(stateDir, STATE_FILE), 'utf8');
  } catch (error) {
    if (isMissing(error)) return 'none';
    throw error;
  }
  const closed = stampOf(storeFile(stateDir));
  return closed !== undefined && text.trimEnd() === stateText(closed).trimEnd() ? 'clean' : 'unclean';
}

/** Durable when it returns, as the other two: before the first write, or right after the first commit of a new store. */
export function markOpen(stateDir: string): void {
  writeState(stateDir, 'open');
}

/** The store was closed and nothing is lost. */
export function markClosed(stateDir: string): void {
  writeState(stateDir, stampOf(storeFile(stateDir)) ?? 'open');
}

/** The store is to be verified before it is opened again. */
export function markUnknown(stateDir: string): void {
  writeState(stateDir, 'unknown');
}

/** @throws Error of the system, on a full disk one with code DISK_FULL and what to do */
function writeState(stateDir: string, state: string): void {
  const path = join(stateDir, STATE_FILE);
  try {
    replaceFile(path, stateText(state));
  } catch (cause) {
    if (!isFull(cause)) throw cause;
    rmSync(`${path}.new`, { force: true });
    if (writeOver(path, stateText(state))) return;
    const message = `the disk of ${stateDir} is full: make room on it, then start again`;
    throw Object.assign(new Error(message, { cause }), { code: 'DISK_FULL' });
  }
}

function isFull(error: unknown): boolean {
  return isOf(error, ['ENOSPC', 'EDQUOT']);
}

/**
 * A full disk still takes what lies where octets lie already. What is written in part says that the store was not closed.
 * Whether it did.
 */
function writeOver(path: string, content: string): boolean {
  try {
    const descriptor = openSync(path, 'r+');
    try {
      writeSync(descriptor, content.padEnd(fstatSync(descriptor).size), 0);
      fsyncSync(descriptor);
      return true;
    } finally {
      closeSync(descriptor);
    }
  } catch {
    return false;
  }
}

/** The file has its new content or its old one, whatever happens. */
function replaceFile(path: string, content: string): void {
  const unfinished = `${path}.new`;
  const descriptor = openSync(unfinished, 'w', 0o600);
  try {
    writeFileSync(descriptor, content);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(unfinished, path);
  syncPath(dirname(path));
}

function isMissing(error: unknown): boolean {
  return isOf(error, ['ENOENT']);
}

function isOf(error: unknown, codes: readonly unknown[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(error.code);
}
