/** What a user sees of the rows of a table, told from their numbers where his rules allow that. */

import { parseIpv4Prefix } from '../address.ts';
import type { Binding } from '../state/binding.generated.ts';
import { DataNode } from '../state/data.ts';
import { formatNumber, openRow, prefixNumber } from '../state/rows.ts';
import type { View } from '../state/view.ts';
import type { Rights } from './access.ts';
import type { RowRights } from './access-coverage.ts';
import { orphan } from './defaults.ts';
import { rowSchema } from './row-node.ts';

export interface TableRights {
  readonly rows: RowRights;
  /** Where that is some, and rules name rows by their prefix alone. */
  readonly named?: NamedRows | undefined;
  readonly mayRead: (node: DataNode) => boolean;
}

export interface NamedRows {
  /** By the number of the prefix, whether he sees the row. */
  readonly seen: ReadonlyMap<number, boolean>;
  /** Whether he sees all others. */
  readonly others: boolean;
}

/** Of the rows below a table that he may read, or of the entries of another list there that are found by the number of a prefix. */
export function tableRights(rights: Rights, table: DataNode, list = rowSchema(table)): TableRights {
  const rows = rights.rowRights(list, table);
  const mayRead = (node: DataNode) => rights.may(node, 'read');
  const keys = rows === 'some' ? rights.namedKeys(list, table) : undefined;
  const leaf = list.child(list.keys[0] ?? '');
  if (!keys || !leaf) return { rows, mayRead };
  const mayReadRow = (key?: string) => {
    const entry = orphan(new DataNode(list), table);
    if (key !== undefined) entry.add(new DataNode(leaf, key));
    return mayRead(entry);
  };
  const seen = new Map<number, boolean>();
  for (const key of keys) {
    const prefix = parseIpv4Prefix(key);
    const number = prefix && prefixNumber(prefix.address, prefix.length);
    // No row has a prefix that is written otherwise.
    if (number !== undefined && formatNumber(number) === key) seen.set(number, mayReadRow(key));
  }
  return { rows, named: { seen, others: mayReadRow() }, mayRead };
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
