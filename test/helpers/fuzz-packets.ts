/**
 * Random packets that come close to being let through by a table: addresses and ports of the table and beside it, every header of
 * use, and then some octets changed.
 */

import { ipv4Mask } from '../../src/address.ts';
import type { Role } from '../../src/datapath/engine.ts';
import type { FuzzFragments } from './fuzz-fragments.ts';
import { randomMessage } from './fuzz-messages.ts';
import type { Next } from './fuzz-table.ts';
import { BROADCAST, chance, FIRST_NET, HOST, pick, REMOTES, SHARED_NET } from './fuzz-table.ts';
import { withHeaderSum } from './naive-ipv4.ts';
import { icmpv6Sum } from './naive-ipv6.ts';
import type { NaiveLead, NaivePortSet, NaiveShared, NaiveTable } from './naive-model.ts';

/** An address with a port, of which it may have no use. */
export interface End {
  readonly address: number;
  readonly port: number;
}

/** Fragments on their way to an engine: of tunnel packets, and of IPv4 packets. */
export interface Pieces {
  readonly outer: FuzzFragments;
  readonly inner: FuzzFragments;
}

/** Addresses that must not come as a source. */
const MARTIANS6 = ['fe80000000000000', 'ff02000000000000', '0000000000000000'].map((high) =>
  Buffer.from(`${high}0000000000000001`, 'hex'),
);
const MARTIANS4 = [0x7f000001, 0x00000001, 0xe0000001, 0xffffffff, 0xf0000001, BROADCAST, HOST, HOST];
const INTERNET = 0x08080000;

/** A packet for a table: mostly one that it lets through, sometimes with a fault, sometimes with octets changed at random. */
export function randomPacket(table: NaiveTable, role: Role, pieces: Pieces, next: Next): Buffer {
  const packet = randomSound(table, role, pieces, next);
  if (!chance(4, next)) return packet;
  for (let n = next() % 3; n >= 0; n--) packet[next() % Math.min(packet.length, 90)] = next();
  packet[0] = ((packet[0] ?? 0) & 15) | (chance(2, next) ? 0x40 : 0x60);
  return chance(4, next) ? packet.subarray(0, 1 + (next() % packet.length)) : packet;
}

/** Of IPv4, or of the tunnel, whole or a fragment. */
function randomSound(table: NaiveTable, role: Role, { outer, inner }: Pieces, next: Next): Buffer {
  const make6 = (): Buffer => randomIpv6(table, role, next);
  const make = (): Buffer => (chance(2, next) ? randomIpv4Side(table, role, next) : make6());
  // A tunnel packet to cut may hold a fragment itself.
  const makeOuter = (): Buffer => {
    const fragment = chance(4, next) ? inner.take(make, next) : undefined;
    return fragment && (fragment[0] ?? 0) >> 4 === 6 ? fragment : make6();
  };
  if (chance(8, next)) return outer.take(makeOuter, next);
  return chance(12, next) ? inner.take(make, next) : make();
}

/** An address of a row, of the net beside it, of an instance, of the Internet, one that is shared, or one that no packet may have. */
function randomEnd({ rows, shared, instances }: NaiveTable, next: Next): End {
  const kind = next() % 16;
  const port = next() & 0xffff;
  if (kind === 0) return { address: pick(MARTIANS4, next), port };
  if (kind === 1) return { address: pick(instances, next).ipv4Address, port };
  if (kind === 2) return { address: (chance(2, next) ? FIRST_NET : SHARED_NET) + (next() & 0x3ffff), port };
  if (kind < 7) return { address: INTERNET + (next() & 0xffff), port };
  if (kind < 10 && shared.length > 0) {
    const one = pick(shared, next);
    return { address: one.address, port: one.portSets.length > 0 ? portOf(one, pick(one.portSets, next), next) : port };
  }
  return rows.length > 0 ? { address: addressOf(pick(rows, next).prefix, next), port } : { address: INTERNET, port };
}

