/** What the expressions of a partial lock select: configuration in running that the caller may read, and may write. */

import { parseIpv4Prefix } from '../address.ts';
import type { Binding } from '../state/binding.generated.ts';
import type { DataNode } from '../state/data.ts';
import type { View } from '../state/datastores.ts';
import { ManagementError } from '../state/errors.ts';
import { MAX_LOCKED_NODES } from '../state/partial-locks.ts';
import type { Authorize } from '../state/request.ts';
import { bindingToNode, prefixNumber } from '../state/rows.ts';
import { requireRight } from '../state/secrecy.ts';
import { orphan } from './defaults.ts';
import { rowInstance } from './row-node.ts';
import type { SourceRow, XPathSource } from './xpath/document.ts';
import { XPathDocument } from './xpath/document.ts';
import { nodesOf } from './xpath/node-set.ts';
import type { XPathSelection } from './xpath/selection.ts';

/** What a caller may do with data. */
export interface DataRights {
  readonly mayRead: (node: DataNode) => boolean;
  readonly authorize: Authorize | undefined;
}

/**
 * The nodes that the expressions select in running, some perhaps twice; at most one more than a lock may have. Who locks a node
 * keeps others from writing it, so he must be allowed to write it himself.
 * @throws ManagementError operation-failed, app-tag no-matches, for none; invalid-value for the root; access-denied
 */
export function nodesToLock(view: View, selections: readonly XPathSelection[], rights: DataRights): DataNode[] {
  const found = new Map<string, DataNode>();
  for (const selection of selections) {
    for (const { data } of nodesOf(selection.select(new XPathDocument(configuration(view, rights))))) {
      found.set(data.path, data);
      if (found.size > MAX_LOCKED_NODES) break;
    }
  }
  const nodes = [...found.values()];
  if (nodes.length === 0) {
    const message = 'the expressions select nothing in running that this user may read';
    throw new ManagementError('operation-failed', { type: 'protocol', appTag: 'no-matches', message });
  }
  if (nodes.some(({ schema }) => schema.isRoot)) {
    const message = 'the root is no node that can be locked: lock the datastore';
    throw new ManagementError('invalid-value', { type: 'protocol', message, info: { 'bad-element': 'select' } });
  }
  const { authorize } = rights;
  if (authorize) for (const node of nodes) requireRight(node, 'update', authorize);
  return nodes;
}

function configuration(view: View, { mayRead }: DataRights): XPathSource {
  const isVisible = (node: DataNode) => node.schema.config && mayRead(node);
  const visible = (table: DataNode, binding: Binding | undefined): SourceRow | undefined => {
    const schema = table.schema.children.find((child) => child.rows);
    if (!schema || !binding) return undefined;
    const entry = orphan(bindingToNode(schema, binding), table);
    return isVisible(entry) ? { number: prefixNumber(binding.address, binding.length), entry } : undefined;
  };
  return {
    root: view.tree,
    children: (node) => node.children().filter(isVisible),
    *rows(table, from) {
      for (const binding of view.bindings(rowInstance(table), { address: Math.floor(from / 64), length: from % 64 })) {
        const row = visible(table, binding);
        if (row) yield row;
      }
    },
    row: (table, key) => {
      const prefix = parseIpv4Prefix(key);
      return visible(table, prefix && view.binding(rowInstance(table), prefix.address, prefix.length));
    },
  };
}
