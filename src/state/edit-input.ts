/** What an edit says by itself, before it meets the data: in which order it is done, what goes, what it may say of keys. */

import type { DataNode, Operation } from './data.ts';
import { ManagementError } from './errors.ts';

/**
 * What an edit has below a node, in the order in which it is done. A node of one case removes the other cases (RFC 7950 §7.9): whoever
 * says of one that it is to be deleted means what is there before.
 */
export function inTurn(edit: DataNode): Iterable<DataNode> {
  const children = edit.childMap.values();
  if (!edit.schema.children.some(({ dump }) => dump.choices)) return children;
  const [all, isFirst] = [
    [...children],
    (child: DataNode) => child.schema.dump.choices !== undefined && isRemoval(child),
  ];
  return [...all.filter(isFirst), ...all.filter((child) => !isFirst(child))];
}

/** Whether an edit says of the node itself that it is to go. */
export function isRemoval({ operation }: DataNode): boolean {
  return operation === 'delete' || operation === 'remove';
}

/**
 * A key says which entry is meant, and stays what it is as long as the entry is there: an operation on it is what happens to the
 * entry, or says nothing. @throws ManagementError bad-attribute for another, which would be ignored
 */
export function requireKeys(parent: DataNode, edit: DataNode, operation: Operation): void {
  for (const name of edit.schema.keys) {
    const key = edit.child(name);
    const asked = key?.operation;
    if (asked === undefined || asked === operation || asked === 'merge' || asked === 'replace') continue;
    const path = `${parent.path}/${edit.schema.qualifiedName}${edit.predicates()}/${key?.schema.qualifiedName}`;
    throw new ManagementError('bad-attribute', {
      path,
      message: `operation '${asked}' of ${path}: a key is created and deleted with its entry, which is to be ${DONE[operation]}`,
      info: { 'bad-attribute': 'operation', 'bad-element': name },
    });
  }
}

/** What is done to an entry, in words. */
const DONE: Readonly<Record<Operation, string>> = {
  merge: 'merged',
  replace: 'replaced',
  create: 'created',
  delete: 'deleted',
  remove: 'removed',
  move: 'moved',
  none: 'left as it is',
};
