/**
 * compare of ietf-nmda-compare (RFC 9144) by reading both sides: for a part of them, and for operational. What is compared is
 * what get-data would answer, so a caller learns of nothing that he may not read.
 *
 *   1. both are read at one moment, each with the filter
 *   2. nodes that one side has on the way to what is compared, and the other has too, are no difference
 *   3. the small trees are compared, and the rows of each table in one pass over both, unless they are the same rows
 */

import { parseIpv4Prefix } from '../address.ts';
import { DataNode } from '../state/data.ts';
import { prefixNumber } from '../state/rows.ts';
import type { ReadRequest } from './operations.ts';
import { originOf } from './origin.ts';
import type { PatchStep } from './patch.ts';
import { isThere, PatchWalk, tablesOf } from './patch.ts';
import { Pause } from './pause.ts';
import type { Reading } from './reading.ts';
import type { AnySelection } from './selection.ts';

/** A datastore that can be compared; `actual` is its small tree, whole. */
export interface Side {
  readonly isOperational: boolean;
  readonly datastore: ReadRequest['datastore'];
  readonly actual: DataNode;
}

export interface CompareRequest {
  readonly source: Side;
  readonly target: Side;
  readonly selection: AnySelection | undefined;
  /** Also nodes that only one of the two can hold by their nature. */
  readonly all: boolean;
  readonly reportOrigin: boolean;
  /** What the caller may read of the small trees. */
  readonly mayRead: (node: DataNode) => boolean;
}

/** The differences, made while they are asked for; `close` ends both readings. */
export async function compareReadings(
  request: CompareRequest,
  read: (request: ReadRequest) => Promise<Reading>,
): Promise<{ readonly steps: Generator<PatchStep>; readonly close: () => void }> {
  const { source, target } = request;
  // Both views are opened before anything else can happen.
  const opened = await Promise.allSettled([read(readRequest(source, request)), read(readRequest(target, request))]);
  const readings = opened.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const close = () => {
    for (const reading of readings) reading.close();
  };
  const [from, to] = readings;
  if (!from || !to) {
    close();
    throw opened.find((result) => result.status === 'rejected')?.reason;
  }
  shareShells(from, to, source.actual, target.actual, request.mayRead);
  const marked = [...(source.isOperational ? [from.root] : []), ...(target.isOperational ? [to.root] : [])];
  const walk = new PatchWalk(
    () => true,
    request.reportOrigin ? (copy, original) => withOrigin(copy, original, marked) : undefined,
  );
  const isAlike = source.datastore === target.datastore && !request.selection && !request.all;
  return { steps: isAlike ? walk.children(from.root, to.root) : readingSteps(from, to, walk), close };
}

/**
 * The differences of two readings with one filter; `before` and `after` are the small trees they were made from, whole, of which
 * `mayRead` says what may be read. What is only on the way to what is selected, on one side and in both trees, is no difference.
 */
export function readingDifferences(
  from: Reading,
  to: Reading,
  before: DataNode,
  after: DataNode,
  mayRead: (node: DataNode) => boolean,
): Generator<PatchStep> {
  shareShells(from, to, before, after, mayRead);
  return readingSteps(from, to, new PatchWalk(() => true));
}

/** The differences of two readings as they are: also what is only on the way to what is selected. */
export function wholeDifferences(from: Reading, to: Reading): Generator<PatchStep> {
  return readingSteps(from, to, new PatchWalk(() => true));
}

function shareShells(
  from: Reading,
  to: Reading,
  before: DataNode,
  after: DataNode,
  mayRead: (node: DataNode) => boolean,
): void {
  addShells(from.root, to.root, before, mayRead);
  addShells(to.root, from.root, after, mayRead);
}

/** State is compared where it is asked for, defaults where they are in use: in operational. */
function readRequest(
  { isOperational, datastore }: Side,
  { selection, all, reportOrigin }: CompareRequest,
): ReadRequest {
  if (!isOperational) return { datastore, content: 'config', selection, asNodes: true };
  const shown = { withDefaults: 'report-all', origins: { isShown: reportOrigin }, isOperational } as const;
  return { datastore, content: all ? 'all' : 'config', selection, asNodes: true, ...shown };
}

/** Adds to `copy` the inner nodes that `other` has and that are in `actual` for who reads it, with nothing but their keys. */
function addShells(copy: DataNode, other: DataNode, actual: DataNode, mayRead: (node: DataNode) => boolean): void {
  for (const [id, child] of other.childMap) {
    const real = actual.get(id);
    if (!real || child.schema.isLeaf || child.schema.rows || !child.schema.config || !isThere(real, mayRead)) continue;
    addShells(copy.get(id) ?? copy.add(shellOf(child)), child, real, mayRead);
  }
}

function shellOf(node: DataNode): DataNode {
  const shell = new DataNode(node.schema);
  for (const key of node.schema.keys) {
    const leaf = node.child(key);
    if (leaf) shell.add(new DataNode(leaf.schema, leaf.value, leaf.type));
  }
  return shell;
}

function withOrigin(copy: DataNode, original: DataNode, roots: readonly DataNode[]): DataNode {
  let top = original;
  while (top.parent) top = top.parent;
  if (roots.includes(top) && original.schema.config) copy.origin = originOf(original);
  return copy;
}

function* readingSteps(from: Reading, to: Reading, walk: PatchWalk): Generator<PatchStep> {
  const [before, after] = [tablesOf(from.root), tablesOf(to.root)];
  for (const [name, table] of before) if (!after.has(name)) yield* mergeRows(rowsOf(from, table), [], walk);
  yield* walk.children(from.root, to.root);
  for (const [name, table] of after) {
    const old = before.get(name);
    yield* mergeRows(old ? rowsOf(from, old) : [], rowsOf(to, table), walk);
  }
}

/** An entry with its place, or what to wait for before the next. */
type RowStep = DataNode | Promise<void>;

function* rowsOf(reading: Reading, table: DataNode): Generator<RowStep> {
  for (const entry of reading.rows(table)) {
    if (entry instanceof Pause) yield entry.until;
    else {
      entry.parent = table;
      // Without its key it cannot be told from others.
      if (!Number.isNaN(numberOf(entry))) yield entry;
    }
  }
}

function numberOf(entry: DataNode): number {
  const prefix = parseIpv4Prefix(entry.leaf('ipv4-prefix') ?? '');
  return prefix ? prefixNumber(prefix.address, prefix.length) : Number.NaN;
}

/** Rows that are compared in one piece while others wait. */
const ROWS_AT_ONCE = 1_000;

/** Both sides in key order. */
function* mergeRows(from: Iterable<RowStep>, to: Iterable<RowStep>, walk: PatchWalk): Generator<PatchStep> {
  const [left, right] = [from[Symbol.iterator](), to[Symbol.iterator]()];
  let [old, fresh] = [yield* nextOf(left), yield* nextOf(right)];
  for (let seen = 1; old || fresh; seen++) {
    const order =
      (old ? numberOf(old) : Number.POSITIVE_INFINITY) - (fresh ? numberOf(fresh) : Number.POSITIVE_INFINITY);
    yield* walk.row(order <= 0 ? old : undefined, order >= 0 ? fresh : undefined);
    if (order <= 0) old = yield* nextOf(left);
    if (order >= 0) fresh = yield* nextOf(right);
    if (seen % ROWS_AT_ONCE === 0) yield new Promise((resolve) => setImmediate(resolve));
  }
}

function* nextOf(steps: Iterator<RowStep>): Generator<Promise<void>, DataNode | undefined> {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return undefined;
    if (!(value instanceof Promise)) return value;
    yield value;
  }
}