function addressOf({ address, length }: { readonly address: number; readonly length: number }, next: Next): number {
  return (address | (next() & ~ipv4Mask(length))) >>> 0;
}

/** A port of a port set: A, the PSID and j put together (RFC 7597 §5.1); now and then one beside it. */
function portOf({ psidOffset, psidLength }: NaiveShared, { psid }: NaivePortSet, next: Next): number {
  if (chance(16, next)) return next() & 0xffff;
  // With a > 0, A = 0 is in no set.
  const a = psidOffset === 0 || chance(16, next) ? 0 : 1 + (next() % (2 ** psidOffset - 1));
  const m = 16 - psidOffset - psidLength;
  return a * 2 ** (16 - psidOffset) + psid * 2 ** m + (next() % 2 ** m);
}

const OPTIONS = ['01010101', '83030400', '94040000', '07070400', '440c0500', '00000000', '89030401'].map((text) =>
  Buffer.from(text, 'hex'),
);

function randomIpv4(source: End, destination: End, next: Next): Buffer {
  const options = chance(8, next) ? pick(OPTIONS, next) : Buffer.alloc(0);
  const { protocol, message } = randomMessage(source, destination, next);
  const packet = Buffer.alloc(20 + options.length + message.length);
  packet[0] = 0x45 + options.length / 4;
  packet[1] = next();
  packet.writeUInt16BE(packet.length, 2);
  packet.writeUInt16BE(next() & 0xffff, 4);
  packet.writeUInt16BE(chance(64, next) ? pick([0x2000, 0x0003, 0x2003], next) : pick([0, 0x4000], next), 6);
  packet[8] = chance(6, next) ? next() % 3 : 64;
  packet[9] = protocol;
  packet.writeUInt32BE(source.address, 12);
  packet.writeUInt32BE(destination.address, 16);
  options.copy(packet, 20);
  message.copy(packet, 20 + options.length);
  return withHeaderSum(packet);
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
  [60, '3b00010400000000'],
  [51, '0400010400000000'],
  // At the limit of headers and options, and beyond.
  [60, `0408${'00'.repeat(63)}0105${'00'.repeat(5)}`],
  [60, `0408${'00'.repeat(62)}0106${'00'.repeat(6)}`],
  [60, `0410${'0100'.repeat(67)}`],
];

/** A row or port set, and the end that belongs to it; undefined in an empty table. */
function randomLead({ rows, shared }: NaiveTable, next: Next): { lead: NaiveLead; end: End } | undefined {
  const one = shared.length > 0 && chance(4, next) ? pick(shared, next) : undefined;
  if (one && one.portSets.length > 0) {
    const lead = pick(one.portSets, next);
    return { lead, end: { address: one.address, port: portOf(one, lead, next) } };
  }
  if (rows.length === 0) return undefined;
  const lead = pick(rows, next);
  return { lead, end: { address: addressOf(lead.prefix, next), port: next() & 0xffff } };
}

/** From the IPv4 side, between ends of the table mostly. */
export function randomIpv4Side(table: NaiveTable, role: Role, next: Next): Buffer {
  const other = randomEnd(table, next);
  const mine = (chance(3, next) ? undefined : randomLead(table, next)?.end) ?? randomEnd(table, next);
  return role === 'aftr' ? randomIpv4(other, mine, next) : randomIpv4(mine, other, next);
}

