/**
 * Older versions of running, read from what each commit left behind:
 *
 *     changes        who, when, how many, and which rows
 *     row-history    a row as it was before a commit. A table that was empty before a commit has one entry that says so, under
 *                    a key behind all rows, instead of one a row
 *     tree-history   the small tree as it was before a commit that changed it, deflated with the tree that took its place
 *                    as dictionary; every 32nd without, so that no chain is longer
 *
 * What a row was at a version is what the first later commit that changed it found; if there is none, it is as it is now.
 */

import { deflateRawSync, inflateRawSync } from 'node:zlib';
import type { Binding } from './binding.generated.ts';
import { keepRowParents } from './content.ts';
import type { DataNode } from './data.ts';
import type { Draft } from './draft.ts';
import { clearLostTables } from './draft.ts';
import { ManagementError } from './errors.ts';
import { treeFromJson } from './json.ts';
import { ActiveRows, aftrOfTable, isOperational, learnedTable } from './learned/tables.ts';
import { DamageError } from './model-values.ts';
import { RowOverlay } from './overlay.ts';
import type { ChangeSummary, Gap, Place } from './records.ts';
import { changeKey, isFullPart, placeOfChange, rowsOfChange, seal, summaryOfChange, unseal } from './records.ts';
import { HistoricChange, inSlices, isSameRow } from './row-changes.ts';
import type { SealedRow } from './rows.ts';
import { formatNumber, keyOfNumber, longestMatch, prefixNumber, RowSource, rowKey, rowsBackUnder } from './rows.ts';
import type { Schema } from './schema.ts';
import type { Snapshot } from './snapshot.ts';
import { TouchedRows } from './touched-rows.ts';

/** Stands behind all prefixes of a table. */
const EMPTY_TABLE = Buffer.of(255, 255, 255, 255, 255);
const VERSION_LENGTH = 6;
const LONGEST_CHAIN = 32;
const NO_OCTETS = new Uint8Array(0);
/** Beyond every version. */
const LAST_VERSION = 2 ** 48 - 1;

/** Key in row-history of a row before `version`. */
export function rowHistoryKey(table: number, number: number, version: number): Buffer {
  return Buffer.concat([rowKey(table, keyOfNumber(number)), versionKey(version)]);
}

/** Key in row-history that says that the table was empty before `version`. */
export function emptyTableKey(table: number, version: number): Buffer {
  return Buffer.concat([rowKey(table, EMPTY_TABLE), versionKey(version)]);
}

/** Key in tree-history. */
export function versionKey(version: number): Buffer {
  const key = Buffer.alloc(VERSION_LENGTH);
  key.writeUIntBE(version, 0, VERSION_LENGTH);
  return key;
}

function versionOfKey(key: Uint8Array): number {
  const octets = Buffer.from(key.buffer, key.byteOffset, key.byteLength);
  return octets.readUIntBE(key.length - VERSION_LENGTH, VERSION_LENGTH);
}

/** The tree before `version` as tree-history keeps it; `later` took its place, `last` is the entry of the change before. */
export function encodeTree(version: number, json: string, later: string, last: Uint8Array | undefined): Buffer {
  const before = last && Buffer.from(last.buffer, last.byteOffset, last.byteLength).readUInt16BE(0);
  const place = before === undefined ? 0 : (before + 1) % LONGEST_CHAIN;
  const octets = deflateRawSync(json, place === 0 ? {} : { dictionary: Buffer.from(later, 'utf8') });
  const body = Buffer.concat([Buffer.of(0, place), octets]);
  return seal(`tree ${version}`, body);
}

function decodeTree(version: number, octets: Uint8Array, later: string): string {
  const body = unseal(`tree ${version}`, octets);
  const isWhole = body.readUInt16BE(0) === 0;
  return inflateRawSync(body.subarray(2), isWhole ? {} : { dictionary: Buffer.from(later, 'utf8') }).toString('utf8');
}

