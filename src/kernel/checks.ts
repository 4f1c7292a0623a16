/** Why a configuration cannot be applied on this host: sentences that say what to do. */

import type { Ipv4Prefix } from '../address.ts';
import { formatIpv4, formatIpv4Prefix, formatIpv6, inIpv4Prefix, overlapIpv4, sameIpv6 } from '../address.ts';
import type { Address, Link, Netlink, Route } from './netlink.ts';
import { KERNEL_PROTOCOL, MAIN_TABLE, PROTOCOL } from './netlink.ts';
import type { GatewayPart, KernelConfig } from './plan.ts';
import { METRIC } from './plan.ts';

export interface HostState {
  readonly links: readonly Link[];
  readonly addresses: readonly Address[];
  /** Routes of others, both families. */
  readonly routes: readonly Route[];
  /** Routes of ours. */
  readonly ownRoutes: readonly Route[];
}

export async function readHost(netlink: Netlink): Promise<HostState> {
  const [links, addresses] = [await netlink.links(), await netlink.addresses()];
  const routes = [...(await netlink.routes(4)), ...(await netlink.routes(6))];
  return {
    links,
    addresses,
    routes: routes.filter(({ protocol }) => protocol !== PROTOCOL),
    ownRoutes: routes.filter(({ protocol }) => protocol === PROTOCOL),
  };
}

/** One refusal: the sentence and the instance it concerns. */
export interface HostRefusal {
  readonly message: string;
  readonly role: 'gateway' | 'aftr';
  readonly name: string;
  /** Whether it is about a tunnel address: without it an instance that has no other forwards nothing. */
  readonly isTunnel: boolean;
}

/** What of the host stands against a configuration; nothing when it can be applied. */
export function refusals(config: KernelConfig, host: HostState): HostRefusal[] {
  const facts = factsOf(host);
  return [
    ...config.gateways.flatMap((gateway) => {
      const { name, ipv6Address, aftrIpv6Address, servedPrefixes } = gateway;
      const left = leftLinks(gateway, host);
      const refusal = { role: 'gateway' as const, name };
      return [
        ...[...tunnelFaults([ipv6Address], facts), ...(aftrIpv6Address ? ownFarEnd(aftrIpv6Address, host) : [])].map(
          (message) => ({
            ...refusal,
            message,
            isTunnel: true,
          }),
        ),
        ...servedPrefixes
          .flatMap((prefix) => coveredBy(prefix, 'served prefix', facts, left))
          .map((message) => ({ ...refusal, message, isTunnel: false })),
      ];
    }),
    ...config.aftrs.flatMap(({ name, ipv6Addresses, pools }) => {
      const refusal = { role: 'aftr' as const, name };
      return [
        ...tunnelFaults(ipv6Addresses, facts).map((message) => ({ ...refusal, message, isTunnel: true })),
        ...pools
          .flatMap((pool) => [...coveredBy(pool, 'pool', facts, new Set()), ...shadowed(pool, facts)])
          .map((message) => ({ ...refusal, message, isTunnel: false })),
      ];
    }),
  ];
}

/** What of the host matters, in forms that are quick to ask however many routes there are. */
interface Facts {
  readonly host: HostState;
  readonly ipv4NextHops: readonly { readonly address: number; readonly link: number }[];
  readonly ipv6NextHops: readonly Uint8Array[];
  /** Routes of others in the main table that go before ours, by destination. */
  readonly better: ReadonlyMap<string, Route>;
}

function factsOf(host: HostState): Facts {
  const nextHops = new Map<string, Route>();
  const better = new Map<string, Route>();
  for (const route of host.routes) {
    if (route.gateway) nextHops.set(`${route.link} ${Buffer.from(route.gateway).toString('hex')}`, route);
    if (route.table === MAIN_TABLE && route.metric <= METRIC)
      better.set(destination(route.octets, route.length), route);
  }
  const hops = [...nextHops.values()];
  return {
    host,
    ipv4NextHops: hops.flatMap(({ gateway, link }) =>
      gateway?.length === 4 ? [{ address: numberOf(gateway), link }] : [],
    ),
    ipv6NextHops: hops.flatMap(({ gateway }) => (gateway?.length === 16 ? [gateway] : [])),
    better,
  };
}

