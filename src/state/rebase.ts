/**
 * A candidate's small tree follows running where the candidate has not changed it, as its rows do: what was committed
 * through another face meanwhile is not taken back by a commit of the candidate.
 */

import { DataNode } from './data.ts';

/**
 * `mine`, which was made from `base`, on top of `theirs`, which was made from `base` as well. What only one side changed is
 * as that side has it; where both changed the same leaf or entry, mine is what counts. A new tree.
 */
export function rebased(base: DataNode | undefined, mine: DataNode, theirs: DataNode): DataNode {
  if (base && isSame(base, mine)) return theirs.clone();
  if (mine.schema.isLeaf || (base && isSame(base, theirs)) || isSame(mine, theirs)) return mine.clone();
  const result = new DataNode(mine.schema, mine.value, mine.type);
  for (const [id, child] of mine.childMap) {
    const [before, other] = [base?.get(id), theirs.get(id)];
    if (other) result.add(rebased(before, child, other));
    else if (!before || !isSame(before, child)) result.add(child.clone());
  }
  for (const [id, child] of theirs.childMap) {
    if (!mine.get(id) && !base?.get(id)) result.add(child.clone());
  }
  return result;
}

/** Whether two nodes of one schema hold the same, in the same order. */
export function isSame(a: DataNode, b: DataNode): boolean {
  if (a === b) return true;
  if (a.value !== b.value || a.size !== b.size) return false;
  const others = b.childMap.entries();
  for (const [id, child] of a.childMap) {
    const other = others.next().value;
    if (!other || other[0] !== id || !isSame(child, other[1])) return false;
  }
  return true;
}
