/**
 * Rows on their way out that take time between them: those that are joined by their statistics, of which some thousand are asked for while
 * those before them go out, and those of which it is looked at what goes out.
 */

import { BINDING_COUNTERS } from '../control.ts';
import type { DataNode } from '../state/data.ts';
import type { SchemaNode } from '../state/schema.ts';
import type { Ask } from './binding-statistics.ts';
import { ASKED_AT_ONCE } from './binding-statistics.ts';
import { Pause } from './pause.ts';

/** An item and where its statistics are. */
export interface Counted<Item> {
  readonly item: Item;
  readonly values: Float64Array | undefined;
  readonly at: number;
}

interface Batch<Item> {
  readonly items: readonly Item[];
  /** When the statistics are here, or will not come. */
  readonly until: Promise<void>;
  values: Float64Array | undefined;
  isHere: boolean;
}

/** Items with their statistics, in batches: a step gives an item, or what to wait for before the next step. */
export function* counted<Item>(
  items: Iterable<Item>,
  keyOf: (item: Item) => number,
  ask: Ask,
): Generator<Counted<Item> | Promise<void>> {
  const source = items[Symbol.iterator]();
  try {
    let batch = pull(source, keyOf, ask);
    while (batch) {
      const next = pull(source, keyOf, ask);
      while (!batch.isHere) yield batch.until;
      const { values } = batch;
      for (const [i, item] of batch.items.entries()) yield { item, values, at: i * BINDING_COUNTERS };
      batch = next;
    }
  } finally {
    source.return?.();
  }
}

/** How long items are looked at before others have their turn. */
const SLICE_MS = 10;
const LOOK_EVERY = 64;

/** Items without statistics: a step gives an item, or what to wait for, so that others have their turn however few of them go out. */
export function* sliced<Item>(items: Iterable<Item>): Generator<Counted<Item> | Promise<void>> {
  let began = performance.now();
  let count = 0;
  for (const item of items) {
    yield { item, values: undefined, at: 0 };
    if (++count % LOOK_EVERY !== 0 || performance.now() - began < SLICE_MS) continue;
    yield new Promise((resolve) => setImmediate(resolve));
    began = performance.now();
  }
}

function pull<Item>(source: Iterator<Item>, keyOf: (item: Item) => number, ask: Ask): Batch<Item> | undefined {
  const items: Item[] = [];
  while (items.length < ASKED_AT_ONCE) {
    const next = source.next();
    if (next.done) break;
    items.push(next.value);
  }
  if (items.length === 0) return undefined;
  const settle = (values: Float64Array | undefined): void => {
    batch.values = values;
    batch.isHere = true;
  };
  const until = ask(items.map(keyOf)).then(settle, () => settle(undefined));
  const batch: Batch<Item> = { items, until, values: undefined, isHere: false };
  return batch;
}

/** Entries made from counted items; can be walked once. */
export class CountedRows<Item> implements Iterable<DataNode> {
  readonly #schema: SchemaNode;
  readonly #steps: Iterator<Counted<Item> | Promise<void>>;
  readonly #finish: (counted: Counted<Item>) => DataNode | undefined;
  readonly #begun: DataNode[] = [];

  /** Entries of `schema`; `finish` makes one, or undefined when nothing of it goes out. */
  constructor(
    schema: SchemaNode,
    steps: Iterable<Counted<Item> | Promise<void>>,
    finish: (counted: Counted<Item>) => DataNode | undefined,
  ) {
    this.#schema = schema;
    this.#steps = steps[Symbol.iterator]();
    this.#finish = finish;
  }

  /** Makes the first two entries, so that it is known whether there are any, or several. */
  async begin(): Promise<void> {
    while (this.#begun.length < 2) {
      const { done, value } = this.#steps.next();
      if (done) return;
      if (value instanceof Promise) await value;
      else {
        const entry = this.#finish(value);
        if (entry) this.#begun.push(entry);
      }
    }
  }

  /** Whether there are no entries; known when they were begun. */
  get isEmpty(): boolean {
    return this.#begun.length === 0;
  }

  *[Symbol.iterator](): Generator<DataNode> {
    try {
      yield* this.#begun;
      for (let step = this.#steps.next(); !step.done; step = this.#steps.next()) {
        const { value } = step;
        if (value instanceof Promise) yield new Pause(this.#schema, value);
        else {
          const entry = this.#finish(value);
          if (entry) yield entry;
        }
      }
    } finally {
      this.#steps.return?.();
    }
  }
}
