/**
 * Whether a filter can select configuration, which is all that on-change tells of (RFC 8641 §3.10 leaves it to the publisher for which
 * objects on-change is supported).
 */

import type { SchemaNode } from '../../state/schema.ts';
import type { SelectionPart } from '../selection.ts';
import type { Expression, Step } from '../xpath/syntax.ts';

export function partsHoldConfig(parts: readonly SelectionPart[]): boolean {
  return parts.some(({ schema, whole, matches, children }) => {
    if (!schema.config) return false;
    // What is matched is shown as well.
    if (whole) return holdsConfig(schema);
    return matches.some(({ leaf }) => leaf.config) || partsHoldConfig(children);
  });
}

/** For paths downwards from the root; of a name that is nowhere in the schema nothing is known, and it is not refused. */
export function pathHoldsConfig(expression: Expression, root: SchemaNode): boolean {
  if (expression.kind === 'union') return expression.operands.some((operand) => pathHoldsConfig(operand, root));
  if (expression.kind !== 'path' || typeof expression.from !== 'string') return true;
  let nodes: readonly SchemaNode[] = [root];
  for (const step of expression.steps)
    if (step.axis === 'child') nodes = nodes.flatMap((node) => childrenOf(node, step));
  return nodes.length === 0 || nodes.some((node) => node.isRoot || holdsConfig(node));
}

function childrenOf(node: SchemaNode, { test }: Step): readonly SchemaNode[] {
  const data = node.children.filter(({ kind }) => !NO_DATA.has(kind));
  if (test.kind !== 'name') return test.kind === 'node' ? data : [];
  const { name, namespace } = test;
  return data.filter(
    (child) => (name ?? child.name) === child.name && (namespace ?? child.namespace) === child.namespace,
  );
}

const NO_DATA: ReadonlySet<string> = new Set(['rpc', 'action', 'notification']);

/** Whether there can be configuration in it: a container without presence is none by itself. */
function holdsConfig(schema: SchemaNode): boolean {
  if (!schema.config) return false;
  const isOnlyAround = schema.kind === 'container' && schema.dump.presence !== true;
  return !isOnlyAround || schema.children.some(holdsConfig);
}
