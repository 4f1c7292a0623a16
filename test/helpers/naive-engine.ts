/**
 * The engine a second time, slow and obvious: one packet after the other, every rule where the RFC has it, linear search for
 * the longest match, a new buffer for what leaves. It shares nothing with src/datapath, so that a fault of the one is none of the
 * other. It says how a packet ends and what leaves; why a packet is dropped is left to the engine's own cases.
 */

import type { Ipv4Prefix } from '../../src/address.ts';
import { inIpv4Prefix } from '../../src/address.ts';
import type { OuterFragment, Walk } from './naive-ipv6.ts';
import { passExtensions, putTogether, readFragment } from './naive-ipv6.ts';
import { NaiveReassembly } from './naive-reassembly.ts';

export interface NaiveInstance {
  readonly name: string;
  /** Tunnel addresses. */
  readonly locals: readonly Buffer[];
  /** The AFTR of a gateway. */
  readonly remote?: Buffer | undefined;
  /** 0 for none. */
  readonly ipv4Address: number;
  readonly isPipe: boolean;
  readonly pipeDscp: number;
  readonly isEcnCompatible: boolean;
  readonly hasFlowLabel: boolean;
  readonly hopLimit: number;
  readonly payloadMtu: number;
  readonly isHairpinning: boolean;
}

/** A served prefix of a gateway, or a binding of an AFTR. */
export interface NaiveRow {
  readonly prefix: Ipv4Prefix;
  readonly instance: NaiveInstance;
  readonly local: Buffer;
  readonly remote: Buffer;
}

export interface NaiveAnswer {
  readonly end: 'forwarded' | 'hairpinned' | 'replied' | 'held' | 'dropped';
  /** In order. Identifications of fragments are zero, and flow labels where there are any. */
  readonly out: readonly Buffer[];
}

const DROPPED: NaiveAnswer = { end: 'dropped', out: [] };
const HELD: NaiveAnswer = { end: 'held', out: [] };
/** RFC 8200 §4.5. */
const REASSEMBLY_MS = 60_000;

/** What is read of an IPv4 packet. */
interface Inner {
  /** Its octets up to the total length. */
  readonly octets: Buffer;
  readonly headerLength: number;
  readonly source: number;
  readonly destination: number;
}

export class NaiveEngine {
  readonly #isGateway: boolean;
  readonly #instances: readonly NaiveInstance[];
  readonly #rows: readonly NaiveRow[];
  readonly #reassembly = new NaiveReassembly<OuterFragment>(REASSEMBLY_MS);

  constructor(role: 'gateway' | 'aftr', instances: readonly NaiveInstance[], rows: readonly NaiveRow[]) {
    this.#isGateway = role === 'gateway';
    this.#instances = instances;
    // The longest first: the first that holds an address is the longest match.
    this.#rows = rows.toSorted((a, b) => b.prefix.length - a.prefix.length);
  }

  decide(packet: Buffer, nowMs: number): NaiveAnswer {
    return (packet[0] ?? 0) >> 4 === 4 ? this.#fromIpv4(packet) : this.#fromIpv6(packet, nowMs, false);
  }

  #fromIpv4(packet: Buffer): NaiveAnswer {
    const inner = readInner(packet);
    if (!inner) return DROPPED;
    if (this.#instances.some(({ ipv4Address }) => ipv4Address !== 0 && ipv4Address === inner.destination)) {
      const reply = echoReply(inner);
      return reply ? { end: 'replied', out: [reply] } : DROPPED;
    }
    const row = this.#rowOf(this.#isGateway ? inner.source : inner.destination);
    if (!row || inner.octets[8] === 0) return DROPPED;
    if (this.#isGateway && this.#rowOf(inner.destination)?.instance === row.instance) return DROPPED;
    return answer('forwarded', encapsulate(inner.octets, row));
  }

  #fromIpv6(packet: Buffer, nowMs: number, isWhole: boolean): NaiveAnswer {
    if (packet.length < 40 || (packet[0] ?? 0) >> 4 !== 6 || packet.readUInt16BE(4) > packet.length - 40)
      return DROPPED;
    const whole = packet.subarray(0, 40 + packet.readUInt16BE(4));
    const [source, local] = [whole.subarray(8, 24), whole.subarray(24, 40)];
    const instance = this.#instances.find(({ locals }) => locals.some((address) => address.equals(local)));
    if (!instance || !mayBeSource(source)) return DROPPED;
    const walk = passExtensions(whole, { nextHeader: whole[6] ?? 0, at: 40, link: 6 });
    if (walk.stop === 'fragment' && !isWhole) return this.#fragment(whole, nowMs, instance, walk);
    if (walk.stop !== 'end') return DROPPED;
    if (walk.nextHeader === 58) return echoReply6(whole, walk.at);
    const inner = walk.nextHeader === 4 ? readInner(whole.subarray(walk.at)) : undefined;
    if (!inner || this.#instances.some(({ ipv4Address }) => ipv4Address === inner.source)) return DROPPED;
    const leaving = decapsulated(whole, inner, instance);
    return this.#isGateway
      ? this.#atGateway(instance, source, inner, leaving)
      : this.#atAftr(instance, source, local, inner, leaving);
  }

