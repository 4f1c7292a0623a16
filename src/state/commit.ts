/** Writing to the store: one transaction over configuration, rows, change record and head; synced when it returns. */

import { addHash, hashText, rowHash, subtractHash } from './content-hash.ts';
import type { Environment } from './environment.ts';
import { rowKey, STORE_FORMAT } from './environment.ts';
import { encodeBinding } from './model.generated.ts';
import type { Head } from './records.ts';
import { BULK_ROWS, changeKey, encodeChange, openJson, sealJson } from './records.ts';
import type { Caller, RowChange } from './request.ts';

/** Change records that are kept for whoever follows the store. */
const KEPT_CHANGES = 10_000;

export interface CommitContent {
  readonly caller: Caller;
  /** RFC 7951 JSON of the small tree when it changed. */
  readonly tree?: unknown;
  readonly rows: readonly RowChange[];
  /** Startup stays where it is relative to running: nothing is kept for it. */
  readonly keepsStartup: boolean;
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
    instances: {},
    nextInstance: 1,
    counts: {},
    bootId,
    oldestChange: 2,
  };
  environment.root.transactionSync(() => {
    put(environment.meta, 'format', Buffer.of(STORE_FORMAT));
    put(environment.tree, 'running', sealJson('running', tree));
    put(environment.meta, 'head', sealJson('head', head));
  });
}

/**
 * One durable transaction.
 * @throws Error of the system when the disk is full or fails; nothing is written then
 */
export function writeCommit(environment: Environment, write: StoreWrite): { version: number; time: Date } {
  return environment.root.transactionSync(() => {
    const octets = environment.meta.get(Buffer.from('head'));
    if (!octets) throw new Error('the store has no head: it was not created by this program');
    let head = openJson('head', octets) as Head;
    if (write.bootId !== undefined) head = { ...head, bootId: write.bootId };
    if (write.commit) head = writeRunning(environment, head, write.commit);
    if (write.startup) writeStartup(environment, head, write.startup);
    put(environment.meta, 'head', sealJson('head', head));
    return { version: head.version, time: new Date(head.time) };
  });
}

function put(database: Environment['meta'], key: string, value: Buffer): void {
  void database.putSync(Buffer.from(key), value);
}

function writeRunning(environment: Environment, head: Head, { caller, tree, rows, keepsStartup }: CommitContent): Head {
  const instances = { ...head.instances };
  const counts = { ...head.counts };
  let { nextInstance } = head;
  let hash = BigInt(`0x${head.contentHash}`);
  if (!keepsStartup) keepForStartup(environment, head, rows);
  for (const { instance, before, after } of rows) {
    const number = instances[instance] ?? nextInstance++;
    instances[instance] = number;
    counts[instance] = (counts[instance] ?? 0) + (after ? 1 : 0) - (before ? 1 : 0);
    if (before) hash = subtractHash(hash, rowHash(instance, before));
    if (after) {
      hash = addHash(hash, rowHash(instance, after));
      environment.bindings.putSync(rowKey(number, after), Buffer.from(encodeBinding(after)));
    } else if (before) environment.bindings.removeSync(rowKey(number, before));
  }
  if (tree !== undefined) put(environment.tree, 'running', sealJson('running', tree));
  const version = head.version + 1;
  const time = new Date().toISOString();
  const bulk = rows.length > BULK_ROWS;
  const record = { version, time, caller, treeChanged: tree !== undefined, bulk, rows: bulk ? [] : rows };
  environment.changes.putSync(changeKey(version), encodeChange(record));
  const oldestChange = dropOldChanges(environment, head.oldestChange, version);
  return { ...head, version, time, contentHash: hashText(hash), instances, nextInstance, counts, oldestChange };
}

function dropOldChanges(environment: Environment, oldest: number, version: number): number {
  let next = oldest;
  for (; next <= version - KEPT_CHANGES; next++) environment.changes.removeSync(changeKey(next));
  return next;
}

/** Startup stands on running: what a commit takes from running and startup had, startup keeps for itself. */
function keepForStartup(environment: Environment, head: Head, rows: readonly RowChange[]): void {
  if (environment.tree.get(Buffer.from('startup')) === undefined) {
    const running = environment.tree.get(Buffer.from('running'));
    if (running) put(environment.tree, 'startup', sealJson('startup', openJson('running', running)));
  }
  for (const { instance, before, after } of rows) {
    const number = head.instances[instance];
    const prefix = before ?? after;
    if (number === undefined || !prefix) continue;
    const key = rowKey(number, prefix);
    if (environment.startup.get(key) !== undefined) continue;
    environment.startup.putSync(key, before ? Buffer.from(encodeBinding(before)) : Buffer.alloc(0));
  }
}

function writeStartup(environment: Environment, head: Head, { tree, rows }: StartupContent): void {
  environment.startup.clearSync();
  put(environment.tree, 'startup', sealJson('startup', tree));
  for (const { instance, before, after } of rows) {
    const number = head.instances[instance];
    const prefix = after ?? before;
    if (number === undefined || !prefix) continue;
    environment.startup.putSync(rowKey(number, prefix), after ? Buffer.from(encodeBinding(after)) : Buffer.alloc(0));
  }
}
