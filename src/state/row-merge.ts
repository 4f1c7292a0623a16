/** Entries of the binding table that came as rows and are to be written over the rows that are there: very many, so in slices. */

import type { Binding } from './binding.generated.ts';
import type { RowOverlay } from './overlay.ts';
import { inSlices, isSameRow } from './row-changes.ts';
import type { RowPack } from './row-pack.ts';
import type { RowSource } from './rows.ts';
import { openRow } from './rows.ts';

/** Entries each to be written over the row of its prefix, or in its place. */
export interface RowMerge {
  readonly instance: string;
  readonly bulk: RowPack;
  readonly operation: 'merge' | 'replace';
  /** Rows that have been written otherwise. */
  readonly without: ReadonlySet<number>;
}

/** Where they go: `overlay` takes what changes of `rows`. */
interface MergeTarget {
  readonly rows: RowSource;
  readonly overlay: RowOverlay;
  readonly merges: readonly RowMerge[];
}

/** Does what an edit has left to do, in slices, so that others have their turn between. */
export async function mergeRows({ rows, overlay, merges }: MergeTarget): Promise<void> {
  for (const { instance, bulk, operation, without } of merges) {
    await inSlices(bulk.numbers(), (number) => {
      const value = bulk.get(number);
      if (!value || without.has(number)) return;
      const before = operation === 'merge' ? rows.sealed(instance, number) : undefined;
      if (!before) overlay.putSealed(instance, number, value);
      else if (!isSameRow(before, value))
        overlay.put(instance, merged(openRow(number, before), openRow(number, value)));
    });
  }
}

/** A row with what an entry has of its own; no edit names the origin. */
function merged(before: Binding, given: Binding): Binding {
  return {
    ...before,
    gatewayIpv6Address: given.gatewayIpv6Address,
    aftrIpv6Address: given.aftrIpv6Address ?? before.aftrIpv6Address,
    description: given.description ?? before.description,
  };
}
