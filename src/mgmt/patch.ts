/**
 * What leads from one configuration to another, as the edits of a YANG patch (RFC 8072 §2, RFC 9144 §4): leaf by leaf where
 * both have a node, whole nodes where one has it. In the order in which they can be made:
 *
 *   1. bindings of AFTRs that go      2. the small tree, at each level first what goes, then what comes
 *   3. bindings of AFTRs that stay or come
 */

import { DataNode } from '../state/data.ts';
import type { RowChange } from '../state/request.ts';
import { bindingToNode } from '../state/rows.ts';
import type { SchemaNode } from '../state/schema.ts';
import { BINDING_PATH } from '../state/schema.ts';
import { rowInstance } from './row-node.ts';

/** One edit; what a node is cloned from may be part of a tree that nobody changes. */
export interface PatchEdit {
  readonly operation: 'create' | 'delete' | 'insert' | 'move' | 'replace';
  /** A node with the path of the target. */
  readonly target: DataNode;
  readonly value?: DataNode;
  readonly sourceValue?: DataNode;
  /** Behind this entry, or before all others. */
  readonly place?: { readonly after: DataNode | undefined };
}

/** An edit, or what to wait for before the next one. */
export type PatchStep = PatchEdit | Promise<void>;

export interface Comparison {
  readonly from: DataNode;
  readonly to: DataNode;
  /** Rows that differ, table by table; walked twice. */
  readonly rows: () => Iterable<RowChange>;
  /** What the caller may not read does not show; asked with nodes of both trees. */
  readonly mayRead: (node: DataNode) => boolean;
}

export function* patchEdits({ from, to, rows, mayRead }: Comparison): Generator<PatchEdit> {
  const tables = tablesOf(to);
  const lost = tablesOf(from);
  for (const name of tables.keys()) lost.delete(name);
  const walk = new PatchWalk(mayRead, undefined, (node) => isThere(node, mayRead));
  if (lost.size > 0) yield* walk.rows(rows(), lost);
  yield* walk.children(from, to);
  yield* walk.rows(rows(), tables);
}

/**
 * Whether a node of a tree is there for who may read it: a container without presence is where he reads something in it, as for edits
 * (state/content.ts). One that holds a table is there as long as its AFTR.
 */
export function isThere(node: DataNode, mayRead: (node: DataNode) => boolean): boolean {
  const { kind, presence, children } = node.schema;
  if (kind !== 'container' || presence || children.some(({ rows }) => rows)) return true;
  return [...node.childMap.values()].some((child) => mayRead(child) && isThere(child, mayRead));
}

/** The containers of tables, by name of the AFTR. */
export function tablesOf(node: DataNode, found = new Map<string, DataNode>()): Map<string, DataNode> {
  if (node.schema.children.some((child) => child.rows)) found.set(rowInstance(node), node);
  for (const child of node.childMap.values()) if (!child.schema.isLeaf) tablesOf(child, found);
  return found;
}

export class PatchWalk {
  readonly #mayRead: (node: DataNode) => boolean;
  readonly #marked: (copy: DataNode, original: DataNode) => DataNode;
  readonly #isThere: (node: DataNode) => boolean;

  /** `marked` may say more of what goes out of a node; `isThere` which nodes of trees that hold more than the caller reads count. */
  constructor(
    mayRead: (node: DataNode) => boolean,
    marked: (copy: DataNode, original: DataNode) => DataNode = (copy) => copy,
    isThere: (node: DataNode) => boolean = () => true,
  ) {
    this.#mayRead = mayRead;
    this.#marked = marked;
    this.#isThere = isThere;
  }

