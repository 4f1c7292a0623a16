/** What the follower asks of the configuration beside its rows. */

import type { Ipv4Prefix } from '../address.ts';
import { formatIpv6 } from '../address.ts';
import { gatewayOfAftrTable, gatewayOfTable } from '../state/learned/tables.ts';
import type { Softwire as Configuration } from '../state/model.generated.ts';
import { prefixNumber } from '../state/rows.ts';

/** Whether the rows of a table are part of what a gateway is, and not of a binding table. */
export function isOfGateway(table: string): boolean {
  return gatewayOfTable(table) !== undefined || gatewayOfAftrTable(table) !== undefined;
}

/** The configuration with the prefixes that gateways serve because they were accepted. */
export function withServed(
  configuration: Configuration,
  served: ReadonlyMap<string, readonly Ipv4Prefix[]>,
): Configuration {
  if (served.size === 0) return configuration;
  const gateway = configuration.gateway.map((item) => {
    const known = new Set(
      item.servedPrefix.map(({ ipv4Prefix: { address, length } }) => prefixNumber(address, length)),
    );
    const learned = (served.get(item.name) ?? []).filter(
      ({ address, length }) => !known.has(prefixNumber(address, length)),
    );
    return { ...item, servedPrefix: [...item.servedPrefix, ...learned.map((ipv4Prefix) => ({ ipv4Prefix }))] };
  });
  return { ...configuration, gateway };
}

/** Which AFTRs forward by which addresses: as long as it is the same, no row changes its softwire. */
export function endpointsOf({ aftr }: Configuration): string {
  const used = aftr.filter(({ enabled, ipv6Address }) => enabled && ipv6Address);
  return used
    .map(({ name, ipv6Address, additionalIpv6Address }) =>
      [
        name,
        ...[ipv6Address ?? new Uint8Array(16), ...additionalIpv6Address].map((octets) => formatIpv6(octets)),
      ].join(),
    )
    .join(' ');
}
