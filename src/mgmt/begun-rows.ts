/** Rows of which the first is known before the others are made. */

import type { DataNode } from '../state/data.ts';

/** The same entries, of which the first is made now; undefined when there are none. */
export function begun(rows: Iterable<DataNode>): Iterable<DataNode> | undefined {
  const rest = rows[Symbol.iterator]();
  const first = rest.next();
  return first.done ? undefined : resume(first.value, rest);
}

function* resume(first: DataNode, rest: Iterator<DataNode>): Generator<DataNode> {
  yield first;
  for (let next = rest.next(); !next.done; next = rest.next()) yield next.value;
}
