/**
 * How an edit changes a tree (RFC 6241 §7.2): merge, replace, create, delete, remove and none, a node at a time. Entries
 * of the binding table are loaded as one small node each, edited by the same rules and stored as rows again.
 */

import { parseIpv4Prefix } from '../address.ts';
import type { Binding } from './binding.generated.ts';
import { conditionalOn } from './conditional.ts';
import { hasContent, instanceOf, settle } from './content.ts';
import type { Operation } from './data.ts';
import { DataNode } from './data.ts';
import { inTurn, requireKeys } from './edit-input.ts';
import { ManagementError } from './errors.ts';
import type { RowOverlay } from './overlay.ts';
import type { Authorize } from './request.ts';
import type { RowMerge } from './row-merge.ts';
import type { RowPack } from './row-pack.ts';
import type { RowSource } from './rows.ts';
import { bindingToNode, nodeToBinding, openRow, prefixNumber, sameBinding } from './rows.ts';
import type { SchemaNode } from './schema.ts';
import {
  askBlindly,
  askReplacement,
  holds,
  isUnseen,
  mayHideEntries,
  mayWriteEach,
  requireNoHiddenCase,
  requireNothingHidden,
  requireRight,
  requireWhole,
  rowsToAsk,
} from './secrecy.ts';

export interface EditTarget {
  /** The tree, which is changed in place. */
  readonly tree: DataNode;
  /** The tables as they are now, overlay included. */
  readonly rows: RowSource;
  /** Takes the changed rows. */
  readonly overlay: RowOverlay;
  /** Takes what is to be merged into rows that are there: so many that it is not done at once, but by `mergeRows`. */
  readonly merges: RowMerge[];
}

/**
 * Applies `edit`, a root whose nodes may carry operations, to the target; whether the tree was touched (rows apart). On a
 * fault the target is half changed and must be thrown away.
 * @throws ManagementError data-exists, data-missing, bad-attribute, access-denied with the path of the node
 */
export function applyEdit(
  target: EditTarget,
  edit: DataNode,
  defaultOperation: 'merge' | 'replace' | 'none',
  authorize?: Authorize,
): boolean {
  const touched = makeEdit(target, edit, defaultOperation, authorize);
  settle(target.tree);
  return touched;
}

/** As `applyEdit`, for one of several edits: the tree is to be settled after the last. */
export function makeEdit(
  target: EditTarget,
  edit: DataNode,
  defaultOperation: 'merge' | 'replace' | 'none',
  authorize?: Authorize,
): boolean {
  if (authorize) {
    if (defaultOperation === 'replace') askReplacement(target.tree, edit, authorize);
    else askBlindly(edit, defaultOperation, authorize);
  }
  return editTree(target, edit, defaultOperation, authorize, true);
}

/** Asks about each node in which a tree differs from that of the target, whose tree becomes it. @throws ManagementError access-denied */
export function askDifference(target: EditTarget, tree: DataNode, authorize: Authorize): void {
  editTree(target, tree, 'replace', authorize, false);
}

/** `isNamed` when a client names what is edited, so that more counts than what differs. */
function editTree(
  target: EditTarget,
  edit: DataNode,
  defaultOperation: 'merge' | 'replace' | 'none',
  authorize: Authorize | undefined,
  isNamed: boolean,
): boolean {
  const editor = new Editor(target, authorize, isNamed);
  if (defaultOperation === 'replace') editor.replaceChildren(target.tree, edit);
  else for (const child of inTurn(edit)) editor.apply(target.tree, child, defaultOperation);
  return editor.touched;
}

/** What may take away all that is below a node. */
const EMPTYING: ReadonlySet<Operation> = new Set<Operation>(['delete', 'remove', 'replace']);

class Editor {
  readonly #target: EditTarget;
  readonly #authorize: Authorize | undefined;
  readonly #isNamed: boolean;
  /** What the edit has made. */
  readonly #made = new Set<DataNode>();
  /** Whether a node of the tree changed. */
  touched = false;

