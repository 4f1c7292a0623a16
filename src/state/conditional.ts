/**
 * Nodes whose `when` is no longer true (RFC 7950 §8.2): those that were there before an edit go with it. Those that the edit brings or
 * changes are the client's mistake, and stay a fault (§8.3.1, §8.3.2).
 */

import type { DataNode } from './data.ts';
import { ManagementError } from './errors.ts';
import { isSame } from './rebase.ts';
import type { TreeValidation } from './request.ts';
import type { SchemaNode } from './schema.ts';

/** The `when`s of the configuration, each about the value of a leaf beside the node. */
const CONDITIONS = [
  {
    leaf: '/gi-4over6-management:management/client-certificates/cert-to-name/map-type',
    value: 'ietf-x509-cert-to-name:specified',
    node: 'name',
  },
] as const;

/** The nodes beside a leaf that go when it has its value no more; with any value where it is not known to whoever asks. */
export function conditionalOn({ schema, value, parent }: DataNode, isKnown: boolean): SchemaNode[] {
  return CONDITIONS.flatMap((condition) => {
    const isMet = schema.path === condition.leaf && (!isKnown || value === condition.value);
    return (isMet && parent?.schema.child(condition.node)) || [];
  });
}

/**
 * Validates `tree` after taking out of it, one after the other, what is unchanged from `before` and has a `when` that is false now;
 * whether there was any. @throws ManagementError with all faults that are left
 */
export function validateConditional(tree: DataNode, before: DataNode, validate: TreeValidation): boolean {
  for (let isTaken = false; ; isTaken = true) {
    const faults = validate(tree);
    const [first, ...others] = faults;
    if (!first) return isTaken;
    const taken = faults.map((fault) => unchangedNode(fault, tree, before)).find((node) => node !== undefined);
    // Each turn takes a node out, so that there is a last one.
    if (!taken?.parent?.remove(taken.id)) throw new ManagementError(first.tag, first, others);
  }
}

/** The node of a fault, if its `when` is the fault: what the schema does not have never becomes a tree. */
function unchangedNode({ tag, path }: ManagementError, tree: DataNode, before: DataNode): DataNode | undefined {
  if (tag !== 'unknown-element' || path === undefined) return undefined;
  const node = nodeAt(tree, path);
  const old = nodeAt(before, path);
  return node && old && isSame(node, old) ? node : undefined;
}

/** The node with that path, below `node`. */
function nodeAt(node: DataNode, path: string): DataNode | undefined {
  for (const child of node.childMap.values()) {
    const own = child.path;
    if (own === path) return child;
    const found = path.startsWith(`${own}/`) ? nodeAt(child, path) : undefined;
    if (found) return found;
  }
  return undefined;
}
