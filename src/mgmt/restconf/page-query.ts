/**
 * The query parameters of list pagination (draft-ietf-netconf-list-pagination-rc §2.3) as a request for a part of a list. An entry
 * is a document of its own for `where`: the root is the entry, so paths begin in it with or without a slash.
 */

import type { DataNode } from '../../state/data.ts';
import type { ErrorDetail } from '../../state/errors.ts';
import { ManagementError } from '../../state/errors.ts';
import type { ValueCheck } from '../../state/request.ts';
import type { Schema, SchemaNode } from '../../state/schema.ts';
import type { PageRequest, SortOrder } from '../page.ts';
import { hasCursors, parseCursor } from '../page.ts';
import { rowCondition } from '../row-condition.ts';
import { toBoolean } from '../xpath/conversions.ts';
import type { XPathSource } from '../xpath/document.ts';
import { canPassBelow, XPathDocument } from '../xpath/document.ts';
import { Evaluation } from '../xpath/evaluation.ts';
import { checkIdentities } from '../xpath/identity-names.ts';
import { keysIn } from '../xpath/keys.ts';
import { parseExpression } from '../xpath/parser.ts';
import { canonicalBy, mayReachStatistics } from '../xpath/selection.ts';
import type { Expression } from '../xpath/syntax.ts';
import { partsOf, predicatesOf } from '../xpath/syntax.ts';
import { RestconfFault } from './fault.ts';

/** Of a whole list or leaf-list; `sublist-limit` is for every resource that is read. */
export const PAGE_PARAMETERS = ['limit', 'offset', 'cursor', 'direction', 'sort-by', 'locale', 'where'] as const;
export const SUBLIST_LIMIT = 'sublist-limit';

/** Parameters by name, as they came. */
export type PageQuery = ReadonlyMap<string, string>;

/** What an expression sees of an entry beside the entry itself. */
export type EntrySource = Omit<XPathSource, 'root'>;

/** Nodes an expression may walk to in one entry. */
const MAX_WORK = 10_000_000;
const MAX_UINT32 = 2 ** 32 - 1;
/** Code points, as long as nobody asks for another. */
const PLAIN_LOCALES = ['C', 'POSIX'];

/**
 * @throws RestconfFault 400 for a wrong value, for offset beside a cursor, locale without sort-by; 404 for a cursor that is none;
 *   501 for a cursor of a list without keys, a locale that is not there, statistics of bindings in `where`
 */
export function pageRequest(
  { schema, check }: { readonly schema: Schema; readonly check: ValueCheck },
  list: SchemaNode,
  query: PageQuery,
  source: EntrySource,
): PageRequest {
  const value = (name: (typeof PAGE_PARAMETERS)[number]) => query.get(name);
  const [cursor, offset, where] = [value('cursor'), value('offset'), value('where')];
  if (cursor !== undefined && offset !== undefined) throw wrong('offset and cursor both say where to begin');
  const direction = value('direction') ?? 'forwards';
  if (direction !== 'forwards' && direction !== 'backwards') {
    throw wrong(`direction=${direction}: expected forwards or backwards`);
  }
  return {
    list,
    ...(where !== undefined && where !== 'unfiltered' && condition(schema, check, list, where, source)),
    sort: sortOrder(schema, list, value('sort-by'), value('locale')),
    isBackwards: direction === 'backwards',
    offset: offset === undefined ? 0 : wholeNumber('offset', offset, 0),
    cursor: cursor === undefined ? undefined : cursorOf(list, cursor),
    limit: limitOf('limit', value('limit')),
  };
}

/** Infinity for `unbounded` or no value. @throws RestconfFault 400 */
export function limitOf(name: string, text: string | undefined): number {
  return text === undefined || text === 'unbounded' ? Number.POSITIVE_INFINITY : wholeNumber(name, text, 1);
}

function wholeNumber(name: string, text: string, least: number): number {
  const number = Number(text);
  if (/^\d{1,10}$/.test(text) && number >= least && number <= MAX_UINT32) return number;
  throw wrong(`${name}=${text}: expected a number from ${least} to ${MAX_UINT32}`);
}

function cursorOf(list: SchemaNode, text: string): PageRequest['cursor'] {
  if (!hasCursors(list)) {
    const message = `${list.path} has no keys, and so no cursors: use offset`;
    throw new RestconfFault(501, 'operation-not-supported', { type: 'application', message });
  }
  const cursor = parseCursor(text);
  if (cursor) return cursor;
  const message = `cursor=${text} is none that this list has given`;
  throw new RestconfFault(404, 'invalid-value', { type: 'application', appTag: 'cursor-not-found', message });
}

