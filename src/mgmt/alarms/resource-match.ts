/**
 * Which resources a resource-match means (RFC 8632, typedef resource-match). Resources of this device are instance paths: an
 * XPath expression over the configuration matches those it selects. A text that is none could match only other kinds.
 */

import { DataNode } from '../../state/data.ts';
import { ManagementError } from '../../state/errors.ts';
import type { ValueCheck } from '../../state/request.ts';
import type { Schema } from '../../state/schema.ts';
import { XPathDocument } from '../xpath/document.ts';
import { Evaluation } from '../xpath/evaluation.ts';
import { parseExpression } from '../xpath/parser.ts';
import { canonicalBy } from '../xpath/selection.ts';

/** Nodes an expression may walk to: many times what the small tree has. */
const MAX_WORK = 10_000_000;
/** Resources that stand for the whole device, below their containers. */
const STATES = ['softwire', 'store'];

/**
 * A test of instance paths; names without prefix and prefixes are module names as libyang prints them. `configuration` is
 * the root of running. @throws ManagementError resource-denied for an expression that takes too much
 */
export function resourceMatch(
  schema: Schema,
  check: ValueCheck,
  configuration: DataNode,
  text: string,
): (resource: string) => boolean {
  const found = selected(schema, check, configuration, text);
  // An instance that is gone is in no document any more.
  return (resource) => resource === text || found.has(resource);
}

function selected(schema: Schema, check: ValueCheck, configuration: DataNode, text: string): ReadonlySet<string> {
  const prefixes = Object.fromEntries(schema.modules.map(({ name, namespace }) => [name, namespace]));
  try {
    const expression = parseExpression(text, (prefix) => prefixes[prefix], 'any');
    if (expression.type !== 'node-set') return new Set();
    const root = withStates(configuration);
    const document = new XPathDocument(
      { root, children: (node) => node.children(), rows: () => [], row: () => undefined },
      MAX_WORK,
    );
    const value = new Evaluation(document, canonicalBy(check, prefixes)).evaluate(expression);
    if (typeof value !== 'object') return new Set();
    return new Set(value.small.map(({ data }) => data.path));
  } catch (error) {
    // No expression at all, or of names that no module has.
    if (error instanceof ManagementError && error.tag !== 'resource-denied') return new Set();
    throw error;
  }
}

/** A copy with the state containers that are resources. */
function withStates(configuration: DataNode): DataNode {
  const root = configuration.clone();
  for (const name of STATES) {
    const schema = root.schema.child(name, 'gi-4over6');
    const state = schema?.child('state');
    if (!schema || !state) continue;
    const container = root.child(name, 'gi-4over6') ?? root.add(new DataNode(schema));
    container.add(new DataNode(state));
  }
  return root;
}
