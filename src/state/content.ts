/** Containers without presence: they are there when they hold something (RFC 7950 §7.5.1), and rows need those above their table. */

import { DataNode, entryId } from './data.ts';
import { namedRows, showsRow } from './named-rows.ts';
import type { RowSource } from './rows.ts';
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
  if (!secrecy || secrecy.readsEach(list, table)) return rows.count(instance) > 0;
  if (secrecy.readsNone(list, table)) return false;
  const named = namedRows(secrecy, list, table);
  // Rules that name rows by anything but their key are none of RFC 8341 (node-instance-identifier), and not worth a walk over all rows.
  return named !== undefined && showsRow(rows, instance, named);
}

/** The AFTR whose table a node is or belongs to. */
export function instanceOf(node: DataNode): string {
  for (let at: DataNode | undefined = node; at; at = at.parent) {
    if (at.schema.kind === 'list') return at.keyValues()[0] ?? '';
  }
  return '';
}

/** Brings the containers without presence into order: those that hold nothing go, those that rows need are there. */
export function settle(tree: DataNode): void {
  prune(tree);
  keepRowParents(tree);
}

/** Removes containers without presence that hold nothing. */
function prune(node: DataNode): void {
  for (const [id, child] of [...node.childMap]) {
    if (child.schema.isLeaf) continue;
    prune(child);
    if (child.schema.kind === 'container' && !child.schema.presence && child.size === 0 && !child.bulk) node.remove(id);
  }
}

/** A list entry above a table keeps the containers down to the table, so that rows have a place. */
export function keepRowParents(node: DataNode): void {
  if (node.schema.kind === 'list') {
    for (const schema of node.schema.children) {
      const isTable = schema.kind === 'container' && schema.children.some((child) => child.rows);
      if (isTable && !node.get(entryId(schema, []))) node.add(new DataNode(schema));
    }
    return;
  }
  for (const child of node.childMap.values()) if (!child.schema.isLeaf) keepRowParents(child);
}
