/**
 * Partial locks of running (RFC 5717): nodes that one session alone may change, with all below them. The nodes are those that
 * the expressions gave when the lock was taken; a node that goes, which only its holder can cause, is locked no more.
 *
 * Whatever would change running asks here when it is about to be committed, with what it changes: an edit through any face,
 * a commit of the candidate, a copy, a roll-back. What only looks at a locked node, or sends what it is already, passes.
 */

import { parseIpv4Prefix } from '../address.ts';
import type { Binding } from './binding.generated.ts';
import type { DataNode } from './data.ts';
import { ManagementError } from './errors.ts';
import type { Caller, Change, DatastoreName, Participant } from './request.ts';
import { bindingToNode, prefixNumber } from './rows.ts';
import type { SchemaNode } from './schema.ts';

/** Nodes of one lock, and of all locks together. */
export const MAX_LOCKED_NODES = 1_000;
export const MAX_ALL_LOCKED_NODES = 10_000;
/** Locks of one session. */
export const MAX_LOCKS = 100;

export interface PartialLock {
  readonly id: number;
  readonly session: number;
  readonly since: Date;
  /** The expressions, as they came. */
  readonly select: readonly string[];
  /** Instance paths (RFC 7951 form) of the nodes that are locked. */
  readonly paths: readonly string[];
}

/** A locked node by the ids of the nodes from the top down to it. */
interface Place {
  readonly path: string;
  readonly ids: readonly string[];
  readonly schema: SchemaNode;
  /** The AFTR whose table it stands in or above. */
  readonly instance: string | undefined;
  /** The row it is or stands in: number of the prefix, and the ids from the row on. */
  readonly row: { readonly schema: SchemaNode; readonly number: number; readonly below: readonly string[] } | undefined;
}

interface HeldLock extends Omit<PartialLock, 'paths'> {
  places: readonly Place[];
}

/** What differs from running. */
type Differences = Pick<Change, 'before' | 'after' | 'treeChanged' | 'tallies' | 'rowsOf'>;

export class PartialLocks implements Participant {
  #locks: readonly HeldLock[] = [];
  #lastId = 0;

  get all(): readonly PartialLock[] {
    return this.#locks.map(({ places, ...lock }) => ({ ...lock, paths: places.map(({ path }) => path) }));
  }

  /**
   * Locks nodes of running, each once; the lock.
   * @throws ManagementError lock-denied with the session that has locked a node, one above or one below; resource-denied
   */
  take(caller: Caller, select: readonly string[], nodes: readonly DataNode[]): PartialLock {
    const { session } = caller;
    const places = [...new Map(nodes.map((node) => [node.path, placeOf(node)])).values()];
    for (const lock of this.#locks) {
      if (lock.session === session) continue;
      const taken = lock.places.find((one) => places.some((other) => meet(one, other)));
      if (taken)
        throw lockDenied('running', lock.session, `session ${lock.session} has locked ${taken.path}`, taken.path);
    }
    this.#requireRoom(session, places.length);
    this.#lastId = nextId(this.#lastId, this.#locks);
    const lock = { id: this.#lastId, session, since: new Date(), select, places };
    this.#locks = [...this.#locks, lock];
    return { ...lock, paths: places.map(({ path }) => path) };
  }

  #requireRoom(session: number, nodes: number): void {
    const held = this.#locks.reduce((sum, { places }) => sum + places.length, 0);
    const own = this.#locks.filter((lock) => lock.session === session).length;
    if (nodes <= MAX_LOCKED_NODES && held + nodes <= MAX_ALL_LOCKED_NODES && own < MAX_LOCKS) return;
    const message = `a partial lock has at most ${MAX_LOCKED_NODES} nodes, all together ${MAX_ALL_LOCKED_NODES}, a session ${MAX_LOCKS} of them: lock a node above`;
    throw new ManagementError('resource-denied', { type: 'protocol', message });
  }

