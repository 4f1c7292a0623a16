/** IPv6 fragments for tests, built octet by octet. */

import type { Ipv6Fields } from './packets.ts';
import { hex8, hex16, ipv6 } from './packets.ts';

export interface FragmentFields extends Ipv6Fields {
  readonly id?: number;
  /** Next header of the first header behind the fragment header. */
  readonly upper?: number;
  /** Extension headers before the fragment header, of which the last names 44, and the next header of the outer one. */
  readonly before?: readonly [nextHeader: number, headers: string];
}

/** One fragment: octets of data at an offset in octets. */
export function fragment(data: string, offset: number, more: boolean, fields: FragmentFields = {}): string {
  const { id = 0x12345678, upper = 4, before, ...outer } = fields;
  const header = `${hex8(upper)}00${hex16(offset | (more ? 1 : 0))}${id.toString(16).padStart(8, '0')}`;
  return ipv6({ ...outer, nextHeader: before?.[0] ?? 44, payload: `${before?.[1] ?? ''}${header}${data}` });
}

/** The fragments of `data`, cut after every `piece` octets, or at the given offsets. */
export function fragments(data: string, piece: number | readonly number[], fields: FragmentFields = {}): string[] {
  const length = data.length / 2;
  const cuts =
    typeof piece === 'number'
      ? Array.from({ length: Math.ceil(length / piece) - 1 }, (_, i) => (i + 1) * piece)
      : piece;
  return [0, ...cuts].map((from, i) => {
    const to = cuts[i] ?? length;
    return fragment(data.slice(from * 2, to * 2), from, to < length, fields);
  });
}
