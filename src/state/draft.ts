/** A draft: what an edit works on before it is committed. A small tree of its own, and rows changed on top of running. */

import { instanceOf, keepRowParents, settle } from './content.ts';
import { DataNode } from './data.ts';
import { askDifference, makeEdit } from './edit.ts';
import { OverlaidRows, RowOverlay } from './overlay.ts';
import { rebased } from './rebase.ts';
import type { Authorize, RowChange, Tally } from './request.ts';
import { inSlices, RowChanges, Slice } from './row-changes.ts';
import { mergeRows } from './row-merge.ts';
import type { RowSource } from './rows.ts';
import { bindingToNode, NoRows } from './rows.ts';
import type { Write } from './secrecy.ts';
import { requireNothingHidden, requireRight, requireWhole, rowsToAsk } from './secrecy.ts';

export interface Draft {
  tree: DataNode;
  /** Whether the tree may differ from running's; until then it follows running. */
  treeTouched: boolean;
  /** Running's tree when this one was made from it. */
  readonly base: DataNode;
  readonly overlay: RowOverlay;
}

/** A draft that changes nothing yet. */
export function emptyDraft(running: DataNode): Draft {
  return { tree: running.clone(), treeTouched: false, base: running, overlay: new RowOverlay() };
}

/** A copy that work may change, brought up to running as it is now. */
export function copyDraft(draft: Draft, running: DataNode): Draft {
  const tree = draft.treeTouched ? rebased(draft.base, draft.tree, running) : running.clone();
  keepRowParents(tree);
  const overlay = draft.overlay.fork();
  if (draft.treeTouched) clearLostTables(overlay, running, tree);
  return { tree, treeTouched: draft.treeTouched, base: running, overlay };
}

/** An AFTR that running has got and the tree has not goes with its rows. */
export function clearLostTables(overlay: RowOverlay, running: DataNode, tree: DataNode): void {
  const names = new Set(aftrNames(tree));
  for (const instance of aftrNames(running)) if (!names.has(instance)) overlay.clear(instance);
}

export function aftrNames(tree: DataNode): string[] {
  const aftrs = tree.child('softwire', 'gi-4over6')?.entries('aftr') ?? [];
  return aftrs.map((aftr) => aftr.leaf('name') ?? '');
}

/**
 * Deletes all softwires with their rows from a draft that is running.
 * @throws ManagementError access-denied where something may be hidden in them that the user may not delete
 */
export function deleteSoftwire({ tree, overlay }: Draft, authorize: Authorize | undefined): void {
  const schema = tree.schema.child('softwire', 'gi-4over6');
  // Asked of any softwires, not of those that are there: or the answer would tell of them.
  if (schema) requireNothingHidden(new DataNode(tree.schema).add(new DataNode(schema)), authorize);
  for (const instance of aftrNames(tree)) overlay.clear(instance);
  tree.remove(tree.child('softwire', 'gi-4over6')?.id ?? '');
}

interface EditOptions {
  readonly authorize?: Authorize | undefined;
  /** False for an edit that will be refused: rows that come in bulk and are anybody's to write stay out where nothing follows. */
  readonly mergesRows?: boolean;
}

/** Applies an edit, or several in turn, to the draft, which is half changed when it throws. */
export async function editDraft(
  draft: Draft,
  base: RowSource,
  edit: DataNode | Iterable<DataNode>,
  defaultOperation: 'merge' | 'replace' | 'none',
  { authorize, mergesRows = true }: EditOptions = {},
): Promise<void> {
  const { tree, overlay } = draft;
  const rows = new OverlaidRows(base, overlay);
  const slice = new Slice();
  for (const one of edit instanceof DataNode ? [edit] : edit) {
    const target = { tree, rows, overlay, merges: [] };
    const touched = makeEdit(target, one, defaultOperation, authorize);
    draft.treeTouched ||= touched;
    // Before the next edit, which may name the same rows.
    if (mergesRows || !(edit instanceof DataNode)) await mergeRows(target);
    await slice.end();
  }
  settle(tree);
}

/** What the draft changes of the rows of `base`. */
export function rowChanges(draft: Draft, base: RowSource): Promise<RowChanges> {
  return RowChanges.between(base, draft.overlay);
}

/** How many rows each of these AFTRs has after the changes. */
export function countsAfter(
  base: RowSource,
  instances: readonly string[],
  changes: RowChanges,
): ReadonlyMap<string, number> {
  return new Map(instances.map((instance) => [instance, base.count(instance) + changes.growth(instance)]));
}

/**
 * Asks about each node in which the draft differs from running (RFC 8341 §3.2.6, §3.2.8).
 * @throws ManagementError access-denied with the path of the node
 */
export async function authorizeDifference(
  draft: Draft,
  running: DataNode,
  changes: Pick<RowChanges, 'tallies' | 'of'>,
  authorize: Authorize,
): Promise<void> {
  if (draft.treeTouched) {
    const scratch = { tree: running.clone(), rows: new NoRows(), overlay: new RowOverlay(), merges: [] };
    askDifference(scratch, draft.tree.clone(), authorize);
  }
  const tables = new Map([...tablesOf(running), ...tablesOf(draft.tree)].map((table) => [instanceOf(table), table]));
  for (const [instance, tally] of changes.tallies) {
    const table = tables.get(instance);
    const list = table?.schema.children.find((child) => child.rows);
    const asked = table && list ? rowsToAsk(list, table, authorize, writesOf(tally)) : undefined;
    if (!table || !asked || (asked !== 'all' && asked.size === 0)) continue;
    await inSlices(changes.of(instance), (change) => {
      if (asked === 'all' || asked.has(change.number)) authorizeRow(table, change, authorize);
    });
  }
}

/** What happens to rows and their leaves: those of a row that changes may come and go. */
function writesOf({ added, changed, removed }: Tally): Write[] {
  if (changed > 0) return ['create', 'update', 'delete'];
  return [...(added > 0 ? (['create'] as const) : []), ...(removed > 0 ? (['delete'] as const) : [])];
}

/** One row: the entry with all it has when it comes or goes, else each leaf that differs. */
function authorizeRow(table: DataNode, { before, after }: RowChange, authorize: Authorize): void {
  const schema = table.schema.children.find((child) => child.rows);
  const [old, fresh] = [before, after].map((binding) => {
    const entry = schema && binding && bindingToNode(schema, binding);
    if (entry) entry.parent = table;
    return entry;
  });
  if (old && fresh) {
    for (const [id, leaf] of fresh.childMap) {
      const twin = old.get(id);
      if (twin?.value !== leaf.value) requireRight(leaf, twin ? 'update' : 'create', authorize, false);
    }
    for (const [id, leaf] of old.childMap) if (!fresh.get(id)) requireRight(leaf, 'delete', authorize, false);
  } else if (fresh) requireWhole(fresh, 'create', authorize, false);
  else if (old) requireWhole(old, 'delete', authorize, false);
}

/** All containers of tables in a tree. */
function tablesOf(node: DataNode): DataNode[] {
  if (node.schema.children.some((child) => child.rows)) return [node];
  return [...node.childMap.values()].filter((child) => !child.schema.isLeaf).flatMap(tablesOf);
}
