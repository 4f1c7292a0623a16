/** State data of our own model: versions and problems, gateways and AFTRs with their counters, and what is told of routes. */

import type { InstanceCounters, InstanceLearned, SideCounters } from '../control.ts';
import type { PendingCommit } from '../state/confirmed.ts';
import type { DataNode } from '../state/data.ts';
import { learnedTable } from '../state/learned/tables.ts';
import type { SchemaNode } from '../state/schema.ts';
import type { Behind, DatapathClient } from './datapath-client.ts';
import type { EntryList } from './entry-list.ts';
import type { AskedKeys } from './routes/source-data.ts';
import { askedKeys, isWanted } from './selection.ts';
import { softwireList } from './softwire-list.ts';
import type { StateContext } from './state-data.ts';
import type { StoreWatch } from './store-watch.ts';

type Json = Readonly<Record<string, unknown>>;

/** What is told of routes that are advertised, by instance of the small tree. */
export interface RouteState {
  /** The list route-source of an AFTR: entries that are asked for, without their routes. */
  readonly sources: (aftr: DataNode, names: AskedKeys) => readonly Json[];
  /** The routes of an entry of route-source. */
  readonly sourceRoutes: (source: DataNode) => readonly EntryList[];
  /** The list target of a gateway. */
  readonly targets: (gateway: string, withRoutes: boolean) => readonly Json[];
  /** The container bgp. */
  readonly bgp: () => Json;
  /** Prefixes that a gateway serves because they were accepted. */
  readonly served: (gateway: string) => readonly string[];
  readonly servedCount: (gateway: string) => number;
  /** The container learned-aftr of a gateway. */
  readonly learnedAftr: (gateway: string) => Json | undefined;
  /** What keeps gateways from having the right AFTR, in sentences. */
  readonly problems: () => readonly string[];
}

export interface SoftwireParts {
  readonly datapath: Pick<DatapathClient, 'status' | 'counters' | 'learned' | 'behind' | 'softwires'>;
  readonly watch: Pick<StoreWatch, 'compare' | 'problems'>;
  readonly routes: RouteState;
}

export const SOFTWIRE = '/gi-4over6:softwire';
export const SOURCES = `${SOFTWIRE}/aftr/route-source`;
const TARGETS = `${SOFTWIRE}/gateway/route-advertisement/target`;
const BGP = `${SOFTWIRE}/bgp/`;
const GATEWAYS = `${SOFTWIRE}/aftr/softwire`;
/** What the datapath learned from the network. */
const LEARNED = [`${SOFTWIRE}/gateway/state`, GATEWAYS];

/** State leaves of our own model: versions, problems, counters; `nodes` are all there are. */
export async function softwireState(
  { datapath, watch, routes }: SoftwireParts,
  { view, datastores, selection, isOperational }: StateContext,
  nodes: readonly SchemaNode[],
): Promise<Json> {
  const isAsked = (is: (node: SchemaNode) => boolean) => nodes.some((node) => is(node) && isWanted(selection, node));
  const asksState = isAsked(({ path }) => path === `${SOFTWIRE}/state`);
  const asksTargets = isAsked(({ parent }) => parent?.path === TARGETS);
  const asksTold = isAsked(({ parent, kind }) => parent?.path === TARGETS && kind === 'list');
  const asksSources = isAsked(({ parent }) => parent?.path === SOURCES);
  const sources = nodes.find(({ parent }) => parent?.path === SOURCES)?.parent;
  const askedSources = sources && askedKeys(selection, sources);
  const gateways = nodes.find(({ path }) => path === GATEWAYS);
  const [status, counters = [], learned = [], softwires = []] = await Promise.all([
    asksState ? datapath.status() : undefined,
    isAsked(({ name }) => name === 'statistics') ? datapath.counters() : undefined,
    isAsked(({ path }) => LEARNED.includes(path)) ? datapath.learned() : undefined,
    gateways && isWanted(selection, gateways) ? datapath.softwires(askedKeys(selection, gateways)) : undefined,
  ]);
  if (asksState) watch.compare(status);
  const learnedBy = (role: InstanceLearned['role'], name: string) =>
    learned.find((item) => item.role === role && item.name === name);
  const { contentHash, counts } = datastores.head();
  const softwire = view.tree.child('softwire', 'gi-4over6');
  const statisticsOf = (role: InstanceCounters['role'], name: string) => {
    const found = counters.find((item) => item.role === role && item.name === name);
    return found ? { statistics: statistics(found) } : {};
  };
  const silence = 'The datapath does not answer: nothing is forwarded; see its log.';
  const { diskProblem } = datastores;
  const disk = diskProblem === '' ? [] : [diskProblem];
  const problems = [
    ...watch.problems,
    ...disk,
    ...behindProblem(datapath.behind),
    ...routes.problems(),
    ...(status ? status.problems : [silence]),
  ];
  return {
    'gi-4over6:softwire': {
      gateway: (softwire?.entries('gateway') ?? []).map((gateway) => {
        const name = gateway.leaf('name') ?? '';
        const target = asksTargets ? routes.targets(name, asksTold) : [];
        const advertises = gateway.child('route-advertisement') !== undefined;
        const routesServed = { 'served-routes': routes.servedCount(name) };
        const advertisement = advertises && {
          'route-advertisement': { ...routesServed, ...(target.length > 0 && { target }) },
        };
        const served = isOperational && { 'served-prefix': routes.served(name).map(learnedPrefix) };
        const learnedAftr = routes.learnedAftr(name);
        const state = gatewayState(learnedBy('gateway', name), learnedAftr);
        const aftr = isOperational && learnedAftr?.['ipv6-address'];
        const inUse = aftr !== undefined && aftr !== false && { 'aftr-ipv6-address': aftr };
        return { name, ...inUse, ...served, ...advertisement, ...statisticsOf('gateway', name), ...state };
      }),
      aftr: (softwire?.entries('aftr') ?? []).map((aftr) => {
        const name = aftr.leaf('name') ?? '';
        const table = {
          version: String(view.version),
          'last-change': view.time.toISOString(),
          'content-hash': colons(contentHash),
          bindings: (counts.get(name) ?? 0) + (counts.get(learnedTable(name)) ?? 0),
        };
        const own = softwires.find((item) => item.name === name);
        const softwire = softwireList(own?.softwires ?? [], learnedBy('aftr', name)?.pathMtus ?? []);
        const sources = asksSources && { 'route-source': routes.sources(aftr, askedSources) };
        return { name, 'binding-table': table, softwire, ...sources, ...statisticsOf('aftr', name) };
      }),
      ...(isAsked(({ path }) => path.startsWith(BGP)) && { bgp: routes.bgp() }),
      ...(asksState && {
        state: {
          'configured-version': String(view.version),
          'candidate-modified': datastores.candidateModified,
          ...confirmedCommit(datastores.pendingCommit),
          ...(status && {
            'applied-version': String(status.version),
            ...(status.contentHash !== '' && { 'applied-content-hash': colons(status.contentHash) }),
            'datapath-start': status.startedAt,
          }),
          problem: problems,
        },
      }),
    },
  };
}

