/**
 * Where the inner packet of a tunnel packet begins: behind the outer header, the extension headers that an exit point passes
 * over, and the header of a first fragment, which begins with it (RFC 8200 §4.5, RFC 7112 §5).
 */

import { IPV6_HEADER_LEN, isIpv6, NEXT_HEADER_IPV4, payloadLength } from './ipv6.ts';
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
