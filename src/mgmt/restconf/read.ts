/** GET and HEAD of the datastore and of data resources (RFC 8040 §4.2, §4.3). */

import type { DataNode } from '../../state/data.ts';
import type { Caller } from '../../state/request.ts';
import type { SchemaNode } from '../../state/schema.ts';
import { originOf } from '../origin.ts';
import { PAGINATION_NAMESPACE } from '../page-marks.ts';
import type { Piece } from '../pause.ts';
import { Pause } from '../pause.ts';
import type { Content } from '../read-options.ts';
import type { Reading } from '../reading.ts';
import { pathSelection } from '../selection.ts';
import type { RestconfOperations } from './backend.ts';
import { isUnmodified, requireUnchanged } from './conditions.ts';
import { hasTag, readRequestOf, tagHeaders } from './datastore-resource.ts';
import type { RestconfFault } from './fault.ts';
import { badRequest, notFound } from './fault.ts';
import { readListPage } from './list-page.ts';
import type { Encoding } from './media.ts';
import { XML_LIST } from './media.ts';
import { readRow } from './read-row.ts';
import type { Reply } from './reply.ts';
import { CACHE_HEADERS, dataReply, RESTCONF_NAMESPACE, writeNodes } from './reply.ts';
import type { RestconfRequest } from './request.ts';
import { datastoreOf } from './request.ts';
import type { PathStep } from './resource-path.ts';
import { printDataPath } from './resource-path.ts';
import { limitRows, limitSublists } from './sublists.ts';
import { holdsState, targetNodes } from './target.ts';

/**
 * The data with entity-tag and time; its body is made while it is sent.
 * @throws RestconfFault 404 when there is nothing at the path, or nothing the caller may see; 400 for several XML roots
 */
export function readResource(
  operations: RestconfOperations,
  caller: Caller,
  request: RestconfRequest,
): Reply | Promise<Reply> {
  const steps = request.resource.kind === 'data' ? request.resource.steps : [];
  return readRow(operations, caller, request, steps) ?? readTree(operations, caller, request, steps);
}

async function readTree(
  operations: RestconfOperations,
  caller: Caller,
  request: RestconfRequest,
  steps: readonly PathStep[],
): Promise<Reply> {
  const { depth } = request.query;
  // The target alone has nothing that could be chosen (RFC 8040 §4.8.2).
  const fields = depth === 1 ? undefined : request.query.fields;
  const selection = steps.length === 0 && !fields ? undefined : pathSelection(steps, fields);
  const ofDatastore = readRequestOf(datastoreOf(request.resource), request.query, steps[steps.length - 1]?.schema);
  const asked = { selection, depth, ...ofDatastore };
  const { page } = request.query;
  const { reading, entries } = page
    ? await readListPage(operations, caller, { ...asked, selection: ofDatastore.selection }, steps, page, fields)
    : { reading: await operations.read(caller, asked), entries: undefined };
  try {
    return replyOf(request, reading, steps, { content: asked.content, entries });
  } catch (error) {
    reading.close();
    throw error;
  }
}

interface Read {
  readonly content: Content;
  /** Of a part of a list, which may be empty. */
  readonly entries: Iterable<DataNode> | undefined;
}

