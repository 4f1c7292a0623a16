/** POST to operations and actions (RFC 8040 §3.6, §4.4.2). */

import { DataNode } from '../../state/data.ts';
import type { Caller } from '../../state/request.ts';
import type { SchemaNode } from '../../state/schema.ts';
import { requireInput } from '../missing-input.ts';
import { pathSelection } from '../selection.ts';
import type { RestconfOperations } from './backend.ts';
import type { LongBody } from './body.ts';
import { readBody } from './body.ts';
import { requireNoMatch } from './conditions.ts';
import { subscriptionOperation } from './dynamic-subscription.ts';
import { notFound } from './fault.ts';
import type { Reply } from './reply.ts';
import { dataReply, writeNodes } from './reply.ts';
import type { RestconfRequest } from './request.ts';
import type { PathStep } from './resource-path.ts';
import { printDataPath } from './resource-path.ts';
import { buildPath, findNode } from './target.ts';

/**
 * Runs it: 200 with the output, or 204 without any.
 * @throws RestconfFault 404 when the action's parent is not there, 412 for If-Match; ManagementError for a wrong input, or of the operation
 */
export async function invoke(
  operations: RestconfOperations,
  caller: Caller,
  request: RestconfRequest,
  schema: SchemaNode,
  steps: readonly PathStep[],
  body: Uint8Array | LongBody,
): Promise<Reply> {
  const { root, last } = buildPath(operations.schema, steps);
  const target = (steps.length === 0 ? root : last).add(new DataNode(schema));
  const input = await readInput(operations, request, schema, body, target.path);
  if (steps.length > 0 && !(await exists(operations, caller, steps))) {
    throw notFound(`there is no ${printDataPath(steps)} with an action ${schema.name}`);
  }
  if (schema.kind === 'rpc') operations.authorizeOperation(caller, schema.module, schema.name);
  requireInput(target, input);
  requireNoMatch(request.conditions);
  const subscribing = subscriptionOperation(schema);
  if (subscribing) return subscribing(operations, caller, input, request);
  const { output, rows, close } = await operations.action(caller, target, input);
  if (output.size === 0) return { status: 204, headers: {} };
  const reply = dataReply(request.replyEncoding, writeNodes(request.replyEncoding, [output], rows));
  return close ? { ...reply, close } : reply;
}

/** The input as a node of the input's schema; no body is an empty input. */
async function readInput(
  operations: RestconfOperations,
  request: RestconfRequest,
  schema: SchemaNode,
  body: Uint8Array | LongBody,
  path: string,
): Promise<DataNode> {
  const parent = schema.child('input', schema.module) ?? schema.child('input');
  if (!parent) throw new Error(`schema of ${schema.path} has no input`);
  if (body instanceof Uint8Array && body.length === 0) return new DataNode(parent);
  const wrapper = { name: 'input', module: schema.module, namespace: schema.namespace };
  const shape = { parent, path: `${path}/input`, wrapper, state: true, module: schema.module };
  return readBody(body, request.bodyEncoding, operations, shape);
}

async function exists(operations: RestconfOperations, caller: Caller, steps: readonly PathStep[]): Promise<boolean> {
  const content = steps.every(({ schema }) => schema.config) ? 'config' : 'all';
  const selection = pathSelection(steps);
  const reading = await operations.read(caller, { datastore: 'running', content, selection, depth: 1 });
  const found = findNode(reading.root, steps) !== undefined;
  reading.close();
  return found;
}
