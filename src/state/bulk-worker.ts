/** The thread of a bulk write: hashes rows of running at once, then waits for the order to write them. */

import { parentPort, workerData } from 'node:worker_threads';
import type { BulkWriteAnswer, BulkWriteData, BulkWriteOrder, PackedTable } from './bulk-write.ts';
import { readHead, writeTransaction } from './commit.ts';
import { ContentHash } from './content-hash.ts';
import type { Environment } from './environment.ts';
import { openGeneration } from './environment.ts';
import { ManagementError } from './errors.ts';
import { DamageError } from './model-values.ts';
import type { Table } from './records.ts';
import type { ChangeWork, NewRows } from './row-write.ts';
import { keyOfNumber, numberOfKey, rowKey, tableKey } from './rows.ts';

/** The changed rows of one table as they are to be and, with a store, as they are in its running. */
class ChangedTable {
  readonly instance: string;
  readonly #after: PackedTable;
  /** Values as they are in the store, one after the other, with their ends. */
  #before = new Uint8Array(0);
  readonly #ends: Uint32Array;

  constructor(table: PackedTable, environment?: Environment) {
    this.instance = table.instance;
    this.#after = table;
    this.#ends = new Uint32Array(table.numbers.length);
    const known = environment && readHead(environment).tables.get(table.instance);
    if (known && known.rows > 0) this.#readBefore(environment, known);
  }

  *[Symbol.iterator](): Generator<
    readonly [number: number, before: Uint8Array | undefined, after: Uint8Array | undefined]
  > {
    const { numbers, ends, octets } = this.#after;
    for (let place = 0; place < numbers.length; place++) {
      yield [numbers[place] ?? 0, valueAt(this.#before, this.#ends, place), valueAt(octets, ends, place)];
    }
  }

  #readBefore(environment: Environment, table: Table): void {
    const { numbers } = this.#after;
    let length = 0;
    for (const [place, value] of beforeOf(environment, table, numbers)) {
      if (length + value.length > this.#before.length) this.#grow(length + value.length);
      this.#before.set(value, length);
      length += value.length;
      this.#ends[place] = length;
    }
    // A row that is new ends where the one before it does.
    for (let place = 1; place < numbers.length; place++) {
      if (this.#ends[place] === 0) this.#ends[place] = this.#ends[place - 1] ?? 0;
    }
  }

  #grow(needed: number): void {
    const larger = new Uint8Array(Math.max(needed, 1024, this.#before.length + Math.min(this.#before.length, STEP)));
    larger.set(this.#before);
    this.#before = larger;
  }
}

const STEP = 32 * 1024 ** 2;

function valueAt(octets: Uint8Array, ends: Uint32Array, place: number): Uint8Array | undefined {
  const [start, end] = [place === 0 ? 0 : (ends[place - 1] ?? 0), ends[place] ?? 0];
  return start === end ? undefined : octets.subarray(start, end);
}

/** The rows of the store among `numbers`, with their places: by one walk over the table, or by key when they are few in it. */
function* beforeOf(
  { bindings }: Environment,
  { number: table, rows }: Table,
  numbers: Float64Array,
): Generator<readonly [place: number, value: Uint8Array]> {
  const keyAt = (place: number) => rowKey(table, keyOfNumber(numbers[place] ?? 0));
  if (numbers.length * 4 < rows) {
    for (let place = 0; place < numbers.length; place++) {
      const value = bindings.get(keyAt(place));
      if (value) yield [place, value];
    }
    return;
  }
  let place = 0;
  for (const { key, value } of bindings.getRange({ start: keyAt(0), end: tableKey(table + 1) })) {
    const number = numberOfKey(key, 2);
    while ((numbers[place] ?? Number.POSITIVE_INFINITY) < number) place++;
    if (place === numbers.length) return;
    if (numbers[place] === number) yield [place, value];
  }
}

class ChangedTables implements NewRows {
  readonly #tables: readonly ChangedTable[];

  constructor(tables: readonly PackedTable[], environment?: Environment) {
    this.#tables = tables.map((table) => new ChangedTable(table, environment));
  }

  get instances(): string[] {
    return this.#tables.map(({ instance }) => instance);
  }

  forEachChange(work: ChangeWork): void {
    for (const table of this.#tables) {
      for (const [number, before, after] of table) work(table.instance, number, before, after);
    }
  }
}

/** The rows of a commit, and the hash of running with them. */
function hashed(
  tables: readonly PackedTable[],
  environment: Environment,
): { readonly rows: ChangedTables; readonly contentHash: string } {
  const rows = new ChangedTables(tables, environment);
  const hash = new ContentHash(readHead(environment).contentHash);
  rows.forEachChange((instance, number, before, after) => {
    if (before) hash.subtract(instance, number, before);
    if (after) hash.add(instance, number, after);
  });
  return { rows, contentHash: hash.text };
}

async function main(): Promise<void> {
  const order = new Promise<BulkWriteOrder>((resolve) => parentPort?.once('message', resolve));
  let answer: BulkWriteAnswer | undefined;
  try {
    answer = await write(workerData as BulkWriteData, order);
  } catch (error) {
    answer = faultOf(error);
  }
  if (answer) parentPort?.postMessage(answer);
}

/** Undefined when it was given up. */
async function write(
  { dir, tables, target }: BulkWriteData,
  order: Promise<BulkWriteOrder>,
): Promise<BulkWriteAnswer | undefined> {
  const environment = openGeneration(dir, 'write');
  try {
    const ofRunning = target === 'running' ? hashed(tables, environment) : undefined;
    const wanted = await order;
    if (!wanted) return undefined;
    const { running, startup, ...others } = wanted;
    const write = {
      ...others,
      running: running && ofRunning && [{ ...running, ...ofRunning }],
      startup: startup && { ...startup, rows: new ChangedTables(tables) },
    };
    return { head: writeTransaction(environment, write) };
  } finally {
    await environment.root.close();
  }
}

/** An error as it goes to another thread, which gets no classes. */
function faultOf(error: unknown): BulkWriteAnswer {
  if (error instanceof DamageError) return { kind: 'damage', message: error.message };
  if (error instanceof ManagementError) return { kind: 'refusal', tag: error.tag, message: error.message };
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const isCode = typeof code === 'string' || typeof code === 'number';
  return { kind: 'disk', message: String(error), code: isCode ? code : undefined };
}

await main();
