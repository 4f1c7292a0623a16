/**
 * An XPath condition about bindings as a function of the row: comparisons of configured leaves with texts, whether there is one,
 * starts-with, contains, and what and, or, not make of these. It says what the evaluation over nodes would (xpath/comparison.ts), at a
 * twentieth of the cost. What else there is in XPath has no such function.
 */

import type { Binding } from '../state/binding.generated.ts';
import type { SchemaNode } from '../state/schema.ts';
import { leafEquals, leafText } from './row-leaf.ts';
import type { Canonical } from './xpath/comparison.ts';
import type { Expression } from './xpath/syntax.ts';

export type RowCondition = (binding: Binding) => boolean;

/** For a caller who may read every leaf. Undefined where nodes are needed. `rows` is the list, an entry the context node and the root. */
export function rowCondition(expression: Expression, rows: SchemaNode, canonical: Canonical): RowCondition | undefined {
  switch (expression.kind) {
    case 'and':
    case 'or':
      return joined(expression.kind, expression.operands, rows, canonical);
    case 'compare':
      return comparison(expression, rows, canonical);
    case 'call':
      return called(expression.name, expression.args, rows, canonical);
    case 'path': {
      const leaf = leafAt(expression, rows);
      const text = leaf && leafText(leaf);
      return text && ((binding) => text(binding) !== undefined);
    }
    default:
      return undefined;
  }
}

function joined(
  kind: 'and' | 'or',
  operands: readonly Expression[],
  rows: SchemaNode,
  canonical: Canonical,
): RowCondition | undefined {
  const parts: RowCondition[] = [];
  for (const operand of operands) {
    const part = rowCondition(operand, rows, canonical);
    if (!part) return undefined;
    parts.push(part);
  }
  return kind === 'and'
    ? (binding) => parts.every((part) => part(binding))
    : (binding) => parts.some((part) => part(binding));
}

/** `=` and `!=` of a leaf and a text: an absent leaf is neither (XPath 1.0 §3.4). */
function comparison(
  { operator, left, right }: Extract<Expression, { kind: 'compare' }>,
  rows: SchemaNode,
  canonical: Canonical,
): RowCondition | undefined {
  const [path, text] = right.kind === 'literal' ? [left, right.value] : [right, left.kind === 'literal' && left.value];
  const leaf = typeof text === 'string' ? leafAt(path, rows) : undefined;
  const read = leaf && leafText(leaf);
  if (!leaf || !read || typeof text !== 'string' || (operator !== '=' && operator !== '!=')) return undefined;
  const isEqual = leafEquals(leaf, canonical(leaf, text) ?? text);
  if (!isEqual || operator === '=') return isEqual;
  return (binding) => read(binding) !== undefined && !isEqual(binding);
}

function called(
  name: string,
  args: readonly Expression[],
  rows: SchemaNode,
  canonical: Canonical,
): RowCondition | undefined {
  const [first, second, ...others] = args;
  if (name === 'not' && first && !second) {
    const inner = rowCondition(first, rows, canonical);
    return inner && ((binding) => !inner(binding));
  }
  const leaf = first && leafAt(first, rows);
  const read = leaf && leafText(leaf);
  if (!read || second?.kind !== 'literal' || others.length > 0) return undefined;
  const { value } = second;
  if (name === 'starts-with') return (binding) => (read(binding) ?? '').startsWith(value);
  return name === 'contains' ? (binding) => (read(binding) ?? '').includes(value) : undefined;
}

/** The leaf of the entry that the expression is, and nothing else. */
function leafAt(path: Expression, rows: SchemaNode): SchemaNode | undefined {
  if (path.kind !== 'path' || typeof path.from !== 'string') return undefined;
  const [step, ...more] = path.steps.filter(
    ({ axis, test, predicates }) => axis !== 'self' || test.kind !== 'node' || predicates.length > 0,
  );
  if (step?.axis !== 'child' || step.predicates.length > 0 || more.length > 0) return undefined;
  const { test } = step;
  if (test.kind !== 'name' || test.name === undefined) return undefined;
  return rows.children.find(({ name, namespace }) => name === test.name && namespace === test.namespace);
}
