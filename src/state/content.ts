/** Whether a node of a draft is there for those who look at it: a container without presence is when it holds something (RFC 7950 §7.5.1). */

import type { DataNode } from './data.ts';
import type { RowSource } from './rows.ts';
import { bindingToNode } from './rows.ts';
import type { SchemaNode } from './schema.ts';
import type { Secrecy } from './secrecy.ts';

/** With `secrecy`, of a container what its user may read alone counts, so that the answer does not tell of anything else. */
export function hasContent(node: DataNode, rows: RowSource, secrecy?: Secrecy): boolean {
  if (node.schema.kind !== 'container' || node.schema.presence) return true;
  const list = node.schema.children.find((child) => child.rows);
  if (list && hasRow(node, list, rows, secrecy)) return true;
  return [...node.childMap.values()].some((child) => !secrecy?.isHidden(child) && hasContent(child, rows, secrecy));
}

function hasRow(table: DataNode, list: SchemaNode, rows: RowSource, secrecy: Secrecy | undefined): boolean {
  const instance = instanceOf(table);
  if (!secrecy || secrecy.readsEvery(list, table)) return rows.count(instance) > 0;
  if (secrecy.readsNone(list, table)) return false;
  for (const binding of rows.bindings(instance)) {
    const entry = bindingToNode(list, binding);
    entry.parent = table;
    if (!secrecy.isHidden(entry)) return true;
  }
  return false;
}

/** The AFTR whose table a node is or belongs to. */
export function instanceOf(node: DataNode): string {
  for (let at: DataNode | undefined = node; at; at = at.parent) {
    if (at.schema.kind === 'list') return at.keyValues()[0] ?? '';
  }
  return '';
}
