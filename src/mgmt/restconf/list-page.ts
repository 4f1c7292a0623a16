/**
 * GET and HEAD of a part of a list (draft-ietf-netconf-list-pagination and -rc, as of module revision 2025-04-03):
 *
 *   1. the parameters become one value                             page-query.ts
 *   2. which entries go out: of a table                            row-page.ts
 *                            of a list that is at hand             page.ts
 *   3. these are read as the whole list would be, at the same moment
 *   4. the first one says what is left, and where the pages beside this one begin
 */

import { parseIpv4Prefix } from '../../address.ts';
import type { Binding } from '../../state/binding.generated.ts';
import type { DataNode, PageMarks } from '../../state/data.ts';
import { entryId } from '../../state/data.ts';
import { ManagementError } from '../../state/errors.ts';
import type { Caller } from '../../state/request.ts';
import type { SealedRow } from '../../state/rows.ts';
import { bindingToNode, openRow, prefixNumber } from '../../state/rows.ts';
import type { View } from '../../state/view.ts';
import { orphan } from '../defaults.ts';
import type { EntryList } from '../entry-list.ts';
import { withEntries } from '../entry-list.ts';
import type { Moment, ReadRequest } from '../operations.ts';
import type { PageRequest } from '../page.ts';
import { hasCursors, pageOf } from '../page.ts';
import { Pause } from '../pause.ts';
import type { Reading } from '../reading.ts';
import { rowInstance, rowSchema } from '../row-node.ts';
import { findRowPage } from '../row-page.ts';
import type { SelectionPart } from '../selection.ts';
import { pathSelection } from '../selection.ts';
import type { RestconfOperations } from './backend.ts';
import { notFound, RestconfFault } from './fault.ts';
import type { EntrySource, PageQuery } from './page-query.ts';
import { pageRequest } from './page-query.ts';
import type { PathStep } from './resource-path.ts';
import { printDataPath } from './resource-path.ts';
import { targetNodes } from './target.ts';

export interface ListPage {
  readonly reading: Reading;
  readonly entries: Iterable<DataNode>;
}

/**
 * The entries of a list that are wanted, in their order; the caller closes the reading. `asked` is how the list is read, with a
 * selection only where there is nothing; `fields` are the parts of an entry that go out.
 * @throws RestconfFault 400, 404, 416, 501 as `pageRequest`; 404 where there is nothing that could hold the list
 */
export async function readListPage(
  operations: RestconfOperations,
  caller: Caller,
  asked: ReadRequest,
  steps: readonly PathStep[],
  query: PageQuery,
  fields: readonly SelectionPart[] | undefined,
): Promise<ListPage> {
  const list = steps[steps.length - 1]?.schema;
  if (!list) throw new Error('a page of no list');
  // A conventional datastore has no state.
  if (asked.selection) throw notFound(`there is no ${printDataPath(steps)}`);
  const moment = operations.moment(caller, asked.datastore, asked.isOperational);
  try {
    const page = pageRequest(operations, list, query, entrySource(moment, asked));
    const wanted = { ...asked, selection: pathSelection(steps, fields) };
    const above = readableNode(moment, steps.slice(0, -1));
    const entries = above && moment.entryList(above, list);
    if (entries) return await readEntries(moment, wanted, steps, page, { above, entries });
    return list.rows
      ? await readRows(moment, wanted, steps, page)
      : await readSmall(moment, wanted, steps, page, fields !== undefined || asked.depth !== undefined);
  } catch (error) {
    moment.view.close();
    throw withStatus(error);
  }
}

async function readRows(
  moment: Moment,
  wanted: ReadRequest,
  steps: readonly PathStep[],
  page: PageRequest,
): Promise<ListPage> {
  const { view } = moment;
  const parents = steps.slice(0, -1);
  const table = readableNode(moment, parents);
  if (!table) throw notFound(`there is no ${printDataPath(steps)}`);
  const instance = rowInstance(table);
  const isVersioned = wanted.datastore === 'running';
  const rights = moment.ofRows(table);
  const { rows, marks } = await findRowPage({ view, instance, table, rights, isVersioned }, page);
  const reading = await moment.open(wanted, withRows(view, rows));
  return { reading, entries: marked(targetNodes(reading, steps), marks) };
}

/** A list that is made as it is read. */
async function readEntries(
  moment: Moment,
  wanted: ReadRequest,
  steps: readonly PathStep[],
  page: PageRequest,
  { above, entries }: { readonly above: DataNode; readonly entries: EntryList },
): Promise<ListPage> {
  const rights = moment.ofRows(above, entries.schema);
  const rows = { view: entries.rows, instance: '', table: above, entryOf: entries.entry, isVersioned: true };
  const found = await findRowPage({ ...rows, rights }, page);
  const reading = await moment.open(wanted, moment.view, withEntries(entries, found.rows));
  return { reading, entries: marked(targetNodes(reading, steps), found.marks) };
}

