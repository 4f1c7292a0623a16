/**
 * YANG Patch (RFC 8072): PATCH with an ordered list of edits, in one transaction.
 *
 *   1. the message is read as it came                           yang-patch-message.ts
 *   2. the resource that is patched must be there, preconditions must hold
 *   3. each edit becomes a tree                                 yang-patch-edit.ts
 *   4. running takes the trees one after the other, or none
 *
 * What fails before an edit is looked at is answered with an errors body, everything later with a yang-patch-status (§2.7).
 */

import type { DataNode } from '../../state/data.ts';
import { ManagementError } from '../../state/errors.ts';
import type { Caller } from '../../state/request.ts';
import { Slice } from '../../state/row-changes.ts';
import type { RestconfOperations } from './backend.ts';
import type { LongBody } from './body.ts';
import { rawBody } from './body.ts';
import { requireConditions } from './conditions.ts';
import { editTarget, hasTag, tagHeaders } from './datastore-resource.ts';
import { notFound } from './fault.ts';
import type { Reply } from './reply.ts';
import { dataReply, statusOf } from './reply.ts';
import type { RestconfRequest } from './request.ts';
import { commentFault, datastoreOf } from './request.ts';
import { lookAt } from './resource-edit.ts';
import type { PathStep } from './resource-path.ts';
import { printDataPath } from './resource-path.ts';
import { patchTree } from './yang-patch-edit.ts';
import type { YangPatch } from './yang-patch-message.ts';
import { readYangPatch, YANG_PATCH_MODULE, YANG_PATCH_NAMESPACE } from './yang-patch-message.ts';
import type { EditStatus, PatchStatus } from './yang-patch-status.ts';
import { patchStatusText } from './yang-patch-status.ts';

const WRAPPER = { name: 'yang-patch', module: YANG_PATCH_MODULE, namespace: YANG_PATCH_NAMESPACE };
const MAX_FAULTS = 20;

/**
 * 200 with the new entity-tag, or the status of the first error; that of a lock (409) is an error of the patch.
 * @throws ManagementError for a message that is none, a resource that is not there (404), a precondition (412)
 */
export async function yangPatch(
  operations: RestconfOperations,
  caller: Caller,
  request: RestconfRequest,
  body: Uint8Array | LongBody,
): Promise<Reply> {
  const patch = readYangPatch(rawBody(body, request.bodyEncoding, WRAPPER));
  const base = request.resource.kind === 'data' ? request.resource.steps : [];
  // Conditions are for when its turn has come.
  await requireResource(operations, caller, request, base);
  const { trees, faults } = await treesOf(operations, base, patch);
  if (faults.length > 0) return statusReply(operations, request, { patchId: patch.patchId, edits: faults });
  let begun: number | undefined;
  function* inOrder(): Generator<DataNode> {
    for (const [index, tree] of trees.entries()) {
      begun = index;
      yield tree;
    }
    begun = trees.length;
  }
  // A condition is not met by the request: no edit has the error.
  const precondition = async () => {
    const require = await requireResource(operations, caller, request, base);
    return () => {
      const made = begun;
      begun = undefined;
      require();
      begun = made;
    };
  };
  const comment = request.comment ?? recordable(operations, patch.comment);
  const ds = datastoreOf(request.resource);
  const edit = {
    target: editTarget(ds),
    defaultOperation: 'none',
    comment,
    precondition,
  } as const;
  try {
    const edition = await operations.edit(caller, { ...edit, tree: inOrder() });
    const reply = statusReply(operations, request, { patchId: patch.patchId, edits: [] });
    return { ...reply, headers: { ...reply.headers, ...tagHeaders(ds, edition, request.replyEncoding) } };
  } catch (error) {
    if (!(error instanceof ManagementError) || begun === undefined) throw error;
    return statusReply(operations, request, failed(patch, begun, error));
  }
}

/** §2.1; what comes back throws when a condition fails. @throws RestconfFault 404 */
async function requireResource(
  operations: RestconfOperations,
  caller: Caller,
  { conditions, resource }: RestconfRequest,
  steps: readonly PathStep[],
): Promise<() => void> {
  const ds = datastoreOf(resource);
  const { exists, ...edition } = await lookAt(operations, caller, steps, editTarget(ds));
  if (!exists) throw notFound(`there is no ${printDataPath(steps)}`);
  return () => requireConditions(conditions, hasTag(ds) ? edition : undefined, exists);
}

/** The trees of all edits, and the edits that cannot be made wherever they stand; at most 20 of those. */
async function treesOf(
  operations: RestconfOperations,
  base: readonly PathStep[],
  { edits }: YangPatch,
): Promise<{ readonly trees: readonly DataNode[]; readonly faults: readonly EditStatus[] }> {
  const trees: DataNode[] = [];
  const faults: EditStatus[] = [];
  const slice = new Slice();
  for (const edit of edits) {
    try {
      trees.push(patchTree(operations, base, edit));
    } catch (error) {
      if (!(error instanceof ManagementError)) throw error;
      faults.push({ id: edit.id, error });
      if (faults.length === MAX_FAULTS) break;
    }
    await slice.end();
  }
  return { trees, faults };
}

/** The edit that was under way has the error, those before it went well; behind the last, the error is of the patch. */
function failed({ patchId, edits }: YangPatch, begun: number, error: ManagementError): PatchStatus {
  const under = edits[begun];
  if (!under) return { patchId, edits: [], error };
  return { patchId, edits: [...edits.slice(0, begun).map(({ id }) => ({ id })), { id: under.id, error }] };
}

/** The patch's own words go on record where they fit. */
function recordable({ schema, check }: RestconfOperations, comment: string | undefined): string | undefined {
  return comment === undefined || commentFault(comment, schema, check) !== undefined ? undefined : comment;
}

function statusReply({ schema }: RestconfOperations, { replyEncoding }: RestconfRequest, status: PatchStatus): Reply {
  const error = status.error ?? status.edits.find((edit) => edit.error)?.error;
  const reply = dataReply(replyEncoding, [patchStatusText(replyEncoding, status, schema)]);
  return { ...reply, status: error ? statusOf(error) : 200 };
}
