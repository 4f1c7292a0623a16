/**
 * ICMPv6 errors about packets of the tunnel (RFC 2473 §8), for the naive engine: what must be quoted in them, what is learned, and what
 * the inner source is told. It shares nothing with src/datapath.
 */

import { encapsulate, outerLength } from './naive-encapsulation.ts';
import type { Inner } from './naive-ipv4.ts';
import { isHost, readHeader, sumOf, withHeaderSum } from './naive-ipv4.ts';
import { icmpv6Sum } from './naive-ipv6.ts';
import type { NaiveAnswer, NaiveInstance, NaiveLead } from './naive-model.ts';
import { DROPPED } from './naive-model.ts';
import type { NaivePathMtus } from './naive-path-mtus.ts';
import { portsOfQuoted } from './naive-port-sets.ts';

export interface TunnelErrorParts {
  readonly isGateway: boolean;
  readonly instances: readonly NaiveInstance[];
  /** The one that has the tunnel address. */
  readonly instance: NaiveInstance;
  /** Where an address leads, with the port that counts where it is shared. */
  readonly find: (address: number, port: number | undefined) => NaiveLead | undefined;
  readonly pathMtus: NaivePathMtus;
  readonly nowMs: number;
  /** Addresses that are no host's. */
  readonly broadcasts: readonly number[];
}

const HOST_UNREACHABLE = [3, 1] as const;
const FRAGMENTATION_NEEDED = [3, 4] as const;
/** An ICMPv4 error is no longer (RFC 1812 §4.3.2.3). */
const LARGEST_ERROR = 576;

/** A tunnel packet that is quoted: as far as it is there. */
interface Quote {
  readonly outer: Buffer;
  /** Offset of the inner packet. */
  readonly at: number;
  readonly inner: Inner;
  readonly lead: NaiveLead;
}

/** The ICMPv6 message at `at` of a packet to a tunnel address. */
export function naiveTunnelError(packet: Buffer, at: number, parts: TunnelErrorParts): NaiveAnswer {
  const message = packet.subarray(at);
  if (message.length < 8 || (message[0] ?? 255) >= 128 || icmpv6Sum(packet, message) !== 0xffff) return DROPPED;
  const quote = readQuote(message.subarray(8), parts);
  if (!quote || !isOurs(packet, message, quote, parts)) return DROPPED;
  const [type, code, parameter] = [message[0], message[1] ?? 0, message.readUInt32BE(4)];
  if (type === 2) return tooBig(quote, parameter, parts);
  const isUnreachable = (type === 1 && code <= 6) || (type === 3 && code === 0);
  // The octet that holds the limit, in a packet that begins with the option (RFC 2473 §8.3).
  const { outer, at: innerAt } = quote;
  const named = outer[6] === 44 ? outer[40] : outer[6];
  const isAtLimit = type === 4 && code === 0 && named === 60 && outer[innerAt - 6] === 4 && parameter === innerAt - 4;
  return isUnreachable || isAtLimit ? relay(quote, HOST_UNREACHABLE, 0, parts) : DROPPED;
}

/** Undefined without a whole inner header and eight octets behind it, and for what no row leads to. */
function readQuote(outer: Buffer, { isGateway, find, instance }: TunnelErrorParts): Quote | undefined {
  if (outer.length < 40 || (outer[0] ?? 0) >> 4 !== 6) return undefined;
  let [header, at] = [outer[6], 40];
  // A first fragment, and the one option that this end writes when it is told to.
  for (const known of [44, 60]) {
    if (known === 60 && (header === 60) !== (instance.encapsulationLimit !== undefined)) return undefined;
    if (header !== known) continue;
    if (at + 8 > outer.length) return undefined;
    if (known === 44 ? outer.readUInt16BE(at + 2) >= 8 : outer[at + 1] !== 0 || outer[at + 2] !== 4) return undefined;
    header = outer[at];
    at += 8;
  }
  const inner = header === 4 ? readHeader(outer.subarray(at)) : undefined;
  if (!inner || outer.length < at + inner.headerLength + 8) return undefined;
  const ports = portsOfQuoted(inner);
  const lead = isGateway ? find(inner.source, ports?.source) : find(inner.destination, ports?.destination);
  return lead && { outer, at, inner, lead };
}

