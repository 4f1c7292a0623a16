/** The outer header before an IPv4 packet (RFC 2473 §3.1), from the template of its softwire. */

import {
  FLAG_ECN_COMPATIBILITY,
  FLAG_FLOW_LABEL,
  FLAG_PIPE,
  ROW_SHIFT,
  SOFTWIRE_FLAGS,
  SOFTWIRE_LOCAL,
  SOFTWIRE_SHIFT,
} from '../layout.ts';
import { flowLabelOf } from './flow-label.ts';
import { OUTER_LEN, swap } from './headers.ts';
import { slab, tableRows, templates } from './places.ts';

const MODES: u32 = FLAG_PIPE | FLAG_ECN_COMPATIBILITY;

/**
 * Writes it at `outer`, for the IPv4 packet of `len` octets at `ip` with a header of `header`; `options` octets stand
 * between. The far end is the first 16 octets at `row`.
 */
export function writeOuter(
  outer: usize,
  ip: usize,
  header: u32,
  len: u32,
  options: u32,
  template: usize,
  row: usize,
): void {
  const flags = load<u32>(template, SOFTWIRE_FLAGS * 4);
  let trafficClass: u32 = load<u8>(ip, 1);
  if ((flags & MODES) !== 0) trafficClass = modedTrafficClass(trafficClass, flags, load<u32>(template));
  const label: u32 = (flags & FLAG_FLOW_LABEL) !== 0 ? flowLabelOf(ip, header, len) : 0;
  const payload = len + options;
  const word1 = load<u32>(template, 4) | (payload >> 8) | ((payload & 0xff) << 8);
  store<u64>(outer, ((<u64>word1) << 32) | swap((6 << 28) | (trafficClass << 20) | label));
  v128.store(outer, v128.load(template, SOFTWIRE_LOCAL * 4), 8);
  v128.store(outer, v128.load(row), 24);
}

/** In pipe mode (RFC 2983 §3.1) and in ECN compatibility mode (RFC 6040 §4.3); otherwise the TOS octet. */
function modedTrafficClass(tos: u32, flags: u32, templateWord: u32): u32 {
  const dscp = (flags & FLAG_PIPE) !== 0 ? (swap(templateWord) >> 20) & 0xfc : tos & 0xfc;
  return dscp | ((flags & FLAG_ECN_COMPATIBILITY) !== 0 ? 0 : tos & 3);
}

/** The same for the slow path: the packet at `place` of the slab, whatever its header. */
export function writeHeader(place: u32, len: u32, options: u32, softwire: u32, row: u32): void {
  const ip = slab + place;
  const header = (<u32>load<u8>(ip) & 15) << 2;
  const template = templates + (softwire << (SOFTWIRE_SHIFT + 2));
  writeOuter(ip - options - OUTER_LEN, ip, header, len, options, template, tableRows + (row << (ROW_SHIFT + 2)));
}

/** The label of the packet at `place` of the slab. */
export function labelOf(place: u32, len: u32): u32 {
  const ip = slab + place;
  return flowLabelOf(ip, (<u32>load<u8>(ip) & 15) << 2, len);
}
