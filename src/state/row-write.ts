/** The rows of a commit of running, in its transaction. */

import type { Environment } from './environment.ts';
import { emptyTableKey, rowHistoryKey } from './history.ts';
import { isOperational } from './learned/tables.ts';
import type { ChangeSummary, Table } from './records.ts';
import { ChangedRows, changeKey, encodeChange, weightOf } from './records.ts';
import type { Entry, Put } from './rewrite.ts';
import { append, isWorthRewriting, rewrite } from './rewrite.ts';
import { keyOfNumber, rowKey, tableKey } from './rows.ts';

/** One changed row with its sealed values; undefined where there is no row. */
export type ChangeWork = (
  instance: string,
  number: number,
  before: Uint8Array | undefined,
  after: Uint8Array | undefined,
) => void;

/** Changed rows, table by table in key order. */
export interface NewRows {
  readonly instances: Iterable<string>;
  forEachChange(work: ChangeWork): void;
}

interface RowWrite {
  readonly rows: NewRows;
  /** Of the version it makes. */
  readonly summary: ChangeSummary;
}

/** As they were before, with one for each AFTR that had none. */
type Tables = ReadonlyMap<string, Table>;

/** For a row that is not there. */
export const NOTHING = Buffer.alloc(0);

/**
 * What changed rows were before, which they are, and the rows: one after the other, not row by row. Each takes pages that follow
 * one another, and gives them back so: LMDB looks through its list of free pages in every transaction, and one range is one entry.
 */
export function writeRows(environment: Environment, tables: Tables, running: RowWrite, keepsStartup: boolean): void {
  if (keepsStartup) keepForStartup(environment, tables, running);
  writeRowHistory(environment, tables, running);
  writeChanges(environment, tables, running);
  // Last: within the transaction whoever reads a row as it was before finds it as it is.
  writeBindings(environment, tables, running);
}

function writeBindings({ bindings }: Environment, tables: Tables, { rows, summary }: RowWrite): void {
  const forEach = (work: (key: Buffer, after: Uint8Array | undefined) => void) => {
    rows.forEachChange((instance, number, _before, after) => {
      work(rowKey(tableOf(tables, instance).number, keyOfNumber(number)), after);
    });
  };
  const others = () => [...tables].filter(([instance]) => !summary.tallies.has(instance)).map(([, table]) => table);
  const countKept = () => {
    const isWhole = [...summary.tallies].every(
      ([instance, { changed, removed }]) => changed + removed === tableOf(tables, instance).rows,
    );
    return isWhole && isInOrder(rows, tables) ? others().reduce((sum, { rows: count }) => sum + count, 0) : NEVER;
  };
  if (isWorthRewriting(weightOf(summary), countKept)) {
    rewrite(bindings, rowsOfTables(bindings, others()), (put) =>
      forEach((key, after) => after && put(key, bufferOf(after))),
    );
  } else forEach((key, after) => (after ? bindings.putSync(key, bufferOf(after)) : bindings.removeSync(key)));
}

/** Too many to write a database anew. */
const NEVER = Number.POSITIVE_INFINITY;

function* rowsOfTables(bindings: Environment['bindings'], tables: readonly Table[]): Generator<Entry> {
  for (const { number } of [...tables].sort((a, b) => a.number - b.number)) {
    yield* bindings.getRange({ start: tableKey(number), end: tableKey(number + 1) });
  }
}

/** Whether the tables come in the order of their numbers, and with them the keys of the rows. */
function isInOrder({ instances }: NewRows, tables: Tables): boolean {
  const numbers = [...instances].map((instance) => tableOf(tables, instance).number);
  return numbers.every((number, index) => index === 0 || number > (numbers[index - 1] ?? 0));
}

/** Startup stands on running: what a commit takes from running and startup had, startup keeps for itself. */
function keepForStartup(environment: Environment, tables: Tables, { rows }: RowWrite): void {
  const { startup } = environment;
  rows.forEachChange((instance, number, before) => {
    if (isOperational(instance)) return;
    const key = rowKey(tableOf(tables, instance).number, keyOfNumber(number));
    if (startup.get(key) === undefined) startup.putSync(key, before ? bufferOf(before) : NOTHING);
  });
}

function writeRowHistory({ rowHistory }: Environment, tables: Tables, { rows, summary }: RowWrite): void {
  const { version } = summary;
  for (const instance of rows.instances) {
    const { number, rows: count } = tableOf(tables, instance);
    if (count === 0) rowHistory.putSync(emptyTableKey(number, version), NOTHING);
  }
  const putAll = (put: Put) => {
    rows.forEachChange((instance, number, before) => {
      const table = tableOf(tables, instance);
      if (table.rows === 0) return;
      put(rowHistoryKey(table.number, number, version), before ? bufferOf(before) : NOTHING);
    });
  };
  const countKept = () => {
    const { entryCount } = rowHistory.getStats() as { entryCount: number };
    return isInOrder(rows, tables) ? entryCount : NEVER;
  };
  const known = new Map([...summary.tallies].filter(([instance]) => tableOf(tables, instance).rows > 0));
  if (isWorthRewriting(weightOf({ tallies: known }), countKept)) rewrite(rowHistory, rowHistory.getRange(), putAll);
  else putAll((key, value) => rowHistory.putSync(key, value));
}

function writeChanges({ changes }: Environment, tables: Tables, { rows, summary }: RowWrite): void {
  const { version } = summary;
  const changed = new ChangedRows();
  let part = 0;
  const putPart = () => {
    const octets = encodeChange(version, part, changed.take(), part === 0 ? summary : undefined);
    append(changes, changeKey(version, part), octets);
    part++;
  };
  rows.forEachChange((instance, number) => {
    changed.add(tableOf(tables, instance).number, number);
    if (changed.isFull) putPart();
  });
  if (part === 0 || !changed.isEmpty) putPart();
}

export function tableOf(tables: Tables, instance: string): Table {
  const table = tables.get(instance);
  if (!table) throw new Error(`the AFTR ${instance} has no table in the store`);
  return table;
}

/** A copy: lmdb cannot read shared memory. */
export function bufferOf(octets: Uint8Array): Buffer {
  return Buffer.from(octets);
}
