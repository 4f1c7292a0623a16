/**
 * What a kernel makes of super-packets, the naive way: TCP over IPv4 and UDP from fields, octet by octet, with whole checksums; and
 * what comes out when a packet that was written with a header of offloads is sent on.
 */

import { sumOf } from './naive-ipv4.ts';
import { checksumOf, hex8, hex16, ipv4 } from './packets.ts';

export interface TcpFields {
  readonly sequence: number;
  readonly acknowledgment: number;
  /** Reserved bits, AE and the eight flags. */
  readonly flags: number;
  readonly window: number;
  readonly urgent: number;
  /** Hexadecimal, a multiple of four octets. */
  readonly options: string;
}

export interface TransportFields {
  readonly src: string;
  readonly dst: string;
  readonly tos: number;
  readonly ttl: number;
  readonly df: boolean;
  readonly id: number;
  /** Hexadecimal. */
  readonly ipOptions: string;
  readonly source: number;
  readonly destination: number;
  /** Undefined for UDP. */
  readonly tcp: TcpFields | undefined;
  /** Hexadecimal. */
  readonly payload: string;
}

export const TCP: TcpFields = {
  sequence: 0x1000_0000,
  acknowledgment: 0x2000_0000,
  flags: 0x10,
  window: 501,
  urgent: 0,
  options: '',
};

export const TCP_FIELDS: TransportFields = {
  src: '198.51.100.10',
  dst: '203.0.113.80',
  tos: 0,
  ttl: 64,
  df: true,
  id: 0x1234,
  ipOptions: '',
  source: 40_000,
  destination: 443,
  tcp: TCP,
  payload: '',
};

const FIN = 0x01;
const PSH = 0x08;
const CWR = 0x80;

/** The packet with a whole checksum of TCP or UDP; with `isPartial`, only the sum of the pseudo-header is there. */
export function transportPacket(fields: TransportFields, isPartial = false): string {
  const { payload, tcp } = fields;
  const build = (checksum: string): string =>
    tcp === undefined
      ? ports(fields) + hex16(8 + payload.length / 2) + checksum + payload
      : ports(fields) +
        hex32(tcp.sequence) +
        hex32(tcp.acknowledgment) +
        hex16((((20 + tcp.options.length / 2) / 4) << 12) | tcp.flags) +
        hex16(tcp.window) +
        checksum +
        hex16(tcp.urgent) +
        tcp.options +
        payload;
  const protocol = tcp === undefined ? 17 : 6;
  const pseudo =
    ipv4({ src: fields.src, dst: fields.dst }).slice(24, 40) + hex16(protocol) + hex16(build('0000').length / 2);
  const whole = checksumOf(pseudo + build('0000')) || 0xffff;
  const checksum = isPartial ? 0xffff - checksumOf(pseudo) : whole;
  const { src, dst, tos, ttl, df, id, ipOptions } = fields;
  return ipv4({ src, dst, tos, ttl, df, id, options: ipOptions, protocol, payload: build(hex16(checksum)) });
}

/** The packets of `size` octets of payload that a super-packet of these fields stands for. */
export function naiveSegments(fields: TransportFields, size: number): string[] {
  const pieces = fields.payload.match(new RegExp(`.{1,${size * 2}}`, 'g')) ?? [];
  return pieces.map((payload, index) => {
    const { tcp } = fields;
    const id = (fields.id + index) % 0x1_0000;
    if (!tcp) return transportPacket({ ...fields, id, payload });
    const isLast = index === pieces.length - 1;
    const kept = 0xfff & ~(isLast ? 0 : FIN | PSH) & ~(index === 0 ? 0 : CWR);
    const sequence = (tcp.sequence + index * size) % 2 ** 32;
    return transportPacket({ ...fields, id, payload, tcp: { ...tcp, sequence, flags: tcp.flags & kept } });
  });
}

/** A header of offloads as hexadecimal text. */
export function offloadHeader(flags: number, type = 0, headers = 0, size = 0, start = 0, offset = 0): string {
  const little = (value: number): string => hex8(value & 255) + hex8(value >>> 8);
  return hex8(flags) + hex8(type) + little(headers) + little(size) + little(start) + little(offset) + little(0);
}

/** A super-packet of these fields as the kernel hands it over. */
export function handedOver(fields: TransportFields, size: number): string {
  const start = 20 + fields.ipOptions.length / 2;
  const { tcp } = fields;
  const type = tcp === undefined ? 5 : (tcp.flags & CWR) === 0 ? 1 : 0x81;
  const headers = start + (tcp === undefined ? 8 : 20 + tcp.options.length / 2);
  const offset = tcp === undefined ? 6 : 16;
  return offloadHeader(1, type, headers, size, start, offset) + transportPacket(fields, true);
}

