/** Learnings of one turn, each on top of those before it: what each changes, so that it is a commit of its own on record. */

import type { Softwire } from '../model.generated.ts';
import { OverlaidRows, RowOverlay } from '../overlay.ts';
import { totalOf } from '../records.ts';
import type { Tally } from '../request.ts';
import { HistoricChange, RowChanges } from '../row-changes.ts';
import type { ChangeWork, NewRows } from '../row-write.ts';
import type { RowSource } from '../rows.ts';
import type { Learned, SharedLearning } from './learning.ts';

/** Changed rows with their values, table by table in key order: they stay as they are whatever becomes of the rows they were read from. */
export class KeptChanges implements Iterable<HistoricChange>, NewRows {
  readonly tallies: ReadonlyMap<string, Tally>;
  readonly #changes: readonly HistoricChange[];

  constructor(changes: RowChanges) {
    this.tallies = changes.tallies;
    this.#changes = Array.from(changes, ({ instance, number, sealedBefore, sealedAfter }) => {
      return new HistoricChange(instance, number, copyOf(sealedBefore), copyOf(sealedAfter));
    });
  }

  get instances(): Iterable<string> {
    return this.tallies.keys();
  }

  get tally(): Tally {
    return totalOf(this.tallies);
  }

  [Symbol.iterator](): Iterator<HistoricChange> {
    return this.#changes[Symbol.iterator]();
  }

  of(instance: string): Iterable<HistoricChange> {
    return this.#changes.filter((change) => change.instance === instance);
  }

  forEachChange(work: ChangeWork): void {
    for (const { instance, number, sealedBefore, sealedAfter } of this.#changes)
      work(instance, number, sealedBefore, sealedAfter);
  }
}

/** What is read from the store is overwritten. */
function copyOf(octets: Uint8Array | undefined): Uint8Array | undefined {
  return octets && new Uint8Array(octets);
}

/** The tables with what a group has changed so far. */
class GroupRows extends OverlaidRows {
  readonly #base: RowSource;
  readonly #overlay: RowOverlay;
  /** By table, so that nobody counts rows. */
  readonly #growth = new Map<string, number>();

  constructor(base: RowSource, overlay: RowOverlay) {
    super(base, overlay);
    this.#base = base;
    this.#overlay = overlay;
  }

  take(changes: KeptChanges): void {
    for (const { instance, number, sealedAfter } of changes) {
      if (sealedAfter) this.#overlay.putSealed(instance, number, sealedAfter);
      else this.#overlay.deleteNumber(instance, number);
    }
    for (const [instance, { added, removed }] of changes.tallies)
      this.#growth.set(instance, (this.#growth.get(instance) ?? 0) + added - removed);
  }

  override count(instance: string): number {
    return this.#base.count(instance) + (this.#growth.get(instance) ?? 0);
  }
}

/** What one of a group makes of the tables as those before it leave them. */
export interface Made {
  readonly learning: SharedLearning;
  readonly changes: KeptChanges;
  readonly done: Learned['done'];
}

/** @throws what one of them throws; nothing has changed then */
export async function makeGroup(
  base: RowSource,
  softwire: Softwire,
  learnings: readonly SharedLearning[],
): Promise<Made[]> {
  const rows = new GroupRows(base, new RowOverlay());
  const made: Made[] = [];
  for (const learning of learnings) {
    const { overlay, done } = await learning.work(rows, softwire);
    const changes = new KeptChanges(await RowChanges.between(rows, overlay));
    rows.take(changes);
    made.push({ learning, changes, done });
  }
  return made;
}
