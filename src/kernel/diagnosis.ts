/** Why the traffic of an applied configuration does not flow, or may not: sentences that say what to do. */

import { formatIpv4Prefix, formatIpv6 } from '../address.ts';
import type { Problem } from '../control.ts';
import type { HostRefusal, HostState } from './checks.ts';
import { linkName, octetsOf, readHost, refusals } from './checks.ts';
import type { BoundGateways, LeadsTo } from './gateway-round.ts';
import { GatewayRound, NO_GATEWAYS } from './gateway-round.ts';
import { icmpSourceFaults } from './icmp-source.ts';
import type { Neighbour, Netlink } from './netlink.ts';
import { NO_ANSWER, silentNextHop } from './next-hop.ts';
import { forwardBlocks, readRuleset } from './nftables.ts';
import type { AftrPart, GatewayPart, KernelConfig } from './plan.ts';
import { planKernel } from './plan.ts';
import { readSetting, sysctlName } from './settings.ts';

/** Octets of the outer header. */
const HEADER_LENGTH = 40;
/** Served prefixes whose way is looked up. */
const MOST_LOOKUPS = 64;

/** Empty when nothing stands in the way. `round` goes on with `bound`, the gateways that the AFTRs' bindings lead to. */
export async function diagnose(
  config: KernelConfig,
  netlink: Netlink,
  bound: BoundGateways = NO_GATEWAYS,
  round: GatewayRound = new GatewayRound(),
): Promise<Problem[]> {
  if (config.gateways.length + config.aftrs.length === 0) return [];
  const host = await readHost(netlink);
  const { devices } = planKernel(config);
  const ruleset = await readRuleset();
  const unresolved = await netlink.unresolved();
  const found: Problem[] = refusals(config, host).map((refusal) => refused(config, refusal));
  found.push(...missingDevices(config, devices, host), ...settingFaults(config, devices));
  for (const gateway of config.gateways) {
    found.push(
      ...leftFaults(gateway, host),
      ...(await faultsTowardsDevices(gateway, config.gatewayDevice, host, netlink)),
    );
    found.push(...(await faultsTowardsAftr(gateway, host, netlink, unresolved)));
    found.push(...sourceFaults(`gateway ${gateway.name}`, gateway, host));
  }
  for (const aftr of config.aftrs) {
    found.push(...noDefaultRoute(aftr, host), ...faultsTowardsGateways(aftr, host));
    found.push(...sourceFaults(`AFTR ${aftr.name}`, aftr, host));
  }
  if (config.aftrs.length > 0) {
    const around = { links: host.links, device: config.aftrDevice, netlink };
    found.push(...ownGateways(host, bound.leadsTo));
    found.push(...(await round.look(bound, around, unresolved)));
  }
  if (ruleset) found.push(...forwardBlocks(ruleset, devices).map((sentence) => ({ sentence })));
  return found;
}

function sourceFaults(who: string, { icmpSource }: AftrPart | GatewayPart, host: HostState): Problem[] {
  return icmpSourceFaults(who, icmpSource, host).map((sentence) => ({ sentence }));
}

/** An AFTR with several tunnel addresses goes on with the others. */
function refused({ aftrs }: KernelConfig, { message, role, name, isTunnel }: HostRefusal): Problem {
  const hasOthers = aftrs.some((aftr) => role === 'aftr' && aftr.name === name && aftr.ipv6Addresses.length > 1);
  return { sentence: message, ...(isTunnel && !hasOthers && { stops: { role, name } }) };
}

/** RFC 2473 §4.1.2: no tunnel ends on the node where it begins. Bindings change without the host being asked, so it is told. */
function ownGateways({ links, addresses }: HostState, leadsTo: LeadsTo): Problem[] {
  const own = addresses.filter(({ octets }) => octets.length === 16 && leadsTo(octets));
  return own.map(({ octets, link }) => {
    const text = `gateway ${formatIpv6(octets)}, which bindings name, is configured on ${linkName(links, link)} of this host`;
    return { sentence: `${text}: their tunnel would end where it begins` };
  });
}

