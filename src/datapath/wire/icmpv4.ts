/**
 * ICMP for IPv4 (RFC 792), as far as the engine speaks it: echo, time exceeded, fragmentation needed (RFC 1191 §4).
 *
 *     |     Type      |     Code      |           Checksum            |
 *     |                    rest of header                             |
 */

import { ALL_ONES, addOctets, complement, updated } from './checksum.ts';
import * as ipv4 from './ipv4.ts';
import { setU8, setU16, setU32, u8, u16 } from './octets.ts';

export const ICMPV4_HEADER_LEN = 8;
export const ICMPV4_ECHO_REPLY = 0;
export const ICMPV4_UNREACHABLE = 3;
export const ICMPV4_ECHO_REQUEST = 8;
export const ICMPV4_TIME_EXCEEDED = 11;
export const CODE_HOST_UNREACHABLE = 1;
export const CODE_FRAGMENTATION_NEEDED = 4;
export const CODE_TTL_EXCEEDED = 0;
/** TTL, and hop limit, of what we answer. */
export const REPLY_TTL = 64;

/**
 * Whether the message at `at` is an error (RFC 1812 §4.3.2.7): unreachable, source quench, redirect, time exceeded,
 * parameter problem.
 */
export function isIcmpv4Error(buf: Uint8Array, at: number): boolean {
  const type = u8(buf, at);
  return type === 3 || type === 4 || type === 5 || type === 11 || type === 12;
}

/** Whether `len` octets at `at` are an echo request with a correct checksum. */
export function isIcmpv4EchoRequest(buf: Uint8Array, at: number, len: number): boolean {
  return len >= ICMPV4_HEADER_LEN && u8(buf, at) === ICMPV4_ECHO_REQUEST && addOctets(0, buf, at, len) === ALL_ONES;
}

/** Turns the echo request of `len` octets at `at` into its reply; the identifier, number and data are given back. */
export function turnIntoEchoReply(buf: Uint8Array, at: number, len: number): void {
  const before = u16(buf, at);
  setU8(buf, at, ICMPV4_ECHO_REPLY);
  const checksum = updated(u16(buf, at + 2), before, u16(buf, at));
  setU16(buf, at + 2, checksum);
  // RFC 1624 §3 rests on a message that is not all zero; a reply may be: then it would be wrong.
  if (checksum === 0) setU16(buf, at + 2, complement(addOctets(0, buf, at, len)));
}

/** Turns an echo request whose IPv4 header is at `at` into its reply, TTL and addresses included; false leaves it as it is. */
export function answerIcmpv4Echo(buf: Uint8Array, at: number): boolean {
  const message = at + ipv4.headerLength(buf, at);
  if (ipv4.protocol(buf, at) !== ipv4.PROTOCOL_ICMP || ipv4.isFragment(buf, at)) return false;
  const len = at + ipv4.totalLength(buf, at) - message;
  if (!isIcmpv4EchoRequest(buf, message, len)) return false;
  turnIntoEchoReply(buf, message, len);
  ipv4.swapAddresses(buf, at);
  ipv4.setTtl(buf, at, REPLY_TTL);
  return true;
}

/**
 * Writes the header of an error whose quote of `quoteLen` octets stands behind it. `mtu` is 0 unless fragmentation was
 * needed.
 */
export function writeIcmpv4Error(
  buf: Uint8Array,
  at: number,
  quoteLen: number,
  type: number,
  code: number,
  mtu: number,
): void {
  setU16(buf, at, (type << 8) | code);
  setU16(buf, at + 2, 0);
  setU32(buf, at + 4, mtu);
  setU16(buf, at + 2, complement(addOctets(0, buf, at, ICMPV4_HEADER_LEN + quoteLen)));
}
