/**
 * What of an event a subscriber sees. RFC 8341 §3.4.6 permits or denies a notification as a whole; the one that names data
 * (netconf-config-change) leaves out the edits of nodes that the subscriber may not read, or it would tell of their keys. One about
 * an alarm, an instance or a number of bindings is not sent to who may not read those, unless a rule about
 * notifications permits it.
 */

import { DataNode } from '../../state/data.ts';
import type { Schema } from '../../state/schema.ts';
import type { Rights } from '../access.ts';
import { mayReach, mayReadPath, mayTellAlarm, nodeOfPath, readsBindings } from '../discretion.ts';

/** The event as it may be seen, the same node when nothing is left out; undefined when the event is denied. */
export function visibleEvent(schema: Schema, rights: Rights, event: DataNode): DataNode | undefined {
  if (!rights.mayReceive(event.schema)) return undefined;
  if (rights.readsAll) return event;
  if (event.schema.name !== 'netconf-config-change') {
    if (rights.isNamed(event.schema)) return event;
    return mayTell(schema, rights, event) ? withoutHash(schema, rights, event) : undefined;
  }
  const copy = new DataNode(event.schema);
  let isWhole = true;
  for (const child of event.childMap.values()) {
    const target = child.schema.name === 'edit' ? child.leaf('target') : undefined;
    if (target === undefined || mayTellEdit(schema, rights, child, target)) copy.add(child.clone());
    else isWhole = false;
  }
  return isWhole ? event : copy;
}

/**
 * A merge, and a container that came or went with what it holds, are told only to who may read all that could be below: they say that
 * something changed there.
 */
function mayTellEdit(schema: Schema, rights: Rights, edit: DataNode, path: string): boolean {
  const target = nodeOfPath(schema, path);
  if (!target || !mayReach(rights, target)) return false;
  const below = target.schema.children.filter(({ config }) => config);
  const isOwn = target.schema.isLeaf || target.schema.kind === 'list' || target.schema.presence;
  return (isOwn && edit.leaf('operation') !== 'merge') || below.every((child) => rights.readsEvery(child, target));
}

/** Leaves that name the AFTR or gateway a notification of our model is about. */
const INSTANCES = { aftr: ['aftr'], gateway: ['gateway'], instance: ['aftr', 'gateway'] } as const;

/** Whether what a notification is about may be read. */
function mayTell(schema: Schema, rights: Rights, event: DataNode): boolean {
  if (event.schema.name === 'alarm-notification') return mayTellAlarm(schema, rights, event);
  if (event.schema.module !== 'gi-4over6') return true;
  for (const [leaf, kinds] of Object.entries(INSTANCES)) {
    const name = event.leaf(leaf);
    if (name === undefined) continue;
    const paths = kinds.map((kind) => `/gi-4over6:softwire/${kind}[name='${name}']`);
    if (!paths.every((path) => mayReadPath(schema, rights, path))) return false;
    if (COUNTED.includes(event.schema.name) && !readsBindings(rights, schema, nodeOfPath(schema, paths[0] ?? ''))) {
      return false;
    }
  }
  return true;
}

/** Notifications about the bindings of an AFTR. */
const COUNTED: readonly string[] = ['binding-table-changed', 'binding-limit', 'source-violation'];

/** The hash is that of the bindings of all AFTRs. */
function withoutHash(schema: Schema, rights: Rights, event: DataNode): DataNode {
  const hash = event.schema.module === 'gi-4over6' ? event.child('content-hash') : undefined;
  if (!hash || readsBindings(rights, schema)) return event;
  const copy = event.clone();
  copy.remove(hash.id);
  return copy;
}
