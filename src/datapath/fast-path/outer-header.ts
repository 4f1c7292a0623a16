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
import { DESTINATION, lengthField, OUTER_LEN, SOURCE, swap } from './headers.ts';
import { slab, tableRows, templates } from './places.ts';

const MODES: u32 = FLAG_PIPE | FLAG_ECN_COMPATIBILITY;

/**
 * Writes it at `outer`, before a payload with this length field, for a packet with this TOS octet and flow label. The far end is
 * the first 16 octets at `row`.
 */
export function writeOuter(
  outer: usize,
  length: u32,
  tos: u32,
  label: u32,
  flags: u32,
  template: usize,
  row: usize,
): void {
  const trafficClass = (flags & MODES) === 0 ? tos : modedTrafficClass(tos, flags, load<u32>(template));
  store<u32>(outer, swap((6 << 28) | (trafficClass << 20) | label));
  store<u32>(outer, load<u32>(template, 4) | length, 4);
  v128.store(outer, v128.load(template, SOFTWIRE_LOCAL * 4), 8);
  v128.store(outer, v128.load(row), 24);
}

/** In pipe mode (RFC 2983 §3.1) and in ECN compatibility mode (RFC 6040 §4.3); otherwise the TOS octet. */
function modedTrafficClass(tos: u32, flags: u32, templateWord: u32): u32 {
  const dscp = (flags & FLAG_PIPE) !== 0 ? (swap(templateWord) >> 20) & 0xfc : tos & 0xfc;
  return dscp | ((flags & FLAG_ECN_COMPATIBILITY) !== 0 ? 0 : tos & 3);
}

/**
 * For the slow path: before the IPv4 packet of `len` octets at `place` of the slab, whatever its header, with `options` octets between.
 */
export function writeHeader(place: u32, len: u32, options: u32, softwire: u32, row: u32): void {
  const ip = slab + place;
  const template = templates + (softwire << (SOFTWIRE_SHIFT + 2));
  const flags = load<u32>(template, SOFTWIRE_FLAGS * 4);
  const label = (flags & FLAG_FLOW_LABEL) !== 0 ? labelOf(place, len) : 0;
  const far = tableRows + (row << (ROW_SHIFT + 2));
  writeOuter(ip - options - OUTER_LEN, lengthField(len + options), load<u8>(ip, 1), label, flags, template, far);
}

/** The label of the IPv4 packet at `place` of the slab. */
export function labelOf(place: u32, len: u32): u32 {
  const ip = slab + place;
  const header = (<u32>load<u8>(ip) & 15) << 2;
  return flowLabelOf(
    load<u32>(ip, 4),
    load<u32>(ip, 8),
    load<u32>(ip, SOURCE),
    load<u32>(ip, DESTINATION),
    ip + header,
    header,
    len,
  );
}
