/** The methods of resources in the OpenAPI description: those that parseRequest allows, each with its parameters and statuses. */

import type { SchemaNode } from '../../state/schema.ts';
import { XML_LIST, YANG_PATCH_TYPES } from './media.ts';
import { failures, json, ok, parameterNamed, patchFailures } from './openapi-parts.ts';
import type { Json } from './openapi-schema.ts';
import { componentName, documentSchema, isData, objectSchema } from './openapi-schema.ts';
import { PAGE_PARAMETERS } from './page-query.ts';
import type { Method, Resource } from './request.ts';
import { allowedMethods } from './request.ts';

/** Refusals of every request, before anything is looked at: what HTTP says in it, who it is, what he accepts. */
const EVERY = ['400', '401', '406', '414', '415', '417', '431', '501', '503'];
/** Of a body that is too large, or does not come in time. */
const OF_BODIES = ['408', '413'];
const CONDITIONS = ['if-match', 'if-none-match', 'if-unmodified-since'];
const EDITION = {
  etag: { description: 'Of the whole configuration; any commit changes it', schema: { type: 'string' } },
  'last-modified': { description: 'Time of the last commit', schema: { type: 'string' } },
};
/** A body that is not said in more detail. */
export const OBJECT: Json = { type: 'object' };

/** A data resource, or the datastore without a node. */
export interface Described {
  readonly node: SchemaNode | undefined;
  /** Whether it is below `{+restconf}/ds`, where the datastore is a parameter. */
  readonly inDatastore: boolean;
  /** A list or leaf-list, not an entry of it. */
  readonly isWholeList?: boolean;
}

/** The methods of a data resource; a method that is always refused is none of them. */
export function dataMethods(what: Described): Json {
  const { node, isWholeList = false } = what;
  const resource: Resource = node ? { kind: 'data', schema: node, steps: [] } : { kind: 'datastore' };
  // A key never changes while its entry is there; of a list one entry is edited.
  const isFixed = isWholeList || node?.isKey === true;
  const has = (method: Method) => !isFixed && allowedMethods(resource).includes(method);
  return {
    ...reads(what),
    ...(has('POST') && { post: creation(what) }),
    ...(has('PUT') && { put: replacement(what) }),
    ...(has('PATCH') && { patch: patch(what) }),
    ...(has('DELETE') && { delete: edit(what, [], { 204: MADE }) }),
  };
}

/** GET, HEAD and OPTIONS of what has one form, or two encodings; `statuses` are those beside what every request may have. */
export function plainReads(
  summary: string,
  content: Json,
  statuses: readonly string[],
  parameters: string[] = [],
): Json {
  const refused = failures([...EVERY, ...statuses]);
  const shared = parameters.length > 0 && { parameters: parameters.map(parameterNamed) };
  return {
    get: { summary, ...shared, responses: { 200: ok(content), ...refused } },
    head: { summary, ...shared, responses: { 200: { description: 'As GET' }, ...refused } },
    options: options(summary),
  };
}

function reads(what: Described): Json {
  const { node, inDatastore, isWholeList = false } = what;
  const document = node ? documentSchema(node) : OBJECT;
  const content = { ...json(document), ...(isWholeList && { [XML_LIST]: {} }) };
  const names = [
    ...['content', 'depth', 'fields', 'with-defaults'],
    ...(inDatastore ? ['with-origin'] : []),
    ...(isWholeList ? PAGE_PARAMETERS : []),
    ...['sublist-limit', ...CONDITIONS, 'if-modified-since'],
  ];
  const statuses = [...EVERY, '304', '404', '412', '500', ...(isWholeList ? ['413', '416'] : [])];
  const shared = { ...said(node), parameters: names.map(parameterNamed) };
  return {
    get: { ...shared, responses: { 200: { ...ok(content), headers: EDITION }, ...failures(statuses) } },
    head: { ...shared, responses: { 200: { description: 'As GET', headers: EDITION }, ...failures(statuses) } },
    options: options(summaryOf(node)),
  };
}

function options(summary: string): Json {
  const fields = {
    allow: { description: 'Its methods', schema: { type: 'string' } },
    'accept-patch': { description: 'What PATCH takes', schema: { type: 'string' } },
  };
  return {
    summary,
    responses: {
      200: { description: 'What it takes', headers: fields },
      ...failures([...EVERY, '404']),
    },
  };
}

