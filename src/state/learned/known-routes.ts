/** The routes that one source advertises, by prefix number: undefined for one that is bound. Both kinds are kept in their order. */

import type { KeptNumbers } from './number-set.ts';
import { NumberSet } from './number-set.ts';
import type { RouteRefusal } from './trust.ts';

export interface Refused {
  readonly reason: RouteRefusal;
  readonly time: Date;
}

/** Which of the routes of a source. */
export type RouteKind = 'bound' | 'refused';

/** Routes of one kind as they were at one moment. */
export interface KeptRoutes {
  readonly numbers: KeptNumbers;
  /** Another one after each change; no other source or run of the program has the same. */
  readonly edition: number;
}

let editions = Date.now() * 1_000;

export class KnownRoutes extends Map<number, Refused | undefined> {
  readonly #numbers: Readonly<Record<RouteKind, NumberSet>> = { bound: new NumberSet(), refused: new NumberSet() };
  #edition = editions++;

  override set(number: number, state: Refused | undefined): this {
    const [kind, other]: RouteKind[] = state ? ['refused', 'bound'] : ['bound', 'refused'];
    if (this.has(number)) this.#numbers[other ?? 'bound'].delete(number);
    this.#numbers[kind ?? 'bound'].add(number);
    this.#edition = editions++;
    return super.set(number, state);
  }

  override delete(number: number): boolean {
    if (!this.has(number)) return false;
    this.#numbers[this.get(number) ? 'refused' : 'bound'].delete(number);
    this.#edition = editions++;
    return super.delete(number);
  }

  count(kind: RouteKind): number {
    return this.#numbers[kind].size;
  }

  kept(kind: RouteKind): KeptRoutes {
    return { numbers: this.#numbers[kind].kept(), edition: this.#edition };
  }
}
