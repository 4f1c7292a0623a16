/**
 * The IPv4 header (RFC 791 §3.1).
 *
 *      0                   1                   2                   3
 *     |Version|  IHL  |      TOS      |         Total Length          |
 *     |         Identification        |Flags|     Fragment Offset     |
 *     |      TTL      |    Protocol   |        Header Checksum        |
 *     |                       Source Address                          |
 *     |                    Destination Address                        |
 *     |                    Options, if IHL > 5                        |
 *
 * `isIpv4` makes every other function here safe for the same `buf` and `at`.
 */

import { addOctets, complement, sumsToOnes, updated } from './checksum.ts';
import { setU8, setU16, setU32, u8, u16, u32 } from './octets.ts';

export const IPV4_HEADER_LEN = 20;
/** Every link carries packets of so many octets (RFC 791 §3.2). */
export const IPV4_MINIMUM_MTU = 68;
export const PROTOCOL_ICMP = 1;
export const PROTOCOL_TCP = 6;
export const PROTOCOL_UDP = 17;

const OPTION_END = 0;
const OPTION_NOP = 1;
const OPTION_LSRR = 131;
const OPTION_SSRR = 137;

/**
 * Whether `len` octets at `at` hold a whole IPv4 packet: version 4, IHL of at least 5, and a total length between the
 * header's and `len`. Octets after the total length are allowed (RFC 1812 §5.2.2).
 */
export function isIpv4(buf: Uint8Array, at: number, len: number): boolean {
  if (len < IPV4_HEADER_LEN || u8(buf, at) >>> 4 !== 4) return false;
  const total = totalLength(buf, at);
  return headerLength(buf, at) >= IPV4_HEADER_LEN && headerLength(buf, at) <= total && total <= len;
}

/** Whether the header checksum is right (RFC 1812 §5.2.2); `words` are those of `buf`, and `at` is a multiple of four. */
export function hasValidChecksum(buf: Uint8Array, words: Int32Array, at: number): boolean {
  return sumsToOnes(words, at >> 2, headerLength(buf, at) >> 2);
}

export function headerLength(buf: Uint8Array, at: number): number {
  return (u8(buf, at) & 15) << 2;
}

export function tos(buf: Uint8Array, at: number): number {
  return u8(buf, at + 1);
}

export function totalLength(buf: Uint8Array, at: number): number {
  return u16(buf, at + 2);
}

export function identification(buf: Uint8Array, at: number): number {
  return u16(buf, at + 4);
}

export function dontFragment(buf: Uint8Array, at: number): boolean {
  return (u8(buf, at + 6) & 0x40) !== 0;
}

/** Whether a packet does not fit a tunnel of `payloadMtu` and must not be fragmented (RFC 2473 §7.2). */
export function isTooBig(buf: Uint8Array, at: number, payloadMtu: number): boolean {
  return totalLength(buf, at) > payloadMtu && dontFragment(buf, at);
}

/** Whether this is a piece of a larger packet: more fragments follow, or others came before. */
export function isFragment(buf: Uint8Array, at: number): boolean {
  return (u16(buf, at + 6) & 0x3fff) !== 0;
}

/** Offset of this fragment in units of eight octets; 0 in a whole packet and in a first fragment. */
export function fragmentOffset(buf: Uint8Array, at: number): number {
  return u16(buf, at + 6) & 0x1fff;
}

export function ttl(buf: Uint8Array, at: number): number {
  return u8(buf, at + 8);
}

export function protocol(buf: Uint8Array, at: number): number {
  return u8(buf, at + 9);
}

export function source(buf: Uint8Array, at: number): number {
  return u32(buf, at + 12);
}

export function destination(buf: Uint8Array, at: number): number {
  return u32(buf, at + 16);
}

/** Swaps source and destination; the checksum stays right. */
export function swapAddresses(buf: Uint8Array, at: number): void {
  const from = source(buf, at);
  setU32(buf, at + 12, destination(buf, at));
  setU32(buf, at + 16, from);
}

/** Writes a TTL and corrects the header checksum. */
export function setTtl(buf: Uint8Array, at: number, value: number): void {
  const word = u16(buf, at + 8);
  setU8(buf, at + 8, value);
  setU16(buf, at + 10, updated(u16(buf, at + 10), word, u16(buf, at + 8)));
}

/** Writes a TOS octet (DSCP and ECN) and corrects the header checksum. */
export function setTos(buf: Uint8Array, at: number, value: number): void {
  const word = u16(buf, at);
  setU8(buf, at + 1, value);
  setU16(buf, at + 10, updated(u16(buf, at + 10), word, u16(buf, at)));
}

/** Writes the checksum of the header as it is now; `words` are those of `buf`, and `at` is a multiple of four. */
export function setHeaderChecksum(buf: Uint8Array, words: Int32Array, at: number): void {
  const w = at >> 2;
  const count = headerLength(buf, at) >> 2;
  // The field itself is left out: the upper half of word 2.
  let sum = (words[w + 2] ?? 0) & 0xffff;
  for (let i = 0; i < count; i++) {
    const word = i === 2 ? 0 : (words[w + i] ?? 0);
    sum += (word & 0xffff) + (word >>> 16);
  }
  // The order of the octets in a word does not matter to the sum (RFC 1071 §2 (B)).
  words[w + 2] = ((words[w + 2] ?? 0) & 0xffff) | (complement(sum) << 16);
}

/**
 * Writes a header without options, identification 0, DF set (RFC 6864 §4.1: an atomic packet), and its checksum.
 * `length` is the total length.
 */
export function writeIpv4(
  buf: Uint8Array,
  at: number,
  length: number,
  tosOctet: number,
  ttlOctet: number,
  protocolOctet: number,
  sourceAddress: number,
  destinationAddress: number,
): void {
  setU16(buf, at, 0x4500 | tosOctet);
  setU16(buf, at + 2, length);
  setU32(buf, at + 4, 0x4000);
  setU16(buf, at + 8, (ttlOctet << 8) | protocolOctet);
  setU16(buf, at + 10, 0);
  setU32(buf, at + 12, sourceAddress);
  setU32(buf, at + 16, destinationAddress);
  setU16(buf, at + 10, complement(addOctets(0, buf, at, IPV4_HEADER_LEN)));
}

/**
 * Whether the options contain a loose or strict source route (RFC 791 §3.1; dropped as RFC 7126 §4.3 and §4.4 advise).
 */
export function hasSourceRoute(buf: Uint8Array, at: number): boolean {
  const end = at + headerLength(buf, at);
  let option = at + IPV4_HEADER_LEN;
  while (option < end) {
    const type = u8(buf, option);
    if (type === OPTION_END) return false;
    if (type === OPTION_LSRR || type === OPTION_SSRR) return true;
    option += type === OPTION_NOP ? 1 : optionLength(buf, option, end);
  }
  return false;
}

/** Length of the option at `option`; a length that cannot be makes it the last one. */
function optionLength(buf: Uint8Array, option: number, end: number): number {
  const length = option + 1 < end ? u8(buf, option + 1) : 0;
  return length < 2 ? end - option : length;
}
