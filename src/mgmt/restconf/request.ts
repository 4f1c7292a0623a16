/**
 * The request line and header fields as one value, before anything is done: method, resource, query, encodings and
 * preconditions. Pure: it looks at the schema, never at data.
 */

import type { ValueCheck } from '../../state/request.ts';
import type { Schema, SchemaNode } from '../../state/schema.ts';
import { STREAM } from '../events/streams.ts';
import type { DatastoreResource } from './datastore-resource.ts';
import { datastoreNamed } from './datastore-resource.ts';
import { badRequest, notFound, RestconfFault } from './fault.ts';
import type { Encoding, Headers } from './media.ts';
import {
  bodyType,
  errorEncoding,
  header,
  PATCH_TYPES,
  prefersXmlList,
  replyEncoding,
  requireEventStream,
  requireNotRefused,
  requirePlainReply,
} from './media.ts';
import type { Query, StreamQuery } from './query.ts';
import { parseQuery, parseStreamQuery } from './query.ts';
import type { DataPath, PathStep } from './resource-path.ts';
import { decode, parseDataPath, parseDataText } from './resource-path.ts';

export type Method = 'GET' | 'HEAD' | 'OPTIONS' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export type Resource =
  /** The server in general (RFC 9110 §9.3.7). */
  | { readonly kind: 'server' }
  /** `{+restconf}` itself, §3.3. */
  | { readonly kind: 'api' }
  | { readonly kind: 'yang-library-version' }
  /** Where the API is, §3.1. */
  | { readonly kind: 'host-meta' }
  /** The text of a YANG module, §3.7. */
  | { readonly kind: 'module'; readonly name: string; readonly revision: string | undefined }
  /** The OpenAPI description. */
  | { readonly kind: 'openapi' }
  /** The list of operations, §3.3.2. */
  | { readonly kind: 'operations' }
  | { readonly kind: 'operation'; readonly schema: SchemaNode }
  /** An event stream, §6.3. */
  | { readonly kind: 'stream'; readonly encoding: Encoding }
  /** The notifications of a dynamic subscription (RFC 8650 §3). */
  | { readonly kind: 'subscription'; readonly id: number }
  /** Without `ds`, the one of RFC 8040. */
  | { readonly kind: 'datastore'; readonly ds?: DatastoreResource }
  | {
      readonly kind: 'data';
      readonly schema: SchemaNode;
      readonly steps: readonly PathStep[];
      readonly ds?: DatastoreResource;
    }
  | { readonly kind: 'action'; readonly schema: SchemaNode; readonly steps: readonly PathStep[] };

/** Header fields that make a request conditional (RFC 9110 §13.1), as they came. */
export interface Conditions {
  readonly ifMatch: string | undefined;
  readonly ifNoneMatch: string | undefined;
  readonly ifModifiedSince: string | undefined;
  readonly ifUnmodifiedSince: string | undefined;
}

export interface RestconfRequest {
  readonly method: Method;
  readonly resource: Resource;
  readonly query: Query;
  /** Of an event stream. */
  readonly streamQuery?: StreamQuery;
  /** Undefined when no Content-Type came. */
  readonly bodyEncoding: Encoding | undefined;
  /** Whether the body is a YANG Patch, which PATCH may have (RFC 8072). */
  readonly isYangPatch: boolean;
  readonly replyEncoding: Encoding;
  /** Whether entries are wanted in one XML document (draft-ietf-netconf-list-pagination-rc §2.2). */
  readonly isXmlList: boolean;
  readonly conditions: Conditions;
  /** For the record of an edit; from the header field Edit-Comment. */
  readonly comment: string | undefined;
  /** `https://host:port` as the client named us, for Location. */
  readonly origin: string;
}

export const ROOT = '/restconf';
export const OPENAPI = `${ROOT}/openapi.json`;
const OPERATIONS = `${ROOT}/operations/`;
const DATA = `${ROOT}/data`;
export const HOST_META = '/.well-known/host-meta';

/** Operations of NETCONF itself have no meaning here (RFC 8040 §1.3: datastores, locks and sessions are implicit). */
const NETCONF_ONLY = [
  'ietf-netconf',
  'ietf-netconf-monitoring',
  'ietf-netconf-nmda',
  'ietf-netconf-partial-lock',
  'notifications',
];

