/** Writing to the store: one transaction over configuration, rows, change record and head; synced when it returns. */

import type { PendingCommit } from './confirmed.ts';
import { ContentHash } from './content-hash.ts';
import type { Environment } from './environment.ts';
import { STORE_FORMAT } from './environment.ts';
import { ManagementError } from './errors.ts';
import { encodeTree, versionKey } from './history.ts';
import { changesRunning } from './learned/tables.ts';
import type { ChangeSummary, Head, Table } from './records.ts';
import { openHead, openJson, sealHead, sealJson, weightOf } from './records.ts';
import type { Caller, Tally } from './request.ts';
import type { Retention } from './retention.ts';
import { limitHistory } from './retention.ts';
import type { HistoricChange, RowChanges } from './row-changes.ts';
import { inSlices } from './row-changes.ts';
import type { NewRows } from './row-write.ts';
import { bufferOf, NOTHING, tableOf, writeRows } from './row-write.ts';
import { keyOfNumber, rowKey } from './rows.ts';
import type { Snapshot } from './snapshot.ts';

/** Row keys have two octets for the table. */
const MAX_TABLES = 65_534;

export interface CommitContent {
  readonly caller: Caller;
  readonly comment?: string | undefined;
  /** RFC 7951 JSON of the small tree when it changed. */
  readonly tree?: unknown;
  readonly rows: CommittedRows;
  readonly startup: StartupFate;
}

/** Changed rows with their sealed values, each read as often as it is asked for. */
export interface CommittedRows
  extends NewRows,
    Iterable<Pick<HistoricChange, 'instance' | 'number' | 'sealedBefore' | 'sealedAfter'>> {
  readonly tallies: ReadonlyMap<string, Tally>;
}

/**
 * What a commit of running does to startup: there is none, and only one that was saved before stays; it stays as it is; or it
 * becomes what running is then (RFC 8040 §1.4).
 */
export type StartupFate = 'none' | 'stays' | 'saved';

export interface StartupContent<Rows = RowChanges> {
  readonly tree: unknown;
  /** What differs from running; none when it becomes running itself. */
  readonly rows?: Rows | undefined;
}

export interface StoreWrite {
  readonly commit?: CommitContent;
  /** Startup becomes running with these changes. */
  readonly startup?: StartupContent;
  readonly bootId?: string | undefined;
  /** The confirmed commit that is pending afterwards, null for none; without it, that stays as it is. */
  readonly pending?: PendingCommit | null | undefined;
  /** How much history is kept. */
  readonly retention: Retention;
  /** Rows of forgotten history that a write without a commit takes out; without it, many. */
  readonly tidied?: number | undefined;
}

/** The first state of a store that is created: version 1, one small tree, no rows. */
export function writeFirst(environment: Environment, tree: unknown, bootId: string): void {
  const time = new Date().toISOString();
  const head: Head = {
    version: 1,
    time,
    contentHash: new ContentHash().text,
    tables: new Map(),
    nextTable: 1,
    bootId,
    oldestChange: 2,
    oldestTime: time,
    takenOut: 2,
    keptChanges: 0,
  };
  environment.root.transactionSync(() => {
    put(environment.meta, 'format', Buffer.of(STORE_FORMAT));
    put(environment.tree, 'running', sealJson('running', tree));
    put(environment.meta, 'head', sealHead(head));
  });
}

/** A commit of running with everything worked out. */
export interface RunningWrite {
  readonly tree?: unknown;
  readonly rows: NewRows;
  readonly startup: StartupFate;
  /** Of the version it makes. */
  readonly summary: ChangeSummary;
  readonly contentHash: string;
}

/**
 * One durable transaction; what is costly about many rows is worked out before it, so that it holds up others shortly.
 * @throws Error of the system when the disk is full or fails; nothing is written then
 */
export async function writeCommit(environment: Environment, { commit, ...others }: StoreWrite): Promise<Head> {
  const before = readHead(environment);
  const running = commit && [await runningWrite(before, commit)];
  return writeTransaction(environment, { running, ...others });
}

