/**
 * GET of one binding by its key, what programs ask most often: from the row itself, without a selection and a tree. Whatever
 * takes more than the row (a query, rules of access, statistics, an entry that is not there) goes the ordinary way, with the same answer.
 */

import { readIpv4Prefix } from '../../address.ts';
import type { Caller } from '../../state/request.ts';
import { RowNode } from '../row-node.ts';
import type { RestconfOperations } from './backend.ts';
import { editionHeaders, requireUnchanged } from './conditions.ts';
import type { Reply } from './reply.ts';
import { dataReply, entryText } from './reply.ts';
import type { RestconfRequest } from './request.ts';
import { datastoreOf } from './request.ts';
import type { PathStep } from './resource-path.ts';

/** The entry the steps lead to; undefined when it is to be read the ordinary way. @throws DamageError; RestconfFault 412 */
export function readRow(
  operations: RestconfOperations,
  caller: Caller,
  { resource, query, replyEncoding, conditions }: RestconfRequest,
  steps: readonly PathStep[],
): Reply | undefined {
  const last = steps[steps.length - 1];
  if (!last?.schema.rows || datastoreOf(resource) || !isPlain(query)) return undefined;
  // A key is canonical.
  const [key = ''] = last.keys;
  const number = readIpv4Prefix(key, 0, key.length);
  const aftr = steps.findLast((step) => step !== last && step.schema.kind === 'list')?.keys[0];
  if (number < 0 || aftr === undefined) return undefined;
  const row = operations.row(caller, aftr, number);
  if (!row) return undefined;
  requireUnchanged(conditions, row.edition, true, [replyEncoding]);
  const text = entryText(replyEncoding, new RowNode(last.schema, number, row.value, true));
  return dataReply(replyEncoding, text, editionHeaders(row.edition, replyEncoding));
}

/** With its state in the answer, no condition of the request makes it a shorter one. */
function isPlain({ content, depth, fields, withDefaults, page }: RestconfRequest['query']): boolean {
  const isWhole = content === 'all' && depth === undefined && fields === undefined && page === undefined;
  return isWhole && withDefaults === undefined;
}