function missingDevices(config: KernelConfig, devices: readonly string[], { links }: HostState): Problem[] {
  return devices.flatMap((device) => {
    const stops = { role: roleOf(config, device) };
    const link = links.find(({ name }) => name === device);
    if (!link) return [{ sentence: `the TUN device ${device} is gone: restart gi4over6`, stops }];
    return link.isUp ? [] : [{ sentence: `the TUN device ${device} is down: ip link set ${device} up`, stops }];
  });
}

function roleOf({ gatewayDevice }: KernelConfig, device: string): 'gateway' | 'aftr' {
  return device === gatewayDevice ? 'gateway' : 'aftr';
}

function settingFaults(config: KernelConfig, devices: readonly string[]): Problem[] {
  const left = [...new Set(config.gateways.flatMap(({ ipv4Interfaces }) => ipv4Interfaces))];
  const wanted: readonly (readonly [string, string, Problem['stops']?])[] = [
    ['ipv4/ip_forward', 'IPv4 forwarding is off', {}],
    ['ipv6/conf/all/forwarding', 'IPv6 forwarding is off', {}],
    ...left.map((name) => [`ipv4/conf/${name}/forwarding`, `IPv4 forwarding is off on ${name}`] as const),
    ...devices.flatMap((name) => {
      const stops = { role: roleOf(config, name) };
      return [
        [`ipv4/conf/${name}/forwarding`, `IPv4 forwarding is off on ${name}`, stops],
        [`ipv6/conf/${name}/forwarding`, `IPv6 forwarding is off on ${name}`, stops],
      ] as const;
    }),
  ];
  const found = wanted.flatMap(([name, sentence, stops]): Problem[] =>
    readSetting(name) === '0'
      ? [{ sentence: `${sentence}: sysctl ${sysctlName(name)}=1`, ...(stops && { stops }) }]
      : [],
  );
  // For a whole-host fault the sentences on single interfaces add nothing.
  const isGeneral = found.length > 0 && readSetting('ipv4/ip_forward') === '0';
  return [
    ...(isGeneral ? found.slice(0, 2).filter(({ sentence }) => !sentence.includes(' on ')) : found),
    ...reversePath(config, devices).map((sentence) => ({ sentence })),
  ];
}

/** The larger of the two values counts. With marks the way back is looked up without the mark, so any check fails. */
function reversePath(config: KernelConfig, devices: readonly string[]): string[] {
  const all = readSetting('ipv4/conf/all/rp_filter') ?? '0';
  const isMarked = planKernel(config).marked !== undefined;
  const conflicts = devices.filter((device) => {
    const value = Math.max(Number(all), Number(readSetting(`ipv4/conf/${device}/rp_filter`) ?? 0));
    return value === 1 || (value === 2 && isMarked && device === config.gatewayDevice);
  });
  if (conflicts.length === 0) return [];
  const names = conflicts.join(' and ');
  return [
    `reverse path filtering may drop packets that come out of ${names} when their way back is another: sysctl net.ipv4.conf.all.rp_filter=0, and set it on the interfaces that need it`,
  ];
}

/** With several interfaces, the others go on. */
function leftFaults({ name, ipv4Interfaces }: GatewayPart, { links }: HostState): Problem[] {
  const sentences = ipv4Interfaces.flatMap((left) => {
    const link = links.find((item) => item.name === left);
    if (!link) return [`gateway ${name}: there is no interface ${left}`];
    return link.isUp ? [] : [`gateway ${name}: interface ${left} is down: ip link set ${left} up`];
  });
  const stops = sentences.length === ipv4Interfaces.length ? { stops: { role: 'gateway' as const, name } } : {};
  return sentences.map((sentence) => ({ sentence, ...stops }));
}

/**
 * Our own routes behind a served prefix are all there is as long as nobody routes the prefix to the end devices. A gateway
 * none of whose prefixes has a way forwards nothing.
 */
