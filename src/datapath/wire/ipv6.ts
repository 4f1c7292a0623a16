/**
 * The IPv6 header (RFC 8200 §3).
 *
 *     |Version| Traffic Class |              Flow Label               |
 *     |         Payload Length        |  Next Header  |   Hop Limit   |
 *     |                 Source Address, 16 octets                     |
 *     |               Destination Address, 16 octets                  |
 *
 * `isIpv6` makes every other function here safe for the same `buf` and `at`.
 */

import { setU16, setU32, u8, u16, u32 } from './octets.ts';

export const IPV6_HEADER_LEN = 40;
/** Every link carries packets of so many octets (RFC 8200 §5). */
export const IPV6_MINIMUM_MTU = 1_280;
export const IPV6_NEXT_HEADER = 6;
export const IPV6_SOURCE = 8;
export const IPV6_DESTINATION = 24;

export const NEXT_HEADER_HOP_BY_HOP = 0;
export const NEXT_HEADER_IPV4 = 4;
export const NEXT_HEADER_ROUTING = 43;
export const NEXT_HEADER_FRAGMENT = 44;
export const NEXT_HEADER_ICMPV6 = 58;
export const NEXT_HEADER_NONE = 59;
export const NEXT_HEADER_DESTINATION = 60;

/**
 * Whether `len` octets at `at` hold a whole IPv6 packet: a full header, version 6, and at least the announced payload.
 * Octets after the payload are allowed. Call it before any other function here.
 */
export function isIpv6(buf: Uint8Array, at: number, len: number): boolean {
  return len >= IPV6_HEADER_LEN && u8(buf, at) >>> 4 === 6 && payloadLength(buf, at) <= len - IPV6_HEADER_LEN;
}

export function trafficClass(buf: Uint8Array, at: number): number {
  return (u16(buf, at) >>> 4) & 255;
}

export function payloadLength(buf: Uint8Array, at: number): number {
  return u16(buf, at + 4);
}

export function nextHeader(buf: Uint8Array, at: number): number {
  return u8(buf, at + 6);
}

export function setNextHeader(buf: Uint8Array, at: number, value: number): void {
  buf[at + 6] = value;
}

export function hopLimit(buf: Uint8Array, at: number): number {
  return u8(buf, at + 7);
}

/** Writes version, traffic class and flow label, payload length, next header and hop limit; the addresses stay. */
export function writeIpv6Fields(
  buf: Uint8Array,
  at: number,
  trafficClassOctet: number,
  label: number,
  length: number,
  nextHeaderOctet: number,
  hopLimitOctet: number,
): void {
  setU32(buf, at, ((6 << 28) | (trafficClassOctet << 20) | label) >>> 0);
  setU16(buf, at + 4, length);
  setU16(buf, at + 6, (nextHeaderOctet << 8) | hopLimitOctet);
}

/** Swaps source and destination. */
export function swapAddresses(buf: Uint8Array, at: number): void {
  for (let i = 0; i < 16; i += 4) {
    const from = u32(buf, at + IPV6_SOURCE + i);
    setU32(buf, at + IPV6_SOURCE + i, u32(buf, at + IPV6_DESTINATION + i));
    setU32(buf, at + IPV6_DESTINATION + i, from);
  }
}

/** Whether the 16 octets at `at` and those at `otherAt` of another buffer are the same address. */
export function sameAddress(buf: Uint8Array, at: number, other: Uint8Array, otherAt: number): boolean {
  for (let i = 0; i < 16; i += 4) if (u32(buf, at + i) !== u32(other, otherAt + i)) return false;
  return true;
}

/** 32 bits that stand for the address at `at` where its sender may choose it: no more than a name of a slot. */
export function addressHash(buf: Uint8Array, at: number): number {
  let hash = 0;
  for (let i = 0; i < 16; i += 4) hash = Math.imul(hash ^ u32(buf, at + i), 0x9e3779b1) ^ (hash >>> 13);
  return hash;
}

export function isMulticast(buf: Uint8Array, at: number): boolean {
  return u8(buf, at) === 0xff;
}

export function isLinkLocal(buf: Uint8Array, at: number): boolean {
  return (u16(buf, at) & 0xffc0) === 0xfe80;
}

/** Unspecified or loopback (RFC 4291 §2.5.2, §2.5.3). */
export function isUnspecifiedOrLoopback(buf: Uint8Array, at: number): boolean {
  return u32(buf, at) === 0 && u32(buf, at + 4) === 0 && u32(buf, at + 8) === 0 && u32(buf, at + 12) <= 1;
}

/** An address no packet of a softwire may come from: nothing is answered to it (RFC 4443 §2.4 e.6). */
export function isMartianSource(buf: Uint8Array, at: number): boolean {
  return isMulticast(buf, at) || isLinkLocal(buf, at) || isUnspecifiedOrLoopback(buf, at);
}