function tunnelFaults(tunnels: readonly Uint8Array[], { host, ipv6NextHops, better }: Facts): string[] {
  return tunnels.flatMap((tunnel) => {
    const text = formatIpv6(tunnel);
    const advice = 'choose a free address of its prefix or a routed one';
    const holder = host.addresses.find(({ octets }) => octets.length === 16 && sameIpv6(octets, tunnel));
    if (holder) return [`${text} is configured on ${linkName(host.links, holder.link)}; ${advice}`];
    if (ipv6NextHops.some((octets) => sameIpv6(octets, tunnel))) {
      return [`${text} is the next hop of a route, another router's address; ${advice}`];
    }
    const route = better.get(destination(tunnel, 128));
    if (route) return [`a route to ${text}/128 is there already${through(route, host)}; remove it`];
    return [];
  });
}

/** RFC 2473 §4.1.2: a tunnel does not end on the node where it begins. */
function ownFarEnd(aftr: Uint8Array, { links, addresses }: HostState): string[] {
  const holder = addresses.find(({ octets }) => octets.length === 16 && sameIpv6(octets, aftr));
  if (!holder) return [];
  const text = `AFTR ${formatIpv6(aftr)} is configured on ${linkName(links, holder.link)}`;
  return [`${text}: the tunnel would end where it begins; name the AFTR's tunnel address`];
}

function shadowed({ address, length }: Ipv4Prefix, { host, better }: Facts): string[] {
  const route = better.get(destination(octetsOf(address), length));
  // A connected subnet is told of by its address.
  if (!route || route.protocol === KERNEL_PROTOCOL) return [];
  const text = formatIpv4Prefix(address, length);
  return [
    `a route to pool ${text} with metric ${route.metric} is there already${through(route, host)}; remove it or give it a metric above ${METRIC}`,
  ];
}

/** Own addresses, connected subnets and next hops inside a prefix, those on `excepted` links apart. */
function coveredBy(prefix: Ipv4Prefix, what: string, facts: Facts, excepted: ReadonlySet<number>): string[] {
  const { host, ipv4NextHops } = facts;
  const text = `${what} ${formatIpv4Prefix(prefix.address, prefix.length)}`;
  const isServed = what === 'served prefix';
  const found: string[] = [];
  for (const { octets, link, length } of host.addresses) {
    if (octets.length !== 4 || excepted.has(link)) continue;
    const address = numberOf(octets);
    const own = `${formatIpv4(address)}/${length} of ${linkName(host.links, link)}`;
    const advice = isServed ? `name ${linkName(host.links, link)} as ipv4-interface or` : 'change the pool or';
    if (inIpv4Prefix(address, prefix)) {
      found.push(`${text} covers ${own}, an address of this host; ${advice} remove the address`);
    } else if (length < 32 && overlapIpv4({ address, length }, prefix)) {
      found.push(`${text} lies in the connected subnet of ${own}; ${advice} use another prefix`);
    }
  }
  for (const { address, link } of ipv4NextHops) {
    if (excepted.has(link) || !inIpv4Prefix(address, prefix)) continue;
    found.push(`${text} covers ${formatIpv4(address)}, the next hop of a route; use a prefix without it`);
  }
  return found;
}

function leftLinks({ ipv4Interfaces }: GatewayPart, { links }: HostState): Set<number> {
  return new Set(links.filter(({ name }) => ipv4Interfaces.includes(name)).map(({ index }) => index));
}

function through({ link }: Route, { links }: HostState): string {
  return link === 0 ? '' : ` through ${linkName(links, link)}`;
}

export function linkName(links: readonly Link[], index: number): string {
  return links.find((link) => link.index === index)?.name ?? `link ${index}`;
}

function destination(octets: Uint8Array, length: number): string {
  return `${Buffer.from(octets).toString('hex')}/${length}`;
}

export function octetsOf(address: number): Uint8Array {
  return Uint8Array.of(address >>> 24, (address >>> 16) & 255, (address >>> 8) & 255, address & 255);
}

function numberOf(octets: Uint8Array): number {
  const [a = 0, b = 0, c = 0, d = 0] = octets;
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
}
