/** A view: one datastore as it was at one moment, for whoever reads it. */

import type { Ipv4Prefix } from '../address.ts';
import type { DataNode } from './data.ts';
import { ManagementError } from './errors.ts';
import { History } from './history.ts';
import type { Binding } from './model.generated.ts';
import type { RowSource } from './rows.ts';
import { longestMatch } from './rows.ts';
import type { Snapshot } from './snapshot.ts';

/** A snapshot keeps the pages it shows from being used again, so none lives longer. */
const VIEW_LIMIT_MS = 30_000;

/** A consistent snapshot of one datastore; to be closed. It never holds up a commit. Reading after 30 s is refused. */
export interface View extends Pick<RowSource, 'binding' | 'bindings' | 'sealedRows' | 'passingRows' | 'count'> {
  readonly version: number;
  readonly time: Date;
  /** Not to be changed. */
  readonly tree: DataNode;
  /** Whether a table has no rows. */
  isEmpty(instance: string): boolean;
  /** The binding of the longest prefix that holds the address. */
  longestMatch(instance: string, address: number): Binding | undefined;
  /** The versions on record. */
  readonly history: History;
  close(): void;
}

/** What a view shows, beside its snapshot. */
export interface Shown {
  readonly tree: DataNode;
  readonly rows: RowSource;
  readonly version: number;
  readonly time: Date;
}

/** A view of what stands on a snapshot and is not changed any more; it closes the snapshot, at the latest after `limitMs`. */
export function openView(snapshot: Snapshot, shown: Shown, limitMs = VIEW_LIMIT_MS): View {
  const { rows } = shown;
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    snapshot.close();
  }, limitMs);
  timer.unref();
  const inTime = (): RowSource => {
    if (!isLate) return rows;
    const message = `reading took more than ${limitMs / 1000} s and was ended: ask for less at a time`;
    throw new ManagementError('resource-denied', { message });
  };
  return {
    version: shown.version,
    time: shown.time,
    tree: shown.tree,
    binding: (instance, address, length) => inTime().binding(instance, address, length),
    bindings: (instance: string, from?: Ipv4Prefix) => whileInTime(inTime().bindings(instance, from), inTime),
    sealedRows: (instance: string, from?: number) => whileInTime(inTime().sealedRows(instance, from), inTime),
    passingRows: (instance: string) => whileInTime(inTime().passingRows(instance), inTime),
    count: (instance) => inTime().count(instance),
    isEmpty: (instance) => {
      for (const _ of inTime().sealedRows(instance)) return false;
      return true;
    },
    longestMatch: (instance, address) => longestMatch(inTime(), instance, address),
    history: new History(snapshot),
    close: () => {
      clearTimeout(timer);
      snapshot.close();
    },
  };
}

/** The items as long as `inTime` does not throw. */
function* whileInTime<Item>(items: Iterable<Item>, inTime: () => unknown): Generator<Item> {
  for (const item of items) {
    yield item;
    inTime();
  }
}
