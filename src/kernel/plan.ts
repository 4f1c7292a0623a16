/**
 * What the kernel must have for a configuration: routes, rules, proxied neighbours. Pure: links are names here.
 *
 *   AFTR      pool -> TUN, tunnel addresses -> TUN; a blackhole behind each
 *   gateway   from P look into main, its default route apart; then into our table, whose default leads to the TUN
 *             served prefixes: behind every other route of main to the TUN, whose engine tells the source that there is no
 *             way inwards; behind that a blackhole, so that it is never sent back out (those inside a subnet: inward.ts)
 */

import type { Ipv4Prefix } from '../address.ts';
import { inIpv4Prefix } from '../address.ts';

/** Where the ICMPv4 messages of an instance come from. */
export interface IcmpSource {
  readonly ipv4Address: number | undefined;
  /** Whether it sends errors. */
  readonly sendsErrors: boolean;
}

export interface GatewayPart {
  readonly name: string;
  readonly ipv6Address: Uint8Array;
  /** Undefined as long as it is to be learned and is not known: what is served goes nowhere then, and not out in clear. */
  readonly aftrIpv6Address: Uint8Array | undefined;
  /** Links towards the end devices. */
  readonly ipv4Interfaces: readonly string[];
  readonly servedPrefixes: readonly Ipv4Prefix[];
  readonly payloadMtu: number;
  readonly icmpSource: IcmpSource;
}

export interface AftrPart {
  readonly name: string;
  readonly ipv6Addresses: readonly Uint8Array[];
  readonly pools: readonly Ipv4Prefix[];
  readonly payloadMtu: number;
  readonly icmpSource: IcmpSource;
}

/** The TUN devices. */
export const GATEWAY_DEVICE = 'gi-gw';
export const AFTR_DEVICE = 'gi-aftr';
/** Packets that a device holds for each of its queues: those of 14 ms at 140,000 a second, twice what a worker waits for its core beside commits. */
export const TUN_QUEUE = 2_000;

/** The enabled instances of both roles, with the name of each role's TUN device. */
export interface KernelConfig {
  readonly gatewayDevice: string;
  readonly aftrDevice: string;
  readonly gateways: readonly GatewayPart[];
  readonly aftrs: readonly AftrPart[];
}

export interface PlannedRoute {
  readonly family: 4 | 6;
  readonly table: number;
  readonly octets: Uint8Array;
  readonly length: number;
  /** Device of the route; undefined for a blackhole. */
  readonly device: string | undefined;
  readonly metric: number;
}

export interface PlannedRule {
  readonly priority: number;
  readonly prefix: Ipv4Prefix | undefined;
  readonly mark: number;
  readonly table: number;
  readonly suppress: number | undefined;
}

export interface KernelPlan {
  readonly devices: readonly string[];
  readonly routes: readonly PlannedRoute[];
  readonly rules: readonly PlannedRule[];
  /** Tunnel addresses: each may need a proxied neighbour on the link whose prefix holds it. */
  readonly tunnelAddresses: readonly Uint8Array[];
  /** Sources that an nftables set marks on these links, when they are too many for rules. */
  readonly marked: { readonly prefixes: readonly Ipv4Prefix[]; readonly links: readonly string[] } | undefined;
}

export const MAIN = 254;
/** Routing table of the gateway. */
export const GATEWAY_TABLE = 4446;
/** One bit of the packet mark, so that others' marks in the other bits stay. */
export const GATEWAY_MARK = 0x0400_0000;
const MAIN_PRIORITY = 4446;
const TUNNEL_PRIORITY = 4447;
/** Best there is: 0 means 1,024 to IPv6. */
export const METRIC = 1;
const BLACKHOLE_METRIC = 2_000_000_000;
/** Worse than any route of others. */
const LAST_METRIC = BLACKHOLE_METRIC - 1;
/** Only better than that. */
export const INWARD_METRIC = LAST_METRIC - 1;
export const MAX_RULES = 64;
const ALL: Ipv4Prefix = { address: 0, length: 0 };