  constructor(target: EditTarget, authorize: Authorize | undefined, isNamed: boolean) {
    this.#target = target;
    this.#authorize = authorize;
    this.#isNamed = isNamed;
  }

  apply(parent: DataNode, edit: DataNode, inherited: Operation): void {
    const operation = edit.operation ?? inherited;
    requireKeys(parent, edit, operation);
    if (edit.schema.rows) this.#applyRow(parent, edit, operation);
    else this.#applyNode(parent, edit, operation);
  }

  #applyNode(parent: DataNode, edit: DataNode, operation: Operation): void {
    const existing = parent.get(edit.id);
    // Whether a container without presence is there may depend on what is hidden in it.
    const isOpen = edit.schema.kind === 'container' && !edit.schema.presence;
    if (isOpen && edit.operation && EMPTYING.has(operation) && !this.#isMade(parent))
      this.#requireNothingHidden(existing ?? edit);
    // Asked only where it counts: for the container of a table, rows are counted.
    const { rows } = this.#target;
    const secrecy = this.#isNamed ? this.#authorize?.secrecy : undefined;
    if (operation === 'create' && existing && hasContent(existing, rows, secrecy)) {
      if (!isOpen) this.#require(existing, 'create');
      throw fault('data-exists', parent, edit, 'exists already and was to be created');
    }
    if (operation === 'delete' && !(existing && hasContent(existing, rows)))
      throw fault('data-missing', parent, edit, 'does not exist and was to be deleted');
    if (operation === 'none') this.#walk(parent, edit, existing);
    else if (operation === 'move') this.#move(parent, edit, existing);
    else if (operation !== 'delete' && operation !== 'remove' && !edit.isDefault)
      this.#write(parent, edit, operation, existing);
    else if (existing) {
      this.#requireNothingHidden(existing);
      this.#remove(parent, existing);
    }
  }

