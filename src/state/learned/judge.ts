/** Judges routes of one source in one turn of the queue: what is bound goes into the overlay. */

import type { Ipv4Prefix } from '../../address.ts';
import { sameIpv6 } from '../../address.ts';
import { encodeBinding } from '../binding.generated.ts';
import type { Aftr, RouteSource } from '../model.generated.ts';
import type { RowOverlay } from '../overlay.ts';
import { OverlaidRows } from '../overlay.ts';
import { inSlices } from '../row-changes.ts';
import type { RowSource } from '../rows.ts';
import type { KnownRoutes, Refused } from './known-routes.ts';
import type { NextHops, WayBack } from './next-hops.ts';
import { wayBack } from './next-hops.ts';
import { prefixOf } from './reconciliation.ts';
import { learnedTable } from './tables.ts';
import type { RouteRefusal } from './trust.ts';
import { refusalOf } from './trust.ts';

export class Judge {
  /** Routes whose state is new. */
  readonly states = new Map<number, Refused | undefined>();
  readonly withdrawn: number[] = [];
  readonly #aftr: Aftr;
  readonly #source: RouteSource;
  readonly #table: string;
  readonly #rows: RowSource;
  readonly #overlay: RowOverlay;
  readonly #known: KnownRoutes;
  readonly #now = new Date();
  readonly #hasStatic: boolean;
  readonly #hops: NextHops;
  /** How many may be added yet. */
  #room: number;
  /** How many are accepted. */
  #own: number;

  constructor(
    aftr: Aftr,
    source: RouteSource,
    base: RowSource,
    overlay: RowOverlay,
    known: KnownRoutes,
    hops: NextHops,
  ) {
    this.#aftr = aftr;
    this.#source = source;
    this.#table = learnedTable(aftr.name);
    this.#rows = new OverlaidRows(base, overlay);
    this.#overlay = overlay;
    this.#known = known;
    this.#hops = hops;
    this.#hasStatic = base.count(aftr.name) > 0;
    const bound = base.count(aftr.name) + this.#rows.count(this.#table);
    this.#room = (aftr.softwireNumMax ?? Number.POSITIVE_INFINITY) - bound;
    this.#own = known.count('bound');
  }

  withdraw(number: number): void {
    if (!this.#known.has(number)) return;
    this.withdrawn.push(number);
    if (this.isOwn(number)) this.#remove(number);
    if (this.#known.get(number) === undefined) this.#own--;
  }

  put(number: number): void {
    const isKnown = this.#known.has(number);
    const before = this.#known.get(number);
    const isAccepted = isKnown && before === undefined;
    const isBound = this.isOwn(number);
    // An operator's binding of the same prefix: it is the route's, or refusalOf has a word against it.
    const isStatic = this.#hasStatic && this.#rows.sealed(this.#aftr.name, number) !== undefined;
    const hasRoom = isBound || isStatic || this.#room >= 1;
    const isFull = !hasRoom || this.#own - (isAccepted ? 1 : 0) >= this.#source.maximumRoutes;
    const refusal = this.#refusalOf(prefixOf(number));
    const reason = refusal ?? (isFull ? 'too-many' : undefined);
    this.#own += (reason === undefined ? 1 : 0) - (isAccepted ? 1 : 0);
    if (isBound && (reason !== undefined || isStatic)) this.#remove(number);
    if (!isBound && !isStatic && reason === undefined) this.#add(number);
    if (isKnown && before?.reason === reason) return;
    this.states.set(number, reason === undefined ? undefined : { reason, time: this.#now });
  }

  #refusalOf(route: Ipv4Prefix): RouteRefusal | undefined {
    const refusal = refusalOf(this.#aftr, this.#source, route, this.#rows, this.#hasStatic);
    return refusal ?? (this.#wayBack(route) === undefined ? undefined : 'recursive-next-hop');
  }

  #wayBack(route?: Ipv4Prefix): WayBack | undefined {
    if (this.#hops.size === 0) return undefined;
    return wayBack(this.#hops, this.#aftr, this.#source.gatewayIpv6Address, this.#rows, route);
  }

  /** Judges accepted routes anew by which the source's own next hop is reached; where a binding of the operator leads there, all of them. */
  async putRecursive(): Promise<void> {
    const judged = new Set<number>();
    for (let back = this.#wayBack(); back !== undefined; back = this.#wayBack()) {
      if (back === 'itself' || !back.isLearned || judged.has(back.number)) {
        await inSlices(this.#known, ([number, state]) => {
          if (state === undefined && !judged.has(number)) this.put(number);
        });
        return;
      }
      judged.add(back.number);
      this.put(back.number);
    }
  }

  /** Whether a route is a binding of this source. */
  isOwn(number: number): boolean {
    const { address, length } = prefixOf(number);
    const binding = this.#rows.binding(this.#table, address, length);
    return binding !== undefined && sameIpv6(binding.gatewayIpv6Address, this.#source.gatewayIpv6Address);
  }

  #add(number: number): void {
    const { gatewayIpv6Address } = this.#source;
    const leaves = { aftrIpv6Address: undefined, description: undefined, origin: 'learned' } as const;
    const value = encodeBinding({ ...prefixOf(number), gatewayIpv6Address, ...leaves });
    this.#overlay.putSealed(this.#table, number, value);
    this.#room--;
  }

  #remove(number: number): void {
    this.#overlay.deleteNumber(this.#table, number);
    this.#room++;
  }
}