  #fragment(packet: Buffer, nowMs: number, instance: NaiveInstance, walk: Walk): NaiveAnswer {
    if (this.#isGateway && !instance.remote?.equals(packet.subarray(8, 24))) return DROPPED;
    const fragment = readFragment(packet, walk);
    if (!fragment) return DROPPED;
    const key = packet.toString('hex', 8, 40) + packet.toString('hex', walk.at + 4, walk.at + 8);
    const whole = this.#reassembly.add(nowMs, key, fragment);
    if (whole === 'held') return HELD;
    const together = whole === 'dropped' ? undefined : putTogether(whole);
    return together ? this.#fromIpv6(together, nowMs, true) : DROPPED;
  }

  /** RFC 7596 §5.2. */
  #atGateway(instance: NaiveInstance, source: Buffer, inner: Inner, leaving: Buffer | undefined): NaiveAnswer {
    if (!instance.remote?.equals(source) || !leaving) return DROPPED;
    const row = this.#rowOf(inner.destination);
    if (row && row.instance !== instance) return DROPPED;
    if (this.#rowOf(inner.source)?.instance === instance) return DROPPED;
    if (inner.destination === instance.ipv4Address) return toItself(inner, leaving, row);
    if (!row || (leaving[8] ?? 0) <= 1) return DROPPED;
    return { end: 'forwarded', out: [leaving] };
  }

  /** RFC 7596 §6.2. */
  #atAftr(
    instance: NaiveInstance,
    source: Buffer,
    local: Buffer,
    inner: Inner,
    leaving: Buffer | undefined,
  ): NaiveAnswer {
    const row = this.#rowOf(inner.source);
    if (!row?.remote.equals(source) || !row.local.equals(local) || !leaving) return DROPPED;
    if (inner.destination === instance.ipv4Address) return toItself(inner, leaving, row);
    const other = this.#rowOf(inner.destination);
    if (other?.remote.equals(row.remote) || (leaving[8] ?? 0) <= 1) return DROPPED;
    if (!other) return { end: 'forwarded', out: [leaving] };
    if (!instance.isHairpinning) return DROPPED;
    return answer('hairpinned', encapsulate(withTtl(leaving, (leaving[8] ?? 0) - 1), other));
  }

  #rowOf(address: number): NaiveRow | undefined {
    return this.#rows.find(({ prefix }) => inIpv4Prefix(address, prefix));
  }
}

function answer(end: 'forwarded' | 'hairpinned' | 'replied', out: readonly Buffer[]): NaiveAnswer {
  return out.length > 0 ? { end, out } : DROPPED;
}

/** To the instance's own address through the tunnel: echo is answered, all else is for the kernel. */
function toItself(inner: Inner, leaving: Buffer, row: NaiveRow | undefined): NaiveAnswer {
  const reply = row && echoReply(inner);
  return reply ? answer('replied', encapsulate(reply, row)) : { end: 'forwarded', out: [leaving] };
}

/** RFC 1812 §5.2.2, §5.3.7, and source routes (RFC 7126 §4.3, §4.4): undefined for what must not go on. */
function readInner(packet: Buffer): Inner | undefined {
  if (packet.length < 20 || (packet[0] ?? 0) >> 4 !== 4) return undefined;
  const headerLength = ((packet[0] ?? 0) & 15) * 4;
  const totalLength = packet.readUInt16BE(2);
  if (headerLength < 20 || totalLength < headerLength || totalLength > packet.length) return undefined;
  const octets = packet.subarray(0, totalLength);
  if (sumOf(octets.subarray(0, headerLength)) !== 0xffff) return undefined;
  const [source, destination] = [packet.readUInt32BE(12), packet.readUInt32BE(16)];
  if (!isHost(source) || !isHost(destination)) return undefined;
  if (hasSourceRoute(octets.subarray(20, headerLength))) return undefined;
  return { octets, headerLength, source, destination };
}

function hasSourceRoute(options: Buffer): boolean {
  for (let at = 0; at < options.length; ) {
    const type = options[at];
    if (type === 0) return false;
    if (type === 131 || type === 137) return true;
    const length = options[at + 1] ?? 0;
    if (type !== 1 && length < 2) return false;
    at += type === 1 ? 1 : length;
  }
  return false;
}

function isHost(address: number): boolean {
  const first = address >>> 24;
  return first !== 0 && first !== 127 && first < 224;
}

/** RFC 4443 §2.4 (e.6). */
function mayBeSource(address: Buffer): boolean {
  const isLinkLocal = address[0] === 0xfe && ((address[1] ?? 0) & 0xc0) === 0x80;
  const isLow = address.subarray(0, 15).every((octet) => octet === 0) && (address[15] ?? 0) <= 1;
  return address[0] !== 0xff && !isLinkLocal && !isLow;
}

