/** Many rows of a table at once, in slices, between which others get the control thread. */

import type { Binding } from '../state/binding.generated.ts';
import { prefixNumber } from '../state/rows.ts';
import { isShared } from './port-sets.ts';
import type { Table, Target, WantedRow } from './table.ts';

/** Rows applied in one piece. */
const SLICE_ROWS = 5_000;

/** What is done with a row of a table, and what is awaited between slices. */
export interface RowSteps {
  /** Adds or replaces one row; the row, 0 when the table is full. */
  readonly put: (row: WantedRow) => number;
  readonly pause: () => Promise<void>;
}

/** Makes the rows exactly those wanted, those of shared addresses apart: first what is new or different, then what goes. */
export async function synchronizeRows(
  table: Table,
  wanted: Iterable<WantedRow>,
  { put, pause }: RowSteps,
): Promise<void> {
  const kept = new Uint8Array(table.rows.length / 8 + 1);
  let rows = 0;
  for (const row of wanted) {
    kept[put(row)] = 1;
    if (++rows % SLICE_ROWS === 0) await pause();
  }
  for (const row of table.rowsInUse()) {
    if (kept[row] === 1 || isShared(table, row)) continue;
    const { address, length } = table.prefixOf(row);
    table.remove(address, length);
    if (++rows % SLICE_ROWS === 0) await pause();
  }
}

/** A binding and the table of the store that it is in. */
export interface StoredBinding {
  readonly instance: string;
  readonly binding: Binding;
}

export interface LoadSteps extends RowSteps {
  /** Whose a table of the store is; undefined for one that nothing is forwarded by. */
  readonly aftrOf: (instance: string) => string | undefined;
  /** Where a binding of an AFTR leads; undefined while its address is not in use. */
  readonly targetOf: (aftr: string, binding: Binding) => Target | undefined;
  /** Adds a row whose prefix is not there, if the table is not full. */
  readonly append: (row: WantedRow) => void;
  /** Whether a row of a shared address may be there. */
  readonly isShared: (address: number) => boolean;
}

/**
 * Puts the rows of bindings in a table without one: row by row in the order of the prefixes, which is that of their memory, and without
 * a look for rows that are there.
 */
export async function loadRows(bindings: Iterable<StoredBinding>, steps: LoadSteps): Promise<void> {
  let [last, rows] = [-1, 0];
  let table: string | undefined;
  let aftr: string | undefined;
  for (const { instance, binding } of bindings) {
    if (instance !== table) [table, aftr] = [instance, steps.aftrOf(instance)];
    const target = aftr === undefined ? undefined : steps.targetOf(aftr, binding);
    if (!target) continue;
    const number = prefixNumber(binding.address, binding.length);
    // What stands before the last one may be there from another table.
    if (number <= last || steps.isShared(binding.address)) steps.put({ prefix: binding, target });
    else steps.append({ prefix: binding, target });
    last = Math.max(last, number);
    if (++rows % SLICE_ROWS === 0) await steps.pause();
  }
}