  /** Default operation none: nothing changes here; something below may. */
  #walk(parent: DataNode, edit: DataNode, existing: DataNode | undefined): void {
    const isOpen = edit.schema.kind === 'container' && !edit.schema.presence;
    if (!existing && !isOpen) throw fault('data-missing', parent, edit, 'does not exist');
    if (edit.schema.isLeaf) return;
    const node = existing ?? parent.add(new DataNode(edit.schema));
    for (const child of inTurn(edit)) if (!child.schema.isKey) this.apply(node, child, 'none');
    if (edit.bulk) this.#applyBulk(node, edit.bulk, 'none');
  }

  #move(parent: DataNode, edit: DataNode, existing: DataNode | undefined): void {
    if (!existing) throw fault('data-missing', parent, edit, 'does not exist and was to be moved');
    this.#insert(parent, edit, true);
  }

  #write(parent: DataNode, edit: DataNode, operation: 'merge' | 'replace' | 'create', existing?: DataNode): void {
    this.#leaveOtherCases(parent, edit.schema);
    const { schema } = edit;
    if (schema.isLeaf || schema.kind === 'anydata' || schema.kind === 'anyxml') {
      if (existing?.value !== edit.value || !existing) {
        if (existing) this.#leaveConditional(existing, parent);
        const leaf = place(parent, new DataNode(schema, edit.value, edit.type));
        this.touched = true;
        if (!existing) this.#made.add(leaf);
        this.#require(leaf, existing ? 'update' : 'create');
      } else if (this.#isNamed && isUnseen(existing, this.#authorize)) this.#require(existing, 'update');
    } else {
      const node = existing ?? place(parent, new DataNode(schema), edit);
      if (!existing) {
        this.touched = true;
        this.#made.add(node);
        // Whether a container without presence is there may depend on what is hidden in it: only what comes into it is asked about.
        if (schema.kind !== 'container' || schema.presence) this.#require(node, 'create');
      }
      if (operation === 'replace') {
        if (existing) this.#requireNothingHidden(node);
        this.replaceChildren(node, edit);
      } else {
        if (edit.bulk) this.#applyBulk(node, edit.bulk, operation);
        for (const child of inTurn(edit)) if (!child.schema.isKey) this.apply(node, child, operation);
      }
    }
    if (edit.insert) this.#insert(parent, edit, existing !== undefined);
  }

  /** All children become those of the edit; what is in both is replaced in turn. */
  replaceChildren(node: DataNode, edit: DataNode): void {
    for (const [id, child] of [...node.childMap]) {
      if (!edit.get(id) && !child.schema.isKey && child.schema.config) this.#remove(node, child);
    }
    if (node.schema.children.some((child) => child.rows)) this.#replaceRows(node, edit);
    if (edit.bulk) this.#applyBulk(node, edit.bulk, 'replace');
    for (const child of inTurn(edit)) if (!child.schema.isKey) this.apply(node, child, 'replace');
    this.#orderAs(node, edit);
  }

  /** User-ordered entries come in the order of the edit (RFC 7950 §7.7.7). */
  #orderAs(node: DataNode, edit: DataNode): void {
    const isOrdered = (child: DataNode) => child.schema.dump.userOrdered === true;
    const wanted = [...edit.childMap.keys()].flatMap((id) => node.get(id) ?? []).filter(isOrdered);
    const present = [...node.childMap.values()];
    if (isSameOrder(wanted, present.filter(isOrdered))) return;
    this.#requireOrder(present.filter(isOrdered), wanted);
    this.touched = true;
    node.reorder([...present.filter((child) => !isOrdered(child)), ...wanted]);
  }

  /** What is new, or may be updated, moves; all else must stand among itself as before. */
  #requireOrder(before: readonly DataNode[], after: readonly DataNode[]): void {
    const authorize = this.#authorize;
    if (!authorize) return;
    const mayMove = (child: DataNode) => this.#made.has(child) || holds(child, 'update', authorize);
    const fixed = new Set(after.filter((child) => !mayMove(child)));
    const places = new Map(before.filter((child) => fixed.has(child)).map((child, place) => [child, place]));
    let last = -1;
    for (const [index, child] of [...fixed].entries()) {
      const place = places.get(child) ?? index;
      // Its place is the same when as many stand before it, and the same ones.
      if (place !== index || last > index) this.#require(child, 'update');
      last = Math.max(last, place);
    }
  }

  /** Whether a node is one that the edit has made, or a container in one: nothing was in it before. */
  #isMade(node: DataNode): boolean {
    if (node.schema.kind === 'list' || node.schema.presence) return this.#made.has(node);
    return node.parent !== undefined && this.#isMade(node.parent);
  }

  #remove(parent: DataNode, node: DataNode): void {
    this.touched = true;
    this.#requireBelow(node);
    this.#clearRows(node);
    parent.remove(node.id);
  }

  #requireBelow(node: DataNode): void {
    if (!this.#authorize) return;
    this.#require(node, 'delete');
    for (const child of node.childMap.values()) this.#requireBelow(child);
  }

  #requireNothingHidden(node: DataNode): void {
    if (this.#isNamed) requireNothingHidden(node, this.#authorize);
  }

  #require(node: DataNode, operation: 'create' | 'update' | 'delete'): void {
    if (this.#authorize) requireRight(node, operation, this.#authorize, this.#isNamed);
  }

  /** RFC 7950 §7.9: a node of one case removes all other cases. */
  #leaveOtherCases(parent: DataNode, schema: SchemaNode): void {
    if (!schema.dump.choices) return;
    if (this.#isNamed && !this.#isMade(parent)) requireNoHiddenCase(parent, schema, this.#authorize);
    for (const [choice, name] of schema.dump.choices) {
      for (const other of [...parent.childMap.values()]) {
        const made = other.schema.dump.choices?.find((item) => item[0] === choice);
        if (made && made[1] !== name) this.#remove(parent, other);
      }
    }
  }

  /** RFC 7950 §8.2: what a `when` ties to the value that a leaf has goes when the edit is validated. */
  #leaveConditional(leaf: DataNode, parent: DataNode): void {
    for (const schema of conditionalOn(leaf, !isUnseen(leaf, this.#authorize))) {
      if (this.#isNamed) requireNothingHidden(parent, this.#authorize, (child) => child === schema);
      const node = parent.child(schema.name, schema.module);
      if (node && !this.#made.has(node)) this.#require(node, 'delete');
    }
  }

  /** RFC 7950 §7.8.6: moves the entry among its siblings. */
  #insert(parent: DataNode, edit: DataNode, isMove: boolean): void {
    const { insert } = edit;
    const moved = parent.get(edit.id);
    if (!insert || !moved) return;
    const rest = [...parent.childMap.values()].filter((child) => child !== moved);
    const siblings = rest.filter(({ schema }) => schema === edit.schema);
    const there = insert.point === undefined ? undefined : parent.get(insert.point);
    const point = there && this.#authorize?.secrecy?.isHidden(there) ? undefined : there;
    if (insert.point !== undefined && (!point || point === moved)) {
      const message = `${moved.path} was to be inserted ${insert.where} an entry that does not exist`;
      throw new ManagementError('bad-attribute', {
        path: moved.path,
        appTag: 'missing-instance',
        message,
        info: { 'bad-attribute': 'insert', 'bad-element': edit.schema.name },
      });
    }
    const neighbour = point ?? (insert.where === 'first' ? siblings[0] : siblings[siblings.length - 1]);
    const at = neighbour
      ? rest.indexOf(neighbour) + (insert.where === 'after' || insert.where === 'last' ? 1 : 0)
      : rest.length;
    rest.splice(at, 0, moved);
    const isThere = isMove && isSameOrder(rest, [...parent.childMap.values()]);
    // Where it stands among hidden ones must not show.
    if (isThere && !mayHideEntries(parent, edit.schema, this.#authorize)) return;
    if (isMove) this.#require(moved, 'update');
    if (isThere) return;
    this.touched = true;
    parent.reorder(rest);
  }

  /** One entry of the binding table: loaded, edited, stored when it differs. */
  #applyRow(parent: DataNode, edit: DataNode, operation: Operation): void {
    const instance = instanceOf(parent);
    const prefix = parseIpv4Prefix(edit.leaf('ipv4-prefix') ?? '');
    if (!prefix) throw new Error(`${edit.path} has no prefix: its key was not checked`);
    const before = this.#target.rows.binding(instance, prefix.address, prefix.length);
    const table = new DataNode(parent.schema);
    table.parent = parent.parent;
    if (before) table.add(bindingToNode(edit.schema, before));
    const { touched } = this;
    this.#applyNode(table, edit, operation);
    this.touched = touched;
    const entry = table.get(edit.id);
    const after = entry && nodeToBinding(entry);
    if (after && (!before || !sameBinding(before, after))) this.#target.overlay.put(instance, after);
    if (!after && before) this.#target.overlay.delete(instance, prefix);
  }

  /** Entries that came as rows: each is one with all it has, or the same as an entry with those leaves. */
  #applyBulk(table: DataNode, bulk: RowPack, operation: Operation): void {
    const instance = instanceOf(table);
    const { rows, overlay } = this.#target;
    const schema = table.schema.children.find((child) => child.rows);
    if (!schema) return;
    const asked = rowsToAsk(schema, table, this.#authorize);
    const isFree = asked !== 'all' && asked.size === 0;
    if (isFree && operation !== 'none' && rows.count(instance) === 0) {
      overlay.putAll(instance, bulk);
      return;
    }
    let numbers = bulk.numbers();
    if (asked !== 'all' && (operation === 'merge' || operation === 'replace')) {
      this.#target.merges.push({ instance, bulk, operation, without: asked });
      numbers = [...asked];
    }
    // One that is the same is asked about where it could not be seen, unless the answer is known.
    const isSeen =
      mayWriteEach(schema, table, this.#authorize, ['update']) ||
      (!isUnseen(table, this.#authorize) && (this.#authorize?.secrecy?.readsEvery(schema, table) ?? true));
    for (const number of numbers) {
      const value = bulk.get(number);
      if (!value) continue;
      const before = rows.sealed(instance, number);
      if (isFree && !before && operation !== 'none') overlay.putSealed(instance, number, value);
      else if (!before || !isSeen || Buffer.compare(before, value) !== 0 || operation === 'create') {
        const entry = bindingToNode(schema, openRow(number, value));
        // No edit names it.
        entry.remove(entry.child('origin')?.id ?? '');
        this.apply(table, entry, operation);
      }
    }
  }

  #replaceRows(table: DataNode, edit: DataNode): void {
    const instance = instanceOf(table);
    if (this.#target.rows.count(instance) === 0) return;
    const schema = table.schema.children.find((child) => child.rows);
    if (!schema) return;
    const isAllNew = edit.bulk !== undefined || ![...edit.childMap.values()].some((child) => child.schema === schema);
    if (isAllNew && mayWriteEach(schema, table, this.#authorize)) {
      this.#target.overlay.clear(instance);
      return;
    }
    const asked = rowsToAsk(schema, table, this.#authorize, ['delete']);
    for (const binding of [...this.#target.rows.bindings(instance)]) {
      const number = prefixNumber(binding.address, binding.length);
      if (edit.bulk?.has(number)) continue;
      const isAsked = asked === 'all' || asked.has(number);
      if (isAsked || !isAllNew) {
        const entry = bindingToNode(schema, binding);
        if (edit.get(entry.id)) continue;
        entry.parent = table;
        if (isAsked && this.#authorize) requireWhole(entry, 'delete', this.#authorize, this.#isNamed);
      }
      this.#target.overlay.delete(instance, binding);
    }
  }

  /** The rows that have to be asked about before all go. */
  *#rowsToAsk(schema: SchemaNode, table: DataNode, instance: string): Generator<Binding> {
    const asked = rowsToAsk(schema, table, this.#authorize, ['delete']);
    const { rows } = this.#target;
    if (asked === 'all') yield* rows.bindings(instance);
    else {
      for (const number of asked) {
        const value = rows.sealed(instance, number);
        if (value) yield openRow(number, value);
      }
    }
  }

  /** The rows of every table at or below a node that goes. */
  #clearRows(node: DataNode): void {
    const schema = node.schema.children.find((child) => child.rows);
    if (schema) {
      const instance = instanceOf(node);
      for (const binding of this.#rowsToAsk(schema, node, instance)) {
        const entry = bindingToNode(schema, binding);
        entry.parent = node;
        if (this.#authorize) requireWhole(entry, 'delete', this.#authorize, this.#isNamed);
      }
      this.#target.overlay.clear(instance);
    }
    for (const child of node.childMap.values()) if (!child.schema.isLeaf) this.#clearRows(child);
  }
}

function isSameOrder(a: readonly DataNode[], b: readonly DataNode[]): boolean {
  return a.length === b.length && a.every((node, index) => node === b[index]);
}

/** Adds a node, an entry of a list with its keys. */
function place(parent: DataNode, node: DataNode, edit?: DataNode): DataNode {
  for (const key of edit?.schema.keys ?? []) {
    const leaf = edit?.child(key);
    if (leaf) node.add(new DataNode(leaf.schema, leaf.value, leaf.type));
  }
  return parent.add(node);
}

function fault(tag: 'data-exists' | 'data-missing', parent: DataNode, edit: DataNode, what: string): ManagementError {
  const path = `${parent.path}/${edit.schema.qualifiedName}${edit.predicates()}`;
  return new ManagementError(tag, { path, message: `${path} ${what}` });
}
