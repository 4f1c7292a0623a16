/** A view: one datastore as it was at one moment, for whoever reads it. */

import type { Ipv4Prefix } from '../address.ts';
import type { DataNode } from './data.ts';
import type { Draft } from './draft.ts';
import type { Snapshot } from './environment.ts';
import { ManagementError } from './errors.ts';
import type { Binding } from './model.generated.ts';
import { OverlaidRows } from './overlay.ts';
import type { ChangeSummary } from './records.ts';
import type { RowSource } from './rows.ts';
import { longestMatch } from './rows.ts';

/** A snapshot keeps the pages it shows from being used again, so none lives longer. */
const VIEW_LIMIT_MS = 30_000;

/** A consistent snapshot of one datastore; to be closed. It never holds up a commit. Reading after 30 s is refused. */
export interface View extends Pick<RowSource, 'binding' | 'bindings' | 'count'> {
  readonly version: number;
  readonly time: Date;
  /** Not to be changed. */
  readonly tree: DataNode;
  /** The binding of the longest prefix that holds the address. */
  longestMatch(instance: string, address: number): Binding | undefined;
  /** What the commits of versions below `before` were, newest first, as far as they are on record. */
  history(before: number): Iterable<ChangeSummary>;
  close(): void;
}

/** A view of running, or of `draft` on top of it, which nobody changes any more; it closes the snapshot, at the latest after `limitMs`. */
export function openView(
  snapshot: Snapshot,
  running: DataNode,
  draft: Draft | undefined,
  limitMs = VIEW_LIMIT_MS,
): View {
  const rows = draft ? new OverlaidRows(snapshot, draft.overlay) : snapshot;
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
    version: snapshot.head?.version ?? 0,
    time: new Date(snapshot.head?.time ?? 0),
    tree: draft?.treeTouched ? draft.tree : running,
    binding: (instance, address, length) => inTime().binding(instance, address, length),
    *bindings(instance: string, from?: Ipv4Prefix) {
      const found: Iterator<Binding> = inTime().bindings(instance, from);
      try {
        for (let next = found.next(); !next.done; next = found.next()) {
          yield next.value;
          inTime();
        }
      } finally {
        found.return?.();
      }
    },
    count: (instance) => inTime().count(instance),
    longestMatch: (instance, address) => longestMatch(inTime(), instance, address),
    history: (before) => snapshot.history(before),
    close: () => {
      clearTimeout(timer);
      snapshot.close();
    },
  };
}
