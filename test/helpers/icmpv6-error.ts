/** ICMPv6 errors as they are expected, built independent of the engine. Hexadecimal text. */

import { icmpv6, ipv6 } from './packets.ts';

/** The error from `src` about a packet, to where it came from: at most 1,280 octets. */
export function icmpv6Error(type: number, code: number, parameter: number, about: string, src: string): string {
  const dst = (about.slice(16, 48).match(/.{4}/g) ?? []).join(':');
  const rest = parameter.toString(16).padStart(8, '0') + about.slice(0, 2 * (1_280 - 48));
  return ipv6({ src, dst, nextHeader: 58, payload: icmpv6(src, dst, type, code, rest) });
}
