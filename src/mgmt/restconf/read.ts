/** GET and HEAD of the datastore and of data resources (RFC 8040 §4.2, §4.3). */

import type { DataNode } from '../../state/data.ts';
import type { Caller } from '../../state/request.ts';
import type { Piece } from '../pause.ts';
import { Pause } from '../pause.ts';
import type { Reading } from '../reading.ts';
import { pathSelection } from '../selection.ts';
import type { RestconfOperations } from './backend.ts';
import { editionHeaders, isUnmodified } from './conditions.ts';
import { badRequest, notFound } from './fault.ts';
import type { Encoding } from './media.ts';
import { readRow } from './read-row.ts';
import type { Reply } from './reply.ts';
import { dataReply, RESTCONF_NAMESPACE, writeNodes } from './reply.ts';
import type { RestconfRequest } from './request.ts';
import type { PathStep } from './resource-path.ts';
import { printDataPath } from './resource-path.ts';
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
  const { content, depth, fields, withDefaults } = request.query;
  const selection = steps.length === 0 && !fields ? undefined : pathSelection(steps, fields);
  const reading = await operations.read(caller, { datastore: 'running', content, selection, depth, withDefaults });
  try {
    return replyOf(request, reading, steps);
  } catch (error) {
    reading.close();
    throw error;
  }
}

function replyOf(request: RestconfRequest, reading: Reading, steps: readonly PathStep[]): Reply {
  const { replyEncoding, method, conditions, query } = request;
  const schema = steps[steps.length - 1]?.schema ?? reading.root.schema;
  const nodes = targetNodes(reading, steps);
  const first = nodes.next();
  if (first.done && steps.length > 0) throw notFound(`there is no ${printDataPath(steps)}`);
  const headers = schema.config ? editionHeaders(reading) : {};
  // An entity-tag speaks of the configuration: with state in the answer it says nothing about being unmodified.
  const mayBeCached = schema.config && (query.content === 'config' || !holdsState(schema));
  if (mayBeCached && isUnmodified(conditions, reading)) {
    reading.close();
    return { status: 304, headers: { ...headers, 'cache-control': 'no-cache' } };
  }
  const all = first.done ? [] : prepend(first.value, nodes);
  const body =
    steps.length === 0
      ? datastoreBody(replyEncoding, all, reading)
      : resourceBody(replyEncoding, all, reading, schema.isList);
  const reply = dataReply(replyEncoding, body, headers);
  if (method === 'GET') return { ...reply, close: () => reading.close() };
  reading.close();
  return { status: reply.status, headers: reply.headers };
}

function resourceBody(
  encoding: Encoding,
  nodes: Iterable<DataNode>,
  reading: Reading,
  isList: boolean,
): Iterable<Piece> {
  const rows = (parent: DataNode) => reading.rows(parent);
  if (encoding === 'json' || !isList) return writeNodes(encoding, nodes, rows);
  return writeNodes(encoding, onlyOne(nodes), rows);
}

/** Of entries with pauses between. @throws RestconfFault for several, before the first is given */
function* onlyOne(nodes: Iterable<DataNode>): Generator<DataNode> {
  let only: DataNode | undefined;
  for (const node of nodes) {
    if (node instanceof Pause) yield node;
    else if (only) throw badRequest('several entries make no XML document: ask for one entry, or for JSON (§4.3)');
    else only = node;
  }
  if (only) yield only;
}

/** The top nodes stand inside the datastore resource, a container of ietf-restconf (§3.3.1). */
function* datastoreBody(encoding: Encoding, nodes: Iterable<DataNode>, reading: Reading): Generator<Piece> {
  const rows = (parent: DataNode) => reading.rows(parent);
  yield encoding === 'json' ? '{"ietf-restconf:data":' : `<data xmlns="${RESTCONF_NAMESPACE}">`;
  yield* writeNodes(encoding, nodes, rows);
  yield encoding === 'json' ? '}' : '</data>';
}

function* prepend(first: DataNode, rest: Iterable<DataNode>): Generator<DataNode> {
  yield first;
  yield* rest;
}
