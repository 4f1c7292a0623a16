/**
 * Data trees as JSON text (RFC 7951), in pieces, so that a large answer never stands in memory: subtrees without rows
 * are printed at once, lists of rows entry by entry.
 */

import type { DataNode, Origin } from '../../state/data.ts';
import type { SchemaNode } from '../../state/schema.ts';
import { LeavesNode } from '../entry-list.ts';
import { markMembers } from '../page-marks.ts';
import type { Piece } from '../pause.ts';
import { Pause } from '../pause.ts';
import { RowNode } from '../row-node.ts';
import type { RowForm } from '../whole-rows.ts';
import { WholeRows } from '../whole-rows.ts';
import { holdsOpenData, holdsRows, isAny, isOpenData } from '../xml-data.ts';

/** Entries are gathered to about so many characters before they are handed on. */
const GATHER = 16 * 1024;

/**
 * One object with the nodes as members, each under its qualified name; consecutive entries of one list make one array.
 * `rows(parent)` gives the row entries that stand below a node beside its children.
 */
export function* writeJson(
  nodes: Iterable<DataNode>,
  rows: (parent: DataNode) => Iterable<DataNode> = () => [],
): Generator<Piece> {
  yield '{';
  yield* writeMembers(nodes, rows, new MemberWriter(true));
  yield '}';
}

function* writeMembers(
  nodes: Iterable<DataNode>,
  rows: (parent: DataNode) => Iterable<DataNode>,
  writer: MemberWriter,
): Generator<Piece> {
  let text = '';
  for (const node of nodes) {
    if (node instanceof Pause) {
      yield text;
      yield node.until;
      text = '';
    } else if (holdsRows(node.schema) || holdsOpenData(node)) {
      const inside = new MemberWriter(isOpenData(node));
      yield `${text}${writer.before(node.schema)}{${inside.about(node)}`;
      yield* writeInside(node, rows, inside);
      text = `}${writer.after(node)}`;
    } else text += writer.before(node.schema) + jsonText(node) + writer.after(node);
    if (text.length < GATHER) continue;
    yield text;
    text = '';
  }
  yield text + writer.end();
}

function* writeInside(
  node: DataNode,
  rows: (parent: DataNode) => Iterable<DataNode>,
  writer: MemberWriter,
): Generator<Piece> {
  const entries = rows(node);
  if (!(entries instanceof WholeRows)) {
    yield* writeMembers(withRows(node, entries), rows, writer);
    return;
  }
  let text = '';
  for (const child of node.children()) text += writer.before(child.schema) + jsonText(child) + writer.after(child);
  yield text + writer.before(entries.schema);
  yield* entries.printed(JSON_ROWS);
  yield writer.end();
}

const JSON_ROWS: RowForm = {
  between: ',',
  open: '{',
  openLearned: `{"@":{${originMember('learned')}},`,
  close: '}',
  leaf: (name) => [`${name === 'ipv4-prefix' ? '' : ','}"${name}":"`, '"'],
  text: rowMember,
  container: rowContainer,
};

function* withRows(node: DataNode, entries: Iterable<DataNode>): Generator<DataNode> {
  yield* node.children();
  yield* entries;
}

/** The JSON value of one node, rows left out. */
export function jsonText(node: DataNode): string {
  const { schema } = node;
  if (node instanceof RowNode || node instanceof LeavesNode) {
    const annotations = annotationsOf(node);
    const members = node.print(JSON_ROWS);
    return annotations === undefined ? `{${members.slice(1)}}` : `{"@":${annotations}${members}}`;
  }
  if (schema.isLeaf) return scalarText(node);
  if (isAny(schema) && node.size === 0) {
    // Anydata without nodes is an empty object (RFC 7951 §5.5). Text that came as XML can only be quoted.
    if (node.value === '' && schema.kind === 'anydata') return '{}';
    return isJson(node.value) ? node.value : JSON.stringify(node.value);
  }
  const writer = new MemberWriter(isAny(schema));
  let text = `{${writer.about(node)}`;
  for (const child of node.children()) text += writer.before(child.schema) + jsonText(child) + writer.after(child);
  return `${text}${writer.end()}}`;
}

/** Whether raw text is a JSON value, and no other thing that begins as one. */
function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function rowMember(name: string, value: string): string {
  return `,"${name}":${name === 'description' ? JSON.stringify(value) : `"${value}"`}`;
}

/** Its leaves are texts, or numbers of 64 bits, which are texts, too (RFC 7951 §6.1). */
function rowContainer(name: string, leaves: readonly (readonly [name: string, value: string])[]): string {
  return `,"${name}":{${leaves.map(([leaf, value]) => `"${leaf}":"${value}"`).join(',')}}`;
}

/** What stands between the values of an object: commas, names, the brackets of arrays, annotations. */
class MemberWriter {
  readonly #isTop: boolean;
  #first = true;
  /** The list or leaf-list whose array is open. */
  #open: SchemaNode | undefined;
  /** Annotations of the open leaf-list (RFC 7952 §5.2.2). */
  #annotations: string[] = [];

  /** At the top all names are qualified, below only where the module changes (RFC 7951 §4). */
  constructor(isTop: boolean) {
    this.#isTop = isTop;
  }

  before(schema: SchemaNode): string {
    if (schema === this.#open) return ',';
    const text = `${this.end()}${this.#first ? '' : ','}"${this.#name(schema)}":`;
    this.#first = false;
    if (!schema.isList) return text;
    this.#open = schema;
    return `${text}[`;
  }

  /** Annotations of the object itself, as its first member (RFC 7952 §5.2.1). */
  about(node: DataNode): string {
    const annotations = annotationsOf(node);
    if (annotations === undefined) return '';
    this.#first = false;
    return `"@":${annotations}`;
  }

  after(node: DataNode): string {
    const { schema } = node;
    if (!schema.isLeaf) return '';
    const annotations = annotationsOf(node);
    if (schema.kind === 'leaf-list') this.#annotations.push(annotations ?? 'null');
    return schema.kind === 'leaf' && annotations !== undefined ? `,"@${this.#name(schema)}":${annotations}` : '';
  }

  /** Closes an open array. */
  end(): string {
    const open = this.#open;
    if (!open) return '';
    const isAnnotated = this.#annotations.some((annotation) => annotation !== 'null');
    const tail = isAnnotated ? `,"@${this.#name(open)}":[${this.#annotations.join(',')}]` : '';
    this.#open = undefined;
    this.#annotations = [];
    return `]${tail}`;
  }

  #name(schema: SchemaNode): string {
    return this.#isTop ? `${schema.module}:${schema.name}` : schema.qualifiedName;
  }
}

/** Annotations of a node as an object; undefined when it has none. */
function annotationsOf({ isDefault, origin, page }: DataNode): string | undefined {
  if (!isDefault && origin === undefined && page === undefined) return undefined;
  const members = isDefault ? ['"ietf-netconf-with-defaults:default":true'] : [];
  if (origin !== undefined) members.push(originMember(origin));
  if (page) members.push(...markMembers(page));
  return `{${members.join(',')}}`;
}

/** RFC 7952 §5.2, RFC 8342 §5.3.4. */
function originMember(origin: Origin): string {
  return `"ietf-origin:origin":"ietf-origin:${origin}"`;
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
