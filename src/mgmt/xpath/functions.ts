/** The functions of XPath 1.0 §4, on arguments that are evaluated already; those of position stand in the evaluation. */

import type { Axes } from './axes.ts';
import type { Value } from './conversions.ts';
import { isNodeSet, joined, parseNumber, textOf, toBoolean, toNumber, toText } from './conversions.ts';
import type { XPathDocument, XPathNode } from './document.ts';
import { countRows, firstOf, NOTHING, nodesOf, only } from './node-set.ts';
import type { NameScope } from './syntax.ts';

export interface FunctionContext {
  readonly axes: Axes;
  readonly document: XPathDocument;
  /** The context node. */
  readonly node: XPathNode;
  /** That of the whole expression. */
  readonly current: XPathNode;
  /** What names mean that are arguments. */
  readonly scope: NameScope;
}

export type Implementation = (context: FunctionContext, args: readonly Value[]) => Value;

/** By name; the parser has checked number and kinds of the arguments. */
export const FUNCTIONS: Readonly<Record<string, Implementation>> = {
  count: (_, [set]) => (set !== undefined && isNodeSet(set) ? count(set) : 0),
  // Nothing in data is an ID of a document type (§5.2.1).
  id: () => NOTHING,
  'local-name': (context, args) => element(context, args)?.data.schema.name ?? '',
  'namespace-uri': (context, args) => element(context, args)?.data.schema.namespace ?? '',
  // The reply declares default namespaces: the QName of a node has no prefix there.
  name: (context, args) => element(context, args)?.data.schema.name ?? '',
  string: text,
  concat: ({ axes }, args) => args.reduce((all: string, arg) => joined(all, toText(axes, arg)), ''),
  'starts-with': ({ axes }, args) => texts(axes, args, (a, b) => a.startsWith(b)),
  contains: ({ axes }, args) => texts(axes, args, (a, b) => a.includes(b)),
  'substring-before': ({ axes }, args) => texts(axes, args, (a, b) => a.slice(0, Math.max(0, a.indexOf(b)))),
  'substring-after': ({ axes }, args) =>
    texts(axes, args, (a, b) => (a.includes(b) ? a.slice(a.indexOf(b) + b.length) : '')),
  substring: ({ axes }, [from = '', start = 0, length]) =>
    substring(toText(axes, from), toNumber(axes, start), length === undefined ? undefined : toNumber(axes, length)),
  'string-length': (context, args) => [...text(context, args)].length,
  'normalize-space': (context, args) =>
    text(context, args)
      .replace(/[ \t\r\n]+/g, ' ')
      .replace(/^ | $/g, ''),
  translate: ({ axes }, [from = '', these = '', those = '']) =>
    translate(toText(axes, from), [...toText(axes, these)], [...toText(axes, those)]),
  boolean: (_, [value = false]) => toBoolean(value),
  not: (_, [value = false]) => !toBoolean(value),
  true: () => true,
  false: () => false,
  // No node says in which language it is.
  lang: () => false,
  number: (context, [value]) => (value === undefined ? parseNumber(text(context, [])) : toNumber(context.axes, value)),
  sum: ({ axes }, [set]) => {
    let sum = 0;
    if (set !== undefined && isNodeSet(set)) for (const node of nodesOf(set)) sum += parseNumber(textOf(axes, node));
    return sum;
  },
  floor: ({ axes }, [value = 0]) => Math.floor(toNumber(axes, value)),
  ceiling: ({ axes }, [value = 0]) => Math.ceil(toNumber(axes, value)),
  round: ({ axes }, [value = 0]) => round(toNumber(axes, value)),
  // RFC 7950 §10.1.1: the context node of the whole expression, which is the root for a filter (RFC 6241 §8.9.5.1).
  current: ({ current }) => only(current),
};

function count(set: Extract<Value, object>): number {
  let found = set.small.length;
  for (const rows of set.rows.values()) found += countRows(rows);
  return found;
}

/** The element that a name is asked of. */
function element({ node }: FunctionContext, [set]: readonly Value[]): XPathNode | undefined {
  const first = set === undefined ? node : isNodeSet(set) ? firstOf(set) : undefined;
  return first?.kind === 'element' ? first : undefined;
}

function text({ axes, node }: FunctionContext, [value]: readonly Value[]): string {
  return value === undefined ? textOf(axes, node) : toText(axes, value);
}

function texts<Result>(axes: Axes, [a = '', b = '']: readonly Value[], find: (a: string, b: string) => Result): Result {
  return find(toText(axes, a), toText(axes, b));
}

/** §4.2: halves go up; a number that is none begins nowhere. */
function substring(from: string, start: number, length: number | undefined): string {
  const first = round(start);
  const end = length === undefined ? Number.POSITIVE_INFINITY : first + round(length);
  return [...from].filter((_, at) => at + 1 >= first && at + 1 < end).join('');
}

function round(value: number): number {
  return Math.round(value);
}

function translate(from: string, these: readonly string[], those: readonly string[]): string {
  const by = new Map<string, string>();
  for (const [at, character] of these.entries()) if (!by.has(character)) by.set(character, those[at] ?? '');
  return [...from].map((character) => by.get(character) ?? character).join('');
}
