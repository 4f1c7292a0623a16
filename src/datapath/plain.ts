/**
 * What a plain packet is: one whose headers hold nothing but what almost every packet has, so that a few words decide. All
 * else is for the slow path. `w` is the word of a packet's first octet.
 */

export const OUTER_LEN = 40;
export const OUTER_WORDS = 10;
/** Words of an IPv4 header from its first: source and destination. */
export const SOURCE_WORD = 3;
export const DESTINATION_WORD = 4;
const IPV4_LEN = 20;
const NEXT_HEADER_IPV4 = 4;

/** IPv6 with payload of exactly the received length and IPv4 right behind the header. */
export function isPlainOuter(words: Int32Array, w: number, len: number): boolean {
  const word1 = words[w + 1] ?? 0;
  const payload = ((word1 & 0xff) << 8) | ((word1 >>> 8) & 0xff);
  return (
    payload === len - OUTER_LEN && ((word1 >>> 16) & 0xff) === NEXT_HEADER_IPV4 && (((words[w] ?? 0) >>> 4) & 15) === 6
  );
}

/** IPv4 without options, of exactly `len` octets, with a correct checksum, between addresses of hosts. */
export function isPlainIpv4(words: Int32Array, w: number, len: number): boolean {
  const word0 = words[w] ?? 0;
  if (len < IPV4_LEN || (word0 & 0xff) !== 0x45) return false;
  if ((((word0 >>> 8) & 0xff00) | (word0 >>> 24)) !== len) return false;
  // Written out: a loop of a length that is not known here costs the fast path some nanoseconds.
  let sum = 0;
  for (let i = 0; i < 5; i++) {
    const word = words[w + i] ?? 0;
    sum += (word & 0xffff) + (word >>> 16);
  }
  sum = (sum & 0xffff) + (sum >>> 16);
  sum = (sum & 0xffff) + (sum >>> 16);
  return sum === 0xffff && isHost(words[w + SOURCE_WORD] ?? 0) && isHost(words[w + DESTINATION_WORD] ?? 0);
}

/** 169.254 as the first half of an address word. */
const LINK_LOCAL = 0xfea9;

/** Whether an address word is not martian (RFC 1812 §5.3.7, RFC 3927 §7). */
export function isHost(word: number): boolean {
  const first = word & 0xff;
  return first !== 0 && first !== 127 && first < 224 && (word & 0xffff) !== LINK_LOCAL;
}
