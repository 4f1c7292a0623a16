/**
 * What a plain packet is: one whose headers hold nothing but what almost every packet has, so that a few words decide. All
 * else is for the slow path. `w` is the word of a packet's first octet.
 */

const HEADER_LEN = 40;
const IPV4_LEN = 20;
const NEXT_HEADER_IPV4 = 4;
const SOURCE = 3;
const DESTINATION = 4;
export const OUTER_LEN = HEADER_LEN;
export const OUTER_WORDS = 10;
/** Words of an IPv4 header from its first: source and destination. */
export const SOURCE_WORD = SOURCE;
export const DESTINATION_WORD = DESTINATION;

/** IPv6 with payload of exactly the received length and IPv4 right behind the header. */
export function isPlainOuter(words: Int32Array, w: number, len: number): boolean {
  const word1 = words[w + 1] ?? 0;
  const payload = ((word1 & 0xff) << 8) | ((word1 >>> 8) & 0xff);
  return (
    payload === len - HEADER_LEN && ((word1 >>> 16) & 0xff) === NEXT_HEADER_IPV4 && (((words[w] ?? 0) >>> 4) & 15) === 6
  );
}

/** IPv4 without options, of exactly `len` octets, with a correct checksum, between addresses of hosts. */
export function isPlainIpv4(words: Int32Array, w: number, len: number): boolean {
  const word0 = words[w] ?? 0;
  if (len < IPV4_LEN || (word0 & 0xff) !== 0x45) return false;
  if ((((word0 >>> 8) & 0xff00) | (word0 >>> 24)) !== len) return false;
  const source = words[w + SOURCE] ?? 0;
  const destination = words[w + DESTINATION] ?? 0;
  // Written out: a loop in it would keep the loops of the fast path from being the innermost ones, which are compiled best.
  const sum =
    halves(word0) + halves(words[w + 1] ?? 0) + halves(words[w + 2] ?? 0) + halves(source) + halves(destination);
  // One carry is enough: what is left of ten halves after it is at most nine above all ones.
  return (sum & 0xffff) + (sum >>> 16) === 0xffff && isHost(source) && isHost(destination);
}

/** Sum of the halves of a word. */
function halves(word: number): number {
  return (word & 0xffff) + (word >>> 16);
}

/** Makes the TOS octet of the IPv4 packet at word `w` another one, and the checksum right for it (RFC 1624). */
export function setTosWord(words: Int32Array, w: number, tos: number): void {
  const word0 = words[w] ?? 0;
  const word2 = words[w + 2] ?? 0;
  const changed = (word0 & 0xffff00ff) | (tos << 8);
  let sum = (~word2 >>> 16) + (~word0 & 0xffff) + (changed & 0xffff);
  sum = (sum & 0xffff) + (sum >>> 16);
  sum = (sum & 0xffff) + (sum >>> 16);
  words[w] = changed;
  words[w + 2] = (word2 & 0xffff) | (~sum << 16);
}

/** 169.254 as the first half of an address word. */
const LINK_LOCAL = 0xfea9;

/** Whether an address word is not martian (RFC 1812 §5.3.7, RFC 3927 §7). */
export function isHost(word: number): boolean {
  const first = word & 0xff;
  return first !== 0 && first !== 127 && first < 224 && (word & 0xffff) !== LINK_LOCAL;
}
