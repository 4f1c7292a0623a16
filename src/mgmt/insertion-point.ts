/** Where an entry is inserted (RFC 7950 §7.7.9, §7.8.6): the attributes `key` and `value` beside insert before and after. */

import type { ValueCheck } from '../state/request.ts';
import type { SchemaNode } from '../state/schema.ts';
import { parsePredicates } from './path.ts';

/** Canonical values of the entry that is meant, its keys in the order of the schema, or what is wrong. */
export type InsertionPoint =
  | { readonly values: readonly string[] }
  | { readonly values: undefined; readonly message: string };

/** The attribute that says beside which entry. */
export function pointAttribute({ kind }: SchemaNode): 'key' | 'value' {
  return kind === 'list' ? 'key' : 'value';
}

/**
 * The entry that `text` names: the value of a leaf-list, or a predicate for each key of a list, in any order and with white space
 * between (RFC 7950 §9.13). A prefix is one in scope and must be that of the list's module; without one a key is taken for the
 * list's, as many clients mean it.
 */
export function insertionPoint(
  schema: SchemaNode,
  check: ValueCheck,
  text: string,
  prefixes: Readonly<Record<string, string>>,
): InsertionPoint {
  if (schema.kind !== 'list') return ofValue(schema, check, text, prefixes);
  const predicates = parsePredicates(text);
  if (!predicates) return wrong("expected predicates such as [name='a']");
  const given = new Map<string, string>();
  for (const { prefix, name, value } of predicates) {
    const namespace = prefix === undefined ? schema.namespace : prefixes[prefix];
    if (namespace === undefined) return wrong(`the prefix ${prefix} is not declared`);
    const key = namespace === schema.namespace && schema.keys.includes(name) ? schema.child(name) : undefined;
    if (!key) return wrong(`${prefix === undefined ? '' : `${prefix}:`}${name} is no key of ${schema.name}`);
    if (given.has(name)) return wrong(`the key ${name} stands there twice`);
    const found = ofValue(key, check, value, prefixes);
    if (!found.values) return found;
    given.set(name, found.values[0] ?? '');
  }
  const missing = schema.keys.find((name) => !given.has(name));
  if (missing !== undefined) return wrong(`the key ${missing} is missing`);
  return { values: schema.keys.map((name) => given.get(name) ?? '') };
}

function ofValue(
  schema: SchemaNode,
  check: ValueCheck,
  text: string,
  prefixes: Readonly<Record<string, string>>,
): InsertionPoint {
  const checked = check(schema, text, prefixes);
  return 'value' in checked ? { values: [checked.value] } : wrong(checked.message);
}

function wrong(message: string): InsertionPoint {
  return { values: undefined, message };
}