const MADE = { description: 'Made, durable and applied', headers: EDITION };
const CREATED = {
  description: 'Created',
  headers: { ...EDITION, location: { description: 'Where it is', schema: { type: 'string' } } },
};

function edit(
  { node, inDatastore }: Described,
  parameters: readonly string[],
  done: Json,
  body?: Json,
  refused: (statuses: readonly string[]) => Json = failures,
): Json {
  const refusals = [...EVERY, '403', '404', '409', '412', '500', ...(body ? OF_BODIES : [])];
  return {
    ...said(node),
    parameters: [...parameters, ...CONDITIONS, 'edit-comment'].map(parameterNamed),
    ...(body && { requestBody: { required: true, content: body } }),
    responses: { ...done, ...refused([...refusals, ...(inDatastore ? ['405'] : [])]) },
  };
}

/** A child of it, whose place is a question where one of its lists is ordered by the user. */
function creation(what: Described): Json {
  const children = what.node?.children.filter(isData) ?? [];
  const isPlaced = what.node === undefined || children.some(({ dump, config }) => config && dump.userOrdered);
  return edit(what, isPlaced ? ['insert', 'point'] : [], { 201: CREATED }, json(OBJECT));
}

function replacement(what: Described): Json {
  const { node } = what;
  const document = node ? documentSchema(node) : OBJECT;
  const isPlaced = node?.dump.userOrdered === true;
  const done = { ...(node && { 201: CREATED }), 204: MADE };
  return edit(what, isPlaced ? ['insert', 'point'] : [], done, json(document));
}

function patch(what: Described): Json {
  const { node } = what;
  const patches = Object.values(YANG_PATCH_TYPES).map((type) => [type, {}]);
  const body = { ...json(node ? documentSchema(node) : OBJECT), ...Object.fromEntries(patches) };
  const status = json({ $ref: '#/components/schemas/yang-patch-status' });
  const done = { description: 'A YANG Patch was made', headers: EDITION, content: status };
  return edit(what, [], { 200: done, 204: MADE }, body, patchFailures);
}

/** An operation or an action. */
export function invocation(node: SchemaNode): Json {
  const wrapped = (kind: string) => {
    const inner = node.children.find((child) => child.kind === kind && child.children.length > 0);
    const name = `${node.module}:${kind}`;
    return inner && { type: 'object', required: [name], properties: { [name]: parameters(inner) } };
  };
  const hasToCome = node.children.some((child) => child.kind === 'input' && child.children.some(isNeeded));
  const [input, output] = [wrapped('input'), wrapped('output')];
  const refusals = [...EVERY, ...OF_BODIES, '403', '404', '409', '412', '500'];
  const responses = {
    ...(output && { 200: ok(json(output)) }),
    204: { description: 'Done' },
    ...failures(refusals),
  };
  const requestBody = input && { requestBody: { required: hasToCome, content: json(input) } };
  return { options: options(node.name), post: { ...said(node), ...requestBody, responses } };
}

/** What goes into an operation, or comes out of it. */
function parameters(node: SchemaNode): Json {
  const needed = node.kind === 'input' ? mandatoryIn(node) : [];
  return { ...objectSchema(node), ...(needed.length > 0 && { required: needed }) };
}

/** Names of children that must be there whatever else is (RFC 7950 §7.14.2). */
function mandatoryIn({ children }: SchemaNode): string[] {
  return children.filter(({ dump }) => dump.mandatory && !dump.choices).map(({ qualifiedName }) => qualifiedName);
}

/** Whether it, or another case of its choice, must be there (RFC 7950 §7.9.4). */
function isNeeded({ dump: { mandatory = false, choices = [] } }: SchemaNode): boolean {
  const [choice] = choices;
  return choice ? choice[2] : mandatory;
}

function summaryOf(node: SchemaNode | undefined): string {
  return node?.name ?? 'The datastore';
}

function said(node: SchemaNode | undefined): Json {
  if (!node) return { summary: summaryOf(node) };
  return { summary: summaryOf(node), tags: [componentName(node).split('_')[1] ?? node.module] };
}
