/**
 * What a gateway tells its AFTRs of: its served prefixes, and the kernel's IPv4 routes in the tables that are configured. Never the
 * default route, nor loopback, link-local or multicast addresses; of what is left the include and exclude lists decide.
 */

import { isMartianPrefix, liesIn } from '../../address.ts';
import { prefixOf } from '../../state/learned/reconciliation.ts';
import type { Gateway } from '../../state/model.generated.ts';
import { prefixNumber } from '../../state/rows.ts';

const MAIN_TABLE = 254;
const LINK_LOCAL = { address: 0xa9fe0000, length: 16 };

/** Unicast routes of the kernel that do not lead to a softwire, as they are at any time; by table and prefix number (see `prefixNumber`). */
export interface KernelRoutes {
  readonly has: (table: number, number: number) => boolean;
  readonly numbers: (table: number) => Iterable<number>;
}

/** What the configuration of a gateway says of what it advertises. */
export class Choice {
  /** Two that are equal choose the same. */
  readonly text: string;
  /** The served prefixes, by number. */
  readonly own: ReadonlySet<number>;
  readonly #tables: readonly number[];
  readonly #advertisement: Gateway['routeAdvertisement'];

  constructor({ servedPrefix, routeAdvertisement }: Pick<Gateway, 'servedPrefix' | 'routeAdvertisement'>) {
    const { routeTable, includePrefix, excludePrefix } = routeAdvertisement;
    this.#advertisement = routeAdvertisement;
    this.#tables = routeTable.length === 0 ? [MAIN_TABLE] : routeTable;
    this.own = new Set(servedPrefix.map(({ ipv4Prefix: { address, length } }) => prefixNumber(address, length)));
    this.text = JSON.stringify([[...this.own], this.#tables, includePrefix, excludePrefix]);
  }

  /** Whether a prefix is advertised with the kernel as it is. */
  takes(number: number, kernel: KernelRoutes): boolean {
    return this.own.has(number) || (this.#tables.some((table) => kernel.has(table, number)) && this.#admits(number));
  }

  /** All that is advertised; what is in several tables, more than once. */
  *all(kernel: KernelRoutes): Generator<number> {
    yield* this.own;
    for (const table of this.#tables) {
      for (const number of kernel.numbers(table)) if (this.#admits(number)) yield number;
    }
  }

  #admits(number: number): boolean {
    const { includePrefix, excludePrefix } = this.#advertisement;
    const route = prefixOf(number);
    if (isMartianPrefix(route) || liesIn(route, LINK_LOCAL)) return false;
    if (includePrefix.length > 0 && !includePrefix.some((prefix) => liesIn(route, prefix))) return false;
    return !excludePrefix.some((prefix) => liesIn(route, prefix));
  }
}
