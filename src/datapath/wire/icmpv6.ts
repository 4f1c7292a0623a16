/**
 * ICMPv6 (RFC 4443 §2.1), as far as the engine speaks it: echo, and the types that only belong to a link.
 *
 *     |     Type      |     Code      |          Checksum             |
 *     |                    rest of message                            |
 *
 * The checksum covers a pseudo-header of addresses, length and next header (RFC 8200 §8.1).
 */

import { ALL_ONES, addOctets, updated } from './checksum.ts';
import { IPV6_SOURCE, NEXT_HEADER_ICMPV6 } from './ipv6.ts';
import { setU8, setU16, u8, u16 } from './octets.ts';

export const ICMPV6_HEADER_LEN = 8;
export const ICMPV6_ECHO_REQUEST = 128;
export const ICMPV6_ECHO_REPLY = 129;
const FIRST_LINK_TYPE = 130;
const LAST_LINK_TYPE = 137;
const MLDV2_REPORT = 143;

/**
 * Whether the message at `at` belongs to a link: multicast listener (RFC 2710, 3810) or neighbour discovery (RFC 4861).
 */
export function isLinkMessage(buf: Uint8Array, at: number): boolean {
  const type = u8(buf, at);
  return (type >= FIRST_LINK_TYPE && type <= LAST_LINK_TYPE) || type === MLDV2_REPORT;
}

/**
 * Whether the `len` octets at `at`, in the packet whose IPv6 header is at `headerAt`, are an echo request with a
 * correct checksum.
 */
export function isIcmpv6EchoRequest(buf: Uint8Array, headerAt: number, at: number, len: number): boolean {
  if (len < ICMPV6_HEADER_LEN || u8(buf, at) !== ICMPV6_ECHO_REQUEST) return false;
  const pseudo = addOctets(len + NEXT_HEADER_ICMPV6, buf, headerAt + IPV6_SOURCE, 32);
  return addOctets(pseudo, buf, at, len) === ALL_ONES;
}

/** Turns the echo request at `at` into its reply; swapping the addresses does not change the checksum. */
export function turnIntoIcmpv6EchoReply(buf: Uint8Array, at: number): void {
  const before = u16(buf, at);
  setU8(buf, at, ICMPV6_ECHO_REPLY);
  setU16(buf, at + 2, updated(u16(buf, at + 2), before, u16(buf, at)));
}
