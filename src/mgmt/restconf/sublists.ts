/** `sublist-limit` (draft-ietf-netconf-list-pagination §3.2.1): of each list below what is read, only the first entries go out. */

import type { DataNode } from '../../state/data.ts';
import type { SchemaNode } from '../../state/schema.ts';
import { ListsBelow } from '../entry-list.ts';
import { Pause } from '../pause.ts';

/** Takes what is too much out of the lists below a node of an answer; the first entry of each says how much that is. */
export function limitSublists(node: DataNode, limit: number): void {
  const counts = new Map<SchemaNode, { readonly first: DataNode; count: number }>();
  for (const [id, child] of [...node.childMap]) {
    const { schema } = child;
    if (schema.isList) {
      const known = counts.get(schema);
      if (known) known.count++;
      else counts.set(schema, { first: child, count: 1 });
      if (known && known.count > limit) {
        node.remove(id);
        continue;
      }
    }
    if (!schema.isLeaf) limitSublists(child, limit);
  }
  for (const { first, count } of counts.values()) if (count > limit) first.page = { remaining: count - limit };
}

/** The first rows of each list; how many are left is not counted. */
export function* limitRows(rows: Iterable<DataNode>, limit: number): Generator<DataNode> {
  for (const list of rows instanceof ListsBelow ? rows.lists : [rows]) yield* limitList(list, limit);
}

function* limitList(rows: Iterable<DataNode>, limit: number): Generator<DataNode> {
  const held: DataNode[] = [];
  let count = 0;
  let isMore = false;
  for (const row of rows) {
    // What is waited for comes before the rows that it makes.
    if (row instanceof Pause) {
      yield row;
      continue;
    }
    isMore = count === limit;
    if (isMore) break;
    held.push(row);
    count++;
  }
  const [first] = held;
  if (first && isMore) first.page = { remaining: 'unknown' };
  yield* held;
}
