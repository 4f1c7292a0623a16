/** Trees to RFC 7951 JSON and back, for data that is known to be valid and canonical (what the store holds). */

import { DataNode } from './data.ts';
import type { Schema, SchemaNode } from './schema.ts';

const NUMBERS: ReadonlySet<string> = new Set(['int8', 'int16', 'int32', 'uint8', 'uint16', 'uint32']);

/** The JSON value of a leaf (RFC 7951 §6): numbers up to 32 bits, booleans, [null] for empty, text for the rest. */
export function jsonValue(leaf: DataNode): unknown {
  if (NUMBERS.has(leaf.type)) return Number(leaf.value);
  if (leaf.type === 'boolean') return leaf.value === 'true';
  if (leaf.type === 'empty') return [null];
  return leaf.value;
}

/** Anydata is kept as the text that came. */
function isAny({ kind }: SchemaNode): boolean {
  return kind === 'anydata' || kind === 'anyxml';
}

/** The children of a node as a JSON object, names qualified where RFC 7951 §4 asks for it. */
export function treeToJson(node: DataNode): Record<string, unknown> {
  const object: Record<string, unknown> = {};
  for (const child of node.children()) {
    const name = child.schema.qualifiedName;
    const value = child.schema.isLeaf ? jsonValue(child) : isAny(child.schema) ? child.value : treeToJson(child);
    if (!child.schema.isList) object[name] = value;
    else if (Array.isArray(object[name])) object[name].push(value);
    else object[name] = [value];
  }
  return object;
}

/** The root of a tree from trusted JSON. @throws Error when a name is not in the schema: another program wrote it. */
export function treeFromJson(schema: Schema, data: unknown): DataNode {
  return fill(new DataNode(schema.root), data as Readonly<Record<string, unknown>>);
}

function fill(node: DataNode, object: Readonly<Record<string, unknown>>): DataNode {
  for (const [name, value] of Object.entries(object)) {
    const schema = childSchema(node.schema, name);
    if (schema.isLeaf) {
      for (const item of schema.kind === 'leaf-list' ? (value as unknown[]) : [value])
        node.add(leafFromJson(schema, item));
    } else if (isAny(schema)) node.add(new DataNode(schema, value as string));
    else if (schema.kind === 'list') {
      for (const entry of value as unknown[]) node.add(fill(new DataNode(schema), entry as Record<string, unknown>));
    } else node.add(fill(new DataNode(schema), value as Record<string, unknown>));
  }
  return node;
}

function childSchema(parent: SchemaNode, name: string): SchemaNode {
  const colon = name.indexOf(':');
  const schema = colon < 0 ? parent.child(name) : parent.child(name.slice(colon + 1), name.slice(0, colon));
  if (schema) return schema;
  throw new Error(
    `'${name}' below '${parent.path}' is not in the schema: this data is of another version of the model`,
  );
}

function leafFromJson(schema: SchemaNode, value: unknown): DataNode {
  if (Array.isArray(value)) return new DataNode(schema, '', 'empty');
  if (schema.type !== 'union') return new DataNode(schema, String(value));
  const type = typeof value === 'number' ? 'int32' : typeof value === 'boolean' ? 'boolean' : 'string';
  return new DataNode(schema, String(value), type);
}
