/**
 * Texts that libyang reads as paths or XPath expressions. It counts their octets in 16 bits, and of one with more it never comes back
 * (seen with 2.1.30): such a text must not reach it.
 */

import type { SchemaNode } from '../state/schema.ts';
import type { XmlElement } from './xml.ts';

/** Somewhat less than it can count. */
export const LONGEST_PATH_OCTETS = 60_000;

const PATH_TYPEDEFS: ReadonlySet<string | undefined> = new Set(['xpath1.0', 'node-instance-identifier']);

const QUOTED_OR_NAME = /'[^']*'|"[^"]*"|([/[]\s*)([A-Za-z_][\w.-]*):(?=[A-Za-z_])/g;

function isInstancePath({ type, dump }: SchemaNode): boolean {
  return type === 'instance-identifier' || dump.typedef === 'node-instance-identifier';
}

/** The empty group stands where the other form has what comes before a name. */
const IDENTITY = /^\s*()([A-Za-z_][\w.-]*):(?=[A-Za-z_])/g;

/** The prefixes before names of an instance path, or before the name of an identity, that are not among `prefixes`. */
export function undeclaredIn(schema: SchemaNode, text: string, prefixes: Readonly<Record<string, string>>): string[] {
  if (schema.type !== 'identityref' && !isInstancePath(schema)) return [];
  const form = schema.type === 'identityref' ? IDENTITY : QUOTED_OR_NAME;
  const names = Array.from(text.matchAll(form), ([, , name]) => name ?? []).flat();
  return [...new Set(names)].filter((name) => !Object.hasOwn(prefixes, name));
}

/**
 * The prefixes in scope of an instance path or an identity in XML, and those of its own that are names of modules, as the device writes
 * them. Libraries of clients (lxml, which ncclient and Ansible have) leave out a declaration that only a text needs where the namespace has
 * another prefix, or is the default one: a rule about rules, read and sent again, comes so.
 */
export function withNamedModules(
  schema: SchemaNode,
  text: string,
  prefixes: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const undeclared = undeclaredIn(schema, text, prefixes);
  // Asked of every leaf.
  if (undeclared.length === 0) return prefixes;
  const found: Record<string, string> = { ...prefixes };
  for (const name of undeclared) {
    const namespace = schema.namespaces.get(name);
    if (namespace !== undefined) found[name] = namespace;
  }
  return found;
}

/**
 * An instance path as RFC 7951 §6.11 has it in JSON, where a module's name stands only where it changes. Most write it at each name, as
 * XML needs it, which says the same and which libyang refuses. Other texts are given back as they are.
 */
export function plainPath(schema: SchemaNode, text: string): string {
  if (!isInstancePath(schema)) return text;
  let module = '';
  return text.replace(QUOTED_OR_NAME, (found, separator?: string, name?: string) => {
    if (separator === undefined || name === undefined) return found;
    if (name === module) return separator;
    if (separator.startsWith('/')) module = name;
    return found;
  });
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
