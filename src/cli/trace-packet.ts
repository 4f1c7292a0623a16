/** Packets as octets: one made for a trace, and one told in a line. */

import { formatIpv4, formatIpv6, parseIpv4, parseIpv6 } from '../address.ts';
import { usageFailure } from './failure.ts';

/** What a packet to be traced is made of; addresses as text. */
export interface PacketWish {
  readonly from?: string;
  readonly to?: string;
  readonly ttl?: number;
  /** UDP ports; 0 when absent. */
  readonly fromPort?: number;
  readonly toPort?: number;
  /** Ends of the tunnel, when it comes out of there. */
  readonly tunnelFrom?: string;
  readonly tunnelTo?: string;
}

const IPV4_LEN = 20;
const IPV6_LEN = 40;
const UDP_LEN = 8;
const IN_TUNNEL = 4;
const FRAGMENT = 44;
/** Hop-by-hop options, routing, fragment and destination options. */
const EXTENSIONS: readonly number[] = [0, 43, FRAGMENT, 60];
const ICMP = 1;
const ICMPV6 = 58;
const ICMP_LEN = 8;
/** Types of errors: RFC 792, RFC 1812 §4.3.2.7; those of ICMPv6 are all below 128 (RFC 4443 §2.1). */
const ICMP_ERRORS: readonly number[] = [3, 4, 5, 11, 12];
const FIRST_INFORMATIONAL = 128;
const UNREACHABLE = 3;
const FRAGMENTATION_NEEDED = 4;
const PACKET_TOO_BIG = 2;
const OFFSET_MASK = 0x1fff;
/** TCP, UDP, DCCP, SCTP and UDP-Lite. */
const WITH_PORTS: readonly number[] = [6, 17, 33, 132, 136];
const PROTOCOLS: Readonly<Record<number, string>> = {
  1: 'ICMP',
  6: 'TCP',
  17: 'UDP',
  47: 'GRE',
  50: 'ESP',
  132: 'SCTP',
};

/** An empty UDP datagram, with an IPv6 header before it when there is a tunnel. @throws CommandFailure for no addresses */
export function packetOf(wish: PacketWish): Uint8Array {
  const [from, to] = [parseIpv4(wish.from ?? ''), parseIpv4(wish.to ?? '')];
  if (from === undefined || to === undefined) {
    throw usageFailure('expected a packet in hexadecimal, or --from and --to with an IPv4 address each');
  }
  const inner = Buffer.alloc(IPV4_LEN + UDP_LEN);
  inner.writeUInt16BE(0x4500, 0);
  inner.writeUInt16BE(inner.length, 2);
  inner.writeUInt16BE(((wish.ttl ?? 64) << 8) | 17, 8);
  inner.writeUInt32BE(from, 12);
  inner.writeUInt32BE(to, 16);
  inner.writeUInt16BE(checksum(inner.subarray(0, IPV4_LEN)), 10);
  inner.writeUInt16BE(wish.fromPort ?? 0, IPV4_LEN);
  inner.writeUInt16BE(wish.toPort ?? 0, IPV4_LEN + 2);
  inner.writeUInt16BE(UDP_LEN, IPV4_LEN + 4);
  if (wish.tunnelFrom === undefined && wish.tunnelTo === undefined) return inner;
  const [source, destination] = [parseIpv6(wish.tunnelFrom ?? ''), parseIpv6(wish.tunnelTo ?? '')];
  if (!source || !destination) throw usageFailure('expected --tunnel-from and --tunnel-to with an IPv6 address each');
  const outer = Buffer.alloc(8);
  outer[0] = 0x60;
  outer.writeUInt16BE(inner.length, 4);
  outer.writeUInt16BE(0x0440, 6);
  return Buffer.concat([outer, source, destination, inner]);
}

/** RFC 1071. */
function checksum(octets: Buffer): number {
  let sum = 0;
  for (let at = 0; at < octets.length; at += 2) sum += octets.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return 0xffff - sum;
}

