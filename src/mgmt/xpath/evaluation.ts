/**
 * Evaluates an expression over a document (XPath 1.0 §2, §3). Node-sets are walked lazily: what is filtered out of a table
 * is decided row by row, when the rows of the result are asked for. Positions and sizes are counted only when a predicate
 * asks, in a pass over the table where it must be. The flow of a step:
 *
 * 1. The nodes on its axis, from all context nodes at once; from each by itself when a predicate counts.
 * 2. Each predicate in turn; one that fixes keys makes the rows keyed reads first.
 */

import { Axes, canPassInRow } from './axes.ts';
import type { Canonical } from './comparison.ts';
import { compare } from './comparison.ts';
import type { Value } from './conversions.ts';
import { isNodeSet, toBoolean, toNumber } from './conversions.ts';
import { derefNodes } from './deref.ts';
import type { XPathDocument, XPathNode } from './document.ts';
import { FUNCTIONS } from './functions.ts';
import { keysIn, lastPosition } from './keys.ts';
import type { Hit, NodeSet, Rows, Segment } from './node-set.ts';
import { countRows, firstOf, held, mapRows, NOTHING, nodesOf, only, segmentsOf, unionOf } from './node-set.ts';
import type { Expression, Step } from './syntax.ts';
import { isPositional, REVERSE_AXES } from './syntax.ts';
import { YANG_FUNCTIONS } from './yang-functions.ts';

/** Where an expression is evaluated; position and size are counted when they are asked for. */
interface Context {
  readonly node: XPathNode;
  readonly position: () => number;
  readonly size: () => number;
}

const one = () => 1;
/** Of predicates that do not ask. */
const uncounted = () => Number.NaN;

export class Evaluation {
  readonly #document: XPathDocument;
  readonly #axes: Axes;
  readonly #canonical: Canonical;
  readonly #current: XPathNode;
  /** Values of what depends on no context. */
  readonly #constants = new Map<Expression, Value>();

  /** `current` is the context node of the whole expression. */
  constructor(document: XPathDocument, canonical: Canonical, current = document.root) {
    this.#document = document;
    this.#axes = new Axes(document);
    this.#canonical = canonical;
    this.#current = current;
  }

  /** The nodes that the expression selects. */
  select(expression: Expression): NodeSet {
    const value = this.evaluate(expression);
    return isNodeSet(value) ? value : NOTHING;
  }

  /**
   * The value at the context node. @throws ManagementError resource-denied; invalid-value, unknown-namespace for an argument that
   * only data says; now or while it is walked
   */
  evaluate(expression: Expression): Value {
    return this.#value(expression, { node: this.#current, position: one, size: one });
  }