function sortOrder(
  schema: Schema,
  list: SchemaNode,
  text: string | undefined,
  locale: string | undefined,
): SortOrder | undefined {
  if (text === undefined || text === 'none') {
    if (locale === undefined) return undefined;
    throw wrong('locale says how to sort, and needs sort-by');
  }
  const path = leafPath(schema, list, text);
  const leaf = path[path.length - 1] ?? list;
  if (/^u?int\d+$|^decimal64$/.test(leaf.type)) return { path, compare: byNumber, locale: locale ?? 'C' };
  return { path, ...collation(locale) };
}

/** Nodes from the entry to the leaf; the name of a leaf-list is its value. */
function leafPath(schema: Schema, list: SchemaNode, text: string): SchemaNode[] {
  const path: SchemaNode[] = [];
  let at = list;
  if (list.kind === 'leaf-list' && [list.name, `${list.module}:${list.name}`, '.'].includes(text)) return path;
  for (const name of text.split('/')) {
    const colon = name.indexOf(':');
    const module = colon < 0 ? at.module : name.slice(0, colon);
    const found = schema.module(module) && at.child(name.slice(colon + 1), module);
    if (!found) throw wrong(`sort-by=${text}: '${name}' is not in the schema of ${at.path}`);
    path.push(found);
    at = found;
  }
  if (at.kind === 'leaf' && path.slice(0, -1).every(({ kind }) => kind === 'container')) return path;
  throw wrong(`sort-by=${text}: expected a leaf that an entry has once`);
}

function byNumber(a: string, b: string): number {
  const difference = Number(a) - Number(b);
  if (difference !== 0) return difference;
  return byText(a, b);
}

function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** `sv_SE`, with or without `.UTF-8`. */
function collation(locale: string | undefined): Pick<SortOrder, 'compare' | 'locale'> {
  const name = locale?.replace(/\.UTF-8$/i, '');
  if (name === undefined || PLAIN_LOCALES.includes(name)) return { compare: byText, locale: 'C' };
  const tag = name.replaceAll('_', '-');
  if (!isLocale(tag)) {
    const message = `locale=${locale}: it is not there`;
    throw new RestconfFault(501, 'invalid-value', { type: 'application', appTag: 'locale-unavailable', message });
  }
  const { compare } = new Intl.Collator(tag);
  return { compare: (a, b) => compare(a, b) || byText(a, b), locale: name };
}

function isLocale(tag: string): boolean {
  try {
    return Intl.Collator.supportedLocalesOf([tag]).length > 0;
  } catch {
    return false;
  }
}

function condition(
  schema: Schema,
  check: ValueCheck,
  list: SchemaNode,
  text: string,
  source: EntrySource,
): Pick<PageRequest, 'where' | 'whereRow' | 'whereKeys'> {
  const prefixes = Object.fromEntries(schema.modules.map(({ name, namespace }) => [name, namespace]));
  const expression = expressionOf(text, prefixes, list);
  if (list.rows && mayReachStatistics(expression)) {
    const message = `where=${text}: statistics of bindings are not looked at`;
    throw new RestconfFault(501, 'operation-not-supported', { type: 'application', message });
  }
  const canonical = canonicalBy(check, prefixes);
  return {
    where: (entry: DataNode) => {
      const document = new XPathDocument({ ...source, root: entry }, MAX_WORK);
      return toBoolean(new Evaluation(document, canonical).evaluate(expression));
    },
    whereRow: list.rows ? rowCondition(expression, list, canonical) : undefined,
    whereKeys: list.rows ? keysIn(expression, list, canonical) : undefined,
  };
}

function expressionOf(text: string, prefixes: Readonly<Record<string, string>>, list: SchemaNode): Expression {
  let expression: Expression;
  try {
    expression = parseExpression(text, (prefix) => prefixes[prefix], { namespace: list.namespace });
    checkIdentities(expression, list);
  } catch (error) {
    if (!(error instanceof ManagementError)) throw error;
    throw wrong(`where=${text}: ${error.message}`);
  }
  const unknown = unknownName(expression, list);
  if (unknown === undefined) return expression;
  throw wrong(`where=${text}: '${unknown}' is not in the schema below ${list.path}`);
}

/** A name in the expression that no node of an entry can have. */
function unknownName(expression: Expression, list: SchemaNode): string | undefined {
  for (const { axis, test } of expression.kind === 'path' ? expression.steps : []) {
    if (test.kind !== 'name' || test.name === undefined || axis === 'attribute' || axis === 'namespace') continue;
    const isEntry = test.name === list.name && test.namespace === list.namespace;
    if (!isEntry && !canPassBelow(list, test)) return test.name;
  }
  for (const part of [...partsOf(expression), ...predicatesOf(expression)]) {
    const unknown = unknownName(part, list);
    if (unknown !== undefined) return unknown;
  }
  return undefined;
}

/** 400 invalid-value, about what the application gave (§2.3). */
function wrong(message: string): RestconfFault {
  const detail: ErrorDetail = { type: 'application', message: `query parameter ${message}` };
  return new RestconfFault(400, 'invalid-value', detail);
}
