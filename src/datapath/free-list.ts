/**
 * Numbers 1 to `capacity` of table rows or blocks: taken, retired, and free again once every worker has passed a batch
 * boundary since. Writer's memory only.
 */

import type { Epochs } from './epochs.ts';

/**
 * How long `take` waits for the workers when everything free still waits for them; a batch takes well under a
 * millisecond.
 */
const PATIENCE_MS = 2_000;

export class FreeList {
  readonly #capacity: number;
  readonly #epochs: Epochs;
  readonly #onFree: (number: number) => void;
  /** Freed and passed by every worker. */
  #free: number[] = [];
  /** Retired numbers and the epochs they were retired in, oldest first. */
  #retired: number[] = [];
  #retiredIn: number[] = [];
  /** Numbers above this one were never taken. */
  #highest = 0;

  /** `onFree` is told of each retired number before it may be taken again. */
  constructor(capacity: number, epochs: Epochs, onFree: (number: number) => void = () => undefined) {
    this.#capacity = capacity;
    this.#epochs = epochs;
    this.#onFree = onFree;
  }

  /** Numbers in use or still waiting for the workers. */
  get used(): number {
    return this.#highest - this.#free.length;
  }

  /** @throws Error when more than `capacity` are in use, or a worker has not ended its batch in two seconds. */
  take(): number {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    if (this.#retired.length >= 1_024 || this.#highest === this.#capacity) this.reclaim();
    const reclaimed = this.#free.pop();
    if (reclaimed !== undefined) return reclaimed;
    if (this.#highest < this.#capacity) return ++this.#highest;
    return this.#waitForOne();
  }

  retire(number: number): void {
    this.#retired.push(number);
    this.#retiredIn.push(this.#epochs.advance());
  }

  /** No number above it was ever taken. */
  get highest(): number {
    return this.#highest;
  }

  /** For an image, at whose start no worker is in a batch: the highest number that was ever taken, and those of them that are free. */
  kept(): number[] {
    return [this.#highest, ...this.#free, ...this.#retired];
  }

  /** Goes on where `kept` was; nothing was taken yet. */
  resume([highest = 0, ...free]: readonly number[]): void {
    this.#highest = highest;
    this.#free = free;
  }

  /** Makes the retired numbers free that every worker has passed. */
  reclaim(): void {
    let passed = 0;
    while (passed < this.#retired.length && this.#epochs.hasPassed(this.#retiredIn[passed] ?? 0)) passed++;
    if (passed === 0) return;
    for (const number of this.#retired.slice(0, passed)) {
      this.#onFree(number);
      this.#free.push(number);
    }
    this.#retired = this.#retired.slice(passed);
    this.#retiredIn = this.#retiredIn.slice(passed);
  }

  #waitForOne(): number {
    const deadline = performance.now() + PATIENCE_MS;
    while (this.#retired.length > 0 && performance.now() < deadline) {
      this.reclaim();
      const number = this.#free.pop();
      if (number !== undefined) return number;
    }
    throw new Error(`table: all ${this.#capacity} places are taken`);
  }
}
