/**
 * The answer to an XPath filter (RFC 6241 §8.9.5.1): each selected node with all below it, its ancestors and the keys that
 * tell them from others; nothing twice. Rows stay a stream.
 */

import { DataNode } from '../../state/data.ts';
import type { XPathNode } from './document.ts';
import type { Hit, NodeSet, Rows } from './node-set.ts';

/** How the reading copies what goes out. */
export interface Copying {
  /** The node with all below it, unless nothing of it goes out. */
  whole(node: DataNode): DataNode | undefined;
  /** Adds the keys of a list entry that are missing. */
  withKeys(source: DataNode, copy: DataNode): DataNode;
  /** Takes the rows of a table, each whole, for a copy that they stand below; whether there are any. */
  addEveryRow(table: DataNode, copy: DataNode): boolean;
  /** Takes the hits of a table, each as `entryOf` copies it, for a copy that they stand below; whether there are any. */
  addHits(table: DataNode, copy: DataNode, hits: Iterable<Hit>, entryOf: (hit: Hit) => DataNode | undefined): boolean;
}

interface Marks {
  readonly whole: ReadonlySet<XPathNode>;
  /** Nodes with something selected below. */
  readonly partly: ReadonlySet<XPathNode>;
  readonly rows: ReadonlyMap<XPathNode, Rows>;
}

/** Copies what is selected below `root`, which is not selected itself, into `target`. */
export function copySelected(root: XPathNode, target: DataNode, set: NodeSet, copying: Copying): void {
  copyBelow(root, target, marksOf(set.small, set.rows), copying);
}

function marksOf(nodes: readonly XPathNode[], rows: ReadonlyMap<XPathNode, Rows>): Marks {
  // A text goes out as the leaf it stands in.
  const whole = new Set(nodes.map((node) => (node.kind === 'text' && node.parent ? node.parent : node)));
  const partly = new Set<XPathNode>();
  const markFrom = (node: XPathNode | undefined) => {
    for (let at = node; at && !partly.has(at); at = at.parent) partly.add(at);
  };
  for (const { parent } of whole) markFrom(parent);
  for (const table of rows.keys()) markFrom(table);
  return { whole, partly, rows };
}

/** Whether anything went into the copy. */
function copyBelow(source: XPathNode, target: DataNode, marks: Marks, copying: Copying): boolean {
  for (const child of source.children) {
    const copy = marks.whole.has(child)
      ? copying.whole(child.data)
      : marks.partly.has(child)
        ? copyPartly(child, marks, copying)
        : undefined;
    if (copy) target.add(copy);
  }
  const rows = marks.rows.get(source);
  const hasRows = rows !== undefined && addRows(source, target, rows, copying);
  return hasRows || target.size > 0;
}

function copyPartly(source: XPathNode, marks: Marks, copying: Copying): DataNode | undefined {
  const { schema, value, type } = source.data;
  const copy = new DataNode(schema, value, type);
  return copyBelow(source, copy, marks, copying) ? copying.withKeys(source.data, copy) : undefined;
}

function addRows(table: XPathNode, target: DataNode, rows: Rows, copying: Copying): boolean {
  if (rows.isEvery) return copying.addEveryRow(table.data, target);
  return copying.addHits(table.data, target, rows.hits(), (hit) => entryOf(hit, copying));
}

const NO_ROWS: ReadonlyMap<XPathNode, Rows> = new Map();

function entryOf({ row, nodes }: Hit, copying: Copying): DataNode | undefined {
  return nodes[0] === row ? copying.whole(row.data) : copyPartly(row, marksOf(nodes, NO_ROWS), copying);
}
