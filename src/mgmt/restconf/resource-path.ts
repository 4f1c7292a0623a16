/**
 * Data resource identifiers (RFC 8040 §3.5.3) from the raw path of a URL. Routers decode `%2F` and `%2C` too early, so
 * the order matters:
 *
 * 1. the raw path is cut at '/' into segments, a segment at its first '=' into name and keys, the keys at ','
 * 2. each piece is percent-decoded by itself
 * 3. names are looked up in the schema, key values brought to canonical form
 */

import type { DataNode } from '../../state/data.ts';
import type { ValueCheck } from '../../state/request.ts';
import type { Schema } from '../../state/schema.ts';
import { SchemaNode } from '../../state/schema.ts';
import type { SelectionStep } from '../selection.ts';
import { badRequest, notFound } from './fault.ts';
import { isYangText } from './yang-text.ts';

/** One resource on the way to the target; `keys` are canonical, `keyTypes` the base type of each (a union's member). */
export interface PathStep extends SelectionStep {
  readonly keyTypes: readonly string[];
}

export interface DataPath {
  readonly steps: readonly PathStep[];
  /** The action the path ends in; `steps` lead to its parent. */
  readonly action: SchemaNode | undefined;
}

/**
 * The segments behind `/restconf/data`, or behind the resource of `from`, as they stand in the URL.
 * @throws RestconfFault 400 for an empty segment, bad percent-encoding, a first name without module, keys where none
 *   belong, missing or extra or wrong keys, an rpc; 404 for a name that is not in the schema
 */
export function parseDataPath(
  segments: readonly string[],
  schema: Schema,
  check: ValueCheck,
  from: SchemaNode = schema.root,
): DataPath {
  const steps: PathStep[] = [];
  let parent = from;
  for (const [index, segment] of segments.entries()) {
    const found = parseSegment(segment, index === segments.length - 1, parent, schema, check);
    if (found instanceof SchemaNode) return { steps, action: found };
    steps.push(found);
    parent = found.schema;
  }
  return { steps, action: undefined };
}

/** The same of one text, with slashes between the segments. */
export function parseDataText(text: string, schema: Schema, check: ValueCheck): DataPath {
  const slash = text.lastIndexOf('/');
  const way = slash < 0 ? '' : text.slice(0, slash);
  if (slash < 0 || way !== lastWay.text || schema !== lastWay.schema || check !== lastWay.check) {
    const path = parseDataPath(text.split('/'), schema, check);
    if (slash >= 0 && !path.action) lastWay = { text: way, steps: path.steps.slice(0, -1), schema, check };
    return path;
  }
  const { steps } = lastWay;
  const parent = steps[steps.length - 1]?.schema ?? schema.root;
  const found = parseSegment(text.slice(slash + 1), true, parent, schema, check);
  return found instanceof SchemaNode ? { steps, action: found } : { steps: [...steps, found], action: undefined };
}

/** The way to the resource that was found last, without its end: requests in a row are mostly about entries of one list. */
let lastWay: {
  readonly text: string;
  readonly steps: readonly PathStep[];
  readonly schema?: Schema;
  readonly check?: ValueCheck;
} = { text: '', steps: [] };

/** One step further than `parent`, or an action of it. */
function parseSegment(
  segment: string,
  isLast: boolean,
  parent: SchemaNode,
  schema: Schema,
  check: ValueCheck,
): PathStep | SchemaNode {
  const equals = segment.indexOf('=');
  const name = decodeSegment(equals < 0 ? segment : segment.slice(0, equals));
  const node = findChild(name, parent, schema);
  if (node.kind === 'rpc') {
    throw badRequest(`${node.qualifiedName} is an operation: POST to {+restconf}/operations/${node.qualifiedName}`);
  }
  if (node.kind === 'action') {
    if (isLast && equals < 0) return node;
    throw badRequest(`nothing may follow the action ${node.name}`);
  }
  return stepOf(node, equals < 0 ? undefined : segment.slice(equals + 1), isLast, check);
}

