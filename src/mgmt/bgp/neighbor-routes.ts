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
  readonly endpoint: string | undefined;
  readonly fault: string;
}

export class NeighborRoutes {
  /** By prefix number (see `prefixNumber`). */
  readonly #routes = new Map<number, NeighborRoute>();
  readonly #onChange: (number: number) => void;
  state: RoutesState = 'down';
  staleUntil: Date | undefined;

  /** `onChange` is called with each prefix whose route has changed. */
  constructor(onChange: (number: number) => void) {
    this.#onChange = onChange;
  }

  get size(): number {
    return this.#routes.size;
  }

  get(number: number): NeighborRoute | undefined {
    return this.#routes.get(number);
  }

  entries(): IterableIterator<[number, NeighborRoute]> {
    return this.#routes.entries();
  }

  /** A message of the session; undefined withdraws the route. */
  update(number: number, route: NeighborRoute | undefined): void {
    const before = this.#routes.get(number);
    if (before?.endpoint === route?.endpoint && before?.fault === route?.fault) return;
    if (route) this.#routes.set(number, route);
    else this.#routes.delete(number);
    this.#onChange(number);
  }

  established(): void {
    this.state = 'synchronising';
  }

  /** All that the neighbor announces is this: what was kept beyond it goes. */
  synchronised(all: ReadonlyMap<number, NeighborRoute>): void {
    for (const number of [...this.#routes.keys()]) if (!all.has(number)) this.update(number, undefined);
    for (const [number, route] of all) this.update(number, route);
    this.state = 'up';
    this.staleUntil = undefined;
  }

  /** The session is lost; `keepMs` is how long its routes are kept, 0 for not at all. A second loss does not make it longer. */
  lost(keepMs: number, now: Date): void {
    if (keepMs <= 0 || this.state === 'down') {
      this.drop();
      return;
    }
    if (this.state === 'stale') return;
    this.staleUntil ??= new Date(now.getTime() + keepMs);
    this.state = 'stale';
  }

  drop(): void {
    this.state = 'down';
    this.staleUntil = undefined;
    for (const number of [...this.#routes.keys()]) this.update(number, undefined);
  }
}
