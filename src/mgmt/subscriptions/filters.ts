/**
 * Filters of subscriptions (RFC 8639 §2.2, RFC 8641 §3.6): within an operation or configured under `/filters`, a subtree or an
 * XPath expression, as XML or JSON brought it. In an expression prefixes are names of modules, in XML also those declared there.
 */

import type { DataNode } from '../../state/data.ts';
import { ManagementError } from '../../state/errors.ts';
import type { ValueCheck } from '../../state/request.ts';
import type { Schema } from '../../state/schema.ts';
import type { EventFilter } from '../events/filter.ts';
import { passing, subtreeEventFilter } from '../events/filter.ts';
import type { AnySelection } from '../selection.ts';
import { subtreeSelection } from '../selection.ts';
import type { XmlElement } from '../xml.ts';
import { parseXml } from '../xml.ts';
import { checkIdentities } from '../xpath/identity-names.ts';
import { parseExpression } from '../xpath/parser.ts';
import { canonicalBy, XPathSelection } from '../xpath/selection.ts';
import type { Expression, Step } from '../xpath/syntax.ts';
import { partsOf } from '../xpath/syntax.ts';
import { partsHoldConfig, pathHoldsConfig } from './config-selection.ts';
import { LIMITS } from './limits.ts';
import { Refusal } from './refusal.ts';

export interface FilterContext {
  readonly schema: Schema;
  readonly check: ValueCheck;
}

/** An expression with the prefixes around it; a text alone has those of modules, and names without prefix are of any. */
export interface ExpressionText {
  readonly text: string;
  readonly prefixes?: Readonly<Record<string, string>> | undefined;
}

export type FilterSource =
  | { readonly kind: 'subtree'; readonly element: XmlElement }
  | { readonly kind: 'xpath'; readonly expression: ExpressionText };

/**
 * The filter that a node holds in `NAME-subtree-filter` or `NAME-xpath-filter`; undefined when in neither. `given` is the expression
 * as it came, where that is known. @throws Refusal filter-unsupported
 */
export function filterIn(
  { schema }: FilterContext,
  holder: DataNode,
  name: 'stream' | 'datastore',
  given?: ExpressionText,
): FilterSource | undefined {
  const subtree = holder.child(`${name}-subtree-filter`);
  requireShort(subtree?.value ?? given?.text ?? holder.leaf(`${name}-xpath-filter`) ?? '');
  if (subtree) return { kind: 'subtree', element: supported(() => elementOf(schema, subtree.value)) };
  const text = holder.leaf(`${name}-xpath-filter`);
  return text === undefined ? undefined : { kind: 'xpath', expression: given ?? { text } };
}

/** What a subscription keeps is bounded. @throws Refusal filter-unsupported */
function requireShort(text: string): void {
  if (text.length <= LIMITS.filterCharacters) return;
  const message = `the filter has ${text.length} characters: at most ${LIMITS.filterCharacters} are taken`;
  throw new Refusal('filter-unsupported', message, { 'filter-failure-hint': message });
}

/** @throws Refusal filter-unsupported */
export function eventFilter(context: FilterContext, source: FilterSource): EventFilter {
  return supported(() => {
    const { schema, check } = context;
    if (source.kind === 'subtree') return subtreeEventFilter(schema, check, source.element);
    const { expression, prefixes } = parsed(context, source.expression);
    return passing(expression, check, prefixes);
  });
}

/** What is selected of a datastore, and whether each binding is selected by itself, whatever others there are. */
export interface DataFilter {
  readonly selection: AnySelection;
  readonly isLocal: boolean;
  /** Whether it can select configuration. */
  readonly holdsConfig: boolean;
}

/** @throws Refusal filter-unsupported; unchanging-selection for a filter that can select nothing */
export function dataFilter(context: FilterContext, source: FilterSource): DataFilter {
  const { schema, check } = context;
  if (source.kind === 'subtree') {
    const selection = supported(() => subtreeSelection(schema, check, source.element));
    const { parts } = selection;
    if (parts.length > 0) return { selection, isLocal: true, holdsConfig: partsHoldConfig(parts) };
    throw new Refusal('unchanging-selection', 'the filter selects nothing: none of its nodes is in the schema');
  }
  const { expression, prefixes } = supported(() => parsed(context, source.expression));
  if (expression.type !== 'node-set') {
    const message = `the filter gives a ${expression.type}: what is no node-set selects nothing`;
    throw new Refusal('unchanging-selection', message);
  }
  return {
    selection: new XPathSelection(expression, canonicalBy(check, prefixes)),
    isLocal: isLocal(expression),
    holdsConfig: pathHoldsConfig(expression, schema.root),
  };
}

