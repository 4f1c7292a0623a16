/**
 * The tables of one version, for a reader who may be slow. A snapshot keeps the pages that it shows from being used again, so none
 * is held for long: the reader goes on from a new one, by what is on record of the commits in between.
 */

import { ManagementError } from './errors.ts';
import { History } from './history.ts';
import type { HistoricChange } from './row-changes.ts';
import type { SealedRow } from './rows.ts';
import { RowSource } from './rows.ts';
import type { Snapshot } from './snapshot.ts';

/** How long a snapshot is held. */
const HOLD_MS = 30_000;

/** What is read just now. */
interface Footing {
  readonly snapshot: Snapshot;
  readonly history: History;
  readonly rows: RowSource;
  readonly timer: NodeJS.Timeout;
}

export class KeptRows extends RowSource {
  readonly version: number;
  readonly #open: () => Snapshot;
  readonly #holdMs: number;
  #footing: Footing | undefined;
  #isClosed = false;
  /** What is being gathered: the snapshot stays until that is done. */
  #gathering = 0;

  /** The rows of `version` as `first` has them, later as what `open` gives has them; to be closed, and `first` with it. */
  constructor(first: Snapshot, version: number, open: () => Snapshot, holdMs = HOLD_MS) {
    super();
    this.version = version;
    this.#open = open;
    this.#holdMs = holdMs;
    this.#footing = this.#stand(first, new History(first));
  }

  /** What is on record; to be asked for anew after each wait. */
  get history(): History {
    return this.#now().history;
  }

  sealed(instance: string, number: number): Uint8Array | undefined {
    return this.#now().rows.sealed(instance, number);
  }

  sealedRows(instance: string, from = 0): Iterable<SealedRow> {
    return this.#goOn(from, (rows, next) => rows.sealedRows(instance, next));
  }

  sealedRowsBack(instance: string, from = Number.POSITIVE_INFINITY): Iterable<SealedRow> {
    return this.#goOn(from, (rows, next) => rows.sealedRowsBack(instance, next), -1);
  }

  override passingRows(instance: string): Iterable<SealedRow> {
    const read = (rows: RowSource, next: number) =>
      next === 0 ? rows.passingRows(instance) : rows.sealedRows(instance, next);
    return this.#goOn(0, read);
  }

  override nth(instance: string, count: number, isBackwards?: boolean, from?: number): number | undefined {
    return this.#now().rows.nth(instance, count, isBackwards, from);
  }

  count(instance: string): number {
    return this.#now().rows.count(instance);
  }

  /** Reads in slices what `changes` between two versions needs at first, or the rows of a version when the other is the newest. */
  async gather(from: number, to: number): Promise<void> {
    const { history } = this.#now();
    const [low, high] = [Math.min(from, to), Math.max(from, to)];
    requireKept(history, low);
    this.#gathering++;
    try {
      await history.gather(low, high);
    } finally {
      this.#gathering--;
    }
  }

  /** The rows that differ between two versions on record, as `History.changes`. @throws ManagementError resource-denied as reading */
  *changes(from: number, to: number): Generator<HistoricChange> {
    let last: HistoricChange | undefined;
    for (;;) {
      const footing = this.#now();
      requireKept(footing.history, Math.min(from, to));
      let isMoved = false;
      for (const change of footing.history.changes(from, to, last)) {
        last = change;
        yield change;
        isMoved = this.#now() !== footing;
        if (isMoved) break;
      }
      if (!isMoved) return;
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#leave();
  }

  /** Rows from `from` on, or back, read by `read` from whatever is stood on. */
  *#goOn(
    from: number,
    read: (rows: RowSource, from: number) => Iterable<SealedRow>,
    step: 1 | -1 = 1,
  ): Generator<SealedRow> {
    let next = from;
    for (;;) {
      const footing = this.#now();
      let isMoved = false;
      for (const row of read(footing.rows, next)) {
        next = row.number + step;
        yield row;
        isMoved = this.#now() !== footing;
        if (isMoved) break;
      }
      if (!isMoved) return;
    }
  }

  /** @throws ManagementError resource-denied when the version is not on record any more */
  #now(): Footing {
    if (this.#footing) return this.#footing;
    if (this.#isClosed) throw new Error(`rows of version ${this.version} were read after they were closed`);
    const snapshot = this.#open();
    try {
      const history = new History(snapshot);
      requireKept(history, this.version);
      this.#footing = this.#stand(snapshot, history);
      return this.#footing;
    } catch (error) {
      snapshot.close();
      throw error;
    }
  }

  #stand(snapshot: Snapshot, history: History): Footing {
    const timer = setTimeout(() => (this.#gathering > 0 ? timer.refresh() : this.#leave()), this.#holdMs);
    timer.unref();
    return { snapshot, history, rows: history.rows(this.version), timer };
  }

  #leave(): void {
    clearTimeout(this.#footing?.timer);
    this.#footing?.snapshot.close();
    this.#footing = undefined;
  }
}

/** @throws ManagementError resource-denied when a version is not on record any more */
function requireKept(history: History, version: number): void {
  if (version >= history.oldest) return;
  const message = `version ${version} went from the record while it was read: read faster, ask for less at a time, or keep more history`;
  throw new ManagementError('resource-denied', { message });
}
