/**
 * The LMDB environment: one file that management writes and the datapath reads. Databases:
 *
 *     meta      head, the number of the form of this file, the pending confirmed commit
 *     tree      running, startup: the small trees
 *     bindings  | instance, 2 octets | address, 4 | length, 1 |  ->  row
 *     startup   the same keys -> what startup has instead of running: a row, or nothing when it has none
 *     changes   version, 6 octets, part, 2 -> change record (records.ts)
 *     row-history    key of a row, 7 octets, version, 6 -> the row as it was before that version (history.ts)
 *     tree-history   version, 6 octets -> the small tree as it was before that version
 *
 * A commit is one write transaction over all of them, synced before anybody is told.
 */

import {
  accessSync,
  chmodSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Database, RootDatabase } from 'lmdb';
import { require } from '../common-js.ts';
import { generationDir, generations, LOCK_FILE, NEXT_GENERATION, STORE_FILE } from './generations.ts';
import { PassingRows } from './passing-rows.ts';
import type { Head } from './records.ts';
import { openHead, sealHead } from './records.ts';
import { syncPath } from './sync.ts';

const { open } = require('lmdb') as typeof import('lmdb');

/** Number of the form of the file; a program refuses a newer one. */
export const STORE_FORMAT = 2;
const MAP_SIZE = 16 * 1024 ** 3;
/** Readings at different versions at the same time, in all processes; LMDB's own limit is 126. */
const MAX_READERS = 8_192;
const PAGE_SIZE = 4096;
const OWNER_ONLY = 0o600;
/** LMDB's magic number and its place in a meta page, behind the page header. */
const MAGIC = 0xbeefc0de;
const MAGIC_AT = 24;
const FORMAT_KEY = Buffer.from('format');
export const HEAD_KEY = Buffer.from('head');
export const NEXT_GENERATION_KEY = Buffer.from(NEXT_GENERATION);
const BINARY = { encoding: 'binary', keyEncoding: 'binary', cache: false } as const;

type Rows = Database<Buffer, Buffer>;

export interface Environment {
  /** Folder of its file. */
  readonly dir: string;
  readonly root: RootDatabase<Buffer, Buffer>;
  readonly meta: Rows;
  readonly tree: Rows;
  readonly bindings: Rows;
  /** The same database for walks over very many rows. */
  readonly passing: PassingRows;
  readonly startup: Rows;
  readonly changes: Rows;
  readonly rowHistory: Rows;
  readonly treeHistory: Rows;
}

export type DatabaseName = Exclude<keyof Environment, 'dir' | 'root' | 'passing'>;

/** `create` makes a store that is not there, `write` and `read` never do. */
export type OpenMode = 'create' | 'write' | 'read';

/**
 * Opens the store in `dir`, in the generation that its lowest one leads to.
 * @throws Error with code STORE_MISSING, STORE_NEWER, STORE_DAMAGED or STORE_ACCESS and a sentence
 */
export function openEnvironment(dir: string, mode: OpenMode): Environment {
  for (;;) {
    const lowest = lowestGeneration(dir);
    try {
      return openFollowed(dir, lowest, mode);
    } catch (error) {
      // A compaction may have taken it away while it was read.
      if (mode !== 'read' || lowestGeneration(dir) === lowest) throw error;
    }
  }
}

function lowestGeneration(dir: string): number {
  return generations(dir)[0] ?? 1;
}

function openFollowed(dir: string, lowest: number, mode: OpenMode): Environment {
  let found = openGeneration(generationDir(dir, lowest), mode);
  for (let at = lowest; ; ) {
    const from = found;
    try {
      const next = nextGeneration(from);
      if (next === undefined) return from;
      found = openNext(dir, at, next, from, mode);
      at = next;
    } catch (error) {
      void from.root.close();
      throw error;
    }
    void from.root.close();
  }
}

/** The generation that another one leads to: it is made by no start, and holds all of the other. @throws Error with code STORE_DAMAGED */
function openNext(dir: string, at: number, number: number, from: Environment, mode: OpenMode): Environment {
  const folder = generationDir(dir, number);
  const damaged = (why: string) =>
    storeError('STORE_DAMAGED', `the store in ${dir} goes on in ${folder}, ${why}: restore a backup into it`);
  if (!(number > at)) throw damaged('which came before it');
  if (!isWritten(folder)) throw damaged('which is not there');
  const next = openGeneration(folder, mode);
  const version = headIn(next)?.version ?? 0;
  if (version > 0 && version >= (headIn(from)?.version ?? 0)) return next;
  void next.root.close();
  throw damaged(version === 0 ? 'which is empty' : 'which is older than it');
}

/** The generation that has taken the place of this one. */
export function nextGeneration({ root, meta }: Environment): number | undefined {
  root.resetReadTxn();
  return generationIn(meta.get(NEXT_GENERATION_KEY));
}

