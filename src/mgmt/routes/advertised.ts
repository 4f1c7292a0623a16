/**
 * What a gateway tells its AFTRs of: its served prefixes, and the kernel's IPv4 routes in the tables that are configured. Never the
 * default route, nor loopback, link-local or multicast addresses; of what is left the include and exclude lists decide.
 */

import type { Ipv4Prefix } from '../../address.ts';
import { isMartianPrefix, liesIn } from '../../address.ts';
import type { Gateway } from '../../state/model.generated.ts';
import { prefixNumber } from '../../state/rows.ts';

const MAIN_TABLE = 254;
const LINK_LOCAL = { address: 0xa9fe0000, length: 16 };

/** A unicast route of the kernel that does not lead to a softwire. */
export interface KernelRoute extends Ipv4Prefix {
  readonly table: number;
}

/** The prefix numbers (see `prefixNumber`) of what is advertised. */
export function advertisedRoutes(gateway: Gateway, kernel: readonly KernelRoute[]): Set<number> {
  const { routeTable, includePrefix, excludePrefix } = gateway.routeAdvertisement;
  const tables = new Set(routeTable.length === 0 ? [MAIN_TABLE] : routeTable);
  const routes = new Set(
    gateway.servedPrefix.map(({ ipv4Prefix: { address, length } }) => prefixNumber(address, length)),
  );
  for (const route of kernel) {
    if (!tables.has(route.table) || isMartianPrefix(route) || liesIn(route, LINK_LOCAL)) continue;
    if (includePrefix.length > 0 && !includePrefix.some((prefix) => liesIn(route, prefix))) continue;
    if (excludePrefix.some((prefix) => liesIn(route, prefix))) continue;
    routes.add(prefixNumber(route.address, route.length));
  }
  return routes;
}