/** Addresses, protocol and ports or ICMP type of a packet, or of what its first octets show. */
export function describePacket(octets: Uint8Array): string {
  const packet = Buffer.from(octets);
  const version = (packet[0] ?? 0) >>> 4;
  if (version === 4 && packet.length >= IPV4_LEN) {
    const [source, destination] = [packet.readUInt32BE(12), packet.readUInt32BE(16)];
    const protocol = packet[9] ?? 0;
    const name = PROTOCOLS[protocol] ?? `protocol ${protocol}`;
    const isLater = (packet.readUInt16BE(6) & OFFSET_MASK) !== 0;
    const payload = packet.subarray(((packet[0] ?? 0) & 15) * 4);
    const more = isLater ? ' later fragment' : detailOf(protocol, payload) + quoteOf(protocol, payload);
    return `${formatIpv4(source)} > ${formatIpv4(destination)} ${name}${more}`;
  }
  if (version === 6 && packet.length >= IPV6_LEN) {
    const ends = `${formatIpv6(packet, 8)} > ${formatIpv6(packet, 24)}`;
    const { next, at, isLater } = behindExtensions(packet);
    if (isLater) return `${ends} later fragment`;
    const inner = packet.subarray(at);
    if (next === ICMPV6) return `${ends} ICMPv6${detailOf(ICMPV6, inner)}${quoteOf(ICMPV6, inner)}`;
    if (next !== IN_TUNNEL) return `${ends} next header ${next}`;
    return inner.length < IPV4_LEN ? `${ends} IPv4` : `${ends} [${describePacket(inner)}]`;
  }
  return `${packet.length === 1 ? 'one octet that is' : `${packet.length} octets that are`} no IP packet`;
}

/** Type and code of an ICMP message, or ports, as far as they are there. */
function detailOf(protocol: number, payload: Buffer): string {
  if (payload.length < 4) return '';
  if (protocol === ICMP || protocol === ICMPV6) return ` ${payload[0]}/${payload[1]}`;
  return WITH_PORTS.includes(protocol) ? ` ${payload.readUInt16BE(0)} > ${payload.readUInt16BE(2)}` : '';
}

/** What an ICMP error is about, as far as it is there: the MTU of a link, and the packet that it quotes. */
function quoteOf(protocol: number, message: Buffer): string {
  const [type = 0, code = 0] = message;
  const isIcmpv6 = protocol === ICMPV6;
  const isError = isIcmpv6 ? type < FIRST_INFORMATIONAL : protocol === ICMP && ICMP_ERRORS.includes(type);
  if (!isError || message.length < ICMP_LEN) return '';
  const isTooBig = isIcmpv6 ? type === PACKET_TOO_BIG : type === UNREACHABLE && code === FRAGMENTATION_NEEDED;
  const mtu = isIcmpv6 ? message.readUInt32BE(4) : message.readUInt16BE(6);
  const quote = message.subarray(ICMP_LEN);
  const hasHeader = quote.length >= (isIcmpv6 ? IPV6_LEN : IPV4_LEN) && (quote[0] ?? 0) >>> 4 === (isIcmpv6 ? 6 : 4);
  return (isTooBig ? ` with MTU ${mtu}` : '') + (hasHeader ? ` about ${describePacket(quote)}` : '');
}

/** What follows the extension headers of an IPv6 packet, as far as they are there (RFC 8200 §4), and where. */
function behindExtensions(packet: Buffer): { readonly next: number; readonly at: number; readonly isLater: boolean } {
  let next = packet[6] ?? 0;
  let at = IPV6_LEN;
  while (EXTENSIONS.includes(next) && at + 8 <= packet.length) {
    const isFragment = next === FRAGMENT;
    if (isFragment && packet.readUInt16BE(at + 2) >= 8) return { next, at, isLater: true };
    next = packet[at] ?? 0;
    at += isFragment ? 8 : ((packet[at + 1] ?? 0) + 1) * 8;
  }
  return { next, at, isLater: false };
}
