/**
 * The rows of binding tables that differ between two versions, from the records of the commits between: what it costs is what
 * has changed, however large the tables are. Either side of them can be read as a table of its own.
 */

import type { Binding } from '../../state/binding.generated.ts';
import type { DataNode } from '../../state/data.ts';
import type { HistoricChange } from '../../state/row-changes.ts';
import { inSlices } from '../../state/row-changes.ts';
import { prefixNumber } from '../../state/rows.ts';
import type { View } from '../../state/view.ts';
import { LIMITS } from './limits.ts';

/** By AFTR, by the number of the prefix, in key order. */
export type RowDifferences = ReadonlyMap<string, ReadonlyMap<number, HistoricChange>>;

/** What differs between `from` and `to`, at most the version of the view; undefined when it is too much, or not on record. */
export async function collectRows(view: View, from: number, to: number): Promise<RowDifferences | undefined> {
  const tables = new Map<string, Map<number, HistoricChange>>();
  if (from === to) return tables;
  if (view.history.oldest > from || touched(view, from, to) > LIMITS.changedRows) return undefined;
  await view.gather(from, to);
  await inSlices(view.changes(from, to), (change) => {
    const table = tables.get(change.instance) ?? new Map<number, HistoricChange>();
    tables.set(change.instance, table);
    table.set(change.number, change);
  });
  return tables;
}

/** How many rows the commits behind one version, up to another, have touched. */
function touched({ history }: View, from: number, to: number): number {
  let count = 0;
  for (const { version, tallies } of history.summaries()) {
    if (version <= from) break;
    if (version > to) continue;
    for (const { added, changed, removed } of tallies.values()) count += added + changed + removed;
  }
  return count;
}

/** The tables as they were before the differences; the view they came from stays open meanwhile. */
export function viewBefore(view: View, tree: DataNode, rows: RowDifferences): View {
  const old = sideOf(view, tree, rows, 'before');
  function* bindings(
    instance: string,
    from?: { readonly address: number; readonly length: number },
  ): Generator<Binding> {
    const changes = rows.get(instance);
    const replaced = old.bindings(instance, from)[Symbol.iterator]();
    let next = replaced.next();
    for (const binding of view.bindings(instance, from)) {
      const number = prefixNumber(binding.address, binding.length);
      for (; !next.done && prefixNumber(next.value.address, next.value.length) <= number; next = replaced.next()) {
        yield next.value;
      }
      if (!changes?.has(number)) yield binding;
    }
    for (; !next.done; next = replaced.next()) yield next.value;
  }
  return {
    ...old,
    bindings,
    binding: (instance, address, length) =>
      rows.get(instance)?.has(prefixNumber(address, length))
        ? old.binding(instance, address, length)
        : view.binding(instance, address, length),
    isEmpty: (instance) => bindings(instance).next().done === true,
    count: (instance) => [...bindings(instance)].length,
  };
}

/** One side of the differences as a view with nothing else in its tables. The view they came from may be closed meanwhile. */
export function sideOf(view: View, tree: DataNode, rows: RowDifferences, side: 'before' | 'after'): View {
  function* bindings(
    instance: string,
    from?: { readonly address: number; readonly length: number },
  ): Generator<Binding> {
    const first = from ? prefixNumber(from.address, from.length) : 0;
    for (const [number, change] of rows.get(instance) ?? []) {
      const binding = number < first ? undefined : change[side];
      if (binding) yield binding;
    }
  }
  return {
    ...view,
    tree,
    bindings,
    binding: (instance, address, length) => rows.get(instance)?.get(prefixNumber(address, length))?.[side],
    isEmpty: (instance) => bindings(instance).next().done === true,
    count: (instance) => [...bindings(instance)].length,
    sealedRows: () => [],
    passingRows: () => [],
    close: () => undefined,
  };
}
