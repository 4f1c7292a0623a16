/**
 * What following the store left as garbage is collected after many rows at once: V8 would keep some 150 MiB of a table of a million rows until edits
 * have left as much again. What edits leave V8 collects itself, in small steps (launch.ts). Workers go on meanwhile.
 */

/** Read at once. A collection takes 20 to 60 ms of the control thread, more than the queue of a busy worker on its core may hold. */
const ROWS_AT_LEAST = 50_000;

export class GarbageCare {
  readonly #collect: () => void;
  #rowsBefore = 0;

  /** `collect` collects what is garbage. */
  constructor(collect: () => void) {
    this.#collect = collect;
  }

  /** To be called when the store was followed, with the rows that were read of it since the start. */
  look(rowsRead: number): void {
    const rows = rowsRead - this.#rowsBefore;
    this.#rowsBefore = rowsRead;
    if (rows >= ROWS_AT_LEAST) this.#collect();
  }
}
