/** Writing to the store: one transaction over configuration, rows, change record and head; synced when it returns. */

import { addHash, hashText, sealedRowHash, subtractHash } from './content-hash.ts';
import type { Environment } from './environment.ts';
import { rowKey, STORE_FORMAT } from './environment.ts';
import { ManagementError } from './errors.ts';
import type { ChangeRecord, Head, Table } from './records.ts';
import { BULK_ROWS, changeKey, encodeChange, openHead, openJson, rowsInChange, sealHead, sealJson } from './records.ts';
import type { Caller, RowChange } from './request.ts';
import type { RowChanges } from './row-changes.ts';
import { inSlices } from './row-changes.ts';
import { keyOfNumber } from './rows.ts';

/** Change records, and rows in them, that are kept for whoever follows the store. */
const KEPT_CHANGES = 10_000;
const KEPT_ROWS = 100_000;
/** Row keys have two octets for the table. */
const MAX_TABLES = 65_534;

export interface CommitContent {
  readonly caller: Caller;
  /** RFC 7951 JSON of the small tree when it changed. */
  readonly tree?: unknown;
  readonly rows: RowChanges;
  /** Whether startup keeps what this commit takes from running; one that was saved before always does. */
  readonly hasStartup: boolean;
}

export interface StartupContent {
  readonly tree: unknown;
  /** What differs from running; none when it becomes running itself. */
  readonly rows?: RowChanges | undefined;
}

export interface StoreWrite {
  readonly commit?: CommitContent;
  /** Startup becomes running with these changes. */
  readonly startup?: StartupContent;
  readonly bootId?: string;
}

/** The first state of a store that is created: version 1, one small tree, no rows. */
export function writeFirst(environment: Environment, tree: unknown, bootId: string): void {
  const head: Head = {
    version: 1,
    time: new Date().toISOString(),
    contentHash: hashText(0n),
    tables: new Map(),
    nextTable: 1,
    bootId,
    oldestChange: 2,
    keptRows: 0,
  };
  environment.root.transactionSync(() => {
    put(environment.meta, 'format', Buffer.of(STORE_FORMAT));
    put(environment.tree, 'running', sealJson('running', tree));
    put(environment.meta, 'head', sealHead(head));
  });
}

/** Changed rows as they are to be. */
export interface NewRows {
  readonly instances: Iterable<string>;
  /** By how many rows the table of an AFTR grows. */
  growth(instance: string): number;
  forEachAfter(work: (instance: string, number: number, after: Uint8Array | undefined) => void): void;
}

/** A commit of running with everything worked out. */
export interface RunningWrite {
  readonly tree?: unknown;
  readonly rows: NewRows;
  readonly hasStartup: boolean;
  /** Of the version it makes. */
  readonly record: ChangeRecord;
  readonly contentHash: string;
}

/**
 * One durable transaction; what is costly about many rows is worked out before it, so that it holds up others shortly.
 * @throws Error of the system when the disk is full or fails; nothing is written then
 */
export async function writeCommit(environment: Environment, { commit, startup, bootId }: StoreWrite): Promise<Head> {
  const before = readHead(environment);
  const running = commit && {
    ...commit,
    record: recordOf(before.version, commit, commit.rows),
    contentHash: await hashAfter(before, commit.rows),
  };
  return writeTransaction(environment, { running, startup, bootId });
}

