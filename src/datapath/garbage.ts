/**
 * What following the store left as garbage is collected now and then. Left alone, V8 looks through the memory of an edit's rows after
 * many minutes of edits, and until then keeps some 150 MiB of a table of a million rows. Workers go on meanwhile.
 */

/** A collection takes 20 to 40 ms of the control thread: with a thousand changed rows a second a two-thousandth of it. */
const ROWS_AT_LEAST = 50_000;

export class GarbageCare {
  readonly #collect: () => void;
  #collectedAt = 0;

  /** `collect` collects what is garbage. */
  constructor(collect: () => void) {
    this.#collect = collect;
  }

  /** To be called now and then, with the rows that were read of the store since the start. */
  look(rowsRead: number): void {
    if (rowsRead - this.#collectedAt < ROWS_AT_LEAST) return;
    this.#collectedAt = rowsRead;
    this.#collect();
  }
}
