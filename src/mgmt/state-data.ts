/**
 * State data: what the device says of itself, added to a copy of the running tree. A source is asked only when the
 * selection can want what it gives: whoever reads configuration by its path asks nobody.
 */

import type { YangContext } from 'netconf-server';
import type { DataNode } from '../state/data.ts';
import type { Datastores, View } from '../state/datastores.ts';
import { treeFromJson } from '../state/json.ts';
import type { LockOwner } from '../state/locks.ts';
import type { DatastoreName } from '../state/request.ts';
import type { Schema, SchemaNode } from '../state/schema.ts';
import { BINDING_PATH } from '../state/schema.ts';
import type { Denials } from './access.ts';
import type { AlarmWatch } from './alarms/alarm-watch.ts';
import { BindingStatistics } from './binding-statistics.ts';
import type { DatapathClient } from './datapath-client.ts';
import type { EntryList, EntryLists } from './entry-list.ts';
import { netconfStreams, restconfStream } from './events/stream-state.ts';
import type { EventStreams } from './events/streams.ts';
import type { NetconfStatistics, RpcCounters } from './netconf-statistics.ts';
import { chosen } from './routes/source-data.ts';
import type { AnySelection } from './selection.ts';
import { askedKeys, isWanted } from './selection.ts';
import type { RouteState, SoftwireParts } from './softwire-state.ts';
import { SOFTWIRE, SOURCES, softwireState } from './softwire-state.ts';
import type { StoreCare } from './store-care.ts';
import { storeState } from './store-care.ts';
import { SUBSCRIBED } from './subscriptions/refusal.ts';
import { withLocations } from './yang-library.ts';

/** One client's session, for ietf-netconf-monitoring (RFC 6022 §2.1.4). */
export interface SessionInfo {
  readonly session: number;
  readonly user: string;
  readonly transport: 'netconf-ssh' | 'netconf-tls' | 'local';
  /** Address of the client; absent on the local socket. */
  readonly source?: string | undefined;
  readonly since: Date;
  readonly counters: RpcCounters;
}

export interface StateContext {
  readonly view: View;
  readonly selection: AnySelection | undefined;
  /** Whether what was learned is in the answer as configuration. */
  readonly isOperational?: boolean | undefined;
  readonly datastores: Datastores;
  readonly sessions: readonly SessionInfo[];
  /** Capabilities of the NETCONF hello. */
  readonly capabilities: readonly string[];
  readonly statistics: NetconfStatistics;
  /** The containers of ietf-subscribed-notifications. */
  readonly subscriptions: () => Json;
}

type Json = Readonly<Record<string, unknown>>;

interface Source {
  /** Schema path of the top node it fills. */
  readonly path: string;
  read(context: StateContext): Promise<Json> | Json;
}

/** With the state nodes that it fills, each the topmost. */
interface KnownSource extends Source {
  readonly nodes: readonly SchemaNode[];
  /** Leaves of the configuration that it fills in the operational state datastore. */
  readonly inUse: readonly SchemaNode[];
}

export interface StateParts {
  readonly schema: Schema;
  readonly context: Pick<YangContext, 'yangLibrary'>;
  readonly datapath: SoftwireParts['datapath'] & Pick<DatapathClient, 'bindingCounters'>;
  readonly storeCare: StoreCare;
  readonly watch: SoftwireParts['watch'];
  readonly denials: Denials;
  readonly events: Pick<EventStreams, 'created'>;
  readonly alarms: Pick<AlarmWatch, 'state'>;
  readonly routes: RouteState;
}

