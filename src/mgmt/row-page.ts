/**
 * A part of a binding table, or of another list that is not at hand. In the order of its keys it is found by a seek, so that each page of a million rows costs what the
 * page holds; the store itself passes over the rows of an offset, `where` looks at rows until it has enough, and another order takes one
 * pass over the table, of which no more is kept than may go out. All of it in slices, others have their turn between. What is
 * looked at of each row has no node, where the condition and the rights allow that; otherwise there is a limit of rows.
 */

import { parseIpv4Prefix } from '../address.ts';
import type { PageMarks } from '../state/data.ts';
import { DataNode } from '../state/data.ts';
import { ManagementError } from '../state/errors.ts';
import { Slice } from '../state/row-changes.ts';
import type { SealedRow } from '../state/rows.ts';
import { bindingToNode, formatNumber, openRow, prefixNumber } from '../state/rows.ts';
import type { View } from '../state/view.ts';
import { orphan } from './defaults.ts';
import type { Cursor, PageRequest, SortOrder } from './page.ts';
import { compareValues, cursorNotFound, offsetOutOfRange, printCursor, sortLeaf } from './page.ts';
import { leafText } from './row-leaf.ts';
import type { TableRights } from './row-rights.ts';
import { Smallest } from './smallest.ts';

/** Rows that go out at once; whoever wants more follows the cursor. */
export const MAX_PAGE_ROWS = 10_000;
/** Rows that offset and limit together may reach where the table has to be sorted. */
export const MAX_SORTED_ROWS = 100_000;
/** Rows that a condition of `where` is asked about, where that takes a node for each. */
export const MAX_JUDGED_ROWS = 100_000;
/** Rows of an offset that are passed over in one step. */
const SKIPPED_AT_ONCE = 4_096;

export interface RowTable {
  readonly view: Pick<View, 'version' | 'sealed' | 'sealedRows' | 'sealedRowsBack' | 'nth' | 'count'>;
  /** Name of the AFTR. */
  readonly instance: string;
  /** The entry of a row, without a parent; undefined for bindings, which are their rows. */
  readonly entryOf?: ((number: number) => DataNode | undefined) | undefined;
  /** The node above the rows. */
  readonly table: DataNode;
  /** What the caller sees of it. */
  readonly rights: TableRights;
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
    const from = cursor && this.#numberOf(cursor);
    if (cursor && (from === undefined || !this.#isThere(from))) throw cursorNotFound();
    const { first, before } = cursor ? { first: from, before: undefined } : await this.#passOver(offset);
    const found: SealedRow[] = [];
    if (first !== NOTHING_LEFT) {
      await this.#walk(isBackwards, first, (row) => found.push(row) <= limit);
    }
    const rows = found.slice(0, limit);
    const rank = cursor ? this.#rankOf(cursor) : offset;
    const earlier = before ?? (rows[0] ? await this.#before(rows[0].number, limit) : []);
    const count = this.#isCounted ? this.#table.view.count(this.#table.instance) : undefined;
    const hasMore = found.length > limit;
    // A rank comes from the client.
    const left = count === undefined || rank === undefined ? 'unknown' : Math.max(1, count - rank - rows.length);
    return {
      rows,
      marks: {
        remaining: hasMore ? left : undefined,
        next: this.#cursor(found[limit], rank === undefined ? undefined : rank + limit),
        previous:
          rows[0] && this.#cursor(earlier[earlier.length - 1], rank === undefined ? undefined : rank - earlier.length),
        locale: sort?.locale,
      },
    };
  }

  /**
   * Where the rows behind an offset begin, undefined for the beginning; and the rows right before, nearest first, where they are known.
   * @throws ManagementError invalid-value with app-tag offset-out-of-range
   */
  async #passOver(
    offset: number,
  ): Promise<{ readonly first: number | undefined; readonly before?: readonly SealedRow[] }> {
    const { limit, isBackwards, where, whereKeys } = this.#page;
    const { view, instance } = this.#table;
    if (offset === 0) return { first: undefined, before: [] };
    if (this.#seesEach && !where && !whereKeys) {
      const count = view.count(instance);
      if (offset > count) throw offsetOutOfRange(offset, count);
      return { first: await this.#nth(offset) };
    }
    const passed: SealedRow[] = [];
    let count = 0;
    let first = NOTHING_LEFT;
    await this.#walk(isBackwards, undefined, (row) => {
      if (count === offset) first = row.number;
      else if (passed.push(row) > 2 * limit + LOOK_EVERY) passed.splice(0, passed.length - limit);
      return count++ < offset;
    });
    if (count < offset) throw offsetOutOfRange(offset, count);
    return { first, before: passed.slice(-limit).reverse() };
  }