function learnedPrefix(prefix: string): Json {
  return { 'ipv4-prefix': prefix, origin: 'learned' };
}

function gatewayState(learned: InstanceLearned | undefined, learnedAftr: Json | undefined): Json {
  const [pathMtu] = learned?.pathMtus ?? [];
  const refusal = learned?.sourceRefusal;
  const state = {
    ...(learnedAftr && { 'learned-aftr': learnedAftr }),
    ...(pathMtu && { 'path-mtu': pathMtu.mtu }),
    ...(refusal && {
      'source-refusal': {
        packets: String(refusal.packets),
        'last-time': refusal.lastTime,
        'last-ipv4-source': refusal.lastIpv4Source,
      },
    }),
  };
  return Object.keys(state).length === 0 ? {} : { state };
}

/** Alarm datapath-behind as a sentence. */
function behindProblem(behind: Behind | undefined): string[] {
  if (!behind) return [];
  const { version, since } = behind;
  return [`datapath-behind: version ${version} was not forwarded by in time (since ${since.toISOString()}).`];
}

function confirmedCommit(pending: PendingCommit | undefined): Json {
  if (!pending) return {};
  const { user, session, persist, deadline, base } = pending;
  const issuer = { user, ...(session === 0 ? {} : { 'session-id': session }) };
  const rest = { persistent: persist !== undefined, deadline, 'base-version': String(base) };
  return { 'confirmed-commit': { ...issuer, ...rest } };
}

/** Hexadecimal digits as yang:hex-string writes them: ab:cd:ef. */
export function colons(hex: string): string {
  return (hex.match(/../g) ?? []).join(':');
}

function statistics(counters: InstanceCounters): Json {
  return {
    'discontinuity-time': counters.discontinuityTime,
    'ecn-anomaly-packets': String(counters.ecnAnomalies),
    'ipv4-side': side(counters.ipv4),
    'ipv6-side': side(counters.ipv6),
    'icmp-errors': {
      'icmpv4-sent': String(counters.icmpv4Errors.sent),
      'icmpv4-suppressed': String(counters.icmpv4Errors.suppressed),
      'icmpv6-sent': String(counters.icmpv6Errors.sent),
      'icmpv6-suppressed': String(counters.icmpv6Errors.suppressed),
    },
  };
}

function side(counters: SideCounters): Json {
  const leaves: Record<string, unknown> = {};
  for (const name of ['received', 'forwarded', 'hairpinned', 'replied', 'dropped', 'held'] as const) {
    leaves[`${name}-packets`] = String(counters[name].packets);
    leaves[`${name}-octets`] = String(counters[name].octets);
  }
  leaves.drop = Object.entries(counters.drops).map(([reason, { packets, octets }]) => ({
    reason,
    packets: String(packets),
    octets: String(octets),
  }));
  return leaves;
}