  /** @throws ManagementError invalid-value when the caller's session holds no lock of that id */
  release(caller: Caller, id: number): void {
    const rest = this.#locks.filter((lock) => lock.id !== id || lock.session !== caller.session);
    if (rest.length === this.#locks.length) {
      const message = `session ${caller.session} holds no partial lock ${id}`;
      throw new ManagementError('invalid-value', { type: 'protocol', message, info: { 'bad-element': 'lock-id' } });
    }
    this.#locks = rest;
  }

  releaseAll(session: number): void {
    this.#locks = this.#locks.filter((lock) => lock.session !== session);
  }

  /** @throws ManagementError lock-denied when anything of running is locked, by whomever (RFC 5717 §2.5) */
  requireNone(): void {
    const lock = this.#locks.find(({ places }) => places.length > 0);
    if (lock) throw lockDenied('running', lock.session, `session ${lock.session} has locked a part of it`);
  }

  /** Whether another session has locked something. */
  concern(caller: Caller): boolean {
    return this.#locks.some((lock) => lock.places.length > 0 && !isOwn(lock, caller));
  }

  /** @throws ManagementError in-use (RFC 5717 §2.5) for a change of a node that another session has locked */
  requireFree(caller: Caller, change: Differences): void {
    for (const lock of this.#locks) {
      const changed = isOwn(lock, caller) ? undefined : firstChanged(lock.places, change);
      if (changed) throw locked(lock.session, changed.path);
    }
  }

  /** Refuses as `requireFree`: validation may have taken nodes out since that was asked. */
  async prepare(change: Change): Promise<(version: number) => Promise<void>> {
    if (!change.isReturn) this.requireFree(change.caller, change);
    return async () => this.#forgetGone(change);
  }

  #forgetGone(change: Change): void {
    if (this.#locks.length === 0) return;
    for (const lock of this.#locks) {
      const gone = goneRows(lock.places, change);
      lock.places = lock.places.filter((place) => !gone.has(place) && (isInRow(place) || at(change.after, place.ids)));
    }
  }
}

function isOwn({ session }: HeldLock, caller: Caller): boolean {
  return caller.session !== 0 && session === caller.session;
}

/** Ids are those of no lock there is; the type is uint32. */
function nextId(last: number, locks: readonly HeldLock[]): number {
  let id = last;
  do id = id >= 2 ** 32 - 1 ? 1 : id + 1;
  while (locks.some((lock) => lock.id === id));
  return id;
}

function locked(session: number, path: string): ManagementError {
  return new ManagementError('in-use', {
    type: 'protocol',
    appTag: 'locked',
    path,
    message: `session ${session} has locked ${path}`,
    info: { 'session-id': String(session) },
  });
}

function placeOf(node: DataNode): Place {
  const ids: string[] = [];
  let instance: string | undefined;
  let row: Place['row'];
  for (let up: DataNode | undefined = node; up && !up.schema.isRoot; up = up.parent) {
    if (up.schema.rows) row = { schema: up.schema, number: numberOf(up), below: [...ids] };
    ids.unshift(up.id);
    // The topmost list says whose table it is.
    if (up.schema.kind === 'list') instance = up.keyValues()[0] ?? '';
  }
  return { path: node.path, ids, schema: node.schema, instance, row };
}

function numberOf(entry: DataNode): number {
  const prefix = parseIpv4Prefix(entry.leaf('ipv4-prefix') ?? '');
  return prefix ? prefixNumber(prefix.address, prefix.length) : 0;
}

/** Whether one is the other, or above it. */
function meet(one: Place, other: Place): boolean {
  const shorter = Math.min(one.ids.length, other.ids.length);
  return one.ids.slice(0, shorter).every((id, index) => id === other.ids[index]);
}

function at(tree: DataNode, ids: readonly string[]): DataNode | undefined {
  let node: DataNode | undefined = tree;
  for (const id of ids) node = node?.get(id);
  return node;
}

function firstChanged(places: readonly Place[], change: Differences): Place | undefined {
  const small = places.find(
    (place) => !isInRow(place) && (isTreeChanged(place, change) || areRowsChanged(place, change)),
  );
  return small ?? changedRow(places.filter(isInRow), change);
}

