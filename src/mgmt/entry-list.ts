/**
 * Lists of state data that may be long: their entries are made one by one, as they are read, and are no part of a tree. They are
 * found by a number that grows from entry to entry, as rows of a table are.
 */

import { DataNode } from '../state/data.ts';
import type { SealedRow } from '../state/rows.ts';
import type { SchemaNode } from '../state/schema.ts';
import type { View } from '../state/view.ts';
import type { RowForm } from './whole-rows.ts';

/** Entries as rows: whatever table is asked for, these are meant. A plain object. */
export type EntryRows = Pick<View, 'version' | 'sealed' | 'sealedRows' | 'sealedRowsBack' | 'nth' | 'count'>;

export interface EntryList {
  readonly schema: SchemaNode;
  readonly rows: EntryRows;
  /** The number of an entry by its canonical key; undefined for what can be none. */
  number(key: string): number | undefined;
  /** An entry without a parent; undefined when it has gone since the list was begun. */
  entry(number: number): DataNode | undefined;
  /** The same for who shows all of it. */
  printed(number: number): DataNode | undefined;
}

/** Lists below nodes of a tree. */
export type EntryLists = ReadonlyMap<DataNode, readonly EntryList[]>;

export type Leaves = readonly (readonly [name: string, value: string])[];

/** An entry that goes out whole and holds nothing but leaves of texts: only the writers see it, it has no children. */
export class LeavesNode extends DataNode {
  readonly #leaves: Leaves;

  constructor(schema: SchemaNode, leaves: Leaves) {
    super(schema);
    this.#leaves = leaves;
  }

  /** As RowNode. */
  print({ text }: Pick<RowForm, 'text'>): string {
    return this.#leaves.map(([name, value]) => text(name, value)).join('');
  }
}

/** The same as nodes. */
export function leavesEntry(schema: SchemaNode, leaves: Leaves): DataNode {
  const entry = new DataNode(schema);
  for (const [name, value] of leaves) {
    const leaf = schema.child(name);
    if (leaf) entry.add(new DataNode(leaf, value));
  }
  return entry;
}

/** The list with these entries alone, in this order. */
export function withEntries(list: EntryList, rows: readonly SealedRow[]): EntryList {
  return { ...list, rows: { ...list.rows, sealedRows: () => rows } };
}

/** What stands below one node: one list after the other. */
export class ListsBelow implements Iterable<DataNode> {
  readonly lists: readonly Iterable<DataNode>[];

  constructor(lists: readonly Iterable<DataNode>[]) {
    this.lists = lists;
  }

  *[Symbol.iterator](): Generator<DataNode> {
    for (const list of this.lists) yield* list;
  }
}
