/** Why a configuration cannot be applied on this host, and why traffic does not flow: sentences that say what to do. */

import type { Ipv4Prefix } from '../address.ts';
import { formatIpv4, formatIpv4Prefix, formatIpv6, inIpv4Prefix, overlapIpv4, sameIpv6 } from '../address.ts';
import type { Address, Link, Netlink, Route } from './netlink.ts';
import { PROTOCOL } from './netlink.ts';
import type { GatewayPart, KernelConfig } from './plan.ts';
import { forwardPolicies, readSetting } from './settings.ts';

const HEADER_OCTETS = 40;

export interface HostState {
  readonly links: readonly Link[];
  readonly addresses: readonly Address[];
  /** IPv4 routes of others. */
  readonly routes: readonly Route[];
}

export async function readHost(netlink: Netlink): Promise<HostState> {
  const [links, addresses, routes] = await Promise.all([netlink.links(), netlink.addresses(), netlink.routes(4)]);
  return { links, addresses, routes: routes.filter(({ protocol }) => protocol !== PROTOCOL) };
}

/** One refusal: the sentence and the instance it concerns. */
export interface HostRefusal {
  readonly message: string;
  readonly role: 'gateway' | 'aftr';
  readonly name: string;
}

/** What of the host stands against a configuration; nothing when it can be applied. */
export function refusals(config: KernelConfig, host: HostState): HostRefusal[] {
  return [
    ...config.gateways.flatMap((gateway) => {
      const { name, ipv6Address, servedPrefixes } = gateway;
      const messages = [
        ...heldTunnelAddresses([ipv6Address], host),
        ...covered(servedPrefixes, 'served prefix', host, leftLinks(gateway, host)),
      ];
      return messages.map((message) => ({ message, role: 'gateway' as const, name }));
    }),
    ...config.aftrs.flatMap(({ name, ipv6Addresses, pools }) => {
      const messages = [...heldTunnelAddresses(ipv6Addresses, host), ...covered(pools, 'pool', host, new Set())];
      return messages.map((message) => ({ message, role: 'aftr' as const, name }));
    }),
  ];
}

function heldTunnelAddresses(tunnels: readonly Uint8Array[], { addresses, links }: HostState): string[] {
  return tunnels.flatMap((tunnel) => {
    const holder = addresses.find(({ family, octets }) => family === 6 && sameIpv6(octets, tunnel));
    if (!holder) return [];
    const text = formatIpv6(tunnel);
    return [
      `${text} is configured on ${linkName(links, holder.link)}; choose a free address of its prefix or a routed one`,
    ];
  });
}

/** Own addresses, connected subnets and next hops inside the prefixes, those on `excepted` links apart. */
function covered(
  prefixes: readonly Ipv4Prefix[],
  what: string,
  host: HostState,
  excepted: ReadonlySet<number>,
): string[] {
  const found: string[] = [];
  for (const prefix of prefixes) {
    const text = `${what} ${formatIpv4Prefix(prefix.address, prefix.length)}`;
    for (const { family, octets, link, length } of host.addresses) {
      if (family !== 4 || excepted.has(link)) continue;
      const address = numberOf(octets);
      const subnet = { address, length };
      if (inIpv4Prefix(address, prefix) || (length < 32 && overlapIpv4(subnet, prefix))) {
        found.push(
          `${text} covers ${formatIpv4(address)}/${length} of ${linkName(host.links, link)}: the device would lose its own subnet`,
        );
      }
    }
    for (const { gateway, link } of host.routes) {
      if (!gateway || excepted.has(link) || !inIpv4Prefix(numberOf(gateway), prefix)) continue;
      found.push(`${text} covers ${formatIpv4(numberOf(gateway))}, the next hop of a route`);
    }
  }
  return found;
}

function leftLinks({ ipv4Interfaces }: GatewayPart, { links }: HostState): Set<number> {
  return new Set(links.filter(({ name }) => ipv4Interfaces.includes(name)).map(({ index }) => index));
}

/** Why traffic does not flow or may not; empty when nothing stands in the way. */
export async function problems(config: KernelConfig, netlink: Netlink): Promise<string[]> {
  const host = await readHost(netlink);
  const found: string[] = refusals(config, host).map(({ message }) => message);
  if (config.gateways.length + config.aftrs.length === 0) return found;
  if (readSetting('ipv4/ip_forward') !== '1') found.push('IPv4 forwarding is off: sysctl net.ipv4.ip_forward=1');
  if (readSetting('ipv6/conf/all/forwarding') !== '1')
    found.push('IPv6 forwarding is off: sysctl net.ipv6.conf.all.forwarding=1');
  if (readSetting('ipv4/conf/all/rp_filter') === '1') {
    found.push(
      'strict reverse path filtering drops what comes out of the tunnel: sysctl net.ipv4.conf.all.rp_filter=2 or 0',
    );
  }
  for (const gateway of config.gateways) {
    for (const name of gateway.ipv4Interfaces) {
      const link = host.links.find((item) => item.name === name);
      if (!link) found.push(`gateway ${gateway.name}: there is no interface ${name}`);
      else if (!link.isUp) found.push(`gateway ${gateway.name}: interface ${name} is down: ip link set ${name} up`);
    }
    found.push(...(await towards(gateway, host, netlink)));
  }
  return [...found, ...(await forwardPolicies())];
}

async function towards(
  { name, aftrIpv6Address, payloadMtu }: GatewayPart,
  { links }: HostState,
  netlink: Netlink,
): Promise<string[]> {
  const text = formatIpv6(aftrIpv6Address);
  const index = await netlink.linkTowards(aftrIpv6Address);
  if (index === undefined) return [`gateway ${name}: no IPv6 route leads to its AFTR ${text}`];
  const link = links.find((item) => item.index === index);
  if (!link || link.mtu >= payloadMtu + HEADER_OCTETS) return [];
  const wanted = payloadMtu + HEADER_OCTETS;
  return [
    `gateway ${name}: ${link.name} towards the AFTR has MTU ${link.mtu}, softwire-payload-mtu ${payloadMtu} needs ${wanted}`,
  ];
}

function linkName(links: readonly Link[], index: number): string {
  return links.find((link) => link.index === index)?.name ?? `link ${index}`;
}

function numberOf(octets: Uint8Array): number {
  const [a = 0, b = 0, c = 0, d = 0] = octets;
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
}