/** Out of the tunnel. */
export function randomIpv6(table: NaiveTable, role: Role, next: Next): Buffer {
  // Mostly from where it is let in, and to there.
  const likely = chance(4, next) ? undefined : randomLead(table, next);
  const other = randomEnd(table, next);
  const mine = likely?.end ?? randomEnd(table, next);
  const [source, destination] = role === 'aftr' ? [mine, other] : [other, mine];
  const inner = randomIpv4(source, destination, next);
  const remote =
    likely?.lead.remote ?? pick([...REMOTES, ...MARTIANS6, ...table.instances.flatMap(({ locals }) => locals)], next);
  const local = likely?.lead.local ?? pick(pick(table.instances, next).locals, next);
  if (chance(24, next)) return informational6(remote, local, next);
  if (likely && chance(16, next)) return randomTunnelError(table, role, likely, next);
  const { nextHeader, octets } = chance(8, next) ? randomExtensions(next) : { nextHeader: 4, octets: Buffer.alloc(0) };
  const trailer = Buffer.alloc(chance(10, next) ? next() % 9 : 0);
  return ipv6(remote, local, nextHeader, Buffer.concat([octets, inner, trailer]), next);
}

/** One extension header, or two or three in any order, each naming the next. */
function randomExtensions(next: Next): { nextHeader: number; octets: Buffer } {
  const chain = Array.from({ length: chance(2, next) ? 1 : 2 + (next() % 2) }, () => pick(EXTENSIONS, next));
  const headers = chain.map(([, text], i) => {
    const octets = Buffer.from(text, 'hex');
    const following = chain[i + 1];
    if (following) octets[0] = following[0];
    return octets;
  });
  return { nextHeader: chain[0]?.[0] ?? 4, octets: Buffer.concat(headers) };
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

/** Echo requests mostly; a reply, and messages of a link. */
function informational6(source: Buffer, destination: Buffer, next: Next): Buffer {
  const message = Buffer.from('80000000000700010102030405060708', 'hex');
  message[0] = pick([128, 128, 128, 129, 135, 143], next);
  message.writeUInt16BE(next() & 0xffff, 4);
  return icmpv6(source, destination, message, next);
}

function icmpv6(source: Buffer, destination: Buffer, message: Buffer, next: Next): Buffer {
  const packet = ipv6(source, destination, 58, message, next);
  packet.writeUInt16BE(0xffff - icmpv6Sum(packet, message), 42);
  return packet;
}

const ERRORS: readonly (readonly [type: number, code: number])[] = [
  [1, 0],
  [1, 5],
  [1, 6],
  [1, 7],
  [2, 0],
  [2, 0],
  [2, 0],
  [3, 0],
  [3, 1],
  [4, 0],
  [4, 1],
];

/** An error about a packet that went to a row, from a router or from its far end; cut off anywhere, sometimes. */
function randomTunnelError(
  table: NaiveTable,
  role: Role,
  { lead, end }: { lead: NaiveLead; end: End },
  next: Next,
): Buffer {
  const other = randomEnd(table, next);
  const sent = role === 'aftr' ? randomIpv4(other, end, next) : randomIpv4(end, other, next);
  const remote = chance(16, next) ? pick(REMOTES, next) : lead.remote;
  const limit = lead.instance.encapsulationLimit;
  const options = Buffer.from(limit === undefined && !chance(8, next) ? '' : '0400040104010100', 'hex');
  const upper = options.length > 0 ? 60 : 4;
  // Now and then as a first fragment of ours, or as a later one, which tells nothing.
  const isCut = chance(6, next);
  const cutHeader = Buffer.from(isCut ? [upper, 0, 0, chance(3, next) ? 9 : 1, 0, 0, 0, 7] : []);
  const quote = ipv6(lead.local, remote, isCut ? 44 : upper, Buffer.concat([cutHeader, options, sent]), next);
  if (chance(8, next)) quote.writeUInt16BE(1_500, 4);
  const [type, code] = pick(ERRORS, next);
  const head = Buffer.from([type, code, 0, 0, 0, 0, 0, 0]);
  if (type === 2) head.writeUInt32BE(1_270 + (next() % 250), 4);
  if (type === 4) head.writeUInt32BE(pick([44, 44, 52, 40, 6], next), 4);
  const cut = chance(8, next) ? next() % quote.length : 1_232;
  const from = chance(2, next) ? lead.remote : pick(REMOTES, next);
  return icmpv6(from, lead.local, Buffer.concat([head, quote.subarray(0, cut)]), next);
}
