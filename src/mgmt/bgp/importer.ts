/**
 * From what BGP neighbors announce to the routes of route sources:
 *
 *   1. a session comes up: what comes counts at once. When all is told, or it takes too long, what was kept beyond it goes
 *   2. a session is lost: its routes are kept for the restart time that the neighbor asked for, if the loss was no farewell
 *   3. changes of a short while become one advertisement of each source that they concern. A route belongs to the source that names the
 *      neighbor and has the route's endpoint as tunnel address; whether it may bind it is judged as for any other (trust.ts)
 *
 * Of several neighbors of a source each can carry a route; it is over when the last one has withdrawn it.
 */

import { formatIpv6 } from '../../address.ts';
import type { Log } from '../../log.ts';
import type { Advertisement } from '../../state/learned/route-table.ts';
import type { Softwire } from '../../state/model.generated.ts';
import { formatNumber } from '../../state/rows.ts';
import type { EngineClient } from './engine-client.ts';
import type { Path } from './engine-messages.ts';
import type { NeighborRoute } from './neighbor-routes.ts';
import { NeighborRoutes } from './neighbor-routes.ts';
import { announcementOf, canonical } from './paths.ts';
import type { PeerFacts } from './peer-request.ts';
import { factsOf } from './peer-request.ts';
import { ToldRoutes } from './told-routes.ts';

const ESTABLISHED = 6;
const GATHER_MS = 20;
const ASK_MS = 200;
/** A neighbor that does not say when it has told all has done so by then; and one that does by then at the latest. */
const TOLD_MS = 5_000;
const LONGEST_TOLD_MS = 60_000;
/** After it has told all: a gateway of this program lets routes out when it knows our capabilities, which is just after that. */
const SETTLE_MS = 3_000;
const RETRY_MS = 5_000;
/** While routes are left out, between two looks for room. */
const ROOM_MS = 5_000;
/** As long as that GoBGP is asked what it keeps of a session that is lost. */
const LONGEST_LOST_MS = 10_000;

/** Where routes go. */
export interface Sources {
  readonly tell: (source: string, advertisement: Advertisement) => Promise<void>;
  /** How it is now; `left` of its routes are left out, since there is no room to remember them. */
  readonly mark: (
    source: string,
    state: 'idle' | 'established' | 'stale',
    expires: Date | undefined,
    left: number,
  ) => void;
  /** Whether it has routes, of an earlier run too. */
  readonly hasRoutes: (source: string) => boolean;
  /** How many routes of it are remembered at most. */
  readonly most: (source: string) => number;
}

export interface ImporterParts {
  readonly sources: Sources;
  readonly client: () => Pick<EngineClient, 'peers' | 'announcedBy'> | undefined;
  readonly log: Log;
  /** A session is up, with what the neighbor is capable of, or down. */
  readonly onSession: (address: string, facts?: PeerFacts) => void;
}

interface Neighbor {
  readonly routes: NeighborRoutes;
  /** Seconds for which routes are kept when GoBGP itself ends. */
  restartTime: number;
  sessionState: number;
  lastChange: Date | undefined;
  facts: PeerFacts | undefined;
  timer: NodeJS.Timeout | undefined;
  /** Number of the session: what was begun for an earlier one is over. */
  session: number;
}

interface Source {
  readonly made: string;
  readonly neighbors: readonly string[];
  readonly endpoint: string;
  readonly told: ToldRoutes;
  /** Whether all its routes were told of, so that changes are enough. */
  isWhole: boolean;
  /** For routes that are left out. */
  timer: NodeJS.Timeout | undefined;
}

export class Importer {
  readonly #parts: ImporterParts;
  readonly #neighbors = new Map<string, Neighbor>();
  readonly #sources = new Map<string, Source>();
  readonly #changed = new Set<number>();
  #timer: NodeJS.Timeout | undefined;
  #localAs = 0;
  #isClosed = false;

  constructor(parts: ImporterParts) {
    this.#parts = parts;
  }

