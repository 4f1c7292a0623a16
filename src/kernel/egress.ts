/**
 * The largest IPv4 packet that the links towards IPv4 take, for each instance: a gateway's smallest link to its end
 * devices, an AFTR's link of the IPv4 default route. Pure.
 */

import type { Link } from './netlink.ts';
import type { KernelConfig } from './plan.ts';

/** An address that no network has (RFC 7600): packets to it take the default route, without all routes being read. */
export const ANYWHERE = Uint8Array.of(192, 0, 0, 8);

/** MTUs by name of the instance; one that is not known is left out. */
export interface EgressMtus {
  readonly gateway: ReadonlyMap<string, number>;
  readonly aftr: ReadonlyMap<string, number>;
}

/** `outside`: number of the link that leads to ANYWHERE. */
export function egressMtus(config: KernelConfig, links: readonly Link[], outside: number): EgressMtus {
  const mtu = links.find(({ index }) => index === outside)?.mtu;
  return {
    gateway: new Map(
      config.gateways.flatMap(({ name, ipv4Interfaces }) => {
        const mtus = links.filter((link) => ipv4Interfaces.includes(link.name)).map(({ mtu }) => mtu);
        return mtus.length > 0 ? [[name, Math.min(...mtus)] as const] : [];
      }),
    ),
    aftr: new Map(mtu === undefined ? [] : config.aftrs.map(({ name }) => [name, mtu] as const)),
  };
}
