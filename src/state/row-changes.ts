/** What a draft changes of the rows of running, as an iterable: a million changes are never a million objects at once. */

import type { Binding } from './model.generated.ts';
import type { RowOverlay } from './overlay.ts';
import { totalOf } from './records.ts';
import type { RowChange, Tally } from './request.ts';
import type { RowSource } from './rows.ts';
import { openRow } from './rows.ts';

/** One changed row; bindings are read from their sealed values when they are asked for. */
export class SealedChange implements RowChange {
  readonly instance: string;
  readonly number: number;
  readonly sealedBefore: Uint8Array | undefined;
  readonly sealedAfter: Uint8Array | undefined;

  constructor(instance: string, number: number, before: Uint8Array | undefined, after: Uint8Array | undefined) {
    this.instance = instance;
    this.number = number;
    this.sealedBefore = before;
    this.sealedAfter = after;
  }

  get before(): Binding | undefined {
    return this.sealedBefore && openRow(this.number, this.sealedBefore);
  }

  get after(): Binding | undefined {
    return this.sealedAfter && openRow(this.number, this.sealedAfter);
  }
}

/** The changes of one draft against a base that stays as it is meanwhile: table by table, in key order. */
export class RowChanges implements Iterable<SealedChange> {
  readonly #base: RowSource;
  readonly #overlay: RowOverlay;
  /** The prefixes of changed rows, by AFTR. */
  readonly #numbers = new Map<string, Float64Array>();
  readonly #tallies = new Map<string, { added: number; changed: number; removed: number }>();

  private constructor(overlay: RowOverlay, base: RowSource) {
    this.#overlay = overlay;
    this.#base = base;
  }

  /** Compares; equal rows are no change. */
  static async between(base: RowSource, overlay: RowOverlay): Promise<RowChanges> {
    const changes = new RowChanges(overlay, base);
    for (const instance of overlay.instances()) await changes.#compare(instance);
    return changes;
  }

  async #compare(instance: string): Promise<void> {
    const numbers = this.#touched(instance);
    const isEmpty = this.#base.count(instance) === 0;
    const tally = { added: 0, changed: 0, removed: 0 };
    let count = 0;
    await inSlices(numbers, (number) => {
      const before = isEmpty ? undefined : this.#base.sealed(instance, number);
      const after = this.after(instance, number);
      if (isSameRow(before, after)) return;
      tally[!before ? 'added' : after ? 'changed' : 'removed']++;
      numbers[count++] = number;
    });
    if (count === 0) return;
    this.#numbers.set(instance, numbers.subarray(0, count));
    this.#tallies.set(instance, tally);
  }

  /** The prefixes of rows that may be changed, in key order. */
  #touched(instance: string): Float64Array {
    const fresh = this.#overlay.numbers(instance);
    if (!this.#overlay.isCleared(instance)) return fresh;
    const all = new Float64Array(fresh.length + this.#base.count(instance));
    all.set(fresh);
    let count = fresh.length;
    for (const { number } of this.#base.sealedRows(instance)) all[count++] = number;
    all.sort();
    return all.filter((number, index) => index === 0 || number !== all[index - 1]);
  }

  /** The prefixes of the changed rows of an AFTR, in key order; not to be changed. */
  numbers(instance: string): Float64Array {
    return this.#numbers.get(instance) ?? new Float64Array(0);
  }

  /** The sealed value a changed row is to have; undefined for one that goes. */
  after(instance: string, number: number): Uint8Array | undefined {
    return this.#overlay.get(instance, number) ?? undefined;
  }

  /** Number of changed rows. */
  get size(): number {
    const { added, changed, removed } = this.tally;
    return added + changed + removed;
  }

  /** AFTRs whose tables change. */
  get instances(): Iterable<string> {
    return this.#tallies.keys();
  }

  get tally(): Tally {
    return totalOf(this.#tallies);
  }

  get tallies(): ReadonlyMap<string, Tally> {
    return this.#tallies;
  }

  /** By how many rows the table of an AFTR grows. */
  growth(instance: string): number {
    const { added, removed } = this.#tallies.get(instance) ?? { added: 0, removed: 0 };
    return added - removed;
  }

  *[Symbol.iterator](): Generator<SealedChange> {
    for (const [instance, numbers] of this.#numbers) {
      const isEmpty = this.#base.count(instance) === 0;
      for (const number of numbers) {
        const before = isEmpty ? undefined : this.#base.sealed(instance, number);
        yield new SealedChange(instance, number, before, this.after(instance, number));
      }
    }
  }

  /** The sealed rows as they are to be, undefined for one that goes; the base is not read. */
  forEachAfter(work: (instance: string, number: number, after: Uint8Array | undefined) => void): void {
    for (const [instance, numbers] of this.#numbers) {
      for (const number of numbers) work(instance, number, this.after(instance, number));
    }
  }
}

/** One binding has one sealed form. */
export function isSameRow(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a && b ? Buffer.compare(a, b) === 0 : a === b;
}

const SLICE_MS = 10;
const LOOK_EVERY = 256;

/** Works through items in slices of a few milliseconds, so that others have their turn between. */
export async function inSlices<Item>(items: Iterable<Item>, work: (item: Item) => void): Promise<void> {
  let count = 0;
  let began = performance.now();
  for (const item of items) {
    work(item);
    if (++count % LOOK_EVERY !== 0 || performance.now() - began < SLICE_MS) continue;
    await new Promise((resolve) => setImmediate(resolve));
    began = performance.now();
  }
}
