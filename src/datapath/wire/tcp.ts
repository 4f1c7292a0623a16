/**
 * TCP (RFC 9293 §3.1), as far as the engine touches it: the maximum segment size of a SYN.
 *
 *     |          Source Port          |       Destination Port        |
 *     |                        Sequence Number                        |
 *     |                    Acknowledgment Number                      |
 *     |  Data |       |C|E|U|A|P|R|S|F|            Window             |
 *     |           Checksum            |         Urgent Pointer        |
 *     |                    Options, Data > 5                          |
 */

import { updated } from './checksum.ts';
import { setU8, setU16, u8, u16 } from './octets.ts';

const TCP_HEADER_LEN = 20;
const FLAGS = 13;
const SYN = 2;
const CHECKSUM = 16;
const OPTION_END = 0;
const OPTION_NOP = 1;
const OPTION_MSS = 2;
const MSS_LEN = 4;

/**
 * Lowers the MSS option of the TCP header at `at`, of which `len` octets are there, to `most`, and corrects the checksum
 * (RFC 9293 §3.7.1, RFC 1624). Whatever is no SYN, has no such option, a smaller value, or is cut off, stays.
 */
export function clampMss(buf: Uint8Array, at: number, len: number, most: number): void {
  if (len < TCP_HEADER_LEN || (u8(buf, at + FLAGS) & SYN) === 0) return;
  const end = at + Math.min(len, (u8(buf, at + 12) >>> 4) << 2);
  let option = at + TCP_HEADER_LEN;
  while (option < end) {
    const kind = u8(buf, option);
    if (kind === OPTION_END) return;
    if (kind === OPTION_NOP) {
      option++;
      continue;
    }
    const length = option + 1 < end ? u8(buf, option + 1) : 0;
    if (length < 2 || option + length > end) return;
    if (kind === OPTION_MSS && length === MSS_LEN) lower(buf, at, option + 2, most);
    option += length;
  }
}

/** The value at `value` may stand at an odd place: then its octets weigh the other way round in the checksum. */
function lower(buf: Uint8Array, at: number, value: number, most: number): void {
  const before = u16(buf, value);
  if (before <= most) return;
  setU8(buf, value, most >>> 8);
  setU8(buf, value + 1, most & 0xff);
  const isOdd = ((value - at) & 1) === 1;
  const checksum = u16(buf, at + CHECKSUM);
  const next = updated(checksum, isOdd ? swapped(before) : before, isOdd ? swapped(most) : most);
  setU16(buf, at + CHECKSUM, next);
}

function swapped(word: number): number {
  return ((word & 0xff) << 8) | (word >>> 8);
}
