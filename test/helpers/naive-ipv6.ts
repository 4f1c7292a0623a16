/** What the naive engine reads of tunnel packets: extension headers and fragments. It shares nothing with src/datapath. */

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

/** RFC 8200 §4: passes extension headers from one on. */
export function passExtensions(packet: Buffer, from: Header): Walk {
  const { nextHeader, at } = from;
  if (![0, 43, 44, 60].includes(nextHeader)) return { ...from, stop: 'end' };
  if (at + 8 > packet.length) return { ...from, stop: 'truncated' };
  const length = nextHeader === 44 ? 8 : 8 + 8 * (packet[at + 1] ?? 0);
  if (at + length > packet.length) return { ...from, stop: 'truncated' };
  const header = packet.subarray(at, at + length);
  // Of fragments only those that are all of a packet (RFC 6946); of routing headers only those that are done.
  if (nextHeader === 44 && (header.readUInt16BE(2) & 0xfff9) !== 0) return { ...from, stop: 'fragment' };
  if (nextHeader === 43 && header[3] !== 0) return { ...from, stop: 'unfit' };
  const unfit = nextHeader === 0 || nextHeader === 60 ? unfitOption(header.subarray(2)) : undefined;
  if (unfit) return { ...from, stop: unfit };
  return passExtensions(packet, { nextHeader: header[0] ?? 0, at: at + length, link: at });
}

/** RFC 8200 §4.5 and RFC 7112 §5: undefined for what can be no fragment of a packet. */
export function readFragment(packet: Buffer, { at, link }: Walk): OuterFragment | undefined {
  const offset = packet.readUInt16BE(at + 2) & 0xfff8;
  const more = ((packet[at + 3] ?? 0) & 1) === 1;
  const data = packet.subarray(at + 8);
  if (data.length === 0 || (more && data.length % 8 !== 0) || at - 40 + offset + data.length > 65_535) return undefined;
  if (offset === 0) {
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

/** RFC 8200 §4.2: what is none of padding, tunnel encapsulation limit, and unknown options that ask for nothing. */
function unfitOption(options: Buffer): 'unfit' | 'truncated' | undefined {
  for (let at = 0; at < options.length; ) {
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
  return undefined;
}