/**
 * Commits one after the other in one durable transaction; the head that each makes, the last one being the store's.
 * @throws as writeCommit
 */
export async function writeCommits(
  environment: Environment,
  commits: readonly CommitContent[],
  retention: Retention,
): Promise<Head[]> {
  const heads: Head[] = [];
  const running: RunningWrite[] = [];
  let head = readHead(environment);
  for (const commit of commits) {
    const write = await runningWrite(head, commit);
    const { version, time } = write.summary;
    head = { ...head, version, time, contentHash: write.contentHash };
    running.push(write);
    heads.push(head);
  }
  const last = writeTransaction(environment, { running, retention });
  return [...heads.slice(0, -1), last];
}

async function runningWrite(before: Head, commit: CommitContent): Promise<RunningWrite> {
  return { ...commit, summary: summaryOf(before, commit), contentHash: await hashAfter(before, commit.rows) };
}

/** @throws Error of the system when the disk is full or fails; nothing is written then */
export function writeTransaction(
  environment: Environment,
  write: {
    readonly running?: readonly RunningWrite[] | undefined;
    readonly startup?: StartupContent<NewRows> | undefined;
    readonly bootId?: string | undefined;
    readonly pending?: PendingCommit | null | undefined;
    readonly retention: Retention;
    readonly tidied?: number | undefined;
  },
): Head {
  const { running = [], startup, bootId, pending, retention, tidied } = write;
  return environment.root.transactionSync(() => {
    let head = readHead(environment);
    if (bootId !== undefined) head = { ...head, bootId };
    for (const commit of running) head = writeRunning(environment, head, commit);
    if (startup) head = writeStartup(environment, head, startup);
    if (pending !== undefined) head = writePending(environment, head, pending);
    const weight = running.reduce((sum, { summary }) => sum + weightOf(summary), 0);
    head = limitHistory(environment, head, retention, weight, tidied);
    put(environment.meta, 'head', sealHead(head));
    return head;
  });
}

const PENDING = 'pending';

/** History is kept from the version on that a pending commit may return to. */
function writePending({ meta }: Environment, head: Head, pending: PendingCommit | null): Head {
  if (pending) put(meta, PENDING, sealJson(PENDING, pending));
  else meta.removeSync(Buffer.from(PENDING));
  return { ...head, protectedVersion: pending?.base };
}

/** The confirmed commit that a snapshot has pending. */
export function readPending(snapshot: Snapshot): PendingCommit | undefined {
  const octets = snapshot.get('meta', Buffer.from(PENDING));
  return octets && (openJson(PENDING, octets) as PendingCommit);
}

/** @throws Error when the store was not created by this program */
export function readHead({ root, meta }: Environment): Head {
  // What this thread read before may be older than what another one has written.
  root.resetReadTxn();
  const octets = meta.get(Buffer.from('head'));
  if (!octets) throw new Error('the store has no head: it was not created by this program');
  return openHead(octets);
}

function put(database: Environment['meta'], key: string, value: Buffer): void {
  void database.putSync(Buffer.from(key), value);
}

/** What a commit onto this head is on record as. Time never goes back, so that a moment has one version. */
export function summaryOf(head: Head, { caller, comment, tree, rows }: CommitContent): ChangeSummary {
  const time = new Date(Math.max(Date.now(), Date.parse(head.time))).toISOString();
  const { tallies } = rows;
  return { version: head.version + 1, time, caller, comment, treeChanged: tree !== undefined, tallies };
}

async function hashAfter({ contentHash }: Head, rows: CommittedRows): Promise<string> {
  const hash = new ContentHash(contentHash);
  await inSlices(rows, ({ instance, number, sealedBefore, sealedAfter }) => {
    if (sealedBefore) hash.subtract(instance, number, sealedBefore);
    if (sealedAfter) hash.add(instance, number, sealedAfter);
  });
  return hash.text;
}

