/**
 * What part of the data a client wants, as a value: from a subtree filter (RFC 6241 §6) or a RESTCONF path. The
 * reading applies it; nothing here looks at data.
 */

import { ManagementError } from '../state/errors.ts';
import type { ValueCheck } from '../state/request.ts';
import type { Schema, SchemaNode } from '../state/schema.ts';
import type { XmlElement } from './xml.ts';
import { XPathSelection } from './xpath/selection.ts';

/** One wanted kind of node below its parent. Several parts for one schema node add up. */
export interface SelectionPart {
  readonly schema: SchemaNode;
  /** The instance with all below it, when it matches. */
  readonly whole: boolean;
  /** Show the container even when it holds nothing (the target of a RESTCONF path). */
  readonly always: boolean;
  /** Leaves that must have these canonical values; they are shown as well. */
  readonly matches: readonly { readonly leaf: SchemaNode; readonly value: string }[];
  readonly children: readonly SelectionPart[];
}

export interface Selection {
  readonly parts: readonly SelectionPart[];
  /** Level of the target resource below the root: where a depth counts from. */
  readonly base: number;
}

/** What a client may ask with: parts of the schema tree, or an expression over the data. */
export type AnySelection = Selection | XPathSelection;

export interface SelectionStep {
  readonly schema: SchemaNode;
  /** Canonical key values, or the value of a leaf-list entry; empty for all entries. */
  readonly keys: readonly string[];
}

/** A subtree filter: an empty one selects nothing, a node that is not in the schema matches nothing. */
export function subtreeSelection(schema: Schema, check: ValueCheck, filter: XmlElement): Selection {
  return { parts: filter.children.flatMap((child) => partsOf(child, schema.root, check)), base: 0 };
}

/** A subtree filter over notifications (RFC 5277 §3.6): its top elements are their names. */
export function eventParts(schema: Schema, check: ValueCheck, filter: XmlElement): readonly SelectionPart[] {
  return filter.children.flatMap((child) =>
    named(child, schema.root)
      .filter(({ kind }) => kind === 'notification')
      .flatMap((event) => partOf(child, event, check) ?? []),
  );
}

function partsOf(element: XmlElement, parent: SchemaNode, check: ValueCheck): SelectionPart[] {
  return named(element, parent)
    .filter(({ kind }) => kind !== 'rpc' && kind !== 'notification' && kind !== 'action')
    .flatMap((schema) => partOf(element, schema, check) ?? []);
}

function named({ name, namespace }: XmlElement, parent: SchemaNode): SchemaNode[] {
  return parent.children.filter((child) => child.name === name && (namespace === '' || namespace === child.namespace));
}

function partOf(element: XmlElement, schema: SchemaNode, check: ValueCheck): SelectionPart | undefined {
  // No data here has attributes: one that is asked for matches nothing (RFC 6241 §6.2.2).
  if (element.attributes.length > 0) return undefined;
  const plain = { schema, always: false, matches: [], children: [] };
  if (schema.isLeaf || element.children.length === 0) {
    const text = element.text.trim();
    if (text === '') return { ...plain, whole: true };
    const value = schema.isLeaf ? canonical(schema, element, check) : undefined;
    return value === undefined ? undefined : { ...plain, whole: true, matches: [{ leaf: schema, value }] };
  }
  const matches: { leaf: SchemaNode; value: string }[] = [];
  const children: SelectionPart[] = [];
  let onlyMatches = true;
  for (const child of element.children) {
    const isMatch = child.children.length === 0 && child.text.trim() !== '';
    onlyMatches &&= isMatch;
    const parts = partsOf(child, schema, check);
    if (!isMatch) children.push(...parts);
    else {
      const match = parts[0]?.matches[0];
      // A value that can never be: the sibling set is never true (§6.2.5).
      if (!match) return undefined;
      matches.push(match);
    }
  }
  return { schema, always: false, whole: onlyMatches, matches, children };
}

