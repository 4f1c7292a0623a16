/**
 * What a predicate says of the rows it can be true for, before any is read: the keys they must have, and how many of them
 * at most. The predicate is evaluated on these rows all the same.
 */

import type { SchemaNode } from '../../state/schema.ts';
import type { Canonical } from './comparison.ts';
import type { Expression } from './syntax.ts';
import { isPositional } from './syntax.ts';

/** The canonical keys outside which the predicate is false for every row; undefined when it says nothing of them. */
export function keysIn(predicate: Expression, rowSchema: SchemaNode, canonical: Canonical): string[] | undefined {
  if (isPositional(predicate)) return undefined;
  if (predicate.kind === 'and') {
    // One operand that fixes keys is enough.
    for (const operand of predicate.operands) {
      const keys = keysIn(operand, rowSchema, canonical);
      if (keys) return keys;
    }
    return undefined;
  }
  if (predicate.kind === 'or') {
    const all = predicate.operands.map((operand) => keysIn(operand, rowSchema, canonical));
    return all.every((keys) => keys !== undefined) ? all.flat() : undefined;
  }
  if (predicate.kind !== 'compare' || predicate.operator !== '=') return undefined;
  const { left, right } = predicate;
  const text = right.kind === 'literal' ? right.value : left.kind === 'literal' ? left.value : undefined;
  const leaf = rowSchema.child(rowSchema.keys[0] ?? '');
  if (text === undefined || !leaf || !isChild(right.kind === 'literal' ? left : right, leaf)) return undefined;
  const key = canonical(leaf, text);
  return key === undefined ? [] : [key];
}

/** Whether the expression is the leaf of the context node, or its text, and nothing else. */
function isChild(path: Expression, leaf: SchemaNode): boolean {
  if (path.kind !== 'path' || path.from !== 'context') return false;
  const [step, last, ...more] = path.steps.filter(({ axis, test, predicates }) => {
    return axis !== 'self' || test.kind !== 'node' || predicates.length > 0;
  });
  const isText = !last || (last.axis === 'child' && last.test.kind === 'text' && last.predicates.length === 0);
  if (step?.axis !== 'child' || step.predicates.length > 0 || !isText || more.length > 0) return false;
  return step.test.kind === 'name' && step.test.name === leaf.name && step.test.namespace === leaf.namespace;
}

/** The highest position at which the predicate can be true: nothing behind it need be read. */
export function lastPosition(predicate: Expression): number {
  if (predicate.kind === 'number') return predicate.value;
  if (predicate.kind === 'and') return Math.min(...predicate.operands.map(boundOf));
  return boundOf(predicate);
}

function boundOf(condition: Expression): number {
  if (condition.kind !== 'compare') return Number.POSITIVE_INFINITY;
  const { left, operator, right } = condition;
  const isUpper = operator === '=' || operator === '<' || operator === '<=';
  const isLower = operator === '=' || operator === '>' || operator === '>=';
  if (isPosition(left) && right.kind === 'number' && isUpper) return right.value;
  if (isPosition(right) && left.kind === 'number' && isLower) return left.value;
  return Number.POSITIVE_INFINITY;
}

function isPosition(part: Expression): boolean {
  return part.kind === 'call' && part.name === 'position';
}
