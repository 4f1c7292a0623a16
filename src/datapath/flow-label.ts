/**
 * Flow labels (RFC 6437 §3, RFC 6438 §3): a keyed hash of addresses, protocol and, where every packet of the flow shows
 * them, ports. Fragments have none to show, so all fragments of a flow get the label of its addresses and protocol.
 */

import * as ipv4 from './wire/ipv4.ts';

// Constants of this file, because what is imported is looked at again at each access (see fast-path.ts).
const { PROTOCOL_TCP, PROTOCOL_UDP } = ipv4;
const MORE_OR_OFFSET = 0xff3f0000 | 0;

/**
 * Label of the IPv4 packet whose header begins at word `w`: 1 to 2^20 - 1 (0 would say "no label"). `header` is the
 * length of its IPv4 header, `len` of the packet; the words hold octets in the order of the packet.
 */
export function flowLabelOf(words: Int32Array, w: number, header: number, len: number, key: number): number {
  const protocol = ((words[w + 2] ?? 0) >>> 8) & 255;
  const hasPorts =
    (protocol === PROTOCOL_TCP || protocol === PROTOCOL_UDP) &&
    ((words[w + 1] ?? 0) & MORE_OR_OFFSET) === 0 &&
    len >= header + 4;
  const ports = hasPorts ? (words[w + (header >> 2)] ?? 0) : 0;
  const sum =
    Math.imul((words[w + 3] ?? 0) ^ key, 0x9e3779b1) ^
    Math.imul(((words[w + 4] ?? 0) + key) | 0, 0x85ebca77) ^
    Math.imul((ports + protocol) | 0, 0xc2b2ae3d);
  const hash = mix(sum);
  const label = hash >>> 12;
  return label === 0 ? 1 : label;
}

/** Spreads each bit of a word over all (the finaliser of MurmurHash3). */
function mix(word: number): number {
  let x = word;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return x ^ (x >>> 16);
}
