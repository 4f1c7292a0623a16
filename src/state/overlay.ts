/**
 * What a draft changes of the tables: layers of rows over those of running. An edit of a candidate puts a layer of its own
 * on top, so that it costs what it changes and a reader of the candidate as it was sees none of it; layers of similar size
 * are joined, so that there are never many.
 */

import type { Ipv4Prefix } from '../address.ts';
import type { Binding } from './binding.generated.ts';
import { isAscending, RowPack } from './row-pack.ts';
import type { SealedRow } from './rows.ts';
import { prefixNumber, RowSource, rowsBackUnder } from './rows.ts';

interface Layer {
  /** Whether all rows below are gone. */
  readonly cleared: boolean;
  readonly rows: RowPack;
}

/** Rows changed against a base: whole rows put or deleted, and tables cleared beforehand. */
export class RowOverlay {
  /** Layers from the bottom up, by AFTR. */
  readonly #tables: Map<string, readonly Layer[]>;
  /** The top layers that are this overlay's own, by AFTR; all others are shared and stay as they are. */
  readonly #own = new Map<string, Layer>();

  constructor(tables: ReadonlyMap<string, readonly Layer[]> = new Map()) {
    this.#tables = new Map(tables);
  }

  /** An overlay on top of this one, which is not changed any more. */
  fork(): RowOverlay {
    return new RowOverlay(new Map([...this.#tables].map(([instance, layers]) => [instance, joined(layers)])));
  }

  put(instance: string, binding: Binding): void {
    this.#top(instance).rows.putBinding(binding);
  }

  /** A row by its prefix number and sealed value. */
  putSealed(instance: string, number: number, value: Uint8Array): void {
    this.#top(instance).rows.put(number, value);
  }

  /** Takes whole rows as a layer of their own; nobody changes them any more. */
  putAll(instance: string, rows: RowPack): void {
    this.#setTop(instance, this.#layers(instance), { cleared: false, rows });
    this.#own.delete(instance);
  }

  delete(instance: string, { address, length }: Ipv4Prefix): void {
    this.deleteNumber(instance, prefixNumber(address, length));
  }

  deleteNumber(instance: string, number: number): void {
    this.#top(instance).rows.remove(number);
  }

  /** Forgets all rows of the base and of this overlay. */
  clear(instance: string): void {
    this.#setTop(instance, [], { cleared: true, rows: new RowPack() });
  }

  isCleared(instance: string): boolean {
    return this.#layers(instance).some(({ cleared }) => cleared);
  }

  /** The pack that is all the overlay puts into a table, cleared before or not; undefined when that is more, or less, than one. */
  onlyPack(instance: string): RowPack | undefined {
    const [pack, ...others] = this.#layers(instance).filter(({ rows }) => rows.size > 0);
    return others.length === 0 ? pack?.rows : undefined;
  }

  /** What the overlay says of a prefix: a sealed row, null for deleted, undefined for nothing (then the base answers). */
  get(instance: string, number: number): Uint8Array | null | undefined {
    const layers = this.#layers(instance);
    for (let i = layers.length - 1; i >= 0; i--) {
      const found = layers[i]?.rows.get(number);
      if (found !== undefined) return found;
      if (layers[i]?.cleared) return null;
    }
    return undefined;
  }

  /** Number of rows noted, those of lower layers included. */
  get size(): number {
    let size = 0;
    for (const layers of this.#tables.values()) for (const { rows } of layers) size += rows.size;
    return size;
  }

  instances(): string[] {
    return [...this.#tables.keys()];
  }

  /** The prefix numbers of the changed rows of a table, in key order. */
  numbers(instance: string): Float64Array {
    const layers = this.#layers(instance);
    const all = new Float64Array(layers.reduce((sum, { rows }) => sum + rows.size, 0));
    let count = 0;
    for (const { rows } of layers) {
      const numbers = rows.numbers();
      if (numbers instanceof Float64Array) all.set(numbers, count);
      else all.set([...numbers], count);
      count += rows.size;
    }
    if (!isAscending(all)) all.sort();
    if (layers.length < 2) return all;
    return all.filter((number, index) => index === 0 || number !== all[index - 1]);
  }

  #layers(instance: string): readonly Layer[] {
    return this.#tables.get(instance) ?? [];
  }

  #top(instance: string): Layer {
    return (
      this.#own.get(instance) ?? this.#setTop(instance, this.#layers(instance), { cleared: false, rows: new RowPack() })
    );
  }

  #setTop(instance: string, below: readonly Layer[], top: Layer): Layer {
    this.#own.set(instance, top);
    this.#tables.set(instance, [...below, top]);
    return top;
  }
}

/** The same with layers that are not much larger than the one above them joined with it. */
function joined(layers: readonly Layer[]): readonly Layer[] {
  const result = [...layers];
  for (let i = result.length - 1; i > 0; i--) {
    const [below, top] = [result[i - 1], result[i]];
    if (!below || !top || below.rows.size > 2 * top.rows.size) continue;
    const rows = new RowPack();
    for (const layer of [below, top]) {
      for (const number of layer.rows.numbers()) {
        const value = layer.rows.get(number);
        if (value) rows.put(number, value);
        else rows.remove(number);
      }
    }
    result.splice(i - 1, 2, { cleared: below.cleared, rows });
  }
  return result;
}

/** What leads from a base with one overlay to the same base with another. */
export function overlayBetween(base: RowSource, from: RowOverlay, to: RowOverlay): RowOverlay {
  const result = new RowOverlay();
  const after = new OverlaidRows(base, to);
  for (const instance of new Set([...from.instances(), ...to.instances()])) {
    if (from.isCleared(instance) || to.isCleared(instance)) {
      result.clear(instance);
      for (const { number, value } of after.sealedRows(instance)) result.putSealed(instance, number, value);
      continue;
    }
    for (const number of [...from.numbers(instance), ...to.numbers(instance)]) {
      const value = after.sealed(instance, number);
      if (value) result.putSealed(instance, number, value);
      else result.deleteNumber(instance, number);
    }
  }
  return result;
}

const NO_OCTETS = new Uint8Array(0);

/** A base with an overlay on top. */
export class OverlaidRows extends RowSource {
  readonly #base: RowSource;
  readonly #overlay: RowOverlay;

  constructor(base: RowSource, overlay: RowOverlay) {
    super();
    this.#base = base;
    this.#overlay = overlay;
  }

  sealed(instance: string, number: number): Uint8Array | undefined {
    const value = this.#overlay.get(instance, number);
    return value === undefined ? this.#base.sealed(instance, number) : (value ?? undefined);
  }

  *sealedRows(instance: string, from = 0): Generator<SealedRow> {
    const changed = this.#overlay.numbers(instance);
    let next = changed.findIndex((number) => number >= from);
    if (next < 0) next = changed.length;
    const base = this.#overlay.isCleared(instance) ? [] : this.#base.sealedRows(instance, from);
    for (const row of base) {
      for (; (changed[next] ?? Number.POSITIVE_INFINITY) < row.number; next++)
        yield* this.#changed(instance, changed[next]);
      if (changed[next] !== row.number) yield row;
    }
    for (; next < changed.length; next++) yield* this.#changed(instance, changed[next]);
  }

  sealedRowsBack(instance: string, from = Number.POSITIVE_INFINITY): Iterable<SealedRow> {
    const numbers = this.#overlay.numbers(instance).filter((number) => number <= from);
    const changedTo = (number: number) => this.#overlay.get(instance, number) ?? NO_OCTETS;
    const changed = Array.from(numbers.reverse(), (number) => ({ number, value: changedTo(number) }));
    const base = this.#overlay.isCleared(instance) ? [] : this.#base.sealedRowsBack(instance, from);
    return rowsBackUnder(base, changed);
  }

  *#changed(instance: string, number = -1): Generator<SealedRow> {
    const value = this.#overlay.get(instance, number);
    if (value) yield { number, value };
  }

  count(instance: string): number {
    const cleared = this.#overlay.isCleared(instance);
    let count = cleared ? 0 : this.#base.count(instance);
    for (const number of this.#overlay.numbers(instance)) {
      const before = cleared ? undefined : this.#base.sealed(instance, number);
      count += (this.#overlay.get(instance, number) ? 1 : 0) - (before ? 1 : 0);
    }
    return count;
  }
}
