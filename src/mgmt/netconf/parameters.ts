/** What libyang finds wrong with the parameters of an operation, as the errors of RFC 6241 appendix A. */

import type { ValidationFault } from 'netconf-server';
import type { ErrorTag } from '../../state/errors.ts';
import { ManagementError } from '../../state/errors.ts';
import type { Schema } from '../../state/schema.ts';
import { LONGEST_PATH_OCTETS, tooLongPathIn } from '../path-texts.ts';
import type { Envelope } from './envelope.ts';

/** By libyang's code; a reference into data that is not looked at here is no fault. */
const TAGS: Readonly<Record<string, ErrorTag>> = {
  unknown: 'unknown-element',
  mandatory: 'missing-element',
  'mandatory-choice': 'missing-element',
  value: 'invalid-value',
  duplicate: 'bad-element',
  when: 'unknown-element',
};
/** What the description of a parameter says instead for one that does not belong there (RFC 8526 §4). */
const WHEN_TAGS: Readonly<Record<string, ErrorTag>> = { 'with-origin': 'invalid-value' };

/** Expressions that the handlers read themselves do not reach libyang. */
const OWN_EXPRESSIONS: readonly string[] = ['xpath-filter', 'stream-xpath-filter', 'datastore-xpath-filter'];

/** @throws ManagementError invalid-value for a parameter that libyang must not see */
export function refuseLongPaths({ operation, module }: Envelope, schema: Schema): void {
  const node = module === '' ? schema.root : schema.root.child(operation.name, module);
  const element = node && tooLongPathIn(node, operation);
  if (!element || OWN_EXPRESSIONS.includes(element.name)) return;
  const message = `${operation.name}: ${element.name} has more than ${LONGEST_PATH_OCTETS} octets`;
  throw new ManagementError('invalid-value', { type: 'protocol', message, info: { 'bad-element': element.name } });
}

/** @throws ManagementError with every fault */
export function refuseFaults({ operation, module }: Envelope, faults: readonly ValidationFault[]): void {
  const errors = faults
    .filter(({ code }) => code !== 'leafref')
    .map(({ code, message, path, appTag }) => {
      const last = path.slice(path.lastIndexOf('/') + 1).replace(/^[^:]*:|\[\d+\]$/g, '');
      const inside = /inside an inner node "([^"]+)"/.exec(message)?.[1];
      const own = code === 'when' ? WHEN_TAGS[last] : tagOf(message);
      return new ManagementError(own ?? TAGS[code] ?? (inside === undefined ? 'operation-failed' : 'bad-element'), {
        type: module === '' ? 'application' : 'protocol',
        message: `${operation.name}: ${message}`,
        appTag,
        path,
        info:
          code === 'mandatory-choice'
            ? { 'missing-choice': namedIn(message) ?? '' }
            : { 'bad-element': namedIn(message) ?? inside ?? (last || operation.name) },
      });
    });
  const [first, ...others] = errors;
  if (first) throw new ManagementError(first.tag, first, others);
}

/** libyang names a node that is missing or unknown in its message only. */
function namedIn(message: string): string | undefined {
  return /(?:Mandatory (?:node|choice)|^Node|missing its key|^Child element) "([^"]+)"/.exec(message)?.[1];
}

/** Where libyang's code says less than its message. */
function tagOf(message: string): ErrorTag | undefined {
  if (/^Child element "[^"]+" inside a terminal node/.test(message)) return 'unknown-element';
  return /^Unexpected action element/.test(message) ? 'bad-element' : undefined;
}
