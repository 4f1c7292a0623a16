/**
 * What a commit changed, as the edits of netconf-config-change (RFC 6470 §2.2): told from the difference, since the commit
 * of a candidate knows no operations. What came is `create`, what went `delete`, a leaf with another value `replace`, an
 * entry of the binding table with other values and entries in another order `merge`. Each names the topmost node that is one by itself:
 * a container without presence is there for what is in it (RFC 7950 §7.5.1), and who may not read all of that could not be told.
 *
 * The list is bounded: above MAX_EDITS changes of the small tree only its top nodes are named, above MAX_ROW_EDITS rows of a table the
 * table as a whole, above MAX_ALL_EDITS in all the container of all tables. What a reader may not read does not count (reader-edits.ts).
 */

import { formatIpv4Prefix } from '../../address.ts';
import type { DataNode } from '../../state/data.ts';
import { quote } from '../../state/data.ts';
import { isOperational } from '../../state/learned/tables.ts';
import type { Change, RowChange, Tally } from '../../state/request.ts';

export interface ConfigEdit {
  readonly target: string;
  readonly operation: 'create' | 'delete' | 'replace' | 'merge';
}

export const MAX_EDITS = 100;
export const MAX_ROW_EDITS = 100;
export const MAX_ALL_EDITS = 1_000;

const SOFTWIRE = '/gi-4over6:softwire';

/** What of the small tree is told to somebody. */
export interface TreeReader {
  readonly isHidden: (node: DataNode) => boolean;
  /** Whether he may read all that could be below a node which he may read. */
  readonly readsBelow: (node: DataNode) => boolean;
}

/** Who reads all. */
const ANYONE: TreeReader = { isHidden: () => false, readsBelow: () => true };

export interface ConfigEdits {
  readonly edits: readonly ConfigEdit[];
  /** Whether an edit stands for several, or for an order: what is left for who may not read all cannot be told from it. */
  readonly isCoarse: boolean;
}

/** Every edit of a change for who reads all. */
export function configEdits(change: Change): ConfigEdits {
  const edits = change.treeChanged ? treeEdits(change.before, change.after) : [];
  let isCoarse = edits.some(({ operation }) => operation === 'merge');
  for (const { table, instance, tally } of changedTables(change, edits)) {
    const isMany = sizeOf(tally) > MAX_ROW_EDITS;
    isCoarse ||= isMany;
    if (isMany) edits.push({ target: table, operation: 'merge' });
    else for (const row of change.rowsOf(instance)) edits.push(rowEdit(table, row));
  }
  return edits.length > MAX_ALL_EDITS ? { edits: allInOne(edits), isCoarse: true } : { edits, isCoarse };
}

/** Tables of running that change and did not come or go with their AFTR, as `edits` of the small tree have it. */
export function* changedTables(
  { tallies }: Pick<Change, 'tallies'>,
  edits: readonly ConfigEdit[],
): Generator<{ readonly table: string; readonly instance: string; readonly tally: Tally }> {
  const whole = new Set(edits.filter(({ operation }) => operation !== 'merge').map(({ target }) => target));
  for (const [instance, tally] of tallies) {
    const aftr = `${SOFTWIRE}/aftr[name=${quote(instance)}]`;
    if (!isOperational(instance) && !whole.has(aftr)) yield { table: `${aftr}/binding-table`, instance, tally };
  }
}

export function sizeOf({ added, changed, removed }: Tally): number {
  return added + changed + removed;
}

export function rowEdit(table: string, { before, after }: RowChange): ConfigEdit {
  const { address = 0, length = 0 } = after ?? before ?? {};
  const operation = !before ? 'create' : after ? 'merge' : 'delete';
  return { target: `${table}/binding[ipv4-prefix='${formatIpv4Prefix(address, length)}']`, operation };
}

/** One edit in the place of all that are below softwire. */
export function allInOne(edits: readonly ConfigEdit[]): ConfigEdit[] {
  const others = edits.filter(({ target }) => target !== SOFTWIRE && !target.startsWith(`${SOFTWIRE}/`));
  return [...others, { target: SOFTWIRE, operation: 'merge' }];
}

/** The differences of two small trees that somebody is told of. */
export function treeEdits(before: DataNode, after: DataNode, reader = ANYONE): ConfigEdit[] {
  const edits: ConfigEdit[] = [];
  for (const edit of differences(before, after, reader)) {
    edits.push(edit);
    if (edits.length > MAX_EDITS) return topEdits(before, after, reader);
  }
  return edits;
}

function topEdits(before: DataNode, after: DataNode, reader: TreeReader): ConfigEdit[] {
  return [...pairs(before, after)].flatMap(([twin, child]): ConfigEdit[] => {
    const { value: first } = pairEdits(twin, child, reader).next();
    const target = (child ?? twin)?.path;
    if (!first || target === undefined) return [];
    return [first.target === target ? first : { target, operation: 'merge' }];
  });
}

function* differences(
  before: DataNode | undefined,
  after: DataNode | undefined,
  reader: TreeReader,
): Generator<ConfigEdit, undefined> {
  for (const [twin, child] of pairs(before, after)) yield* pairEdits(twin, child, reader);
  const moved = before && after && firstMoved(before, after, reader);
  if (moved && reader.readsBelow(moved)) yield { target: moved.path, operation: 'merge' };
  return undefined;
}

type Pair = readonly [before: DataNode | undefined, after: DataNode | undefined];

/** The children of two nodes: first those that are there, then those that went. */
function* pairs(before: DataNode | undefined, after: DataNode | undefined): Generator<Pair> {
  for (const [id, child] of after?.childMap ?? []) yield [before?.get(id), child];
  for (const [id, child] of before?.childMap ?? []) if (!after?.get(id)) yield [child, undefined];
}

function* pairEdits(
  before: DataNode | undefined,
  after: DataNode | undefined,
  reader: TreeReader,
): Generator<ConfigEdit, undefined> {
  const node = after ?? before;
  if (!node || reader.isHidden(node)) return undefined;
  const { kind, presence, isLeaf } = node.schema;
  if (kind === 'container' && !presence) yield* differences(before, after, reader);
  else if (!before) yield { target: node.path, operation: 'create' };
  else if (!after) yield { target: node.path, operation: 'delete' };
  else if (before.value !== after.value) yield { target: node.path, operation: 'replace' };
  else if (!isLeaf) yield* differences(before, after, reader);
  return undefined;
}

/** The first entry of a user-ordered list that stands elsewhere among those that were there and are seen. */
function firstMoved(before: DataNode, after: DataNode, { isHidden }: TreeReader): DataNode | undefined {
  const ordered = (node: DataNode, other: DataNode) =>
    [...node.childMap]
      .filter(([id, child]) => child.schema.dump.userOrdered === true && other.get(id) && !isHidden(child))
      .sort(([, a], [, b]) => a.schema.order - b.schema.order);
  const old = ordered(before, after);
  return ordered(after, before).find(([id], index) => old[index]?.[0] !== id)?.[1];
}