  follow({ bgp, aftr: aftrs }: Softwire): void {
    this.#localAs = bgp.localAs ?? 0;
    const configured = new Map(bgp.neighbor.map((item) => [formatIpv6(item.address), item.gracefulRestartTime]));
    for (const [address, neighbor] of this.#neighbors) {
      if (configured.has(address)) continue;
      this.#drop(neighbor);
      this.#neighbors.delete(address);
    }
    for (const [address, restartTime] of configured) this.#neighbor(address).restartTime = restartTime;
    const there = new Set<string>();
    for (const aftr of aftrs) {
      for (const { name, gatewayIpv6Address, bgpNeighbor } of aftr.routeSource) {
        if (bgpNeighbor.length === 0) continue;
        there.add(name);
        const neighbors = bgpNeighbor.map((address) => formatIpv6(address));
        const endpoint = formatIpv6(gatewayIpv6Address);
        const made = JSON.stringify([aftr.name, endpoint, neighbors]);
        if (this.#sources.get(name)?.made === made) continue;
        this.#sources.set(name, {
          made,
          neighbors,
          endpoint,
          told: new ToldRoutes(),
          isWhole: false,
          timer: undefined,
        });
      }
    }
    for (const name of this.#sources.keys()) {
      if (there.has(name)) continue;
      this.#sources.delete(name);
      // One that is known in another way now begins anew.
      if (this.#parts.sources.hasRoutes(name))
        this.#tell(name, { isWhole: true, routes: new Set(), withdrawn: new Set() });
      this.#parts.sources.mark(name, 'idle', undefined, 0);
    }
    this.#flushSoon();
  }

