/** The outer header on and off, for the naive engine. It shares nothing with src/datapath. */

import type { Inner } from './naive-ipv4.ts';
import { withTos } from './naive-ipv4.ts';
import type { NaiveInstance, NaiveLead } from './naive-model.ts';

/** Octets before an inner packet: with the option of RFC 2473 §4.1.1, eight more. */
export function outerLength({ encapsulationLimit }: NaiveInstance): number {
  return encapsulationLimit === undefined ? 40 : 48;
}

/** The inner packet with DSCP (RFC 2983) and ECN (RFC 6040 §4.2) as they leave; undefined where a mark would be lost. */
export function decapsulated(outer: Buffer, { octets }: Inner, instance: NaiveInstance): Buffer | undefined {
  const trafficClass = (outer.readUInt16BE(0) >> 4) & 255;
  const tos = octets[1] ?? 0;
  const [inside, outside] = [tos & 3, trafficClass & 3];
  if (inside === 0 && outside === 3) return undefined;
  const isMarked = inside !== 0 && outside === 3;
  const becomesEct1 = inside === 2 && outside === 1;
  const ecn = isMarked ? 3 : becomesEct1 ? 1 : inside;
  return withTos(octets, ((instance.isPipe ? tos : trafficClass) & 0xfc) | ecn);
}

/** RFC 2473 §3.1, §7.2: one tunnel packet, or its fragments when the inner one is larger than `payloadMtu`. */
export function encapsulate(inner: Buffer, { instance, local, remote }: NaiveLead, payloadMtu: number): Buffer[] {
  const limit = instance.encapsulationLimit;
  const options = limit === undefined ? Buffer.alloc(0) : Buffer.from([4, 0, 4, 1, limit, 1, 1, 0]);
  const header = Buffer.alloc(40);
  const tos = inner[1] ?? 0;
  const dscp = instance.isPipe ? instance.pipeDscp << 2 : tos & 0xfc;
  header.writeUInt32BE(((6 << 28) | ((dscp | (instance.isEcnCompatible ? 0 : tos & 3)) << 20)) >>> 0, 0);
  header.writeUInt16BE(options.length + inner.length, 4);
  header[6] = limit === undefined ? 4 : 60;
  header[7] = instance.hopLimit;
  local.copy(header, 8);
  remote.copy(header, 24);
  const payload = Buffer.concat([options, inner]);
  if (inner.length <= payloadMtu) return [Buffer.concat([header, payload])];
  return fragments(header, payload, options.length + payloadMtu - 8);
}

/** RFC 8200 §4.5: pieces of `room` octets at most, fragment header not counted. */
export function fragments(header: Buffer, payload: Buffer, room: number): Buffer[] {
  const size = room - (room % 8);
  const pieces: Buffer[] = [];
  for (let at = 0; at < payload.length; at += size) {
    const piece = payload.subarray(at, at + size);
    const head = Buffer.concat([header, Buffer.alloc(8)]);
    head.writeUInt16BE(8 + piece.length, 4);
    head[40] = header[6] ?? 0;
    head[6] = 44;
    head.writeUInt16BE(at | (at + size < payload.length ? 1 : 0), 42);
    pieces.push(Buffer.concat([head, piece]));
  }
  return pieces;
}
