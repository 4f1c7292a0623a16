/**
 * libyang as the judge: type checks of single values, validation of whole small trees, and its faults in the tags of
 * RFC 7950 §15. The only place that knows how libyang names a fault.
 */

import type { ValidationFault, YangContext } from 'netconf-server';
import type { ErrorTag } from '../state/errors.ts';
import { ManagementError } from '../state/errors.ts';
import type { TreeValidation, ValueCheck } from '../state/request.ts';
import { writeXml } from './xml-data.ts';

/** [error-tag, error-app-tag when the model gives none] by libyang's code. */
const TAGS: Readonly<Record<string, readonly [tag: ErrorTag, appTag?: string]>> = {
  must: ['operation-failed', 'must-violation'],
  unique: ['operation-failed', 'data-not-unique'],
  'too-few': ['operation-failed', 'too-few-elements'],
  'too-many': ['operation-failed', 'too-many-elements'],
  leafref: ['data-missing', 'instance-required'],
  'mandatory-choice': ['data-missing', 'missing-choice'],
  mandatory: ['data-missing'],
  when: ['unknown-element'],
  unknown: ['unknown-element'],
  duplicate: ['bad-element'],
  value: ['invalid-value'],
};

/** The value check of a context. */
export function valueCheck(context: YangContext): ValueCheck {
  return (schema, text, prefixes) => context.checkValue(schema.id, text, prefixes);
}

/** Validation of a whole small tree by a context: mandatory, must, when, leafref, unique, min- and max-elements. */
export function treeValidation(context: YangContext): TreeValidation {
  return (tree) => context.validateConfig([...writeXml(tree.children())].join('')).map(toError);
}

function toError(fault: ValidationFault): ManagementError {
  const [tag, appTag] = TAGS[fault.code] ?? ['operation-failed'];
  return new ManagementError(tag, {
    message: fault.message,
    path: fault.path === '' ? undefined : fault.path,
    appTag: fault.appTag ?? appTag,
  });
}
