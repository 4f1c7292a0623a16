import type { Transaction } from 'lmdb';
import type { DatabaseName, Environment } from './environment.ts';
import { generationIn, HEAD_KEY, hold, NEXT_GENERATION_KEY } from './environment.ts';
import type { Head } from './records.ts';
import { openHead, openJson } from './records.ts';
import type { SealedRow } from './rows.ts';
import { keyOfNumber, numberOfKey, RowSource, rowKey, tableKey } from './rows.ts';

export interface StartupRow {
  readonly instance: string;
  readonly key: Uint8Array;
  readonly value: Buffer;
}

/** One consistent state of the store. To be closed; reading after that is a mistake of ours. */
export class Snapshot extends RowSource {
  readonly head: Head | undefined;
  readonly #environment: Environment;
  readonly #transaction: Transaction;
  readonly #release: () => void;
  /** Cursors under way. One that is left behind would hold the transaction, and with it old pages, for ever. */
  readonly #cursors = new Set<Iterator<unknown, unknown, undefined>>();
  #open = true;

  constructor(environment: Environment) {
    super();
    this.#environment = environment;
    this.#release = hold(environment);
    environment.root.resetReadTxn();
    this.#transaction = environment.root.useReadTransaction();
    try {
      const head = this.get('meta', HEAD_KEY);
      this.head = head && openHead(head);
    } catch (error) {
      this.#end();
      throw error;
    }
  }

  /** The generation that has taken the place of this one. */
  get nextGeneration(): number | undefined {
    return generationIn(this.get('meta', NEXT_GENERATION_KEY));
  }

  /** RFC 7951 JSON of a small tree; undefined when there is none. */
  tree(name: 'running' | 'startup'): unknown {
    const octets = this.get('tree', Buffer.from(name));
    return octets && openJson(name, octets);
  }

  sealed(instance: string, number: number): Uint8Array | undefined {
    const table = this.tableOf(instance);
    return table === undefined ? undefined : this.get('bindings', rowKey(table, keyOfNumber(number)));
  }

  *sealedRows(instance: string, from = 0): Generator<SealedRow> {
    const table = this.tableOf(instance);
    if (table === undefined) return;
    for (const { key, value } of this.range('bindings', rowKey(table, keyOfNumber(from)), tableKey(table + 1))) {
      yield { number: numberOfKey(key, 2), value };
    }
  }

  *sealedRowsBack(instance: string, from = Number.POSITIVE_INFINITY): Generator<SealedRow> {
    const table = this.tableOf(instance);
    if (table === undefined) return;
    const start = from === Number.POSITIVE_INFINITY ? tableKey(table + 1) : rowKey(table, keyOfNumber(from));
    for (const { key, value } of this.#walk('bindings', { start, end: tableKey(table), reverse: true })) {
      yield { number: numberOfKey(key, 2), value };
    }
  }

  /** What startup says of rows instead of running: key without instance number -> sealed row, empty for none. */
  *startupRows(): Generator<StartupRow> {
    const names = new Map([...(this.head?.tables ?? [])].map(([name, { number }]) => [number, name]));
    for (const { key, value } of this.range('startup')) {
      yield { instance: names.get((key[0] ?? 0) * 256 + (key[1] ?? 0)) ?? '', key: key.subarray(2), value };
    }
  }

  override passingRows(instance: string): Generator<SealedRow> {
    const table = this.tableOf(instance);
    return this.#guarded(() => {
      return table === undefined ? undefined : this.#environment.passing.walk(table, this.#transaction);
    });
  }

  /** The store passes over keys by itself, about ten a microsecond; no value is read. */
  override nth(instance: string, count: number, isBackwards = false, from?: number): number | undefined {
    const table = this.tableOf(instance);
    if (table === undefined) return undefined;
    this.#requireOpen();
    const [low, high] = [tableKey(table), tableKey(table + 1)];
    const start = from === undefined ? (isBackwards ? high : low) : rowKey(table, keyOfNumber(from));
    const range = { start, end: isBackwards ? low : high, reverse: isBackwards, offset: count, limit: 1 };
    for (const key of this.#environment.bindings.getKeys({ ...range, transaction: this.#transaction })) {
      return numberOfKey(key, 2);
    }
    return undefined;
  }

  count(instance: string): number {
    return this.head?.tables.get(instance)?.rows ?? 0;
  }

  /** What stands for the AFTR in row keys; undefined when it never had rows. */
  tableOf(instance: string): number | undefined {
    return this.head?.tables.get(instance)?.number;
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    for (const cursor of this.#cursors) cursor.return?.();
    this.#end();
  }

  #end(): void {
    this.#transaction.done();
    this.#release();
  }

  /** Entries of a database from `start` to before `end`, in key order. */
  range(
    name: DatabaseName,
    start?: Buffer,
    end?: Buffer,
  ): Generator<{ readonly key: Uint8Array; readonly value: Buffer }> {
    return this.#walk(name, { ...(start && { start }), ...(end && { end }) });
  }

  #walk(
    name: DatabaseName,
    bounds: { readonly start?: Buffer; readonly end?: Buffer; readonly reverse?: boolean },
  ): Generator<{ readonly key: Uint8Array; readonly value: Buffer }> {
    return this.#guarded(() => {
      return this.#environment[name].getRange({ ...bounds, transaction: this.#transaction })[Symbol.iterator]();
    });
  }

  /** A cursor that ends with this snapshot, and is no longer read then. */
  *#guarded<T>(open: () => Iterator<T, unknown, undefined> | undefined): Generator<T> {
    this.#requireOpen();
    const cursor = open();
    if (cursor === undefined) return;
    this.#cursors.add(cursor);
    try {
      for (let next = cursor.next(); !next.done; next = cursor.next()) {
        yield next.value;
        this.#requireOpen();
      }
    } finally {
      this.#cursors.delete(cursor);
      cursor.return?.();
    }
  }

  /** The first entry of a database from `start` to before `end`. */
  first(
    name: DatabaseName,
    start: Buffer,
    end: Buffer,
  ): { readonly key: Uint8Array; readonly value: Buffer } | undefined {
    for (const entry of this.range(name, start, end)) return entry;
    return undefined;
  }

  /** The last entry of a database behind `from`, up to and including `to`. */
  last(name: DatabaseName, from: Buffer, to: Buffer): { readonly key: Uint8Array; readonly value: Buffer } | undefined {
    for (const entry of this.#walk(name, { start: to, end: from, reverse: true })) return entry;
    return undefined;
  }

  get(name: DatabaseName, key: Buffer): Buffer | undefined {
    this.#requireOpen();
    return this.#environment[name].get(key, { transaction: this.#transaction });
  }

  #requireOpen(): void {
    if (!this.#open) throw new Error('a snapshot of the store was read after it was closed');
  }
}
