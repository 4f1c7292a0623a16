/** Generated from yang/gi-4over6.yang by tools/generate.ts; not to be edited. */

import type { LeafCheck } from './model-values.ts';
import { checkEnumeration, checkIpv4Prefix, checkIpv6, checkString } from './model-values.ts';
import { prefixOfKey, RowReader, RowWriter } from './row-form.ts';

/** Number of the form in which rows are written. */
export const BINDING_FORMAT = 1;

/**
 * One IPv4 address or prefix, all ports, and its gateway. Prefixes may lie in one another; the longest match
 * answers.
 */
export interface Binding {
  /** The prefix, host bits zero. */
  readonly address: number;
  /** Its length, 0 to 32. */
  readonly length: number;
  /** Tunnel address of the gateway. */
  readonly gatewayIpv6Address: Uint8Array;
  /** Tunnel address of the AFTR for this binding; ipv6-address of the AFTR when absent. */
  readonly aftrIpv6Address: Uint8Array | undefined;
  /** Free text. */
  readonly description: string | undefined;
  /** Where the binding comes from. */
  readonly origin: 'static' | 'learned';
}

const ORIGIN_NAMES = ['static', 'learned'] as const;

/**
 * The value of a row in the store: format, presence bits, then the fields that are present:
 *
 *     gateway-ipv6-address    bit 1  16 octets
 *     aftr-ipv6-address       bit 2  16 octets
 *     description             bit 4  two octets of length in network order, UTF-8
 *     origin                  bit 8  one octet, its place in the enumeration
 *
 * and CRC-32C over key and value, four octets in network order.
 */
export function encodeBinding(binding: Binding): Uint8Array {
  WRITER.begin(binding.address, binding.length, BINDING_FORMAT);
  WRITER.ipv6(1, binding.gatewayIpv6Address);
  WRITER.ipv6(2, binding.aftrIpv6Address);
  WRITER.text(4, binding.description);
  WRITER.octet(8, ORIGIN_NAMES.indexOf(binding.origin));
  return WRITER.seal();
}

const WRITER = new RowWriter();

/**
 * The row of a key and its value; its addresses stand in `room` as far as that goes, 16 octets each, else in memory of their own.
 * @throws DamageError when the CRC or the form is wrong
 */
export function decodeBinding(key: Uint8Array, value: Uint8Array, room: readonly Uint8Array[] = []): Binding {
  const row = new RowReader(key, value, BINDING_FORMAT, room);
  const { address, length } = prefixOfKey(key);
  const gatewayIpv6Address = row.ipv6();
  const aftrIpv6Address = row.has(2) ? row.ipv6() : undefined;
  const description = row.has(4) ? row.text() : undefined;
  const origin = row.choice(ORIGIN_NAMES);
  row.end();
  return { address, length, gatewayIpv6Address, aftrIpv6Address, description, origin };
}

/** Canonical text of a leaf of a binding, or what was expected. @throws Error for a name it does not have */
export function checkBindingLeaf(name: string, text: string): LeafCheck {
  switch (name) {
    case 'ipv4-prefix':
      return checkIpv4Prefix(text);
    case 'gateway-ipv6-address':
      return checkIpv6(text);
    case 'aftr-ipv6-address':
      return checkIpv6(text);
    case 'description':
      return checkString(text, 0, 255);
    case 'origin':
      return checkEnumeration(text, ORIGIN_NAMES);
    default:
      throw new Error(`a binding has no leaf ${name}`);
  }
}
