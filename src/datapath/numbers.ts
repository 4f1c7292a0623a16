/**
 * Small numbers for names, by which workers know them: the lowest that is free. One that is given back is free again once every worker
 * has passed a batch boundary, so that nothing a worker does by it reaches the next owner.
 */

import type { Epochs } from './epochs.ts';

/** How long `assign` waits for the workers when all that is free still waits for them. */
const PATIENCE_MS = 2_000;

export class Numbers {
  readonly #lowest: number;
  readonly #highest: number;
  readonly #epochs: Epochs;
  readonly #byName = new Map<string, number>();
  readonly #taken = new Set<number>();
  /** Given back, and the epochs that they were given back in; they are among the taken ones. */
  #leaving: { readonly number: number; readonly epoch: number }[] = [];

  constructor(lowest: number, highest: number, epochs: Epochs) {
    this.#lowest = lowest;
    this.#highest = highest;
    this.#epochs = epochs;
  }

  numberOf(name: string): number | undefined {
    return this.#byName.get(name);
  }

  keys(): string[] {
    return [...this.#byName.keys()];
  }

  /**
   * The number of a name, which gets one now if it has none. @throws Error when all are taken, or a worker has not ended its batch in
   * two seconds
   */
  assign(name: string): number {
    const known = this.#byName.get(name);
    if (known !== undefined) return known;
    const deadline = performance.now() + PATIENCE_MS;
    do {
      const number = this.#lowestFree();
      if (number === undefined) continue;
      this.#byName.set(name, number);
      this.#taken.add(number);
      return number;
    } while (this.#leaving.length > 0 && performance.now() < deadline);
    throw new Error(`all ${this.#highest - this.#lowest + 1} numbers are taken; prepare should have refused ${name}`);
  }

  /** Gives back the numbers of all other names. */
  keepOnly(names: ReadonlySet<string>): void {
    const gone = [...this.#byName].filter(([name]) => !names.has(name));
    if (gone.length === 0) return;
    const epoch = this.#epochs.advance();
    for (const [name, number] of gone) {
      this.#byName.delete(name);
      this.#leaving.push({ number, epoch });
    }
  }

  #lowestFree(): number | undefined {
    for (const { number, epoch } of this.#leaving) if (this.#epochs.hasPassed(epoch)) this.#taken.delete(number);
    this.#leaving = this.#leaving.filter(({ number }) => this.#taken.has(number));
    for (let number = this.#lowest; number <= this.#highest; number++) if (!this.#taken.has(number)) return number;
    return undefined;
  }
}