/** @throws Error of the system when the disk is full or fails; nothing is written then */
export function writeTransaction(
  environment: Environment,
  write: {
    readonly running?: RunningWrite | undefined;
    readonly startup?: StartupContent | undefined;
    readonly bootId?: string | undefined;
  },
): Head {
  const { running, startup, bootId } = write;
  return environment.root.transactionSync(() => {
    let head = readHead(environment);
    if (bootId !== undefined) head = { ...head, bootId };
    if (running) head = writeRunning(environment, head, running);
    if (startup) head = writeStartup(environment, head, startup);
    put(environment.meta, 'head', sealHead(head));
    return head;
  });
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

/** What a commit onto version `before` leaves behind with these rows; of very many only their number. */
export function recordOf(
  before: number,
  { caller, tree, rows }: CommitContent,
  kept: Iterable<RowChange>,
): ChangeRecord {
  const bulk = rows.size > BULK_ROWS;
  const time = new Date().toISOString();
  const about = { version: before + 1, time, caller, treeChanged: tree !== undefined, tally: rows.tally };
  return { ...about, bulk, rows: bulk ? [] : [...kept] };
}

async function hashAfter({ contentHash }: Head, rows: RowChanges): Promise<string> {
  let hash = BigInt(`0x${contentHash}`);
  await inSlices(rows, ({ instance, number, sealedBefore, sealedAfter }) => {
    const key = keyOfNumber(number);
    if (sealedBefore) hash = subtractHash(hash, sealedRowHash(instance, key, sealedBefore));
    if (sealedAfter) hash = addHash(hash, sealedRowHash(instance, key, sealedAfter));
  });
  return hashText(hash);
}

function writeRunning(environment: Environment, head: Head, running: RunningWrite): Head {
  const { tree, rows, hasStartup, record, contentHash } = running;
  if (record.version !== head.version + 1) throw new Error('another commit came between: commits stand in a queue');
  const { tables, nextTable } = tablesFor(head, rows);
  const keepsStartup = hasStartup || environment.tree.get(Buffer.from('startup')) !== undefined;
  if (keepsStartup) keepTreeForStartup(environment);
  rows.forEachAfter((instance, number, after) => {
    const key = rowKey(tableOf(tables, instance).number, keyOfNumber(number));
    if (keepsStartup && environment.startup.get(key) === undefined) {
      environment.startup.putSync(key, environment.bindings.get(key) ?? NOTHING);
    }
    if (after) environment.bindings.putSync(key, bufferOf(after));
    else environment.bindings.removeSync(key);
  });
  for (const instance of rows.instances) {
    const table = tableOf(tables, instance);
    tables.set(instance, { ...table, rows: table.rows + rows.growth(instance) });
  }
  if (tree !== undefined) put(environment.tree, 'running', sealJson('running', tree));
  const kept = keepRecord(environment, head, record);
  return { ...head, ...kept, version: record.version, time: record.time, contentHash, tables, nextTable };
}

const NOTHING = Buffer.alloc(0);

function bufferOf(octets: Uint8Array): Buffer {
  return Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength);
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

function tableOf(tables: ReadonlyMap<string, Table>, instance: string): Table {
  const table = tables.get(instance);
  if (!table) throw new Error(`the AFTR ${instance} has no table in the store`);
  return table;
}

/** Writes the change record and drops the oldest ones beyond the limits; the newest one always stays. */
function keepRecord(
  environment: Environment,
  head: Head,
  record: ChangeRecord,
): { oldestChange: number; keptRows: number } {
  environment.changes.putSync(changeKey(record.version), encodeChange(record));
  let keptRows = head.keptRows + record.rows.length;
  let { oldestChange } = head;
  while (oldestChange <= record.version - KEPT_CHANGES || (keptRows > KEPT_ROWS && oldestChange < record.version)) {
    const octets = environment.changes.get(changeKey(oldestChange));
    if (octets) keptRows -= rowsInChange(oldestChange, octets);
    environment.changes.removeSync(changeKey(oldestChange++));
  }
  return { oldestChange, keptRows };
}

/** Startup stands on running: what a commit takes from running and startup had, startup keeps for itself. */
function keepTreeForStartup(environment: Environment): void {
  if (environment.tree.get(Buffer.from('startup')) !== undefined) return;
  const running = environment.tree.get(Buffer.from('running'));
  if (running) put(environment.tree, 'startup', sealJson('startup', openJson('running', running)));
}

function writeStartup(environment: Environment, head: Head, { tree, rows }: StartupContent): Head {
  const { tables, nextTable } = tablesFor(head, rows);
  environment.startup.clearSync();
  put(environment.tree, 'startup', sealJson('startup', tree));
  rows?.forEachAfter((instance, number, after) => {
    const key = rowKey(tableOf(tables, instance).number, keyOfNumber(number));
    environment.startup.putSync(key, after ? bufferOf(after) : NOTHING);
  });
  return { ...head, tables, nextTable };
}
