/** What a draft changes of the rows of running, as an iterable: a million changes are never a million objects at once. */

import type { Binding } from './binding.generated.ts';
import type { RowOverlay } from './overlay.ts';
import { totalOf } from './records.ts';
import type { RowChange, Tally } from './request.ts';
import type { PackedRows } from './row-pack.ts';
import type { ChangeWork, NewRows } from './row-write.ts';
import type { RowSource } from './rows.ts';
import { NoRows, openRow } from './rows.ts';

/** One changed row; its values, and the bindings in them, are read when they are asked for. */
export class SealedChange implements RowChange {
  readonly instance: string;
  readonly number: number;
  readonly #before: RowSource;
  readonly #after: Pick<RowSource, 'sealed'>;

  constructor(instance: string, number: number, before: RowSource, after: Pick<RowSource, 'sealed'>) {
    this.instance = instance;
    this.number = number;
    this.#before = before;
    this.#after = after;
  }

  get sealedBefore(): Uint8Array | undefined {
    return this.#before.sealed(this.instance, this.number);
  }

  get sealedAfter(): Uint8Array | undefined {
    return this.#after.sealed(this.instance, this.number);
  }

  get before(): Binding | undefined {
    const value = this.sealedBefore;
    return value && openRow(this.number, value);
  }

  get after(): Binding | undefined {
    const value = this.sealedAfter;
    return value && openRow(this.number, value);
  }
}

/** A row that differs between two versions, read once: it is asked for more than once. */
export class HistoricChange implements RowChange {
  readonly instance: string;
  readonly number: number;
  readonly sealedBefore: Uint8Array | undefined;
  readonly sealedAfter: Uint8Array | undefined;
  #before: Binding | undefined;
  #after: Binding | undefined;

  constructor(instance: string, number: number, before: Uint8Array | undefined, after: Uint8Array | undefined) {
    this.instance = instance;
    this.number = number;
    this.sealedBefore = before;
    this.sealedAfter = after;
  }

  get before(): Binding | undefined {
    this.#before ??= this.sealedBefore && openRow(this.number, this.sealedBefore);
    return this.#before;
  }

  get after(): Binding | undefined {
    this.#after ??= this.sealedAfter && openRow(this.number, this.sealedAfter);
    return this.#after;
  }
}

type Counts = { -readonly [Name in keyof Tally]: number };

const NOTHING = new NoRows();

/** The changes of one draft against a base that stays as it is meanwhile: table by table, in key order. */
export class RowChanges implements Iterable<SealedChange>, NewRows {
  readonly #base: RowSource;
  readonly #overlay: RowOverlay;
  /** The prefixes of changed rows, by AFTR. */
  readonly #numbers = new Map<string, Float64Array>();
  readonly #tallies = new Map<string, Tally>();

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
    const tally = { added: 0, changed: 0, removed: 0 };
    const numbers = this.#overlay.isCleared(instance)
      ? await this.#compareAll(instance, tally)
      : await this.#compareNoted(instance, tally);
    if (numbers.length === 0) return;
    this.#numbers.set(instance, numbers);
    this.#tallies.set(instance, tally);
  }

  /** The changed ones among the rows that the overlay says something of, in key order. */
  async #compareNoted(instance: string, tally: Counts): Promise<Float64Array> {
    const numbers = this.#overlay.numbers(instance);
    const isEmpty = this.#base.count(instance) === 0;
    let count = 0;
    await inSlices(numbers, (number) => {
      const before = isEmpty ? undefined : this.#base.sealed(instance, number);
      const after = this.sealed(instance, number);
      if (isSameRow(before, after)) return;
      tally[!before ? 'added' : after ? 'changed' : 'removed']++;
      numbers[count++] = number;
    });
    return numbers.subarray(0, count);
  }

  /** Of a table that is cleared every row counts: one walk over it, beside what the overlay puts in its place. */
  async #compareAll(instance: string, tally: Counts): Promise<Float64Array> {
    const fresh = this.#overlay.numbers(instance);
    const numbers = new Float64Array(fresh.length + this.#base.count(instance));
    let [count, next] = [0, 0];
    const add = (before: number) => {
      for (let number = fresh[next]; number !== undefined && number < before; number = fresh[++next]) {
        if (!this.sealed(instance, number)) continue;
        tally.added++;
        numbers[count++] = number;
      }
    };
    await inSlices(this.#base.sealedRows(instance), ({ number, value }) => {
      add(number);
      if (fresh[next] === number) next++;
      const after = this.sealed(instance, number);
      if (isSameRow(value, after)) return;
      tally[after ? 'changed' : 'removed']++;
      numbers[count++] = number;
    });
    add(Number.POSITIVE_INFINITY);
    return numbers.subarray(0, count);
  }

  /** All changed rows of an AFTR in one pack as they are to be, in key order; undefined where they are no such pack. */
  wholePack(instance: string): PackedRows | undefined {
    const pack = this.#overlay.onlyPack(instance)?.packed();
    const { added = 0, changed = 0, removed = 0 } = this.#tallies.get(instance) ?? {};
    // None that goes, so all of them are of the pack; as many, so they are all of it.
    return removed === 0 && added + changed === pack?.numbers.length ? pack : undefined;
  }

  /** The prefixes of the changed rows of an AFTR, in key order; not to be changed. */
  numbers(instance: string): Float64Array {
    return this.#numbers.get(instance) ?? new Float64Array(0);
  }

  /** The sealed value a changed row is to have; undefined for one that goes. */
  sealed(instance: string, number: number): Uint8Array | undefined {
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
    for (const instance of this.#numbers.keys()) yield* this.of(instance);
  }

  /** The changes of one table. */
  *of(instance: string): Generator<SealedChange> {
    const before = this.#base.count(instance) === 0 ? NOTHING : this.#base;
    for (const number of this.numbers(instance)) yield new SealedChange(instance, number, before, this);
  }

  forEachChange(work: ChangeWork): void {
    for (const { instance, number, sealedBefore, sealedAfter } of this)
      work(instance, number, sealedBefore, sealedAfter);
  }
}

/** One binding has one sealed form. */
export function isSameRow(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a && b ? Buffer.compare(a, b) === 0 : a === b;
}

const SLICE_MS = 10;
const LOOK_EVERY = 256;

/** Work in slices of a few milliseconds where each step may take its own time. */
export class Slice {
  #began = performance.now();

  /** Called after each step; others have their turn when the slice is over. */
  async end(): Promise<void> {
    if (performance.now() - this.#began < SLICE_MS) return;
    await new Promise((resolve) => setImmediate(resolve));
    this.#began = performance.now();
  }
}

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