/** The steps from the root to a data node. */
export function stepsTo(node: DataNode): PathStep[] {
  const steps: PathStep[] = [];
  for (let at: DataNode | undefined = node; at && !at.schema.isRoot; at = at.parent) {
    const { schema } = at;
    const keys = schema.kind === 'leaf-list' ? [at.value] : schema.kind === 'list' ? at.keyValues() : [];
    steps.unshift({ schema, keys, keyTypes: [] });
  }
  return steps;
}

/** The steps as the path of a URL: `/m:list=a,192.0.2.0%2F24/leaf`. */
export function printDataPath(steps: readonly PathStep[]): string {
  return steps
    .map(
      ({ schema, keys }) => `/${schema.qualifiedName}${keys.length === 0 ? '' : `=${keys.map(encodeKey).join(',')}`}`,
    )
    .join('');
}

/** `encodeURIComponent` leaves some reserved characters (RFC 3986 §2.2) as they are. */
function encodeKey(key: string): string {
  return encodeURIComponent(key).replace(/[!'()*]/g, (found) => `%${found.charCodeAt(0).toString(16).toUpperCase()}`);
}

function decodeSegment(text: string): string {
  if (text === '') throw badRequest('the path holds an empty segment: expected a name between two slashes');
  return decode(text);
}

/** @throws RestconfFault 400 for anything but percent-encoded UTF-8 of characters a YANG string may hold */
export function decode(text: string): string {
  let decoded = text;
  try {
    if (text.includes('%')) decoded = decodeURIComponent(text);
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
    throw badRequest(`'${text}' is not percent-encoded UTF-8 text (RFC 3986 §2.1)`);
  }
  if (isYangText(decoded)) return decoded;
  throw badRequest(`'${text}' holds a character that no YANG string has (RFC 7950 §9.4)`);
}

/** RFC 8040 §3.5.3: a module name is needed at the top and where the module changes. */
function findChild(name: string, parent: SchemaNode, schema: Schema): SchemaNode {
  const colon = name.indexOf(':');
  const module = colon < 0 ? parent.module : name.slice(0, colon);
  if (module === '') {
    const local = name.slice(colon + 1);
    throw badRequest(`'${name}' at the top of a path needs its module: expected module:${local}`);
  }
  const node = parent.child(name.slice(colon + 1), module);
  if (node && node.kind !== 'notification' && node.kind !== 'input' && node.kind !== 'output') return node;
  const where = parent.path || 'the top level';
  if (!schema.module(module)) throw notFound(`'${name}' in ${where}: there is no module ${module}`);
  throw notFound(`'${name}' is not in the schema of ${module} in ${where}`);
}

function stepOf(schema: SchemaNode, keyText: string | undefined, isLast: boolean, check: ValueCheck): PathStep {
  if (keyText === undefined) {
    if (schema.isList && !isLast) throw badRequest(`${schema.path} is a list: an entry is ${schema.name}=key`);
    return { schema, keys: [], keyTypes: [] };
  }
  if (!schema.isList || (schema.kind === 'list' && schema.keys.length === 0)) {
    throw badRequest(`${schema.path} has no keys, but '=${keyText}' came`);
  }
  const texts = keyText.split(',').map(decode);
  const leaves = schema.kind === 'leaf-list' ? [schema] : schema.keys.map((key) => schema.child(key));
  if (texts.length !== leaves.length) {
    const names = schema.kind === 'leaf-list' ? 'its value' : schema.keys.join(', ');
    throw badRequest(
      `${schema.path} is told by ${names}: expected ${leaves.length} values, ${texts.length} came (a comma in a value is %2C)`,
    );
  }
  const checked = leaves.map((leaf, index) => checkKey(leaf, texts[index] ?? '', check));
  return { schema, keys: checked.map(({ value }) => value), keyTypes: checked.map(({ type }) => type) };
}

interface CheckedKey {
  readonly value: string;
  readonly type: string;
}

function checkKey(leaf: SchemaNode | undefined, text: string, check: ValueCheck): CheckedKey {
  const result = leaf ? check(leaf, text) : { message: 'the schema has no such key' };
  if ('value' in result) return { value: result.value, type: result.type };
  throw badRequest(`key ${leaf?.name ?? ''} '${text}': ${result.message}`);
}
