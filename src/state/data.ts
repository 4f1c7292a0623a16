/**
 * Data nodes: instances of schema nodes, each knowing its parent and its place. One class serves configuration, state
 * and edits (an edit is a tree in which some nodes carry an operation). The binding table never becomes such a tree as
 * a whole: only the entries of one edit or one answer do.
 */

import type { RowPack } from './row-pack.ts';
import type { SchemaNode } from './schema.ts';

/** RFC 6241 §7.2; `none` is the default operation of that name, `move` gives an entry that is there the place of its `insert` (RFC 8072 §2.5). */
export type Operation = 'merge' | 'replace' | 'create' | 'delete' | 'remove' | 'none' | 'move';

/** Where an entry of a user-ordered list goes (RFC 7950 §7.8.6, RFC 8040 §4.8.5); `point` is the id of a sibling. */
export interface Insert {
  readonly where: 'first' | 'last' | 'before' | 'after';
  readonly point?: string;
}

/** Identities of ietf-origin (RFC 8342 §5.3.4) that nodes here can have. */
export type Origin = 'intended' | 'system' | 'default' | 'learned';

/** What an answer says of a list of which a part goes out, at its first entry (draft-ietf-netconf-list-pagination §4). */
export interface PageMarks {
  /** Entries behind those that go out; absent where there are none. */
  readonly remaining?: number | 'unknown' | undefined;
  /** Cursors of the pages behind and before this one; absent where there is none. */
  readonly next?: string | undefined;
  readonly previous?: string | undefined;
  /** By which the entries were sorted. */
  readonly locale?: string | undefined;
}

const NO_CHILDREN: ReadonlyMap<string, DataNode> = new Map();
let keyless = 0;

export class DataNode {
  readonly schema: SchemaNode;
  /** Canonical value of a leaf or leaf-list entry, raw XML or JSON text of anydata; '' for others. */
  readonly value: string;
  /** Base type of the value: the member's for a union, else the schema's. */
  readonly type: string;
  parent: DataNode | undefined;
  operation: Operation | undefined;
  insert: Insert | undefined;
  /** In an edit: entries of the binding table that came as rows. No prefix of theirs is among the children. */
  bulk: RowPack | undefined;
  /**
   * Set where the value is the schema's default and nobody wrote it (RFC 6243 report-all-tagged); in an edit, where that is what the
   * node is to become again (§4.5.2).
   */
  isDefault = false;
  /** In operational state data: where it is not that of the parent, in an answer where it is to be shown. */
  origin: Origin | undefined;
  /** In an answer: of the list whose first entry this is. */
  page: PageMarks | undefined;
  #children: Map<string, DataNode> | undefined;

  constructor(schema: SchemaNode, value = '', type = schema.type) {
    this.schema = schema;
    this.value = value;
    this.type = type;
  }

  /**
   * What tells this node from its siblings: its name, with key values for a list entry (all keys must be children
   * already) and the value for a leaf-list entry. Entries of a list without keys are all different.
   */
  get id(): string {
    const { schema } = this;
    if (schema.kind === 'leaf-list') return entryId(schema, [this.value]);
    if (schema.kind !== 'list') return entryId(schema, []);
    if (schema.keys.length === 0) return entryId(schema, [`#${keyless++}`]);
    return entryId(schema, this.keyValues());
  }

  /** Values of the list keys, in key order. */
  keyValues(): string[] {
    return this.schema.keys.map((key) => this.leaf(key) ?? '');
  }

  /** Adds a child at the end of its kind and returns it; an equal child that is there is replaced. */
  add(child: DataNode): DataNode {
    child.parent = this;
    this.#children ??= new Map();
    this.#children.set(child.id, child);
    return child;
  }

  /** Removes the child with that id; whether it was there. */
  remove(id: string): boolean {
    return this.#children?.delete(id) ?? false;
  }

  removeAll(): void {
    this.#children = undefined;
  }

  /** The child with that id (see `id`, `entryId`). */
  get(id: string): DataNode | undefined {
    return this.#children?.get(id);
  }

  /** The container, leaf or anydata child with that name. */
  child(name: string, module?: string): DataNode | undefined {
    const schema = this.schema.child(name, module);
    return schema && this.get(entryId(schema, []));
  }

