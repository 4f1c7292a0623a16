/** What the naive engine reads of tunnel packets: extension headers and fragments. It shares nothing with src/datapath. */

import { fragments } from './naive-encapsulation.ts';
import { sumOf } from './naive-ipv4.ts';
import type { NaiveAnswer } from './naive-model.ts';
import type { NaiveFragment } from './naive-reassembly.ts';

/** A fragment of a tunnel packet. */
export interface OuterFragment extends NaiveFragment {
  /** What stands before the fragment header, which names now what stands behind it. */
  readonly head: Buffer;
}

/** A header of a packet, and the octet that names it. */
interface Header {
  readonly nextHeader: number;
  readonly at: number;
  readonly link: number;
}

/** Where extension headers end: behind them, at a fragment, at one that may not go on, or before its end. */
export interface Walk extends Header {
  readonly stop: 'end' | 'fragment' | 'unfit' | 'truncated';
}

/** RFC 8504 §5.3: headers and options that are passed over. */
const MOST_STEPS = 64;

/** Where the IPv6 header names what follows. */
const IPV6_LINK = 6;

/** RFC 8200 §4: passes extension headers from one on. */
export function passExtensions(packet: Buffer, from: Header, steps = 1): Walk {
  const { nextHeader, at } = from;
  // Hop-by-hop options stand behind the IPv6 header or nowhere.
  const known = from.link === IPV6_LINK ? [0, 43, 44, 60] : [43, 44, 60];
  if (!known.includes(nextHeader)) return { ...from, stop: 'end' };
  if (steps > MOST_STEPS) return { ...from, stop: 'unfit' };
  if (at + 8 > packet.length) return { ...from, stop: 'truncated' };
  const length = nextHeader === 44 ? 8 : 8 + 8 * (packet[at + 1] ?? 0);
  if (at + length > packet.length) return { ...from, stop: 'truncated' };
  const header = packet.subarray(at, at + length);
  // Of fragments only those that are all of a packet (RFC 6946); of routing headers only those that are done.
  if (nextHeader === 44 && (header.readUInt16BE(2) & 0xfff9) !== 0) return { ...from, stop: 'fragment' };
  if (nextHeader === 43 && header[3] !== 0) return { ...from, stop: 'unfit' };
  const options = nextHeader === 0 || nextHeader === 60 ? passOptions(header.subarray(2), MOST_STEPS - steps) : 0;
  if (typeof options === 'string') return { ...from, stop: options };
  return passExtensions(packet, { nextHeader: header[0] ?? 0, at: at + length, link: at }, steps + options + 1);
}

/** RFC 8200 §4.5 and RFC 7112 §5: undefined for what can be no fragment of a packet. */
export function readFragment(packet: Buffer, { at, link }: Walk): OuterFragment | undefined {
  const offset = packet.readUInt16BE(at + 2) & 0xfff8;
  const more = ((packet[at + 3] ?? 0) & 1) === 1;
  const data = packet.subarray(at + 8);
  if (data.length === 0 || (more && data.length % 8 !== 0) || at - 40 + offset + data.length > 65_535) return undefined;
  if (offset === 0) {
    if (packet[at] === 0) return undefined;
    const { stop, ...last } = passExtensions(packet, { nextHeader: packet[at] ?? 0, at: at + 8, link: at });
    if (stop === 'truncated' || last.at >= packet.length) return undefined;
    const least = last.nextHeader === 4 ? Math.max(20, ((packet[last.at] ?? 0) & 15) * 4) : 0;
    if (last.at + least > packet.length) return undefined;
  }
  const head = Buffer.from(packet.subarray(0, at));
  head[link] = packet[at] ?? 0;
  return { offset, data, more, head };
}

/** The packet of its fragments, with the headers of the first; undefined for a mixture of marks (RFC 3168 §5.3). */
export function putTogether(fragments: readonly OuterFragment[]): Buffer | undefined {
  const packet = Buffer.concat([fragments[0]?.head ?? Buffer.alloc(0), ...fragments.map(({ data }) => data)]);
  packet.writeUInt16BE(packet.length - 40, 4);
  const marks = new Set(fragments.map(({ head }) => ((head[1] ?? 0) >> 4) & 3));
  if (marks.has(0) && marks.size > 1) return undefined;
  if (marks.has(3)) packet[1] = (packet[1] ?? 0) | 0x30;
  return packet;
}

/** RFC 8200 §4.2: the number of options; or why not, when one is unknown that asks for something, or there are more than `most`. */
function passOptions(options: Buffer, most: number): number | 'unfit' | 'truncated' {
  let count = 0;
  for (let at = 0; at < options.length; ) {
    if (++count > most) return 'unfit';
    const type = options[at] ?? 0;
    if (type === 0) {
      at++;
      continue;
    }
    const length = options[at + 1];
    if (length === undefined || at + 2 + length > options.length) return 'truncated';
    if (type !== 1 && type !== 4 && type >> 6 !== 0) return 'unfit';
    at += 2 + length;
  }
  return count;
}

/** RFC 4443 §2.4 (e.6). */
export function mayBeSource(address: Buffer): boolean {
  const isLinkLocal = address[0] === 0xfe && ((address[1] ?? 0) & 0xc0) === 0x80;
  const isLow = address.subarray(0, 15).every((octet) => octet === 0) && (address[15] ?? 0) <= 1;
  return address[0] !== 0xff && !isLinkLocal && !isLow;
}

/** Sum over pseudo-header and message (RFC 8200 §8.1): all ones when the checksum in it is right. */
export function icmpv6Sum(packet: Buffer, message: Buffer): number {
  const pseudo = Buffer.alloc(8);
  pseudo.writeUInt32BE(message.length, 0);
  pseudo[7] = 58;
  return sumOf(Buffer.concat([packet.subarray(8, 40), pseudo, message]));
}

/**
 * RFC 4443 §4.2, for a message at `at`; undefined when it is no echo request. The answer is one packet when the request was, and
 * no larger than `mtu`; else in fragments that every link takes (RFC 8200 §5).
 */
export function echoReply6(packet: Buffer, at: number, isWhole: boolean, mtu: number): NaiveAnswer | undefined {
  const message = packet.subarray(at);
  if (message.length < 8 || message[0] !== 128 || icmpv6Sum(packet, message) !== 0xffff) return undefined;
  const reply = Buffer.concat([packet.subarray(0, 40), message]);
  reply.writeUInt32BE((reply.readUInt32BE(0) & 0xfff00000) >>> 0, 0);
  reply.writeUInt16BE(message.length, 4);
  reply[6] = 58;
  reply[7] = 64;
  packet.copy(reply, 8, 24, 40);
  packet.copy(reply, 24, 8, 24);
  reply[40] = 129;
  reply.writeUInt16BE(0, 42);
  reply.writeUInt16BE(0xffff - icmpv6Sum(reply, reply.subarray(40)), 42);
  const isOne = reply.length <= 1_280 || (!isWhole && reply.length <= mtu);
  return { end: 'replied', out: isOne ? [reply] : fragments(reply.subarray(0, 40), reply.subarray(40), 1_240 - 8) };
}
