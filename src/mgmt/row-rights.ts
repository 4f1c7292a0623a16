/** What a user sees of the rows of a table, told from their numbers where his rules allow that. */

import type { Binding } from '../state/binding.generated.ts';
import type { DataNode } from '../state/data.ts';
import type { NamedRows } from '../state/named-rows.ts';
import { namedRows } from '../state/named-rows.ts';
import { openRow, prefixNumber } from '../state/rows.ts';
import type { View } from '../state/view.ts';
import type { Rights } from './access.ts';
import type { RowRights } from './access-coverage.ts';
import { rowSchema } from './row-node.ts';

export interface TableRights {
  readonly rows: RowRights;
  /** Where that is some, and rules name rows by their prefix alone. */
  readonly named?: NamedRows | undefined;
  readonly mayRead: (node: DataNode) => boolean;
}

/** Of the rows below a table that he may read, or of the entries of another list there that are found by the number of a prefix. */
export function tableRights(rights: Rights, table: DataNode, list = rowSchema(table)): TableRights {
  const rows = rights.rowRights(list, table);
  const mayRead = (node: DataNode) => rights.may(node, 'read');
  return { rows, mayRead, named: rows === 'some' ? namedRows(rights, list, table) : undefined };
}

/** Those of a table that may be seen, as far as that is known without a node: where all others are hidden, it costs no look at them. */
export function* seenBindings(view: View, aftr: string, named: NamedRows | undefined): Generator<Binding> {
  if (!named) {
    yield* view.bindings(aftr);
    return;
  }
  const { seen, others } = named;
  if (others) {
    for (const binding of view.bindings(aftr)) {
      if (seen.get(prefixNumber(binding.address, binding.length)) ?? true) yield binding;
    }
    return;
  }
  for (const number of [...seen.keys()].sort((a, b) => a - b)) {
    const value = seen.get(number) ? view.sealed(aftr, number) : undefined;
    if (value) yield openRow(number, value);
  }
}
