/**
 * The data of one reading as the document of an XPath expression (RFC 7950 §6.4: the model of XPath 1.0, the root with any
 * number of elements): what the caller may see and nothing else, so no predicate tells of the rest (RFC 8341 §3.2.4).
 * Nodes are made when they are walked to. Those of the small tree are made once; a row of a table is made anew in each
 * pass and forgotten, so nodes are told apart by their place (`compareNodes`), never by identity alone.
 */

import type { DataNode } from '../../state/data.ts';
import { ManagementError } from '../../state/errors.ts';
import type { SchemaNode } from '../../state/schema.ts';
import type { NodeTest } from './syntax.ts';

/** Where the data comes from. */
export interface XPathSource {
  readonly root: DataNode;
  /** What the caller sees below a node, in the order it is printed in; rows are left out. */
  children(node: DataNode): readonly DataNode[];
  /** The rows that the caller sees in the table below a node, in order, from a number on. */
  rows(table: DataNode, from: number): Iterable<SourceRow>;
  /** The row of a canonical key, unless it is absent or the caller does not see it. */
  row(table: DataNode, key: string): SourceRow | undefined;
}

export interface SourceRow {
  /** Grows from row to row. */
  readonly number: number;
  readonly entry: DataNode;
}

/**
 * Nodes that one evaluation may walk to, a row counted as `ROW_WORK` of them. An evaluation runs in one piece while others wait, and
 * rows that are joined with rows cost the square of a table, so there must be an end: this is some three passes over a million bindings.
 * What remains: one pass with a predicate that is true nowhere holds up the others for as long as it takes.
 */
export const MAX_WORK = 100_000_000;

/** Processor time that one evaluation may take while nobody else has a turn. */
export const MAX_PIECE_MS = 8_000;

/** Nodes between two looks at the time. */
const LOOK_WORK = 100_000;

/** To read a row, decode it and make a node of it costs as much as to walk to this many nodes of a tree. */
export const ROW_WORK = 30;

export class XPathDocument {
  readonly source: XPathSource;
  readonly root: XPathNode;
  #tables: XPathNode[] | undefined;
  #work: number;
  #nextLook: number;
  readonly #maxPieceMs: number;
  /** Processor time at the first look of this turn. */
  #pieceMs: number | undefined;

  constructor(source: XPathSource, work = MAX_WORK, maxPieceMs = MAX_PIECE_MS) {
    this.source = source;
    this.#work = work;
    this.#nextLook = work - LOOK_WORK;
    this.#maxPieceMs = maxPieceMs;
    this.root = new XPathNode(this, 'root', source.root, undefined, 0, undefined);
  }