/** What is on record in one snapshot of the store. */
export class History {
  readonly #snapshot: Snapshot;
  /** What was asked for last: the tables of one version are mostly walked one after the other. */
  #lastTouched: { readonly key: string; readonly tables: ReadonlyMap<number, TouchedRows> } | undefined;
  /** The version of the snapshot. */
  readonly newest: number;
  /** The oldest version that can still be shown. */
  readonly oldest: number;

  constructor(snapshot: Snapshot) {
    this.#snapshot = snapshot;
    this.newest = snapshot.head?.version ?? 0;
    this.oldest = (snapshot.head?.oldestChange ?? 1) - 1;
  }

  /** AFTRs that have or ever had bindings. */
  get aftrs(): Iterable<string> {
    const tables = [...(this.#snapshot.head?.tables.keys() ?? [])];
    return new Set(tables.flatMap((table) => aftrOfTable(table) ?? []));
  }

  /** @throws ManagementError invalid-value for a version that is not on record */
  requireVersion(version: number): void {
    if (version >= this.oldest && version <= this.newest) return;
    const message = `version ${version} is not on record: versions ${this.oldest} to ${this.newest} are`;
    throw new ManagementError('invalid-value', { message, appTag: 'not-on-record' });
  }

  /** What made a version; undefined when its record is not kept. */
  summary(version: number): ChangeSummary | undefined {
    const octets = this.#snapshot.get('changes', changeKey(version));
    return octets && version > this.oldest ? summaryOfChange(version, octets) : undefined;
  }

  /** What the commits of versions below `before` were, newest first, as far as their records are kept. */
  *summaries(before = Number.POSITIVE_INFINITY): Generator<ChangeSummary> {
    for (let version = Math.min(before - 1, this.newest); version > this.oldest; version--) {
      const summary = this.summary(version);
      if (summary) yield summary;
    }
  }

  /** When a version on record was made. */
  timeOf(version: number): Date {
    const time = version > this.oldest ? this.summary(version)?.time : this.#snapshot.head?.oldestTime;
    if (time === undefined) throw new DamageError(`the change record of version ${version} is missing`);
    return new Date(time);
  }

  /** The version running was at that moment; undefined when that is not on record any more. */
  versionAt(moment: Date): number | undefined {
    if (moment < this.timeOf(this.oldest)) return undefined;
    let [low, high] = [this.oldest, this.newest];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.timeOf(middle) <= moment) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** The time around a moment of which nothing is on record, though versions before and after it are. */
  gapAt(moment: Date): Gap | undefined {
    return this.#gaps.find(({ since, until }) => moment > new Date(since) && moment < new Date(until));
  }

  get #gaps(): readonly Gap[] {
    return this.#snapshot.head?.gaps ?? [];
  }

  /** RFC 7951 JSON of the small tree at a version; undefined when it is as it is now. */
  tree(version: number): unknown {
    let found: [number, Buffer][] = [];
    for (const { key, value } of this.#snapshot.range('treeHistory', versionKey(version + 1))) {
      const isWhole = value.readUInt16BE(0) === 0;
      found.push([versionOfKey(key), value]);
      if (isWhole) break;
    }
    if (found.length === 0) return undefined;
    found = found.reverse();
    let json = JSON.stringify(this.#snapshot.tree('running'));
    for (const [at, value] of found) json = decodeTree(at, value, json);
    return JSON.parse(json);
  }

  /** The tables at a version. */
  rows(version: number): RowSource {
    return version === this.newest ? this.#snapshot : new RowsAt(this.#snapshot, this, version);
  }

  /** The moments of the commits between which a row was as it was at `version`; undefined where none is on record. */
  spanOf(
    version: number,
    instance: string,
    number: number,
  ): { readonly since: Date | undefined; readonly until: Date | undefined } {
    const table = this.#snapshot.tableOf(instance) ?? 0;
    // A change of the row itself, or the first commit of a table that was empty.
    const keys = [(at: number) => rowHistoryKey(table, number, at), (at: number) => emptyTableKey(table, at)];
    const since = Math.max(...keys.map((keyAt) => this.#lastChange(keyAt, version)));
    const until = Math.min(...keys.map((keyAt) => this.#nextChange(keyAt, version)));
    const times = {
      since: since > this.oldest ? this.timeOf(since) : undefined,
      until: until < LAST_VERSION ? this.timeOf(until) : undefined,
    };
    // What is the same on both sides of a restore may have been another between them.
    const before = this.#gaps.findLast((gap) => gap.version <= version && gap.version > since);
    const behind = this.#gaps.find((gap) => gap.version > version && gap.version <= until);
    return {
      since: before ? new Date(before.until) : times.since,
      until: behind ? new Date(behind.since) : times.until,
    };
  }

  /** The newest change up to `version` among the keys of one row; 0 when there is none. */
  #lastChange(keyAt: (version: number) => Buffer, version: number): number {
    const entry = this.#snapshot.last('rowHistory', keyAt(0), keyAt(version));
    return entry ? versionOfKey(entry.key) : 0;
  }

  /** The oldest change after `version` among the keys of one row; LAST_VERSION when there is none. */
  #nextChange(keyAt: (version: number) => Buffer, version: number): number {
    const entry = this.#snapshot.first('rowHistory', keyAt(version + 1), keyAt(LAST_VERSION));
    return entry ? versionOfKey(entry.key) : LAST_VERSION;
  }

  /** The rows that differ between two versions, table by table in key order; those behind `last` where it is given. */
  *changes(from: number, to: number, last?: Pick<HistoricChange, 'instance' | 'number'>): Generator<HistoricChange> {
    const [low, high] = [Math.min(from, to), Math.max(from, to)];
    const touched = this.#touched(low, high);
    const newer = this.rows(high);
    let isBehind = last === undefined;
    for (const [instance, { number: table }] of this.#snapshot.head?.tables ?? []) {
      const isHere = instance === last?.instance;
      isBehind ||= isHere;
      const rows = isBehind ? touched.get(table) : undefined;
      if (!rows) continue;
      const empty = this.#emptyVersions(table, low, high);
      for (const [number, version] of rows.inKeyOrder()) {
        if (isHere && last && number <= last.number) continue;
        const old = empty.has(version) ? undefined : this.#rowBefore(table, number, version);
        const fresh = newer.sealed(instance, number);
        if (isSameRow(old, fresh)) continue;
        yield from === low
          ? new HistoricChange(instance, number, old, fresh)
          : new HistoricChange(instance, number, fresh, old);
      }
    }
  }

  /** The rows of a table from `from` on that commits after `version` touched, as they were; no octets for one that was not there. */
  *rowsBefore(version: number, table: number, from: number): Generator<SealedRow, undefined> {
    const empty = this.#emptyVersions(table, version, this.newest);
    for (const [number, at] of this.#touched(version, this.newest).get(table)?.inKeyOrder() ?? []) {
      if (number < from) continue;
      yield { number, value: (empty.has(at) ? undefined : this.#rowBefore(table, number, at)) ?? NO_OCTETS };
    }
    return undefined;
  }

  /**
   * Reads in slices which rows the commits after `low` up to `high` touched, which `changes` between the two and the tables at `low` are
   * walked by; without it they read that all at once. The snapshot must stay open meanwhile.
   */
  async gather(low: number, high: number): Promise<void> {
    const tables = new Map<number, TouchedRows>();
    await inSlices(this.#touches(low, high), (touch) => addTouch(tables, low, touch));
    this.#lastTouched = { key: `${low} ${high}`, tables };
  }

  /** The rows that the commits after `low` up to `high` touched, by table. */
  #touched(low: number, high: number): ReadonlyMap<number, TouchedRows> {
    const key = `${low} ${high}`;
    if (this.#lastTouched?.key !== key) {
      const tables = new Map<number, TouchedRows>();
      for (const touch of this.#touches(low, high)) addTouch(tables, low, touch);
      this.#lastTouched = { key, tables };
    }
    return this.#lastTouched.tables;
  }

  *#touches(low: number, high: number): Generator<Touch> {
    for (const { version, part, value } of this.#partsOf(low, high)) {
      for (const [table, number] of rowsOfChange(version, part, value)) yield { table, number, version };
    }
  }

  /** The parts of the change records after `low` up to `high`; of one commit by their keys, which is quicker than a cursor. */
  *#partsOf(low: number, high: number): Generator<Place & { readonly value: Buffer }> {
    if (high !== low + 1) {
      for (const { key, value } of this.#snapshot.range('changes', changeKey(low + 1), changeKey(high + 1))) {
        yield { ...placeOfChange(key), value };
      }
      return;
    }
    for (let part = 0; ; part++) {
      const value = this.#snapshot.get('changes', changeKey(high, part));
      if (!value) return;
      yield { version: high, part, value };
      if (!isFullPart(value)) return;
    }
  }

  /** The versions after `low` up to `high` before which a table was empty. */
  #emptyVersions(table: number, low: number, high: number): Set<number> {
    if (high === low + 1) {
      const wasEmpty = this.#snapshot.get('rowHistory', emptyTableKey(table, high)) !== undefined;
      return new Set(wasEmpty ? [high] : []);
    }
    const range = this.#snapshot.range('rowHistory', emptyTableKey(table, low + 1), emptyTableKey(table, high + 1));
    return new Set(Array.from(range, ({ key }) => versionOfKey(key)));
  }

  /** A row of a table that was not empty, as the commit that made `version` found it. */
  #rowBefore(table: number, number: number, version: number): Uint8Array | undefined {
    const value = this.#snapshot.get('rowHistory', rowHistoryKey(table, number, version));
    if (!value) throw new DamageError(`the row ${formatNumber(number)} before version ${version} is missing`);
    return value.length > 0 ? value : undefined;
  }
}

/** A row that the commit of a version touched. */
interface Touch {
  readonly table: number;
  readonly number: number;
  readonly version: number;
}

function addTouch(tables: Map<number, TouchedRows>, base: number, { table, number, version }: Touch): void {
  const rows = tables.get(table) ?? new TouchedRows(base);
  tables.set(table, rows);
  rows.add(number, version);
}

/** The tables as they were at a version before that of the snapshot. */
class RowsAt extends RowSource {
  readonly #snapshot: Snapshot;
  readonly #history: History;
  readonly #version: number;
  /** The first later version before which a table was empty, by table. */
  readonly #emptyBefore = new Map<number, number>();

  constructor(snapshot: Snapshot, history: History, version: number) {
    super();
    this.#snapshot = snapshot;
    this.#history = history;
    this.#version = version;
  }

  sealed(instance: string, number: number): Uint8Array | undefined {
    const table = this.#snapshot.tableOf(instance);
    if (table === undefined) return undefined;
    const keys = [this.#version + 1, LAST_VERSION].map((version) => rowHistoryKey(table, number, version));
    const [start = EMPTY_TABLE, end = EMPTY_TABLE] = keys;
    const entry = this.#snapshot.first('rowHistory', start, end);
    const empty = this.#emptyAt(table);
    if (entry && versionOfKey(entry.key) < empty) return entry.value.length > 0 ? entry.value : undefined;
    return empty === LAST_VERSION ? this.#snapshot.sealed(instance, number) : undefined;
  }

  *sealedRows(instance: string, from = 0): Generator<SealedRow> {
    const table = this.#snapshot.tableOf(instance);
    if (table === undefined) return;
    const changed = this.#history.rowsBefore(this.#version, table, from);
    const current = this.#emptyAt(table) === LAST_VERSION ? this.#snapshot.sealedRows(instance, from) : [];
    let change = changed.next();
    for (const row of current) {
      for (; !change.done && change.value.number < row.number; change = changed.next()) yield* here(change.value);
      if (change.done || change.value.number !== row.number) yield row;
    }
    for (; !change.done; change = changed.next()) yield* here(change.value);
  }

  sealedRowsBack(instance: string, from = Number.POSITIVE_INFINITY): Iterable<SealedRow> {
    const table = this.#snapshot.tableOf(instance);
    if (table === undefined) return [];
    const changed = [...this.#history.rowsBefore(this.#version, table, 0)].filter(({ number }) => number <= from);
    const current = this.#emptyAt(table) === LAST_VERSION ? this.#snapshot.sealedRowsBack(instance, from) : [];
    return rowsBackUnder(current, changed.reverse());
  }

  count(instance: string): number {
    let count = this.#snapshot.count(instance);
    for (const { version, tallies } of this.#history.summaries()) {
      if (version <= this.#version) break;
      const tally = tallies.get(instance);
      if (tally) count += tally.removed - tally.added;
    }
    return count;
  }

  /** The first later version before which the table was empty; LAST_VERSION when it never was. */
  #emptyAt(table: number): number {
    let found = this.#emptyBefore.get(table);
    if (found === undefined) {
      const keys = [this.#version + 1, LAST_VERSION].map((version) => emptyTableKey(table, version));
      const [start = EMPTY_TABLE, end = EMPTY_TABLE] = keys;
      const entry = this.#snapshot.first('rowHistory', start, end);
      found = entry ? versionOfKey(entry.key) : LAST_VERSION;
      this.#emptyBefore.set(table, found);
    }
    return found;
  }
}

/** A binding, since when it was as it is here, and until when; undefined where that is not on record, or has not come. */
export interface HeldBinding {
  readonly binding: Binding;
  readonly since: Date | undefined;
  readonly until: Date | undefined;
}

/**
 * The binding that held an address at a version: that of the longest prefix, since when, and until when. Bindings that `counts` does not
 * take are none.
 */
export function longestMatchAt(
  history: History,
  version: number,
  instance: string,
  address: number,
  counts: (binding: Binding) => boolean = () => true,
): HeldBinding | undefined {
  const rows = new ActiveRows(history.rows(version));
  const source = {
    binding: (...asked: readonly [instance: string, address: number, length: number]) => {
      const found = rows.binding(...asked);
      return found && counts(found) ? found : undefined;
    },
  };
  const binding = longestMatch(source, instance, address);
  const table = binding?.origin === 'learned' ? learnedTable(instance) : instance;
  return binding && { binding, ...history.spanOf(version, table, prefixNumber(binding.address, binding.length)) };
}

function* here(row: SealedRow): Generator<SealedRow> {
  if (row.value.length > 0) yield row;
}

/**
 * Running as it was at a version, as a draft on top of running as it is now.
 * @throws ManagementError invalid-value for a version that is not on record
 */
export async function draftOfVersion(
  schema: Schema,
  snapshot: Snapshot,
  running: DataNode,
  version: number,
): Promise<Draft> {
  const history = new History(snapshot);
  history.requireVersion(version);
  const json = history.tree(version);
  const tree = json === undefined ? running.clone() : treeFromJson(schema, json);
  keepRowParents(tree);
  const overlay = new RowOverlay();
  clearLostTables(overlay, running, tree);
  await history.gather(version, history.newest);
  await inSlices(history.changes(history.newest, version), ({ instance, number, sealedAfter }) => {
    if (isOperational(instance)) return;
    if (sealedAfter) overlay.putSealed(instance, number, sealedAfter);
    else overlay.deleteNumber(instance, number);
  });
  return { tree, treeTouched: json !== undefined, base: running, overlay };
}
