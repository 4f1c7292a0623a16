/** Fragments of tunnel packets, and of IPv4 packets, on their way: in any order, some twice, some lost, some that overlap others. */

import type { Next } from './fuzz-table.ts';
import { chance } from './fuzz-table.ts';
import { withHeaderSum } from './naive-ipv4.ts';

/** As many fragments at least are on their way, so that those of some packets come between those of others. */
const ON_THE_WAY = 12;
/** Identifications, few enough for some packets to have the same. */
const IDENTIFICATIONS = 256;
const HEADER = 40;

export class FuzzFragments {
  readonly #cut: (packet: Buffer, next: Next) => Buffer[];
  readonly #onTheWay: Buffer[] = [];

  constructor(cut: (packet: Buffer, next: Next) => Buffer[]) {
    this.#cut = cut;
  }

  /** The next to arrive; `make` gives packets to cut. */
  take(make: () => Buffer, next: Next): Buffer {
    while (this.#onTheWay.length < ON_THE_WAY) this.#onTheWay.push(...this.#cut(make(), next));
    const [fragment] = this.#onTheWay.splice(next() % this.#onTheWay.length, 1);
    if (!fragment) throw new RangeError('no fragment is on its way');
    return fragment;
  }
}

/** RFC 8200 §4.5; behind the first extension header, where there is one, as often as before it. */
export function cutOuter(packet: Buffer, next: Next): Buffer[] {
  const hasExtension = packet[6] === 0 || packet[6] === 43 || packet[6] === 60;
  const at = hasExtension && next() % 2 === 0 ? HEADER + 8 * (1 + (packet[HEADER + 1] ?? 0)) : HEADER;
  const link = at === HEADER ? 6 : HEADER;
  const identification = next() % IDENTIFICATIONS;
  const fragments: Buffer[] = [];
  for (let from = at; from < packet.length; ) {
    const to = Math.min(packet.length, from + 8 * (1 + (next() % (from === at ? 12 : 40))));
    const fragment = Buffer.concat([packet.subarray(0, at), Buffer.alloc(8), packet.subarray(from, to)]);
    fragment.writeUInt16BE(fragment.length - HEADER, 4);
    fragment[link] = 44;
    fragment[at] = packet[link] ?? 0;
    fragment.writeUInt16BE((from - at) | (to < packet.length ? 1 : 0), at + 2);
    fragment.writeUInt32BE(identification, at + 4);
    fragments.push(...spoil(fragment, at, next));
    from = to;
  }
  return fragments;
}

/** Mostly the fragment; sometimes twice, or lost, or with another one that overlaps it, or with another mark (RFC 3168). */
function spoil(fragment: Buffer, at: number, next: Next): Buffer[] {
  const other = Buffer.from(fragment);
  switch (next() % 40) {
    case 0:
      return [];
    case 1:
      return [fragment, other];
    case 2:
      other.writeUInt16BE((fragment.readUInt16BE(at + 2) + 8) & 0xffff, at + 2);
      return [fragment, other];
    case 3:
      other[other.length - 1] = next();
      return [fragment, other];
    case 4:
      other[at + 3] = (other[at + 3] ?? 0) ^ 1;
      return [other];
    case 7:
      if (next() % 8 === 0) other.writeUInt16BE(0xfff8 | (other.readUInt16BE(at + 2) & 1), at + 2);
      return [other];
    case 5:
    case 6:
      other[1] = (other[1] ?? 0) ^ ((next() & 3) << 4);
      return [other];
    default:
      return [fragment];
  }
}

/**
 * RFC 791 §3.2: an IPv4 packet, or the one in a plain tunnel packet, in up to three fragments, some lost, some twice; every other
 * packet goes whole.
 */
export function cutInner(packet: Buffer, next: Next): Buffer[] {
  const at = (packet[0] ?? 0) >> 4 === 4 ? 0 : HEADER;
  const inner = packet.subarray(at);
  const header = ((inner[0] ?? 0) & 15) * 4;
  if (at > 0 && packet[6] !== 4) return [packet];
  const identification = next() % IDENTIFICATIONS;
  const fragments: Buffer[] = [];
  for (let from = header; from < inner.length; ) {
    const isThird = fragments.length === 2;
    const to = isThird ? inner.length : Math.min(inner.length, from + 8 * (1 + (next() % 12)));
    const fragment = Buffer.concat([packet.subarray(0, at + header), inner.subarray(from, to)]);
    if (at > 0) fragment.writeUInt16BE(fragment.length - HEADER, 4);
    const own = fragment.subarray(at);
    own.writeUInt16BE(own.length, 2);
    own.writeUInt16BE(identification, 4);
    own.writeUInt16BE((to < inner.length ? 0x2000 : 0) | ((from - header) >> 3), 6);
    withHeaderSum(own);
    if (!chance(40, next)) fragments.push(fragment);
    if (chance(40, next)) fragments.push(Buffer.from(fragment));
    from = to;
  }
  return fragments;
}