export function generationIn(octets: Buffer | undefined): number | undefined {
  return octets && Number(octets.toString('latin1'));
}

/** What this thread sees as the head now. @throws DamageError */
function headIn({ root, meta }: Environment): Head | undefined {
  root.resetReadTxn();
  const octets = meta.get(HEAD_KEY);
  return octets && openHead(octets);
}

/** Opens what lies in this very folder. @throws as openEnvironment */
export function openGeneration(dir: string, mode: OpenMode): Environment {
  const isReader = mode === 'read';
  if (!isReader) makeWritable(dir);
  if (mode !== 'create' && !isWritten(dir)) throw storeMissing(dir);
  const root = openRoot(dir, isReader);
  const database = (name: string): Rows => {
    // lmdb gives no database, against its types, to a reader that comes before the writer has made it.
    const found = root.openDB<Buffer, Buffer>({ name, ...BINARY }) as Rows | undefined;
    if (!found) throw storeMissing(dir);
    return found;
  };
  try {
    const environment: Environment = {
      dir,
      root,
      meta: database('meta'),
      tree: database('tree'),
      passing: new PassingRows(root),
      bindings: database('bindings'),
      startup: database('startup'),
      changes: database('changes'),
      rowHistory: database('row-history'),
      treeHistory: database('tree-history'),
    };
    if (!isReader) upgradeFirst(environment);
    checkFormat(environment, mode);
    if (mode === 'write') beginFreeList(environment);
    return environment;
  } catch (error) {
    void root.close();
    throw error;
  }
}

function openRoot(dir: string, readOnly: boolean): Environment['root'] {
  try {
    checkMetaPages(join(dir, STORE_FILE));
    const root = open<Buffer, Buffer>({
      path: dir,
      ...BINARY,
      mapSize: MAP_SIZE,
      maxDbs: 16,
      maxReaders: MAX_READERS,
      noSubdir: false,
      overlappingSync: false,
      readOnly,
    });
    if (!readOnly) keepToOwner(dir);
    return root;
  } catch (cause) {
    // A compaction may have removed it since it was looked for.
    if (readOnly && !isWritten(dir)) throw storeMissing(dir);
    const message = `the store in ${dir} cannot be opened (${String(cause)}): restore a backup into it, or move it away`;
    throw storeError('STORE_DAMAGED', message, cause);
  }
}

/** LMDB makes its files for all to read; only their owner can change that. */
function keepToOwner(dir: string): void {
  for (const file of [join(dir, STORE_FILE), join(dir, LOCK_FILE)]) {
    const { mode, uid } = statSync(file);
    if ((mode & 0o777) !== OWNER_ONLY && uid === process.geteuid?.()) chmodSync(file, OWNER_ONLY);
  }
}

/** lmdb ends the process on a file that is none of its own: so its two meta pages are looked at first. */
function checkMetaPages(file: string): void {
  if (!existsSync(file)) return;
  const pages = readMetaPages(file);
  const isMeta = (at: number) => pages.readUInt32LE(at + MAGIC_AT) === MAGIC;
  if (pages.length < 2 * PAGE_SIZE || !isMeta(0) || !isMeta(PAGE_SIZE))
    throw new Error('data.mdb does not begin as one');
}

/** The first two pages of a store file, as far as it has them. */
export function readMetaPages(file: string): Buffer {
  const pages = Buffer.alloc(2 * PAGE_SIZE);
  const descriptor = openSync(file, 'r');
  try {
    return pages.subarray(0, readSync(descriptor, pages, 0, pages.length, 0));
  } finally {
    closeSync(descriptor);
  }
}

function isWritten(dir: string): boolean {
  const file = join(dir, STORE_FILE);
  return existsSync(file) && statSync(file).size > 0;
}

/** Makes the folder if need be. @throws Error with code STORE_ACCESS */
export function makeWritable(dir: string): void {
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    accessSync(dir, constants.R_OK | constants.W_OK | constants.X_OK);
    if (existsSync(join(dir, STORE_FILE))) accessSync(join(dir, STORE_FILE), constants.R_OK | constants.W_OK);
  } catch (cause) {
    const user = process.getuid?.() ?? 'this user';
    const message = `the store in ${dir} cannot be written by user ${user} (${String(cause)}): give that user the folder, or choose another --state-dir`;
    throw storeError('STORE_ACCESS', message, cause);
  }
}

function checkFormat({ dir, meta }: Environment, mode: OpenMode): void {
  const format = meta.get(FORMAT_KEY);
  if (format?.[0] === STORE_FORMAT) return;
  // What has no head either was never filled.
  if (format === undefined && (mode === 'create' || meta.get(HEAD_KEY) === undefined)) return;
  const found = format?.[0] ?? 0;
  const message = `the store in ${dir} has format ${found}, this program knows ${STORE_FORMAT}: use a newer program or another --state-dir`;
  throw storeError(found > STORE_FORMAT ? 'STORE_NEWER' : 'STORE_DAMAGED', message);
}

