/**
 * What route sources advertise, and what became of it. Accepted routes are rows of the operational table of their AFTR; whose they
 * are is told by their tunnel address, which one source has. Refused ones are remembered here, and judged anew when a commit may
 * have made room for them.
 *
 *   1. a source advertises: in a turn of the store's queue each route is judged by the tables as they are then     trust.ts
 *   2. one commit of the rows that come and go, which the datapath follows as any other
 *   3. what became of each route is news for the source, to be taken with the answer to it
 */

import { sameIpv6 } from '../../address.ts';
import type { Aftr, RouteSource, Softwire } from '../model.generated.ts';
import { RowOverlay } from '../overlay.ts';
import type { Caller, Change, Participant } from '../request.ts';
import { inSlices } from '../row-changes.ts';
import type { RowSource } from '../rows.ts';
import { prefixNumber } from '../rows.ts';
import type { Snapshot } from '../snapshot.ts';
import { Judge } from './judge.ts';
import type { KeptRoutes, Refused, RouteKind } from './known-routes.ts';
import { KnownRoutes } from './known-routes.ts';
import type { Learning, LearningStore, SharedLearning } from './learning.ts';
import type { NextHops } from './next-hops.ts';
import { isOperational, learnedAftrTable, learnedTable, servedTable } from './tables.ts';
import type { RouteRefusal } from './trust.ts';

/** Of one source. */
interface Advertised {
  routes: KnownRoutes;
  /** Routes whose state the source was not told of yet. */
  news: Set<number>;
  refusals: number;
  /** How many are refused now, by reason: they are asked for with each withdrawal and each second. */
  reasons: Map<RouteRefusal, number>;
}

/** What a source says: all its routes, or what changed. */
export interface Advertisement {
  readonly isWhole: boolean;
  readonly routes: ReadonlySet<number>;
  readonly withdrawn: ReadonlySet<number>;
}

/** What became of routes since the source was told last. */
export interface RouteNews {
  readonly accepted: readonly number[];
  readonly refused: readonly (readonly [number, RouteRefusal])[];
}

/** Commits of so long are answered by one judgement. */
const GATHER_MS = 50;
/** Reasons that end when another source withdraws. */
const FREED: ReadonlySet<RouteRefusal> = new Set(['other-source', 'too-many']);
const NO_ROUTES = new KnownRoutes();
const NONE: ReadonlySet<number> = new Set();
const NOBODY: Caller = { user: 'system', session: 0, face: 'system' };

export class RouteTable implements Participant {
  readonly #store: LearningStore;
  readonly #sources = new Map<string, Advertised>();
  #isJudgingSoon = false;
  /** Whether a commit has taken bound routes, so that those are looked at as well. */
  #hasLost = false;
  /** Tunnel addresses whose ways enter the softwires. */
  #nextHops: NextHops = new Map();
  /** Called when something else than an advertisement changed the state of routes. */
  onNews: (source: string) => void = () => undefined;

  constructor(store: LearningStore) {
    this.#store = store;
  }

