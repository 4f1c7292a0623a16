/** How a YANG Patch went, as the message yang-patch-status (RFC 8072 §2.3). */

import type { ManagementError } from '../../state/errors.ts';
import type { Schema } from '../../state/schema.ts';
import { escapeText } from '../xml.ts';
import type { Encoding } from './media.ts';
import { jsonFaults, xmlFaults } from './reply.ts';
import { YANG_PATCH_MODULE, YANG_PATCH_NAMESPACE } from './yang-patch-message.ts';

/** One edit that was looked at; without an error it went well, which does not mean that the patch did. */
export interface EditStatus {
  readonly id: string;
  readonly error?: ManagementError;
}

export interface PatchStatus {
  readonly patchId: string;
  /** Of the patch as a whole. */
  readonly error?: ManagementError;
  /** Empty when it went well. */
  readonly edits: readonly EditStatus[];
}

export function patchStatusText(encoding: Encoding, status: PatchStatus, schema: Schema): string {
  return encoding === 'json' ? jsonStatus(status) : xmlStatus(status, schema);
}

function jsonStatus({ patchId, error, edits }: PatchStatus): string {
  const outcome = (fault: ManagementError | undefined) =>
    fault ? { errors: { error: jsonFaults(fault) } } : { ok: [null] };
  const edit = edits.map((one) => ({ 'edit-id': one.id, ...outcome(one.error) }));
  const whole = edits.length === 0 || error ? outcome(error) : {};
  const editStatus = edits.length === 0 ? {} : { 'edit-status': { edit } };
  return JSON.stringify({
    [`${YANG_PATCH_MODULE}:yang-patch-status`]: { 'patch-id': patchId, ...whole, ...editStatus },
  });
}

function xmlStatus({ patchId, error, edits }: PatchStatus, schema: Schema): string {
  const outcome = (fault: ManagementError | undefined) =>
    fault ? `<errors>${xmlFaults(fault, schema)}</errors>` : '<ok/>';
  const edit = edits.map((one) => `<edit><edit-id>${escapeText(one.id)}</edit-id>${outcome(one.error)}</edit>`);
  const whole = edits.length === 0 || error ? outcome(error) : '';
  const editStatus = edits.length === 0 ? '' : `<edit-status>${edit.join('')}</edit-status>`;
  const id = `<patch-id>${escapeText(patchId)}</patch-id>`;
  return `<yang-patch-status xmlns="${YANG_PATCH_NAMESPACE}">${id}${whole}${editStatus}</yang-patch-status>`;
}