  #neighbor(address: string): Neighbor {
    const known = this.#neighbors.get(address) ?? {
      routes: new NeighborRoutes((number) => this.#changed.add(number)),
      restartTime: 0,
      sessionState: 1,
      lastChange: undefined,
      facts: undefined,
      timer: undefined,
      session: 0,
    };
    this.#neighbors.set(address, known);
    return known;
  }

  /** GoBGP tells the state of a session. */
  session(text: string, sessionState: number): void {
    const address = canonical(text);
    const neighbor = address === undefined ? undefined : this.#neighbors.get(address);
    if (address === undefined || !neighbor) return;
    const [was, is] = [neighbor.sessionState === ESTABLISHED, sessionState === ESTABLISHED];
    neighbor.sessionState = sessionState;
    if (was === is) return;
    neighbor.lastChange = new Date();
    neighbor.session++;
    this.#parts.log.info({ neighbor: address, isEstablished: is }, 'a BGP session has changed');
    if (is) {
      neighbor.routes.established();
      void this.#synchronise(address, neighbor);
    } else {
      neighbor.facts = undefined;
      this.#parts.onSession(address);
      void this.#lost(address, neighbor);
    }
    this.#flushSoon();
  }

  paths(paths: readonly Path[]): void {
    for (const path of paths) {
      const neighbor = this.#neighbors.get(canonical(path.neighborIp) ?? '');
      const route = announcementOf(path, this.#localAs);
      if (!neighbor || !route) continue;
      if (route.isWithdrawn) neighbor.routes.remove(route.number, route.pathId);
      else neighbor.routes.put(route.number, route);
    }
    this.#flushSoon();
  }

  async #facts(address: string): Promise<PeerFacts | undefined> {
    const peers = await this.#parts
      .client()
      ?.peers(address)
      .catch(() => []);
    return peers?.[0] && factsOf(peers[0]);
  }

  async #paths(address: string): Promise<readonly Path[] | undefined> {
    try {
      return await this.#parts.client()?.announcedBy(address);
    } catch (error) {
      this.#parts.log.warn(
        { neighbor: address, error: String(error) },
        'the routes of a BGP neighbor could not be read',
      );
      return undefined;
    }
  }

  async #synchronise(address: string, neighbor: Neighbor): Promise<void> {
    const { session } = neighbor;
    const begun = performance.now();
    const isOver = () => session !== neighbor.session || this.#isClosed;
    let toldAt = Number.POSITIVE_INFINITY;
    for (; !isOver(); await new Promise((resolve) => setTimeout(resolve, ASK_MS).unref())) {
      const isTold = performance.now() >= toldAt;
      if (isTold) neighbor.routes.reading();
      const paths = isTold ? await this.#paths(address) : undefined;
      if (isOver()) return;
      if (paths) {
        neighbor.routes.synchronised(this.#routesIn(paths));
        this.#flushSoon();
        return;
      }
      const facts = await this.#facts(address);
      if (isOver()) return;
      if (facts && !neighbor.facts) this.#parts.onSession(address, facts);
      neighbor.facts = facts ?? neighbor.facts;
      const longestMs = facts?.tellsEnd ? LONGEST_TOLD_MS : TOLD_MS;
      if (facts?.hasToldAll) toldAt = Math.min(toldAt, performance.now() + SETTLE_MS);
      if (performance.now() - begun > longestMs) toldAt = 0;
    }
  }

  /** What is announced now, without what GoBGP keeps of an earlier session. */
  #routesIn(paths: readonly Path[]): Map<number, NeighborRoute[]> {
    const all = new Map<number, NeighborRoute[]>();
    for (const path of paths) {
      const route = path.stale ? undefined : announcementOf(path, this.#localAs);
      if (route && !route.isWithdrawn) all.set(route.number, [...(all.get(route.number) ?? []), route]);
    }
    return all;
  }

  /** GoBGP does not say whether a loss was a farewell; but it keeps the routes as stale when it was none. */
  async #lost(address: string, neighbor: Neighbor): Promise<void> {
    const { session } = neighbor;
    const isOver = () => session !== neighbor.session || this.#isClosed;
    const facts = await this.#facts(address);
    let paths = await this.#paths(address);
    // It knows none of a neighbor that a change of the configuration has taken out and not put in again yet.
    for (const begun = performance.now(); !paths && performance.now() - begun < LONGEST_LOST_MS && !isOver(); ) {
      await new Promise((resolve) => setTimeout(resolve, ASK_MS).unref());
      paths = await this.#paths(address);
    }
    if (isOver()) return;
    const restartMs = paths ? (facts?.restartMs ?? 0) : 1_000 * neighbor.restartTime;
    this.#keep(address, neighbor, !paths || paths.some(({ stale }) => stale) ? restartMs : 0);
  }

  #keep(address: string, neighbor: Neighbor, keepMs: number): void {
    const { routes } = neighbor;
    const leftMs = routes.lost(keepMs, { wallMs: Date.now(), steadyMs: performance.now() });
    clearTimeout(neighbor.timer);
    if (leftMs !== undefined) {
      const { staleUntil } = routes;
      this.#parts.log.warn({ neighbor: address, staleUntil }, 'routes of a BGP neighbor are stale');
      neighbor.timer = setTimeout(() => {
        if (routes.state !== 'stale') return;
        routes.drop();
        this.#flushSoon();
      }, leftMs);
      neighbor.timer.unref();
    }
    this.#flushSoon();
  }

  /** GoBGP is gone, and all sessions with it. */
  down(): void {
    for (const [address, neighbor] of this.#neighbors) {
      const was = neighbor.sessionState === ESTABLISHED;
      neighbor.sessionState = 1;
      neighbor.facts = undefined;
      neighbor.session++;
      if (was) neighbor.lastChange = new Date();
      this.#parts.onSession(address);
      this.#keep(address, neighbor, 1_000 * neighbor.restartTime);
    }
  }

  #drop(neighbor: Neighbor): void {
    clearTimeout(neighbor.timer);
    neighbor.session++;
    neighbor.routes.drop();
  }

  #flushSoon(): void {
    if (this.#isClosed) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#flush();
    }, GATHER_MS).unref();
  }

  #flush(): void {
    for (const [name, source] of this.#sources) {
      if (source.isWhole) this.#tellChanges(name, source);
      else if (this.#isKnown(name, source)) this.#tellAll(name, source);
      this.#mark(name, source);
    }
    this.#changed.clear();
  }

  /** Whether all is known of a source; what an earlier run has left of it is not taken away before. */
  #isKnown(name: string, { neighbors }: Source): boolean {
    if (!this.#parts.sources.hasRoutes(name)) return true;
    return neighbors.every((address) => this.#neighbors.get(address)?.routes.state === 'up');
  }

  #isWanted({ neighbors, endpoint }: Source, number: number): boolean {
    return neighbors.some((address) =>
      this.#neighbors
        .get(address)
        ?.routes.get(number)
        .some((route) => route.endpoint === endpoint),
    );
  }

  #tellAll(name: string, source: Source): void {
    const wanted = new Set<number>();
    for (const address of source.neighbors) {
      for (const [number, { endpoint }] of this.#neighbors.get(address)?.routes.entries() ?? []) {
        if (endpoint === source.endpoint) wanted.add(number);
      }
    }
    const told = source.told.setAll(wanted, this.#parts.sources.most(name));
    source.isWhole = true;
    this.#lookForRoom(name, source);
    if (told.size > 0 || this.#parts.sources.hasRoutes(name)) {
      this.#tell(name, { isWhole: true, routes: new Set(told), withdrawn: new Set() });
    }
  }

  /** As long as routes are left out, all are told again when there may be room for others. */
  #lookForRoom(name: string, source: Source): void {
    clearTimeout(source.timer);
    if (source.told.left === 0) return;
    source.timer = setTimeout(() => {
      if (this.#isClosed || this.#sources.get(name) !== source) return;
      if (!source.told.mayChange(this.#parts.sources.most(name))) {
        this.#lookForRoom(name, source);
        return;
      }
      this.#tellAll(name, source);
      this.#mark(name, source);
    }, ROOM_MS).unref();
  }

  #tellChanges(name: string, source: Source): void {
    const routes = new Set<number>();
    const withdrawn = new Set<number>();
    const hadLeft = source.told.left > 0;
    let room: number | undefined;
    const most = () => {
      room ??= this.#parts.sources.most(name);
      return room;
    };
    for (const number of this.#changed) {
      const what = source.told.change(number, this.#isWanted(source, number), most);
      if (what === 'route') routes.add(number);
      if (what === 'withdrawn') withdrawn.add(number);
    }
    if (!hadLeft) this.#lookForRoom(name, source);
    if (routes.size + withdrawn.size > 0) this.#tell(name, { isWhole: false, routes, withdrawn });
  }

  #tell(name: string, advertisement: Advertisement): void {
    this.#parts.sources.tell(name, advertisement).catch((error: unknown) => {
      this.#parts.log.warn({ source: name, error: String(error) }, 'routes of BGP were not taken: tried again');
      setTimeout(() => {
        const source = this.#sources.get(name);
        if (source) source.isWhole = false;
        this.#flushSoon();
      }, RETRY_MS).unref();
    });
  }

  #mark(name: string, { neighbors, told, isWhole }: Source): void {
    if (!isWhole) return;
    const all = neighbors.flatMap((address) => this.#neighbors.get(address)?.routes ?? []);
    const isLive = all.some(({ state }) => state === 'up' || state === 'synchronising');
    const times = all.flatMap(({ staleUntil }) => staleUntil?.getTime() ?? []);
    const { sources } = this.#parts;
    if (told.size === 0) sources.mark(name, 'idle', undefined, told.left);
    else if (isLive) sources.mark(name, 'established', undefined, told.left);
    else sources.mark(name, 'stale', new Date(Math.max(...times, Date.now())), told.left);
  }

  /** How the session with a neighbor is now. */
  sessionOf(address: string): SessionReport {
    const neighbor = this.#neighbors.get(address);
    return { sessionState: neighbor?.sessionState ?? 1, hasIpv6NextHop: neighbor?.facts?.hasIpv6NextHop };
  }

  /** The same with what it announces, which is counted for this. */
  report(address: string): NeighborReport {
    const neighbor = this.#neighbors.get(address);
    const endpoints = new Set(
      [...this.#sources.values()]
        .filter(({ neighbors }) => neighbors.includes(address))
        .map(({ endpoint }) => endpoint),
    );
    let [routes, unusable, example] = [0, 0, ''];
    for (const [number, { endpoint, fault }] of neighbor?.routes.entries() ?? []) {
      if (endpoint !== undefined && endpoints.has(endpoint)) {
        routes++;
        continue;
      }
      unusable++;
      const why = fault === '' ? `no route source that names this neighbor has the tunnel address ${endpoint}` : fault;
      example = example === '' ? `${formatNumber(number)}: ${why}` : example;
    }
    return {
      ...this.sessionOf(address),
      lastChange: neighbor?.lastChange,
      routes,
      unusable,
      example,
      staleUntil: neighbor?.routes.staleUntil,
    };
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    for (const { timer } of this.#neighbors.values()) clearTimeout(timer);
  }
}

export interface SessionReport {
  /** 1 is idle, 6 is established. */
  readonly sessionState: number;
  /** Undefined while the session is not established. */
  readonly hasIpv6NextHop: boolean | undefined;
}

export interface NeighborReport extends SessionReport {
  readonly lastChange: Date | undefined;
  readonly routes: number;
  readonly unusable: number;
  /** Of what is not usable; '' when there is none. */
  readonly example: string;
  readonly staleUntil: Date | undefined;
}
