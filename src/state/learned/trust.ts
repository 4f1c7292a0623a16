/**
 * What a route source may bind. A route is judged by its source's part of the configuration and by the tables as they are:
 *
 *   1. no default route, no addresses that no host can have
 *   2. inside an allowed-prefix, and inside a pool of the AFTR
 *   3. no operator's binding of another gateway that is it, holds it or lies in it. One of the same prefix and gateway stands for
 *      the route, which then needs no row of its own
 *   4. no shared address in it
 *   5. not bound by another source: the first that was accepted keeps it
 *   6. not one that its own next hop would be reached by    next-hops.ts
 *   7. within maximum-routes and softwire-num-max
 *
 * Conflicts with static bindings are found by the order of rows: a prefix that holds the route by at most 33 keyed reads, one inside
 * it by a walk that ends at the first of another gateway.
 */

import type { Ipv4Prefix } from '../../address.ts';
import { inIpv4Prefix, ipv4Mask, isMartianPrefix, liesIn, sameIpv6 } from '../../address.ts';
import type { Aftr, RouteSource, SharedAddress } from '../model.generated.ts';
import type { RowSource } from '../rows.ts';
import { learnedTable } from './tables.ts';

/** Reasons as typedef route-refusal has them. */
export type RouteRefusal =
  | 'default-route'
  | 'martian-prefix'
  | 'not-allowed'
  | 'outside-pool'
  | 'bound-already'
  | 'shared-address'
  | 'other-source'
  | 'recursive-next-hop'
  | 'too-many';

/**
 * Why a route must not become a binding, however many there are; undefined when it may. `rows` are the tables as they would be,
 * `hasStatic` says whether the AFTR has any of running's.
 */
export function refusalOf(
  aftr: Aftr,
  source: RouteSource,
  route: Ipv4Prefix,
  rows: Pick<RowSource, 'binding' | 'bindings'>,
  hasStatic: boolean,
): RouteRefusal | undefined {
  if (route.length === 0) return 'default-route';
  if (isMartianPrefix(route)) return 'martian-prefix';
  if (!source.allowedPrefix.some((allowed) => liesIn(route, allowed))) return 'not-allowed';
  if (!aftr.ipv4Pool.some((pool) => liesIn(route, pool))) return 'outside-pool';
  if (hasStatic && isBound(aftr.name, source, route, rows)) return 'bound-already';
  if (holdsShared(aftr.bindingTable.sharedAddress, route)) return 'shared-address';
  const learned = rows.binding(learnedTable(aftr.name), route.address, route.length);
  return learned && !sameIpv6(learned.gatewayIpv6Address, source.gatewayIpv6Address) ? 'other-source' : undefined;
}

/** Whether an operator's binding stands against a route. */
function isBound(
  aftr: string,
  { gatewayIpv6Address }: RouteSource,
  route: Ipv4Prefix,
  rows: Pick<RowSource, 'binding' | 'bindings'>,
): boolean {
  for (let { length } = route; length >= 0; length--) {
    const holder = rows.binding(aftr, (route.address & ipv4Mask(length)) >>> 0, length);
    if (holder && !sameIpv6(holder.gatewayIpv6Address, gatewayIpv6Address)) return true;
  }
  for (const inner of rows.bindings(aftr, route)) {
    if (!liesIn(inner, route)) return false;
    if (!sameIpv6(inner.gatewayIpv6Address, gatewayIpv6Address)) return true;
  }
  return false;
}

/** The addresses of a list in order: it stays as it is as long as the configuration does, and each route is held against it. */
const SORTED = new WeakMap<readonly SharedAddress[], Float64Array>();

/** Whether one of the shared addresses lies in a route: found by halving. */
function holdsShared(shared: readonly SharedAddress[], route: Ipv4Prefix): boolean {
  const addresses = SORTED.get(shared) ?? Float64Array.from(shared, ({ ipv4Address }) => ipv4Address).sort();
  SORTED.set(shared, addresses);
  let [low, high] = [0, addresses.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((addresses[middle] ?? 0) < route.address) low = middle + 1;
    else high = middle;
  }
  const first = addresses[low];
  return first !== undefined && inIpv4Prefix(first, route);
}
