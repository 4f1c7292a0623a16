/**
 * A part of a binding table. In the order of its keys it is found by a seek, so that each page of a million rows costs what the
 * page holds; an offset is walked over, `where` looks at rows until it has enough, and another order takes one pass over the table,
 * of which no more is kept than may go out. All of it in slices, others have their turn between.
 */

import { parseIpv4Prefix } from '../address.ts';
import type { DataNode, PageMarks } from '../state/data.ts';
import { ManagementError } from '../state/errors.ts';
import { Slice } from '../state/row-changes.ts';
import type { SealedRow } from '../state/rows.ts';
import { bindingToNode, formatNumber, openRow, prefixNumber } from '../state/rows.ts';
import type { View } from '../state/view.ts';
import { orphan } from './defaults.ts';
import type { Cursor, PageRequest, SortOrder } from './page.ts';
import { compareValues, cursorNotFound, offsetOutOfRange, printCursor, sortLeaf } from './page.ts';

/** Rows that go out at once; whoever wants more follows the cursor. */
export const MAX_PAGE_ROWS = 10_000;
/** Rows that offset and limit together may reach where the table has to be sorted. */
export const MAX_SORTED_ROWS = 100_000;

export interface RowTable {
  readonly view: View;
  /** Name of the AFTR. */
  readonly instance: string;
  /** The node above the rows. */
  readonly table: DataNode;
  /** Whether the caller sees each row. */
  readonly readsAll: boolean;
  readonly mayRead: (node: DataNode) => boolean;
  /** Whether the rows are those of the version of the view: then cursors carry their rank. */
  readonly isVersioned: boolean;
}

export interface RowPage {
  /** In the order in which they go out. */
  readonly rows: readonly SealedRow[];
  readonly marks: PageMarks;
}

/** @throws ManagementError invalid-value with app-tag cursor-not-found, offset-out-of-range; too-big for too much to be sorted */
export function findRowPage(table: RowTable, page: PageRequest): Promise<RowPage> {
  const limit = Math.min(page.limit, MAX_PAGE_ROWS);
  const finder = new RowPageFinder(table, { ...page, limit });
  return isByKey(page) ? finder.byKey() : finder.sorted();
}

/** Sorting by the prefix is the order of the table. */
function isByKey({ sort, list }: PageRequest): boolean {
  return !sort || (sort.path.length === 1 && sort.path[0]?.isKey === true && list.keys.length === 1);
}

class RowPageFinder {
  readonly #table: RowTable;
  readonly #page: PageRequest;

  constructor(table: RowTable, page: PageRequest) {
    this.#table = table;
    this.#page = page;
  }

