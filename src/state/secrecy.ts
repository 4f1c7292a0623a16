/**
 * What an edit may tell of nodes that its user may not read (RFC 8341 §3.2.5: no rpc-error shows what is in them). An edit that names
 * such nodes is asked for its rights before the data is looked at, so that the answer is the same whether they are there or not:
 *
 *   - a node that is created or deleted needs that right, also where it exists already or does not
 *   - where nothing below a node is named, some right to write it is needed
 *   - who may not delete all that could be hidden below a node neither deletes nor replaces it, nor creates the first node of a case
 *     that he sees where other cases could be hidden
 *   - a container without presence exists where he may read something in it (content.ts), and needs no right to be created
 *   - a hidden leaf that has the value already is updated, and an entry is moved that may stand behind hidden ones only
 *
 * Who has a right to write what he may not read learns from it what the right implies: that a create found something, say.
 */

import type { Operation } from './data.ts';
import { DataNode } from './data.ts';
import { ManagementError } from './errors.ts';
import { numbersOf } from './named-rows.ts';
import type { Authorize } from './request.ts';
import { bindingToNode, openRow } from './rows.ts';
import type { SchemaNode } from './schema.ts';

export type Write = 'create' | 'update' | 'delete';

/** What a user may not read, by rules alone: the answers never depend on what is there. */
export interface Secrecy {
  /** Whether the node may not be read; nodes above are asked for apart. */
  isHidden(node: DataNode): boolean;
  /** Whether the user has the right; not counted as a denial. */
  holds(node: DataNode, write: Write): boolean;
  /** Whether all that may ever be below `above` of this schema may be read, whatever is below that included. */
  readsEvery(schema: SchemaNode, above: DataNode): boolean;
  /** Whether nothing of this schema that may ever be below `above` may be read. */
  readsNone(schema: SchemaNode, above: DataNode): boolean;
  /** Whether each node of this schema that may ever be below `above` may be read; what is below them is another question. */
  readsEach(schema: SchemaNode, above: DataNode): boolean;
  /** The keys by which rules tell entries of a list below `above` from each other; undefined when they do so by other ways. */
  namedKeys(list: SchemaNode, above: DataNode): readonly string[] | undefined;
  /** Whether something may be below the node that the user may neither read nor delete; of its children `isAsked` says which count. */
  mayHide(node: DataNode, isAsked?: (child: SchemaNode) => boolean): boolean;
  /** Counts a denial that no single right is the reason for. */
  countDenial(): void;
}

/** What a denial asks for where any right to write would do. */
const ANY: readonly Write[] = ['update', 'create', 'delete'];

/** The rights that a hidden node must have one of; none for what is asked further down. */
function needed(operation: Operation, isLast: boolean): readonly Write[] {
  if (operation === 'delete' || operation === 'remove') return ['delete'];
  if (operation === 'create') return ['create'];
  if (operation === 'replace') return ANY;
  if (operation === 'move') return ['update'];
  return isLast ? (operation === 'merge' ? ['update', 'create'] : ANY) : [];
}

/**
 * An authorization that is asked about nodes that the user may read, or about those that he may not read, and permits the others. Of an
 * order it asks about the places of its nodes among all of both that he may not move, those of its own kind and, of hidden ones, the others.
 */
export function ofHidden(authorize: Authorize, isHidden: boolean): Authorize {
  const { secrecy } = authorize;
  const isOther = (node: DataNode) => (shown(node, authorize) !== node) !== isHidden;
  const asked = (node: DataNode, write: Write) => isOther(node) || authorize(node, write);
  const askedQuietly = (node: DataNode, write: Write) => (!isHidden && isOther(node)) || holds(node, write, authorize);
  const isAllOther = (schema: SchemaNode, above: DataNode) =>
    isUnseen(above, authorize) ? !isHidden : isHidden && (secrecy?.readsEvery(schema, above) ?? true);
  const writesEvery = (schema: SchemaNode, above: DataNode, write: Write) =>
    isAllOther(schema, above) || mayWriteEach(schema, above, authorize, [write]);
  return Object.assign(asked, { secrecy, writesEvery, ruledKeys: authorize.ruledKeys, holds: askedQuietly });
}

