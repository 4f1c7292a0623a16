/** Writing to the store: one transaction over configuration, rows, change record and head; synced when it returns. */

import { addHash, hashText, rowHash, subtractHash } from './content-hash.ts';
import { tally } from './draft.ts';
import type { Environment } from './environment.ts';
import { rowKey, STORE_FORMAT } from './environment.ts';
import { ManagementError } from './errors.ts';
import type { Binding } from './model.generated.ts';
import { encodeBinding } from './model.generated.ts';
import type { ChangeRecord, Head, Table } from './records.ts';
import { BULK_ROWS, changeKey, encodeChange, openHead, openJson, rowsInChange, sealHead, sealJson } from './records.ts';
import type { Caller, RowChange } from './request.ts';

/** Change records, and rows in them, that are kept for whoever follows the store. */
const KEPT_CHANGES = 10_000;
const KEPT_ROWS = 100_000;
/** Row keys have two octets for the table. */
const MAX_TABLES = 65_534;

export interface CommitContent {
  readonly caller: Caller;
  /** RFC 7951 JSON of the small tree when it changed. */
  readonly tree?: unknown;
  readonly rows: readonly RowChange[];
  /** Whether startup keeps what this commit takes from running; one that was saved before always does. */
  readonly hasStartup: boolean;
}

export interface StartupContent {
  readonly tree: unknown;
  readonly rows: readonly RowChange[];
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

/**
 * One durable transaction.
 * @throws Error of the system when the disk is full or fails; nothing is written then
 */
export function writeCommit(environment: Environment, write: StoreWrite): Head {
  return environment.root.transactionSync(() => {
    const octets = environment.meta.get(Buffer.from('head'));
    if (!octets) throw new Error('the store has no head: it was not created by this program');
    let head = openHead(octets);
    if (write.bootId !== undefined) head = { ...head, bootId: write.bootId };
    if (write.commit) head = writeRunning(environment, head, write.commit);
    if (write.startup) head = writeStartup(environment, head, write.startup);
    put(environment.meta, 'head', sealHead(head));
    return head;
  });
}

function put(database: Environment['meta'], key: string, value: Buffer): void {
  void database.putSync(Buffer.from(key), value);
}

function writeRunning(environment: Environment, head: Head, { caller, tree, rows, hasStartup }: CommitContent): Head {
  const { tables, nextTable } = tablesFor(head, rows);
  const encode = encodeOnce();
  if (hasStartup || environment.tree.get(Buffer.from('startup'))) keepForStartup(environment, tables, rows);
  let hash = BigInt(`0x${head.contentHash}`);
  for (const { instance, before, after } of rows) {
    const table = tableOf(tables, instance);
    tables.set(instance, { ...table, rows: table.rows + (after ? 1 : 0) - (before ? 1 : 0) });
    if (before) hash = subtractHash(hash, rowHash(instance, before, encode(before)));
    if (after) {
      hash = addHash(hash, rowHash(instance, after, encode(after)));
      environment.bindings.putSync(rowKey(table.number, after), encode(after));
    } else if (before) environment.bindings.removeSync(rowKey(table.number, before));
  }
  if (tree !== undefined) put(environment.tree, 'running', sealJson('running', tree));
  const version = head.version + 1;
  const time = new Date().toISOString();
  const bulk = rows.length > BULK_ROWS;
  const about = { version, time, caller, treeChanged: tree !== undefined, tally: tally(rows) };
  const record = { ...about, bulk, rows: bulk ? [] : rows };
  const kept = keepRecord(environment, head, record, encode);
  return { ...head, ...kept, version, time, contentHash: hashText(hash), tables, nextTable };
}

type Encode = (binding: Binding) => Buffer;

/** A row's value goes into the table, the hash and the change record; it is made once. */
function encodeOnce(): Encode {
  const known = new Map<Binding, Buffer>();
  return (binding) => {
    let octets = known.get(binding);
    if (!octets) {
      octets = Buffer.from(encodeBinding(binding));
      known.set(binding, octets);
    }
    return octets;
  };
}

/** The tables of the head and one for each AFTR that had none. @throws ManagementError resource-denied */
function tablesFor(head: Head, rows: readonly RowChange[]): { tables: Map<string, Table>; nextTable: number } {
  const tables = new Map(head.tables);
  let { nextTable } = head;
  for (const { instance } of rows) {
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
  encode: Encode,
): { oldestChange: number; keptRows: number } {
  environment.changes.putSync(changeKey(record.version), encodeChange(record, encode));
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
function keepForStartup(
  environment: Environment,
  tables: ReadonlyMap<string, Table>,
  rows: readonly RowChange[],
): void {
  if (environment.tree.get(Buffer.from('startup')) === undefined) {
    const running = environment.tree.get(Buffer.from('running'));
    if (running) put(environment.tree, 'startup', sealJson('startup', openJson('running', running)));
  }
  for (const { instance, before, after } of rows) {
    const prefix = before ?? after;
    if (!prefix) continue;
    const key = rowKey(tableOf(tables, instance).number, prefix);
    if (environment.startup.get(key) === undefined) environment.startup.putSync(key, rowOrNothing(before));
  }
}

function writeStartup(environment: Environment, head: Head, { tree, rows }: StartupContent): Head {
  const { tables, nextTable } = tablesFor(head, rows);
  environment.startup.clearSync();
  put(environment.tree, 'startup', sealJson('startup', tree));
  for (const { instance, before, after } of rows) {
    const prefix = after ?? before;
    if (prefix) environment.startup.putSync(rowKey(tableOf(tables, instance).number, prefix), rowOrNothing(after));
  }
  return { ...head, tables, nextTable };
}

function rowOrNothing(binding: Binding | undefined): Buffer {
  return binding ? Buffer.from(encodeBinding(binding)) : Buffer.alloc(0);
}
