/**
 * Random tables of a role, and packets that come close to being let through by them: addresses of the table and beside it, every
 * header of use, and then some octets changed.
 */

import type { Ipv4Prefix } from '../../src/address.ts';
import { formatIpv4, formatIpv4Prefix, formatIpv6, ipv4Mask } from '../../src/address.ts';
import type { Role } from '../../src/datapath/engine.ts';
import type { FuzzFragments } from './fuzz-fragments.ts';
import type { NaiveInstance, NaiveRow } from './naive-engine.ts';

export interface RandomTable {
  readonly instances: readonly NaiveInstance[];
  readonly rows: readonly NaiveRow[];
  /** The same in RFC 7951 JSON, bindings apart. */
  readonly json: readonly Readonly<Record<string, unknown>>[];
}

/** IPv6 addresses that tables choose from: near ends, far ends. */
const LOCALS = Array.from({ length: 6 }, (_, i) => address6(0xb, i));
const REMOTES = Array.from({ length: 8 }, (_, i) => address6(0xa, i));
/** Addresses that must not come as a source. */
const MARTIANS6 = ['fe80000000000000', 'ff02000000000000', '0000000000000000'].map((high) =>
  Buffer.from(`${high}0000000000000001`, 'hex'),
);
const MARTIANS4 = [0x7f000001, 0x00000001, 0xe0000001, 0xffffffff, 0xf0000001];
/** Each instance has one /16 from here on. */
const FIRST_NET = 0xc6330000;
const INTERNET = 0x08080000;

function address6(net: number, host: number): Buffer {
  return Buffer.from(
    `20010db8000${net.toString(16)}00000000000000000${(host + 1).toString(16).padStart(3, '0')}`,
    'hex',
  );
}

export type Next = () => number;

function pick<Item>(list: readonly Item[], next: Next): Item {
  const item = list[next() % list.length];
  if (item === undefined) throw new RangeError('nothing to pick from');
  return item;
}

export function randomTable(role: Role, next: Next): RandomTable {
  const count = 1 + (next() % 3);
  const locals = [...LOCALS];
  const instances: NaiveInstance[] = [];
  for (let i = 0; i < count; i++) {
    const own = locals.splice(0, role === 'aftr' ? 1 + (next() % 2) : 1);
    instances.push({
      name: `i${i}`,
      locals: own,
      remote: role === 'gateway' ? pick(REMOTES, next) : undefined,
      ipv4Address: next() % 4 === 0 ? 0 : 0xcb007100 + i + 1,
      isPipe: next() % 3 === 0,
      pipeDscp: next() & 63,
      isEcnCompatible: next() % 3 === 0,
      hasFlowLabel: next() % 2 === 0,
      hopLimit: 1 + (next() % 255),
      payloadMtu: pick([1_240, 1_280, 1_400, 1_460], next),
      isHairpinning: next() % 3 !== 0,
    });
  }
  const rows = new Map<string, NaiveRow>();
  for (const [i, instance] of instances.entries()) {
    for (let n = next() % 40; n >= 0; n--) {
      const prefix = randomPrefix(FIRST_NET + (i << 16), next);
      const local = pick(role === 'aftr' ? instance.locals : instance.locals.slice(0, 1), next);
      const remote = instance.remote ?? pick(REMOTES, next);
      rows.set(formatIpv4Prefix(prefix.address, prefix.length), { prefix, instance, local, remote });
    }
  }
  const all = [...rows.values()];
  return { instances, rows: all, json: instances.map((instance, i) => jsonOf(role, instance, i, all)) };
}

function randomPrefix(net: number, next: Next): Ipv4Prefix {
  const length = pick([16, 20, 24, 24, 27, 28, 30, 32, 32, 32], next);
  // Few third octets, so that prefixes lie in each other.
  const address = net + ((next() % 4) << 8) + (next() & 255);
  return { address: (address & ipv4Mask(length)) >>> 0, length };
}

