/**
 * What of an event a subscriber sees. RFC 8341 §3.4.6 permits or denies a notification as a whole; the one that names data
 * (netconf-config-change) leaves out the edits of nodes that the subscriber may not read, or it would tell of their keys.
 */

import { DataNode } from '../../state/data.ts';
import type { Schema } from '../../state/schema.ts';
import type { Rights } from '../access.ts';
import { parsePath } from '../path.ts';

/** The event as it may be seen, the same node when nothing is left out; undefined when the event is denied. */
export function visibleEvent(schema: Schema, rights: Rights, event: DataNode): DataNode | undefined {
  if (!rights.mayReceive(event.schema)) return undefined;
  if (rights.readsAll || event.schema.name !== 'netconf-config-change') return event;
  const copy = new DataNode(event.schema);
  let isWhole = true;
  for (const child of event.childMap.values()) {
    const target = child.schema.name === 'edit' ? child.leaf('target') : undefined;
    if (target === undefined || mayRead(schema, rights, target)) copy.add(child.clone());
    else isWhole = false;
  }
  return isWhole ? event : copy;
}

/** Whether the node of an instance path, and each above it, may be read. */
function mayRead(schema: Schema, rights: Rights, path: string): boolean {
  let node = new DataNode(schema.root);
  for (const { prefix, name, predicates } of parsePath(path) ?? []) {
    const child = node.schema.child(name, prefix ?? node.schema.module);
    if (!child) return false;
    const value = child.kind === 'leaf-list' ? (predicates[0]?.value ?? '') : '';
    const next = new DataNode(child, value);
    for (const predicate of predicates) {
      const key = child.child(predicate.name);
      if (key) next.add(new DataNode(key, predicate.value));
    }
    node = node.add(next);
    if (!rights.may(node, 'read')) return false;
  }
  return !node.schema.isRoot;
}
