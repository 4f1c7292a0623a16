/** A view: one datastore as it was at one moment, for whoever reads it. */

import type { Binding } from './binding.generated.ts';
import type { DataNode } from './data.ts';
import type { History } from './history.ts';
import type { KeptRows } from './kept-rows.ts';
import { ActiveRows } from './learned/tables.ts';
import type { Edition } from './request.ts';
import type { HistoricChange } from './row-changes.ts';
import type { RowSource } from './rows.ts';
import { longestMatch } from './rows.ts';

/** One datastore, consistent, however long the reading takes; to be closed. It never holds up a commit. */
export interface View
  extends Pick<
    RowSource,
    'binding' | 'bindings' | 'sealed' | 'sealedRows' | 'sealedRowsBack' | 'passingRows' | 'nth' | 'count'
  > {
  readonly version: number;
  readonly time: Date;
  /** The last commit of running up to `version`. */
  readonly edition: Edition;
  /** Not to be changed. */
  readonly tree: DataNode;
  /** Whether a table has no rows. */
  isEmpty(instance: string): boolean;
  /** The binding of the longest prefix that holds the address. */
  longestMatch(instance: string, address: number): Binding | undefined;
  /** The versions on record; to be asked for anew after each wait. */
  readonly history: History;
  /** Reads in slices what `changes` between two versions needs at first, or the rows of a version when the other is the newest. */
  gather(from: number, to: number): Promise<void>;
  /** The rows that differ between two versions on record, as `History.changes`. */
  changes(from: number, to: number): Iterable<HistoricChange>;
  /** The same with the bindings that AFTRs learned (operational state, RFC 8342 §5.3); closed with this one. */
  readonly active: View;
  close(): void;
}

/** What a view shows, beside the version and what is kept of it. */
export interface Shown {
  readonly tree: DataNode;
  /** The kept rows, or what stands on them and is not changed any more. */
  readonly rows: RowSource;
  readonly time: Date;
  readonly edition: Edition;
}

/** A view that closes what it keeps. */
export function openView(kept: KeptRows, { tree, rows, time, edition }: Shown): View {
  return {
    version: kept.version,
    time,
    edition,
    tree,
    binding: (instance, address, length) => rows.binding(instance, address, length),
    bindings: (instance, from) => rows.bindings(instance, from),
    sealed: (instance, number) => rows.sealed(instance, number),
    sealedRows: (instance, from) => rows.sealedRows(instance, from),
    sealedRowsBack: (instance, from) => rows.sealedRowsBack(instance, from),
    passingRows: (instance) => rows.passingRows(instance),
    nth: (instance, count, isBackwards, from) => rows.nth(instance, count, isBackwards, from),
    count: (instance) => rows.count(instance),
    isEmpty: (instance) => {
      for (const _ of rows.sealedRows(instance)) return false;
      return true;
    },
    longestMatch: (instance, address) => longestMatch(rows, instance, address),
    get history() {
      return kept.history;
    },
    gather: (from, to) => kept.gather(from, to),
    changes: (from, to) => kept.changes(from, to),
    get active() {
      return openView(kept, { tree, rows: new ActiveRows(rows), time, edition });
    },
    close: () => kept.close(),
  };
}
