/**
 * What of an event a subscriber sees. RFC 8341 §3.4.6 permits or denies a notification as a whole; the one that names data
 * (netconf-config-change) leaves out the edits of nodes that the subscriber may not read, or it would tell of their keys. One about
 * an alarm, an instance or what bindings and served prefixes make is not sent to who may not read those, unless a rule about
 * notifications permits it.
 */

import { DataNode, quote } from '../../state/data.ts';
import { treeFromJson } from '../../state/json.ts';
import type { Schema } from '../../state/schema.ts';
import type { Rights } from '../access.ts';
import {
  mayReach,
  mayReadPath,
  mayTellAlarm,
  nodeOfPath,
  readsBindings,
  readsEntries,
  readsTables,
  SOFTWIRE,
} from '../discretion.ts';
import type { ConfigEdit } from './config-edits.ts';
import type { ReaderEdits } from './reader-edits.ts';
import { markOf, readsBelow } from './reader-edits.ts';

/**
 * The event as it may be seen, the same node when nothing is left out; undefined when the event is denied. `readers` has the edits for
 * those whose edits are not among those of the event.
 */
export function visibleEvent(
  schema: Schema,
  rights: Rights,
  event: DataNode,
  readers?: ReaderEdits,
): DataNode | undefined {
  if (!rights.mayReceive(event.schema)) return undefined;
  if (rights.readsAll) return event;
  if (event.schema.name !== 'netconf-config-change') {
    if (rights.isNamed(event.schema)) return event;
    return mayTell(schema, rights, event) ? withoutSecrets(schema, rights, event) : undefined;
  }
  const own = readers?.[markOf(rights)];
  if (own) return withEdits(schema, event, own);
  const copy = new DataNode(event.schema);
  let isWhole = true;
  for (const child of event.childMap.values()) {
    const target = child.schema.name === 'edit' ? child.leaf('target') : undefined;
    if (target === undefined || mayTellEdit(schema, rights, child, target)) copy.add(child.clone());
    else isWhole = false;
  }
  return isWhole ? event : copy;
}

function withEdits(schema: Schema, event: DataNode, edits: readonly ConfigEdit[]): DataNode {
  const copy = new DataNode(event.schema);
  for (const child of event.childMap.values()) if (child.schema.name !== 'edit') copy.add(child.clone());
  const { module, name } = event.schema;
  const own = treeFromJson(schema, { [`${module}:${name}`]: { edit: edits } }).child(name, module);
  for (const edit of own?.children() ?? []) copy.add(edit);
  return copy;
}

/**
 * A merge, and a container that came or went with what it holds, are told only to who may read all that could be below: they say that
 * something changed there. One of an entry in an order says where it stands among others, which he has to see.
 */
function mayTellEdit(schema: Schema, rights: Rights, edit: DataNode, path: string): boolean {
  const target = nodeOfPath(schema, path);
  if (!target || !mayReach(rights, target)) return false;
  const isMerge = edit.leaf('operation') === 'merge';
  const { isLeaf, kind, presence, dump } = target.schema;
  if (isMerge && dump.userOrdered && target.parent && !readsEntries(rights, target.schema, target.parent)) return false;
  return ((isLeaf || kind === 'list' || presence) && !isMerge) || readsBelow(rights, target);
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
    const instance = nodeOfPath(schema, paths[0] ?? '');
    if (instance && COUNTED[event.schema.name]?.(rights, schema, instance) === false) return false;
  }
  return true;
}

/** Notifications about what lists of an AFTR or a gateway make: who may read those. */
const COUNTED: Readonly<Record<string, (rights: Rights, schema: Schema, instance: DataNode) => boolean>> = {
  'binding-table-changed': readsBindings,
  // Without a limit of its own an AFTR is near that of all together.
  'binding-limit': (rights, schema) => readsTables(rights, schema),
  'source-violation': readsTables,
  'source-refusal': (rights, _schema, gateway) => {
    const prefixes = gateway.schema.child('served-prefix');
    return !prefixes || rights.readsEvery(prefixes, gateway);
  },
};

/** The hash is that of the bindings of all AFTRs; who changed bindings may be a route source of this one. */
function withoutSecrets(schema: Schema, rights: Rights, event: DataNode): DataNode {
  if (event.schema.name !== 'binding-table-changed') return event;
  const [aftr, user] = [event.leaf('aftr'), event.leaf('user')];
  const path = `${SOFTWIRE}/aftr[name=${quote(aftr ?? '')}]/route-source[name=${quote(user ?? '')}]`;
  const source = nodeOfPath(schema, path);
  const copy = event.clone();
  const leaveOut = (name: string) => copy.remove(copy.child(name)?.id ?? '');
  if (!readsBindings(rights, schema)) leaveOut('content-hash');
  if (source && !mayReach(rights, source)) leaveOut('user');
  return copy.size === event.size ? event : copy;
}
