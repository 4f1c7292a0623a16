/** A refused request whose HTTP status does not follow from its error-tag alone (RFC 8040 §7 gives some tags several). */

import type { ErrorDetail, ErrorTag } from '../../state/errors.ts';
import { ManagementError } from '../../state/errors.ts';

export class RestconfFault extends ManagementError {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, tag: ErrorTag, detail: ErrorDetail, headers: Readonly<Record<string, string>> = {}) {
    super(tag, { type: 'protocol', ...detail });
    this.name = 'RestconfFault';
    this.status = status;
    this.headers = headers;
  }
}

/** 404: no such resource, or one the caller may not see (RFC 8341 §3.2.4). */
export function notFound(message: string, path?: string): RestconfFault {
  return new RestconfFault(404, 'invalid-value', { message, ...(path === undefined ? {} : { path }) });
}

/** 400 invalid-value about the request line. */
export function badRequest(message: string): RestconfFault {
  return new RestconfFault(400, 'invalid-value', { message });
}
