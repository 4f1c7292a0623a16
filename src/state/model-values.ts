/**
 * What the generated model is made with: RFC 7951 JSON values of the store to values (trusted input), and the checks of
 * text that clients send for rows.
 */

import type { Ipv4Prefix } from '../address.ts';
import { formatIpv4Prefix, formatIpv6, parseIpv4, parseIpv4Prefix, parseIpv6, readIpv4Prefix } from '../address.ts';

export type JsonNode = Readonly<Record<string, unknown>>;

/** The object below a member; an empty one when it is absent. */
export function objectAt(node: JsonNode, name: string): JsonNode {
  const value = node[name];
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonNode) : {};
}

/** The entries of a list or leaf-list member; none when it is absent. */
export function arrayAt<Entry>(node: JsonNode, name: string, read: (entry: unknown) => Entry): readonly Entry[] {
  const value = node[name];
  return Array.isArray(value) ? value.map(read) : [];
}

/** The value of a leaf member; `byDefault` when it is absent. */
export function leafAt<Value, Default>(
  node: JsonNode,
  name: string,
  read: (value: unknown) => Value,
  byDefault: Default,
): Value | Default {
  const value = node[name];
  return value === undefined ? byDefault : read(value);
}

/** An IPv4 address as a number. @throws Error on text that libyang would have refused. */
export function ipv4Value(value: unknown): number {
  return known(parseIpv4(String(value)), value);
}

/** An IPv4 prefix. @throws Error on text that libyang would have refused. */
export function ipv4PrefixValue(value: unknown): Ipv4Prefix {
  return known(parseIpv4Prefix(String(value)), value);
}

/** An IPv6 address as 16 octets. @throws Error on text that libyang would have refused. */
export function ipv6Value(value: unknown): Uint8Array {
  return known(parseIpv6(String(value)), value);
}

function known<Value>(parsed: Value | undefined, value: unknown): Value {
  if (parsed === undefined) throw new Error(`stored configuration holds '${value}' where an address or prefix must be`);
  return parsed;
}

/** Canonical text of a leaf, or a sentence of what was expected. */
export type LeafCheck = { readonly value: string } | { readonly message: string };

export function checkIpv4Prefix(text: string): LeafCheck {
  // What this reads has no other spelling.
  if (readIpv4Prefix(text, 0, text.length) >= 0) return { value: text };
  const prefix = parseIpv4Prefix(text);
  if (prefix) return { value: formatIpv4Prefix(prefix.address, prefix.length) };
  return { message: `expected an IPv4 prefix such as 192.0.2.0/24, found '${shown(text)}'` };
}

export function checkIpv6(text: string): LeafCheck {
  const octets = parseIpv6(text);
  if (octets) return { value: formatIpv6(octets) };
  return { message: `expected an IPv6 address without a zone, found '${shown(text)}'` };
}

/** What YANG strings may not hold (RFC 7950 §14, yang-char): C0 controls, halves of pairs, noncharacters. */
const NO_YANG_CHARACTER = /(?![\t\n\r\x7f-\x9f])[\p{Control}\p{Surrogate}\p{Noncharacter_Code_Point}]/u;

/** Length in characters (RFC 7950 §9.4.4), from min to max. */
export function checkString(text: string, min: number, max: number): LeafCheck {
  const length = [...text].length;
  if (length < min || length > max) return { message: `expected ${min} to ${max} characters, found ${length}` };
  const wrong = NO_YANG_CHARACTER.exec(text)?.[0].codePointAt(0);
  if (wrong === undefined) return { value: text };
  return { message: `expected characters that YANG strings may hold, found U+${wrong.toString(16).padStart(4, '0')}` };
}

export function checkEnumeration(text: string, names: readonly string[]): LeafCheck {
  if (names.includes(text)) return { value: text };
  return { message: `expected one of ${names.join(', ')}, found '${shown(text)}'` };
}

/** A client's text as it stands in a message: at most 64 characters of it. */
function shown(text: string): string {
  return text.length > 64 ? `${text.slice(0, 64)}...` : text;
}

/** A stored row or record is not what was written: its CRC or its form is wrong. */
export class DamageError extends Error {
  readonly code = 'STORE_DAMAGED';
}