function jsonOf(
  role: Role,
  instance: NaiveInstance,
  index: number,
  rows: readonly NaiveRow[],
): Readonly<Record<string, unknown>> {
  const [first, ...others] = instance.locals.map((local) => formatIpv6(local));
  const common = {
    name: instance.name,
    'ipv6-address': first,
    ...(instance.ipv4Address === 0 ? {} : { 'ipv4-address': formatIpv4(instance.ipv4Address) }),
    'traffic-class-mode': instance.isPipe ? 'pipe' : 'uniform',
    'pipe-dscp': instance.pipeDscp,
    'ecn-mode': instance.isEcnCompatible ? 'compatibility' : 'normal',
    'flow-label-mode': instance.hasFlowLabel ? 'flow' : 'zero',
    'hop-limit': instance.hopLimit,
    'softwire-payload-mtu': instance.payloadMtu,
    // The naive engine knows no limits.
    reassembly: { 'maximum-fragments': 64, 'maximum-packets': 100_000, 'maximum-packets-per-source': 100_000 },
  };
  if (role === 'gateway') {
    const own = rows.filter((row) => row.instance === instance);
    const served = own.map(({ prefix }) => ({ 'ipv4-prefix': formatIpv4Prefix(prefix.address, prefix.length) }));
    const remote = instance.remote && formatIpv6(instance.remote);
    return { ...common, 'aftr-ipv6-address': remote, 'served-prefix': served };
  }
  const pool = formatIpv4Prefix(FIRST_NET + (index << 16), 16);
  return {
    ...common,
    'additional-ipv6-address': others,
    'ipv4-pool': [pool],
    'enable-hairpinning': instance.isHairpinning,
  };
}

/** A packet for a table: mostly one that it lets through, sometimes with a fault, sometimes with octets changed at random. */
export function randomPacket(table: RandomTable, role: Role, fragments: FuzzFragments, next: Next): Buffer {
  const packet = randomSound(table, role, fragments, next);
  if (next() % 4 !== 0) return packet;
  for (let n = next() % 3; n >= 0; n--) packet[next() % Math.min(packet.length, 90)] = next();
  packet[0] = ((packet[0] ?? 0) & 15) | (next() % 2 === 0 ? 0x40 : 0x60);
  return next() % 4 === 0 ? packet.subarray(0, 1 + (next() % packet.length)) : packet;
}

/** Of IPv4, or of the tunnel, whole or a fragment. */
function randomSound(table: RandomTable, role: Role, fragments: FuzzFragments, next: Next): Buffer {
  if (next() % 2 === 0) return randomIpv4(table, next);
  const make = (): Buffer => randomIpv6(table, role, next);
  return next() % 4 === 0 ? fragments.take(make, next) : make();
}

/** An address of a row, of the net beside it, of an instance, of the Internet, or one that no packet may have. */
function randomAddress({ rows, instances }: RandomTable, next: Next): number {
  switch (next() % 16) {
    case 0:
      return pick(MARTIANS4, next);
    case 1:
      return pick(instances, next).ipv4Address;
    case 2:
      return FIRST_NET + (next() & 0x3ffff);
    case 3:
    case 4:
    case 5:
    case 6:
    case 7:
      return INTERNET + (next() & 0xffff);
    default: {
      const { prefix } = pick(rows, next);
      return (prefix.address | (next() & ~ipv4Mask(prefix.length))) >>> 0;
    }
  }
}

const OPTIONS = ['01010101', '83030400', '94040000', '07070400', '440c0500', '00000000'].map((text) =>
  Buffer.from(text, 'hex'),
);

function randomIpv4(table: RandomTable, next: Next): Buffer {
  const options = next() % 8 === 0 ? pick(OPTIONS, next) : Buffer.alloc(0);
  const payload = randomPayload(next);
  const packet = Buffer.alloc(20 + options.length + payload.length);
  packet[0] = 0x45 + options.length / 4;
  packet[1] = next();
  packet.writeUInt16BE(packet.length, 2);
  packet.writeUInt16BE(next() & 0xffff, 4);
  packet.writeUInt16BE(pick([0, 0, 0x4000, 0x4000, 0x2000, 0x0003], next), 6);
  packet[8] = next() % 6 === 0 ? next() % 3 : 64;
  packet[9] = payload[0] === 8 && payload.length === 16 ? 1 : pick([6, 17, 17, 47, 50, 132], next);
  packet.writeUInt32BE(randomAddress(table, next), 12);
  packet.writeUInt32BE(randomAddress(table, next), 16);
  options.copy(packet, 20);
  payload.copy(packet, 20 + options.length);
  packet.writeUInt16BE(checksum(packet.subarray(0, 20 + options.length)), 10);
  return packet;
}

