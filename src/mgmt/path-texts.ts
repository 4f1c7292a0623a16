/**
 * Texts that libyang reads as paths or XPath expressions. It counts their octets in 16 bits, and of one with more it never comes back
 * (seen with 2.1.30): such a text must not reach it.
 */

import type { SchemaNode } from '../state/schema.ts';
import type { XmlElement } from './xml.ts';

/** Somewhat less than it can count. */
export const LONGEST_PATH_OCTETS = 60_000;

const PATH_TYPEDEFS: ReadonlySet<string | undefined> = new Set(['xpath1.0', 'node-instance-identifier']);

/**
 * An instance path as RFC 7951 §6.11 has it in JSON, where a module's name stands only where it changes. Most write it at each name, as
 * XML needs it, which says the same and which libyang refuses. Other texts are given back as they are.
 */
export function plainPath({ type, dump }: SchemaNode, text: string): string {
  if (type !== 'instance-identifier' && dump.typedef !== 'node-instance-identifier') return text;
  let module = '';
  return text.replace(
    /'[^']*'|"[^"]*"|([/[]\s*)([A-Za-z_][\w.-]*):(?=[A-Za-z_])/g,
    (found, separator?: string, name?: string) => {
      if (separator === undefined || name === undefined) return found;
      if (name === module) return separator;
      if (separator.startsWith('/')) module = name;
      return found;
    },
  );
}

/** Whether a value would be read as a path, or tried to be, and is too long for that. */
export function isTooLongPath({ type, dump }: SchemaNode, text: string): boolean {
  if (text.length <= LONGEST_PATH_OCTETS / 3) return false;
  const isPath = type === 'instance-identifier' || type === 'union' || PATH_TYPEDEFS.has(dump.typedef);
  return isPath && Buffer.byteLength(text) > LONGEST_PATH_OCTETS;
}

/** The first element at or below `element`, an instance of `schema`, that holds such a text. */
export function tooLongPathIn(schema: SchemaNode, element: XmlElement): XmlElement | undefined {
  if (schema.isLeaf) return isTooLongPath(schema, element.text) ? element : undefined;
  for (const child of element.children) {
    const node = schema.child('input')?.child(child.name) ?? schema.child(child.name);
    const found = node && tooLongPathIn(node, child);
    if (found) return found;
  }
  return undefined;
}