async function readSmall(
  moment: Moment,
  wanted: ReadRequest,
  steps: readonly PathStep[],
  page: PageRequest,
  isPartial: boolean,
): Promise<ListPage> {
  const reading = await moment.open(wanted);
  const entries = [...targetNodes(reading, steps)];
  const isChosen = page.where !== undefined || page.sort !== undefined;
  let pair = { entries, whole: entries };
  if (isPartial && isChosen) {
    if (!hasCursors(page.list)) {
      const message = `${page.list.path} has no keys: where and sort-by do not go with fields or depth`;
      throw new RestconfFault(501, 'operation-not-supported', { type: 'application', message });
    }
    const all = await moment.open({ ...wanted, selection: pathSelection(steps), depth: undefined });
    pair = matched(entries, [...targetNodes(all, steps)]);
  }
  if (entries.length === 0 && !readableNode(moment, steps.slice(0, -1))) {
    throw notFound(`there is no ${printDataPath(steps)}`);
  }
  const found = pageOf(pair.entries, pair.whole, page);
  return { reading, entries: marked(found.entries, found.marks) };
}

/** The entries that go out beside the same ones whole; one of which nothing goes out is left out. */
function matched(entries: readonly DataNode[], all: readonly DataNode[]): { entries: DataNode[]; whole: DataNode[] } {
  const known = new Map(entries.map((entry) => [entry.id, entry]));
  const whole = all.filter(({ id }) => known.has(id));
  return { entries: whole.flatMap(({ id }) => known.get(id) ?? []), whole };
}

/** The node the steps lead to, where the caller may read it and all above it. */
function readableNode({ view, mayRead }: Moment, steps: readonly PathStep[]): DataNode | undefined {
  let node: DataNode | undefined = view.tree;
  for (const { schema, keys } of steps) {
    node = node?.get(entryId(schema, keys));
    if (node && !mayRead(node)) return undefined;
  }
  return node ?? (steps.every(({ schema }) => !schema.isList) ? view.tree : undefined);
}

function* marked(entries: Iterable<DataNode>, marks: PageMarks): Generator<DataNode> {
  let isFirst = true;
  for (const entry of entries) {
    if (isFirst && !(entry instanceof Pause)) {
      if (Object.values(marks).some((mark) => mark !== undefined)) entry.page = marks;
      isFirst = false;
    }
    yield entry;
  }
}

/** The view with these rows, in this order, in place of those of the one table that is read. */
function withRows(view: View, rows: readonly SealedRow[]): View {
  const bindings = function* (): Generator<Binding> {
    for (const { number, value } of rows) yield openRow(number, value);
  };
  const shown: Partial<View> = {
    bindings,
    sealedRows: () => rows,
    passingRows: () => rows,
    isEmpty: () => rows.length === 0,
  };
  return Object.assign(Object.create(view) as View, shown);
}

/** What an expression about an entry sees: what the caller may read of the datastore. */
function entrySource({ view, mayRead }: Moment, { content }: ReadRequest): EntrySource {
  const isVisible = (node: DataNode) => (content !== 'config' || node.schema.config) && mayRead(node);
  const rowOf = (table: DataNode, binding: Binding | undefined) => {
    if (!binding) return undefined;
    const entry = orphan(bindingToNode(rowSchema(table), binding), table);
    return isVisible(entry) ? { number: prefixNumber(binding.address, binding.length), entry } : undefined;
  };
  return {
    children: (node) => node.children().filter(isVisible),
    *rows(table, from) {
      for (const binding of view.bindings(rowInstance(table), { address: Math.floor(from / 64), length: from % 64 })) {
        const row = rowOf(table, binding);
        if (row) yield row;
      }
    },
    row: (table, key) => {
      const prefix = parseIpv4Prefix(key);
      return rowOf(table, prefix && view.binding(rowInstance(table), prefix.address, prefix.length));
    },
  };
}

/** What the draft has a status of its own for (-rc §2.3.2, §2.3.3). */
const STATUS: Readonly<Record<string, number>> = { 'cursor-not-found': 404, 'offset-out-of-range': 416 };

function withStatus(error: unknown): unknown {
  const status = error instanceof ManagementError ? STATUS[error.appTag ?? ''] : undefined;
  if (!(error instanceof ManagementError) || error instanceof RestconfFault || status === undefined) return error;
  const { tag, type, appTag, message } = error;
  return new RestconfFault(status, tag, { type, appTag, message });
}
