/**
 * The nodes on an axis from all nodes of a set (XPath 1.0 §2.2), without positions. What crosses the border between the
 * small tree and the rows of a table is here; inside a row, a handful of nodes, it is done on arrays.
 */

import type { XPathDocument, XPathNode } from './document.ts';
import { canPass, canPassBelow, inOrder, isAtOrBelow, passes } from './document.ts';
import type { Hit, NodeSet, Rows } from './node-set.ts';
import { hasHit, mapRows, NOTHING, unionOf } from './node-set.ts';
import type { Axis, NodeTest } from './syntax.ts';

const ANY: NodeTest = { kind: 'node' };

export class Axes {
  readonly #document: XPathDocument;

  constructor(document: XPathDocument) {
    this.#document = document;
  }

  /** The nodes on the axis that pass the test, from each node of the set. */
  from(set: NodeSet, axis: Axis, test: NodeTest): NodeSet {
    switch (axis) {
      case 'self':
        return this.#self(set, test);
      case 'child':
        return this.#child(set, test);
      case 'descendant':
        return this.#descendant(set, test);
      case 'descendant-or-self':
        return unionOf([this.#self(set, test), this.#descendant(set, test)]);
      case 'parent':
        return this.#above(set, test, false);
      case 'ancestor':
        return this.#above(set, test, true);
      case 'ancestor-or-self':
        return unionOf([this.#self(set, test), this.#above(set, test, true)]);
      case 'following-sibling':
      case 'preceding-sibling':
        return this.#siblings(set, axis, test);
      case 'following':
      case 'preceding':
        return this.#beyond(set, axis, test);
      default:
        // Data has neither attributes nor namespace nodes.
        return NOTHING;
    }
  }

  #self(set: NodeSet, test: NodeTest): NodeSet {
    if (test.kind === 'node') return set;
    const rows = new Map<XPathNode, Rows>();
    for (const [table, ofTable] of set.rows) {
      if (!canPassInRow(table, test)) continue;
      rows.set(
        table,
        mapRows(ofTable, ({ nodes }) => nodes.filter((node) => passes(node, test))),
      );
    }
    return { small: set.small.filter((node) => passes(node, test)), rows };
  }

  #child(set: NodeSet, test: NodeTest): NodeSet {
    const small = set.small.flatMap((node) => this.#passing(node.children, test));
    const inside = this.#inside(set, test, (node) => node.children);
    const tables = set.small.filter(({ rowSchema }) => rowSchema && canPass(rowSchema, test));
    return unionOf([{ small: inOrder(small), rows: inside }, this.#everyRow(tables)]);
  }

  #descendant(set: NodeSet, test: NodeTest): NodeSet {
    const small: XPathNode[] = [];
    let last: XPathNode | undefined;
    for (const node of set.small) {
      // What stands below a node of the set was walked with it.
      if (last && isAtOrBelow(node, last)) continue;
      last = node;
      const before = small.length;
      collectBelow(node, test, small);
      this.#document.spend(small.length - before);
    }
    const inside = this.#inside(set, test, (node) => collectBelow(node, ANY, []));
    const tables =
      set.small.length === 0
        ? []
        : this.#document.tables().filter((table) => set.small.some((node) => isAtOrBelow(table, node)));
    const whole = tables.filter(({ rowSchema }) => rowSchema && canPassBelow(rowSchema, test));
    const rowsAlone = tables.filter(
      (table) => !whole.includes(table) && table.rowSchema && canPass(table.rowSchema, test),
    );
    const withInside: NodeSet = {
      small: [],
      rows: new Map(
        whole.map((table) => [
          table,
          mapRows(this.#rowsFrom(table), ({ row }) => this.#passing([row, ...collectBelow(row, ANY, [])], test)),
        ]),
      ),
    };
    return unionOf([{ small, rows: inside }, this.#everyRow(rowsAlone), withInside]);
  }

  /** Parents, or all ancestors. */
  #above(set: NodeSet, test: NodeTest, all: boolean): NodeSet {
    const outer = new Set<XPathNode>();
    const climb = (node: XPathNode | undefined) => {
      for (let at = node; at && !outer.has(at); at = all ? at.parent : undefined) outer.add(at);
    };
    for (const { parent } of set.small) climb(parent);
    const rows = new Map<XPathNode, Rows>();
    for (const [table, ofTable] of set.rows) {
      const leaves = all ? ofTable : mapRows(ofTable, ({ nodes }) => nodes.filter(({ isRow }) => isRow));
      if (!outer.has(table) && hasHit(leaves)) climb(table);
      if (canPassInRow(table, test))
        rows.set(
          table,
          mapRows(ofTable, ({ nodes }) =>
            this.#passing(
              nodes.flatMap((node) => aboveInRow(node, all)),
              test,
            ),
          ),
        );
    }
    return { small: inOrder(this.#passing([...outer], test)), rows };
  }

  #siblings(set: NodeSet, axis: 'following-sibling' | 'preceding-sibling', test: NodeTest): NodeSet {
    const isAfter = axis === 'following-sibling';
    const sidesOf = (node: XPathNode) =>
      (node.parent?.children ?? []).filter(({ index }) => (isAfter ? index > node.index : index < node.index));
    const sets: NodeSet[] = [
      {
        small: inOrder(this.#passing(widest(set.small, isAfter).flatMap(sidesOf), test)),
        rows: this.#inside(set, test, (node) => (node.isRow ? [] : sidesOf(node))),
      },
    ];
    if (isAfter) {
      const tables = new Set(set.small.flatMap(({ parent }) => (parent?.rowSchema ? [parent] : [])));
      sets.push(this.#everyRow([...tables].filter(({ rowSchema }) => rowSchema && canPass(rowSchema, test))));
    }
    for (const [table, ofTable] of set.rows) sets.push(this.#besideRows(table, ofTable, isAfter, test));
    return unionOf(sets);
  }

  /** What stands after the first, or before the last, of the rows that are in a set themselves. */
  #besideRows(table: XPathNode, rows: Rows, isAfter: boolean, test: NodeTest): NodeSet {
    let edge: XPathNode | undefined;
    for (const { row, nodes } of rows.hits()) {
      if (!nodes.some(({ isRow }) => isRow)) continue;
      edge = row;
      if (isAfter) break;
    }
    if (!edge) return NOTHING;
    const { index } = edge;
    const small = isAfter ? [] : this.#passing(table.children, test);
    if (!table.rowSchema || !canPass(table.rowSchema, test)) return { small, rows: new Map() };
    const before = table.children.length;
    const beside: Rows = isAfter
      ? this.#rowsFrom(table, index - before + 1)
      : { hits: () => until(this.#rowsFrom(table).hits(), index) };
    return { small, rows: new Map([[table, beside]]) };
  }

  /** §2.2: all that stands behind, or before, but for descendants and ancestors. */
  #beyond(set: NodeSet, axis: 'following' | 'preceding', test: NodeTest): NodeSet {
    const sides = this.#siblings(this.from(set, 'ancestor-or-self', ANY), `${axis}-sibling`, ANY);
    return this.from(sides, 'descendant-or-self', test);
  }

  /** What `find` gives for the nodes of a set that stand in rows, as far as it passes. */
  #inside(set: NodeSet, test: NodeTest, find: (node: XPathNode) => readonly XPathNode[]): Map<XPathNode, Rows> {
    const found = new Map<XPathNode, Rows>();
    for (const [table, rows] of set.rows) {
      if (!canPassInRow(table, test, true)) continue;
      found.set(
        table,
        mapRows(rows, ({ nodes }) => this.#passing(nodes.flatMap(find), test)),
      );
    }
    return found;
  }

  #passing(nodes: readonly XPathNode[], test: NodeTest): XPathNode[] {
    this.#document.spend(nodes.length);
    return nodes.filter((node) => passes(node, test));
  }

  #everyRow(tables: readonly XPathNode[]): NodeSet {
    return { small: [], rows: new Map(tables.map((table) => [table, this.#rowsFrom(table)])) };
  }

  #rowsFrom(table: XPathNode, from = 0): Rows {
    const document = this.#document;
    return {
      *hits() {
        for (const found of document.source.rows(table.data, from)) yield whole(document.rowNode(table, found));
      },
      restrict: (keys) => ({
        *hits() {
          for (const found of keyedRows(document, table, keys))
            if (found.number >= from) yield whole(document.rowNode(table, found));
        },
      }),
      isEvery: from === 0,
    };
  }
}

/** The rows of some keys, in order. */
function keyedRows({ source }: XPathDocument, table: XPathNode, keys: readonly string[]) {
  const found = [...new Set(keys)].flatMap((key) => source.row(table.data, key) ?? []);
  return found.sort((a, b) => a.number - b.number);
}

function whole(row: XPathNode): Hit {
  return { row, nodes: [row] };
}

function* until(hits: Iterable<Hit>, index: number): Generator<Hit> {
  for (const hit of hits) {
    if (hit.row.index >= index) return;
    yield hit;
  }
}

/** Whether something in a row of the table can pass, the row itself among it unless only what is below counts. */
export function canPassInRow({ rowSchema }: XPathNode, test: NodeTest, below = false): boolean {
  return rowSchema !== undefined && ((!below && canPass(rowSchema, test)) || canPassBelow(rowSchema, test));
}

/** Adds what stands below a node and passes; rows of a table are not walked. */
function collectBelow(node: XPathNode, test: NodeTest, found: XPathNode[]): XPathNode[] {
  for (const child of node.children) {
    if (passes(child, test)) found.push(child);
    if (child.kind !== 'text' && canPassBelow(child.data.schema, test)) collectBelow(child, test, found);
  }
  return found;
}

/** Parent or ancestors as far as the row, which has none in itself. */
function aboveInRow(node: XPathNode, all: boolean): XPathNode[] {
  const found: XPathNode[] = [];
  for (let at = node; !at.isRow && at.parent; at = at.parent) {
    found.push(at.parent);
    if (!all) break;
  }
  return found;
}

/** Of several siblings the first, or the last: it sees what all of them see. */
function widest(nodes: readonly XPathNode[], isAfter: boolean): XPathNode[] {
  const byParent = new Map<XPathNode | undefined, XPathNode>();
  for (const node of nodes) if (!isAfter || !byParent.has(node.parent)) byParent.set(node.parent, node);
  return [...byParent.values()];
}
