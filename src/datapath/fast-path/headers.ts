/**
 * What a plain packet is: one whose headers hold nothing but what almost every packet has, so that a few words decide. All else is
 * for the slow path.
 */

import { ownFilter } from './places.ts';

/** Octets of the headers without options. */
export const OUTER_LEN: u32 = 40;
export const IPV4_LEN: u32 = 20;
/** Addresses in an IPv4 header. */
export const SOURCE: usize = 12;
export const DESTINATION: usize = 16;

const NEXT_HEADER_IPV4: u32 = 4;
const PROTOCOL_ICMP: u32 = 1;
const PROTOCOL_TCP: u32 = 6;
/** Behind an IPv4 header without options: the octet of the TCP flags. */
const TCP_FLAGS: usize = 33;
const SYN: u32 = 2;
/** 169.254 as the first half of an address. */
const LINK_LOCAL: u32 = 0xfea9;
/** As in own-addresses.ts: ten high bits of a hash name the word, the next five the bit. */
const HASH_FACTOR: u32 = 0x9e3779b1;

/** A word with its octets reversed: between a number and what a packet holds. */
export function swap(word: u32): u32 {
  return (rotl<u32>(word, 8) & 0x00ff00ff) | (rotr<u32>(word, 8) & 0xff00ff00);
}

/** IPv6 with payload of exactly the received length and IPv4 right behind the header. */
export function isPlainOuter(packet: usize, len: u32): bool {
  const word1 = load<u32>(packet, 4);
  const payload = ((word1 & 0xff) << 8) | ((word1 >> 8) & 0xff);
  return (
    payload === len - OUTER_LEN && ((word1 >> 16) & 0xff) === NEXT_HEADER_IPV4 && (load<u8>(packet) & 0xf0) === 0x60
  );
}

/** IPv4 without options, of exactly `len` octets (as signed), more than `hops` hops left, a correct checksum, between hosts. */
export function isPlainIpv4(ip: usize, len: u32, hops: u32): bool {
  const word0 = load<u32>(ip);
  if ((word0 & 0xff) !== 0x45 || <i32>len < <i32>IPV4_LEN) return false;
  if ((((word0 >> 8) & 0xff00) | (word0 >> 24)) !== len) return false;
  const source = load<u32>(ip, SOURCE);
  const destination = load<u32>(ip, DESTINATION);
  const word2 = load<u32>(ip, 8);
  const sum = <u64>word0 + <u64>load<u32>(ip, 4) + <u64>word2 + <u64>source + <u64>destination;
  // The high half of a word and itself turned round is the sum of its halves with their carry. Where the carry of the addition before
  // is lost, the word is small, and the answer no.
  const folded = <u32>sum + <u32>(sum >> 32);
  if (folded + rotl<u32>(folded, 16) < 0xffff0000) return false;
  return (word2 & 0xff) > hops && isHost(source) && isHost(destination);
}

/** Whether an address is not martian (RFC 1812 §5.3.7, RFC 3927 §7). */
function isHost(address: u32): bool {
  const octet = address & 0xff;
  return octet - 1 < 223 && octet !== 127 && (address & 0xffff) !== LINK_LOCAL;
}

/** Whether an address of the packet may be one that ends here; then own-addresses.ts knows. */
export function mayTouchOwn(ip: usize): bool {
  return ((filterOf(load<u32>(ip, SOURCE)) | filterOf(load<u32>(ip, DESTINATION))) & 1) !== 0;
}

function filterOf(address: u32): u32 {
  const hash = address * HASH_FACTOR;
  return load<u32>(ownFilter + ((hash >> 22) << 2)) >> (hash >> 17);
}

export function isIcmp(ip: usize): bool {
  return load<u8>(ip, 9) === PROTOCOL_ICMP;
}

/** Whether a packet without options may be a TCP SYN; of a later fragment it does not matter. */
export function isTcpSyn(ip: usize): bool {
  return load<u8>(ip, 9) === PROTOCOL_TCP && (load<u8>(ip, TCP_FLAGS) & SYN) !== 0;
}

/** Makes the TOS octet another one, and the checksum right for it (RFC 1624). */
export function setTos(ip: usize, tos: u32): void {
  const word0 = load<u32>(ip);
  const word2 = load<u32>(ip, 8);
  const changed = (word0 & 0xffff00ff) | (tos << 8);
  let sum = (~word2 >> 16) + (~word0 & 0xffff) + (changed & 0xffff);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  store<u32>(ip, changed);
  store<u32>(ip, (word2 & 0xffff) | (~sum << 16), 8);
}
