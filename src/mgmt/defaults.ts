/** Nodes that are in force by default, as answers show them (RFC 6243, RFC 8342 §5.3). */

import { DataNode } from '../state/data.ts';
import type { SchemaNode } from '../state/schema.ts';

/** Whether entries of a list have configuration that is in force by default. */
export function hasDefaults({ children }: SchemaNode): boolean {
  return children.some((child) => child.config && (child.defaults.length > 0 || hasDefaults(child)));
}

/** The configuration nodes below `node` that are in force by default and were never written (RFC 7950 §7.6.1, §7.9.3). */
export function defaultChildren(node: DataNode, tagged: boolean): DataNode[] {
  const present = new Set([...node.childMap.values()].map(({ schema }) => schema));
  const found: DataNode[] = [];
  for (const schema of node.schema.children) {
    if (!schema.config || present.has(schema) || !isOpenCase(schema, present)) continue;
    if (schema.kind === 'container' && !schema.presence) {
      const container = orphan(new DataNode(schema), node);
      container.origin = 'default';
      found.push(container);
    }
    if (!schema.isLeaf) continue;
    for (const value of schema.defaults) {
      const leaf = orphan(new DataNode(schema, value), node);
      leaf.isDefault = tagged;
      leaf.origin = 'default';
      found.push(leaf);
    }
  }
  return found;
}

/** Whether the node's case is chosen, or is the default case of a choice nobody made. */
function isOpenCase(schema: SchemaNode, present: ReadonlySet<SchemaNode>): boolean {
  return (schema.dump.choices ?? []).every(([choice, name, , isDefault]) => {
    for (const other of present) {
      const made = other.dump.choices?.find((item) => item[0] === choice);
      if (made) return made[1] === name;
    }
    return isDefault;
  });
}

/** A node that knows its parent, which does not know it. */
export function orphan(node: DataNode, parent: DataNode): DataNode {
  node.parent = parent;
  return node;
}
