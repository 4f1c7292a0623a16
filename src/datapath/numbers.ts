/** Small numbers for names: the lowest that is free, kept until it is given back. */

export class Numbers {
  readonly #lowest: number;
  readonly #highest: number;
  readonly #byName = new Map<string, number>();
  readonly #taken = new Set<number>();

  constructor(lowest: number, highest: number) {
    this.#lowest = lowest;
    this.#highest = highest;
  }

  numberOf(name: string): number | undefined {
    return this.#byName.get(name);
  }

  keys(): string[] {
    return [...this.#byName.keys()];
  }

  /** The number of a name, which gets one now if it has none. @throws Error when all are taken */
  assign(name: string): number {
    const known = this.#byName.get(name);
    if (known !== undefined) return known;
    for (let number = this.#lowest; number <= this.#highest; number++) {
      if (this.#taken.has(number)) continue;
      this.#byName.set(name, number);
      this.#taken.add(number);
      return number;
    }
    throw new Error(`all ${this.#highest - this.#lowest + 1} numbers are taken; prepare should have refused ${name}`);
  }

  /** Gives back the numbers of all other names. */
  keepOnly(names: ReadonlySet<string>): void {
    for (const [name, number] of this.#byName) {
      if (names.has(name)) continue;
      this.#byName.delete(name);
      this.#taken.delete(number);
    }
  }
}