export class StateData {
  readonly #schema: Schema;
  /** Of a binding. */
  readonly #statistics: SchemaNode | undefined;
  readonly #datapath: StateParts['datapath'];
  readonly #routes: RouteState;
  readonly #sources: readonly KnownSource[];
  /** What `countsBindings` found last: it is asked at each read of one binding. */
  #lastCounted: { readonly tree?: DataNode; readonly aftr: string; readonly isCounted: boolean } = {
    aftr: '',
    isCounted: false,
  };

  constructor({ schema, context, datapath, storeCare, watch, denials, events, alarms, routes }: StateParts) {
    this.#schema = schema;
    this.#statistics = schema.find(`${BINDING_PATH}/statistics`);
    this.#datapath = datapath;
    this.#routes = routes;
    const library = withLocations(withDatastores(schema, JSON.parse(context.yangLibrary().json) as Json));
    const softwireNodes = stateNodesOf(schema, SOFTWIRE);
    const sources: Source[] = [
      { path: '/ietf-yang-library:yang-library', read: () => only(library, 'ietf-yang-library:yang-library') },
      { path: '/ietf-yang-library:modules-state', read: () => only(library, 'ietf-yang-library:modules-state') },
      { path: '/ietf-netconf-monitoring:netconf-state', read: (state) => netconfState(schema, state) },
      { path: '/ietf-restconf-monitoring:restconf-state', read: () => restconfState(events.created) },
      { path: '/nc-notifications:netconf', read: () => netconfStreams(events.created) },
      { path: `/${SUBSCRIBED}:streams`, read: (state) => only(state.subscriptions(), `${SUBSCRIBED}:streams`) },
      {
        path: `/${SUBSCRIBED}:subscriptions`,
        read: (state) => only(state.subscriptions(), `${SUBSCRIBED}:subscriptions`),
      },
      { path: '/ietf-netconf-acm:nacm', read: () => nacmState(denials) },
      { path: SOFTWIRE, read: (state) => softwireState({ datapath, watch, routes }, state, softwireNodes) },
      { path: '/ietf-alarms:alarms', read: () => alarms.state() },
      { path: '/gi-4over6:store', read: () => storeState(storeCare) },
    ];
    const learned = schema.find(LEARNED_AFTR);
    this.#sources = sources.map((source) => {
      const inUse = learned && source.path === SOFTWIRE ? [learned] : [];
      return { ...source, nodes: stateNodesOf(schema, source.path), inUse };
    });
  }

  /** Whether bindings of an AFTR have statistics. */
  countsBindings({ runningTree }: Pick<Datastores, 'runningTree'>, aftr: string): boolean {
    if (this.#lastCounted.tree !== runningTree || this.#lastCounted.aftr !== aftr) {
      const node = runningTree.child('softwire', 'gi-4over6')?.entry('aftr', [aftr]);
      const isCounted = this.#statistics !== undefined && node !== undefined && countsBindings(node);
      this.#lastCounted = { tree: runningTree, aftr, isCounted };
    }
    return this.#lastCounted.isCounted;
  }

  /** What gives the statistics of bindings; undefined when nobody wants or counts them. */
  bindingStatistics(view: View, selection: AnySelection | undefined): BindingStatistics | undefined {
    if (!this.#statistics || !isWanted(selection, this.#statistics)) return undefined;
    const aftrs = view.tree.child('softwire', 'gi-4over6')?.entries('aftr') ?? [];
    const names = new Set(aftrs.filter(countsBindings).map((aftr) => aftr.leaf('name')));
    return names.size === 0 ? undefined : new BindingStatistics(this.#datapath, (aftr) => names.has(aftr));
  }

  /** A copy of `tree` with what the selection can want, and the lists below its nodes; the tree itself when that is nothing. */
  async addTo(tree: DataNode, context: StateContext): Promise<{ readonly tree: DataNode; readonly lists: EntryLists }> {
    const { selection } = context;
    const wanted = this.#sources.filter(({ nodes, inUse }) => {
      const asked = context.isOperational ? [...nodes, ...inUse] : nodes;
      return asked.some((node) => isWanted(selection, node));
    });
    if (wanted.length === 0) return { tree, lists: new Map() };
    const copy = tree.clone();
    for (const { read } of wanted) merge(copy, treeFromJson(this.#schema, await read(context)));
    return { tree: copy, lists: this.#listsIn(copy, selection) };
  }

  #listsIn(tree: DataNode, selection: AnySelection | undefined): EntryLists {
    const lists = new Map<DataNode, readonly EntryList[]>();
    const sources = this.#schema.find(SOURCES);
    if (!sources?.children.some((node) => node.isStreamed && isWanted(selection, node))) return lists;
    const names = askedKeys(selection, sources);
    for (const aftr of tree.child('softwire', 'gi-4over6')?.entries('aftr') ?? []) {
      for (const source of chosen(aftr, names)) {
        const wanted = this.#routes.sourceRoutes(source).filter(({ schema }) => isWanted(selection, schema));
        lists.set(source, wanted);
      }
    }
    return lists;
  }

  /** A list of state below a node of the configuration; undefined for one that is part of the tree. */
  entryList(above: DataNode, list: SchemaNode): EntryList | undefined {
    if (above.schema.path !== SOURCES) return undefined;
    return this.#routes.sourceRoutes(above).find(({ schema }) => schema === list);
  }
}

const LEARNED_AFTR = `${SOFTWIRE}/gateway/aftr-ipv6-address`;

function countsBindings(aftr: DataNode): boolean {
  const leaf = aftr.schema.child('binding-counters');
  return (aftr.leaf('binding-counters') ?? leaf?.defaults[0]) === 'true';
}

/** The topmost state nodes at or below a path; those of rows come with the rows. */
function stateNodesOf(schema: Schema, path: string): SchemaNode[] {
  const top = schema.find(path);
  return top ? topmostState(top) : [];
}

function topmostState(node: SchemaNode): SchemaNode[] {
  if (node.rows || ['rpc', 'action', 'notification'].includes(node.kind)) return [];
  return node.config ? node.children.flatMap(topmostState) : [node];
}

/** RFC 8525 §3: each datastore, all with the one schema there is. */
function withDatastores(schema: Schema, library: Json): Json {
  const name = 'ietf-yang-library:yang-library';
  const data = library[name] as (Json & { readonly schema: readonly { readonly name: string }[] }) | undefined;
  if (!data) return library;
  const datastores = [...conventionalDatastores(schema), 'intended', 'operational'];
  const [complete] = data.schema;
  const datastore = datastores.map((each) => ({ name: `ietf-datastores:${each}`, schema: complete?.name }));
  return { ...library, [name]: { ...data, datastore } };
}

function conventionalDatastores(schema: Schema): DatastoreName[] {
  const hasStartup = schema.module('ietf-netconf')?.features.includes('startup');
  return hasStartup ? ['running', 'candidate', 'startup'] : ['running', 'candidate'];
}

function only(data: Json, member: string): Json {
  return data[member] === undefined ? {} : { [member]: data[member] };
}

/** Moves what `source` holds into `target`; nodes that are in both are walked. What nobody configured is the system's. */
function merge(target: DataNode, source: DataNode): void {
  for (const [id, child] of source.childMap) {
    const twin = target.get(id);
    if (twin && !twin.schema.isLeaf) merge(twin, child);
    else {
      if (!twin && child.schema.config) child.origin = isLearned(child) ? 'learned' : 'system';
      target.add(child);
    }
  }
}

/** Whether configuration that nobody wrote comes from the network: the AFTR of a gateway, and what says so itself. */
function isLearned(node: DataNode): boolean {
  return node.schema.path === LEARNED_AFTR || node.leaf('origin') === 'learned';
}

/** draft-ietf-netconf-list-pagination-rc §3.1. */
const PAGINATION = ['limit', 'offset', 'cursor', 'direction', 'sort-by', 'locale', 'where', 'sublist-limit'];

/** RFC 8040 §9.3: what of the optional parts of RESTCONF works, and its event streams. */
function restconfState(created: Date): Json {
  const capability = [
    'urn:ietf:params:restconf:capability:defaults:1.0?basic-mode=explicit',
    'urn:ietf:params:restconf:capability:depth:1.0',
    'urn:ietf:params:restconf:capability:fields:1.0',
    'urn:ietf:params:restconf:capability:filter:1.0',
    'urn:ietf:params:restconf:capability:replay:1.0',
    'urn:ietf:params:restconf:capability:with-defaults:1.0',
    'urn:ietf:params:restconf:capability:with-operational-defaults:1.0',
    'urn:ietf:params:restconf:capability:with-origin:1.0',
    'urn:ietf:params:restconf:capability:yang-patch:1.0',
    ...PAGINATION.map((name) => `urn:ietf:params:restconf:capability:${name}:1.0`),
  ];
  const stream = [restconfStream(created, (encoding) => `/restconf/streams/NETCONF/${encoding}`)];
  return { 'ietf-restconf-monitoring:restconf-state': { capabilities: { capability }, streams: { stream } } };
}

/** RFC 8341 §3.5.2. */
function nacmState({ operations, dataWrites, notifications }: Denials): Json {
  const counters = {
    'denied-operations': operations,
    'denied-data-writes': dataWrites,
    'denied-notifications': notifications,
  };
  return { 'ietf-netconf-acm:nacm': counters };
}

/** Identities of transports; RFC 6022 has none for a local socket. */
const TRANSPORTS: Readonly<Record<SessionInfo['transport'], string>> = {
  'netconf-ssh': 'ietf-netconf-monitoring:netconf-ssh',
  'netconf-tls': 'ietf-netconf-monitoring:netconf-tls',
  local: 'gi-4over6:netconf-local',
};

/** RFC 6022 §2.1: capabilities, datastores with their locks, schemas, sessions, statistics. */
function netconfState(schema: Schema, { datastores, sessions, capabilities, statistics }: StateContext): Json {
  const names = conventionalDatastores(schema);
  return {
    'ietf-netconf-monitoring:netconf-state': {
      capabilities: { capability: capabilities },
      datastores: { datastore: names.map((name) => ({ name, ...lockState(datastores, name) })) },
      schemas: {
        schema: schema.modules.map(({ name, revision, namespace }) => ({
          identifier: name,
          version: revision ?? '',
          format: 'ietf-netconf-monitoring:yang',
          namespace,
          location: ['NETCONF'],
        })),
      },
      sessions: {
        session: sessions.map(({ session, user, transport, source, since, counters }) => ({
          'session-id': session,
          transport: TRANSPORTS[transport],
          username: user,
          ...(source === undefined ? {} : { 'source-host': source }),
          'login-time': since.toISOString(),
          ...counters.leaves,
        })),
      },
      statistics: statistics.leaves,
    },
  };
}

function lockState(datastores: Datastores, name: DatastoreName): Json {
  const owner = datastores.lockOwner(name);
  if (owner) return { locks: { 'global-lock': holder(owner) } };
  const partial = name === 'running' ? datastores.partialLocks.all : [];
  if (partial.length === 0) return {};
  const locks = partial.map((lock) => {
    return { 'lock-id': lock.id, ...holder(lock), select: lock.select, 'locked-node': lock.paths };
  });
  return { locks: { 'partial-lock': locks } };
}

function holder({ session, since }: LockOwner): Json {
  return { 'locked-by-session': session, 'locked-time': since.toISOString() };
}