/** As `askBlindly` for a whole configuration in the place of a tree, a root too. @throws ManagementError access-denied */
export function askReplacement(tree: DataNode, edit: DataNode, authorize: Authorize): void {
  requireNothingHidden(tree, authorize);
  askBlindly(edit, 'replace', authorize);
}

/** Whether the user has a right; no denial. */
export function holds(node: DataNode, write: Write, authorize: Authorize): boolean {
  return (authorize.holds ?? authorize.secrecy?.holds.bind(authorize.secrecy) ?? authorize)(node, write);
}

/** Whether nodes of a schema below `above`, and all below them, need not be asked about: the rules permit each. */
export function mayWriteEach(
  schema: SchemaNode,
  above: DataNode,
  authorize: Authorize | undefined,
  writes: readonly Write[] = ANY,
): boolean {
  return !authorize || writes.every((write) => authorize.writesEvery?.(schema, above, write) ?? false);
}

/** Rows of a table that have to be asked about. */
export type AskedRows = ReadonlySet<number> | 'all';

const NO_ROWS: ReadonlySet<number> = new Set();

/** None where the rules permit each row with all it has; those that the rules name where they permit each other one; else all. */
export function rowsToAsk(
  list: SchemaNode,
  table: DataNode,
  authorize: Authorize | undefined,
  writes: readonly Write[] = ANY,
): AskedRows {
  if (mayWriteEach(list, table, authorize, writes)) return NO_ROWS;
  const keys = authorize?.ruledKeys?.(list, table);
  // An entry without its key is one that no rule names.
  const other = new DataNode(list);
  other.parent = table;
  return keys && mayWriteEach(list, other, authorize, writes) ? numbersOf(keys) : 'all';
}

/** Asks for the rights to all hidden nodes of an edit, a root. @throws ManagementError access-denied */
export function askBlindly(edit: DataNode, operation: Operation, authorize: Authorize): void {
  const { secrecy } = authorize;
  if (!secrecy) return;
  const ask = (node: DataNode, inherited: Operation, isBelowHidden: boolean): void => {
    const asked = node.operation ?? inherited;
    // Writing a default that is tagged as one takes away what was set.
    const own = node.isDefault && (asked === 'merge' || asked === 'replace') ? 'remove' : asked;
    const isHidden = isBelowHidden || secrecy.isHidden(node);
    const children = [...node.childMap.values()].filter(({ schema }) => !schema.isKey);
    const isLast = children.length === 0 && !node.bulk;
    const rights = isHidden ? needed(own, isLast) : [];
    if (rights.length > 0 && !rights.some((right) => secrecy.holds(node, right))) {
      requireRight(node, rights[0] ?? 'update', authorize);
    }
    if (own === 'delete' || own === 'remove') return;
    for (const child of children) ask(child, own, isHidden);
    for (const row of hiddenRows(node, isHidden, authorize)) ask(row, own, isHidden);
  };
  for (const child of edit.childMap.values()) ask(child, operation, false);
}

/** The entries that came as rows, unless all of them may be read. */
function* hiddenRows(table: DataNode, isHidden: boolean, authorize: Authorize): Generator<DataNode> {
  const schema = table.schema.children.find((child) => child.rows);
  if (!schema || !table.bulk || (!isHidden && authorize.secrecy?.readsEvery(schema, table))) return;
  const asked = rowsToAsk(schema, table, authorize);
  for (const number of asked === 'all' ? table.bulk.numbers() : asked) {
    const value = table.bulk.get(number);
    if (!value) continue;
    const entry = bindingToNode(schema, openRow(number, value));
    entry.remove(entry.child('origin')?.id ?? '');
    entry.parent = table;
    yield entry;
  }
}

