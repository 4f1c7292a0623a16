/**
 * Flow labels (RFC 6437 §3, RFC 6438 §3): a keyed hash of addresses, protocol and, where every packet of the flow shows
 * them, ports. Fragments have none to show, so all fragments of a flow get the label of its addresses and protocol.
 */

import { flowKey } from './places.ts';

const PROTOCOL_TCP: u32 = 6;
const PROTOCOL_UDP: u32 = 17;
/** More fragments, or an offset. */
const MORE_OR_OFFSET: u32 = 0xff3f0000;

/**
 * Label of an IPv4 packet of `len` octets with these words, whose payload begins at `payload`, behind `header` octets: 1 to
 * 2^20 - 1 (0 would say "no label").
 */
export function flowLabelOf(
  word1: u32,
  word2: u32,
  source: u32,
  destination: u32,
  payload: usize,
  header: u32,
  len: u32,
): u32 {
  const protocol = (word2 >> 8) & 0xff;
  const hasPorts =
    (protocol === PROTOCOL_TCP || protocol === PROTOCOL_UDP) && (word1 & MORE_OR_OFFSET) === 0 && len >= header + 4;
  const ports: u32 = hasPorts ? load<u32>(payload) : 0;
  let hash =
    ((source ^ flowKey) * 0x9e3779b1) ^ ((destination + flowKey) * 0x85ebca77) ^ ((ports + protocol) * 0xc2b2ae3d);
  // Spreads each bit over all (the finaliser of MurmurHash3).
  hash = (hash ^ (hash >> 16)) * 0x85ebca6b;
  hash = (hash ^ (hash >> 13)) * 0xc2b2ae35;
  const label = (hash ^ (hash >> 16)) >> 12;
  return label === 0 ? 1 : label;
}
