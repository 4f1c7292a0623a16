/**
 * The routes of a route source as it is told of them: what its neighbors announce, as far as there is room to remember it. What is left
 * out is taken when there is room again, which is looked for as long as any is.
 */

export class ToldRoutes {
  #numbers: ReadonlySet<number> & Set<number> = new Set();
  #left = 0;
  /** Whether what is left out may be another number. */
  #isStirred = false;

  get size(): number {
    return this.#numbers.size;
  }

  /** How many are left out, as far as it was counted. */
  get left(): number {
    return this.#left;
  }

  /** Whether looking at all routes again may change what is told, with room for `most`. */
  mayChange(most: number): boolean {
    return this.#left > 0 && (this.#isStirred || most > this.#numbers.size);
  }

  /** Of all that are announced `most` at most are told: those that were already go before others. Returns them. */
  setAll(announced: ReadonlySet<number>, most: number): ReadonlySet<number> {
    const told = new Set<number>();
    for (const numbers of announced.size > most ? [this.#numbers, announced] : [announced]) {
      for (const number of numbers) if (told.size < most && announced.has(number)) told.add(number);
    }
    this.#numbers = told;
    this.#left = announced.size - told.size;
    this.#isStirred = false;
    return told;
  }

  /** Whether a route that has changed is to be told, or to be withdrawn; undefined for neither. The room is asked for where it matters. */
  change(number: number, isAnnounced: boolean, most: () => number): 'route' | 'withdrawn' | undefined {
    if (isAnnounced === this.#numbers.has(number)) {
      this.#isStirred ||= !isAnnounced;
      return undefined;
    }
    if (!isAnnounced) {
      this.#numbers.delete(number);
      this.#isStirred = true;
      return 'withdrawn';
    }
    if (this.#numbers.size < most()) {
      this.#numbers.add(number);
      return 'route';
    }
    // It may have been left out before, with other attributes: the next look counts anew.
    this.#left++;
    this.#isStirred = true;
    return undefined;
  }
}
