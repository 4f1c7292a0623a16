/** Targets of requests as data trees: building the way down to one, finding it in an answer. */

import { DataNode, entryId } from '../../state/data.ts';
import type { Schema, SchemaNode } from '../../state/schema.ts';
import type { Reading } from '../reading.ts';
import type { PathStep } from './resource-path.ts';

/** A tree with nothing but the way down to the target: `last` is the target, or the root without steps. */
export function buildPath(
  schema: Schema,
  steps: readonly PathStep[],
): { readonly root: DataNode; readonly last: DataNode } {
  const root = new DataNode(schema.root);
  let last = root;
  for (const step of steps) last = last.add(nodeOf(step));
  return { root, last };
}

function nodeOf({ schema, keys, keyTypes }: PathStep): DataNode {
  if (schema.kind === 'leaf-list') return new DataNode(schema, keys[0] ?? '', keyTypes[0]);
  const node = new DataNode(schema);
  for (const [index, name] of schema.keys.entries()) {
    const key = schema.child(name);
    const value = keys[index];
    if (key && value !== undefined) node.add(new DataNode(key, value, keyTypes[index]));
  }
  return node;
}

/** The node the steps lead to; undefined when the answer does not hold it. */
export function findNode(root: DataNode, steps: readonly PathStep[]): DataNode | undefined {
  let node: DataNode | undefined = root;
  for (const { schema, keys } of steps) node = node?.get(entryId(schema, keys));
  return node;
}

/** The target of a reading: one node, or all entries when the last step is a list without keys. */
export function* targetNodes(reading: Reading, steps: readonly PathStep[]): Generator<DataNode> {
  const last = steps[steps.length - 1];
  if (last && (!last.schema.isList || last.keys.length > 0)) {
    const node = findNode(reading.root, steps);
    if (node) yield node;
    return;
  }
  const parent = findNode(reading.root, steps.slice(0, -1));
  if (!parent) return;
  for (const child of parent.children()) if (!last || child.schema === last.schema) yield child;
  for (const row of reading.rows(parent)) if (!last || row.schema === last.schema) yield row;
}

/** Whether state data can stand at or below the node. */
export function holdsState(schema: SchemaNode): boolean {
  if (['rpc', 'action', 'notification'].includes(schema.kind)) return false;
  return !schema.config || schema.children.some(holdsState);
}