/** Echo requests, a header of ports with something behind it, and now and then more than the tunnel takes in one piece. */
function randomPayload(next: Next): Buffer {
  if (next() % 6 === 0) {
    const echo = Buffer.from('08000000000700010102030405060708', 'hex');
    echo.writeUInt16BE(next() & 0xffff, 4);
    echo.writeUInt16BE(checksum(echo), 2);
    return echo;
  }
  const length = next() % 12 === 0 ? 1_100 + (next() % 500) : 4 + (next() % 60);
  const payload = Buffer.alloc(length, next());
  payload.writeUInt32BE(next(), 0);
  return payload;
}

const EXTENSIONS: readonly (readonly [nextHeader: number, octets: string])[] = [
  [60, '0400040104010100'],
  [0, '0400010400000000'],
  [43, '0400000000000000'],
  [43, '0400000100000000'],
  [44, '0400000000000007'],
  [44, '0400000100000007'],
  [60, '04001e0400000000'],
  [60, '04005e0400000000'],
];

function randomIpv6(table: RandomTable, role: Role, next: Next): Buffer {
  const { instances, rows } = table;
  const inner = randomIpv4(table, next);
  const row = pick(rows, next);
  // Mostly from where it is let in, and to there.
  const isLikely = next() % 4 !== 0;
  if (isLikely) {
    const address = (row.prefix.address | (next() & ~ipv4Mask(row.prefix.length))) >>> 0;
    inner.writeUInt32BE(address, role === 'aftr' ? 12 : 16);
    const header = ((inner[0] ?? 0) & 15) * 4;
    inner.writeUInt16BE(0, 10);
    inner.writeUInt16BE(checksum(inner.subarray(0, header)), 10);
  }
  const source = isLikely ? row.remote : pick([...REMOTES, ...MARTIANS6, ...LOCALS], next);
  const local = isLikely ? row.local : pick(instances, next).locals[0];
  if (next() % 12 === 0) return echoRequest6(source, local ?? row.local, next);
  const extension = next() % 8 === 0 ? pick(EXTENSIONS, next) : undefined;
  const between = Buffer.from(extension?.[1] ?? '', 'hex');
  const trailer = Buffer.alloc(next() % 10 === 0 ? next() % 9 : 0);
  return ipv6(source, local ?? row.local, extension?.[0] ?? 4, Buffer.concat([between, inner, trailer]), next);
}

function ipv6(source: Buffer, destination: Buffer, nextHeader: number, payload: Buffer, next: Next): Buffer {
  const packet = Buffer.alloc(40 + payload.length);
  packet.writeUInt32BE(((6 << 28) | (next() & 0xfffffff)) >>> 0, 0);
  packet.writeUInt16BE(payload.length, 4);
  packet[6] = nextHeader;
  packet[7] = 1 + (next() % 255);
  source.copy(packet, 8);
  destination.copy(packet, 24);
  payload.copy(packet, 40);
  return packet;
}

function echoRequest6(source: Buffer, destination: Buffer, next: Next): Buffer {
  const message = Buffer.from('80000000000700010102030405060708', 'hex');
  message.writeUInt16BE(next() & 0xffff, 4);
  const pseudo = Buffer.from(`000000${message.length.toString(16).padStart(2, '0')}0000003a`, 'hex');
  message.writeUInt16BE(checksum(Buffer.concat([source, destination, pseudo, message])), 2);
  return ipv6(source, destination, 58, message, next);
}

function checksum(octets: Buffer): number {
  let sum = 0;
  for (let at = 0; at < octets.length; at += 2) sum += (octets[at] ?? 0) * 256 + (octets[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return 0xffff - sum;
}