function parsed(
  { schema }: FilterContext,
  { text, prefixes: given }: ExpressionText,
): { readonly expression: Expression; readonly prefixes: Readonly<Record<string, string>> } {
  const prefixes: Record<string, string> = Object.assign(modulePrefixes(schema), given);
  const expression = parseExpression(text, (prefix) => prefixes[prefix], given ? undefined : 'any');
  checkIdentities(expression, schema.root);
  return { expression, prefixes };
}

/** What is wrong with a filter is told as its subscription's. */
function supported<Result>(work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof ManagementError)) throw error;
    throw new Refusal('filter-unsupported', error.message, { 'filter-failure-hint': error.message });
  }
}

/** What anydata holds, XML or JSON, as the children of an element. @throws ManagementError malformed-message */
function elementOf(schema: Schema, text: string): XmlElement {
  if (!text.startsWith('{')) return parseXml(`<filter>${text}</filter>`);
  const prefixes = modulePrefixes(schema);
  return { ...EMPTY, prefixes, children: membersOf(JSON.parse(text) as object, prefixes) };
}

/** Namespaces by names of modules, and nothing else by any name. */
function modulePrefixes(schema: Schema): Record<string, string> {
  const prefixes: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const { name, namespace } of schema.modules) prefixes[name] = namespace;
  return prefixes;
}

const EMPTY: XmlElement = {
  name: 'filter',
  namespace: '',
  prefix: '',
  attributes: [],
  prefixes: {},
  children: [],
  text: '',
};

/** Members as elements; a name without module is of any, as an element without namespace is. */
function membersOf(object: object, prefixes: Readonly<Record<string, string>>): XmlElement[] {
  return Object.entries(object).flatMap(([member, value]: [string, unknown]) => {
    const colon = member.indexOf(':');
    const namespace = colon < 0 ? '' : (prefixes[member.slice(0, colon)] ?? member);
    const base = { ...EMPTY, name: member.slice(colon + 1), namespace, prefixes };
    return (Array.isArray(value) ? value : [value]).map((item: unknown) => {
      if (typeof item === 'object' && item !== null) return { ...base, children: membersOf(item, prefixes) };
      return { ...base, text: item === null ? '' : String(item) };
    });
  });
}

/** What predicates may not look at where each binding is to be judged by itself. */
const ABOVE_BINDINGS: ReadonlySet<string | undefined> = new Set([
  'softwire',
  'aftr',
  'binding-table',
  'binding',
  undefined,
]);

/** Whether an expression is a path downwards (or several) whose predicates look at the node they stand at and below it. */
function isLocal(expression: Expression): boolean {
  if (expression.kind === 'union') return expression.operands.every(isLocal);
  if (expression.kind !== 'path' || typeof expression.from !== 'string') return false;
  return expression.steps.every((step) => isDown(step) && step.predicates.every(isLocalPredicate));
}

function isDown({ axis, test }: Step): boolean {
  return axis === 'child' || (axis === 'self' && test.kind === 'node');
}

function isLocalPredicate(expression: Expression): boolean {
  if (expression.usesPosition || expression.type === 'number') return false;
  return isLocalPart(expression);
}

function isLocalPart(expression: Expression): boolean {
  if (expression.kind === 'filter') return false;
  if (expression.kind === 'call' && (expression.name === 'current' || expression.name === 'deref')) return false;
  if (expression.kind === 'path') {
    const isNamed = ({ axis, test, predicates }: Step) =>
      predicates.length === 0 &&
      (axis === 'self' || (axis === 'child' && test.kind === 'name' && !ABOVE_BINDINGS.has(test.name)));
    return expression.from === 'context' && expression.steps.every(isNamed);
  }
  return partsOf(expression).every(isLocalPart);
}
