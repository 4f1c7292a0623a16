/**
 * What a commit changed, as the edits of netconf-config-change (RFC 6470 §2.2): told from the difference, since the commit
 * of a candidate knows no operations. What came is `create`, what went `delete`, a leaf with another value `replace`, an
 * entry of the binding table with other values and entries in another order `merge`. Each names the topmost node.
 *
 * The list is bounded: above MAX_EDITS changes of the small tree only its top nodes are named, above MAX_ROW_EDITS rows of
 * a table the table as a whole.
 */

import { formatIpv4Prefix } from '../../address.ts';
import type { DataNode } from '../../state/data.ts';
import { quote } from '../../state/data.ts';
import { isOperational } from '../../state/learned/tables.ts';
import type { Change, RowChange } from '../../state/request.ts';

export interface ConfigEdit {
  readonly target: string;
  readonly operation: 'create' | 'delete' | 'replace' | 'merge';
}

export const MAX_EDITS = 100;
export const MAX_ROW_EDITS = 100;

/** Every edit of a change, at most MAX_EDITS of the small tree and MAX_ROW_EDITS of each table. */
export function configEdits({ before, after, treeChanged, rowsOf, tallies }: Change): ConfigEdit[] {
  const edits = treeChanged ? treeEdits(before, after) : [];
  const whole = new Set(edits.filter(({ operation }) => operation !== 'merge').map(({ target }) => target));
  for (const [instance, { added, changed, removed }] of tallies) {
    if (isOperational(instance)) continue;
    const aftr = `/gi-4over6:softwire/aftr[name=${quote(instance)}]`;
    // Its rows came or went with it.
    if (whole.has(aftr) || whole.has('/gi-4over6:softwire')) continue;
    const table = `${aftr}/binding-table`;
    if (added + changed + removed > MAX_ROW_EDITS) edits.push({ target: table, operation: 'merge' });
    else for (const row of rowsOf(instance)) edits.push(rowEdit(table, row));
  }
  return edits;
}

function rowEdit(table: string, { before, after }: RowChange): ConfigEdit {
  const { address = 0, length = 0 } = after ?? before ?? {};
  const operation = !before ? 'create' : after ? 'merge' : 'delete';
  return { target: `${table}/binding[ipv4-prefix='${formatIpv4Prefix(address, length)}']`, operation };
}

/** The differences of two small trees. */
export function treeEdits(before: DataNode, after: DataNode): ConfigEdit[] {
  const edits: ConfigEdit[] = [];
  for (const edit of differences(before, after)) {
    edits.push(edit);
    if (edits.length > MAX_EDITS) return topEdits(before, after);
  }
  return edits;
}

function topEdits(before: DataNode, after: DataNode): ConfigEdit[] {
  const edits: ConfigEdit[] = [];
  for (const [id, child] of after.childMap) {
    const twin = before.get(id);
    if (!twin) edits.push({ target: child.path, operation: 'create' });
    else if (!differences(twin, child).next().done) edits.push({ target: child.path, operation: 'merge' });
  }
  return [...edits, ...gone(before, after)];
}

function* differences(before: DataNode, after: DataNode): Generator<ConfigEdit, undefined> {
  for (const [id, child] of after.childMap) {
    const twin = before.get(id);
    if (!twin) yield { target: child.path, operation: 'create' };
    else if (twin.value !== child.value) yield { target: child.path, operation: 'replace' };
    else if (!child.schema.isLeaf) yield* differences(twin, child);
  }
  yield* gone(before, after);
  const moved = firstMoved(before, after);
  if (moved) yield { target: moved.path, operation: 'merge' };
  return undefined;
}

function* gone(before: DataNode, after: DataNode): Generator<ConfigEdit> {
  for (const [id, child] of before.childMap) {
    if (!after.get(id)) yield { target: child.path, operation: 'delete' };
  }
}

/** The first entry of a user-ordered list that stands elsewhere among those that were there. */
function firstMoved(before: DataNode, after: DataNode): DataNode | undefined {
  const ordered = (node: DataNode, other: DataNode) =>
    [...node.childMap]
      .filter(([id, { schema }]) => schema.dump.userOrdered === true && other.get(id))
      .sort(([, a], [, b]) => a.schema.order - b.schema.order);
  const old = ordered(before, after);
  return ordered(after, before).find(([id], index) => old[index]?.[0] !== id)?.[1];
}