async function faultsTowardsDevices(
  gateway: GatewayPart,
  ownDevice: string,
  host: HostState,
  netlink: Netlink,
): Promise<Problem[]> {
  const { name, ipv4Interfaces, servedPrefixes } = gateway;
  const looked = servedPrefixes.slice(0, MOST_LOOKUPS);
  const [missing, wrong]: [string[], string[]] = [[], []];
  for (const { address, length } of looked) {
    const way = await netlink.wayTo(octetsOf((address | (length < 31 ? 1 : 0)) >>> 0));
    if (way.kind === 'local') continue;
    const link = linkName(host.links, way.link);
    const prefix = formatIpv4Prefix(address, length);
    const left = ipv4Interfaces[0] ?? 'LEFT';
    const advice = `ip addr add ADDRESS/LENGTH dev ${left}, or ip route add ${prefix} via ROUTER dev ${left}`;
    const isNone = way.kind === 'none' || link === ownDevice;
    if (isNone) missing.push(`gateway ${name}: no route leads to served prefix ${prefix}: ${advice}`);
    else if (ipv4Interfaces.length > 0 && !ipv4Interfaces.includes(link)) {
      wrong.push(
        `gateway ${name}: the route to served prefix ${prefix} leads out of ${link}, not of ${left}: ${advice}`,
      );
    }
  }
  const stops = missing.length === looked.length ? { stops: { role: 'gateway' as const, name } } : {};
  return [...missing.map((sentence) => ({ sentence, ...stops })), ...wrong.map((sentence) => ({ sentence }))];
}

function noDefaultRoute({ name }: AftrPart, { routes }: HostState): Problem[] {
  const isThere = routes.some(({ family, length, kind }) => family === 4 && length <= 1 && kind === 'unicast');
  if (isThere) return [];
  const sentence = `AFTR ${name}: there is no IPv4 default route: only networks that this host has routes to are reached`;
  return [{ sentence }];
}

async function faultsTowardsAftr(
  gateway: GatewayPart,
  host: HostState,
  netlink: Netlink,
  unresolved: readonly Neighbour[],
): Promise<Problem[]> {
  const { name, aftrIpv6Address } = gateway;
  const stops = { role: 'gateway' as const, name };
  if (!aftrIpv6Address)
    return [{ sentence: `gateway ${name}: its AFTR is not known yet: see its learned-aftr`, stops }];
  const text = formatIpv6(aftrIpv6Address);
  const way = await netlink.wayTo(aftrIpv6Address);
  // That its far end is this host itself is a refusal.
  if (way.kind === 'local') return [];
  if (way.kind === 'none') return [{ sentence: `gateway ${name}: no IPv6 route leads to its AFTR ${text}`, stops }];
  const silent = silentNextHop(way, aftrIpv6Address, host.links, unresolved);
  if (silent) return [{ sentence: `gateway ${name}: ${silent}, the next hop to its AFTR, ${NO_ANSWER}`, stops }];
  return narrowLink(`gateway ${name}`, 'towards its AFTR', way.link, gateway, host);
}

/** Its gateways are many and have many ways; the default route stands for them. */
function faultsTowardsGateways(aftr: AftrPart, host: HostState): Problem[] {
  const way = host.routes.find(({ family, length, link }) => family === 6 && length === 0 && link !== 0);
  return way ? narrowLink(`AFTR ${aftr.name}`, 'of the IPv6 default route', way.link, aftr, host) : [];
}

function narrowLink(
  who: string,
  which: string,
  index: number,
  { payloadMtu }: { readonly payloadMtu: number },
  { links }: HostState,
): Problem[] {
  const mtu = links.find((link) => link.index === index)?.mtu ?? Number.POSITIVE_INFINITY;
  if (mtu >= payloadMtu + HEADER_LENGTH) return [];
  const sentence = `${who}: ${linkName(links, index)} ${which} has MTU ${mtu}, too little for softwire-payload-mtu ${payloadMtu} and ${HEADER_LENGTH} octets of header: larger packets go in fragments, which cost the far end work, and which one that does not reassemble drops; set softwire-payload-mtu to ${mtu - HEADER_LENGTH} or the MTU to ${payloadMtu + HEADER_LENGTH}`;
  return [{ sentence }];
}
