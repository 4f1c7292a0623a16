/**
 * Comparisons (XPath 1.0 §3.4). A node-set is compared by any of its nodes; it is walked, never held. A text that is
 * compared with a leaf is taken in the canonical form of the leaf's type, as values in data are (RFC 7950 §9.1): so
 * '2001:DB8::1' is what a subtree filter takes it for.
 */

import type { DataNode } from '../../state/data.ts';
import type { SchemaNode } from '../../state/schema.ts';
import type { Axes } from './axes.ts';
import type { Value } from './conversions.ts';
import { isNodeSet, leafOf, parseNumber, textOf, toBoolean, toNumber } from './conversions.ts';
import type { XPathNode } from './document.ts';
import type { NodeSet } from './node-set.ts';
import { nodesOf } from './node-set.ts';
import type { CompareOperator } from './syntax.ts';

/** The canonical form of a text for a leaf; undefined when it is no value of its type. */
export type Canonical = (leaf: SchemaNode, text: string) => string | undefined;

export interface Comparing {
  readonly axes: Axes;
  readonly canonical: Canonical;
}

const MIRRORED: Readonly<Record<CompareOperator, CompareOperator>> = {
  '=': '=',
  '!=': '!=',
  '<': '>',
  '<=': '>=',
  '>': '<',
  '>=': '<=',
};

export function compare(context: Comparing, operator: CompareOperator, left: Value, right: Value): boolean {
  if (isNodeSet(left)) {
    return isNodeSet(right) ? compareSets(context, operator, left, right) : compareSet(context, operator, left, right);
  }
  if (isNodeSet(right)) return compareSet(context, MIRRORED[operator], right, left);
  const { axes } = context;
  if (operator !== '=' && operator !== '!=') return inOrder(operator, toNumber(axes, left), toNumber(axes, right));
  const isSame =
    typeof left === 'boolean' || typeof right === 'boolean'
      ? toBoolean(left) === toBoolean(right)
      : typeof left === 'number' || typeof right === 'number'
        ? toNumber(axes, left) === toNumber(axes, right)
        : left === right;
  return isSame === (operator === '=');
}

function inOrder(operator: CompareOperator, a: number, b: number): boolean {
  if (operator === '<') return a < b;
  if (operator === '<=') return a <= b;
  return operator === '>' ? a > b : a >= b;
}

function compareSet(
  context: Comparing,
  operator: CompareOperator,
  set: NodeSet,
  value: string | number | boolean,
): boolean {
  if (typeof value === 'boolean') return compare(context, operator, toBoolean(set), value);
  const { axes } = context;
  const isEquality = operator === '=' || operator === '!=';
  const number = isEquality && typeof value === 'string' ? Number.NaN : toNumber(axes, value);
  for (const node of nodesOf(set)) {
    const text = textOf(axes, node);
    const isSame =
      typeof value === 'string' ? text === value || isSameValue(context, node, value) : parseNumber(text) === number;
    if (isEquality ? isSame === (operator === '=') : inOrder(operator, parseNumber(text), number)) return true;
  }
  return false;
}

/** Whether the text stands for the value of the leaf in another form. */
function isSameValue({ canonical }: Comparing, node: XPathNode, text: string): boolean {
  const leaf: DataNode | undefined = leafOf(node);
  return leaf !== undefined && canonical(leaf.schema, text) === leaf.value;
}

/** Texts that are looked for in one pass over the other set. */
const BLOCK = 10_000;

function compareSets(context: Comparing, operator: CompareOperator, left: NodeSet, right: NodeSet): boolean {
  const { axes } = context;
  if (operator === '=') return shareText(axes, left, right);
  if (operator === '!=') {
    const [first, second] = distinctTexts(axes, left);
    const [other, another] = distinctTexts(axes, right);
    if (first === undefined || other === undefined) return false;
    return second !== undefined || another !== undefined || first !== other;
  }
  const isLess = operator === '<' || operator === '<=';
  const [low, high] = [extreme(axes, left, isLess), extreme(axes, right, !isLess)];
  return low !== undefined && high !== undefined && inOrder(operator, low, high);
}

/** Whether some text is in both: blocks of one set against passes over the other. */
function shareText(axes: Axes, left: NodeSet, right: NodeSet): boolean {
  let block = new Set<string>();
  const isInRight = () => {
    for (const node of nodesOf(right)) if (block.has(textOf(axes, node))) return true;
    return false;
  };
  for (const node of nodesOf(left)) {
    block.add(textOf(axes, node));
    if (block.size < BLOCK) continue;
    if (isInRight()) return true;
    block = new Set();
  }
  return block.size > 0 && isInRight();
}

/** At most two different texts of a set. */
function distinctTexts(axes: Axes, set: NodeSet): string[] {
  const found: string[] = [];
  for (const node of nodesOf(set)) {
    const text = textOf(axes, node);
    if (!found.includes(text)) found.push(text);
    if (found.length === 2) break;
  }
  return found;
}

/** The lowest or highest number of a set. */
function extreme(axes: Axes, set: NodeSet, lowest: boolean): number | undefined {
  let found: number | undefined;
  for (const node of nodesOf(set)) {
    const number = parseNumber(textOf(axes, node));
    if (Number.isNaN(number)) continue;
    if (found === undefined || (lowest ? number < found : number > found)) found = number;
  }
  return found;
}
