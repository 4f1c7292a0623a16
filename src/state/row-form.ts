/**
 * The form of rows in the store: a key that sorts by prefix, and a sealed value.
 *
 *     key    | address, 4 octets | length, 1 octet |             network order
 *     value  | format, 1 octet | presence bits, 1 octet | fields | CRC-32C, 4 octets |
 */

import { crc32c } from './crc32c.ts';
import { DamageError, RowReader } from './model-values.ts';

export const KEY_LENGTH = 5;

/** The key of a prefix: sorted by address, a shorter prefix before a longer one. */
export function bindingKey(address: number, length: number): Uint8Array {
  return Uint8Array.of(address >>> 24, (address >>> 16) & 255, (address >>> 8) & 255, address & 255, length);
}

/** The prefix of a key. */
export function prefixOfKey(key: Uint8Array): { readonly address: number; readonly length: number } {
  const [a = 0, b = 0, c = 0, d = 0, length = 0] = key;
  return { address: ((a << 24) | (b << 16) | (c << 8) | d) >>> 0, length };
}

/** A value of these fields; the CRC covers the key as well, so that a value under a wrong key is seen. */
export function sealRow(key: Uint8Array, format: number, present: number, fields: readonly Uint8Array[]): Uint8Array {
  const body = Buffer.concat([Uint8Array.of(format, present), ...fields]);
  return Buffer.concat([body, crcOctets(crc32c(body, crc32c(key)))]);
}

/** Checks a value and opens it for reading its fields. @throws DamageError when the CRC or the format is wrong. */
export function openRow(key: Uint8Array, value: Uint8Array, format: number): { present: number; reader: RowReader } {
  const end = value.length - 4;
  const body = value.subarray(0, Math.max(end, 0));
  const crc = crcOctets(crc32c(body, crc32c(key)));
  if (end < 2 || Buffer.compare(crc, value.subarray(end)) !== 0) {
    throw new DamageError(`the stored row of key ${Buffer.from(key).toString('hex')} is damaged: its CRC does not fit`);
  }
  if (body[0] !== format) throw new DamageError(`a stored row has form ${body[0]}, this program knows ${format}`);
  return { present: body[1] ?? 0, reader: new RowReader(body, 2) };
}

function crcOctets(crc: number): Uint8Array {
  return Uint8Array.of(crc >>> 24, (crc >>> 16) & 255, (crc >>> 8) & 255, crc & 255);
}
