/** Binding rows: between the entry of the YANG list and the row of the store. */

import type { Ipv4Prefix } from '../address.ts';
import { formatIpv4Prefix, formatIpv6, inIpv4Prefix, parseIpv4Prefix, parseIpv6 } from '../address.ts';
import type { Binding } from './binding.generated.ts';
import { decodeBinding } from './binding.generated.ts';
import { DataNode } from './data.ts';
import { ManagementError } from './errors.ts';
import { bindingKey } from './row-form.ts';
import type { SchemaNode } from './schema.ts';

/** A row as the store keeps it: its prefix in one number, and its sealed value. */
export interface SealedRow {
  readonly number: number;
  readonly value: Uint8Array;
}

/** Something that holds binding tables, one an AFTR, in key order: address, then length. */
export abstract class RowSource {
  /** The sealed value of a prefix (see `prefixNumber`). */
  abstract sealed(instance: string, number: number): Uint8Array | undefined;
  /** The rows from a prefix on. */
  abstract sealedRows(instance: string, from?: number): Iterable<SealedRow>;
  /** The rows from a prefix back to the first, in falling order; without a prefix from the last one on. */
  abstract sealedRowsBack(instance: string, from?: number): Iterable<SealedRow>;
  abstract count(instance: string): number;

  /** All rows for whoever is done with one before he asks for the next: what it gives may be written over then, also meanwhile. */
  passingRows(instance: string): Iterable<SealedRow> {
    return this.sealedRows(instance);
  }

  /** The prefix of the row that `count` others stand before, from a prefix on or back; undefined when there is none. */
  nth(instance: string, count: number, isBackwards = false, from?: number): number | undefined {
    let left = count;
    const rows = isBackwards ? this.sealedRowsBack(instance, from) : this.sealedRows(instance, from);
    for (const { number } of rows) if (left-- === 0) return number;
    return undefined;
  }

  binding(instance: string, address: number, length: number): Binding | undefined {
    const number = prefixNumber(address, length);
    const value = this.sealed(instance, number);
    return value && openRow(number, value);
  }

  *bindings(instance: string, from: Ipv4Prefix = { address: 0, length: 0 }): Generator<Binding> {
    for (const { number, value } of this.sealedRows(instance, prefixNumber(from.address, from.length))) {
      yield openRow(number, value);
    }
  }
}

/** The tables of nobody. */
export class NoRows extends RowSource {
  sealed(): undefined {
    return undefined;
  }
  sealedRows(): Iterable<SealedRow> {
    return [];
  }
  sealedRowsBack(): Iterable<SealedRow> {
    return [];
  }
  count(): number {
    return 0;
  }
}

/** Rows in falling order with others over them, an empty value for none; `changed` falls, too. */
export function* rowsBackUnder(base: Iterable<SealedRow>, changed: Iterable<SealedRow>): Generator<SealedRow> {
  const changes = changed[Symbol.iterator]();
  let change = changes.next();
  for (const row of base) {
    for (; !change.done && change.value.number > row.number; change = changes.next()) {
      if (change.value.value.length > 0) yield change.value;
    }
    if (change.done || change.value.number !== row.number) yield row;
  }
  for (; !change.done; change = changes.next()) if (change.value.value.length > 0) yield change.value;
}

/** A prefix as one number below 2^38, in key order. */
export function prefixNumber(address: number, length: number): number {
  return address * 64 + length;
}

/** The text of a prefix. */
export function formatNumber(number: number): string {
  return formatIpv4Prefix(Math.floor(number / 64), number % 64);
}

/** The key of a prefix in the store. */
export function keyOfNumber(number: number): Uint8Array {
  return bindingKey(Math.floor(number / 64), number % 64);
}

/** The key of a row: its table's number, then the key of its prefix. */
export function rowKey(table: number, key: Uint8Array): Buffer {
  const octets = Buffer.allocUnsafe(7);
  octets[0] = table >>> 8;
  octets[1] = table;
  for (let at = 0; at < 5; at++) octets[at + 2] = key[at] ?? 0;
  return octets;
}

