/**
 * The fixed layout of everything workers read, in 32-bit words. Words marked "wire" hold octets in the order of the
 * packet; all others are numbers of this processor (little-endian).
 *
 *     first level, 2^24 words, one a /24         0: nothing bound; > 0: row; < 0: minus the number of a block
 *     block, 16 words (one cache line)           first kind: one word a /28, of the same three sorts
 *                                                second kind: one word an address, 0 or a row
 *     row, 8 words (half a cache line)           0-3 remote IPv6 address (wire)   4 softwire | prefix length << 16 |
 *                                                instance << 22   5 prefix   6 next row of a chain of gateways or of the
 *                                                rows of one   7 previous or first other row of the gateway
 *                                                (gateway-index.ts); instance, 6 and 7 at an AFTR only
 *     row at a gateway                           6 row of another gateway that serves the same addresses
 *                                                (served-prefixes.ts); in row 0: whether any row has another
 *     row of a shared address                    0-3 all ones   4 SHARED_FLAG | prefix length << 16   5 prefix
 *                                                6 psid-offset | psid-length << 8   7 its port sets
 *     port sets, blocks                          four bits of the PSID a level, highest first: a block, then a row;
 *                                                with psid-length 0 the row itself
 *     row of a port set, 8 words                 as a row, without length and prefix
 *     softwire, 16 words, one a tunnel address   0-9 outer header without remote address (wire)
 *                                                10 instance   11 flags   12 payload MTU   13 ipv4-address (wire)
 *                                                14 egress MTU of the IPv4 side | MSS clamp << 16 (0: off)
 *
 * Block, row and softwire numbers begin at 1, so that 0 means none. The words of a softwire are changed only while the
 * workers are held at a batch boundary; its payload MTU apart, which is the smallest towards any far end and falls when a
 * smaller one is learned (path-mtus.ts). Flags and sizes are 0 while it is out of use, which is all that the fast path asks.
 */

export const FIRST_LEVEL_WORDS = 1 << 24;

export const BLOCK_WORDS = 16;
export const BLOCK_SHIFT = 4;

export const ROW_WORDS = 8;
export const ROW_SHIFT = 3;
export const ROW_SOFTWIRE = 4;
export const ROW_PREFIX = 5;
export const ROW_PSID_BITS = 6;
export const ROW_PORT_SETS = 7;
export const ROW_NEXT = 6;
export const ROW_OTHER = 6;
export const ROW_PREVIOUS = 7;
export const ROW_OTHERS = 7;
export const SOFTWIRE_MASK = 0xffff;
export const LENGTH_SHIFT = 16;
export const LENGTH_MASK = 0x3f;
export const ROW_INSTANCE_SHIFT = 22;
export const ROW_INSTANCE_MASK = 0xff;
/** The row leads to port sets: the sign of its word, so that one look at all words of a batch finds whether any does. */
export const SHARED_FLAG = 1 << 31;

export const SOFTWIRE_WORDS = 16;
export const SOFTWIRE_SHIFT = 4;
export const SOFTWIRE_LOCAL = 2;
export const SOFTWIRE_INSTANCE = 10;
export const SOFTWIRE_FLAGS = 11;
export const SOFTWIRE_PAYLOAD_MTU = 12;
export const SOFTWIRE_IPV4_ADDRESS = 13;
export const SOFTWIRE_SIZES = 14;
export const EGRESS_MTU_MASK = 0xffff;
export const MSS_SHIFT = 16;

/** This tunnel address is in use. */
export const FLAG_ENABLED = 1;
/** DSCP of the outer header is configured instead of copied, and not copied back (pipe, RFC 2983 §3.1). */
export const FLAG_PIPE = 2;
/** Outer ECN field is always zero (compatibility mode, RFC 6040 §4.3). */
export const FLAG_ECN_COMPATIBILITY = 4;
/** Flow label per flow (RFC 6437 §3); otherwise zero. */
export const FLAG_FLOW_LABEL = 8;
/** An AFTR that connects its gateways (RFC 7596 §6.2). */
export const FLAG_HAIRPINNING = 16;
/** IPv4 packets with a source route option pass (RFC 7126). */
export const FLAG_SOURCE_ROUTES = 1 << 16;
/** Errors about tunnel packets that end here are sent, and errors about IPv4 packets. */
export const FLAG_ICMPV6_ERRORS = 1 << 24;
export const FLAG_ICMPV4_ERRORS = 1 << 25;
/** ICMPv4 from the Internet ends here (RFC 7596 §8.1). */
export const FLAG_DENY_ICMPV4 = 1 << 26;

/** What is too big is carried in outer fragments if it may be (RFC 2473 §7.2 b); otherwise it is dropped. */
export const FLAG_OUTER_FRAGMENTATION = 1 << 8;
/** The Tunnel Encapsulation Limit option is sent (RFC 2473 §4.1.1). */
export const FLAG_ENCAPSULATION_LIMIT = 1 << 9;
/** TCP segment sizes are lowered. */
export const FLAG_MSS_CLAMP = 1 << 10;

/** Own addresses, in words: a filter, then a hash table with two words a place: the address (wire), its kinds (own-addresses.ts). */
export const OWN_FILTER_WORDS = 1_024;
export const OWN_PLACES = 16_384;
export const OWN_HASH_FACTOR = 0x9e3779b1;
/** Ten high bits of a hash name the word of the filter, the next five the bit in it: a shift counts modulo 32. */
export const OWN_WORD_SHIFT = 22;
export const OWN_BIT_SHIFT = 17;
/** The high bits of a hash name the first place to look at. */
export const OWN_PLACE_SHIFT = 18;
export const OWN_INSTANCE = 1;
export const OWN_BROADCAST = 2;
export const OWN_HOST = 4;
/** Kinds that the destination of a packet is asked for, and the source of one from the IPv4 side. */
export const NO_HOSTS = OWN_INSTANCE | OWN_BROADCAST;
/** Kinds that the inner source of a packet from a tunnel is asked for. */
export const ANY_OWN = NO_HOSTS | OWN_HOST;

/** Pools of softwires, in words: first address, last address, softwire; in their order. */
export const POOL_WORDS = 3;

/** Junk of which source is looked at in full (slow-budget.ts): doubles, when the last one of each slot was; the high bits of a hash name it. */
export const ADMISSION_SLOTS = 256;
export const ADMISSION_SHIFT = 24;
export const ADMISSION_MS = 32;

/** Counters of rows, in words (row-counters.ts): of each half, by row and direction, packets and octets. */
export const TRAFFIC_WORDS = 4;
export const TRAFFIC_SHIFT = 2;
export const FROM_GATEWAY = 2;
/** Refused packets of a gateway, by the row that stands for it. */
export const REFUSED_WORDS = 8;
export const REFUSED_SHIFT = 3;
export const REFUSED_OCTETS = 2;
export const REFUSED_SOURCE = 4;
export const REFUSED_TIME = 5;
