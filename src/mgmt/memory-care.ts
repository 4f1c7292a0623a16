/**
 * What a commit of many rows took is given back to the system, in this order: what the collector of JavaScript frees, the pages
 * that LMDB keeps for its next transaction, and what the C library keeps of both. Left alone, a million rows keep some 300 MiB.
 */

import type { Datastores } from '../state/datastores.ts';

/** Fewer changed rows are not worth it. */
const BULK_ROWS = 20_000;
const PAUSE_MS = 1_000;

export class MemoryCare {
  readonly #datastores: Pick<Datastores, 'giveBackMemory'>;
  readonly #trim: () => void;
  #timer: NodeJS.Timeout | undefined;

  /** `trim` is what the C library does its part by. */
  constructor(datastores: Pick<Datastores, 'onCommit' | 'giveBackMemory'>, trim: () => void) {
    this.#datastores = datastores;
    this.#trim = trim;
    datastores.onCommit(({ added, changed, removed }) => {
      if (added + changed + removed >= BULK_ROWS) this.#ask();
    });
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  /** Soon, when the commit is answered. */
  #ask(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#giveBack(), PAUSE_MS);
    this.#timer.unref();
  }

  async #giveBack(): Promise<void> {
    await globalThis.gc?.({ execution: 'async' });
    const isGiven = await this.#datastores.giveBackMemory();
    this.#trim();
    // Somebody reads: again when he may have ended.
    if (!isGiven) this.#ask();
  }
}
