/** Instance paths as they stand in XML, where every name has a prefix (RFC 7950 §9.13.2). */

import type { Schema } from '../state/schema.ts';
import { escapeAttribute } from './xml.ts';

/**
 * The path with the prefix of its module before every step, and the declarations of these prefixes as attributes, each behind a space (an
 * XPath expression has no default namespace). A module that is not known leaves its steps as they are.
 */
export function prefixedPath(path: string, schema: Schema): { readonly text: string; readonly declarations: string } {
  const declared = new Map<string, string>();
  let module = '';
  // Steps: names outside quotes, with an optional module in front; predicates name keys of the step's module.
  const text = path.replace(
    /('[^']*'|"[^"]*")|([/[])([A-Za-z_][\w.-]*:)?([A-Za-z_][\w.-]*)/g,
    (whole, quoted, mark, prefix, step) => {
      if (quoted !== undefined) return whole;
      if (prefix !== undefined) module = prefix.slice(0, -1);
      const known = schema.module(module);
      if (!known) return whole;
      declared.set(known.prefix, known.namespace);
      return `${mark}${known.prefix}:${step}`;
    },
  );
  const attributes = [...declared].map(([prefix, namespace]) => ` xmlns:${prefix}="${escapeAttribute(namespace)}"`);
  return { text, declarations: attributes.join('') };
}
