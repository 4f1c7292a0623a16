/** Packets for tests, built octet by octet and independent of what they test. All give and take hexadecimal text. */

import { parseIpv4, parseIpv6 } from '../../src/address.ts';

export interface Ipv4Fields {
  readonly src?: string;
  readonly dst?: string;
  readonly ttl?: number;
  readonly tos?: number;
  readonly id?: number;
  readonly df?: boolean;
  readonly mf?: boolean;
  /** In units of eight octets. */
  readonly offset?: number;
  readonly protocol?: number;
  /** Hexadecimal, a multiple of four octets. */
  readonly options?: string;
  readonly payload?: string;
  /** Instead of the right values. */
  readonly checksum?: number;
  readonly totalLength?: number;
  readonly versionIhl?: number;
}

export interface Ipv6Fields {
  readonly src?: string;
  readonly dst?: string;
  readonly trafficClass?: number;
  readonly flowLabel?: number;
  readonly nextHeader?: number;
  readonly hopLimit?: number;
  readonly payload?: string;
  readonly payloadLength?: number;
}

/** UDP from port 1000 to 2000 without a checksum, `octets` of data. */
export function udp(octets = 8, source = 1000, destination = 2000): string {
  return `${hex16(source)}${hex16(destination)}${hex16(8 + octets)}0000${'ab'.repeat(octets)}`;
}

export function ipv4(fields: Ipv4Fields): string {
  const options = fields.options ?? '';
  const payload = fields.payload ?? udp();
  const header = 20 + options.length / 2;
  const flags = ((fields.df ?? false) ? 0x4000 : 0) | ((fields.mf ?? false) ? 0x2000 : 0) | (fields.offset ?? 0);
  const build = (checksum: number): string =>
    hex8(fields.versionIhl ?? 0x40 | (header / 4)) +
    hex8(fields.tos ?? 0) +
    hex16(fields.totalLength ?? header + payload.length / 2) +
    hex16(fields.id ?? 0x1234) +
    hex16(flags) +
    hex8(fields.ttl ?? 64) +
    hex8(fields.protocol ?? 17) +
    hex16(checksum) +
    ipv4Address(fields.src ?? '192.0.2.1') +
    ipv4Address(fields.dst ?? '192.0.2.2') +
    options;
  return build(fields.checksum ?? checksumOf(build(0))) + payload;
}

export function ipv6(fields: Ipv6Fields): string {
  const payload = fields.payload ?? '';
  const word = ((6 << 28) | ((fields.trafficClass ?? 0) << 20) | (fields.flowLabel ?? 0)) >>> 0;
  return (
    word.toString(16).padStart(8, '0') +
    hex16(fields.payloadLength ?? payload.length / 2) +
    hex8(fields.nextHeader ?? 4) +
    hex8(fields.hopLimit ?? 64) +
    ipv6Address(fields.src ?? '2001:db8:a::1') +
    ipv6Address(fields.dst ?? '2001:db8:b::1') +
    payload
  );
}

/** An IPv6 fragment header before `next`: its offset in units of eight octets, and flag M. */
export function fragmentHeader(next: number, offset: number, more: number): string {
  return `${hex8(next)}00${hex16((offset << 3) | more)}0000beef`;
}

/** An ICMPv4 message; `rest` is what stands behind the checksum. */
export function icmpv4(type: number, code: number, rest: string): string {
  const start = hex8(type) + hex8(code);
  return start + hex16(checksumOf(`${start}0000${rest}`)) + rest;
}

/** An ICMPv6 message between two addresses. */
export function icmpv6(src: string, dst: string, type: number, code: number, rest: string): string {
  const start = hex8(type) + hex8(code);
  const length = 4 + rest.length / 2;
  const pseudo = ipv6Address(src) + ipv6Address(dst) + length.toString(16).padStart(8, '0') + hex16(0) + hex16(58);
  return start + hex16(checksumOf(`${pseudo + start}0000${rest}`)) + rest;
}

/** RFC 1071, the naive way. */
export function checksumOf(hex: string): number {
  let sum = 0;
  for (let i = 0; i < hex.length; i += 4) sum += Number.parseInt(hex.slice(i, i + 4).padEnd(4, '0'), 16);
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return 0xffff - sum;
}

export function hex8(value: number): string {
  return value.toString(16).padStart(2, '0');
}

export function hex16(value: number): string {
  return value.toString(16).padStart(4, '0');
}

function ipv4Address(text: string): string {
  return (parseIpv4(text) ?? 0).toString(16).padStart(8, '0');
}

export function ipv6Address(text: string): string {
  return Buffer.from(parseIpv6(text) ?? new Uint8Array(16)).toString('hex');
}
