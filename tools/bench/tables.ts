/** The tables that stand for reality in benches, each of so many bindings, and documents that hold them. */

import { formatIpv4 } from '../../src/address.ts';

export type Shape = 'dense' | 'mixed' | 'scattered';

/** First addresses of the pools; a pool is a /4 at most. */
const FIRST = 0x10_00_00_00;

/**
 * dense: consecutive /32s. mixed: prefixes of /20 to /32, one behind the other. scattered: one /32 in each of so many /24s.
 */
export function prefixesOf(shape: Shape, size: number): string[] {
  if (shape === 'dense') return Array.from({ length: size }, (_, index) => `${formatIpv4(FIRST + index)}/32`);
  if (shape === 'scattered') {
    return Array.from({ length: size }, (_, index) => `${formatIpv4(FIRST + index * 256 + ((index * 37) & 255))}/32`);
  }
  const prefixes: string[] = [];
  let address = FIRST;
  for (let index = 0; index < size; index++) {
    // Mostly addresses, fewer of each shorter length, as in real tables.
    const length = 32 - Math.min(12, Math.clz32((index * 2_654_435_761) >>> 0));
    const step = 2 ** (32 - length);
    address = Math.ceil(address / step) * step;
    prefixes.push(`${formatIpv4(address)}/${length}`);
    address += step;
  }
  return prefixes;
}

/** Pools that hold all of it. */
export const POOLS = ['16.0.0.0/4', '32.0.0.0/4'];

/** Sixteen bindings to a gateway. */
export function gateway(index: number): string {
  return `2001:db8:a:${((index >> 4) & 0xffff).toString(16)}::1`;
}

export function bindingXml(prefix: string, gatewayAddress: string): string {
  return `<binding><ipv4-prefix>${prefix}</ipv4-prefix><gateway-ipv6-address>${gatewayAddress}</gateway-ipv6-address></binding>`;
}

/** The body of a PUT of a whole table; `shift` gives other gateways. */
export function tableJson(prefixes: readonly string[], shift: number): string {
  const entries = prefixes.map(
    (prefix, index) => `{"ipv4-prefix":"${prefix}","gateway-ipv6-address":"${gateway(index + shift)}"}`,
  );
  return `{"gi-4over6:binding-table":{"binding":[${entries.join(',')}]}}`;
}