/**
 * LMDB as lmdb has it ends the process while it writes the first list of free pages, when that is a long one. A file has none when it
 * is a compacted copy, after a compaction or a restore; so it gets a short one first.
 */
function beginFreeList({ root, meta }: Environment): void {
  const { free } = root.getStats() as unknown as { readonly free: TreeStats };
  const format = meta.get(FORMAT_KEY);
  if (free.treeLeafPageCount > 0 || !format) return;
  try {
    root.transactionSync(() => void meta.putSync(FORMAT_KEY, format));
  } catch {
    // A disk that does not take this takes no commit either, which is told there.
  }
}

/** The first form had no history: what it had as change records goes, and history begins at its version. */
function upgradeFirst({ root, meta, changes }: Environment): void {
  if (meta.get(FORMAT_KEY)?.[0] !== 1) return;
  root.transactionSync(() => {
    const octets = meta.get(Buffer.from('head'));
    if (!octets) return;
    const { version, time, contentHash, tables, nextTable, bootId } = openHead(octets);
    const history = { oldestChange: version + 1, oldestTime: time, takenOut: version + 1, keptChanges: 0 };
    const head = sealHead({ version, time, contentHash, tables, nextTable, bootId, ...history });
    changes.clearSync();
    meta.putSync(Buffer.from('head'), head);
    meta.putSync(FORMAT_KEY, Buffer.of(STORE_FORMAT));
  });
}

function storeMissing(dir: string): Error {
  return storeError('STORE_MISSING', `there is no store in ${dir} yet: management creates it at its first start`);
}

/** What stops a start: `code` for the program, a sentence for the operator. */
export function storeError(code: string, message: string, cause?: unknown): Error {
  return Object.assign(new Error(message, { cause }), { code });
}

export interface StoreSize {
  readonly octets: number;
  readonly freeOctets: number;
}

/** Of the file, and of what is free in it. */
export function sizeOf({ dir, root, passing: _, ...databases }: Environment): StoreSize {
  const { size } = statSync(join(dir, STORE_FILE));
  // LMDB counts no free pages: they are what no tree has.
  const { free } = root.getStats() as unknown as { readonly free: TreeStats };
  const trees = [root, ...Object.values(databases)].map((database) => database.getStats() as unknown as TreeStats);
  const used = [free, ...trees].reduce((sum, tree) => {
    return sum + tree.treeBranchPageCount + tree.treeLeafPageCount + tree.overflowPages;
  }, 2);
  return { octets: size, freeOctets: Math.max(0, size - used * PAGE_SIZE) };
}

interface TreeStats {
  readonly treeBranchPageCount: number;
  readonly treeLeafPageCount: number;
  readonly overflowPages: number;
}

/**
 * A compacted copy of the last commit in a folder that is there; on the disk when it returns, its name apart. Nobody waits for it
 * meanwhile, and the environment stays open so long.
 */
export async function copyEnvironment(environment: Environment, dir: string): Promise<void> {
  const release = hold(environment);
  try {
    await (environment.root as unknown as { backup(path: string, compact: boolean): Promise<void> }).backup(dir, true);
  } finally {
    release();
  }
  chmodSync(join(dir, STORE_FILE), OWNER_ONLY);
  syncPath(join(dir, STORE_FILE));
}

/** Snapshots that are open of each environment, and copies under way. */
const users = new WeakMap<Environment, { count: number }>();
/** Called when one ends of an environment that is to be closed. */
const idle = new WeakMap<Environment, () => void>();

/** Closes an environment when nobody uses it any more: LMDB takes the process down with it otherwise. */
export function closeWhenIdle(environment: Environment): void {
  const look = () => {
    if ((users.get(environment)?.count ?? 0) > 0) return;
    idle.delete(environment);
    void environment.root.close();
  };
  idle.set(environment, look);
  look();
}

/**
 * The same opened anew; undefined while somebody uses it. LMDB keeps the memory of a transaction's pages for the next one: only
 * the end of the environment, in all threads of the process, gives it back. To be called with no transaction under way.
 */
export function reopen(environment: Environment): Environment | undefined {
  if ((users.get(environment)?.count ?? 0) > 0) return undefined;
  void environment.root.close();
  return openGeneration(environment.dir, 'write');
}

/** One more uses it, until what is returned is called. */
export function hold(environment: Environment): () => void {
  let use = users.get(environment);
  if (!use) {
    use = { count: 0 };
    users.set(environment, use);
  }
  const held = use;
  held.count++;
  return () => {
    held.count--;
    if (held.count === 0) idle.get(environment)?.();
  };
}
