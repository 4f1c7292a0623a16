/**
 * One consistent answer to a read: the data a selection asks for, without what the caller may not see, with defaults as
 * wanted. The small tree is copied; binding rows come as an iterator over the same snapshot, one at a time.
 */

import { DataNode } from '../state/data.ts';
import type { View } from '../state/datastores.ts';
import type { BindingStatistics } from './binding-statistics.ts';
import type { ReadOptions } from './read-options.ts';
import type { CountedPass, CountedTables } from './reading-builder.ts';
import { ReadingBuilder } from './reading-builder.ts';
import { SelectedReading } from './selected-reading.ts';
import { XPathSelection } from './xpath/selection.ts';

export interface Reading {
  readonly root: DataNode;
  /** Row entries below a node of `root`, to be printed after its children. Can be walked once. */
  rows(parent: DataNode): Iterable<DataNode>;
  /** Of the last commit of the configuration. */
  readonly version: number;
  readonly time: Date;
  /** Ends the snapshot; to be called once, also after a failure. */
  close(): void;
}

/** Reads `source` (the view's tree, state added) with the rows of `view`; closing the reading closes the view. */
export function openReading(source: DataNode, view: View, options: ReadOptions): Reading {
  return fillReading(source, view, options, undefined);
}

/**
 * The same in slices, so that others have their turn, and with the statistics of bindings, which are asked for as far as they are wanted.
 * What the first pass finds missing is fetched, and the answer made anew; tables go out with their statistics a batch at a time.
 */
export async function openSlicedReading(
  source: DataNode,
  view: View,
  options: ReadOptions,
  statistics?: BindingStatistics,
): Promise<Reading> {
  const keysOf = function* (aftr: string): Generator<number> {
    for (const { number } of view.sealedRows(aftr)) yield number;
  };
  let tables: CountedTables = { rows: new Map(), isOld: false };
  for (;;) {
    const pass = { statistics, tables };
    const reading = fillReading(source, view, options, pass);
    const isComplete = statistics?.isComplete ?? true;
    for (const rows of isComplete ? tables.rows.values() : []) await rows.begin();
    if (statistics && !isComplete) {
      await statistics.fetch(keysOf);
      tables = { rows: new Map(), isOld: false };
    } else if (tables.isOld || ![...tables.rows.values()].some(({ isEmpty }) => isEmpty)) return reading;
    else tables = { ...tables, isOld: true };
  }
}

function fillReading(source: DataNode, view: View, options: ReadOptions, pass: CountedPass | undefined): Reading {
  const builder = new ReadingBuilder(view, options, pass);
  const root = new DataNode(source.schema);
  if (options.selection instanceof XPathSelection) {
    new SelectedReading(builder, view, options, pass, options.selection).fill(source, root);
  } else builder.fillAll(source, root, options.selection?.parts);
  return {
    root,
    rows: (parent) => builder.rows.get(parent) ?? [],
    ...view.edition,
    close: () => view.close(),
  };
}
