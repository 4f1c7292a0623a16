/**
 * What is told to a user who may not read everything (RFC 8341 §3.2.4, §3.2.5): an error without what it says of hidden nodes, state
 * data without what is counted or summed over them.
 */

import { DataNode } from '../state/data.ts';
import { ManagementError } from '../state/errors.ts';
import type { Schema, SchemaNode } from '../state/schema.ts';
import { BINDING_PATH } from '../state/schema.ts';
import type { Rights } from './access.ts';
import { parsePath } from './path.ts';

const SOFTWIRE = '/gi-4over6:softwire';

/** Faults whose sentence speaks of the node at its path and of the model alone, by app-tag. */
const OWN_FAULTS: readonly string[] = [
  'unusable-tunnel-address',
  'unusable-ipv4-address',
  'missing-tunnel-address',
  'missing-aftr-address',
  'two-aftr-addresses',
  'missing-pool',
  'martian-prefix',
  'must-violation',
  'too-few-elements',
  'too-many-elements',
  'missing-choice',
  'instance-required',
  'no-matches',
];

/** A node with those above it, none of which need be there; undefined when the path is none of the schema. */
export function nodeOfPath(schema: Schema, path: string): DataNode | undefined {
  let node = new DataNode(schema.root);
  for (const { prefix, name, predicates } of parsePath(path) ?? []) {
    const child = node.schema.child(name, prefix ?? node.schema.module);
    if (!child) return undefined;
    const next = new DataNode(child, child.kind === 'leaf-list' ? (predicates[0]?.value ?? '') : '');
    for (const predicate of predicates) {
      const key = child.child(predicate.name);
      if (key) next.add(new DataNode(key, predicate.value));
    }
    node = node.add(next);
  }
  return node.schema.isRoot ? undefined : node;
}

/** Whether a node and each above it may be read. */
export function mayReach(rights: Pick<Rights, 'isHidden'>, node: DataNode): boolean {
  for (let at: DataNode | undefined = node; at && !at.schema.isRoot; at = at.parent) {
    if (rights.isHidden(at)) return false;
  }
  return true;
}

/** Whether the node of an instance path and each above it may be read; not for a path that is none of the schema. */
export function mayReadPath(schema: Schema, rights: Rights, path: string): boolean {
  const node = nodeOfPath(schema, path);
  return node !== undefined && mayReach(rights, node);
}

/** What was thrown, without what the user may not read. */
export function discreet(thrown: unknown, rights: Rights, schema: Schema): unknown {
  if (rights.readsAll || !(thrown instanceof ManagementError)) return thrown;
  const others = thrown.others.map((other) => withoutSecrets(other, rights, schema));
  const first = withoutSecrets(thrown, rights, schema);
  const isSame = first === thrown && others.every((other, index) => other === thrown.others[index]);
  if (isSame) return thrown;
  const { tag, message, type, appTag, path, info } = first;
  return new ManagementError(tag, { message, type, appTag, path, info }, others);
}

function withoutSecrets(error: ManagementError, rights: Rights, schema: Schema): ManagementError {
  const { tag, type, appTag, path, info } = error;
  const node = path === undefined ? undefined : nodeOfPath(schema, path);
  if (node && !mayReach(rights, node)) {
    const above = lastVisible(rights, node)?.path;
    const place = above ?? 'the top';
    const message = `refused below ${place}: ${appTag ?? tag}`;
    const holder = Object.fromEntries(Object.entries(info).filter(([name]) => name === 'session-id'));
    return new ManagementError(tag, { type, appTag, path: above, message, info: holder });
  }
  const isValidation = tag === 'operation-failed' || tag === 'resource-denied';
  if (!isValidation || appTag === undefined || OWN_FAULTS.includes(appTag) || readsConfiguration(rights, schema)) {
    return error;
  }
  const message = `the change does not fit what is configured: ${appTag}`;
  const kept = Object.fromEntries(Object.entries(info).filter(([name]) => name !== 'non-unique'));
  return new ManagementError(tag, { type, appTag, path, message, info: kept });
}

function lastVisible(rights: Rights, node: DataNode): DataNode | undefined {
  let visible: DataNode | undefined = node;
  for (let at: DataNode | undefined = node; at && !at.schema.isRoot; at = at.parent) {
    if (rights.isHidden(at)) visible = at.parent;
  }
  return visible?.schema.isRoot ? undefined : visible;
}

/** What faults of validation may name beside the node they are about. */
function readsConfiguration(rights: Rights, schema: Schema): boolean {
  return schema.root.children
    .filter(({ config, kind }) => config && (kind === 'container' || kind === 'list'))
    .every((child) => rights.readsEvery(child, new DataNode(schema.root)));
}

/** Whether a user may read each binding that any AFTR could have. */
export function readsBindings(rights: Rights, schema: Schema, above = new DataNode(schema.root)): boolean {
  const list = schema.find(BINDING_PATH);
  return !list || rights.readsEvery(list, above);
}

/** Whether a user may read all by which packets are forwarded, of which a trace tells with each packet. */
export function readsForwarding(rights: Rights, schema: Schema): boolean {
  const softwire = schema.find(SOFTWIRE);
  return rights.readsAll || (softwire !== undefined && rights.readsEvery(softwire, new DataNode(schema.root)));
}

/**
 * Takes out of state data, a tree that is the reading's own, what tells of nodes that may not be read: numbers and sums over bindings,
 * served prefixes and sessions, gateways that bindings lead to, problems of instances, alarms and locked nodes, and sizes of the store.
 */