/** Stands before the keys of all rows of a table. */
export function tableKey(table: number): Buffer {
  return Buffer.of(table >>> 8, table & 255);
}

/** The prefix whose key stands at `at`. */
export function numberOfKey(key: Uint8Array, at: number): number {
  const high = (key[at] ?? 0) * 256 + (key[at + 1] ?? 0);
  return ((high * 256 + (key[at + 2] ?? 0)) * 256 + (key[at + 3] ?? 0)) * 64 + (key[at + 4] ?? 0);
}

/** Its addresses stand in `room` as far as that goes (`decodeBinding`). @throws DamageError when the value's CRC or form is wrong */
export function openRow(number: number, value: Uint8Array, room?: readonly Uint8Array[]): Binding {
  const address = Math.floor(number / 64);
  scratchKey[0] = address >>> 24;
  scratchKey[1] = address >>> 16;
  scratchKey[2] = address >>> 8;
  scratchKey[3] = address;
  scratchKey[4] = number % 64;
  return decodeBinding(scratchKey, value, room);
}

const scratchKey = new Uint8Array(5);

/** A row as an entry of the list `schema`. */
export function bindingToNode(schema: SchemaNode, binding: Binding): DataNode {
  const entry = new DataNode(schema);
  const put = (name: string, value: string | undefined) => {
    const leaf = schema.child(name);
    if (leaf && value !== undefined) entry.add(new DataNode(leaf, value));
  };
  put('ipv4-prefix', formatIpv4Prefix(binding.address, binding.length));
  put('gateway-ipv6-address', formatIpv6(binding.gatewayIpv6Address));
  put('aftr-ipv6-address', binding.aftrIpv6Address && formatIpv6(binding.aftrIpv6Address));
  put('description', binding.description);
  put('origin', binding.origin);
  return entry;
}

/** An entry of the list as a row. @throws ManagementError data-missing without its gateway */
export function nodeToBinding(entry: DataNode): Binding {
  const prefix = parseIpv4Prefix(entry.leaf('ipv4-prefix') ?? '');
  if (!prefix) throw new Error(`${entry.path} has no prefix: its key was not checked`);
  const gatewayIpv6Address = parseIpv6(entry.leaf('gateway-ipv6-address') ?? '');
  if (!gatewayIpv6Address) {
    const message = `binding ${entry.leaf('ipv4-prefix')} came without its gateway-ipv6-address`;
    throw new ManagementError('data-missing', { path: `${entry.path}/gateway-ipv6-address`, message });
  }
  const aftr = entry.leaf('aftr-ipv6-address');
  return {
    ...prefix,
    gatewayIpv6Address,
    aftrIpv6Address: aftr === undefined ? undefined : parseIpv6(aftr),
    description: entry.leaf('description'),
    origin: entry.leaf('origin') === 'learned' ? 'learned' : 'static',
  };
}

/** Whether two rows say the same of one prefix. */
export function sameBinding(a: Binding, b: Binding): boolean {
  const same = (x: Uint8Array | undefined, y: Uint8Array | undefined) =>
    x === undefined || y === undefined ? x === y : Buffer.compare(x, y) === 0;
  return (
    same(a.gatewayIpv6Address, b.gatewayIpv6Address) &&
    same(a.aftrIpv6Address, b.aftrIpv6Address) &&
    a.description === b.description &&
    a.origin === b.origin
  );
}

/** The binding of the longest prefix that holds the address; at most 33 keyed reads. */
export function longestMatch(
  source: Pick<RowSource, 'binding'>,
  instance: string,
  address: number,
): Binding | undefined {
  for (let length = 32; length >= 0; length--) {
    const mask = length === 0 ? 0 : -1 << (32 - length);
    const binding = source.binding(instance, (address & mask) >>> 0, length);
    if (binding && inIpv4Prefix(address, binding)) return binding;
  }
  return undefined;
}
