/** This device's own IPv4 addresses, and the broadcast addresses of its subnets (RFC 1812 §4.2.2.11 (d)): all ones behind the prefix. */

import { ipv4Mask } from '../address.ts';
import type { Address } from './netlink.ts';

/** Each once, as unsigned numbers in order. A /31 and a /32 have none (RFC 3021 §2.2). */
export function broadcastAddresses(addresses: readonly Address[]): number[] {
  const found = addresses.flatMap(({ family, octets, length }) => {
    if (family !== 4 || length > 30 || length === 0) return [];
    const [a = 0, b = 0, c = 0, d = 0] = octets;
    return [((a << 24) | (b << 16) | (c << 8) | d | ~ipv4Mask(length)) >>> 0];
  });
  return [...new Set(found)].sort((one, other) => one - other);
}

/** The IPv4 addresses themselves, each once, as unsigned numbers in order. */
export function hostAddresses(addresses: readonly Address[]): number[] {
  const found = addresses.flatMap(({ family, octets }) => {
    const [a = 0, b = 0, c = 0, d = 0] = octets;
    return family === 4 ? [((a << 24) | (b << 16) | (c << 8) | d) >>> 0] : [];
  });
  return [...new Set(found)].sort((one, other) => one - other);
}
