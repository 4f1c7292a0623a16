/** What the edit of a resource and the edits of a YANG Patch share: is it there, does the body hold it, where does it go. */

import type { DataNode, Insert } from '../../state/data.ts';
import { entryId } from '../../state/data.ts';
import { ManagementError } from '../../state/errors.ts';
import type { Caller, Edition, EditRequest } from '../../state/request.ts';
import { bindingToNode, openRow } from '../../state/rows.ts';
import { rowSchema } from '../row-node.ts';
import { pathSelection } from '../selection.ts';
import type { RestconfOperations } from './backend.ts';
import { badRequest } from './fault.ts';
import type { PathStep } from './resource-path.ts';
import { printDataPath } from './resource-path.ts';
import { findNode } from './target.ts';

/** Running as it is now, and whether the caller finds the resource in it, or in the candidate. */
export async function lookAt(
  operations: RestconfOperations,
  caller: Caller,
  steps: readonly PathStep[],
  datastore: EditRequest['target'] = 'running',
): Promise<Edition & { readonly exists: boolean }> {
  const selection = steps.length === 0 ? { parts: [], base: 0 } : pathSelection(steps);
  const reading = await operations.read(caller, { datastore, content: 'config', selection, depth: 1 });
  const exists = findNode(reading.root, steps) !== undefined;
  const { version, time } = reading;
  reading.close();
  return { version, time, exists };
}

/** The one resource that a body or a value holds. @throws ManagementError malformed-message for none or several */
export function onlyChild(top: DataNode): DataNode {
  const rows = top.bulk?.size ?? 0;
  const [child, ...more] = [...top.childMap.values(), ...(rows === 1 ? entriesOf(top) : [])];
  if (child && more.length === 0 && rows <= 1) return child;
  const message = `expected one resource in the body, ${top.size + rows} came`;
  throw new ManagementError('malformed-message', { type: 'rpc', message });
}

/** Entries that came as rows, as they stand in a short body. */
function entriesOf(table: DataNode): DataNode[] {
  const schema = rowSchema(table);
  return [...(table.bulk?.numbers() ?? [])].flatMap((number) => {
    const value = table.bulk?.get(number);
    if (!value) return [];
    const entry = bindingToNode(schema, openRow(number, value));
    // A row knows it, but no edit names it.
    entry.remove(entry.child('origin')?.id ?? '');
    return [entry];
  });
}

/** Whether the node is the one the steps lead to. @throws RestconfFault 400 for another resource, key or value */
export function requireTarget(child: DataNode, steps: readonly PathStep[]): void {
  const target = steps[steps.length - 1];
  if (!target || child.schema !== target.schema) {
    throw badRequest(`the body holds ${child.schema.qualifiedName}; the path names ${printDataPath(steps)}`);
  }
  if (child.schema.isList && child.id !== entryId(target.schema, target.keys)) {
    const values = child.schema.kind === 'list' ? child.keyValues() : [child.value];
    throw badRequest(`the body holds the entry ${values.join(', ')}, the path names ${target.keys.join(', ')}`);
  }
}

/**
 * Gives an entry its place; `point` leads to the entry beside it, `parents` to the node that holds both.
 * @throws RestconfFault 400 when the order is not the user's, or the point is no entry of the same list
 */
export function placeAt(
  child: DataNode,
  where: Insert['where'],
  point: readonly PathStep[] | undefined,
  parents: readonly PathStep[],
): void {
  if (!child.schema.dump.userOrdered) throw badRequest(`insert: ${child.schema.path} is not ordered by the user`);
  if (point === undefined) {
    child.insert = { where };
    return;
  }
  const sibling = point[point.length - 1];
  const isBeside = printDataPath(point.slice(0, -1)) === printDataPath(parents);
  if (!isBeside || sibling?.schema !== child.schema || sibling.keys.length === 0) {
    throw badRequest(
      `point ${printDataPath(point)}: expected an entry of ${child.schema.path} beside the one that goes there`,
    );
  }
  child.insert = { where, point: entryId(sibling.schema, sibling.keys) };
}
