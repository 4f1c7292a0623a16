/**
 * Sets of nodes over a document whose tables are never held. A set is its nodes of the small tree, in an array, and for
 * each table what it holds of its rows, as something that can be walked again and again in key order, one row at a time.
 */

import { ManagementError } from '../../state/errors.ts';
import type { XPathNode } from './document.ts';
import { compareNodes, inOrder, isAtOrBelow } from './document.ts';

/** The nodes of a set that are one row or stand in it: at least one, in document order. */
export interface Hit {
  readonly row: XPathNode;
  readonly nodes: readonly XPathNode[];
}

/** What a set holds of one table. */
export interface Rows {
  /** In key order; each call is a pass of its own. */
  hits(): Iterable<Hit>;
  /** The same for rows of these canonical keys alone; absent when that saves nothing. */
  readonly restrict?: ((keys: readonly string[]) => Rows) | undefined;
  /** Whether these are simply the rows of the table, each whole. */
  readonly isEvery?: boolean;
}

export interface NodeSet {
  /** In document order, each once. */
  readonly small: readonly XPathNode[];
  /** By the node above the rows. */
  readonly rows: ReadonlyMap<XPathNode, Rows>;
}

export const NOTHING: NodeSet = { small: [], rows: new Map() };

/** One node, wherever it stands. */
export function only(node: XPathNode): NodeSet {
  const { row } = node;
  if (!row?.parent) return { small: [node], rows: new Map() };
  return { small: [], rows: new Map([[row.parent, { hits: () => [{ row, nodes: [node] }] }]]) };
}

/** Nodes that are held at once, when a set cannot be walked in order. */
export const MAX_HELD = 10_000;

/** The set of nodes that come in any order, some perhaps twice. @throws ManagementError resource-denied above MAX_HELD rows */
export function held(nodes: Iterable<XPathNode>): NodeSet {
  const found: XPathNode[] = [];
  let inRows = 0;
  for (const node of nodes) {
    if (node.row && ++inRows > MAX_HELD) {
      const message = `the XPath expression needs more than ${MAX_HELD} nodes of a table at once: use fewer positions among siblings`;
      throw new ManagementError('resource-denied', { message });
    }
    found.push(node);
  }
  const ordered = inOrder(found);
  const hits = new Map<XPathNode, { row: XPathNode; nodes: XPathNode[] }[]>();
  for (const node of ordered) {
    if (!node.row?.parent) continue;
    const ofTable = hits.get(node.row.parent) ?? [];
    hits.set(node.row.parent, ofTable);
    const last = ofTable[ofTable.length - 1];
    if (last && last.row.index === node.row.index) last.nodes.push(node);
    else ofTable.push({ row: node.row, nodes: [node] });
  }
  const rows = new Map([...hits].map(([table, list]): [XPathNode, Rows] => [table, { hits: () => list }]));
  return { small: ordered.filter((node) => !node.row), rows };
}

export function unionOf(sets: readonly NodeSet[]): NodeSet {
  const [first] = sets;
  if (sets.length === 1 && first) return first;
  const byTable = new Map<XPathNode, Rows[]>();
  for (const set of sets) {
    for (const [table, rows] of set.rows) byTable.set(table, [...(byTable.get(table) ?? []), rows]);
  }
  const rows = new Map<XPathNode, Rows>();
  for (const [table, parts] of byTable) rows.set(table, mergedRows(parts));
  return { small: inOrder(sets.flatMap(({ small }) => small)), rows };
}

function mergedRows(parts: readonly Rows[]): Rows {
  const [first] = parts;
  if (parts.length === 1 && first) return first;
  const canRestrict = parts.every(({ restrict }) => restrict);
  return {
    hits: () => mergeHits(parts),
    restrict: canRestrict ? (keys) => mergedRows(parts.map((part) => part.restrict?.(keys) ?? part)) : undefined,
  };
}

/** All passes side by side, the rows that several have joined. */
function* mergeHits(parts: readonly Rows[]): Generator<Hit> {
  const passes = parts.map((part) => part.hits()[Symbol.iterator]());
  const heads = passes.map((pass) => pass.next());
  try {
    for (;;) {
      const here = heads.flatMap((head) => (head.done ? [] : [head.value]));
      const lowest = here.reduce<Hit | undefined>(
        (low, hit) => (low && low.row.index <= hit.row.index ? low : hit),
        undefined,
      );
      if (!lowest) return;
      const same = here.filter(({ row }) => row.index === lowest.row.index);
      yield same.length === 1 ? lowest : { row: lowest.row, nodes: inOrder(same.flatMap(({ nodes }) => nodes)) };
      for (const [at, head] of heads.entries()) {
        const pass = passes[at];
        if (pass && !head.done && head.value.row.index === lowest.row.index) heads[at] = pass.next();
      }
    }
  } finally {
    for (const pass of passes) pass.return?.();
  }
}

/** Each row's nodes replaced by others of the same row, which come in any order; rows without any fall out. */
export function mapRows(rows: Rows, change: (hit: Hit) => readonly XPathNode[]): Rows {
  const { restrict } = rows;
  return {
    *hits() {
      for (const hit of rows.hits()) {
        const nodes = inOrder(change(hit));
        if (nodes.length > 0) yield { row: hit.row, nodes };
      }
    },
    restrict: restrict && ((keys) => mapRows(restrict(keys), change)),
  };
}

/** A run of a set in document order: nodes of the small tree, or the rows of one table. */
export type Segment = { readonly nodes: readonly XPathNode[] } | { readonly table: XPathNode; readonly rows: Rows };

export function segmentsOf({ small, rows }: NodeSet): Segment[] {
  if (rows.size === 0) return [{ nodes: small }];
  const segments: Segment[] = [];
  let from = 0;
  for (const [table, ofTable] of [...rows].sort(([a], [b]) => compareNodes(a, b))) {
    let to = from;
    for (let node = small[to]; node && !standsBehind(node, table); node = small[to]) to++;
    if (to > from) segments.push({ nodes: small.slice(from, to) });
    segments.push({ table, rows: ofTable });
    from = to;
  }
  if (from < small.length) segments.push({ nodes: small.slice(from) });
  return segments;
}

/** Rows are the last children of their parent. */
function standsBehind(node: XPathNode, table: XPathNode): boolean {
  return compareNodes(node, table) > 0 && !isAtOrBelow(node, table);
}

/** All nodes in document order. */
export function* nodesOf(set: NodeSet): Generator<XPathNode> {
  for (const segment of segmentsOf(set)) {
    if ('nodes' in segment) yield* segment.nodes;
    else for (const { nodes } of segment.rows.hits()) yield* nodes;
  }
}

export function firstOf(set: NodeSet): XPathNode | undefined {
  for (const node of nodesOf(set)) return node;
  return undefined;
}

export function isEmpty({ small, rows }: NodeSet): boolean {
  return small.length === 0 && ![...rows.values()].some(hasHit);
}

export function hasHit(rows: Rows): boolean {
  for (const _ of rows.hits()) return true;
  return false;
}

export function countRows(rows: Rows): number {
  let count = 0;
  for (const { nodes } of rows.hits()) count += nodes.length;
  return count;
}