  /** Counts nodes that were walked to. @throws ManagementError resource-denied when the evaluation has done too much. */
  spend(nodes: number): void {
    this.#work -= nodes;
    if (this.#work < 0) throw tooMuch();
    if (this.#work < this.#nextLook) this.#look();
  }

  #look(): void {
    this.#nextLook = this.#work - LOOK_WORK;
    const now = processorMs();
    if (this.#pieceMs === undefined) {
      this.#pieceMs = now;
      setImmediate(() => {
        this.#pieceMs = undefined;
      });
    } else if (now - this.#pieceMs > this.#maxPieceMs) throw tooMuch();
  }

  /** The nodes that have a table below them, in document order. */
  tables(): readonly XPathNode[] {
    if (this.#tables) return this.#tables;
    const found: XPathNode[] = [];
    const walk = (node: XPathNode) => {
      if (node.rowSchema) found.push(node);
      for (const child of node.children) if (mayHoldRows(child.data.schema)) walk(child);
    };
    walk(this.root);
    this.#tables = found;
    return found;
  }

  /** The row as a node below the table. */
  rowNode(table: XPathNode, { number, entry }: SourceRow): XPathNode {
    this.spend(ROW_WORK);
    return new XPathNode(this, 'element', entry, table, table.children.length + number, undefined);
  }
}

function tooMuch(): ManagementError {
  const message = 'the XPath expression takes too much work: fix the keys of what is wanted';
  return new ManagementError('resource-denied', { message });
}

function processorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

const NO_NODES: readonly XPathNode[] = [];

export class XPathNode {
  readonly kind: 'root' | 'element' | 'text';
  /** Of a text node, the leaf it stands in. */
  readonly data: DataNode;
  readonly parent: XPathNode | undefined;
  /** Grows from sibling to sibling. */
  readonly index: number;
  /** The row it is or stands in. */
  readonly row: XPathNode | undefined;
  readonly #document: XPathDocument;
  #children: readonly XPathNode[] | undefined;

  constructor(
    document: XPathDocument,
    kind: XPathNode['kind'],
    data: DataNode,
    parent: XPathNode | undefined,
    index: number,
    row: XPathNode | undefined,
  ) {
    this.#document = document;
    this.kind = kind;
    this.data = data;
    this.parent = parent;
    this.index = index;
    this.row = row ?? (data.schema.rows ? this : undefined);
  }

  /** All children but rows. */
  get children(): readonly XPathNode[] {
    this.#children ??= this.#makeChildren();
    return this.#children;
  }

  #makeChildren(): readonly XPathNode[] {
    const { data, row } = this;
    if (this.kind === 'text') return NO_NODES;
    if (data.schema.isLeaf) {
      return data.value === '' ? NO_NODES : [new XPathNode(this.#document, 'text', data, this, 0, row)];
    }
    const found = this.#document.source.children(data);
    this.#document.spend(found.length);
    return found.map((child, index) => new XPathNode(this.#document, 'element', child, this, index, row));
  }

  /** The schema of the rows below it. */
  get rowSchema(): SchemaNode | undefined {
    return this.kind === 'text' ? undefined : rowSchemaOf(this.data.schema);
  }

  get isRow(): boolean {
    return this.row === this;
  }
}

const rowSchemas = new WeakMap<SchemaNode, SchemaNode | null>();

function rowSchemaOf(schema: SchemaNode): SchemaNode | undefined {
  let found = rowSchemas.get(schema);
  if (found === undefined) {
    found = schema.children.find((child) => child.rows) ?? null;
    rowSchemas.set(schema, found);
  }
  return found ?? undefined;
}

const rowHolders = new WeakMap<SchemaNode, boolean>();

function mayHoldRows(schema: SchemaNode): boolean {
  let found = rowHolders.get(schema);
  if (found === undefined) {
    found = schema.children.some((child) => child.rows || mayHoldRows(child));
    rowHolders.set(schema, found);
  }
  return found;
}

/** Negative when `a` stands before `b` in the document, 0 for the same node. */
export function compareNodes(a: XPathNode, b: XPathNode): number {
  if (a === b) return 0;
  const [above, below] = [chainOf(a), chainOf(b)];
  for (let level = 0; level < above.length && level < below.length; level++) {
    const difference = (above[level]?.index ?? 0) - (below[level]?.index ?? 0);
    if (difference !== 0) return difference;
  }
  return above.length - below.length;
}

function chainOf(node: XPathNode): XPathNode[] {
  const chain: XPathNode[] = [];
  for (let at: XPathNode | undefined = node; at; at = at.parent) chain.push(at);
  return chain.reverse();
}

/** The nodes in document order, each once. */
export function inOrder(nodes: readonly XPathNode[]): XPathNode[] {
  let isSorted = true;
  for (let i = 1; isSorted && i < nodes.length; i++) {
    const [before, after] = [nodes[i - 1], nodes[i]];
    if (before && after && compareNodes(before, after) >= 0) isSorted = false;
  }
  if (isSorted) return [...nodes];
  const sorted = [...nodes].sort(compareNodes);
  return sorted.filter((node, at) => {
    const before = sorted[at - 1];
    return !before || compareNodes(before, node) !== 0;
  });
}

export function isAtOrBelow(node: XPathNode, ancestor: XPathNode): boolean {
  for (let at: XPathNode | undefined = node; at; at = at.parent) if (at === ancestor) return true;
  return false;
}

export function passes(node: XPathNode, test: NodeTest): boolean {
  switch (test.kind) {
    case 'node':
      return true;
    case 'text':
      return node.kind === 'text';
    case 'nothing':
      return false;
    default:
      return node.kind === 'element' && isNamed(node.data.schema, test);
  }
}

function isNamed({ name, namespace }: SchemaNode, test: Extract<NodeTest, { kind: 'name' }>): boolean {
  return (
    (test.name === undefined || test.name === name) && (test.namespace === undefined || test.namespace === namespace)
  );
}

/** Whether an instance of the schema node itself can pass. */
export function canPass(schema: SchemaNode, test: NodeTest): boolean {
  return test.kind === 'node' || (test.kind === 'name' && isNamed(schema, test));
}

/** Whether something below an instance of the schema node can pass: where not, nobody walks. */
export function canPassBelow(schema: SchemaNode, test: NodeTest): boolean {
  if (test.kind === 'nothing') return false;
  if (test.kind !== 'name') return true;
  const { name, namespace } = test;
  if (name === undefined && namespace === undefined) return schema.children.length > 0;
  return belowNames(schema).has(`${namespace ?? '*'} ${name ?? '*'}`);
}

const namesBelow = new WeakMap<SchemaNode, ReadonlySet<string>>();

/** The names of all nodes below, with their namespace and `*` for either. */
function belowNames(schema: SchemaNode): ReadonlySet<string> {
  const known = namesBelow.get(schema);
  if (known) return known;
  const names = new Set<string>();
  for (const child of schema.children) {
    for (const text of [`${child.namespace} ${child.name}`, `* ${child.name}`, `${child.namespace} *`]) names.add(text);
    for (const text of belowNames(child)) names.add(text);
  }
  namesBelow.set(schema, names);
  return names;
}
