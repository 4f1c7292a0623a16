/**
 * Where the inner packet of a tunnel packet begins: behind the outer header, the extension headers that an exit point passes
 * over, and the header of a first fragment, which begins with it (RFC 8200 §4.5, RFC 7112 §5). And where it begins in what
 * an ICMPv6 error quotes of a tunnel packet (RFC 4443 §3).
 */

import { ICMPV6_HEADER_LEN } from './icmpv6.ts';
import {
  IPV6_HEADER_LEN,
  isIpv6,
  NEXT_HEADER_DESTINATION,
  NEXT_HEADER_FRAGMENT,
  NEXT_HEADER_IPV4,
  nextHeader,
  payloadLength,
} from './ipv6.ts';
import type { Walk } from './ipv6-extensions.ts';
import { continueWalk, WALK_DONE, WALK_FRAGMENT, walkExtensions } from './ipv6-extensions.ts';
import { u8, u16 } from './octets.ts';

const FRAGMENT_HEADER_LEN = 8;
const FRAGMENT_OFFSET = 0xfff8;

/**
 * Offset of the inner IPv4 packet in the IPv6 packet of `len` octets at `at`, which need not be valid; -1 when there is none,
 * or a header stands before it that must not be passed over. `walk` is overwritten.
 */
export function innerPacketAt(buf: Uint8Array, at: number, len: number, walk: Walk): number {
  if (!isIpv6(buf, at, len)) return -1;
  walkExtensions(buf, at, walk);
  if (walk.end === WALK_FRAGMENT && (u16(buf, walk.at + 2) & FRAGMENT_OFFSET) === 0) {
    walk.nextHeader = u8(buf, walk.at);
    walk.at += FRAGMENT_HEADER_LEN;
    continueWalk(buf, at + IPV6_HEADER_LEN + payloadLength(buf, at), walk);
  }
  return walk.end === WALK_DONE && walk.nextHeader === NEXT_HEADER_IPV4 ? walk.at : -1;
}

/**
 * Offset of the IPv4 packet in the tunnel packet that the ICMPv6 error at `message` quotes, up to `end`: behind the header of
 * a first fragment and destination options, whatever is in them; -1 when there is none. A quote ends anywhere, so that less
 * than a header may be there.
 */
export function quotedPacketAt(buf: Uint8Array, message: number, end: number): number {
  const quote = message + ICMPV6_HEADER_LEN;
  let at = quote + IPV6_HEADER_LEN;
  if (at > end || u8(buf, quote) >>> 4 !== 6) return -1;
  let header = nextHeader(buf, quote);
  while (header !== NEXT_HEADER_IPV4) {
    if (at + 8 > end) return -1;
    const isFragment = header === NEXT_HEADER_FRAGMENT;
    if (!isFragment && header !== NEXT_HEADER_DESTINATION) return -1;
    if (isFragment && (u16(buf, at + 2) & FRAGMENT_OFFSET) !== 0) return -1;
    header = u8(buf, at);
    at += isFragment ? FRAGMENT_HEADER_LEN : (u8(buf, at + 1) + 1) * 8;
  }
  return at;
}