/** A packet that is whole, as the kernel hands it over. */
export function handedWhole(packet: string): string {
  return offloadHeader(0) + packet;
}

/**
 * A packet as the kernel hands it over with the checksum of TCP or UDP left, in the tunnel or not; what has none that is right, or is
 * a fragment, is handed over whole.
 */
export function handedPartial(packet: string): string {
  const octets = Buffer.from(packet, 'hex');
  const place = checksumPlace(octets);
  if (!place) return handedWhole(packet);
  const { ip, start, offset } = place;
  const length = octets.length - start;
  const pseudo = Buffer.concat([octets.subarray(ip + 12, ip + 20), Buffer.from([0, octets[ip + 9] ?? 0, 0, 0])]);
  pseudo.writeUInt16BE(length, 10);
  if (sumOf(Buffer.concat([pseudo, octets.subarray(start)])) !== 0xffff) return handedWhole(packet);
  octets.writeUInt16BE(sumOf(pseudo), start + offset);
  return offloadHeader(1, 0, 0, 0, start, offset) + octets.toString('hex');
}

/** Where the IPv4 header is, directly behind an IPv6 header or not, and the checksum of TCP or UDP behind it; if there is one. */
export function checksumPlace(
  packet: Buffer,
): { readonly ip: number; readonly start: number; readonly offset: number } | undefined {
  const isTunnelled = (packet[0] ?? 0) >> 4 === 6 && packet[6] === 4;
  const ip = isTunnelled ? 40 : 0;
  if (packet.length < ip + 20 || (packet[ip] ?? 0) >> 4 !== 4) return undefined;
  const start = ip + ((packet[ip] ?? 0) & 15) * 4;
  const offset = packet[ip + 9] === 6 ? 16 : packet[ip + 9] === 17 ? 6 : undefined;
  const isWhole = packet.readUInt16BE(ip + 2) === packet.length - ip && (packet.readUInt16BE(ip + 6) & 0x3fff) === 0;
  if (!isWhole || offset === undefined || start < ip + 20 || start + offset + 2 > packet.length) return undefined;
  return { ip, start, offset };
}

/** The packet with the checksum completed that is left at `start + offset`; 0 is sent as all ones. */
export function completed(packet: Buffer, start: number, offset: number): Buffer {
  const whole = Buffer.from(packet);
  whole.writeUInt16BE(0xffff - sumOf(packet.subarray(start)) || 0xffff, start + offset);
  return whole;
}

/** The packets on the wire for what was written with a header of offloads. */
export function onTheWire(written: string): string[] {
  const header = Buffer.from(written.slice(0, 24), 'hex');
  const packet = Buffer.from(written.slice(24), 'hex');
  const start = header.readUInt16LE(6);
  const offset = header.readUInt16LE(8);
  if (header[1] !== 0) return naiveSegments(fieldsOf(packet), header.readUInt16LE(4));
  if (header[0] === 1) return [completed(packet, start, offset).toString('hex')];
  return [packet.toString('hex')];
}

function fieldsOf(packet: Buffer): TransportFields {
  const address = (at: number): string => [...packet.subarray(at, at + 4)].join('.');
  const ip = ((packet[0] ?? 0) & 15) * 4;
  const word = packet.readUInt16BE(ip + 12);
  const header = (word >> 12) * 4;
  return {
    src: address(12),
    dst: address(16),
    tos: packet[1] ?? 0,
    ttl: packet[8] ?? 0,
    df: ((packet[6] ?? 0) & 0x40) !== 0,
    id: packet.readUInt16BE(4),
    ipOptions: packet.subarray(20, ip).toString('hex'),
    source: packet.readUInt16BE(ip),
    destination: packet.readUInt16BE(ip + 2),
    tcp: {
      sequence: packet.readUInt32BE(ip + 4),
      acknowledgment: packet.readUInt32BE(ip + 8),
      flags: word & 0xfff,
      window: packet.readUInt16BE(ip + 14),
      urgent: packet.readUInt16BE(ip + 18),
      options: packet.subarray(ip + 20, ip + header).toString('hex'),
    },
    payload: packet.subarray(ip + header).toString('hex'),
  };
}

function ports({ source, destination }: TransportFields): string {
  return hex16(source) + hex16(destination);
}

function hex32(value: number): string {
  return (value >>> 0).toString(16).padStart(8, '0');
}
