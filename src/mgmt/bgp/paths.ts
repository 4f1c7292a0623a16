/** Routes as paths of GoBGP, and back: prefix, and the tunnel address that packets to it are sent to. */

import { formatIpv4, formatIpv6, parseIpv4Prefix, parseIpv6 } from '../../address.ts';
import { prefixNumber } from '../../state/rows.ts';
import type { AnyMessage, Path } from './engine-messages.ts';
import { anyOf, IPV4_UNICAST, namedIn } from './engine-messages.ts';

/** Tunnel types of RFC 9012 that are IPv4 in IPv6: IP in IP, and IPv6 tunnel of the IANA registry. */
const IP_IN_IP = 7;
const IPV6_TUNNEL = 14;
const [IGP, INCOMPLETE] = [0, 2];

/** A route that a neighbor announces, or withdraws. */
export interface Announcement {
  /** See `prefixNumber`. */
  readonly number: number;
  /** Which of several of one prefix (RFC 7911 section 3). */
  readonly pathId: number;
  /** The tunnel address as text; what it is instead when there is none. */
  readonly endpoint: string | undefined;
  readonly isWithdrawn: boolean;
  /** Why it is not usable; '' when it is. */
  readonly fault: string;
}

/**
 * What a path says; undefined for one that is no IPv4 route. The tunnel egress endpoint (RFC 9012 section 3.1) goes before the
 * next hop; a tunnel of another type or without an IPv6 endpoint is as if it was not there. Of two next hops (RFC 8950
 * section 3) the first one is the global one. A path through `localAs` has come around.
 */
export function announcementOf(path: Path, localAs: number): Announcement | undefined {
  const [nlri] = path.nlri ? namedIn<{ prefixLen: number; prefix: string }>([path.nlri], 'IPAddressPrefix') : [];
  const prefix = nlri && parseIpv4Prefix(`${nlri.prefix}/${nlri.prefixLen}`);
  if (!prefix) return undefined;
  const number = prefixNumber(prefix.address, prefix.length);
  const pathId = path.identifier;
  if (path.isWithdraw) return { number, pathId, endpoint: undefined, isWithdrawn: true, fault: '' };
  if (isLoop(path.pattrs, localAs)) {
    return {
      number,
      pathId,
      endpoint: undefined,
      isWithdrawn: false,
      fault: 'its AS path holds the AS of this device',
    };
  }
  const endpoint = egressEndpoint(path.pattrs) ?? nextHop(path.pattrs);
  const fault = endpoint === undefined ? 'it has no IPv6 next hop' : '';
  return { number, pathId, endpoint, isWithdrawn: false, fault };
}

function isLoop(attributes: readonly AnyMessage[], localAs: number): boolean {
  const paths = namedIn<{ segments: readonly { numbers: readonly number[] }[] }>(attributes, 'AsPathAttribute');
  return paths.some(({ segments }) => segments.some(({ numbers }) => numbers.includes(localAs)));
}

function nextHop(attributes: readonly AnyMessage[]): string | undefined {
  const reach = namedIn<{ nextHops: readonly string[] }>(attributes, 'MpReachNLRIAttribute');
  return canonical(reach[0]?.nextHops[0]);
}

function egressEndpoint(attributes: readonly AnyMessage[]): string | undefined {
  type Tunnel = { readonly type: number; readonly tlvs: readonly AnyMessage[] };
  const tunnels = namedIn<{ tlvs: readonly Tunnel[] }>(attributes, 'TunnelEncapAttribute').flatMap(({ tlvs }) => tlvs);
  for (const { type, tlvs } of tunnels) {
    if (type !== IP_IN_IP && type !== IPV6_TUNNEL) continue;
    const [endpoint] = namedIn<{ address: string }>(tlvs, 'TunnelEncapSubTLVEgressEndpoint');
    const address = canonical(endpoint?.address);
    if (address !== undefined) return address;
  }
  return undefined;
}

/** An IPv6 address in the one form of this program. */
export function canonical(text: string | undefined): string | undefined {
  const address = text === undefined ? undefined : parseIpv6(text);
  return address && formatIpv6(address);
}

/** A path that is announced, or was. */
export interface OwnPath {
  /** See `prefixNumber`. */
  readonly number: number;
  /** Tells it from others of the same prefix (RFC 7911 section 3). */
  readonly pathId: number;
  readonly nextHop: string;
  /** Also the egress endpoint of a tunnel; without it only the next hop says where packets go. */
  readonly isEndpoint: boolean;
  /** Goes before others of the same prefix. */
  readonly isFirst: boolean;
  readonly communities: readonly number[];
}

/** The path of one gateway: its tunnel address is next hop and egress endpoint. */
export function gatewayPath(number: number, pathId: number, nextHop: string): OwnPath {
  return { number, pathId, nextHop, isEndpoint: true, isFirst: false, communities: [] };
}

/** A path as GoBGP takes it, to be announced or withdrawn. */
export function pathOf({ number, pathId, nextHop, ...path }: OwnPath, isWithdraw: boolean): object {
  const length = number % 64;
  const nlri = anyOf('IPAddressPrefix', { prefixLen: length, prefix: formatIpv4(Math.floor(number / 64)) });
  const endpoint = anyOf('TunnelEncapSubTLVEgressEndpoint', { address: nextHop });
  const pattrs = [
    anyOf('OriginAttribute', { origin: path.isFirst ? IGP : INCOMPLETE }),
    anyOf('MpReachNLRIAttribute', { family: IPV4_UNICAST, nextHops: [nextHop], nlris: [nlri] }),
    ...(path.isEndpoint ? [anyOf('TunnelEncapAttribute', { tlvs: [{ type: IP_IN_IP, tlvs: [endpoint] }] })] : []),
    ...(path.communities.length > 0 ? [anyOf('CommunitiesAttribute', { communities: path.communities })] : []),
  ];
  return { nlri, pattrs, family: IPV4_UNICAST, identifier: pathId, isWithdraw };
}
