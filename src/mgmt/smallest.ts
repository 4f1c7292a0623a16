/**
 * The first of many items in an order, as many as are asked for: a heap whose root is the last of them, so that each item costs one
 * comparison where it is none of these, and nothing is ever sorted in one go.
 */

import { Slice } from '../state/row-changes.ts';

const LOOK_EVERY = 64;

export class Smallest<Item> {
  readonly #order: (a: Item, b: Item) => number;
  readonly #most: number;
  readonly #heap: Item[] = [];
  /** How many were added. */
  count = 0;

  /** `order` leaves no two items alike. */
  constructor(order: (a: Item, b: Item) => number, most: number) {
    this.#order = order;
    this.#most = most;
  }

  add(item: Item): void {
    this.count++;
    const heap = this.#heap;
    if (heap.length < this.#most) this.#rise(item);
    else if (heap[0] !== undefined && this.#order(item, heap[0]) < 0) this.#sink(item, heap.length);
  }

  /** In their order; empties it. Others have their turn meanwhile. */
  async take(): Promise<Item[]> {
    const heap = this.#heap;
    const slice = new Slice();
    for (let size = heap.length - 1; size > 0; size--) {
      const last = heap[size];
      const root = heap[0];
      if (last !== undefined && root !== undefined) {
        heap[size] = root;
        this.#sink(last, size);
      }
      if (size % LOOK_EVERY === 0) await slice.end();
    }
    return heap.splice(0);
  }

  /** Puts an item at the end, and up to its place. */
  #rise(item: Item): void {
    const heap = this.#heap;
    let at = heap.push(item) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = heap[above];
      if (parent === undefined || this.#order(parent, item) > 0) break;
      heap[at] = parent;
      at = above;
    }
    heap[at] = item;
  }

  /** Puts an item in place of the root of the first `size` items, and down to its place. */
  #sink(item: Item, size: number): void {
    const heap = this.#heap;
    let at = 0;
    for (let below = 1; below < size; below = 2 * at + 1) {
      const left = heap[below];
      const right = heap[below + 1];
      if (left === undefined) break;
      const isRight = below + 1 < size && right !== undefined && this.#order(right, left) > 0;
      const child = isRight ? right : left;
      if (this.#order(child, item) < 0) break;
      heap[at] = child;
      at = isRight ? below + 1 : below;
    }
    heap[at] = item;
  }
}
