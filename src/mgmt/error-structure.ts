/** What a module defines for error-info, in the two encodings. */

import type { ErrorStructure } from '../state/errors.ts';
import type { Schema } from '../state/schema.ts';
import { escapeAttribute, escapeText } from './xml.ts';

export function structureXml({ module, name, leaves }: ErrorStructure, schema: Schema): string {
  const namespaceOf = (prefix: string) => escapeAttribute(schema.module(prefix)?.namespace ?? '');
  const inside = leaves.map(([leaf, value]) => {
    const prefix = leaf === 'reason' ? value.slice(0, value.indexOf(':')) : '';
    const declaration = prefix === '' ? '' : ` xmlns:${prefix}="${namespaceOf(prefix)}"`;
    return `<${leaf}${declaration}>${escapeText(value)}</${leaf}>`;
  });
  return `<${name} xmlns="${namespaceOf(module)}">${inside.join('')}</${name}>`;
}

/** As a member of error-info. */
export function structureJson({ module, name, leaves }: ErrorStructure): Readonly<Record<string, unknown>> {
  const value = leaves.map(([leaf, text]) => [leaf, /^\d+$/.test(text) ? Number(text) : text] as const);
  return { [`${module}:${name}`]: Object.fromEntries(value) };
}
