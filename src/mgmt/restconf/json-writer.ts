/**
 * Data trees as JSON text (RFC 7951), in pieces, so that a large answer never stands in memory: subtrees without rows
 * are printed at once, lists of rows entry by entry.
 */

import type { DataNode } from '../../state/data.ts';
import type { SchemaNode } from '../../state/schema.ts';
import { holdsRows } from '../xml-data.ts';

const DEFAULT_ANNOTATION = '{"ietf-netconf-with-defaults:default":true}';

/**
 * One object with the nodes as members, each under its qualified name; consecutive entries of one list make one array.
 * `rows(parent)` gives the row entries that stand below a node beside its children.
 */
export function* writeJson(
  nodes: Iterable<DataNode>,
  rows: (parent: DataNode) => Iterable<DataNode> = () => [],
): Generator<string> {
  yield '{';
  yield* writeMembers(nodes, rows, (schema) => `${schema.module}:${schema.name}`);
  yield '}';
}

function* writeMembers(
  nodes: Iterable<DataNode>,
  rows: (parent: DataNode) => Iterable<DataNode>,
  nameOf: (schema: SchemaNode) => string,
): Generator<string> {
  /** The list or leaf-list whose array is open. */
  let open: SchemaNode | undefined;
  /** Annotations of the open leaf-list (RFC 7952 §5.2.2), when one of its entries has any. */
  let annotations: string[] = [];
  let first = true;
  function close(): string {
    if (!open) return '';
    const tail = annotations.includes(DEFAULT_ANNOTATION) ? `,"@${nameOf(open)}":[${annotations.join(',')}]` : '';
    open = undefined;
    annotations = [];
    return `]${tail}`;
  }
  for (const node of nodes) {
    const { schema } = node;
    let before: string;
    if (schema === open) before = ',';
    else {
      before = `${close()}${first ? '' : ','}"${nameOf(schema)}":${schema.isList ? '[' : ''}`;
      if (schema.isList) open = schema;
    }
    first = false;
    if (holdsRows(schema)) {
      yield `${before}{`;
      yield* writeMembers(withRows(node, rows), rows, (child) => child.qualifiedName);
      yield '}';
    } else yield before + jsonText(node);
    if (schema.kind === 'leaf-list') annotations.push(node.isDefault ? DEFAULT_ANNOTATION : 'null');
    else if (schema.kind === 'leaf' && node.isDefault) yield `,"@${nameOf(schema)}":${DEFAULT_ANNOTATION}`;
  }
  yield close();
}

function* withRows(node: DataNode, rows: (parent: DataNode) => Iterable<DataNode>): Generator<DataNode> {
  yield* node.children();
  yield* rows(node);
}

/** The JSON value of one node, rows left out. */
export function jsonText(node: DataNode): string {
  const { schema } = node;
  if (schema.isLeaf) return scalarText(node);
  if (schema.kind === 'anydata' || schema.kind === 'anyxml') {
    // Text that came as XML can only be quoted.
    return node.value.startsWith('<') || node.value === '' ? JSON.stringify(node.value) : node.value;
  }
  return `{${[
    ...writeMembers(
      node.children(),
      () => [],
      (child) => child.qualifiedName,
    ),
  ].join('')}}`;
}

/** RFC 7951 §6. */
function scalarText({ type, value }: DataNode): string {
  switch (type) {
    case 'int8':
    case 'int16':
    case 'int32':
    case 'uint8':
    case 'uint16':
    case 'uint32':
    case 'boolean':
      return value;
    case 'empty':
      return '[null]';
    default:
      return JSON.stringify(value);
  }
}
