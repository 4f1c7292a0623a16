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
import type { Schema, SchemaNode } from '../../state/schema.ts';
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
  const known = lastWay.isOf(segments, schema, check, from) ? lastWay.steps : [];
  const steps = [...known];
  let parent = known[known.length - 1]?.schema ?? from;
  for (let index = known.length; index < segments.length; index++) {
    const segment = segments[index] ?? '';
    const isLast = index === segments.length - 1;
    if (isLast && index > known.length) lastWay = new Way(segments.slice(0, -1), steps.slice(), schema, check, from);
    const equals = segment.indexOf('=');
    const name = decodeSegment(equals < 0 ? segment : segment.slice(0, equals));
    const node = findChild(name, parent, schema);
    if (node.kind === 'rpc') {
      throw badRequest(`${node.qualifiedName} is an operation: POST to {+restconf}/operations/${node.qualifiedName}`);
    }
    if (node.kind === 'action') {
      if (isLast && equals < 0) return { steps, action: node };
      throw badRequest(`nothing may follow the action ${node.name}`);
    }
    steps.push(stepOf(node, equals < 0 ? undefined : segment.slice(equals + 1), isLast, check));
    parent = node;
  }
  return { steps, action: undefined };
}

/** Steps of a path without its end. */
class Way {
  readonly steps: readonly PathStep[];
  readonly #segments: readonly string[];
  readonly #schema: Schema | undefined;
  readonly #check: ValueCheck | undefined;
  readonly #from: SchemaNode | undefined;

  constructor(
    segments: readonly string[],
    steps: readonly PathStep[],
    schema?: Schema,
    check?: ValueCheck,
    from?: SchemaNode,
  ) {
    this.steps = steps;
    this.#segments = segments;
    this.#schema = schema;
    this.#check = check;
    this.#from = from;
  }

  /** Whether a path leads this way, and on by one segment. */
  isOf(segments: readonly string[], schema: Schema, check: ValueCheck, from: SchemaNode): boolean {
    const length = this.#segments.length;
    if (segments.length !== length + 1 || this.#schema !== schema) return false;
    if (this.#check !== check || this.#from !== from) return false;
    for (let index = 0; index < length; index++) if (segments[index] !== this.#segments[index]) return false;
    return true;
  }
}

/** That of the last path: requests in a row are mostly about entries of one list. */
let lastWay = new Way([], []);

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
  try {
    const decoded = text.includes('%') ? decodeURIComponent(text) : text;
    if (isYangText(decoded)) return decoded;
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
  }
  throw badRequest(`'${text}' is not percent-encoded UTF-8 text (RFC 3986 §2.1)`);
}

/** RFC 8040 §3.5.3: a module name is needed at the top and where the module changes. */
function findChild(name: string, parent: SchemaNode, schema: Schema): SchemaNode {
  const colon = name.indexOf(':');
  const module = colon < 0 ? parent.module : name.slice(0, colon);
  if (module === '') throw badRequest(`'${name}' at the top of a path needs its module: expected module:${name}`);
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
