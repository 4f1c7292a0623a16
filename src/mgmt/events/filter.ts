/**
 * Filters of a subscription (RFC 5277 §3.6, RFC 8040 §4.8.4): an event passes whole or not at all. What a filter looks at
 * is a root with the one notification, from which the caller's rights have taken what they take.
 */

import type { DataNode } from '../../state/data.ts';
import { entryId } from '../../state/data.ts';
import { ManagementError } from '../../state/errors.ts';
import type { ValueCheck } from '../../state/request.ts';
import type { Schema } from '../../state/schema.ts';
import { filterKind } from '../filter-element.ts';
import type { SelectionPart } from '../selection.ts';
import { eventParts } from '../selection.ts';
import type { XmlElement } from '../xml.ts';
import { toBoolean } from '../xpath/conversions.ts';
import { XPathDocument } from '../xpath/document.ts';
import { Evaluation } from '../xpath/evaluation.ts';
import { checkIdentities } from '../xpath/identity-names.ts';
import { invalidExpression } from '../xpath/lexer.ts';
import { parseExpression } from '../xpath/parser.ts';
import { canonicalBy, filterExpression } from '../xpath/selection.ts';
import type { Expression } from '../xpath/syntax.ts';

export type EventFilter = (root: DataNode) => boolean;

/** Nodes an expression may walk to in one event: many times what any event has. */
const MAX_WORK = 100_000;

/**
 * The `filter` element of create-subscription, of type subtree or xpath.
 * @throws as `filterKind`, `filterExpression`
 */
export function elementFilter(schema: Schema, check: ValueCheck, filter: XmlElement): EventFilter {
  return filterKind(filter) === 'xpath'
    ? passing(filterExpression(schema, filter), check, filter.prefixes)
    : subtreeEventFilter(schema, check, filter);
}

/** A subtree filter whose elements stand below `filter`. */
export function subtreeEventFilter(schema: Schema, check: ValueCheck, filter: XmlElement): EventFilter {
  const parts = eventParts(schema, check, filter);
  return (root) => isSelected(root, parts);
}

/**
 * The expression of a RESTCONF `filter`; prefixes are module names, and a name without prefix is one of any module, since
 * the examples of RFC 8040 §B.3.6 are written so.
 * @throws ManagementError invalid-value, unknown-namespace, too-big
 */
export function textFilter(schema: Schema, check: ValueCheck, text: string): EventFilter {
  const prefixes = Object.fromEntries(schema.modules.map(({ name, namespace }) => [name, namespace]));
  const expression = parseExpression(text, (prefix) => prefixes[prefix], 'any');
  checkIdentities(expression, schema.root);
  if (expression.type === 'number' || expression.type === 'string') {
    throw invalidExpression(text, 0, `a boolean or a node-set, not a ${expression.type}`);
  }
  return passing(expression, check, prefixes);
}

/** Passes the events for which the expression is true. */
export function passing(
  expression: Expression,
  check: ValueCheck,
  prefixes: Readonly<Record<string, string>>,
): EventFilter {
  const canonical = canonicalBy(check, prefixes);
  return (root) => {
    const document = new XPathDocument(
      { root, children: (node) => node.children(), rows: () => [], row: () => undefined },
      MAX_WORK,
    );
    try {
      return toBoolean(new Evaluation(document, canonical).evaluate(expression));
    } catch (error) {
      // An expression that is too much for an event does not hold for it.
      if (error instanceof ManagementError) return false;
      throw error;
    }
  };
}

/** Whether a subtree filter selects anything (RFC 6241 §6.2). */
function isSelected(node: DataNode, parts: readonly SelectionPart[]): boolean {
  return parts.some((part) =>
    [...node.childMap.values()].some((child) => {
      if (child.schema !== part.schema || !part.matches.every((match) => isMatched(child, match))) return false;
      return part.whole || isSelected(child, part.children);
    }),
  );
}

function isMatched(node: DataNode, { leaf, value }: SelectionPart['matches'][number]): boolean {
  if (leaf === node.schema) return node.value === value;
  const found = leaf.kind === 'leaf-list' ? node.get(entryId(leaf, [value])) : node.child(leaf.name, leaf.module);
  return found?.value === value;
}
