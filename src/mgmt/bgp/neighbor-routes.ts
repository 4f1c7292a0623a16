/**
 * What one BGP neighbor announces, as it is to be used: also for a while after its session is lost (RFC 4724 section 4.2).
 *
 *     down         nothing of it is used
 *     stale        the session is lost, all is kept until the restart time is over
 *     synchronising  established; what comes counts, and what was kept stays until all has come again
 *     up           established, and all is known
 */

export type RoutesState = 'down' | 'stale' | 'synchronising' | 'up';

/** The tunnel address of a route, or why it cannot be used. */
export interface NeighborRoute {
  /** Of several routes of one prefix (RFC 7911 section 3). */
  readonly pathId: number;
  readonly endpoint: string | undefined;
  readonly fault: string;
}

/** A moment, by the clock of the day and by one that is never set. */
export interface LossTime {
  readonly wallMs: number;
  readonly steadyMs: number;
}

const NO_ROUTES: readonly NeighborRoute[] = [];

export class NeighborRoutes {
  /** By prefix number (see `prefixNumber`); at least one each. */
  readonly #routes = new Map<number, readonly NeighborRoute[]>();
  readonly #onChange: (number: number) => void;
  /** What messages told of since all that it announces is being read; undefined while it is not. */
  #told: Set<string> | undefined;
  /** When what is stale goes, on the clock that is never set. */
  #endMs: number | undefined;
  state: RoutesState = 'down';
  /** As far as it is known to the clock of the day. */
  staleUntil: Date | undefined;

  /** `onChange` is called with each prefix whose routes have changed. */
  constructor(onChange: (number: number) => void) {
    this.#onChange = onChange;
  }

  /** The routes of a prefix. */
  get(number: number): readonly NeighborRoute[] {
    return this.#routes.get(number) ?? NO_ROUTES;
  }

  *entries(): Generator<[number, NeighborRoute]> {
    for (const [number, routes] of this.#routes) for (const route of routes) yield [number, route];
  }

  /** A message of the session: a route that is announced. */
  put(number: number, route: NeighborRoute): void {
    this.#told?.add(keyOf(number, route.pathId));
    this.#put(number, route);
  }

  #put(number: number, route: NeighborRoute): void {
    const before = this.get(number).find(({ pathId }) => pathId === route.pathId);
    if (before?.endpoint === route.endpoint && before?.fault === route.fault) return;
    this.#set(number, [...this.get(number).filter((item) => item !== before), route]);
  }

  /** A route that is withdrawn. */
  remove(number: number, pathId: number): void {
    this.#told?.add(keyOf(number, pathId));
    this.#remove(number, pathId);
  }

  #remove(number: number, pathId: number): void {
    const left = this.get(number).filter((route) => route.pathId !== pathId);
    if (left.length < this.get(number).length) this.#set(number, left);
  }

  #set(number: number, routes: readonly NeighborRoute[]): void {
    if (routes.length > 0) this.#routes.set(number, routes);
    else this.#routes.delete(number);
    this.#onChange(number);
  }

  established(): void {
    this.state = 'synchronising';
  }

  /** All that the neighbor announces is read from now on. */
  reading(): void {
    this.#told = new Set();
  }

  /**
   * All that the neighbor announces was read as this: what was kept beyond it goes. Of what messages told of meanwhile they say more, whether
   * the reading has seen it or not.
   */
  synchronised(all: ReadonlyMap<number, readonly NeighborRoute[]>): void {
    const told = this.#told;
    this.#told = undefined;
    const isTold = (number: number, pathId: number) => told?.has(keyOf(number, pathId)) ?? false;
    for (const [number, routes] of all) {
      for (const route of routes) if (!isTold(number, route.pathId)) this.#put(number, route);
    }
    for (const [number, { pathId }] of [...this.entries()]) {
      const isThere = all.get(number)?.some((route) => route.pathId === pathId) || isTold(number, pathId);
      if (!isThere) this.#remove(number, pathId);
    }
    this.state = 'up';
    this.staleUntil = undefined;
    this.#endMs = undefined;
  }

  /**
   * The session is lost; `keepMs` is how long its routes are kept, 0 for not at all. A second loss does not make it longer, wherever
   * the clock of the day was set meanwhile. Returns for how long they are still kept; undefined when they are not.
   */
  lost(keepMs: number, { wallMs, steadyMs }: LossTime): number | undefined {
    if (keepMs <= 0 || this.state === 'down') {
      this.drop();
      return undefined;
    }
    this.#endMs ??= steadyMs + keepMs;
    const leftMs = Math.max(0, this.#endMs - steadyMs);
    this.staleUntil = new Date(wallMs + leftMs);
    this.state = 'stale';
    this.#told = undefined;
    return leftMs;
  }

  drop(): void {
    this.state = 'down';
    this.#told = undefined;
    this.staleUntil = undefined;
    this.#endMs = undefined;
    for (const number of [...this.#routes.keys()]) this.#set(number, NO_ROUTES);
  }
}

/** One of the routes of a prefix. */
function keyOf(number: number, pathId: number): string {
  return `${number} ${pathId}`;
}
