/**
 * What stands for the ports of an IPv4 packet where addresses are shared (RFC 7596 §8.1):
 *
 *     TCP, UDP, DCCP, SCTP, UDP-Lite    source and destination port: the first four octets of each of their headers
 *     ICMP echo and echo reply          the identifier, as both
 *     ICMP errors                       the ports of the packet they quote, which went the other way (RFC 5508 REQ-3)
 *
 * Anything else has none.
 */

import { ALL_ONES, addOctets } from './wire/checksum.ts';
import { ICMPV4_ECHO_REPLY, ICMPV4_ECHO_REQUEST, ICMPV4_HEADER_LEN, isIcmpv4Error } from './wire/icmpv4.ts';
import * as ipv4 from './wire/ipv4.ts';
import { u8, u16 } from './wire/octets.ts';

/** The ports are known. */
export const PORTS_FOUND = 0;
/** The packet has none. */
export const PORTS_NONE = 1;
/** An ICMP message that is not whole or has a wrong checksum. */
export const PORTS_BAD_ICMP = 2;

/** Ports of the packet in hand; one record is reused for every packet. */
export interface Ports {
  source: number;
  destination: number;
  /** Offset of the packet that an ICMP error quotes; 0 when it is none. */
  quote: number;
}

const PORTS_LEN = 4;
const ICMP_ID_AT = 4;
const IDENTIFIED_LEN = 6;
const MORE_OR_OFFSET = 0xff3f0000 | 0;

/** Protocols whose header begins with source and destination port. */
function hasPorts(protocol: number): boolean {
  return protocol === 6 || protocol === 17 || protocol === 33 || protocol === 132 || protocol === 136;
}

/**
 * Finds the ports of the IPv4 packet at `at`, which is whole or a first fragment (see `isIpv4`), and leaves them in
 * `ports`; PORTS_FOUND, PORTS_NONE or PORTS_BAD_ICMP.
 */
export function findPorts(buf: Uint8Array, at: number, ports: Ports): number {
  ports.quote = 0;
  const message = at + ipv4.headerLength(buf, at);
  const len = at + ipv4.totalLength(buf, at) - message;
  if (ipv4.protocol(buf, at) !== ipv4.PROTOCOL_ICMP)
    return plainPorts(buf, ipv4.protocol(buf, at), message, len, ports);
  if (len < ICMPV4_HEADER_LEN) return PORTS_BAD_ICMP;
  // A fragment does not hold all that the checksum covers.
  if (!ipv4.isFragment(buf, at) && addOctets(0, buf, message, len) !== ALL_ONES) return PORTS_BAD_ICMP;
  if (isIcmpv4Error(buf, message)) return quotedPorts(buf, message + ICMPV4_HEADER_LEN, len - ICMPV4_HEADER_LEN, ports);
  return identifier(buf, message, ports);
}

/** Ports of a transport header of `len` octets at `at`. */
function plainPorts(buf: Uint8Array, protocol: number, at: number, len: number, ports: Ports): number {
  if (!hasPorts(protocol) || len < PORTS_LEN) return PORTS_NONE;
  ports.source = u16(buf, at);
  ports.destination = u16(buf, at + 2);
  return PORTS_FOUND;
}

/** The identifier of the echo message at `at`, at least six octets of it. */
function identifier(buf: Uint8Array, at: number, ports: Ports): number {
  const type = u8(buf, at);
  if (type !== ICMPV4_ECHO_REQUEST && type !== ICMPV4_ECHO_REPLY) return PORTS_NONE;
  ports.source = u16(buf, at + ICMP_ID_AT);
  ports.destination = ports.source;
  return PORTS_FOUND;
}

/**
 * Ports of the packet that an error quotes in `len` octets at `quote`, turned round. The quote may end anywhere behind
 * its header and the ports; its options are passed over.
 */
function quotedPorts(buf: Uint8Array, quote: number, len: number, ports: Ports): number {
  if (len < ipv4.IPV4_HEADER_LEN || u8(buf, quote) >>> 4 !== 4) return PORTS_BAD_ICMP;
  const header = ipv4.headerLength(buf, quote);
  if (header < ipv4.IPV4_HEADER_LEN || header > len) return PORTS_BAD_ICMP;
  if (ipv4.fragmentOffset(buf, quote) !== 0) return PORTS_NONE;
  const found = quotedMessage(buf, quote, quote + header, len - header, ports);
  const { source } = ports;
  ports.source = ports.destination;
  ports.destination = source;
  ports.quote = quote;
  return found;
}

/**
 * Ports of a packet of this device that another one quotes in `len` octets at `quote`, its header whole in them; as
 * `findPorts`, but an ICMP error has none.
 */
export function findPortsOfQuote(buf: Uint8Array, quote: number, len: number, ports: Ports): number {
  ports.quote = 0;
  if (ipv4.fragmentOffset(buf, quote) !== 0) return PORTS_NONE;
  const header = ipv4.headerLength(buf, quote);
  return quotedMessage(buf, quote, quote + header, len - header, ports);
}

function quotedMessage(buf: Uint8Array, quote: number, message: number, len: number, ports: Ports): number {
  const protocol = ipv4.protocol(buf, quote);
  if (protocol !== ipv4.PROTOCOL_ICMP) return plainPorts(buf, protocol, message, len, ports);
  return len < IDENTIFIED_LEN ? PORTS_NONE : identifier(buf, message, ports);
}

/**
 * For the fast path: source (`bySource`) or destination port of the IPv4 packet of `len` octets at word `w`; -1 unless
 * it has no options, is no fragment, and shows ports. Nothing else about it is checked.
 */
export function plainPort(words: Int32Array, w: number, len: number, bySource: boolean): number {
  if (((words[w] ?? 0) & 0xff) !== 0x45 || len < ipv4.IPV4_HEADER_LEN + PORTS_LEN) return -1;
  if (((words[w + 1] ?? 0) & MORE_OR_OFFSET) !== 0 || !hasPorts(((words[w + 2] ?? 0) >>> 8) & 0xff)) return -1;
  const word = words[w + 5] ?? 0;
  return bySource ? ((word & 0xff) << 8) | ((word >>> 8) & 0xff) : ((word >>> 8) & 0xff00) | (word >>> 24);
}
