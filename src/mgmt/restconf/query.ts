/** Query parameters (RFC 8040 §4.8), each known by name and allowed for certain methods only. */

import type { Insert } from '../../state/data.ts';
import type { SchemaNode } from '../../state/schema.ts';
import type { Content, WithDefaults } from '../read-options.ts';
import type { SelectionPart } from '../selection.ts';
import { badRequest, RestconfFault } from './fault.ts';
import { parseFields } from './fields.ts';
import type { PageQuery } from './page-query.ts';
import { limitOf, PAGE_PARAMETERS, SUBLIST_LIMIT } from './page-query.ts';
import { decode } from './resource-path.ts';

export interface Query {
  readonly content: Content;
  /** Undefined when unbounded. */
  readonly depth: number | undefined;
  /** Parts below the target. */
  readonly fields: readonly SelectionPart[] | undefined;
  readonly withDefaults: WithDefaults | undefined;
  /** RFC 8527 §3.2.2. */
  readonly withOrigin: boolean;
  /** Parameters of list pagination, as they came; undefined without any. */
  readonly page: PageQuery | undefined;
  /** Infinity when unbounded. */
  readonly sublistLimit: number;
  readonly insert: Insert['where'] | undefined;
  /** Path of the entry that `insert` is relative to; its pieces are still percent-encoded, as in a URL. */
  readonly point: string | undefined;
}

const NO_QUERY: Query = {
  content: 'all',
  depth: undefined,
  fields: undefined,
  withDefaults: undefined,
  withOrigin: false,
  page: undefined,
  sublistLimit: Number.POSITIVE_INFINITY,
  insert: undefined,
  point: undefined,
};

const READ_PARAMETERS = ['content', 'depth', 'fields', 'with-defaults'];
const WITHOUT_VALUE = ['with-origin'];
const PAGINATION: readonly string[] = [...PAGE_PARAMETERS, SUBLIST_LIMIT];
const PARAMETERS: Readonly<Record<string, readonly string[]>> = {
  GET: READ_PARAMETERS,
  HEAD: READ_PARAMETERS,
  POST: ['insert', 'point'],
  PUT: ['insert', 'point'],
};

/**
 * `target` is the resource's schema, the root for the datastore, undefined for resources that take no parameters; it may be in the
 * operational state datastore, and be a whole list.
 * @throws RestconfFault 400 for a parameter that is unknown, repeated, not for this method, or has a wrong value
 */
export function parseQuery(
  method: string,
  text: string,
  target: SchemaNode | undefined,
  {
    isOperational = false,
    isWholeList = false,
  }: { readonly isOperational?: boolean; readonly isWholeList?: boolean } = {},
): Query {
  if (text === '') return NO_QUERY;
  // A datastore is no entry that could have a place (§4.8.5); what POST makes in it may be one.
  const hasPlace = !(method === 'PUT' && target?.isRoot);
  const known = (target && hasPlace && PARAMETERS[method]) || [];
  const allowed =
    known === READ_PARAMETERS
      ? [...known, ...(isOperational ? WITHOUT_VALUE : []), ...(isWholeList ? PAGE_PARAMETERS : []), SUBLIST_LIMIT]
      : known;
  const values = parameters(method, text, allowed);
  const fields = values.get('fields');
  const query: Query = {
    content: oneOf(values, 'content', ['all', 'config', 'nonconfig']) ?? 'all',
    depth: depthOf(values.get('depth')),
    fields: fields === undefined || !target ? undefined : parseFields(fields, target),
    withDefaults: oneOf(values, 'with-defaults', ['report-all', 'report-all-tagged', 'trim', 'explicit']),
    withOrigin: values.has('with-origin'),
    page: PAGE_PARAMETERS.some((name) => values.has(name)) ? values : undefined,
    sublistLimit: limitOf(SUBLIST_LIMIT, values.get(SUBLIST_LIMIT)),
    insert: oneOf(values, 'insert', ['first', 'last', 'before', 'after']),
    point: values.get('point'),
  };
  const needsPoint = query.insert === 'before' || query.insert === 'after';
  if (needsPoint && query.point === undefined) throw badRequest(`insert=${query.insert} needs the parameter point`);
  if (!needsPoint && query.point !== undefined) throw badRequest('point is for insert=before and insert=after only');
  return query;
}

/** Parameters of a stream resource (§4.8.4, §4.8.7, §4.8.8), as they came. */
export interface StreamQuery {
  readonly start?: string | undefined;
  readonly stop?: string | undefined;
  readonly filter?: string | undefined;
}

/** @throws RestconfFault 400 as `parseQuery` */
export function parseStreamQuery(method: string, text: string): StreamQuery {
  const values = parameters(method, text, ['start-time', 'stop-time', 'filter']);
  return { start: values.get('start-time'), stop: values.get('stop-time'), filter: values.get('filter') };
}

/** Each parameter with its value. @throws RestconfFault 400 for one that is not allowed, came twice or has no value */
function parameters(method: string, text: string, allowed: readonly string[]): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  for (const parameter of text === '' ? [] : text.split('&')) {
    const equals = parameter.indexOf('=');
    const name = decode(equals < 0 ? parameter : parameter.slice(0, equals));
    if (!allowed.includes(name)) {
      const expected = allowed.length === 0 ? 'none' : allowed.join(', ');
      const message = `query parameter '${name}' is not for ${method} of this resource; known here: ${expected}`;
      throw PAGINATION.includes(name)
        ? new RestconfFault(400, 'operation-not-supported', { message })
        : badRequest(message);
    }
    if (values.has(name)) throw badRequest(`query parameter '${name}' came twice`);
    const takesValue = !WITHOUT_VALUE.includes(name);
    if (takesValue && equals < 0) throw badRequest(`query parameter '${name}' needs a value`);
    if (!takesValue && equals >= 0 && equals < parameter.length - 1) {
      throw badRequest(`query parameter '${name}' takes no value`);
    }
    values.set(name, equals < 0 ? '' : decode(parameter.slice(equals + 1)));
  }
  return values;
}

function oneOf<T extends string>(
  values: ReadonlyMap<string, string>,
  name: string,
  choices: readonly T[],
): T | undefined {
  const value = values.get(name);
  if (value === undefined) return undefined;
  const choice = choices.find((candidate) => candidate === value);
  if (choice !== undefined) return choice;
  throw badRequest(`query parameter ${name}=${value}: expected one of ${choices.join(', ')}`);
}

/** §4.8.2: 1 to 65535, or unbounded. */
function depthOf(text: string | undefined): number | undefined {
  if (text === undefined || text === 'unbounded') return undefined;
  const depth = Number(text);
  if (/^[1-9]\d{0,4}$/.test(text) && depth <= 65_535) return depth;
  throw badRequest(`query parameter depth=${text}: expected 1 to 65535 or unbounded`);
}