/** @throws ManagementError access-denied where something below the node may be hidden that may not be deleted */
export function requireNothingHidden(
  node: DataNode,
  authorize: Authorize | undefined,
  isAsked?: (child: SchemaNode) => boolean,
): void {
  if (!authorize?.secrecy?.mayHide(node, isAsked)) return;
  authorize.secrecy.countDenial();
  throw denied(shown(node, authorize), 'delete all that may be below');
}

/**
 * Asks before a node of one case comes and removes the other cases of its choices (RFC 7950 §7.9): unless the user sees that its case is
 * there, or the answer would tell of the others. @throws ManagementError access-denied
 */
export function requireNoHiddenCase(parent: DataNode, schema: SchemaNode, authorize: Authorize | undefined): void {
  if (!authorize?.secrecy) return;
  for (const [choice, name] of schema.dump.choices ?? []) {
    const caseOf = (child: SchemaNode) => child.dump.choices?.find((made) => made[0] === choice)?.[1];
    const isSeen = [...parent.childMap.values()].some(
      (child) => caseOf(child.schema) === name && showsSomething(child, authorize),
    );
    if (!isSeen) requireNothingHidden(parent, authorize, (child) => ![undefined, name].includes(caseOf(child)));
  }
}

/** Whether the user sees that a node is there: of a container without presence, that something is in it. */
function showsSomething(node: DataNode, authorize: Authorize): boolean {
  if (isUnseen(node, authorize)) return false;
  if (node.schema.kind !== 'container' || node.schema.presence) return true;
  return [...node.childMap.values()].some((child) => showsSomething(child, authorize));
}

/** Whether a node or one above it is hidden. */
export function isUnseen(node: DataNode, authorize: Authorize | undefined): boolean {
  return authorize?.secrecy !== undefined && shown(node, authorize) !== node;
}

/** Whether entries of a list, or values of a leaf-list, could be hidden among those that the user sees below `parent`. */
export function mayHideEntries(parent: DataNode, schema: SchemaNode, authorize: Authorize | undefined): boolean {
  const { secrecy } = authorize ?? {};
  if (!secrecy) return false;
  const named = schema.child(schema.keys[0] ?? '') ?? schema;
  return isUnseen(parent, authorize) || !secrecy.readsEach(schema, parent) || !secrecy.readsEvery(named, parent);
}

/**
 * `isNamed` when a client has named the node or one above; of a hidden node that he has not named he learns that there is one, as
 * RFC 8341 §3.2.6 and §3.2.8 want it, and not where.
 * @throws ManagementError access-denied with the path of the node, or of the last one above that the user may read
 */
export function requireRight(node: DataNode, operation: Write, authorize: Authorize, isNamed = true): void {
  if (authorize(node, operation)) return;
  const visible = shown(node, authorize);
  if (visible === node) throw denied(node, operation);
  if (isNamed) throw denied(visible, 'change what is below');
  throw new ManagementError('access-denied', { message: 'no right to change something that may not be read either' });
}

/** As `requireRight`, for an entry of the binding table that comes or goes with all it has. */
export function requireWhole(
  entry: DataNode,
  operation: 'create' | 'delete',
  authorize: Authorize,
  isNamed: boolean,
): void {
  requireRight(entry, operation, authorize, isNamed);
  for (const leaf of entry.childMap.values())
    if (leaf.schema.config && !leaf.schema.isKey) requireRight(leaf, operation, authorize, isNamed);
}

function denied({ path }: DataNode, what: string): ManagementError {
  const place = path === '' ? 'the top' : path;
  return new ManagementError('access-denied', {
    path: path === '' ? undefined : path,
    message: `no right to ${what} ${place}`,
  });
}

/** The node, or the last one above it that may be read with all above that. */
function shown(node: DataNode, { secrecy }: Authorize): DataNode {
  let visible = node;
  for (let at: DataNode | undefined = node; at?.parent; at = at.parent) {
    if (secrecy?.isHidden(at)) visible = at.parent;
  }
  return visible;
}
