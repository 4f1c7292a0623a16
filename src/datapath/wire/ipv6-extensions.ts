/**
 * IPv6 extension headers before the inner packet (RFC 8200 §4): hop-by-hop options right behind the IPv6 header,
 * destination options, routing headers with nothing left to visit, and atomic fragments (RFC 6946) are passed over; the
 * walk ends at anything else.
 *
 *     |  Next Header  |  Hdr Ext Len  |  options ...                  |      hop-by-hop, destination options
 *     |  Next Header  |  Hdr Ext Len  |  Routing Type | Segments Left |      routing
 *     |  Next Header  |   Reserved    |  Fragment Offset        |Res|M|      fragment, then Identification
 */

import {
  IPV6_HEADER_LEN,
  IPV6_NEXT_HEADER,
  NEXT_HEADER_DESTINATION,
  NEXT_HEADER_FRAGMENT,
  NEXT_HEADER_HOP_BY_HOP,
  NEXT_HEADER_ROUTING,
  nextHeader,
  payloadLength,
} from './ipv6.ts';
import { setU16, u8, u16 } from './octets.ts';

/** How a walk ended. */
export const WALK_DONE = 0;
export const WALK_TRUNCATED = 1;
export const WALK_UNKNOWN_OPTION = 2;
export const WALK_SEGMENTS_LEFT = 3;
export const WALK_FRAGMENT = 4;
export const WALK_LIMIT = 5;

/**
 * Headers and options that a walk passes over: without a limit a packet could be filled with them, and cost fifty good ones. RFC
 * 8504 §5.3 lets a host limit their number, and discard in silence; what is sent in earnest has a few.
 */
export const MOST_STEPS = 64;

const OPTION_PAD1 = 0;
const OPTION_PADN = 1;
/**
 * Tunnel Encapsulation Limit (RFC 2473 §4.1.1): says how deep tunnels may nest; an exit point has nothing to do with
 * it.
 */
const OPTION_TUNNEL_LIMIT = 4;
export const ENCAPSULATION_LIMIT_LEN = 8;
/** The two high bits of an option type say what a node that does not know it does; 00 is "skip" (RFC 8200 §4.2). */
const OPTION_ACTION = 0xc0;

/** Where a walk ended; one record is reused for every packet. */
export interface Walk {
  /** One of the WALK_ numbers. */
  end: number;
  /** First header that is not passed over, and the offset of its first octet. */
  nextHeader: number;
  at: number;
  /** What a Parameter Problem would point at: the field that names nextHeader, an unknown option, a routing type. */
  field: number;
  /** Headers and options on the way. */
  steps: number;
}

export function newWalk(): Walk {
  return { end: WALK_DONE, nextHeader: 0, at: 0, field: 0, steps: 0 };
}

/** Walks the extension headers of the packet at `at`, which `isIpv6` has accepted, and leaves the result in `walk`. */
export function walkExtensions(buf: Uint8Array, at: number, walk: Walk): void {
  walk.nextHeader = nextHeader(buf, at);
  walk.at = at + IPV6_HEADER_LEN;
  walk.field = at + IPV6_NEXT_HEADER;
  walk.steps = 0;
  walk.end = WALK_DONE;
  const end = at + IPV6_HEADER_LEN + payloadLength(buf, at);
  if (walk.nextHeader === NEXT_HEADER_HOP_BY_HOP) pass(buf, end, walk);
  if (walk.end === WALK_DONE) passAll(buf, end, walk);
}

/**
 * Walks from the header that `walk` names, which is not the first one, up to `end`. Hop-by-hop options have no place
 * there (RFC 8200 §4): the walk is done at them, as at any header that is not known.
 */
export function continueWalk(buf: Uint8Array, end: number, walk: Walk): void {
  walk.steps = 0;
  walk.end = WALK_DONE;
  passAll(buf, end, walk);
}

function passAll(buf: Uint8Array, end: number, walk: Walk): void {
  while (walk.end === WALK_DONE && isExtension(walk.nextHeader)) pass(buf, end, walk);
}

function isExtension(header: number): boolean {
  return header === NEXT_HEADER_DESTINATION || header === NEXT_HEADER_ROUTING || header === NEXT_HEADER_FRAGMENT;
}

/** Passes over one extension header, or says in `walk.end` why not. */
function pass(buf: Uint8Array, end: number, walk: Walk): void {
  const { at } = walk;
  if (++walk.steps > MOST_STEPS) walk.end = WALK_LIMIT;
  else if (at + 8 > end) walk.end = WALK_TRUNCATED;
  if (walk.end !== WALK_DONE) return;
  const length = walk.nextHeader === NEXT_HEADER_FRAGMENT ? 8 : (u8(buf, at + 1) + 1) * 8;
  if (at + length > end) walk.end = WALK_TRUNCATED;
  else if (walk.nextHeader === NEXT_HEADER_FRAGMENT)
    walk.end = (u16(buf, at + 2) & 0xfff9) === 0 ? WALK_DONE : WALK_FRAGMENT;
  else if (walk.nextHeader === NEXT_HEADER_ROUTING) walkRouting(buf, at, walk);
  else walkOptions(buf, at + 2, at + length, walk);
  if (walk.end !== WALK_DONE) return;
  walk.field = at;
  walk.nextHeader = u8(buf, at);
  walk.at = at + length;
}

/**
 * Writes the destination options header with a Tunnel Encapsulation Limit of `limit` (RFC 2473 §5.1), before `next`; its eight
 * octets:
 *
 *     |  Next Header  |  Hdr Ext Len  |   Type = 4    |  Length = 1   |
 *     |     Limit     | PadN type = 1 |  Length = 1   |       0       |
 */
export function writeEncapsulationLimit(buf: Uint8Array, at: number, next: number, limit: number): void {
  setU16(buf, at, next << 8);
  setU16(buf, at + 2, (OPTION_TUNNEL_LIMIT << 8) | 1);
  setU16(buf, at + 4, (limit << 8) | OPTION_PADN);
  setU16(buf, at + 6, 1 << 8);
}

function walkRouting(buf: Uint8Array, at: number, walk: Walk): void {
  if (u8(buf, at + 3) === 0) return;
  walk.end = WALK_SEGMENTS_LEFT;
  walk.field = at + 2;
}

function walkOptions(buf: Uint8Array, first: number, end: number, walk: Walk): void {
  let at = first;
  while (at < end) {
    if (++walk.steps > MOST_STEPS) {
      walk.end = WALK_LIMIT;
      return;
    }
    const type = u8(buf, at);
    if (type === OPTION_PAD1) {
      at++;
      continue;
    }
    const known = type === OPTION_PADN || type === OPTION_TUNNEL_LIMIT;
    if (at + 2 > end || at + 2 + u8(buf, at + 1) > end) walk.end = WALK_TRUNCATED;
    else if (!known && (type & OPTION_ACTION) !== 0) {
      walk.end = WALK_UNKNOWN_OPTION;
      walk.field = at;
    }
    if (walk.end !== WALK_DONE) return;
    at += 2 + u8(buf, at + 1);
  }
}