export function hideState(root: DataNode, rights: Rights, schema: Schema): void {
  hideSoftwireState(root.child('softwire', 'gi-4over6'), rights, schema);
  hideAlarms(root.child('alarms', 'ietf-alarms'), rights, schema);
  hideStoreSizes(root.child('store', 'gi-4over6')?.child('state'), rights, schema);
  const monitoring = root.child('netconf-state', 'ietf-netconf-monitoring');
  hideSessionCounters(monitoring, rights, schema);
  for (const datastore of monitoring?.child('datastores')?.entries('datastore') ?? []) {
    for (const lock of datastore.child('locks')?.entries('partial-lock') ?? []) hideLock(lock, rights, schema);
  }
}

function hideSoftwireState(softwire: DataNode | undefined, rights: Rights, schema: Schema): void {
  if (!softwire) return;
  const readsAllBindings = readsBindings(rights, schema);
  for (const aftr of softwire.entries('aftr')) {
    const table = aftr.child('binding-table');
    // The hash is that of all tables.
    if (table && !readsAllBindings) drop(table, 'content-hash');
    // The table need not be in what was asked for.
    const place = table ?? nodeOfPath(schema, `${aftr.path}/binding-table`);
    const list = place?.schema.children.find(({ rows }) => rows);
    if (!place || !list || rights.readsEvery(list, place)) continue;
    if (table) drop(table, 'bindings');
    drop(aftr, 'statistics');
    for (const gateway of aftr.entries('softwire')) aftr.remove(gateway.id);
  }
  for (const gateway of softwire.entries('gateway')) {
    const prefixes = gateway.schema.child('served-prefix');
    if (!prefixes || rights.readsEvery(prefixes, gateway)) continue;
    for (const name of ['statistics', 'state']) drop(gateway, name);
  }
  const state = softwire.child('state');
  if (!state) return;
  if (!readsAllBindings) drop(state, 'applied-content-hash');
  if (!readsInstances(rights, schema)) for (const problem of state.entries('problem')) state.remove(problem.id);
}

/** Counters of all sessions, for who may not read each of them. When the server began to count is no number of theirs. */
function hideSessionCounters(monitoring: DataNode | undefined, rights: Rights, schema: Schema): void {
  const statistics = monitoring?.child('statistics');
  const sessions = schema.find('/ietf-netconf-monitoring:netconf-state/sessions/session');
  if (!statistics || !sessions || rights.readsEvery(sessions, new DataNode(schema.root))) return;
  for (const counter of statistics.children()) {
    if (counter.schema.name !== 'netconf-start-time') statistics.remove(counter.id);
  }
}

/** How much the store and its backups hold says how many bindings there are. */
function hideStoreSizes(state: DataNode | undefined, rights: Rights, schema: Schema): void {
  if (!state || readsBindings(rights, schema)) return;
  for (const held of [state, ...state.entries('backup')]) {
    for (const name of ['octets', 'free-octets']) drop(held, name);
  }
}

function drop(parent: DataNode, name: string): void {
  const child = parent.child(name);
  if (child) parent.remove(child.id);
}

/** Whether no gateway and no AFTR could be hidden as a whole. */
function readsInstances(rights: Rights, schema: Schema): boolean {
  const root = new DataNode(schema.root);
  return ['gateway/name', 'aftr/name'].every((path) => {
    const key = schema.find(`${SOFTWIRE}/${path}`);
    return !key || rights.readsEvery(key, root);
  });
}

/** Whether an alarm may be told: its resource may be read, and for one that bindings are counted for, all of these. */
export function mayTellAlarm(schema: Schema, rights: Rights, alarm: DataNode): boolean {
  return mayTell(schema, rights, alarm.leaf('resource') ?? '', alarm.leaf('alarm-type-id') ?? '');
}

/** The same of an alarm by the path of its resource and the identity of its type. */
export function mayTell(schema: Schema, rights: Rights, resource: string, type: string): boolean {
  if (rights.readsAll) return true;
  if (!mayReadPath(schema, rights, resource)) return false;
  if (!type.endsWith(':binding-table-near-limit')) return true;
  return readsBindings(rights, schema, nodeOfPath(schema, resource));
}

function hideAlarms(alarms: DataNode | undefined, rights: Rights, schema: Schema): void {
  const list = alarms?.child('alarm-list');
  if (!alarms || !list) return;
  const all = list.entries('alarm');
  const told = all.filter((alarm) => mayTellAlarm(schema, rights, alarm));
  for (const alarm of all) if (!told.includes(alarm)) list.remove(alarm.id);
  setLeaf(list, 'number-of-alarms', `${told.length}`);
  const last = told
    .map((alarm) => alarm.leaf('last-changed') ?? '')
    .sort()
    .pop();
  if (last === undefined) drop(list, 'last-changed');
  else setLeaf(list, 'last-changed', last);
  for (const entry of alarms.child('summary')?.entries('alarm-summary') ?? []) {
    const own = told.filter((alarm) => alarm.leaf('perceived-severity') === entry.leaf('severity'));
    const cleared = own.filter((alarm) => alarm.leaf('is-cleared') === 'true').length;
    setLeaf(entry, 'total', `${own.length}`);
    setLeaf(entry, 'not-cleared', `${own.length - cleared}`);
    setLeaf(entry, 'cleared', `${cleared}`);
  }
}

function setLeaf(parent: DataNode, name: string, value: string): void {
  const schema: SchemaNode | undefined = parent.schema.child(name);
  if (schema && parent.child(name)) parent.add(new DataNode(schema, value));
}

/** A lock that has a hidden node tells of its holder and its other nodes; its expressions could say which it is. */
function hideLock(lock: DataNode, rights: Rights, schema: Schema): void {
  const nodes = lock.entries('locked-node');
  const hidden = nodes.filter(({ value }) => !mayReadPath(schema, rights, value));
  if (hidden.length === 0) return;
  for (const node of [...hidden, ...lock.entries('select')]) lock.remove(node.id);
}