  async #nth(offset: number): Promise<number> {
    const { view, instance } = this.#table;
    const slice = new Slice();
    let at: number | undefined;
    for (let left = offset; left > 0; left -= SKIPPED_AT_ONCE) {
      at = view.nth(instance, Math.min(left, SKIPPED_AT_ONCE), this.#page.isBackwards, at);
      if (at === undefined) return NOTHING_LEFT;
      await slice.end();
    }
    return at ?? NOTHING_LEFT;
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
    const before = new Smallest<Sortable>((a, b) => order(b, a), limit);
    let count = 0;
    const textOf = this.#valueOf(sort);
    await this.#walk(false, undefined, (row) => {
      count++;
      const item = { row, value: textOf(row) };
      if (first && order(item, first) < 0) before.add(item);
      else behind.add(item);
      return true;
    });
    const found = await behind.take();
    const skipped = found.splice(0, offset);
    if (skipped.length < offset) throw offsetOutOfRange(offset, count);
    const earlier = first ? await before.take() : skipped.slice(-limit).reverse();
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

  /**
   * The rows that the caller sees and wants, from a number on, for as long as `take` wants more.
   * @throws ManagementError too-big when they are looked for among too many
   */
  async #walk(isBackwards: boolean, from: number | undefined, take: (row: SealedRow) => boolean): Promise<void> {
    const { view, instance } = this.#table;
    const keys = this.#keys();
    const rows = keys
      ? this.#keyed(keys, isBackwards, from)
      : isBackwards
        ? view.sealedRowsBack(instance, from)
        : view.sealedRows(instance, from);
    const slice = new Slice();
    const limit = this.#isByNode ? MAX_JUDGED_ROWS : Number.POSITIVE_INFINITY;
    let looked = 0;
    for (const row of rows) {
      if (looked === limit) throw tooManyJudged();
      if (this.#isWanted(row) && !take(row)) return;
      if (++looked % LOOK_EVERY === 0) await slice.end();
    }
  }

  /** Whether `where` takes a node for each row. */
  get #isByNode(): boolean {
    const { where, whereRow } = this.#page;
    return where !== undefined && !(this.#seesWhole && whereRow);
  }

  get #seesWhole(): boolean {
    return this.#table.rights.rows === 'whole';
  }

  get #seesEach(): boolean {
    return this.#seesWhole || this.#table.rights.rows === 'each';
  }

  /** The numbers of all rows that may be wanted, where there is no need to look at others: the time it takes would tell of them. */
  #keys(): Iterable<number> | undefined {
    const { rows, named } = this.#table.rights;
    const { whereKeys } = this.#page;
    if (rows === 'none') return [];
    if (whereKeys) return whereKeys.map(numberOfText);
    return named && !named.others ? named.seen.keys() : undefined;
  }

  *#keyed(keys: Iterable<number>, isBackwards: boolean, from?: number): Generator<SealedRow> {
    const sign = isBackwards ? -1 : 1;
    const numbers = [...new Set(keys)].sort((a, b) => sign * (a - b));
    for (const number of numbers) {
      const value = this.#table.view.sealed(this.#table.instance, number);
      if (value && (from === undefined || sign * (number - from) >= 0)) yield { number, value };
    }
  }

  #isWanted(row: SealedRow): boolean {
    const { where, whereRow } = this.#page;
    const { named, mayRead } = this.#table.rights;
    if (named && !(named.seen.get(row.number) ?? named.others)) return false;
    const isSeen = this.#seesEach || named !== undefined;
    if (isSeen && !where) return true;
    if (this.#seesWhole && whereRow) return whereRow(openRow(row.number, row.value));
    const entry = this.#entry(row);
    return (isSeen || mayRead(entry)) && (!where || where(entry));
  }

  #entry({ number, value }: SealedRow): DataNode {
    const { entryOf, table } = this.#table;
    // One that has gone meanwhile has no leaves, and does not go out.
    const entry = entryOf ? (entryOf(number) ?? new DataNode(this.#page.list)) : undefined;
    return orphan(entry ?? bindingToNode(this.#page.list, openRow(number, value)), table);
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
    return { row, value: this.#valueOf(sort)(row) };
  }

  /** What the caller does not see sorts nothing, or the order would tell of it. */
  #valueOf(sort: SortOrder): (row: SealedRow) => string | undefined {
    const [leaf, ...more] = sort.path;
    const text = this.#seesWhole && leaf && more.length === 0 ? leafText(leaf) : undefined;
    if (text) return ({ number, value }) => text(openRow(number, value));
    return (row) => {
      const found = sortLeaf(this.#entry(row), sort);
      return found && (this.#seesWhole || this.#table.rights.mayRead(found)) ? found.value : undefined;
    };
  }

  /** At most so many wanted rows before one, nearest first. */
  async #before(number: number, most: number): Promise<SealedRow[]> {
    const { isBackwards } = this.#page;
    const found: SealedRow[] = [];
    await this.#walk(!isBackwards, isBackwards ? number + 1 : number - 1, (row) => found.push(row) < most);
    return found;
  }

  #numberOf({ keys }: Cursor): number | undefined {
    const [key = '', ...more] = keys;
    return more.length === 0 && parseIpv4Prefix(key) ? numberOfText(key) : undefined;
  }

  get #isCounted(): boolean {
    return this.#seesEach && this.#table.isVersioned && !this.#page.where;
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
/** Stands behind all rows. */
const NOTHING_LEFT = -1;

function tooManyJudged(): ManagementError {
  const message =
    `where was asked of ${MAX_JUDGED_ROWS} bindings without an end: compare leaves with texts by = or !=, starts-with, contains, ` +
    'and what and, or, not make of these; or name the ipv4-prefix';
  return new ManagementError('too-big', { type: 'application', message });
}

function numberOfText(key: string): number {
  const prefix = parseIpv4Prefix(key);
  return prefix ? prefixNumber(prefix.address, prefix.length) : -1;
}

interface Sortable {
  readonly row: SealedRow;
  readonly value: string | undefined;
}
