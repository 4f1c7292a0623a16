/**
 * A part of a list (draft-ietf-netconf-list-pagination §3.1) as values, and how it is found among entries that are at hand. The
 * working result-set is what `where` leaves, sorted, in its direction; of it goes out what stands from the cursor or offset on, up
 * to the limit. The binding table is never at hand: row-page.ts finds a part of it.
 */

import type { DataNode, PageMarks } from '../state/data.ts';
import { ManagementError } from '../state/errors.ts';
import type { SchemaNode } from '../state/schema.ts';
import type { RowCondition } from './row-condition.ts';

export interface PageRequest {
  /** The list or leaf-list. */
  readonly list: SchemaNode;
  /** Whether an entry is wanted. */
  readonly where?: ((entry: DataNode) => boolean) | undefined;
  /** The same of a binding without a node, for callers who may read every leaf; undefined where it needs one. */
  readonly whereRow?: RowCondition | undefined;
  /** Canonical keys outside which `where` is false for every entry, where it says that. */
  readonly whereKeys?: readonly string[] | undefined;
  readonly sort?: SortOrder | undefined;
  readonly isBackwards: boolean;
  readonly offset: number;
  readonly cursor?: Cursor | undefined;
  /** Infinity where there is none. */
  readonly limit: number;
}

/** An order by a leaf of the entries. */
export interface SortOrder {
  /** Leads from an entry to the leaf; empty for the value of a leaf-list itself. */
  readonly path: readonly SchemaNode[];
  /** Of two values that are there. */
  readonly compare: (a: string, b: string) => number;
  readonly locale: string;
}

/** Where a page begins: the keys of its first entry, and how many stand before it in a version, where that is known. */
export interface Cursor {
  readonly keys: readonly string[];
  readonly version?: number | undefined;
  readonly rank?: number | undefined;
}

/** The cursor as a client gets it: opaque to him, and the same for the same place. */
export function printCursor({ keys, version, rank }: Cursor): string {
  const parts = version === undefined || rank === undefined ? [keys] : [keys, version, rank];
  return Buffer.from(JSON.stringify(parts)).toString('base64url');
}

/** Undefined for what is none. */
export function parseCursor(text: string): Cursor | undefined {
  let parts: unknown;
  try {
    parts = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
  } catch {
    return undefined;
  }
  if (!Array.isArray(parts)) return undefined;
  const [keys, version, rank] = parts as readonly unknown[];
  if (!Array.isArray(keys) || !keys.every((key): key is string => typeof key === 'string')) return undefined;
  const isPlaced = Number.isSafeInteger(version) && Number.isSafeInteger(rank);
  return isPlaced ? { keys, version: Number(version), rank: Number(rank) } : { keys };
}

/** The leaf that an entry is sorted by; one without it stands behind all that have it. */
export function sortLeaf(entry: DataNode, { path }: SortOrder): DataNode | undefined {
  let node: DataNode | undefined = entry;
  for (const { name, module } of path) node = node?.child(name, module);
  return node;
}

/** Of two values of entries; 0 leaves them in the order of the list. */
export function compareValues(a: string | undefined, b: string | undefined, { compare }: SortOrder): number {
  if (a === undefined || b === undefined) return a === b ? 0 : a === undefined ? 1 : -1;
  return compare(a, b);
}

export function cursorNotFound(): ManagementError {
  const message = 'the cursor leads to no entry of this list, it may be gone: begin anew without one';
  return new ManagementError('invalid-value', { appTag: 'cursor-not-found', message });
}

export function offsetOutOfRange(offset: number, count: number): ManagementError {
  const message = `offset=${offset}: there are ${count} entries`;
  return new ManagementError('invalid-value', { appTag: 'offset-out-of-range', message });
}

/** A list without keys has no cursors. */
export function hasCursors({ kind, keys }: SchemaNode): boolean {
  return kind === 'list' && keys.length > 0;
}

export interface Page {
  readonly entries: readonly DataNode[];
  readonly marks: PageMarks;
}

/**
 * The part of `entries` (what goes out, in the order of the list) that is wanted; `whole` has the same entries with all that
 * they hold, by which they are chosen and sorted.
 * @throws ManagementError invalid-value with app-tag cursor-not-found, offset-out-of-range
 */
export function pageOf(entries: readonly DataNode[], whole: readonly DataNode[], page: PageRequest): Page {
  const { where, sort, isBackwards, offset, cursor, limit, list } = page;
  let set = whole.map((entry, place) => ({ entry, place }));
  if (where) set = set.filter(({ entry }) => where(entry));
  if (sort) {
    const values = new Map(set.map(({ entry }) => [entry, sortLeaf(entry, sort)?.value]));
    set.sort((a, b) => compareValues(values.get(a.entry), values.get(b.entry), sort));
  }
  if (isBackwards) set.reverse();
  const isHere = ({ entry }: { entry: DataNode }) => sameKeys(entry.keyValues(), cursor?.keys ?? []);
  const start = cursor ? set.findIndex(isHere) : offset;
  if (start < 0) throw cursorNotFound();
  if (start > set.length) throw offsetOutOfRange(offset, set.length);
  const cursorAt = (place: number) => {
    const entry = hasCursors(list) && limit !== Number.POSITIVE_INFINITY ? set[place]?.entry : undefined;
    return entry && printCursor({ keys: entry.keyValues() });
  };
  const end = Math.min(start + limit, set.length);
  const marks = {
    remaining: set.length - end || undefined,
    next: cursorAt(end),
    // An empty page has no entry that could say it.
    previous: start > 0 && end > start ? cursorAt(Math.max(0, start - limit)) : undefined,
    locale: sort?.locale,
  };
  return { entries: set.slice(start, end).flatMap(({ place }) => entries[place] ?? []), marks };
}

function sameKeys(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((key, index) => key === b[index]);
}
