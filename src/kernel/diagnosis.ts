/** Why the traffic of an applied configuration does not flow, or may not: sentences that say what to do. */

import { formatIpv4Prefix, formatIpv6 } from '../address.ts';
import type { HostState } from './checks.ts';
import { linkName, octetsOf, readHost, refusals } from './checks.ts';
import type { Netlink } from './netlink.ts';
import { forwardBlocks, readRuleset } from './nftables.ts';
import type { AftrPart, GatewayPart, KernelConfig } from './plan.ts';
import { planKernel } from './plan.ts';
import { readSetting, sysctlName } from './settings.ts';

/** Octets of the outer header. */
const HEADER_LENGTH = 40;
/** Served prefixes whose way is looked up. */
const MOST_LOOKUPS = 64;

/** Empty when nothing stands in the way. `gateways` are some that the AFTRs' bindings lead to. */
export async function diagnose(
  config: KernelConfig,
  netlink: Netlink,
  gateways: readonly Uint8Array[] = [],
): Promise<string[]> {
  if (config.gateways.length + config.aftrs.length === 0) return [];
  const host = await readHost(netlink);
  const { devices } = planKernel(config);
  const ruleset = await readRuleset();
  const found = refusals(config, host).map(({ message }) => message);
  found.push(...missingDevices(devices, host), ...settingFaults(config, devices));
  for (const gateway of config.gateways) {
    found.push(
      ...leftFaults(gateway, host),
      ...(await faultsTowardsDevices(gateway, config.gatewayDevice, host, netlink)),
    );
    found.push(...(await faultsTowardsAftr(gateway, host, netlink)));
  }
  for (const aftr of config.aftrs) {
    found.push(...noDefaultRoute(aftr, host), ...faultsTowardsGateways(aftr, host));
  }
  for (const gateway of config.aftrs.length > 0 ? gateways : []) {
    const { kind } = await netlink.wayTo(gateway);
    if (kind === 'none') found.push(`no IPv6 route leads to gateway ${formatIpv6(gateway)}, which bindings name`);
  }
  if (ruleset) found.push(...forwardBlocks(ruleset, devices));
  return found;
}

function missingDevices(devices: readonly string[], { links }: HostState): string[] {
  return devices.flatMap((device) => {
    const link = links.find(({ name }) => name === device);
    if (!link) return [`the TUN device ${device} is gone: restart gi4over6`];
    return link.isUp ? [] : [`the TUN device ${device} is down: ip link set ${device} up`];
  });
}

function settingFaults(config: KernelConfig, devices: readonly string[]): string[] {
  const left = [...new Set(config.gateways.flatMap(({ ipv4Interfaces }) => ipv4Interfaces))];
  const wanted = [
    ['ipv4/ip_forward', 'IPv4 forwarding is off'],
    ['ipv6/conf/all/forwarding', 'IPv6 forwarding is off'],
    ...[...left, ...devices].map(
      (name) => [`ipv4/conf/${name}/forwarding`, `IPv4 forwarding is off on ${name}`] as const,
    ),
    ...devices.map((name) => [`ipv6/conf/${name}/forwarding`, `IPv6 forwarding is off on ${name}`] as const),
  ] as const;
  const found = wanted.flatMap(([name, sentence]) =>
    readSetting(name) === '0' ? [`${sentence}: sysctl ${sysctlName(name)}=1`] : [],
  );
  // For a whole-host fault the sentences on single interfaces add nothing.
  const isGeneral = found.length > 0 && readSetting('ipv4/ip_forward') === '0';
  return [
    ...(isGeneral ? found.slice(0, 2).filter((text) => !text.includes(' on ')) : found),
    ...reversePath(config, devices),
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

function leftFaults({ name, ipv4Interfaces }: GatewayPart, { links }: HostState): string[] {
  return ipv4Interfaces.flatMap((left) => {
    const link = links.find((item) => item.name === left);
    if (!link) return [`gateway ${name}: there is no interface ${left}`];
    return link.isUp ? [] : [`gateway ${name}: interface ${left} is down: ip link set ${left} up`];
  });
}

/** Our own routes behind a served prefix are all there is as long as nobody routes the prefix to the end devices. */
async function faultsTowardsDevices(
  gateway: GatewayPart,
  ownDevice: string,
  host: HostState,
  netlink: Netlink,
): Promise<string[]> {
  const { name, ipv4Interfaces, servedPrefixes } = gateway;
  const found: string[] = [];
  for (const { address, length } of servedPrefixes.slice(0, MOST_LOOKUPS)) {
    const way = await netlink.wayTo(octetsOf((address | (length < 31 ? 1 : 0)) >>> 0));
    if (way.kind === 'local') continue;
    const link = linkName(host.links, way.link);
    const prefix = formatIpv4Prefix(address, length);
    const left = ipv4Interfaces[0] ?? 'LEFT';
    const advice = `ip addr add ADDRESS/LENGTH dev ${left}, or ip route add ${prefix} via ROUTER dev ${left}`;
    const isNone = way.kind === 'none' || link === ownDevice;
    if (isNone) found.push(`gateway ${name}: no route leads to served prefix ${prefix}: ${advice}`);
    else if (ipv4Interfaces.length > 0 && !ipv4Interfaces.includes(link)) {
      found.push(
        `gateway ${name}: the route to served prefix ${prefix} leads out of ${link}, not of ${left}: ${advice}`,
      );
    }
  }
  return found;
}

function noDefaultRoute({ name }: AftrPart, { routes }: HostState): string[] {
  const isThere = routes.some(({ family, length, kind }) => family === 4 && length <= 1 && kind === 'unicast');
  return isThere
    ? []
    : [`AFTR ${name}: there is no IPv4 default route: only networks that this host has routes to are reached`];
}

async function faultsTowardsAftr(gateway: GatewayPart, host: HostState, netlink: Netlink): Promise<string[]> {
  const { name, aftrIpv6Address } = gateway;
  const text = formatIpv6(aftrIpv6Address);
  const way = await netlink.wayTo(aftrIpv6Address);
  if (way.kind === 'local') return [`gateway ${name}: its AFTR ${text} is an address of this host itself`];
  if (way.kind === 'none') return [`gateway ${name}: no IPv6 route leads to its AFTR ${text}`];
  return narrowLink(`gateway ${name}`, 'towards its AFTR', way.link, gateway, host);
}

/** Its gateways are many and have many ways; the default route stands for them. */
function faultsTowardsGateways(aftr: AftrPart, host: HostState): string[] {
  const way = host.routes.find(({ family, length, link }) => family === 6 && length === 0 && link !== 0);
  return way ? narrowLink(`AFTR ${aftr.name}`, 'of the IPv6 default route', way.link, aftr, host) : [];
}

function narrowLink(
  who: string,
  which: string,
  index: number,
  { payloadMtu }: { readonly payloadMtu: number },
  { links }: HostState,
): string[] {
  const mtu = links.find((link) => link.index === index)?.mtu ?? Number.POSITIVE_INFINITY;
  if (mtu >= payloadMtu + HEADER_LENGTH) return [];
  return [
    `${who}: ${linkName(links, index)} ${which} has MTU ${mtu}, too little for softwire-payload-mtu ${payloadMtu} and ${HEADER_LENGTH} octets of header: larger packets go in fragments, which the far end drops as long as it does not reassemble; set softwire-payload-mtu to ${mtu - HEADER_LENGTH} or the MTU to ${payloadMtu + HEADER_LENGTH}`,
  ];
}