function replyOf(
  request: RestconfRequest,
  reading: Reading,
  steps: readonly PathStep[],
  { content, entries }: Read,
): Reply {
  const { replyEncoding, method, conditions, resource, query } = request;
  const ds = datastoreOf(resource);
  const schema = steps[steps.length - 1]?.schema ?? reading.root.schema;
  const found = entries ? walk(entries) : targetNodes(reading, steps);
  const nodes = query.withOrigin ? withOrigins(found) : found;
  const isDocument = replyEncoding === 'xml' && steps.length > 0 && !request.isXmlList;
  const begun = take(nodes, isDocument ? 2 : 1);
  if (begun.length === 0 && steps.length > 0 && !entries) throw notFound(`there is no ${printDataPath(steps)}`);
  // Before conditions: these count for nothing where the answer is a refusal (RFC 9110 §13.2.1).
  if (isDocument && begun.length !== 1) throw noDocument(begun.length === 0 ? 'no' : 'several');
  const hasEdition = schema.config && hasTag(ds);
  const form = request.isXmlList ? 'xml-list' : replyEncoding;
  requireUnchanged(conditions, hasEdition ? reading : undefined, true, [form]);
  const headers = hasEdition ? tagHeaders(ds, reading, form) : {};
  // An entity-tag speaks of the configuration: with state in the answer it says nothing about being unmodified.
  const mayBeCached = hasEdition && (content === 'config' || !holdsState(schema));
  if (mayBeCached && isUnmodified(conditions, reading, form)) {
    reading.close();
    return { status: 304, headers: { ...headers, ...CACHE_HEADERS } };
  }
  const { shown, rows } = limited(prepend(begun, nodes), reading, query.sublistLimit);
  const isEmptyList = begun.length === 0 && steps.length > 0;
  const body = isEmptyList && replyEncoding === 'json' ? [emptyList(schema)] : bodyOf(request, schema, shown, rows);
  const type = request.isXmlList ? { 'content-type': XML_LIST } : {};
  const reply = dataReply(replyEncoding, body, { ...headers, ...type });
  if (method === 'GET') return { ...reply, close: () => reading.close() };
  reading.close();
  return { status: reply.status, headers: reply.headers };
}

/** What goes out of a reading, and the rows below its nodes. */
type Rows = (parent: DataNode) => Iterable<DataNode>;

function limited(
  nodes: Iterable<DataNode>,
  reading: Reading,
  limit: number,
): { readonly shown: Iterable<DataNode>; readonly rows: Rows } {
  const rows: Rows = (parent) => reading.rows(parent);
  if (limit === Number.POSITIVE_INFINITY) return { shown: nodes, rows };
  function* shown(): Generator<DataNode> {
    for (const node of nodes) {
      if (!(node instanceof Pause)) limitSublists(node, limit);
      yield node;
    }
  }
  return { shown: shown(), rows: (parent) => limitRows(rows(parent), limit) };
}

function emptyList({ module, name }: SchemaNode): string {
  return `{"${module}:${name}":[]}`;
}

function bodyOf(
  { replyEncoding, isXmlList }: RestconfRequest,
  schema: SchemaNode,
  nodes: Iterable<DataNode>,
  rows: Rows,
): Iterable<Piece> {
  if (schema.isRoot) return datastoreBody(replyEncoding, nodes, rows);
  return isXmlList ? xmlList(nodes, rows) : writeNodes(replyEncoding, nodes, rows);
}

function* xmlList(nodes: Iterable<DataNode>, rows: Rows): Generator<Piece> {
  yield `<lpg:xml-list xmlns:lpg="${PAGINATION_NAMESPACE}">`;
  yield* writeNodes('xml', nodes, rows);
  yield '</lpg:xml-list>';
}

/** RFC 8040 §4.3. */
function noDocument(how: 'no' | 'several'): RestconfFault {
  return badRequest(`${how} entries make no XML document: ask for one entry, for JSON, or for ${XML_LIST}`);
}

/** The top nodes stand inside the datastore resource, a container of ietf-restconf (§3.3.1). */
function* datastoreBody(encoding: Encoding, nodes: Iterable<DataNode>, rows: Rows): Generator<Piece> {
  yield encoding === 'json' ? '{"ietf-restconf:data":' : `<data xmlns="${RESTCONF_NAMESPACE}">`;
  yield* writeNodes(encoding, nodes, rows);
  yield encoding === 'json' ? '}' : '</data>';
}

/** What stands at the top of an answer says its origin: the node it could have it from is not shown. */
function* withOrigins(nodes: Iterable<DataNode>): Generator<DataNode> {
  for (const node of nodes) {
    if (!(node instanceof Pause) && node.schema.config) node.origin ??= originOf(node);
    yield node;
  }
}

function* walk(nodes: Iterable<DataNode>): Generator<DataNode> {
  yield* nodes;
}

/** At most so many nodes. Two need no waiting: a table that waits for statistics has its first two entries (counted-rows.ts). */
function take(nodes: Iterator<DataNode>, most: number): DataNode[] {
  const taken: DataNode[] = [];
  while (taken.length < most) {
    const next = nodes.next();
    if (next.done) break;
    taken.push(next.value);
  }
  return taken;
}

function* prepend(begun: readonly DataNode[], rest: Iterable<DataNode>): Generator<DataNode> {
  yield* begun;
  yield* rest;
}
