/**
 * The LMDB environment: one file that management writes and the datapath reads. Databases:
 *
 *     meta      head, and the number of the form of this file
 *     tree      running, startup: the small trees
 *     bindings  | instance, 2 octets | address, 4 | length, 1 |  ->  row
 *     startup   the same keys -> what startup has instead of running: a row, or nothing when it has none
 *     changes   version, 8 octets -> change record
 *
 * A commit is one write transaction over all of them, synced before anybody is told.
 */

import { accessSync, constants, existsSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Database, RootDatabase, Transaction } from 'lmdb';
import { open } from 'lmdb';
import type { Ipv4Prefix } from '../address.ts';
import type { Binding } from './model.generated.ts';
import { decodeBinding } from './model.generated.ts';
import type { ChangeRecord, Head } from './records.ts';
import { changeKey, decodeChange, openJson } from './records.ts';
import { bindingKey } from './row-form.ts';
import type { RowSource } from './rows.ts';

/** Number of the form of the file; a program refuses a newer one. */
export const STORE_FORMAT = 1;
const MAP_SIZE = 16 * 1024 ** 3;
const FILE = 'data.mdb';
const BINARY = { encoding: 'binary', keyEncoding: 'binary', cache: false } as const;

type Rows = Database<Buffer, Buffer>;

export interface Environment {
  readonly root: RootDatabase<Buffer, Buffer>;
  readonly meta: Rows;
  readonly tree: Rows;
  readonly bindings: Rows;
  readonly startup: Rows;
  readonly changes: Rows;
}

/**
 * Opens the store in `dir`; a writer creates it.
 * @throws Error with code STORE_MISSING (reader), STORE_NEWER, STORE_DAMAGED or STORE_ACCESS and a sentence
 */
export function openEnvironment(dir: string, mode: 'write' | 'read'): Environment {
  const isReader = mode === 'read';
  if (isReader && !isWritten(dir)) {
    throw storeError('STORE_MISSING', `there is no store in ${dir}; management creates it at its first start`);
  }
  if (!isReader) makeWritable(dir);
  const root = open<Buffer, Buffer>({
    path: dir,
    ...BINARY,
    mapSize: MAP_SIZE,
    maxDbs: 8,
    noSubdir: false,
    overlappingSync: false,
    readOnly: isReader,
  });
  const database = (name: string): Rows => root.openDB<Buffer, Buffer>({ name, ...BINARY });
  try {
    const environment: Environment = {
      root,
      meta: database('meta'),
      tree: database('tree'),
      bindings: database('bindings'),
      startup: database('startup'),
      changes: database('changes'),
    };
    checkFormat(environment, dir);
    return environment;
  } catch (error) {
    void root.close();
    throw error;
  }
}

function isWritten(dir: string): boolean {
  const file = join(dir, FILE);
  return existsSync(file) && statSync(file).size > 0;
}

function makeWritable(dir: string): void {
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    accessSync(dir, constants.R_OK | constants.W_OK);
    if (existsSync(join(dir, FILE))) accessSync(join(dir, FILE), constants.R_OK | constants.W_OK);
  } catch (cause) {
    const user = process.getuid?.() ?? 'this user';
    throw storeError('STORE_ACCESS', `the store in ${dir} cannot be written by user ${user}: ${String(cause)}`);
  }
}

function checkFormat(environment: Environment, dir: string): void {
  const format = environment.meta.get(Buffer.from('format'));
  if (format === undefined || format[0] === STORE_FORMAT) return;
  const found = format[0] ?? 0;
  const message = `the store in ${dir} has form ${found}, this program knows ${STORE_FORMAT}: use a newer program or another state directory`;
  throw storeError(found > STORE_FORMAT ? 'STORE_NEWER' : 'STORE_DAMAGED', message);
}

function storeError(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}

/** The key of a row: its table's number, then the prefix. */
export function rowKey(instance: number, { address, length }: Ipv4Prefix): Buffer {
  return Buffer.concat([Buffer.of(instance >>> 8, instance & 255), bindingKey(address, length)]);
}

/** One consistent state of the store. To be closed; reading after that is a mistake of ours. */
export class Snapshot implements RowSource {
  readonly head: Head | undefined;
  readonly #environment: Environment;
  readonly #transaction: Transaction;
  #open = true;

  constructor(environment: Environment) {
    this.#environment = environment;
    environment.root.resetReadTxn();
    this.#transaction = environment.root.useReadTransaction();
    const head = this.#get(environment.meta, Buffer.from('head'));
    this.head = head && (openJson('head', head) as Head);
  }

  /** RFC 7951 JSON of a small tree; undefined when there is none. */
  tree(name: 'running' | 'startup'): unknown {
    const octets = this.#get(this.#environment.tree, Buffer.from(name));
    return octets && openJson(name, octets);
  }

  binding(instance: string, address: number, length: number): Binding | undefined {
    const number = this.head?.instances[instance];
    if (number === undefined) return undefined;
    const value = this.#get(this.#environment.bindings, rowKey(number, { address, length }));
    return value && decodeBinding(bindingKey(address, length), value);
  }

  *bindings(instance: string, from: Ipv4Prefix = { address: 0, length: 0 }): Generator<Binding> {
    const number = this.head?.instances[instance];
    if (number === undefined) return;
    const end = Buffer.of((number + 1) >>> 8, (number + 1) & 255);
    yield* this.#range(this.#environment.bindings, rowKey(number, from), end);
  }

  *#range(database: Rows, start: Buffer, end: Buffer): Generator<Binding> {
    for (const { key, value } of database.getRange({ start, end, transaction: this.#transaction })) {
      yield decodeBinding(key.subarray(2), value);
      if (!this.#open) throw new Error('a snapshot of the store was read after it was closed');
    }
  }

  /** What startup says of rows instead of running: key without instance number -> row, or null for none. */
  *startupRows(): Generator<{
    readonly instance: string;
    readonly key: Buffer;
    readonly binding: Binding | undefined;
  }> {
    const names = new Map(Object.entries(this.head?.instances ?? {}).map(([name, number]) => [number, name]));
    for (const { key, value } of this.#environment.startup.getRange({ transaction: this.#transaction })) {
      const binding = value.length === 0 ? undefined : decodeBinding(key.subarray(2), value);
      yield { instance: names.get(key.readUInt16BE(0)) ?? '', key: Buffer.from(key.subarray(2)), binding };
    }
  }

  count(instance: string): number {
    return this.head?.counts[instance] ?? 0;
  }

  change(version: number): ChangeRecord | undefined {
    const octets = this.#get(this.#environment.changes, changeKey(version));
    return octets && decodeChange(version, octets);
  }

  close(): void {
    if (this.#open) this.#transaction.done();
    this.#open = false;
  }

  #get(database: Rows, key: Buffer): Buffer | undefined {
    if (!this.#open) throw new Error('a snapshot of the store was read after it was closed');
    return database.get(key, { transaction: this.#transaction });
  }
}
