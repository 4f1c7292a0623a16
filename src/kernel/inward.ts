/**
 * Served prefixes that lie inside the subnet of a link towards the end devices. The route that ends a served prefix which has no
 * way inwards is as long as the prefix, and so would take it away from the subnet, whose route is shorter: there a route of
 * the same length and a better metric leads into the link.
 */

import { inIpv4Prefix } from '../address.ts';
import type { Address, Link, Route } from './netlink.ts';
import { MAIN_TABLE, PROTOCOL } from './netlink.ts';
import type { KernelConfig } from './plan.ts';
import { INWARD_METRIC, servedPrefixes } from './plan.ts';

/** The routes that `addresses` on links ask for; each is only there while its link is up, as the route of the subnet. */
export function inwardRoutes(config: KernelConfig, addresses: readonly Address[], links: readonly Link[]): Route[] {
  const names = new Set(config.gateways.flatMap(({ ipv4Interfaces }) => ipv4Interfaces));
  const inwards = new Set(links.filter(({ name, isUp }) => isUp && names.has(name)).map(({ index }) => index));
  const subnets = addresses
    .filter(({ family, link }) => family === 4 && inwards.has(link))
    .map(({ link, octets, length }) => ({ link, address: Buffer.from(octets).readUInt32BE(0), length }))
    .sort((a, b) => b.length - a.length);
  return servedPrefixes(config).flatMap((prefix) => {
    const nearest = subnets.find(({ address, length }) => {
      return length < prefix.length && inIpv4Prefix(prefix.address, { address, length });
    });
    return nearest ? [routeInto(nearest.link, prefix.address, prefix.length)] : [];
  });
}

function routeInto(link: number, address: number, length: number): Route {
  const octets = Buffer.alloc(4);
  octets.writeUInt32BE(address);
  const place = { family: 4, table: MAIN_TABLE, octets, length } as const;
  return { ...place, kind: 'unicast', link, metric: INWARD_METRIC, protocol: PROTOCOL, gateway: undefined };
}
