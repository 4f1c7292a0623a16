/**
 * Where the configuration in the operational state datastore comes from (RFC 8342 §5.3.4). A node whose origin is not that of
 * its parent is marked: what the system adds where it is added, defaults where they are made, a row by its leaf `origin`.
 */

import type { DataNode, Origin } from '../state/data.ts';

export interface OriginOptions {
  /** Whether nodes go out with their origin, where it is not that of their parent. */
  readonly isShown: boolean;
  /** Whether configuration of this origin is wanted; all is when there is no filter. */
  readonly isWanted?: ((origin: Origin) => boolean) | undefined;
}

/** The mark of a node itself; undefined when it has the origin of its parent. */
export function ownOrigin(node: DataNode): Origin | undefined {
  if (node.origin !== undefined || !node.schema.rows) return node.origin;
  return node.leaf('origin') === 'learned' ? 'learned' : undefined;
}

/** The origin of a configuration node: its own, or that of the nearest node above that has one. */
export function originOf(node: DataNode): Origin {
  for (let at: DataNode | undefined = node; at; at = at.parent) {
    const own = ownOrigin(at);
    if (own) return own;
  }
  return 'intended';
}

/** What a copy says of its origin: the top always does, a node below where it is not that of its parent. */
export function shownOrigin(node: DataNode): Origin | undefined {
  const { parent, schema } = node;
  if (!schema.config) return undefined;
  if (!parent || parent.schema.isRoot) return originOf(node);
  const own = ownOrigin(node);
  return own && own !== originOf(parent) ? own : undefined;
}
