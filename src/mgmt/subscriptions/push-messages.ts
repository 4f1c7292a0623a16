/** The notifications of subscriptions to datastores (RFC 8641 §3.7): push-update and push-change-update. */

import { DataNode } from '../../state/data.ts';
import type { Schema, SchemaNode } from '../../state/schema.ts';
import type { Notification } from '../events/notification.ts';
import type { PatchEdit, PatchStep } from '../patch.ts';
import { editNode } from '../patch.ts';
import { Pause } from '../pause.ts';
import type { Reading } from '../reading.ts';
import { PUSH } from './refusal.ts';

/** The selection as a reading has it, which is closed when the message is out; `onOut` is told then. */
export function pushUpdate(schema: Schema, id: number, reading: Reading, onOut: () => void): Notification {
  const node = notificationNode(schema, 'push-update', id);
  const contents = node.add(new DataNode(childOf(node.schema, 'datastore-contents')));
  for (const child of reading.root.children()) contents.add(child);
  const close = () => {
    reading.close();
    onOut();
  };
  return { time: new Date(), node, rows: reading.rows, close };
}

/** Edits as one YANG patch; `patch` is its number. */
export function pushChangeUpdate(
  schema: Schema,
  id: number,
  patch: number,
  steps: Iterable<PatchStep>,
  onOut: () => void,
): Notification {
  const node = notificationNode(schema, 'push-change-update', id);
  const changes = node.add(new DataNode(childOf(node.schema, 'datastore-changes')));
  const body = changes.add(new DataNode(childOf(changes.schema, 'yang-patch')));
  body.add(new DataNode(childOf(body.schema, 'patch-id'), `${patch}`));
  const edits = editEntries(childOf(body.schema, 'edit'), steps);
  return { time: new Date(), node, rows: (parent) => (parent === body ? edits : []), close: onOut };
}

/** A message that says that changes are missing, and tells none. */
export function incompleteUpdate(schema: Schema, id: number, patch: number, onOut: () => void): Notification {
  const message = pushChangeUpdate(schema, id, patch, [], onOut);
  message.node.add(new DataNode(childOf(message.node.schema, 'incomplete-update')));
  return message;
}

/** The first edit that is not excluded, with those behind it; undefined when there is none. */
export async function firstEdit(
  steps: Generator<PatchStep>,
  excluded: ReadonlySet<string>,
): Promise<Iterable<PatchStep> | undefined> {
  const isTold = (step: PatchStep): step is PatchEdit => !(step instanceof Promise) && !excluded.has(step.operation);
  for (let next = steps.next(); !next.done; next = steps.next()) {
    if (next.value instanceof Promise) await next.value;
    else if (isTold(next.value)) return restOf(next.value, steps, isTold);
  }
  return undefined;
}

function* restOf(
  first: PatchEdit,
  rest: Generator<PatchStep>,
  isTold: (step: PatchStep) => boolean,
): Generator<PatchStep> {
  yield first;
  for (const step of rest) if (step instanceof Promise || isTold(step)) yield step;
}

function* editEntries(schema: SchemaNode, steps: Iterable<PatchStep>): Generator<DataNode> {
  let number = 0;
  for (const step of steps) {
    if (step instanceof Promise) yield new Pause(schema, step);
    else yield editNode(schema, number++, step);
  }
}

function notificationNode(schema: Schema, name: string, id: number): DataNode {
  const notification = schema.root.child(name, PUSH);
  if (!notification) throw new Error(`the schema has no notification ${name}`);
  const node = new DataNode(notification);
  node.add(new DataNode(childOf(notification, 'id'), `${id}`));
  return node;
}

function childOf(schema: SchemaNode, name: string): SchemaNode {
  const child = schema.child(name);
  if (!child) throw new Error(`the schema has no ${name} in ${schema.path}`);
  return child;
}
