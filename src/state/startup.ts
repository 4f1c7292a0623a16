/**
 * Startup: what running returns to at a boot of the kernel. It is running with an overlay: the rows in which the two
 * differ, and a small tree of its own. Without a tree in the store, or with `null` in its place, it is running itself.
 */

import { keepRowParents } from './content.ts';
import type { DataNode } from './data.ts';
import type { Draft } from './draft.ts';
import { aftrNames, clearLostTables } from './draft.ts';
import { treeFromJson } from './json.ts';
import { RowOverlay } from './overlay.ts';
import { inSlices } from './row-changes.ts';
import { prefixOfKey } from './row-form.ts';
import { prefixNumber } from './rows.ts';
import type { Schema } from './schema.ts';
import type { Snapshot, StartupRow } from './snapshot.ts';

interface Begun {
  readonly draft: Draft;
  readonly put: (row: StartupRow) => void;
}

/** Startup as a draft on running; undefined while it is running itself. */
export function startupDraft(schema: Schema, snapshot: Snapshot, running: DataNode): Draft | undefined {
  const begun = begin(schema, snapshot, running);
  if (begun) for (const row of snapshot.startupRows()) begun.put(row);
  return begun?.draft;
}

/** The same in slices, so that others have their turn between. */
export async function startupDraftInSlices(
  schema: Schema,
  snapshot: Snapshot,
  running: DataNode,
): Promise<Draft | undefined> {
  const begun = begin(schema, snapshot, running);
  if (begun) await inSlices(snapshot.startupRows(), begun.put);
  return begun?.draft;
}

/** The draft without its rows, and what puts a row into it. */
function begin(schema: Schema, snapshot: Snapshot, running: DataNode): Begun | undefined {
  const json = snapshot.tree('startup');
  if (json === undefined || json === null) return undefined;
  const tree = treeFromJson(schema, json);
  keepRowParents(tree);
  const overlay = new RowOverlay();
  const names = new Set(aftrNames(tree));
  clearLostTables(overlay, running, tree);
  const put = ({ instance, key, value }: StartupRow) => {
    if (!names.has(instance)) return;
    const { address, length } = prefixOfKey(key);
    if (value.length > 0) overlay.putSealed(instance, prefixNumber(address, length), value);
    else overlay.delete(instance, { address, length });
  };
  return { draft: { tree, treeTouched: true, base: running, overlay }, put };
}
