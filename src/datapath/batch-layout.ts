/**
 * Where the arrays of a batch lie, for TypeScript and for the fast path: distances that its compiler knows cost nothing.
 *
 *     entries, from their beginning   an array of 32-bit words for each name, one word a packet; then, from NOTES on, how many words of
 *                                     REFUSED and of SUPPRESSED are filled, and HAS_VIOLATORS
 *     outputs, from their beginning   OUTPUT_WORDS words an output; then, from OWNERS on, a word an output
 */

/** Packets of a batch at most; and packets of earlier batches that end in one. */
export const MOST_PACKETS = 512;
export const LATE_PACKETS = 64;
/** Octets of an array: not so many that the words of one packet all fall into the same sets of the cache. */
const ARRAY = (MOST_PACKETS + LATE_PACKETS) * 4;

export const AT = 0;
export const LENGTHS = ARRAY;
export const SIDES = 2 * ARRAY;
export const VERDICTS = 3 * ARRAY;
export const INSTANCES = 4 * ARRAY;
export const ROWS = 5 * ARRAY;
export const OTHER_ROWS = 6 * ARRAY;
export const KEYS = 7 * ARRAY;
export const OTHER_KEYS = 8 * ARRAY;
export const SOFTWIRES = 9 * ARRAY;
export const VIOLATORS = 10 * ARRAY;
/**
 * What is noted of junk: the places of packets that are refused among the entries, the chains and then the rows of their gateways, and
 * what is read on the way to these.
 */
export const REFUSED = 11 * ARRAY;
export const SOUGHT = 12 * ARRAY;
export const FOLLOWING = 13 * ARRAY;
/** And of errors that are suppressed, as many as are of one instance and side after the other: its instance, its side, their number. */
export const SUPPRESSED = 14 * ARRAY;
export const SUPPRESSED_WORDS = 3;
export const NOTES = SUPPRESSED + SUPPRESSED_WORDS * ARRAY;
export const REFUSED_COUNT = NOTES;
export const SUPPRESSED_COUNT = NOTES + 4;
/** Whether VIOLATORS are to be counted. */
export const HAS_VIOLATORS = NOTES + 8;
export const ENTRIES_OCTETS = NOTES + 64;

/**
 * Octets of the entries of four packets, which the loops go on by: the compiler asks in each turn whether it is to stop. So up to three
 * entries behind the last packet are gone through as well.
 */
export const TURN = 16;

/** The verdict of what the fast path sends. */
export const FORWARDED = 0;

/** Words an output takes: offset and length of its head, offset and length of its body (0 when it is in one piece). */
export const OUTPUT_WORDS = 4;
/** Outputs more than one a packet: 54 fragments, for a path of 1,280 octets, of each of 64 packets of 65,535; and replies. */
export const SPARE_OUTPUTS = 4_096;
const OUTPUTS = MOST_PACKETS + SPARE_OUTPUTS;
export const OWNERS = OUTPUTS * OUTPUT_WORDS * 4;
export const OUTPUTS_OCTETS = OWNERS + OUTPUTS * 4;
