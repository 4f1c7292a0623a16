/**
 * What a kernel, or a guest of this machine, hands over to a device with offloads, at random, and the packets that it stands for: whole
 * packets, checksums left anywhere, super-packets of the IPv4 side, runs of segments out of the tunnel, and what no kernel cuts.
 */

import type { Role } from '../../src/datapath/engine.ts';
import type { Pieces } from './fuzz-packets.ts';
import { randomIpv4Side, randomIpv6, randomPacket } from './fuzz-packets.ts';
import type { Next } from './fuzz-table.ts';
import { chance, pick } from './fuzz-table.ts';
import type { NaiveTable } from './naive-model.ts';
import type { TransportFields } from './naive-segments.ts';
import {
  checksumPlace,
  completed,
  handedOver,
  handedPartial,
  handedWhole,
  naiveSegments,
  offloadHeader,
  TCP,
  transportPacket,
} from './naive-segments.ts';

export interface Arrival {
  /** Hexadecimal, with the header before it. */
  readonly handed: string;
  /** What it stands for. */
  readonly singles: readonly Buffer[];
}

/** As many at least come at once: some fill more than a batch. */
const ARRIVALS = 48;
const IPV6_LEN = 40;
const VOUCHED = 2;
const GSO_TYPES = { tcp4: 1, udpFragments: 3, tcp6: 4, udp: 5 };

/** Some of which follow each other, in their order mostly. */
export function randomArrivals(table: NaiveTable, role: Role, pieces: Pieces, next: Next): Arrival[] {
  const arrivals: Arrival[] = [];
  while (arrivals.length < ARRIVALS) {
    const kind = next() % 10;
    if (kind === 0) arrivals.push(...superPacket(table, role, next));
    else if (kind === 1) arrivals.push(...tunnelled(table, role, next));
    else arrivals.push(single(kind, randomPacket(table, role, pieces, next), next));
  }
  for (let n = next() % 6; n > 0; n--) arrivals.push(...arrivals.splice(next() % arrivals.length, 1));
  return arrivals;
}

function single(kind: number, packet: Buffer, next: Next): Arrival {
  if (kind === 2) return left(packet, next);
  if (kind === 3) return uncut(packet, next);
  return { handed: handedWhole(packet.toString('hex')), singles: [packet] };
}

/** A checksum to be completed: that of TCP or UDP, or any two octets of the packet, which a guest may name. */
function left(packet: Buffer, next: Next): Arrival {
  const place = chance(2, next) ? checksumPlace(packet) : undefined;
  const { start, offset } = place ?? {
    start: next() % (packet.length + 4),
    offset: pick([2, 6, 8, 16, next() % 64], next),
  };
  const isLeft = start > 0 && start + offset + 2 <= packet.length;
  return {
    handed: offloadHeader(1, 0, 0, 0, start, offset) + packet.toString('hex'),
    singles: [isLeft ? completed(packet, start, offset) : packet],
  };
}

/** What is called a super-packet and cannot be cut: without a size, of a kind that was not asked for, or of another protocol. */
function uncut(packet: Buffer, next: Next): Arrival {
  const { start, offset } = checksumPlace(packet) ?? { start: 20, offset: 6 };
  const isTcp = packet[9] === 6;
  const [type, size] = pick(
    [
      [GSO_TYPES.udp, 0],
      [GSO_TYPES.tcp4, 0],
      [GSO_TYPES.udpFragments, 8],
      [GSO_TYPES.tcp6, 8],
      [isTcp ? GSO_TYPES.udp : GSO_TYPES.tcp4, (packet[0] ?? 0) >> 4 === 4 ? 8 : 0],
    ] as const,
    next,
  );
  const isLeft = start + offset + 2 <= packet.length;
  return {
    handed: offloadHeader(1, type, 0, size, start, offset) + packet.toString('hex'),
    singles: [isLeft ? completed(packet, start, offset) : packet],
  };
}

