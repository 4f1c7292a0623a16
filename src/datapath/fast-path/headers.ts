/**
 * What a plain packet is: one whose headers hold nothing but what almost every packet has, so that a few words decide. All else is
 * for the slow path.
 */

import {
  NO_HOSTS,
  OWN_BIT_SHIFT,
  OWN_FILTER_WORDS,
  OWN_HASH_FACTOR,
  OWN_PLACE_SHIFT,
  OWN_PLACES,
  OWN_WORD_SHIFT,
} from '../layout.ts';
import { ownFilter } from './places.ts';

/** Octets of the headers without options. */
export const OUTER_LEN: u32 = 40;
export const IPV4_LEN: u32 = 20;
/** The source in an IPv6 header. */
export const OUTER_SOURCE: usize = 8;
/** Addresses in an IPv4 header. */
export const SOURCE: usize = 12;
export const DESTINATION: usize = 16;

/** Octets of the longest packet. */
export const MOST: u32 = 65_535;
/** First word of an IPv4 header without options, apart from TOS and length. */
export const IPV4_START: u32 = 0x45;
export const IPV4_START_MASK: u32 = 0xffff00ff;
export const NEXT_HEADER_IPV4: u32 = 4;
/** Addresses that no host has (RFC 1812 §5.3.7, RFC 3927 §7): first octet 0, 127, 224 and more; and 169.254. */
export const LOOPBACK: u32 = 127;
export const MULTICAST: u32 = 224;
export const LINK_LOCAL: u32 = 0xfea9;
export const LINK_LOCAL_MASK: u32 = 0xffff;
const PROTOCOL_ICMP: u32 = 1;
const PROTOCOL_TCP: u32 = 6;
/** Behind an IPv4 header without options: the octet of the TCP flags. */
const TCP_FLAGS: usize = 33;
const SYN: u32 = 2;

/** A word with its octets reversed: between a number and what a packet holds. */
export function swap(word: u32): u32 {
  return (rotl<u32>(word, 8) & 0x00ff00ff) | (rotr<u32>(word, 8) & 0xff00ff00);
}

/** A length of at most 16 bits as two octets of a packet are in a word. */
export function lengthField(len: u32): u32 {
  return (len >> 8) | ((len & 0xff) << 8);
}

/**
 * The sum of the five words of an IPv4 header, at least 0xffff0000 when its checksum is correct, which says that the sum of all halves
 * is all ones: the high half of a word and itself turned round is the sum of its halves with their carry. Where the carry of the addition
 * before is lost, the word is small, and so is the sum.
 */
export function sumOf(word0: u32, word1: u32, word2: u32, source: u32, destination: u32): u32 {
  const sum = <u64>word0 + <u64>word1 + <u64>word2 + <u64>source + <u64>destination;
  const folded = <u32>sum + <u32>(sum >> 32);
  return folded + rotl<u32>(folded, 16);
}

/** Odd when an address may be one that ends here; then `touchesOwn` knows. */
export function filterOf(address: u32): u32 {
  const hash = address * <u32>OWN_HASH_FACTOR;
  return load<u32>(ownFilter + ((hash >> OWN_WORD_SHIFT) << 2)) >> (hash >> OWN_BIT_SHIFT);
}

/** Whether the source is an own address of one of these kinds, or the destination one of NO_HOSTS. */
export function touchesOwn(source: u32, destination: u32, sourceKinds: u32): bool {
  return ((kindsOf(source) & sourceKinds) | (kindsOf(destination) & NO_HOSTS)) !== 0;
}

/** Kinds of an address; 0 when it is none of this device's. Half of the places at least are free, which ends the search. */
function kindsOf(address: u32): u32 {
  if ((filterOf(address) & 1) === 0) return 0;
  const places = ownFilter + OWN_FILTER_WORDS * 4;
  let place: u32 = (address * <u32>OWN_HASH_FACTOR) >> OWN_PLACE_SHIFT;
  let known = load<u32>(places + (place << 3));
  while (known !== address && known !== 0) {
    place = (place + 1) & (OWN_PLACES - 1);
    known = load<u32>(places + (place << 3));
  }
  return load<u32>(places + (place << 3), 4);
}

/** Whether an address is not martian. */
export function isHost(address: u32): bool {
  const first = address & 0xff;
  return first - 1 < MULTICAST - 1 && first !== LOOPBACK && (address & LINK_LOCAL_MASK) !== LINK_LOCAL;
}

export function isIcmp(ip: usize): bool {
  return load<u8>(ip, 9) === PROTOCOL_ICMP;
}

/** Whether a packet without options may be a TCP SYN; of a later fragment it does not matter. */
export function isTcpSyn(ip: usize): bool {
  return load<u8>(ip, 9) === PROTOCOL_TCP && (load<u8>(ip, TCP_FLAGS) & SYN) !== 0;
}

/** Makes the TOS octet of a packet with these words another one, and the checksum right for it (RFC 1624). */
export function setTos(ip: usize, word0: u32, word2: u32, tos: u32): void {
  const changed = (word0 & 0xffff00ff) | (tos << 8);
  let sum = (~word2 >> 16) + (~word0 & 0xffff) + (changed & 0xffff);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  store<u32>(ip, changed);
  store<u32>(ip, (word2 & 0xffff) | (~sum << 16), 8);
}
