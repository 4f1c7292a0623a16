/**
 * Prefix numbers in their order, for lists that come and go one by one and are read from anywhere: chunks of some hundred, found by
 * halving. What is read is kept as it was: a chunk that somebody keeps is copied before it changes.
 */

import type { SealedRow } from '../rows.ts';
import { RowSource } from '../rows.ts';

/** A chunk that has grown to this is halved. */
const CHUNK = 512;

interface Chunk {
  /** Ascending, never empty. */
  numbers: number[];
  /** Of the set when it became this chunk's own: in a later one somebody may keep it. */
  edition: number;
}

export class NumberSet {
  #chunks: Chunk[] = [];
  #edition = 0;
  #size = 0;
  #kept: KeptNumbers | undefined;

  get size(): number {
    return this.#size;
  }

  add(number: number): void {
    const at = Math.max(0, chunkOf(this.#chunks, number));
    const place = placeOf(this.#chunks[at]?.numbers ?? [], number);
    if (this.#chunks[at]?.numbers[place] === number) return;
    const { numbers } = this.#own(at);
    numbers.splice(place, 0, number);
    this.#size++;
    if (numbers.length < CHUNK) return;
    this.#chunks.splice(at + 1, 0, { numbers: numbers.splice(CHUNK / 2), edition: this.#edition });
  }

  delete(number: number): void {
    const at = chunkOf(this.#chunks, number);
    const known = this.#chunks[at]?.numbers ?? [];
    const place = placeOf(known, number);
    if (known[place] !== number) return;
    const { numbers } = this.#own(at);
    numbers.splice(place, 1);
    this.#size--;
    if (numbers.length === 0) this.#chunks.splice(at, 1);
  }

  /** The numbers as they are now. */
  kept(): KeptNumbers {
    this.#kept ??= new KeptNumbers(
      this.#chunks.map(({ numbers }) => numbers),
      this.#size,
    );
    return this.#kept;
  }

  /** The chunk to be changed. */
  #own(at: number): Chunk {
    if (this.#kept) this.#edition++;
    this.#kept = undefined;
    const { numbers, edition } = this.#chunks[at] ?? { numbers: [], edition: -1 };
    const own = edition === this.#edition ? numbers : numbers.slice();
    const chunk = { numbers: own, edition: this.#edition };
    this.#chunks[at] = chunk;
    return chunk;
  }
}

/** A row that says nothing but its prefix. */
const NOTHING = new Uint8Array(0);

/** Numbers of one moment as rows without a value; they are of no table, whatever table is asked for. */
export class KeptNumbers extends RowSource {
  readonly #chunks: readonly (readonly number[])[];
  readonly #size: number;

  constructor(chunks: readonly (readonly number[])[], size: number) {
    super();
    this.#chunks = chunks;
    this.#size = size;
  }

  sealed(_table: string, number: number): Uint8Array | undefined {
    const numbers = this.#chunks[chunkAt(this.#chunks, number)] ?? [];
    return numbers[placeOf(numbers, number)] === number ? NOTHING : undefined;
  }

  *sealedRows(_table: string, from = 0): Generator<SealedRow> {
    const first = Math.max(0, chunkAt(this.#chunks, from));
    for (let at = first; at < this.#chunks.length; at++) {
      const numbers = this.#chunks[at] ?? [];
      for (let place = at === first ? placeOf(numbers, from) : 0; place < numbers.length; place++) {
        yield { number: numbers[place] ?? 0, value: NOTHING };
      }
    }
  }

  *sealedRowsBack(_table: string, from = Number.POSITIVE_INFINITY): Generator<SealedRow> {
    const first = chunkAt(this.#chunks, from);
    for (let at = first; at >= 0; at--) {
      const numbers = this.#chunks[at] ?? [];
      const start = at === first ? placeOf(numbers, from) : numbers.length - 1;
      for (let place = Math.min(start, numbers.length - 1); place >= 0; place--) {
        const number = numbers[place] ?? 0;
        if (number <= from) yield { number, value: NOTHING };
      }
    }
  }

  override count(): number {
    return this.#size;
  }
}

/** The chunk that holds a number or would: the last that begins at or before it, -1 before all. */
function chunkOf(chunks: readonly Chunk[], number: number): number {
  return lastBefore(chunks.length, (at) => (chunks[at]?.numbers[0] ?? 0) <= number);
}

function chunkAt(chunks: readonly (readonly number[])[], number: number): number {
  return lastBefore(chunks.length, (at) => (chunks[at]?.[0] ?? 0) <= number);
}

/** Where a number stands in a chunk or would. */
function placeOf(numbers: readonly number[], number: number): number {
  return lastBefore(numbers.length, (at) => (numbers[at] ?? 0) < number) + 1;
}

/** The last of so many places that is before what is looked for; -1 where none is. */
function lastBefore(count: number, isBefore: (at: number) => boolean): number {
  let [low, high] = [0, count];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isBefore(middle)) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
