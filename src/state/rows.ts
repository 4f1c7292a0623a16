/**
 * Binding rows: between the entry of the YANG list and the row of the store, and a draft's changes on top of a table.
 */

import type { Ipv4Prefix } from '../address.ts';
import { formatIpv4Prefix, formatIpv6, inIpv4Prefix, parseIpv4Prefix, parseIpv6 } from '../address.ts';
import { DataNode } from './data.ts';
import { ManagementError } from './errors.ts';
import type { Binding } from './model.generated.ts';
import type { SchemaNode } from './schema.ts';

/** Something that holds binding tables, one an AFTR, in key order: address, then length. */
export interface RowSource {
  binding(instance: string, address: number, length: number): Binding | undefined;
  bindings(instance: string, from?: Ipv4Prefix): Iterable<Binding>;
  count(instance: string): number;
}

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

/** Orders prefixes as the store does. */
export function comparePrefixes(a: Ipv4Prefix, b: Ipv4Prefix): number {
  return a.address - b.address || a.length - b.length;
}

/** The binding of the longest prefix that holds the address; at most 33 keyed reads. */
export function longestMatch(source: RowSource, instance: string, address: number): Binding | undefined {
  for (let length = 32; length >= 0; length--) {
    const mask = length === 0 ? 0 : -1 << (32 - length);
    const binding = source.binding(instance, (address & mask) >>> 0, length);
    if (binding && inIpv4Prefix(address, binding)) return binding;
  }
  return undefined;
}

/** Rows changed against a base: whole rows put or deleted, and tables cleared beforehand. */
export class RowOverlay {
  readonly #tables = new Map<string, { cleared: boolean; readonly rows: Map<number, OverlayRow> }>();

  clone(): RowOverlay {
    const copy = new RowOverlay();
    for (const [instance, { cleared, rows }] of this.#tables)
      copy.#tables.set(instance, { cleared, rows: new Map(rows) });
    return copy;
  }

  put(instance: string, binding: Binding): void {
    this.#table(instance).rows.set(numberOf(binding), { prefix: binding, binding });
  }

  delete(instance: string, prefix: Ipv4Prefix): void {
    this.#table(instance).rows.set(numberOf(prefix), { prefix, binding: undefined });
  }

  /** Forgets all rows of the base and of this overlay. */
  clear(instance: string): void {
    const table = this.#table(instance);
    table.cleared = true;
    table.rows.clear();
  }

  isCleared(instance: string): boolean {
    return this.#tables.get(instance)?.cleared ?? false;
  }

  /** What the overlay says of a prefix: a row, null for deleted, undefined for nothing (then the base answers). */
  get(instance: string, address: number, length: number): Binding | null | undefined {
    const table = this.#tables.get(instance);
    const row = table?.rows.get(numberOf({ address, length }));
    if (row) return row.binding ?? null;
    return table?.cleared ? null : undefined;
  }

  instances(): string[] {
    return [...this.#tables.keys()];
  }

  /** The changed rows of a table in no order. */
  entries(instance: string): Iterable<OverlayRow> {
    return this.#tables.get(instance)?.rows.values() ?? [];
  }

  /** The changed rows of a table in key order. */
  rows(instance: string): OverlayRow[] {
    return [...this.entries(instance)].sort((a, b) => comparePrefixes(a.prefix, b.prefix));
  }

  #table(instance: string) {
    let table = this.#tables.get(instance);
    if (!table) {
      table = { cleared: false, rows: new Map() };
      this.#tables.set(instance, table);
    }
    return table;
  }
}

export interface OverlayRow {
  readonly prefix: Ipv4Prefix;
  /** Undefined for a deleted row. */
  readonly binding: Binding | undefined;
}

/** A prefix as one number, below 2^38. */
function numberOf({ address, length }: Ipv4Prefix): number {
  return address * 64 + length;
}

/** A base with an overlay on top. */
export class OverlaidRows implements RowSource {
  readonly #base: RowSource;
  readonly #overlay: RowOverlay;

  constructor(base: RowSource, overlay: RowOverlay) {
    this.#base = base;
    this.#overlay = overlay;
  }

  binding(instance: string, address: number, length: number): Binding | undefined {
    const row = this.#overlay.get(instance, address, length);
    return row === undefined ? this.#base.binding(instance, address, length) : (row ?? undefined);
  }

  *bindings(instance: string, from: Ipv4Prefix = { address: 0, length: 0 }): Generator<Binding> {
    const changed = this.#overlay.rows(instance).filter(({ prefix }) => comparePrefixes(prefix, from) >= 0);
    let next = 0;
    const base = this.#overlay.isCleared(instance) ? [] : this.#base.bindings(instance, from);
    for (const binding of base) {
      for (let row = changed[next]; row && comparePrefixes(row.prefix, binding) < 0; row = changed[++next]) {
        if (row.binding) yield row.binding;
      }
      const twin = changed[next];
      if (!twin || comparePrefixes(twin.prefix, binding) !== 0) yield binding;
    }
    for (let row = changed[next]; row; row = changed[++next]) if (row.binding) yield row.binding;
  }

  count(instance: string): number {
    const cleared = this.#overlay.isCleared(instance);
    let count = cleared ? 0 : this.#base.count(instance);
    for (const { prefix, binding } of this.#overlay.entries(instance)) {
      const before = cleared ? undefined : this.#base.binding(instance, prefix.address, prefix.length);
      count += (binding ? 1 : 0) - (before ? 1 : 0);
    }
    return count;
  }
}
