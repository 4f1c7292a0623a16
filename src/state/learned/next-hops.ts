/**
 * Whether a route would be reached through itself (RFC 4271 §9.1.2.1). The next hop of a learned route is the tunnel address of its source. Where
 * the kernel reaches that by a tunnel over IPv4 whose far end lies behind the softwires, the table says on which way it goes on:
 *
 *     tunnel address -> far end -> bound to another gateway -> its far end -> ... -> bound to the source: no way at all
 *
 * Only bindings of the AFTR itself are asked.
 */

import type { Ipv4Prefix } from '../../address.ts';
import { formatIpv6, inIpv4Prefix, ipv4Mask, sameIpv6 } from '../../address.ts';
import type { Aftr } from '../model.generated.ts';
import type { RowSource } from '../rows.ts';
import { prefixNumber } from '../rows.ts';
import { learnedTable } from './tables.ts';

/** Where the kernel's way to a tunnel address enters the softwires: an IPv4 address, or `itself` when its IPv6 route leads into them. */
export type SoftwireEntry = number | 'itself';
/** By tunnel address as text; those whose ways enter none are not in it. */
export type NextHops = ReadonlyMap<string, SoftwireEntry>;

/** What leads back: a binding by its number (see `prefixNumber`), or the IPv6 route itself. */
export type WayBack = { readonly number: number; readonly isLearned: boolean } | 'itself';

interface Holder {
  readonly number: number;
  readonly isLearned: boolean;
  readonly gateway: Uint8Array;
}

/** What the way to a gateway comes back to it by, undefined when it does not; with `route` as if that were bound to it already. */
export function wayBack(
  hops: NextHops,
  aftr: Aftr,
  gateway: Uint8Array,
  rows: Pick<RowSource, 'binding'>,
  route?: Ipv4Prefix,
): WayBack | undefined {
  const met = new Set<SoftwireEntry>();
  let entry = hops.get(formatIpv6(gateway));
  while (entry !== undefined && !met.has(entry)) {
    if (entry === 'itself') return entry;
    met.add(entry);
    const holder = holderOf(entry, aftr, gateway, rows, route);
    if (!holder) return undefined;
    if (sameIpv6(holder.gateway, gateway)) return holder;
    entry = hops.get(formatIpv6(holder.gateway));
  }
  return undefined;
}

/** The binding of the longest prefix that holds an address. */
function holderOf(
  ipv4: number,
  aftr: Aftr,
  gateway: Uint8Array,
  rows: Pick<RowSource, 'binding'>,
  route: Ipv4Prefix | undefined,
): Holder | undefined {
  for (let length = 32; length > 0; length--) {
    const address = (ipv4 & ipv4Mask(length)) >>> 0;
    const number = prefixNumber(address, length);
    if (route?.length === length && inIpv4Prefix(ipv4, route)) return { number, isLearned: true, gateway };
    for (const isLearned of [false, true]) {
      const binding = rows.binding(isLearned ? learnedTable(aftr.name) : aftr.name, address, length);
      if (binding) return { number, isLearned, gateway: binding.gatewayIpv6Address };
    }
  }
  return undefined;
}
