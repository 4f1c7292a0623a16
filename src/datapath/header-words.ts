/** Words of the headers of a packet, from its first octet on. */

export const OUTER_LEN = 40;
export const OUTER_WORDS = 10;
/** Source and destination in an IPv4 header. */
export const SOURCE_WORD = 3;
export const DESTINATION_WORD = 4;