  #value(expression: Expression, context: Context): Value {
    if (
      expression.usesNode ||
      expression.usesPosition ||
      expression.kind === 'literal' ||
      expression.kind === 'number'
    ) {
      return this.#compute(expression, context);
    }
    let value = this.#constants.get(expression);
    if (value === undefined) {
      value = this.#compute(expression, context);
      this.#constants.set(expression, value);
    }
    return value;
  }

  #compute(expression: Expression, context: Context): Value {
    switch (expression.kind) {
      case 'literal':
      case 'number':
        return expression.value;
      case 'or':
        return expression.operands.some((operand) => toBoolean(this.#value(operand, context)));
      case 'and':
        return expression.operands.every((operand) => toBoolean(this.#value(operand, context)));
      case 'compare': {
        const { operator, left, right } = expression;
        const comparing = { axes: this.#axes, canonical: this.#canonical };
        return compare(comparing, operator, this.#value(left, context), this.#value(right, context));
      }
      case 'arithmetic':
        return this.#arithmetic(expression, context);
      case 'negate':
        return -this.#number(expression.operand, context);
      case 'union':
        return unionOf(expression.operands.map((operand) => this.#nodes(operand, context)));
      case 'call':
        return this.#call(expression, context);
      case 'filter':
        return this.#filtered(this.#nodes(expression.base, context), expression.predicates, false);
      case 'path':
        return this.#path(expression, context);
    }
  }

  #nodes(expression: Expression, context: Context): NodeSet {
    const value = this.#value(expression, context);
    return isNodeSet(value) ? value : NOTHING;
  }

  #number(expression: Expression, context: Context): number {
    return toNumber(this.#axes, this.#value(expression, context));
  }

  #arithmetic({ first, rest }: Extract<Expression, { kind: 'arithmetic' }>, context: Context): number {
    let result = this.#number(first, context);
    for (const { operator, operand } of rest) {
      const number = this.#number(operand, context);
      if (operator === '+') result += number;
      else if (operator === '-') result -= number;
      else if (operator === '*') result *= number;
      else if (operator === 'div') result /= number;
      else result %= number;
    }
    return result;
  }

  #call({ name, args, scope }: Extract<Expression, { kind: 'call' }>, context: Context): Value {
    if (name === 'position') return context.position();
    if (name === 'last') return context.size();
    const values = args.map((arg) => this.#value(arg, context));
    if (name === 'deref') return this.#deref(values[0]);
    const implementation = FUNCTIONS[name] ?? YANG_FUNCTIONS[name];
    if (!implementation) throw new Error(`function ${name} has a signature and no implementation`);
    const here = { axes: this.#axes, document: this.#document, current: this.#current, node: context.node, scope };
    return implementation(here, values);
  }

  /** RFC 7950 §10.3.1: what the first node refers to. */
  #deref(set: Value | undefined): NodeSet {
    const node = set !== undefined && isNodeSet(set) ? firstOf(set) : undefined;
    if (!node) return NOTHING;
    const evaluateAt = (expression: Expression, current: XPathNode) =>
      new Evaluation(this.#document, this.#canonical, current).select(expression);
    return derefNodes(node, this.#document.root, evaluateAt);
  }

  #path({ from, steps }: Extract<Expression, { kind: 'path' }>, context: Context): NodeSet {
    let set =
      from === 'root'
        ? only(this.#document.root)
        : from === 'context'
          ? only(context.node)
          : this.#nodes(from, context);
    for (const step of steps) set = this.#step(set, step);
    return set;
  }

  #step(set: NodeSet, { axis, test, predicates }: Step): NodeSet {
    const isReverse = REVERSE_AXES.has(axis);
    if (!predicates.some(isPositional)) return this.#filtered(this.#axes.from(set, axis, test), predicates, isReverse);
    const fromOne = (node: XPathNode) => this.#filtered(this.#axes.from(only(node), axis, test), predicates, isReverse);
    const sets = set.small.map(fromOne);
    for (const [table, rows] of set.rows) {
      if (axis === 'child' || axis === 'self' || axis.startsWith('descendant')) {
        if (!canPassInRow(table, test, axis === 'child' || axis === 'descendant')) continue;
        sets.push({ small: [], rows: new Map([[table, mapRows(rows, ({ nodes }) => inEach(nodes, fromOne))]]) });
      } else if (axis === 'parent' || axis.startsWith('ancestor')) sets.push(...this.#upwards(table, rows, fromOne));
      else sets.push(...this.#sideways(table, rows, fromOne, axis.endsWith('sibling')));
    }
    return unionOf(sets);
  }

  /** A step up from each of many nodes in rows: what is reached outside is found in a pass, the rest row by row. */
  #upwards(table: XPathNode, rows: Rows, fromOne: (node: XPathNode) => NodeSet): NodeSet[] {
    const outer = new Set<XPathNode>();
    for (const { nodes } of rows.hits())
      for (const node of nodes) for (const found of fromOne(node).small) outer.add(found);
    const inside = mapRows(rows, ({ nodes }) => inEach(nodes, fromOne).filter(({ row }) => row !== undefined));
    return [held(outer), { small: [], rows: new Map([[table, inside]]) }];
  }

  /** A step beside each of many nodes in rows. Siblings of leaves are in the row; others may be anywhere, and are held. */
  #sideways(table: XPathNode, rows: Rows, fromOne: (node: XPathNode) => NodeSet, siblings: boolean): NodeSet[] {
    const isInside = (node: XPathNode) => siblings && !node.isRow;
    const inside = mapRows(rows, ({ nodes }) => inEach(nodes.filter(isInside), fromOne));
    function* beside(): Generator<XPathNode> {
      for (const { nodes } of rows.hits()) {
        for (const node of nodes) if (!isInside(node)) yield* nodesOf(fromOne(node));
      }
    }
    return [{ small: [], rows: new Map([[table, inside]]) }, held(beside())];
  }

  #filtered(set: NodeSet, predicates: readonly Expression[], isReverse: boolean): NodeSet {
    return predicates.reduce((left, predicate) => this.#filter(left, predicate, isReverse), set);
  }

  /** The nodes for which the predicate is true (§2.4). */
  #filter(set: NodeSet, predicate: Expression, isReverse: boolean): NodeSet {
    if (!isPositional(predicate)) return this.#filterUncounted(set, predicate);
    const segments = segmentsOf(set);
    const counts = segments.map((segment) => once(() => countIn(segment)));
    const size = once(() => counts.reduce((sum, count) => sum + count(), 0));
    const small: XPathNode[] = [];
    const rows = new Map<XPathNode, Rows>();
    for (const [at, segment] of segments.entries()) {
      const before = once(() => counts.slice(0, at).reduce((sum, count) => sum + count(), 0));
      const isTrue = (node: XPathNode, place: number) => {
        const position = () => (isReverse ? size() + 1 - before() - place : before() + place);
        return this.#holds(predicate, { node, position, size });
      };
      if ('nodes' in segment) small.push(...segment.nodes.filter((node, index) => isTrue(node, index + 1)));
      else
        rows.set(
          segment.table,
          countedRows(segment.rows, isTrue, isReverse ? Number.POSITIVE_INFINITY : lastPosition(predicate)),
        );
    }
    return { small, rows };
  }

  #filterUncounted({ small, rows }: NodeSet, predicate: Expression): NodeSet {
    const isTrue = (node: XPathNode) => this.#holds(predicate, { node, position: uncounted, size: uncounted });
    const filtered = new Map<XPathNode, Rows>();
    for (const [table, ofTable] of rows) {
      const keys = table.rowSchema && ofTable.restrict && keysIn(predicate, table.rowSchema, this.#canonical);
      const left = (keys && ofTable.restrict?.(keys)) ?? ofTable;
      filtered.set(
        table,
        mapRows(left, ({ nodes }) => nodes.filter(isTrue)),
      );
    }
    return { small: small.filter(isTrue), rows: filtered };
  }

  #holds(predicate: Expression, context: Context): boolean {
    const value = this.#value(predicate, context);
    return typeof value === 'number' ? value === context.position() : toBoolean(value);
  }
}

function inEach(nodes: readonly XPathNode[], find: (node: XPathNode) => NodeSet): XPathNode[] {
  return nodes.flatMap((node) => [...nodesOf(find(node))]);
}

function countIn(segment: Segment): number {
  return 'nodes' in segment ? segment.nodes.length : countRows(segment.rows);
}

/** The nodes of rows that are true at their place among them, from 1 on; places behind `last` are not looked at. */
function countedRows(rows: Rows, isTrue: (node: XPathNode, place: number) => boolean, last: number): Rows {
  return {
    *hits(): Generator<Hit> {
      let place = 0;
      for (const { row, nodes } of rows.hits()) {
        const found = nodes.filter((node) => isTrue(node, ++place));
        if (found.length > 0) yield { row, nodes: found };
        if (place >= last) return;
      }
    },
  };
}

function once<Found>(find: () => Found): () => Found {
  let found: { readonly value: Found } | undefined;
  return () => {
    found ??= { value: find() };
    return found.value;
  };
}
