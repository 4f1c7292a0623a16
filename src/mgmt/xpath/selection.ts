/** An XPath filter (RFC 6241 §8.9): the `select` of a request as a value, checked; the reading evaluates it. */

import { ManagementError } from '../../state/errors.ts';
import type { ValueCheck } from '../../state/request.ts';
import type { Schema, SchemaNode } from '../../state/schema.ts';
import type { XmlElement } from '../xml.ts';
import type { Canonical } from './comparison.ts';
import type { XPathDocument } from './document.ts';
import { canPass } from './document.ts';
import { Evaluation } from './evaluation.ts';
import { checkIdentities } from './identity-names.ts';
import { invalidExpression } from './lexer.ts';
import type { NodeSet } from './node-set.ts';
import { parseExpression } from './parser.ts';
import type { Axis, Expression, NodeTest, Step } from './syntax.ts';
import { partsOf, predicatesOf } from './syntax.ts';

export class XPathSelection {
  readonly #expression: Expression;
  readonly #canonical: Canonical;
  readonly #tops: readonly NodeTest[] | 'all';
  /**
   * Whether the expression may look at statistics of bindings: a step names one, or any node there. Where it does not, the text
   * of a whole binding is that without them.
   */
  readonly looksAtStatistics: boolean;

  constructor(expression: Expression, canonical: Canonical) {
    this.#expression = expression;
    this.#canonical = canonical;
    const tops: NodeTest[] = [];
    this.looksAtStatistics = mayReachStatistics(expression);
    this.#tops = findTops(expression, true, tops) ? tops : 'all';
  }

  /** Whether the expression can look at or below this top node. */
  wants(top: SchemaNode): boolean {
    return this.#tops === 'all' || this.#tops.some((test) => canPass(top, test));
  }