function canonical(schema: SchemaNode, element: XmlElement, check: ValueCheck): string | undefined {
  const checked = check(schema, element.text.trim(), element.prefixes);
  return 'value' in checked ? checked.value : undefined;
}

/**
 * One path and, below its target, either everything or the given parts (RESTCONF `fields`). A container without presence is there
 * wherever it could be, in others of its kind, too (RFC 7950 §7.5.1).
 */
export function pathSelection(steps: readonly SelectionStep[], below?: readonly SelectionPart[]): Selection {
  let parts: readonly SelectionPart[] | undefined = below;
  let always = true;
  for (const [index, { schema, keys }] of [...steps.entries()].reverse()) {
    const isTarget = index === steps.length - 1;
    const matches =
      schema.kind === 'leaf-list' ? keys.map((value) => ({ leaf: schema, value })) : keyMatches(schema, keys);
    always &&= schema.kind === 'container' && !schema.presence;
    parts = [{ schema, always, whole: isTarget && parts === undefined, matches, children: parts ?? [] }];
  }
  return { parts: parts ?? [], base: steps.length };
}

function keyMatches(schema: SchemaNode, keys: readonly string[]): { leaf: SchemaNode; value: string }[] {
  if (keys.length === 0) return [];
  return schema.keys.map((name, index) => {
    const leaf = schema.child(name);
    const value = keys[index];
    if (leaf && value !== undefined) return { leaf, value };
    const message = `list ${schema.path} has the keys ${schema.keys.join(', ')}; ${keys.length} values came`;
    throw new ManagementError('invalid-value', { message });
  });
}

/** The values of all keys of a list when a part fixes them all. */
export function fixedKeys(part: SelectionPart): string[] | undefined {
  const values = part.schema.keys.map((key) => part.matches.find(({ leaf }) => leaf.name === key)?.value);
  return values.every((value) => value !== undefined) && values.length > 0 ? values : undefined;
}

/** The keys of all entries of a list (of one key) that could be wanted, when the selection says so; undefined when it may be any. */
export function askedKeys(selection: AnySelection | undefined, list: SchemaNode): string[] | undefined {
  if (!selection || selection instanceof XPathSelection) return undefined;
  const chain = chainOf(list);
  let parts = selection.parts;
  for (const node of chain) {
    const here = parts.filter((part) => part.schema === node);
    if (node === list) {
      const keys = here.map((part) => fixedKeys(part)?.[0]);
      return keys.every((key) => key !== undefined) ? keys : undefined;
    }
    if (here.some(({ whole }) => whole)) return undefined;
    parts = here.flatMap(({ children }) => children);
  }
  return undefined;
}

/** The way down to a schema node, itself included. */
function chainOf(schema: SchemaNode): SchemaNode[] {
  const chain: SchemaNode[] = [];
  for (let node: SchemaNode | undefined = schema; node && !node.isRoot; node = node.parent) chain.unshift(node);
  return chain;
}

/** Whether anything at or below the schema node could be wanted. */
export function isWanted(selection: AnySelection | undefined, schema: SchemaNode): boolean {
  if (!selection) return true;
  const chain = chainOf(schema);
  if (selection instanceof XPathSelection) return selection.wants(chain[0] ?? schema);
  let parts = selection.parts;
  for (const node of chain) {
    const here = parts.filter((part) => part.schema === node);
    if (here.length === 0) return false;
    if (here.some((part) => part.whole)) return true;
    parts = here.flatMap((part) => part.children);
  }
  return true;
}

/** The parts below instances that several parts match: undefined (all) when one of them wants the whole. */
export function innerParts(here: readonly SelectionPart[]): readonly SelectionPart[] | undefined {
  if (here.some(({ whole }) => whole)) return undefined;
  return here.flatMap(({ schema, children, matches: wanted }) => [
    ...children,
    ...wanted
      .filter(({ leaf }) => leaf !== schema)
      .map(({ leaf, value }) => ({
        schema: leaf,
        whole: true,
        always: false,
        matches: leaf.kind === 'leaf-list' ? [{ leaf, value }] : [],
        children: [],
      })),
  ]);
}
