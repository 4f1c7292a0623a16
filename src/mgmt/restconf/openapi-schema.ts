/** JSON Schema (2020-12, the dialect of OpenAPI 3.1) of data in the encoding of RFC 7951, from the schema tree. */

import type { SchemaNode } from '../../state/schema.ts';

export type Json = Readonly<Record<string, unknown>>;

/** Types that are numbers in JSON (RFC 7951 §6.1); those of 64 bits are texts. */
const NUMBERS: Readonly<Record<string, readonly [minimum: number, maximum: number]>> = {
  int8: [-128, 127],
  int16: [-32_768, 32_767],
  int32: [-2_147_483_648, 2_147_483_647],
  uint8: [0, 255],
  uint16: [0, 65_535],
  uint32: [0, 4_294_967_295],
};
const DIGITS: Readonly<Record<string, string>> = {
  int64: '^-?[0-9]+$',
  uint64: '^[0-9]+$',
  decimal64: '^-?[0-9]+\\.[0-9]+$',
};
/** Metadata members (RFC 7952 §5.2). */
const ANNOTATIONS = { '^@': true } as const;

export function isData({ kind }: SchemaNode): boolean {
  return !['rpc', 'action', 'notification', 'input', 'output'].includes(kind);
}

/** The name of a node's schema among the components. */
export function componentName(node: SchemaNode): string {
  return node.path.slice(1).replaceAll(/[^A-Za-z0-9._-]/g, '_');
}

function reference(node: SchemaNode): Json {
  return { $ref: `#/components/schemas/${componentName(node)}` };
}

/** What stands under a node's name: of a list or leaf-list the whole array. */
export function valueSchema(node: SchemaNode): Json {
  if (node.kind === 'list') return { type: 'array', items: reference(node) };
  if (node.kind === 'leaf-list') return { type: 'array', items: scalarSchema(node) };
  if (node.kind === 'leaf') return scalarSchema(node);
  // Anydata is an object; text that came as XML is quoted.
  return node.kind === 'container' ? reference(node) : {};
}

/** A document whose one member is the node (RFC 8040 §4.3): of an entry an array of one. */
export function documentSchema(node: SchemaNode): Json {
  const name = `${node.module}:${node.name}`;
  const { patternProperties } = objectOf([]);
  return {
    type: 'object',
    required: [name],
    properties: { [name]: valueSchema(node) },
    patternProperties,
    additionalProperties: false,
  };
}

/** The schemas of a node and of all below it that are referred to, by name. */
export function* componentsOf(node: SchemaNode): Generator<readonly [name: string, schema: Json]> {
  if (node.kind === 'container' || node.kind === 'list') yield [componentName(node), objectSchema(node)];
  for (const child of node.children) if (isData(child)) yield* componentsOf(child);
}

/** A container, an entry, or the input or output of an operation. */
export function objectSchema(node: SchemaNode): Json {
  const { description } = node.dump;
  return {
    ...(description !== undefined && { description }),
    ...(node.keys.length > 0 && { required: node.keys }),
    ...objectOf(node.children.filter(isData)),
  };
}

function objectOf(children: readonly SchemaNode[]): Json {
  const properties = Object.fromEntries(children.map((child) => [child.qualifiedName, valueSchema(child)]));
  return { type: 'object', properties, patternProperties: ANNOTATIONS, additionalProperties: false };
}

/** A leaf's value. */
function scalarSchema({ type, config, dump }: SchemaNode): Json {
  const { description, defaults, units } = dump;
  return {
    ...typeSchema(type, dump.types ?? [], dump.range, dump.enums),
    ...(description !== undefined && { description }),
    ...(!config && { readOnly: true }),
    ...(defaults?.[0] !== undefined && { default: defaultValue(type, defaults[0]) }),
    ...(units !== undefined && { 'x-units': units }),
  };
}

function typeSchema(type: string, types: readonly string[], range?: string, enums?: readonly string[]): Json {
  const limits = NUMBERS[type];
  if (limits) return { type: 'integer', ...boundsOf(range, limits, 'minimum', 'maximum') };
  const pattern = DIGITS[type];
  if (pattern !== undefined) return { type: 'string', pattern };
  if (type === 'boolean') return { type: 'boolean' };
  if (type === 'empty') return { type: 'array', items: { type: 'null' }, minItems: 1, maxItems: 1 };
  if (type === 'union') return { anyOf: types.map((member) => typeSchema(member, [])) };
  if (enums) return { type: 'string', enum: enums };
  if (type === 'binary') return { type: 'string', contentEncoding: 'base64' };
  return { type: 'string', ...(range !== undefined && boundsOf(range, [], 'minLength', 'maxLength')) };
}

/** The lowest and the highest of a range as YANG writes it: `1..64 | 128`. */
function boundsOf(range: string | undefined, limits: readonly number[], low: string, high: string): Json {
  const numbers = (range ?? '').match(/-?\d+/g)?.map(Number) ?? [...limits];
  return Object.fromEntries([
    ...numbers.slice(0, 1).map((at) => [low, at]),
    ...numbers.slice(-1).map((at) => [high, at]),
  ]);
}

function defaultValue(type: string, text: string): unknown {
  if (NUMBERS[type]) return Number(text);
  return type === 'boolean' ? text === 'true' : text;
}
