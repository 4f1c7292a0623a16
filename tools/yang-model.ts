/**
 * Reads yang/gi-4over6.yang with yang-js, for generators: the data nodes that exist with the features that work, and what
 * a leaf is in TypeScript. Statements that change the tree and are not understood here are an error, never passed over.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { YangStatement } from 'yang-js';
import Yang from 'yang-js';
import { WORKING_FEATURES } from '../src/mgmt/yang-modules.ts';

export interface LeafType {
  /** TypeScript type. */
  readonly type: string;
  /** Expression that reads it from a JSON value. */
  readonly read: string;
  /** Names of an enumeration. */
  readonly names?: readonly string[];
  /** Name after typedefs are resolved: ipv6-address-no-zone, string, enumeration ... */
  readonly base: string;
  /** Characters of a string. */
  readonly length?: readonly [min: number, max: number];
}

const DATA_NODES = ['container', 'list', 'leaf', 'leaf-list'];
/** Statements that change which nodes there are. */
const NOT_UNDERSTOOD = ['augment', 'refine', 'deviation', 'anydata', 'anyxml', 'when', 'must'];

const model = Yang.parse(readFileSync(join('yang', 'gi-4over6.yang'), 'utf8'), { compile: false });

export function substatements(statement: YangStatement, kind: string): YangStatement[] {
  return (statement.children ?? []).filter((child) => child.kind === kind);
}

/** The argument of a substatement as text; undefined when there is none. */
export function argument(statement: YangStatement, kind: string): string | undefined {
  const tag = substatements(statement, kind)[0]?.tag;
  return tag === undefined ? undefined : String(tag);
}

/** A top-level statement of the module. */
export function definition(kind: string, name: string): YangStatement {
  const found = substatements(model, kind).find(({ tag }) => tag === name);
  if (!found) throw new Error(`gi-4over6 defines no ${kind} ${name}`);
  return found;
}

/** What stands in a choice: there is no telling that it is there. */
const CHOSEN = new WeakSet<YangStatement>();

/** The data nodes below a statement: uses and choices opened, those behind a feature that does not work left out. */
export function dataNodes(statement: YangStatement): YangStatement[] {
  const nodes: YangStatement[] = [];
  for (const child of statement.children ?? []) {
    if (NOT_UNDERSTOOD.includes(child.kind)) throw new Error(`${statement.tag}: ${child.kind} is not understood`);
    if (!substatements(child, 'if-feature').every(({ tag }) => isOn(String(tag)))) continue;
    if (DATA_NODES.includes(child.kind)) nodes.push(child);
    else if (child.kind === 'choice' || child.kind === 'case') {
      const chosen = dataNodes(child);
      for (const node of chosen) CHOSEN.add(node);
      nodes.push(...chosen);
    } else if (child.kind === 'uses') nodes.push(...dataNodes(child), ...dataNodes(definition('grouping', child.tag)));
  }
  return nodes;
}

/** An if-feature expression of the model: names, at most joined by "or". */
function isOn(expression: string): boolean {
  return expression.split(' or ').some((name) => WORKING_FEATURES.includes(name));
}

/** Whether a leaf from `dataNodes` is in each entry that holds to the model. */
export function isMandatory(leaf: YangStatement): boolean {
  return argument(leaf, 'mandatory') === 'true' && !CHOSEN.has(leaf);
}

export function isConfiguration(node: YangStatement): boolean {
  return argument(node, 'config') !== 'false';
}

/** The description as one line, with the units. */
export function sentence(statement: YangStatement): string {
  const text = (argument(statement, 'description') ?? statement.tag).replace(/\s+/g, ' ');
  const units = argument(statement, 'units');
  return units === undefined ? text : `${text} In ${units}.`;
}

const BASES: Readonly<Record<string, readonly [type: string, read: string]>> = {
  string: ['string', 'String'],
  uri: ['string', 'String'],
  'crypt-hash': ['string', 'String'],
  'hex-string': ['string', 'String'],
  boolean: ['boolean', 'Boolean'],
  uint8: ['number', 'Number'],
  uint16: ['number', 'Number'],
  uint32: ['number', 'Number'],
  uint64: ['bigint', 'BigInt'],
  dscp: ['number', 'Number'],
  'ipv4-address-no-zone': ['number', 'ipv4Value'],
  'ipv4-prefix': ['Ipv4Prefix', 'ipv4PrefixValue'],
  'ipv6-address-no-zone': ['Uint8Array', 'ipv6Value'],
};

/** What a leaf or leaf-list holds; its typedefs are followed within the module. */
export function leafType(leaf: YangStatement): LeafType {
  let type = substatements(leaf, 'type')[0];
  while (type && substatements(model, 'typedef').some(({ tag }) => tag === type?.tag)) {
    type = substatements(definition('typedef', type.tag), 'type')[0];
  }
  if (!type) throw new Error(`leaf ${leaf.tag} has no type`);
  const base = type.tag.slice(type.tag.indexOf(':') + 1);
  if (base === 'enumeration') {
    const names = substatements(type, 'enum').map(({ tag }) => tag);
    const union = names.map((name) => `'${name}'`).join(' | ');
    return { base, names, type: union, read: `(value) => String(value) as ${union}` };
  }
  const known = BASES[base];
  if (!known) throw new Error(`leaf ${leaf.tag}: type ${base} is not known to the generator`);
  const length = argument(type, 'length');
  if (length === undefined) return { base, type: known[0], read: known[1] };
  const [min = 0, max = min] = length.split('..').map(Number);
  return { base, type: known[0], read: known[1], length: [min, max] };
}

/** `a-name` as `aName`. */
export function camelCase(name: string): string {
  return name.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** `a-name` as `AName`. */
export function pascalCase(name: string): string {
  return camelCase(`-${name}`);
}