  /**
   * Takes over what an earlier run learned; returns the sources that have such routes. All are judged anew: a boot or a restored backup
   * may have brought a configuration that they do not fit. Rows of nobody go.
   * @throws ManagementError when no change is taken now
   */
  async resume(): Promise<string[]> {
    const work: Learning['work'] = async (base, softwire) => {
      const overlay = new RowOverlay();
      clearLost(base, softwire, overlay);
      const judges: [string, Judge][] = [];
      for (const aftr of softwire.aftr) {
        const numbers = this.#takeOver(aftr, base, overlay);
        for (const source of aftr.routeSource) {
          const judge = new Judge(aftr, source, base, overlay, this.#of(source.name).routes, this.#nextHops);
          await inSlices(numbers.get(source.name) ?? [], (number) => judge.put(number));
          judges.push([source.name, judge]);
        }
      }
      const done = async () => {
        for (const [name, judge] of judges) await this.#learned(name, judge);
      };
      return { overlay, done };
    };
    await this.#store.learn({ caller: NOBODY, comment: 'routes of an earlier run', work });
    return [...this.#sources].filter(([, { routes }]) => routes.size > 0).map(([name]) => name);
  }

  /** The routes of each source by what is in the table of an AFTR; rows of nobody go into the overlay. */
  #takeOver(aftr: Aftr, base: RowSource, overlay: RowOverlay): Map<string, number[]> {
    const found = new Map<string, number[]>();
    for (const binding of base.bindings(learnedTable(aftr.name))) {
      const name = ownerOf(aftr, binding.gatewayIpv6Address)?.name;
      if (name === undefined) {
        overlay.delete(learnedTable(aftr.name), binding);
        continue;
      }
      const number = prefixNumber(binding.address, binding.length);
      const numbers = found.get(name) ?? [];
      numbers.push(number);
      found.set(name, numbers);
      this.#of(name).routes.set(number, undefined);
    }
    return found;
  }

  /** Takes an advertisement: durable, and forwarded by where the datapath runs, when it returns. @throws ManagementError of the commit */
  async advertise(caller: Caller, name: string, advertisement: Advertisement): Promise<RouteNews> {
    const work: SharedLearning['work'] = async (rows, softwire) => {
      const found = sourceOf(softwire, name);
      const overlay = new RowOverlay();
      if (!found) return { overlay, done: () => undefined };
      const known = this.#of(name).routes;
      const judge = new Judge(found.aftr, found.source, rows, overlay, known, this.#nextHops);
      const { isWhole, routes, withdrawn } = advertisement;
      await inSlices(isWhole ? known.keys() : withdrawn, (number) => {
        if (!routes.has(number)) judge.withdraw(number);
      });
      await inSlices(routes, (number) => judge.put(number));
      return { overlay, done: () => this.#learned(name, judge) };
    };
    const { isWhole, routes, withdrawn } = advertisement;
    const weight = routes.size + withdrawn.size + (isWhole ? this.#of(name).routes.size : 0);
    await this.#store.learn({ key: `source ${name}`, weight, caller, comment: `routes of ${name}`, work });
    // What one gives up another one may have been refused.
    if (!advertisement.isWhole || advertisement.routes.size === 0) this.#judgeRefusedSoon();
    return this.takeNews(name);
  }

  /** All routes of a source go. */
  async withdrawAll(caller: Caller, name: string): Promise<void> {
    await this.advertise(caller, name, { isWhole: true, routes: NONE, withdrawn: NONE });
  }

  /** What the source is to be told. */
  async takeNews(name: string): Promise<RouteNews> {
    const known = this.#of(name);
    const { routes, news } = known;
    // What comes meanwhile is news of its own.
    known.news = new Set();
    const accepted: number[] = [];
    const refused: [number, RouteRefusal][] = [];
    await inSlices(news, (number) => {
      const state = routes.get(number);
      if (state) refused.push([number, state.reason]);
      else if (routes.has(number)) accepted.push(number);
    });
    return { accepted, refused };
  }

  /** The routes of a source that are bound or refused, as they are now, in key order. */
  kept(name: string, kind: RouteKind): KeptRoutes {
    return (this.#sources.get(name)?.routes ?? NO_ROUTES).kept(kind);
  }

  /** Why a route is refused now; undefined for any other. */
  refusal(name: string, number: number): Refused | undefined {
    return this.#sources.get(name)?.routes.get(number);
  }

  /** All routes of a source that are refused, in key order. */
  *refused(name: string): Generator<readonly [number, RouteRefusal]> {
    for (const { number } of this.kept(name, 'refused').numbers.sealedRows(name)) {
      const state = this.refusal(name, number);
      if (state) yield [number, state.reason];
    }
  }

  hasRoutes(name: string): boolean {
    return this.size(name) > 0;
  }

  /** How many routes of a source are remembered, bound or refused. */
  size(name: string): number {
    return this.#sources.get(name)?.routes.size ?? 0;
  }

  /** The source is not any more what it was: its bindings went with the commit that changed it. */
  forget(name: string): void {
    this.#sources.delete(name);
  }

  refusals(name: string): number {
    return this.#sources.get(name)?.refusals ?? 0;
  }

  /** Reasons for which routes of a source are refused now. */
  reasons(name: string): RouteRefusal[] {
    const reasons = this.#sources.get(name)?.reasons ?? [];
    return Array.from(reasons, ([reason]) => reason).sort();
  }

  /** The kernel's ways to tunnel addresses are these from now on: routes are judged anew. */
  setNextHops(hops: NextHops): void {
    this.#nextHops = hops;
    if (this.#sources.size > 0) this.#judgeSoon();
  }

  /** A commit of running may have taken routes, and may let in others. */
  async prepare({ treeChanged, tallies }: Change): Promise<() => Promise<void>> {
    const tables = [...tallies.keys()];
    // With a next hop behind the softwires, any binding may be on its way.
    const concerns = treeChanged || this.#nextHops.size > 0 || tables.some((table) => !isOperational(table));
    const hasGone = [...tallies.values()].some(({ changed, removed }) => changed + removed > 0);
    const hasLost = treeChanged || hasGone || tables.some(isOperational);
    return async () => {
      if (!concerns || this.#sources.size === 0) return;
      this.#hasLost ||= hasLost;
      this.#judgeSoon();
    };
  }

  #judgeRefusedSoon(): void {
    const isRefused = ({ reasons }: Advertised) => [...reasons.keys()].some((reason) => FREED.has(reason));
    if ([...this.#sources.values()].some(isRefused)) this.#judgeSoon();
  }

  #judgeSoon(): void {
    if (this.#isJudgingSoon) return;
    this.#isJudgingSoon = true;
    setTimeout(() => {
      this.#isJudgingSoon = false;
      const asksAll = this.#hasLost;
      this.#hasLost = false;
      // What fails here has no one to be told; the next commit tries again.
      this.#judgeAll(asksAll).catch(() => undefined);
    }, GATHER_MS).unref();
  }

  async #judgeAll(asksAll: boolean): Promise<void> {
    const work: Learning['work'] = async (base, softwire) => {
      const overlay = new RowOverlay();
      const judges: [string, Judge][] = [];
      for (const [name, { routes }] of this.#sources) {
        const found = sourceOf(softwire, name);
        if (!found) {
          this.#sources.delete(name);
          continue;
        }
        const judge = new Judge(found.aftr, found.source, base, overlay, routes, this.#nextHops);
        await judge.putRecursive();
        await inSlices(routes, ([number, state]) => {
          if (state !== undefined || (asksAll && !judge.states.has(number) && !judge.isOwn(number))) judge.put(number);
        });
        judges.push([name, judge]);
      }
      const done = async () => {
        for (const [name, judge] of judges) await this.#judged(name, judge);
      };
      return { overlay, done };
    };
    await this.#store.learn({ caller: NOBODY, comment: 'routes judged anew', work });
  }

  async #judged(name: string, judge: Judge): Promise<void> {
    if (judge.states.size === 0) return;
    await this.#learned(name, judge);
    this.onNews(name);
  }

  async #learned(name: string, { states, withdrawn }: Judge): Promise<void> {
    const known = this.#of(name);
    await inSlices(withdrawn, (number) => {
      count(known.reasons, known.routes.get(number)?.reason, -1);
      known.routes.delete(number);
      known.news.delete(number);
    });
    await inSlices(states, ([number, state]) => {
      count(known.reasons, known.routes.get(number)?.reason, -1);
      count(known.reasons, state?.reason, 1);
      known.routes.set(number, state);
      known.news.add(number);
      if (state) known.refusals++;
    });
  }

  #of(name: string): Advertised {
    const known = this.#sources.get(name) ?? {
      routes: new KnownRoutes(),
      news: new Set(),
      refusals: 0,
      reasons: new Map(),
    };
    this.#sources.set(name, known);
    return known;
  }
}

/** What is counted is there, what is not is gone. */
function count(reasons: Map<RouteRefusal, number>, reason: RouteRefusal | undefined, step: 1 | -1): void {
  if (reason === undefined) return;
  const number = (reasons.get(reason) ?? 0) + step;
  if (number > 0) reasons.set(reason, number);
  else reasons.delete(reason);
}

/** Tables whose AFTR or gateway is gone. */
function clearLost({ head }: Snapshot, { aftr, gateway }: Softwire, overlay: RowOverlay): void {
  const tables = new Set([
    ...aftr.map(({ name }) => learnedTable(name)),
    ...gateway.flatMap(({ name }) => [servedTable(name), learnedAftrTable(name)]),
  ]);
  for (const [table, { rows }] of head?.tables ?? []) {
    if (rows > 0 && isOperational(table) && !tables.has(table)) overlay.clear(table);
  }
}

/** A source of the configuration, with its AFTR. */
export function sourceOf(
  { aftr: aftrs }: Softwire,
  name: string,
): { readonly aftr: Aftr; readonly source: RouteSource } | undefined {
  for (const aftr of aftrs) {
    const source = aftr.routeSource.find((item) => item.name === name);
    if (source) return { aftr, source };
  }
  return undefined;
}

function ownerOf(aftr: Aftr, gateway: Uint8Array): RouteSource | undefined {
  return aftr.routeSource.find(({ gatewayIpv6Address }) => sameIpv6(gatewayIpv6Address, gateway));
}