  async byKey(): Promise<RowPage> {
    const { cursor, limit, offset, isBackwards, sort } = this.#page;
    const first = cursor && this.#numberOf(cursor);
    if (cursor && (first === undefined || !this.#isThere(first))) throw cursorNotFound();
    const walk = this.#wanted(isBackwards, first);
    let skipped = 0;
    const found: SealedRow[] = [];
    for await (const row of walk) {
      if (skipped < offset) skipped++;
      else found.push(row);
      if (found.length > limit) break;
    }
    if (skipped < offset) throw offsetOutOfRange(offset, skipped);
    const rows = found.slice(0, limit);
    const rank = cursor ? this.#rankOf(cursor) : offset;
    const before = rows[0] ? await this.#before(rows[0].number, limit) : [];
    const count = this.#isCounted ? this.#table.view.count(this.#table.instance) : undefined;
    const hasMore = found.length > limit;
    // A rank comes from the client.
    const left = count === undefined || rank === undefined ? 'unknown' : Math.max(1, count - rank - rows.length);
    return {
      rows,
      marks: {
        remaining: hasMore ? left : undefined,
        next: this.#cursor(found[limit], rank === undefined ? undefined : rank + limit),
        previous: this.#cursor(before[before.length - 1], rank === undefined ? undefined : rank - before.length),
        locale: sort?.locale,
      },
    };
  }

  /** One pass over the table: the rows from the beginning or the cursor on, and before the cursor, each as many as are needed. */
  async sorted(): Promise<RowPage> {
    const { cursor, limit, offset, sort, isBackwards } = this.#page;
    if (!sort) throw new Error('rows are sorted without an order');
    if (offset + limit > MAX_SORTED_ROWS) {
      const message = `sort-by of a table: offset and limit may be ${MAX_SORTED_ROWS} together`;
      throw new ManagementError('too-big', { message });
    }
    const start = cursor && this.#numberOf(cursor);
    const first = start === undefined ? undefined : this.#sortable(start);
    if (cursor && !first) throw cursorNotFound();
    const sign = isBackwards ? -1 : 1;
    const order = (a: Sortable, b: Sortable) =>
      sign * (compareValues(a.value, b.value, sort) || a.row.number - b.row.number);
    const behind = new Smallest(order, offset + limit + 1);
    const before = new Smallest((a, b) => order(b, a), limit);
    let count = 0;
    for await (const row of this.#wanted(false)) {
      count++;
      const item = { row, value: this.#sortValue(row, sort) };
      if (first && order(item, first) < 0) before.add(item);
      else behind.add(item);
    }
    const found = behind.items().slice(offset);
    const skipped = behind.items().slice(0, offset);
    if (skipped.length < offset) throw offsetOutOfRange(offset, count);
    const earlier = first ? before.items() : skipped.reverse().slice(0, limit);
    const rows = found.slice(0, limit).map(({ row }) => row);
    const passed = first ? before.count : offset;
    return {
      rows,
      marks: {
        remaining: count - passed - rows.length || undefined,
        next: this.#cursor(found[limit]?.row),
        previous: rows.length > 0 ? this.#cursor(earlier[earlier.length - 1]?.row) : undefined,
        locale: sort.locale,
      },
    };
  }

  /** The rows that the caller sees and wants, from a number on. */
  async *#wanted(isBackwards: boolean, from?: number): AsyncGenerator<SealedRow> {
    const { view, instance } = this.#table;
    const { whereKeys } = this.#page;
    const rows = whereKeys
      ? this.#keyed(whereKeys, isBackwards, from)
      : isBackwards
        ? view.sealedRowsBack(instance, from)
        : view.sealedRows(instance, from);
    const slice = new Slice();
    let looked = 0;
    for (const row of rows) {
      if (this.#isWanted(row)) yield row;
      if (++looked % LOOK_EVERY === 0) await slice.end();
    }
  }

  *#keyed(keys: readonly string[], isBackwards: boolean, from?: number): Generator<SealedRow> {
    const sign = isBackwards ? -1 : 1;
    const numbers = [...new Set(keys.map(numberOfText))].sort((a, b) => sign * (a - b));
    for (const number of numbers) {
      const value = this.#table.view.sealed(this.#table.instance, number);
      if (value && (from === undefined || sign * (number - from) >= 0)) yield { number, value };
    }
  }

  #isWanted(row: SealedRow): boolean {
    const { readsAll, mayRead } = this.#table;
    const { where } = this.#page;
    if (readsAll && !where) return true;
    const entry = this.#entry(row);
    return (readsAll || mayRead(entry)) && (!where || where(entry));
  }

  #entry({ number, value }: SealedRow): DataNode {
    return orphan(bindingToNode(this.#page.list, openRow(number, value)), this.#table.table);
  }

  #isThere(number: number): boolean {
    const value = this.#table.view.sealed(this.#table.instance, number);
    return value !== undefined && this.#isWanted({ number, value });
  }

  #sortable(number: number): Sortable | undefined {
    const value = this.#table.view.sealed(this.#table.instance, number);
    const { sort } = this.#page;
    if (!value || !sort || !this.#isWanted({ number, value })) return undefined;
    const row = { number, value };
    return { row, value: this.#sortValue(row, sort) };
  }

  /** What the caller does not see sorts nothing, or the order would tell of it. */
  #sortValue(row: SealedRow, sort: SortOrder): string | undefined {
    const leaf = sortLeaf(this.#entry(row), sort);
    const { readsAll, mayRead } = this.#table;
    return leaf && (readsAll || mayRead(leaf)) ? leaf.value : undefined;
  }

  /** At most so many wanted rows before one, nearest first. */
  async #before(number: number, most: number): Promise<SealedRow[]> {
    const { isBackwards } = this.#page;
    const found: SealedRow[] = [];
    for await (const row of this.#wanted(!isBackwards, isBackwards ? number + 1 : number - 1)) {
      found.push(row);
      if (found.length === most) break;
    }
    return found;
  }

  #numberOf({ keys }: Cursor): number | undefined {
    const [key = '', ...more] = keys;
    return more.length === 0 && parseIpv4Prefix(key) ? numberOfText(key) : undefined;
  }

  get #isCounted(): boolean {
    return this.#table.readsAll && this.#table.isVersioned && !this.#page.where;
  }

  /** How many rows stand before the cursor's; undefined where that was in another version, or counts rows that are not seen. */
  #rankOf({ version, rank }: Cursor): number | undefined {
    return this.#isCounted && version === this.#table.view.version ? rank : undefined;
  }

  #cursor(row: SealedRow | undefined, rank?: number): string | undefined {
    if (!row) return undefined;
    const keys = [formatNumber(row.number)];
    const isPlaced = rank !== undefined && this.#isCounted;
    return printCursor(isPlaced ? { keys, version: this.#table.view.version, rank } : { keys });
  }
}

const LOOK_EVERY = 64;

function numberOfText(key: string): number {
  const prefix = parseIpv4Prefix(key);
  return prefix ? prefixNumber(prefix.address, prefix.length) : -1;
}

interface Sortable {
  readonly row: SealedRow;
  readonly value: string | undefined;
}

/** The first of many items in an order, as many as are asked for; twice as many are kept at most. */
class Smallest {
  readonly #order: (a: Sortable, b: Sortable) => number;
  readonly #most: number;
  #items: Sortable[] = [];
  /** How many were added. */
  count = 0;

  constructor(order: (a: Sortable, b: Sortable) => number, most: number) {
    this.#order = order;
    this.#most = most;
  }

  add(item: Sortable): void {
    this.count++;
    this.#items.push(item);
    if (this.#items.length >= 2 * this.#most + 64) this.#items = this.items();
  }

  items(): Sortable[] {
    return [...this.#items].sort(this.#order).slice(0, this.#most);
  }
}
