/** The marks of a page as annotations (draft-ietf-netconf-list-pagination §4, RFC 7952 §5). */

import type { PageMarks } from '../state/data.ts';
import { escapeAttribute } from './xml.ts';

export const PAGINATION_MODULE = 'ietf-list-pagination';
export const PAGINATION_NAMESPACE = 'urn:ietf:params:xml:ns:yang:ietf-list-pagination';

const NAMES = ['remaining', 'next', 'previous', 'locale'] as const;

/** As XML attributes. */
export function markAttributes(marks: PageMarks): string {
  const found = NAMES.filter((name) => marks[name] !== undefined);
  if (found.length === 0) return '';
  const attributes = found.map((name) => ` lpg:${name}="${escapeAttribute(String(marks[name]))}"`);
  return ` xmlns:lpg="${PAGINATION_NAMESPACE}"${attributes.join('')}`;
}

/** As members of an object of annotations (RFC 7952 §5.2). */
export function markMembers(marks: PageMarks): string[] {
  const found = NAMES.filter((name) => marks[name] !== undefined);
  return found.map((name) => `"${PAGINATION_MODULE}:${name}":${JSON.stringify(marks[name])}`);
}
