/** One edit of a YANG Patch (RFC 8072 §2.4, §2.5) as an edit tree on the datastore. */

import type { DataNode, Operation } from '../../state/data.ts';
import { ManagementError } from '../../state/errors.ts';
import type { RestconfOperations } from './backend.ts';
import { dataOf } from './body.ts';
import { badRequest } from './fault.ts';
import { requireOne } from './request.ts';
import { onlyChild, placeAt, requireTarget } from './resource-edit.ts';
import type { PathStep } from './resource-path.ts';
import { parseDataPath, printDataPath } from './resource-path.ts';
import { buildPath } from './target.ts';
import type { PatchOperation, YangPatchEdit } from './yang-patch-message.ts';

/** What is done to the target; an entry that is inserted is created at a place. */
const OPERATIONS: Readonly<Record<PatchOperation, Operation>> = {
  create: 'create',
  delete: 'delete',
  insert: 'create',
  merge: 'merge',
  move: 'move',
  replace: 'replace',
  remove: 'remove',
};
const WITHOUT_VALUE: readonly PatchOperation[] = ['delete', 'move', 'remove'];
const WITH_PLACE: readonly PatchOperation[] = ['insert', 'move'];

type Context = Pick<RestconfOperations, 'schema' | 'check'>;

/**
 * A root with the way down to the target, which has the operation. `base` leads to the resource that is patched.
 * @throws RestconfFault 400, 404 for a target or point that is none; ManagementError missing-element, bad-element for members that the
 *   operation needs or does not have, and all faults of the value
 */
export function patchTree(context: Context, base: readonly PathStep[], edit: YangPatchEdit): DataNode {
  const { operation } = edit;
  requireMembers(edit);
  const steps = resourceOf(context, base, edit.target, 'target');
  const last = steps[steps.length - 1];
  if (!last?.schema.config) throw badRequest(`target ${edit.target}: expected configuration`);
  requireOne(operation, steps);
  const parents = steps.slice(0, -1);
  const way = buildPath(context.schema, edit.value ? parents : steps);
  let target = way.last;
  if (edit.value) {
    const { schema, path } = way.last;
    target = onlyChild(dataOf(edit.value, context, { parent: schema, path }));
    requireTarget(target, steps);
    way.last.add(target);
  }
  target.operation = OPERATIONS[operation];
  if (WITH_PLACE.includes(operation)) {
    const point = edit.point === undefined ? undefined : resourceOf(context, base, edit.point, 'point');
    placeAt(target, edit.where ?? 'last', point, parents);
  }
  return way.root;
}

/** The `when` statements of ietf-yang-patch, and what they leave to prose. */
function requireMembers({ operation, where, point, value }: YangPatchEdit): void {
  const hasPlace = WITH_PLACE.includes(operation);
  const needsPoint = hasPlace && (where === 'before' || where === 'after');
  const needsValue = !WITHOUT_VALUE.includes(operation);
  const members = [
    ['value', value !== undefined, needsValue, needsValue],
    ['where', where !== undefined, false, hasPlace],
    ['point', point !== undefined, needsPoint, needsPoint],
  ] as const;
  for (const [name, isThere, isNeeded, isAllowed] of members) {
    if (isThere ? isAllowed : !isNeeded) continue;
    const at = where === undefined || name !== 'point' ? operation : `${operation} ${where}`;
    const message = isThere ? `${name} is not for ${at}` : `${at} needs ${name}`;
    throw new ManagementError(isThere ? 'bad-element' : 'missing-element', { message, info: { 'bad-element': name } });
  }
}

/** A single slash is the resource that is patched, if it is one. */
function resourceOf(
  { schema, check }: Context,
  base: readonly PathStep[],
  path: string,
  what: string,
): readonly PathStep[] {
  const patched = base[base.length - 1];
  if (path === '/' && patched) return base;
  if (!path.startsWith('/') || path === '/') {
    const example = patched ? 'or / for the resource that is patched' : 'of a data resource; the datastore is none';
    throw badRequest(`${what} '${path}': expected a path that begins with '/', ${example}`);
  }
  const { steps, action } = parseDataPath(path.slice(1).split('/'), schema, check, patched?.schema);
  if (action) throw badRequest(`${what} ${printDataPath(base)}${path}: an action is no data`);
  return [...base, ...steps];
}