  /** The nodes that are selected. @throws ManagementError resource-denied, now or while they are walked */
  select(document: XPathDocument): NodeSet {
    return new Evaluation(document, this.#canonical).select(this.#expression);
  }
}

/**
 * The selection of a `filter` element of type xpath. Prefixes are those declared around it; one that is not declared may
 * be the name of a module, as clients such as Ansible send them (RFC 7951 §4 style). A name without prefix is in no
 * namespace: XPath 1.0 §2.3 says so, RFC 6241 takes it over, and the default namespace around is no matter.
 * @throws ManagementError missing-attribute; invalid-value for a wrong expression and for one that gives no node-set
 *   (RFC 6241 §8.9.5.1); unknown-namespace; too-big
 */
export function xpathSelection(schema: Schema, check: ValueCheck, filter: XmlElement): XPathSelection {
  return new XPathSelection(filterExpression(schema, filter), canonicalBy(check, filter.prefixes));
}

/** The selection of an expression that is the text of an element; `appTag` is for one that gives no node-set. @throws as `xpathSelection` */
export function xpathTextSelection(
  schema: Schema,
  check: ValueCheck,
  { name, text, prefixes }: XmlElement,
  appTag?: string,
): XPathSelection {
  try {
    return new XPathSelection(nodeSetExpression(schema, text, prefixes, appTag), canonicalBy(check, prefixes));
  } catch (error) {
    if (!(error instanceof ManagementError) || error.tag !== 'invalid-value') throw error;
    const { type, message } = error;
    throw new ManagementError(error.tag, { type, message, appTag: error.appTag, info: { 'bad-element': name } });
  }
}

/** The expression of the `select` of a filter. @throws as `xpathSelection` */
export function filterExpression(schema: Schema, filter: XmlElement): Expression {
  const select = filter.attributes.find(({ name }) => name === 'select')?.value;
  if (select === undefined) {
    throw new ManagementError('missing-attribute', {
      type: 'protocol',
      message: 'a filter of type xpath needs the attribute select',
      info: { 'bad-attribute': 'select', 'bad-element': 'filter' },
    });
  }
  return nodeSetExpression(schema, select, filter.prefixes);
}

function nodeSetExpression(
  schema: Schema,
  select: string,
  prefixes: XmlElement['prefixes'],
  appTag?: string,
): Expression {
  const namespaceOf = (prefix: string) => prefixes[prefix] ?? schema.module(prefix)?.namespace;
  const expression = parseExpression(select, namespaceOf);
  checkIdentities(expression, schema.root);
  if (expression.type === 'node-set') return expression;
  const error = invalidExpression(select, 0, `a node-set, not a ${expression.type}`);
  throw appTag === undefined ? error : new ManagementError(error.tag, { ...error, message: error.message, appTag });
}

/** Texts whose canonical form is remembered; an expression may make new ones row by row. */
const MAX_REMEMBERED = 1_000;

/** The canonical form by the value check. A password is hashed with new salt in each check: it has none. */
export function canonicalBy(check: ValueCheck, prefixes: Readonly<Record<string, string>>): Canonical {
  const known = new Map<SchemaNode, Map<string, string | undefined>>();
  return (leaf, text) => {
    if (leaf.dump.typedef === 'crypt-hash') return undefined;
    const ofLeaf = known.get(leaf) ?? new Map<string, string | undefined>();
    known.set(leaf, ofLeaf);
    if (ofLeaf.has(text)) return ofLeaf.get(text);
    const checked = check(leaf, text, prefixes);
    const value = 'value' in checked ? checked.value : undefined;
    if (ofLeaf.size >= MAX_REMEMBERED) ofLeaf.clear();
    ofLeaf.set(text, value);
    return value;
  };
}

const BELOW: ReadonlySet<Axis> = new Set([
  'child',
  'descendant',
  'descendant-or-self',
  'self',
  'attribute',
  'namespace',
]);

const STATISTICS: ReadonlySet<string> = new Set([
  'statistics',
  'discontinuity-time',
  'encapsulated-packets',
  'encapsulated-octets',
  'decapsulated-packets',
  'decapsulated-octets',
]);
/** Steps that lead no further down, or only to what the next step is to choose from. */
const NOT_DOWN: ReadonlySet<Axis> = new Set(['ancestor', 'ancestor-or-self', 'parent', 'self', 'descendant-or-self']);

/** Whether the expression may look at statistics of bindings. */
export function mayReachStatistics(expression: Expression): boolean {
  if (expression.kind === 'call' && expression.name === 'deref') return true;
  const steps = expression.kind === 'path' ? expression.steps : [];
  return (
    steps.some(isStepToStatistics) || [...partsOf(expression), ...predicatesOf(expression)].some(mayReachStatistics)
  );
}

function isStepToStatistics({ axis, test }: Step): boolean {
  if (test.kind === 'nothing') return false;
  if (test.kind === 'name' && test.name !== undefined) return STATISTICS.has(test.name);
  return !(test.kind === 'node' && NOT_DOWN.has(axis));
}

/**
 * Collects the tests that top nodes must pass to be looked at; false when it may be any. `atRoot` says whether the context
 * node of the expression is the root. A step up may end at the root, so it may see all.
 */
function findTops(expression: Expression, atRoot: boolean, tops: NodeTest[]): boolean {
  if (expression.kind === 'call' && (expression.name === 'current' || expression.name === 'deref')) return false;
  if (atRoot && expression.kind === 'call' && expression.args.length === 0 && expression.usesNode) return false;
  if (expression.kind === 'path') {
    if (expression.steps.some(({ axis }) => !BELOW.has(axis))) return false;
    if (expression.from === 'root' || (atRoot && expression.from === 'context')) {
      const [first] = expression.steps;
      if (first?.axis !== 'child') return false;
      tops.push(first.test);
    }
  }
  return (
    partsOf(expression).every((part) => findTops(part, atRoot, tops)) &&
    predicatesOf(expression).every((predicate) => findTops(predicate, false, tops))
  );
}