  /** The canonical value of a leaf child. */
  leaf(name: string): string | undefined {
    return this.child(name)?.value;
  }

  /** The entry of a list child with these key values. */
  entry(name: string, keys: readonly string[]): DataNode | undefined {
    const schema = this.schema.child(name);
    return schema && this.get(entryId(schema, keys));
  }

  /** All entries of a list or leaf-list child, in order. */
  entries(name: string): DataNode[] {
    const schema = this.schema.child(name);
    return [...this.childMap.values()].filter((child) => child.schema === schema);
  }

  get childMap(): ReadonlyMap<string, DataNode> {
    return this.#children ?? NO_CHILDREN;
  }

  get size(): number {
    return this.childMap.size;
  }

  /** The children in the one order they are printed in: keys first, then schema order, then order of insertion. */
  children(): DataNode[] {
    return inPrintOrder([...this.childMap.values()]);
  }

  /** Puts the children in a new order (for user-ordered lists); `order` must hold exactly the present ones. */
  reorder(order: readonly DataNode[]): void {
    this.#children = new Map(order.map((child) => [child.id, child]));
  }

  /** A deep copy without parent and, unless `edits`, without operations. */
  clone(edits = false): DataNode {
    const copy = new DataNode(this.schema, this.value, this.type);
    copy.isDefault = this.isDefault;
    copy.origin = this.origin;
    if (edits) {
      copy.operation = this.operation;
      copy.insert = this.insert;
      copy.bulk = this.bulk;
    }
    if (this.#children) {
      const children = new Map<string, DataNode>();
      for (const [id, child] of this.#children) {
        const twin = child.clone(edits);
        twin.parent = copy;
        children.set(id, twin);
      }
      copy.#children = children;
    }
    return copy;
  }

  /** Instance path with module names where they change: /gi-4over6:softwire/aftr[name='a']/ipv4-address. */
  get path(): string {
    if (!this.parent) return this.schema.isRoot ? '' : this.schema.path;
    return `${this.parent.path}/${this.schema.qualifiedName}${this.predicates()}`;
  }

  /** The path of a list entry one of whose keys is not taken: with the text that came for it. */
  pathWith(key: string, text: string): string {
    const predicates = this.#keyPredicates((name) => (name === key ? text : this.leaf(name)));
    return this.parent ? `${this.parent.path}/${this.schema.qualifiedName}${predicates}` : this.path;
  }

  /** The predicates of `path`: keys of a list entry, the value of a leaf-list entry. */
  predicates(): string {
    if (this.schema.kind === 'leaf-list') return `[.=${quote(this.value)}]`;
    return this.schema.kind === 'list' ? this.#keyPredicates((name) => this.leaf(name)) : '';
  }

  #keyPredicates(textOf: (key: string) => string | undefined): string {
    return this.schema.keys.map((key) => `[${key}=${quote(textOf(key) ?? '')}]`).join('');
  }
}

/** The id of an instance of `schema` with these key values (or the leaf-list value); none for other kinds. */
export function entryId(schema: SchemaNode, values: readonly string[]): string {
  return values.length === 0 ? String(schema.order) : `${schema.order}\u0000${values.join('\u0000')}`;
}

/** A literal for a path predicate: in single quotes unless the value holds one. */
export function quote(value: string): string {
  return value.includes("'") ? `"${value}"` : `'${value}'`;
}

function rank(node: DataNode): number {
  const keyAt = node.schema.parent?.keys.indexOf(node.schema.name) ?? -1;
  return node.schema.kind === 'leaf' && keyAt >= 0 ? keyAt - 1000 : node.schema.order;
}

/** Sorts siblings into the order they are printed in. */
export function inPrintOrder(siblings: DataNode[]): DataNode[] {
  return isSorted(siblings) ? siblings : siblings.sort((a, b) => rank(a) - rank(b));
}

function isSorted(nodes: readonly DataNode[]): boolean {
  for (let i = 1; i < nodes.length; i++) {
    const [before, after] = [nodes[i - 1], nodes[i]];
    if (before && after && rank(before) > rank(after)) return false;
  }
  return true;
}
