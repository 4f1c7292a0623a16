/**
 * The IPv6 fragment header (RFC 8200 §4.5).
 *
 *     |  Next Header  |   Reserved    |      Fragment Offset    |Res|M|
 *     |                         Identification                        |
 *
 * The extension walk has seen that its eight octets are there.
 */

import { setU8, setU16, setU32, u8, u16, u32 } from './octets.ts';

export const FRAGMENT_HEADER_LEN = 8;
/** Where the offset stands in the header: a pointer of ICMPv6 goes there. */
export const FRAGMENT_OFFSET = 2;

export function fragmentNextHeader(buf: Uint8Array, at: number): number {
  return u8(buf, at);
}

/** Offset of this fragment's data in the fragmentable part, in octets. */
export function fragmentOffset(buf: Uint8Array, at: number): number {
  return u16(buf, at + FRAGMENT_OFFSET) & 0xfff8;
}

export function moreFragments(buf: Uint8Array, at: number): boolean {
  return (u8(buf, at + 3) & 1) !== 0;
}

export function identification(buf: Uint8Array, at: number): number {
  return u32(buf, at + 4);
}

/** Writes the header; `offset` in octets, a multiple of eight. */
export function writeFragmentHeader(
  buf: Uint8Array,
  at: number,
  nextHeader: number,
  offset: number,
  more: boolean,
  id: number,
): void {
  setU8(buf, at, nextHeader);
  setU8(buf, at + 1, 0);
  setU16(buf, at + FRAGMENT_OFFSET, offset | (more ? 1 : 0));
  setU32(buf, at + 4, id);
}
