/** Which rows of a table a user sees where his rules tell rows from each other by their prefix alone: known without a look at any row. */

import { parseIpv4Prefix } from '../address.ts';
import { DataNode } from './data.ts';
import type { RowSource } from './rows.ts';
import { formatNumber, prefixNumber } from './rows.ts';
import type { SchemaNode } from './schema.ts';
import type { Secrecy } from './secrecy.ts';

export interface NamedRows {
  /** By the number of the prefix, whether he sees the row. */
  readonly seen: ReadonlyMap<number, boolean>;
  /** Whether he sees all others. */
  readonly others: boolean;
}

/** Of the entries below `table` of a list whose key is a prefix; undefined where rules name entries by something else. */
export function namedRows(
  rules: Pick<Secrecy, 'namedKeys' | 'isHidden'>,
  list: SchemaNode,
  table: DataNode,
): NamedRows | undefined {
  const keys = rules.namedKeys(list, table);
  const leaf = list.child(list.keys[0] ?? '');
  if (!keys || !leaf) return undefined;
  const isSeen = (key?: string) => {
    const entry = new DataNode(list);
    entry.parent = table;
    if (key !== undefined) entry.add(new DataNode(leaf, key));
    return !rules.isHidden(entry);
  };
  const seen = new Map(Array.from(numbersOf(keys), (number) => [number, isSeen(formatNumber(number))]));
  return { seen, others: isSeen() };
}

/** The numbers of prefixes that rules name. */
export function numbersOf(keys: readonly string[]): ReadonlySet<number> {
  const numbers = new Set<number>();
  for (const key of keys) {
    const prefix = parseIpv4Prefix(key);
    const number = prefix && prefixNumber(prefix.address, prefix.length);
    // No row has a prefix that is written otherwise.
    if (number !== undefined && formatNumber(number) === key) numbers.add(number);
  }
  return numbers;
}

/** Whether a table has a row that the user sees; each hidden row that is named is looked for, so that the time does not tell of it. */
export function showsRow(rows: RowSource, instance: string, { seen, others }: NamedRows): boolean {
  const isThere = (number: number) => rows.sealed(instance, number) !== undefined;
  const named = [...seen.keys()].filter((number) => seen.get(number) !== others && isThere(number));
  return others ? rows.count(instance) > named.length : named.length > 0;
}