export function planKernel(config: KernelConfig): KernelPlan {
  const { gateways, aftrs, gatewayDevice, aftrDevice } = config;
  const served = servedPrefixes(config);
  const pools = coveringPrefixes(aftrs.flatMap(({ pools: own }) => own));
  const isMarked = served.length > MAX_RULES;
  const tunnels = [
    ...gateways.map(({ ipv6Address }) => [ipv6Address, gatewayDevice] as const),
    ...aftrs.flatMap(({ ipv6Addresses }) => ipv6Addresses.map((address) => [address, aftrDevice] as const)),
  ];
  return {
    devices: [...(gateways.length > 0 ? [gatewayDevice] : []), ...(aftrs.length > 0 ? [aftrDevice] : [])],
    routes: [
      ...tunnels.flatMap(([octets, device]) =>
        withBlackhole({ family: 6, table: MAIN, octets, length: 128, device, metric: METRIC }),
      ),
      ...pools.flatMap((prefix) => withBlackhole(ipv4Route(prefix, MAIN, aftrDevice))),
      ...(served.length > 0 ? withBlackhole(ipv4Route(ALL, GATEWAY_TABLE, gatewayDevice)) : []),
      ...served.flatMap((prefix) => withBlackhole({ ...ipv4Route(prefix, MAIN, gatewayDevice), metric: LAST_METRIC })),
    ],
    rules: isMarked ? rulesFor(undefined, GATEWAY_MARK) : served.flatMap((prefix) => rulesFor(prefix, 0)),
    tunnelAddresses: tunnels.map(([octets]) => octets),
    marked: isMarked
      ? { prefixes: served, links: [...new Set(gateways.flatMap(({ ipv4Interfaces }) => ipv4Interfaces))] }
      : undefined,
  };
}

/** What the gateways serve, in the fewest prefixes. */
export function servedPrefixes({ gateways }: KernelConfig): Ipv4Prefix[] {
  return coveringPrefixes(gateways.flatMap((gateway) => gateway.servedPrefixes));
}

function ipv4Route({ address, length }: Ipv4Prefix, table: number, device: string | undefined): PlannedRoute {
  const octets = Uint8Array.of(address >>> 24, (address >>> 16) & 255, (address >>> 8) & 255, address & 255);
  return { family: 4, table, octets, length, device, metric: METRIC };
}

/** The route and, behind it, a blackhole of worse metric: with the device gone nothing takes another way. */
function withBlackhole(route: PlannedRoute): PlannedRoute[] {
  return [route, { ...route, device: undefined, metric: BLACKHOLE_METRIC }];
}

function rulesFor(prefix: Ipv4Prefix | undefined, mark: number): PlannedRule[] {
  return [
    { priority: MAIN_PRIORITY, prefix, mark, table: MAIN, suppress: 0 },
    { priority: TUNNEL_PRIORITY, prefix, mark, table: GATEWAY_TABLE, suppress: undefined },
  ];
}

/** The smallest set of prefixes that covers exactly the same addresses: none inside another, halves joined. */
export function coveringPrefixes(prefixes: readonly Ipv4Prefix[]): Ipv4Prefix[] {
  const sorted = [...prefixes].sort((a, b) => a.address - b.address || a.length - b.length);
  const kept: Ipv4Prefix[] = [];
  for (const prefix of sorted) {
    const last = kept[kept.length - 1];
    if (last && last.length <= prefix.length && inIpv4Prefix(prefix.address, last)) continue;
    kept.push(prefix);
    join(kept);
  }
  return kept;
}

/** Joins the two last prefixes as long as they are the halves of one. */
function join(kept: Ipv4Prefix[]): void {
  for (;;) {
    const [a, b] = kept.slice(-2);
    if (!a || !b || a.length !== b.length || a.length === 0) return;
    const whole = { address: a.address, length: a.length - 1 };
    const isWhole = (a.address & (1 << (32 - a.length))) === 0 && inIpv4Prefix(b.address, whole);
    if (!isWhole) return;
    kept.splice(-2, 2, whole);
  }
}