function isTreeChanged({ ids }: Place, { before, after, treeChanged }: Differences): boolean {
  return treeChanged && !isSame(at(before, ids), at(after, ids));
}

/** Whether they are equal; a container without presence that holds nothing is as good as none. */
function isSame(one: DataNode | undefined, other: DataNode | undefined): boolean {
  if (one === other) return true;
  const [a, b] = [one, other].map((node) => (node && isEmptyContainer(node) ? undefined : node));
  if (!a || !b) return a === b;
  if (a.value !== b.value) return false;
  const children = (node: DataNode) => [...node.childMap].filter(([, child]) => !isEmptyContainer(child));
  const [mine, theirs] = [children(a), children(b)];
  if (mine.length !== theirs.length) return false;
  // The order of a list that the system orders says nothing, and it is kept all the same.
  return mine.every(([id, child], index) => {
    const isInPlace = !child.schema.dump.userOrdered || theirs[index]?.[0] === id;
    return isInPlace && isSame(child, b.get(id));
  });
}

function isEmptyContainer({ schema, childMap }: DataNode): boolean {
  if (schema.kind !== 'container' || schema.presence) return false;
  return [...childMap.values()].every(isEmptyContainer);
}

/** Whether rows change that stand below a node of the small tree. */
function areRowsChanged({ schema, instance }: Place, { tallies }: Differences): boolean {
  if (!holdsRows(schema)) return false;
  const touched = (name: string) => {
    const tally = tallies.get(name);
    return tally !== undefined && tally.added + tally.changed + tally.removed > 0;
  };
  return instance === undefined ? [...tallies.keys()].some(touched) : touched(instance);
}

function holdsRows(schema: SchemaNode): boolean {
  return schema.children.some((child) => child.rows || holdsRows(child));
}

function isInRow({ row }: Place): boolean {
  return row !== undefined;
}

function changedRow(places: readonly Place[], change: Differences): Place | undefined {
  for (const { place, before, after } of changedRows(places, change)) if (!isSame(before, after)) return place;
  return undefined;
}

/** Places in rows that a change has removed, or whose leaf it has. */
function goneRows(places: readonly Place[], change: Differences): ReadonlySet<Place> {
  const gone = new Set<Place>();
  for (const { place, after } of changedRows(places, change)) if (!after) gone.add(place);
  return gone;
}

/** A place whose row changes, and what stands there before and after. */
interface ChangedPlace {
  readonly place: Place;
  readonly before: DataNode | undefined;
  readonly after: DataNode | undefined;
}

function* changedRows(places: readonly Place[], change: Differences): Generator<ChangedPlace> {
  for (const [instance, wanted] of byTable(places)) {
    if (!change.tallies.has(instance)) continue;
    for (const { before, after } of change.rowsOf(instance)) {
      const binding = after ?? before;
      const here = binding && wanted.get(prefixNumber(binding.address, binding.length));
      for (const place of here ?? []) {
        yield { place, before: valueAt(place, before), after: valueAt(place, after) };
      }
    }
  }
}

/** Places by their table and the number of their row. */
function byTable(places: readonly Place[]): Map<string, Map<number, Place[]>> {
  const tables = new Map<string, Map<number, Place[]>>();
  for (const place of places) {
    const { row, instance = '' } = place;
    if (!row) continue;
    const table = tables.get(instance) ?? new Map<number, Place[]>();
    tables.set(instance, table);
    table.set(row.number, [...(table.get(row.number) ?? []), place]);
  }
  return tables;
}

function valueAt({ row }: Place, binding: Binding | undefined): DataNode | undefined {
  return row && binding && at(bindingToNode(row.schema, binding), row.below);
}

/** The refusal of a lock; session 0 when no NETCONF session is the reason. */
export function lockDenied(datastore: DatastoreName, session: number, reason: string, path?: string): ManagementError {
  const message = `the lock of ${datastore} is denied: ${reason}`;
  return new ManagementError('lock-denied', {
    type: 'protocol',
    message,
    path,
    info: { 'session-id': String(session) },
  });
}