/** Whether it is a packet that this tunnel end sent (RFC 8201 §4); a refusal counts only from the AFTR (RFC 7596 §5.1). */
function isOurs(packet: Buffer, message: Buffer, { outer, at, inner, lead }: Quote, parts: TunnelErrorParts): boolean {
  const local = packet.subarray(24, 40);
  if (lead.instance !== parts.instance || !lead.local.equals(local)) return false;
  if (!outer.subarray(8, 24).equals(local) || !outer.subarray(24, 40).equals(lead.remote)) return false;
  // It is as long as its inner packet makes it, or a first fragment of that.
  const payload = outer.readUInt16BE(4);
  const whole = at - 40 + inner.octets.readUInt16BE(2);
  if (outer[6] === 44 ? payload > whole : payload !== whole) return false;
  const isRefusal = message[0] === 1 && message[1] === 5;
  return !parts.isGateway || !isRefusal || packet.subarray(8, 24).equals(lead.remote);
}

function tooBig(quote: Quote, mtu: number, parts: TunnelErrorParts): NaiveAnswer {
  const { outer, inner, lead } = quote;
  // A link that would have taken the packet has nothing to say.
  if (mtu < 1_280 || mtu >= 40 + outer.readUInt16BE(4)) return DROPPED;
  parts.pathMtus.learn(lead, mtu, parts.nowMs);
  if (((inner.octets[6] ?? 0) & 0x40) === 0) return DROPPED;
  const payloadMtu = Math.min(mtu - outerLength(lead.instance), parts.pathMtus.payloadMtu(lead, parts.nowMs));
  return relay(quote, FRAGMENTATION_NEEDED, payloadMtu, parts);
}

/** To the inner source, through the tunnel again when it is behind a gateway (RFC 7596 §8); silence as RFC 1812 §4.3.2.7. */
function relay(
  { inner, lead }: Quote,
  code: readonly [number, number],
  mtu: number,
  parts: TunnelErrorParts,
): NaiveAnswer {
  const from = lead.instance.ipv4Address;
  if (from === 0 || parts.instances.some(({ ipv4Address }) => ipv4Address === inner.source)) return DROPPED;
  if (!mayBeAnswered(inner) || [inner.source, inner.destination].some((end) => parts.broadcasts.includes(end))) {
    return DROPPED;
  }
  const back = parts.isGateway ? undefined : parts.find(inner.source, portsOfQuoted(inner)?.source);
  const backMtu = back && parts.pathMtus.payloadMtu(back, parts.nowMs);
  const mayCut = !back || back.instance.cutsOuter;
  const quoted = inner.octets.subarray(0, (mayCut ? LARGEST_ERROR : Math.min(LARGEST_ERROR, backMtu ?? 0)) - 28);
  if (quoted.length < inner.headerLength + 8) return DROPPED;
  const error = Buffer.concat([Buffer.alloc(28), quoted]);
  error.set([0x45, 0xc0]);
  error.writeUInt16BE(error.length, 2);
  error.writeUInt32BE(0x4000, 4);
  error.set([64, 1], 8);
  error.writeUInt32BE(from, 12);
  error.writeUInt32BE(inner.source, 16);
  error.set(code, 20);
  error.writeUInt32BE(mtu, 24);
  error.writeUInt16BE(0xffff - sumOf(error.subarray(20)), 22);
  withHeaderSum(error);
  if (!back) return { end: 'forwarded', out: [error], isLimited: true };
  const out = encapsulate(error, back, parts.pathMtus.payloadMtu(back, parts.nowMs));
  return { end: 'hairpinned', out, isLimited: true };
}

function mayBeAnswered({ source, destination, fragmentOffset, protocol, message }: Inner): boolean {
  const areHosts = [source, destination].every(isHost);
  const isError = protocol === 1 && [3, 4, 5, 11, 12].includes(message[0] ?? 0);
  return areHosts && fragmentOffset === 0 && !isError;
}