function writeRunning(environment: Environment, head: Head, running: RunningWrite): Head {
  const { tree, rows, summary, contentHash } = running;
  const { version, time, tallies } = summary;
  if (version !== head.version + 1) throw new Error('another commit came between: commits stand in a queue');
  const { tables, nextTable } = tablesFor(head, rows);
  const keepsStartup = running.startup === 'stays' || (running.startup === 'none' && hasStartup(environment));
  if (keepsStartup) keepTreeForStartup(environment);
  writeRows(environment, tables, running, keepsStartup);
  for (const [instance, { added, removed }] of tallies) {
    const table = tableOf(tables, instance);
    tables.set(instance, { ...table, rows: table.rows + added - removed });
  }
  if (tree !== undefined) writeTree(environment, version, tree);
  if (running.startup === 'saved') saveStartup(environment);
  const keptChanges = head.keptChanges + weightOf(summary);
  const edited = changesRunning(tree !== undefined, tallies)
    ? undefined
    : (head.edited ?? { version: head.version, time: head.time });
  return { ...head, version, time, contentHash, tables, nextTable, keptChanges, edited };
}

function writeTree(environment: Environment, version: number, tree: unknown): void {
  const before = environment.tree.get(Buffer.from('running'));
  if (before) {
    const [last] = environment.treeHistory.getRange({ reverse: true, limit: 1 });
    const json = JSON.stringify(openJson('running', before));
    environment.treeHistory.putSync(versionKey(version), encodeTree(version, json, JSON.stringify(tree), last?.value));
  }
  put(environment.tree, 'running', sealJson('running', tree));
}

/** The tables of the head and one for each AFTR that had none. @throws ManagementError resource-denied */
function tablesFor(
  head: Head,
  rows: Pick<NewRows, 'instances'> | undefined,
): { tables: Map<string, Table>; nextTable: number } {
  const tables = new Map(head.tables);
  let { nextTable } = head;
  for (const instance of rows?.instances ?? []) {
    if (tables.has(instance)) continue;
    if (nextTable > MAX_TABLES) {
      const message = `the store has had tables of ${MAX_TABLES} different AFTRs and takes no further name; use one of them again`;
      throw new ManagementError('resource-denied', { message });
    }
    tables.set(instance, { number: nextTable++, rows: 0 });
  }
  return { tables, nextTable };
}

/** Startup stands on running: what a commit takes from running and startup had, startup keeps for itself. */
function keepTreeForStartup(environment: Environment): void {
  const kept = environment.tree.get(Buffer.from('startup'));
  if (kept && !kept.equals(AS_RUNNING)) return;
  const running = environment.tree.get(Buffer.from('running'));
  if (running) put(environment.tree, 'startup', sealJson('startup', openJson('running', running)));
}

/** In the place of startup's tree: it was saved when running was as it is now, and is kept from the next commit on that is no save. */
const AS_RUNNING = sealJson('startup', null);

function hasStartup({ tree }: Environment): boolean {
  return tree.get(Buffer.from('startup')) !== undefined;
}

/** Startup becomes running at no cost but that of what it had of its own. */
function saveStartup({ startup, tree }: Environment): void {
  const { entryCount } = startup.getStats() as { entryCount: number };
  if (entryCount > 0) startup.clearSync();
  if (!tree.get(Buffer.from('startup'))?.equals(AS_RUNNING)) put(tree, 'startup', AS_RUNNING);
}

function writeStartup(environment: Environment, head: Head, { tree, rows }: StartupContent<NewRows>): Head {
  const { tables, nextTable } = tablesFor(head, rows);
  environment.startup.clearSync();
  put(environment.tree, 'startup', sealJson('startup', tree));
  rows?.forEachChange((instance, number, _before, after) => {
    const key = rowKey(tableOf(tables, instance).number, keyOfNumber(number));
    environment.startup.putSync(key, after ? bufferOf(after) : NOTHING);
  });
  return { ...head, tables, nextTable };
}
