/** A draft: what an edit works on before it is committed. A small tree of its own, and rows changed on top of running. */

import type { DataNode } from './data.ts';
import { applyEdit, instanceOf, requireRight } from './edit.ts';
import type { Binding } from './model.generated.ts';
import type { Authorize, RowChange, Tally } from './request.ts';
import type { RowSource } from './rows.ts';
import { bindingToNode, comparePrefixes, OverlaidRows, RowOverlay, sameBinding } from './rows.ts';

export interface Draft {
  tree: DataNode;
  /** Whether the tree may differ from running's; until then it follows running. */
  treeTouched: boolean;
  readonly overlay: RowOverlay;
}

/** A draft that changes nothing yet. */
export function emptyDraft(running: DataNode): Draft {
  return { tree: running.clone(), treeTouched: false, overlay: new RowOverlay() };
}

/** A copy that work may change; its tree is running's while nothing touched it. */
export function copyDraft(draft: Draft, running: DataNode): Draft {
  const tree = draft.treeTouched ? draft.tree.clone() : running.clone();
  const overlay = draft.overlay.clone();
  if (draft.treeTouched) clearLostTables(overlay, running, tree);
  return { tree, treeTouched: draft.treeTouched, overlay };
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

/** Applies an edit to the draft, which is half changed when it throws. */
export function editDraft(
  draft: Draft,
  base: RowSource,
  edit: DataNode,
  defaultOperation: 'merge' | 'replace' | 'none',
  authorize?: Authorize,
): void {
  const rows = new OverlaidRows(base, draft.overlay);
  const touched = applyEdit({ tree: draft.tree, rows, overlay: draft.overlay }, edit, defaultOperation, authorize);
  draft.treeTouched ||= touched;
}

/** What the draft changes of the rows of `base`: table by table, in key order; equal rows are no change. */
export function rowChanges(draft: Draft, base: RowSource): RowChange[] {
  return draft.overlay.instances().flatMap((instance) => {
    const { overlay } = draft;
    if (!overlay.isCleared(instance)) {
      return overlay
        .rows(instance)
        .map(({ prefix: { address, length }, binding: after }) => ({
          instance,
          before: base.binding(instance, address, length),
          after,
        }))
        .filter(isChange);
    }
    const rows = new OverlaidRows(base, overlay).bindings(instance);
    return [...joined(instance, base.bindings(instance), rows)].filter(isChange);
  });
}

/** How many rows each of these AFTRs has after the changes. */
export function countsAfter(
  base: RowSource,
  instances: readonly string[],
  changes: readonly RowChange[],
): ReadonlyMap<string, number> {
  const counts = new Map(instances.map((instance) => [instance, base.count(instance)]));
  for (const { instance, before, after } of changes) {
    const count = counts.get(instance);
    if (count !== undefined) counts.set(instance, count + (after ? 1 : 0) - (before ? 1 : 0));
  }
  return counts;
}

export function tally(changes: readonly RowChange[]): Tally {
  const counts = { added: 0, changed: 0, removed: 0 };
  for (const { before, after } of changes) counts[!before ? 'added' : after ? 'changed' : 'removed']++;
  return counts;
}

function isChange({ before, after }: RowChange): boolean {
  return before && after ? !sameBinding(before, after) : before !== after;
}

/** Two tables side by side, in key order. */
function* joined(instance: string, base: Iterable<Binding>, rows: Iterable<Binding>): Generator<RowChange> {
  const fresh = rows[Symbol.iterator]();
  let next = fresh.next();
  for (const before of base) {
    for (; !next.done && comparePrefixes(next.value, before) < 0; next = fresh.next()) {
      yield { instance, before: undefined, after: next.value };
    }
    const isTwin = !next.done && comparePrefixes(next.value, before) === 0;
    yield { instance, before, after: isTwin ? next.value : undefined };
    if (isTwin) next = fresh.next();
  }
  for (; !next.done; next = fresh.next()) yield { instance, before: undefined, after: next.value };
}

/**
 * Asks about each node in which the draft differs from running (RFC 8341 §3.2.6).
 * @throws ManagementError access-denied with the path of the node
 */
export function authorizeDifference(
  draft: Draft,
  running: DataNode,
  changes: readonly RowChange[],
  authorize: Authorize,
): void {
  const noRows: RowSource = { binding: () => undefined, bindings: () => [], count: () => 0 };
  if (draft.treeTouched) {
    const scratch = { tree: running.clone(), rows: noRows, overlay: new RowOverlay() };
    applyEdit(scratch, draft.tree.clone(), 'replace', authorize);
  }
  const tables = new Map([...tablesOf(running), ...tablesOf(draft.tree)].map((table) => [instanceOf(table), table]));
  for (const change of changes) {
    const table = tables.get(change.instance);
    if (table) authorizeRow(table, change, authorize);
  }
}

/** One row: the entry when it comes or goes, else each leaf that differs. */
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
      if (twin?.value !== leaf.value) requireRight(leaf, twin ? 'update' : 'create', authorize);
    }
    for (const [id, leaf] of old.childMap) if (!fresh.get(id)) requireRight(leaf, 'delete', authorize);
  } else if (fresh) requireRight(fresh, 'create', authorize);
  else if (old) requireRight(old, 'delete', authorize);
}

/** All containers of tables in a tree. */
function tablesOf(node: DataNode): DataNode[] {
  if (node.schema.children.some((child) => child.rows)) return [node];
  return [...node.childMap.values()].filter((child) => !child.schema.isLeaf).flatMap(tablesOf);
}
