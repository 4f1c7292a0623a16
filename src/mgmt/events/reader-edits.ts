/**
 * The edits of a change for those who may not read all of it, where the edits for who may read all stand for several at once: each kind of
 * reader has a list of his own, bounded by what he sees, so that nothing which he may not read takes the place of what he may.
 */

import { createHash } from 'node:crypto';
import { instanceOf } from '../../state/content.ts';
import type { DataNode } from '../../state/data.ts';
import type { Change, RowChange, StoredChange, Tally } from '../../state/request.ts';
import { Slice } from '../../state/row-changes.ts';
import { bindingToNode } from '../../state/rows.ts';
import type { Rights } from '../access.ts';
import { AccessControl } from '../access.ts';
import { rowSchema } from '../row-node.ts';
import { tableRights } from '../row-rights.ts';
import type { ConfigEdit } from './config-edits.ts';
import { allInOne, changedTables, MAX_ALL_EDITS, MAX_ROW_EDITS, rowEdit, sizeOf, treeEdits } from './config-edits.ts';

/** By the mark of rights, what readers who have them are told. */
export type ReaderEdits = Readonly<Record<string, readonly ConfigEdit[]>>;

/** Beside the event in its record. */
export const READERS = 'readers';

/** Kinds of readers who have lists of their own; others are told what may be told to anyone who reads the same. */
export const MAX_READERS = 8;

/** What an event is kept with for readers of these rights. */
export function markOf({ readingMark }: Rights): string {
  return createHash('sha256').update(readingMark).digest('base64url').slice(0, 16);
}

/** For the users that the configuration names and for those whom it does not name. */
export async function readerEdits(change: Change): Promise<ReaderEdits> {
  const found: Record<string, readonly ConfigEdit[]> = {};
  for (const rights of new AccessControl(() => change.after).readers(MAX_READERS)) {
    found[markOf(rights)] = await editsFor(change, rights);
  }
  return found;
}

/** Whether all that could be below a node may be read. */
export function readsBelow(rights: Rights, node: DataNode): boolean {
  return node.schema.children.every((child) => !child.config || rights.readsEvery(child, node));
}

async function editsFor(change: Change, rights: Rights): Promise<ConfigEdit[]> {
  const reader = {
    isHidden: (node: DataNode) => rights.isHidden(node),
    readsBelow: (node: DataNode) => readsBelow(rights, node),
  };
  const edits = change.treeChanged ? treeEdits(change.before, change.after, reader) : [];
  const tables = new Map([...seenTables(change.after, rights)].map((table) => [instanceOf(table), table]));
  for (const { table, instance, tally } of changedTables(change, edits)) {
    const node = tables.get(instance);
    if (node) edits.push(...(await rowEdits(table, node, tally, change.rowsOf(instance), rights)));
  }
  return edits.length > MAX_ALL_EDITS ? allInOne(edits) : edits;
}

function* seenTables(root: DataNode, rights: Rights): Generator<DataNode> {
  const softwire = root.child('softwire', 'gi-4over6');
  for (const aftr of softwire && !rights.isHidden(softwire) ? softwire.entries('aftr') : []) {
    const table = aftr.child('binding-table');
    if (table && !rights.isHidden(aftr) && !rights.isHidden(table)) yield table;
  }
}

/** Those rows that are seen, in slices, until there are too many. */
async function rowEdits(
  path: string,
  table: DataNode,
  tally: Tally,
  changes: Iterable<StoredChange>,
  rights: Rights,
): Promise<ConfigEdit[]> {
  const whole: ConfigEdit[] = [{ target: path, operation: 'merge' }];
  const { rows, named } = tableRights(rights, table);
  if (rows === 'whole' && sizeOf(tally) > MAX_ROW_EDITS) return whole;
  // Other values of a row are told to who may read all of it.
  const tellsChanged = !rowSchema(table).children.some((leaf) => leaf.config && rights.readsNone(leaf, table));
  if (rows === 'none' || (!tellsChanged && tally.added + tally.removed === 0)) return [];
  const edits: ConfigEdit[] = [];
  const slice = new Slice();
  for (const change of changes) {
    await slice.end();
    // What is known by its number is not read.
    if (!(named?.seen.get(change.number) ?? named?.others ?? true)) continue;
    const isChanged = change.sealedBefore && change.sealedAfter;
    if ((tellsChanged || !isChanged) && isTold(change, table, rights)) edits.push(rowEdit(path, change));
    if (edits.length > MAX_ROW_EDITS) return whole;
  }
  return edits;
}

function isTold({ before, after }: RowChange, table: DataNode, rights: Rights): boolean {
  const binding = after ?? before;
  if (!binding) return false;
  const entry = bindingToNode(rowSchema(table), binding);
  entry.parent = table;
  return !rights.isHidden(entry) && (!before || !after || readsBelow(rights, entry));
}