const METHODS: readonly Method[] = ['GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'PATCH', 'DELETE'];
const READ_METHODS: readonly Method[] = ['GET', 'HEAD', 'OPTIONS'];
export const WITH_BODY: readonly string[] = ['POST', 'PUT', 'PATCH'];

/** The operations that RESTCONF clients can call. */
export function operationsOf(schema: Schema): SchemaNode[] {
  return schema.root.children.filter((node) => node.kind === 'rpc' && !NETCONF_ONLY.includes(node.module));
}

/** Whether a path is that of the operation, before anybody is known who may ask more. */
export function isOperationPath(path: string, name: string): boolean {
  if (!path.startsWith(OPERATIONS)) return false;
  const segment = path.slice(OPERATIONS.length, path.endsWith('/') ? -1 : undefined);
  try {
    return decodeURIComponent(segment) === name;
  } catch {
    // It is answered by who parses it.
    return false;
  }
}

/**
 * `rawUrl` is the target as it stands in the request line.
 * @throws RestconfFault 400, 404, 405 (with Allow), 406, 415
 */
export function parseRequest(
  method: string,
  rawUrl: string,
  headers: Headers,
  schema: Schema,
  check: ValueCheck,
): RestconfRequest {
  const { path, query, authority } = splitTarget(rawUrl);
  const resource = parseResource(path, schema, check);
  const known = METHODS.find((candidate) => candidate === method);
  const allowed = allowedMethods(resource);
  if (!known || !allowed.includes(known)) throw methodNotAllowed(method, resource);
  const isStream = resource.kind === 'stream';
  const body = WITH_BODY.includes(method) ? bodyType(method, headers) : undefined;
  const isEvents = isStream || resource.kind === 'subscription';
  if (isEvents) requireEventStream(headers);
  const form = ONE_FORM[resource.kind];
  if (form !== undefined) requireNotRefused(headers, form);
  requirePlainReply(headers);
  const isList = isWholeList(resource);
  const isXmlList = isList && prefersXmlList(headers);
  const request: RestconfRequest = {
    method: known,
    resource,
    query: parseQuery(method, isStream ? '' : query, targetOf(resource, schema), {
      isOperational: datastoreOf(resource)?.name === 'operational',
      isWholeList: isList,
    }),
    ...(isStream && { streamQuery: parseStreamQuery(method, query) }),
    replyEncoding: isOneForm(resource) ? errorEncoding(headers) : isXmlList ? 'xml' : replyEncoding(headers),
    isXmlList,
    bodyEncoding: body?.encoding,
    isYangPatch: body?.isYangPatch ?? false,
    conditions: {
      ifMatch: header(headers, 'if-match'),
      ifNoneMatch: header(headers, 'if-none-match'),
      ifModifiedSince: header(headers, 'if-modified-since'),
      ifUnmodifiedSince: header(headers, 'if-unmodified-since'),
    },
    comment: commentOf(headers, schema, check),
    origin: originOf(authority ?? header(headers, ':authority') ?? header(headers, 'host') ?? ''),
  };
  if (!['GET', 'HEAD', 'OPTIONS'].includes(method) && resource.kind === 'data') requireOne(method, resource.steps);
  return request;
}

/** The words that go with an edit, in UTF-8. @throws RestconfFault 400 when they do not fit the type of a comment */
function commentOf(headers: Headers, schema: Schema, check: ValueCheck): string | undefined {
  const field = header(headers, 'edit-comment');
  if (field === undefined) return undefined;
  // Node gives each octet as one character.
  const text = Buffer.from(field, 'latin1').toString('utf8');
  const fault = commentFault(text, schema, check);
  if (fault !== undefined) throw badRequest(`header field Edit-Comment: ${fault}`);
  return text;
}

/** Why a text is no comment for the record of an edit; undefined when it is one. */
export function commentFault(text: string, schema: Schema, check: ValueCheck): string | undefined {
  const leaf = schema.root.child('roll-back', 'gi-4over6')?.child('input')?.child('comment');
  const checked = leaf && check(leaf, text);
  return checked && !('value' in checked) ? checked.message : undefined;
}

/** The parts of a request target, which may be a whole URL (RFC 9112 §3.2.2): its authority then goes before Host. */
export function splitTarget(target: string): {
  readonly path: string;
  readonly query: string;
  readonly authority: string | undefined;
} {
  const [whole = '', authority] = target.startsWith('/') ? [] : (/^https?:\/\/([^/?#]+)/i.exec(target) ?? []);
  const rest = target.slice(whole.length);
  const mark = rest.indexOf('?');
  return {
    path: plainPath(mark < 0 ? rest : rest.slice(0, mark)),
    query: mark < 0 ? '' : rest.slice(mark + 1),
    authority,
  };
}

/** RFC 3986 §6.2.2.2: `%64` is the d of `/restconf/data`. What stands below that is decoded piece by piece. */
function plainPath(path: string): string {
  if (path.startsWith(`${DATA}/`) || !path.includes('%')) return path;
  return path.replace(/%[0-9a-f]{2}/gi, (octet) => {
    const character = String.fromCharCode(Number.parseInt(octet.slice(1), 16));
    return UNRESERVED.test(character) ? character : octet;
  });
}

/** RFC 3986 §2.3. */
const UNRESERVED = /[A-Za-z0-9._~-]/;

function originOf(authority: string): string {
  if (authority !== lastOrigin.authority) {
    const isPlain = /^[\w.:[\]-]+$/.test(authority);
    lastOrigin = { authority, origin: `https://${isPlain ? authority : 'localhost'}` };
  }
  return lastOrigin.origin;
}

/** As the last client named us: most come by one name. */
let lastOrigin = { authority: '', origin: 'https://localhost' };

function parseResource(path: string, schema: Schema, check: ValueCheck): Resource {
  // One slash at the end is forgiven.
  const trimmed = path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
  if (path === '*') return { kind: 'server' };
  if (trimmed === ROOT) return { kind: 'api' };
  if (trimmed === OPENAPI) return { kind: 'openapi' };
  if (path === HOST_META) return { kind: 'host-meta' };
  if (!trimmed.startsWith(`${ROOT}/`))
    throw notFound(`no resource ${path}: the entry point is ${ROOT}, see ${HOST_META}`);
  if (trimmed === DATA) return { kind: 'datastore' };
  if (trimmed.startsWith(`${DATA}/`)) {
    return dataResource(parseDataText(trimmed.slice(DATA.length + 1), schema, check));
  }
  const [top = '', ...segments] = trimmed.slice(ROOT.length + 1).split('/');
  if (top === 'ds') {
    const [name = '', ...below] = segments;
    const ds = datastoreNamed(decode(name), schema);
    return dataResource(parseDataPath(below, schema, check), ds);
  }
  if (top === 'operations') return parseOperation(segments, schema);
  if (top === 'streams') return parseStream(path, segments);
  if (top === 'subscriptions' && segments.length === 1 && /^[1-9]\d{0,9}$/.test(segments[0] ?? '')) {
    return { kind: 'subscription', id: Number(segments[0]) };
  }
  if (top === 'modules') return parseModule(path, segments);
  if (top === 'yang-library-version' && segments.length === 0) return { kind: 'yang-library-version' };
  throw notFound(
    `no resource ${path}: ${ROOT} holds data, ds, operations, streams, subscriptions, modules, yang-library-version and openapi.json`,
  );
}

function dataResource({ steps, action }: DataPath, ds?: DatastoreResource): Resource {
  const inDatastore = ds && { ds };
  if (action && ds && ds.name !== 'operational') {
    throw notFound(`the action ${action.name} is there in ietf-datastores:operational only (RFC 8527 §3.1)`);
  }
  if (action) return { kind: 'action', schema: action, steps };
  const last = steps[steps.length - 1];
  return last ? { kind: 'data', schema: last.schema, steps, ...inDatastore } : { kind: 'datastore', ...inDatastore };
}

/** There is one form of it, whatever the client accepts. */
function isOneForm({ kind }: Resource): boolean {
  return kind === 'stream' || kind === 'subscription' || ONE_FORM[kind] !== undefined;
}

/** The one media type of a resource; that of events is looked at more closely. */
const ONE_FORM: Partial<Readonly<Record<Resource['kind'], string>>> = {
  openapi: 'application/json',
  module: 'application/yang',
  'host-meta': 'application/xrd+xml',
};

/** A list or leaf-list, not an entry of it. */
function isWholeList(resource: Resource): boolean {
  if (resource.kind !== 'data') return false;
  const { schema, keys } = resource.steps[resource.steps.length - 1] ?? {};
  return schema?.isList === true && keys?.length === 0;
}

/** The datastore of NMDA that a resource is in; undefined where it is that of RFC 8040. */
export function datastoreOf(resource: Resource): DatastoreResource | undefined {
  return resource.kind === 'datastore' || resource.kind === 'data' ? resource.ds : undefined;
}

/** The locations that restconf-state gives (§6.2). */
function parseStream(path: string, [name, encoding, ...more]: readonly string[]): Resource {
  const isKnown = name === STREAM && more.length === 0;
  if (isKnown && (encoding === 'json' || encoding === 'xml')) return { kind: 'stream', encoding };
  throw notFound(`no event stream ${path}: ietf-restconf-monitoring:restconf-state/streams lists them`);
}

/** The locations that the YANG library gives (RFC 8525 §4). */
function parseModule(path: string, [file = '', ...more]: readonly string[]): Resource {
  const [, name, revision] = /^([A-Za-z_][\w.-]*?)(?:@(\d{4}-\d\d-\d\d))?\.yang$/.exec(decode(file)) ?? [];
  if (name !== undefined && more.length === 0) return { kind: 'module', name, revision };
  throw notFound(`no module ${path}: ietf-yang-library:yang-library has the locations of all`);
}

function parseOperation(segments: readonly string[], schema: Schema): Resource {
  if (segments.length === 0) return { kind: 'operations' };
  const name = decode(segments[0] ?? '');
  const found = operationsOf(schema).find((node) => node.qualifiedName === name);
  if (found && segments.length === 1) return { kind: 'operation', schema: found };
  throw notFound(`no operation ${segments.join('/')}: ${ROOT}/operations lists them as module:name`);
}

/** Methods of a resource; a request that lacks keys is a bad one of an allowed method. */
export function allowedMethods(resource: Resource): readonly Method[] {
  if (datastoreOf(resource)?.isEditable === false) return READ_METHODS;
  switch (resource.kind) {
    case 'server':
      return ['OPTIONS'];
    case 'operation':
    case 'action':
      return ['OPTIONS', 'POST'];
    case 'datastore':
      return ['GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'PATCH'];
    case 'data':
      if (!resource.schema.config) return READ_METHODS;
      if (['container', 'list'].includes(resource.schema.kind)) return METHODS;
      return ['GET', 'HEAD', 'OPTIONS', 'PUT', 'PATCH', 'DELETE'];
    default:
      return READ_METHODS;
  }
}

/**
 * Header fields that tell a client what the resource can do (§4.1, RFC 5789 §3.1). What `allowedMethods` has more is for a 400 that says
 * what is wrong: a list without its keys is edited by its entries, and a key leaf not at all.
 */
function allowHeaders(resource: Resource): Record<string, string> {
  const isFixed = resource.kind === 'data' && (isWholeList(resource) || resource.schema.isKey);
  const allowed = isFixed ? READ_METHODS : allowedMethods(resource);
  const allow = { allow: allowed.join(', ') };
  if (!allowed.includes('PATCH')) return allow;
  return { ...allow, 'accept-patch': PATCH_TYPES };
}

/** What OPTIONS says: of the server in general, all that any resource takes. */
export function optionsHeaders(resource: Resource): Record<string, string> {
  if (resource.kind !== 'server') return allowHeaders(resource);
  return { allow: METHODS.join(', '), 'accept-patch': PATCH_TYPES };
}

function methodNotAllowed(method: string, resource: Resource): RestconfFault {
  const headers = allowHeaders(resource);
  const message = `${method} is not for this resource; it takes ${headers.allow}`;
  return new RestconfFault(405, 'operation-not-supported', { message }, headers);
}

function targetOf(resource: Resource, schema: Schema): SchemaNode | undefined {
  if (resource.kind === 'datastore') return schema.root;
  return resource.kind === 'data' ? resource.schema : undefined;
}

/**
 * An edit needs one resource: an entry, not a list; and a key leaf is fixed for the life of its entry (§4.5, §4.6.1).
 * @throws RestconfFault 400
 */
export function requireOne(operation: string, steps: readonly PathStep[]): void {
  const { schema, keys } = steps[steps.length - 1] ?? {};
  if (schema?.isList && keys?.length === 0) {
    throw badRequest(`${operation} of ${schema.path}: expected one entry, ${schema.name}=key`);
  }
  if (schema?.isKey) {
    throw badRequest(`${operation} of ${schema.path}: a key never changes; delete the entry and create another`);
  }
}
