/**
 * ICMPv6 (RFC 4443 §2.1), as far as the engine speaks it: echo, errors, and the types that only belong to a link.
 *
 *     |     Type      |     Code      |          Checksum             |
 *     |                    rest of message                            |
 *
 * The checksum covers a pseudo-header of addresses, length and next header (RFC 8200 §8.1).
 */

import { ALL_ONES, addOctets, complement, updated } from './checksum.ts';
import {
  IPV6_HEADER_LEN,
  IPV6_SOURCE,
  NEXT_HEADER_DESTINATION,
  NEXT_HEADER_FRAGMENT,
  NEXT_HEADER_HOP_BY_HOP,
  NEXT_HEADER_ICMPV6,
  NEXT_HEADER_ROUTING,
  nextHeader,
} from './ipv6.ts';
import { setU8, setU16, setU32, u8, u16 } from './octets.ts';

export const ICMPV6_HEADER_LEN = 8;
export const ICMPV6_ECHO_REQUEST = 128;
export const ICMPV6_ECHO_REPLY = 129;
const FIRST_LINK_TYPE = 130;
const LAST_LINK_TYPE = 137;
const MLDV2_REPORT = 143;
/** Errors have types below this (RFC 4443 §2.1). */
const FIRST_INFORMATIONAL = 128;
const REDIRECT = 137;

/**
 * Whether the message at `at` belongs to a link: multicast listener (RFC 2710, 3810) or neighbour discovery (RFC 4861).
 */
export function isLinkMessage(buf: Uint8Array, at: number): boolean {
  const type = u8(buf, at);
  return (type >= FIRST_LINK_TYPE && type <= LAST_LINK_TYPE) || type === MLDV2_REPORT;
}

/** Whether a message of this type is an error. */
export function isErrorType(type: number): boolean {
  return type < FIRST_INFORMATIONAL;
}

/**
 * Whether the `len` octets at `at`, in the packet whose IPv6 header is at `headerAt`, are an echo request with a
 * correct checksum.
 */
export function isIcmpv6EchoRequest(buf: Uint8Array, headerAt: number, at: number, len: number): boolean {
  return len >= ICMPV6_HEADER_LEN && u8(buf, at) === ICMPV6_ECHO_REQUEST && hasValidSum(buf, headerAt, at, len);
}

/** The same for an error. */
export function isIcmpv6Error(buf: Uint8Array, headerAt: number, at: number, len: number): boolean {
  return len >= ICMPV6_HEADER_LEN && isErrorType(u8(buf, at)) && hasValidSum(buf, headerAt, at, len);
}

function hasValidSum(buf: Uint8Array, headerAt: number, at: number, len: number): boolean {
  return addOctets(pseudoSum(buf, headerAt, len), buf, at, len) === ALL_ONES;
}

function pseudoSum(buf: Uint8Array, headerAt: number, len: number): number {
  return addOctets(len + NEXT_HEADER_ICMPV6, buf, headerAt + IPV6_SOURCE, 32);
}

/**
 * Writes the header of an error at `at`, whose quote of `quoteLen` octets stands behind it and whose IPv6 header with
 * its addresses stands at `headerAt`. `error` is type times 256 plus code.
 */
export function writeIcmpv6Error(
  buf: Uint8Array,
  headerAt: number,
  at: number,
  quoteLen: number,
  error: number,
  parameter: number,
): void {
  const len = ICMPV6_HEADER_LEN + quoteLen;
  setU16(buf, at, error);
  setU16(buf, at + 2, 0);
  setU32(buf, at + 4, parameter);
  setU16(buf, at + 2, complement(addOctets(pseudoSum(buf, headerAt, len), buf, at, len)));
}

/**
 * Whether the IPv6 packet of `len` octets at `at` carries no ICMPv6 error and no redirect, as far as its extension
 * headers can be followed (RFC 4443 §2.4 (e.1), (e.2)). Headers are passed over whatever is in them: an error may be
 * due because of one.
 */
export function mayCauseIcmpv6Error(buf: Uint8Array, at: number, len: number): boolean {
  const end = at + len;
  let header = nextHeader(buf, at);
  let offset = at + IPV6_HEADER_LEN;
  while (offset + 8 <= end) {
    if (header === NEXT_HEADER_ICMPV6) break;
    const isFragment = header === NEXT_HEADER_FRAGMENT;
    if (isFragment && u16(buf, offset + 2) >= 8) return u8(buf, offset) !== NEXT_HEADER_ICMPV6;
    if (!isFragment && !hasLength(header)) return true;
    header = u8(buf, offset);
    offset += isFragment ? 8 : (u8(buf, offset + 1) + 1) * 8;
  }
  const type = u8(buf, offset);
  return header !== NEXT_HEADER_ICMPV6 || (offset < end && type >= FIRST_INFORMATIONAL && type !== REDIRECT);
}

/** Whether an extension header says its length in units of eight octets in its second octet. */
function hasLength(header: number): boolean {
  return header === NEXT_HEADER_HOP_BY_HOP || header === NEXT_HEADER_ROUTING || header === NEXT_HEADER_DESTINATION;
}

/** Turns the echo request at `at` into its reply; swapping the addresses does not change the checksum. */
export function turnIntoIcmpv6EchoReply(buf: Uint8Array, at: number): void {
  const before = u16(buf, at);
  setU8(buf, at, ICMPV6_ECHO_REPLY);
  setU16(buf, at + 2, updated(u16(buf, at + 2), before, u16(buf, at)));
}