/** The inner packet with DSCP (RFC 2983) and ECN (RFC 6040 §4.2) as they leave; undefined where a mark would be lost. */
function decapsulated(outer: Buffer, { octets }: Inner, instance: NaiveInstance): Buffer | undefined {
  const trafficClass = (outer.readUInt16BE(0) >> 4) & 255;
  const tos = octets[1] ?? 0;
  const [inside, outside] = [tos & 3, trafficClass & 3];
  if (inside === 0 && outside === 3) return undefined;
  const isMarked = inside !== 0 && outside === 3;
  const becomesEct1 = inside === 2 && outside === 1;
  const ecn = isMarked ? 3 : becomesEct1 ? 1 : inside;
  return withTos(octets, ((instance.isPipe ? tos : trafficClass) & 0xfc) | ecn);
}

/** RFC 2473 §3.1, §7.2: one tunnel packet, or its fragments; none where the packet may not be fragmented. */
function encapsulate(inner: Buffer, { instance, local, remote }: NaiveRow): Buffer[] {
  const header = Buffer.alloc(40);
  const tos = inner[1] ?? 0;
  const dscp = instance.isPipe ? instance.pipeDscp << 2 : tos & 0xfc;
  header.writeUInt32BE(((6 << 28) | ((dscp | (instance.isEcnCompatible ? 0 : tos & 3)) << 20)) >>> 0, 0);
  header.writeUInt16BE(inner.length, 4);
  header[6] = 4;
  header[7] = instance.hopLimit;
  local.copy(header, 8);
  remote.copy(header, 24);
  if (inner.length <= instance.payloadMtu) return [Buffer.concat([header, inner])];
  if (((inner[6] ?? 0) & 0x40) !== 0) return [];
  return fragments(header, inner, instance.payloadMtu - 8);
}

/** RFC 8200 §4.5. */
function fragments(header: Buffer, payload: Buffer, room: number): Buffer[] {
  const size = room - (room % 8);
  const pieces: Buffer[] = [];
  for (let at = 0; at < payload.length; at += size) {
    const piece = payload.subarray(at, at + size);
    const head = Buffer.concat([header, Buffer.alloc(8)]);
    head.writeUInt16BE(8 + piece.length, 4);
    head[6] = 44;
    head[40] = 4;
    head.writeUInt16BE(at | (at + size < payload.length ? 1 : 0), 42);
    pieces.push(Buffer.concat([head, piece]));
  }
  return pieces;
}

/** RFC 1122 §3.2.2.6. */
function echoReply({ octets, headerLength }: Inner): Buffer | undefined {
  const message = octets.subarray(headerLength);
  const isFragment = (octets.readUInt16BE(6) & 0x3fff) !== 0;
  if (octets[9] !== 1 || isFragment || message.length < 8) return undefined;
  if (message[0] !== 8 || sumOf(message) !== 0xffff) return undefined;
  const reply = Buffer.from(octets);
  octets.copy(reply, 12, 16, 20);
  octets.copy(reply, 16, 12, 16);
  reply[8] = 64;
  reply[headerLength] = 0;
  reply.writeUInt16BE(0, headerLength + 2);
  reply.writeUInt16BE(0xffff - sumOf(reply.subarray(headerLength)), headerLength + 2);
  return withHeaderSum(reply);
}

/** RFC 4443 §4.2, for a message right behind the header. */
function echoReply6(packet: Buffer, at: number): NaiveAnswer {
  const message = packet.subarray(at);
  if (at !== 40 || message.length < 8 || message[0] !== 128) return DROPPED;
  const pseudo = Buffer.alloc(8);
  pseudo.writeUInt32BE(message.length, 0);
  pseudo[7] = 58;
  const summed = (octets: Buffer): Buffer => Buffer.concat([packet.subarray(8, 40), pseudo, octets]);
  if (sumOf(summed(message)) !== 0xffff) return DROPPED;
  const reply = Buffer.from(packet);
  reply.writeUInt32BE((reply.readUInt32BE(0) & 0xfff00000) >>> 0, 0);
  reply[7] = 64;
  packet.copy(reply, 8, 24, 40);
  packet.copy(reply, 24, 8, 24);
  reply[40] = 129;
  reply.writeUInt16BE(0, 42);
  reply.writeUInt16BE(0xffff - sumOf(summed(reply.subarray(40))), 42);
  return { end: 'replied', out: [reply] };
}

function withTos(octets: Buffer, tos: number): Buffer {
  const copy = Buffer.from(octets);
  copy[1] = tos;
  return withHeaderSum(copy);
}

function withTtl(octets: Buffer, ttl: number): Buffer {
  const copy = Buffer.from(octets);
  copy[8] = ttl;
  return withHeaderSum(copy);
}

function withHeaderSum(octets: Buffer): Buffer {
  octets.writeUInt16BE(0, 10);
  octets.writeUInt16BE(0xffff - sumOf(octets.subarray(0, ((octets[0] ?? 0) & 15) * 4)), 10);
  return octets;
}

/** Ones' complement sum of 16-bit words (RFC 1071). */
function sumOf(octets: Buffer): number {
  let sum = 0;
  for (let at = 0; at < octets.length; at += 2) sum += (octets[at] ?? 0) * 256 + (octets[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return sum;
}