function superPacket(table: NaiveTable, role: Role, next: Next): Arrival[] {
  const packet = withPorts(() => randomIpv4Side(table, role, next), 0);
  if (!packet) return [];
  const fields = fieldsFrom(packet, 0, next);
  const size = sizeFor(fields, next);
  return [{ handed: handedOver(fields, size), singles: naiveSegments(fields, size).map(octetsOf) }];
}

/** Segments of a flow, whose checksums are found right, unknown, left to be completed, or wrong in one of them. */
function tunnelled(table: NaiveTable, role: Role, next: Next): Arrival[] {
  const packet = withPorts(() => randomIpv6(table, role, next), IPV6_LEN);
  if (!packet) return [];
  const fields = fieldsFrom(packet, IPV6_LEN, next);
  const kind = pick(['vouched', 'unknown', 'left', 'wrong'] as const, next);
  const segments = naiveSegments(fields, sizeFor(fields, next));
  // What is no segment must not be overtaken by those that follow it.
  if (chance(4, next)) segments.splice(next() % segments.length, 0, transportPacket({ ...fields, payload: '' }));
  const wrong = kind === 'wrong' ? next() % segments.length : -1;
  return segments.map((segment, i) => {
    const whole = Buffer.concat([packet.subarray(0, IPV6_LEN), octetsOf(segment)]);
    whole.writeUInt16BE(whole.length - IPV6_LEN, 4);
    const last = whole.length - 1;
    if (i === wrong) whole[last] = (whole[last] ?? 0) ^ 1;
    const hex = whole.toString('hex');
    const handed = kind === 'left' ? handedPartial(hex) : offloadHeader(kind === 'vouched' ? VOUCHED : 0) + hex;
    return { handed, singles: [whole] };
  });
}

/** One of a few packets that is one of TCP or UDP, and whole, with its IPv4 header at `ip`. */
function withPorts(make: () => Buffer, ip: number): Buffer | undefined {
  return Array.from({ length: 8 }, make).find((packet) => checksumPlace(packet)?.ip === ip);
}

/** Fields for a flow between the ends of a packet with its IPv4 header at `ip`. */
function fieldsFrom(packet: Buffer, ip: number, next: Next): TransportFields {
  const start = ip + ((packet[ip] ?? 0) & 15) * 4;
  const address = (at: number): string => [...packet.subarray(ip + at, ip + at + 4)].join('.');
  const length = chance(4, next) ? 1 + (next() % 5_000) : 1 + (next() % 900);
  return {
    src: address(12),
    dst: address(16),
    tos: packet[ip + 1] ?? 0,
    ttl: packet[ip + 8] ?? 0,
    df: chance(2, next),
    id: next() & 0xffff,
    ipOptions: packet.subarray(ip + 20, start).toString('hex'),
    source: packet.readUInt16BE(start),
    destination: packet.readUInt16BE(start + 2),
    tcp: chance(4, next)
      ? undefined
      : {
          ...TCP,
          sequence: chance(8, next) ? 2 ** 32 - 1 - (next() % 2_000) : next() % 2 ** 32,
          flags: pick([0x10, 0x10, 0x10, 0x18, 0x11, 0x90, 0x50, 0x02, 0x14, 0x110], next),
          urgent: chance(16, next) ? 1 : 0,
          options: pick(['', '', '0101080a0000000100000002', '020405b4'], next),
        },
    payload: Buffer.alloc(length, next().toString(16).padStart(8, '0').slice(0, 8), 'hex').toString('hex'),
  };
}

/** Of the payload of a segment, few enough of them, and sometimes more than the tunnel takes. */
function sizeFor({ payload }: TransportFields, next: Next): number {
  const least = Math.ceil(payload.length / 2 / 40);
  return Math.max(least, chance(3, next) ? pick([1_000, 1_240, 1_400, 1_420, 1_460], next) : 20 + (next() % 400));
}

function octetsOf(hex: string): Buffer {
  return Buffer.from(hex, 'hex');
}