  *children(from: DataNode, to: DataNode): Generator<PatchEdit> {
    for (const [id, child] of from.childMap) {
      if (!this.#find(to, id)) yield* this.#gone(child);
    }
    for (const [id, child] of to.childMap) {
      const before = this.#find(from, id);
      if (!before && !isUserOrdered(child)) yield* this.#fresh(child);
      else if (before && this.#isThere(child)) yield* this.#both(before, child);
    }
    yield* this.#order(from, to);
  }

  #find(parent: DataNode, id: string): DataNode | undefined {
    const child = parent.get(id);
    return child && this.#isThere(child) ? child : undefined;
  }

  *#gone(child: DataNode): Generator<PatchEdit> {
    const sourceValue = this.#readable(child);
    if (!sourceValue || isEmptyContainer(sourceValue)) return;
    yield { operation: 'delete', target: child, sourceValue: this.#marked(sourceValue, child) };
  }

  *#fresh(child: DataNode): Generator<PatchEdit> {
    const value = this.#readable(child);
    if (!value || isEmptyContainer(value)) return;
    yield { operation: 'create', target: child, value: this.#marked(value, child) };
  }

  *#both(before: DataNode, after: DataNode): Generator<PatchEdit> {
    if (!this.#mayRead(after)) return;
    if (!after.schema.isLeaf && after.schema.kind !== 'anydata') yield* this.children(before, after);
    else if (before.value !== after.value) {
      const [sourceValue, value] = [this.#marked(before.clone(), before), this.#marked(after.clone(), after)];
      yield { operation: 'replace', target: after, value, sourceValue };
    }
  }

  /** Entries whose order counts: each that does not stand where the edits so far leave it is put behind the one before it. */
  *#order(from: DataNode, to: DataNode): Generator<PatchEdit> {
    for (const schema of from.schema.children.filter(({ dump }) => dump.userOrdered)) {
      const entries = (node: DataNode) =>
        [...node.childMap].filter(([, child]) => child.schema === schema && this.#mayRead(child));
      const wanted = entries(to);
      const standing = entries(from)
        .map(([id]) => id)
        .filter((id) => to.get(id));
      for (const [index, [id, child]] of wanted.entries()) {
        if (standing[index] === id) continue;
        const at = standing.indexOf(id);
        if (at >= 0) standing.splice(at, 1);
        standing.splice(index, 0, id);
        const place = { after: wanted[index - 1]?.[1] };
        const value = this.#readable(child);
        if (at >= 0) yield { operation: 'move', target: child, place };
        else if (value) yield { operation: 'insert', target: child, value: this.#marked(value, child), place };
      }
    }
  }

  *rows(rows: Iterable<RowChange>, tables: ReadonlyMap<string, DataNode>): Generator<PatchEdit> {
    const readable = new Map([...tables].filter(([, table]) => this.#mayReach(table)));
    for (const { instance, before, after } of rows) {
      const table = readable.get(instance);
      const schema = table?.schema.children.find((child) => child.path === BINDING_PATH);
      if (!table || !schema) continue;
      const [old, fresh] = [before, after].map((binding) => {
        const entry = binding && bindingToNode(schema, binding);
        if (entry) entry.parent = table;
        return entry && withoutState(entry);
      });
      yield* this.row(old, fresh);
    }
  }

  /** One row, as it was and as it is. */
  *row(old: DataNode | undefined, fresh: DataNode | undefined): Generator<PatchEdit> {
    if (old && fresh) {
      if (this.#mayRead(fresh)) yield* this.children(old, fresh);
    } else if (fresh) yield* this.#fresh(fresh);
    else if (old) yield* this.#gone(old);
  }

  #mayReach(node: DataNode): boolean {
    for (let at: DataNode | undefined = node; at?.parent; at = at.parent) if (!this.#mayRead(at)) return false;
    return true;
  }

  /** A copy without what may not be read; undefined when that is all of it. */
  #readable(node: DataNode): DataNode | undefined {
    if (!this.#mayRead(node)) return undefined;
    const copy = new DataNode(node.schema, node.value, node.type);
    copy.origin = node.origin;
    for (const child of node.childMap.values()) {
      const inner = this.#readable(child);
      if (inner && !isEmptyContainer(inner)) copy.add(inner);
    }
    return copy;
  }
}

function withoutState(entry: DataNode): DataNode {
  for (const [id, child] of [...entry.childMap]) if (!child.schema.config) entry.remove(id);
  return entry;
}

function isUserOrdered({ schema }: DataNode): boolean {
  return schema.dump.userOrdered === true;
}

/** A container without presence that holds nothing is there or not: it means the same (RFC 7950 §7.5.1). */
function isEmptyContainer({ schema, size }: DataNode): boolean {
  return schema.kind === 'container' && !schema.presence && size === 0;
}

/** The edit as an entry of the list `schema` (ietf-yang-patch), numbered. */
export function editNode(schema: SchemaNode, number: number, edit: PatchEdit): DataNode {
  const { operation, target, value, sourceValue, place } = edit;
  const entry = new DataNode(schema);
  const put = (name: string, text: string | undefined) => {
    const leaf = schema.child(name);
    if (leaf && text !== undefined) entry.add(new DataNode(leaf, text));
  };
  const hold = (name: string, held: DataNode | undefined) => {
    const holder = schema.child(name);
    if (holder && held) entry.add(new DataNode(holder)).add(held);
  };
  put('edit-id', `${number}`);
  put('operation', operation);
  put('target', resourcePath(target));
  put('point', place?.after && resourcePath(place.after));
  put('where', place && (place.after ? 'after' : 'first'));
  hold('value', value);
  hold('source-value', sourceValue);
  return entry;
}

/** Path of a data resource, relative to the datastore (RFC 8040 §3.5.3). */
export function resourcePath(node: DataNode): string {
  if (!node.parent) return '';
  const { schema } = node;
  const keys = schema.kind === 'leaf-list' ? [node.value] : schema.kind === 'list' ? node.keyValues() : [];
  const values = keys.length === 0 ? '' : `=${keys.map(encodeURIComponent).join(',')}`;
  return `${resourcePath(node.parent)}/${schema.qualifiedName}${values}`;
}
