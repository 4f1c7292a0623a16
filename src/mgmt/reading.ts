/**
 * One consistent answer to a read: the data a selection asks for, without what the caller may not see, with defaults as
 * wanted. The small tree is copied; binding rows come as an iterator over the same snapshot, one at a time.
 */

import { parseIpv4Prefix } from '../address.ts';
import type { Binding } from '../state/binding.generated.ts';
import { DataNode, entryId, inPrintOrder } from '../state/data.ts';
import type { View } from '../state/datastores.ts';
import { bindingToNode, prefixNumber } from '../state/rows.ts';
import type { SchemaNode } from '../state/schema.ts';
import type { Ask, BindingStatistics } from './binding-statistics.ts';
import { addStatistics } from './binding-statistics.ts';
import type { Counted } from './counted-rows.ts';
import { CountedRows, counted, sliced } from './counted-rows.ts';
import { defaultChildren, hasDefaults, orphan } from './defaults.ts';
import type { EntryList, EntryLists } from './entry-list.ts';
import { ListsBelow } from './entry-list.ts';
import type { OriginOptions } from './origin.ts';
import { originOf, shownOrigin } from './origin.ts';
import { rowInstance, rowSchema } from './row-node.ts';
import type { TableRights } from './row-rights.ts';
import { seenBindings } from './row-rights.ts';
import type { AnySelection, SelectionPart } from './selection.ts';
import { fixedKeys, innerParts } from './selection.ts';
import { WholeRows } from './whole-rows.ts';
import { copySelected } from './xpath/answer.ts';
import type { SourceRow } from './xpath/document.ts';
import { XPathDocument } from './xpath/document.ts';
import type { Hit } from './xpath/node-set.ts';
import { XPathSelection } from './xpath/selection.ts';

export type WithDefaults = 'report-all' | 'report-all-tagged' | 'trim' | 'explicit';
export type Content = 'all' | 'config' | 'nonconfig';

export interface Reading {
  readonly root: DataNode;
  /** Row entries below a node of `root`, to be printed after its children. Can be walked once. */
  rows(parent: DataNode): Iterable<DataNode>;
  /** Of the last commit of the configuration. */
  readonly version: number;
  readonly time: Date;
  /** Ends the snapshot; to be called once, also after a failure. */
  close(): void;
}

export interface ReadOptions {
  readonly selection?: AnySelection | undefined;
  readonly content: Content;
  readonly withDefaults: WithDefaults;
  /** RFC 8040 §4.8.2; unbounded when undefined. */
  readonly depth?: number | undefined;
  /** RFC 8526 §3.1.1, max-depth: levels from each node that is selected; unbounded when undefined. */
  readonly maxDepth?: number | undefined;
  /** Of operational state data (RFC 8342 §5.3.4). */
  readonly origins?: OriginOptions | undefined;
  /** Whether the caller may read all nodes. */
  readonly readsAll: boolean;
  /** Whether the caller may read this node; ancestors were asked before. */
  readonly mayRead: (node: DataNode) => boolean;
  /** Lists below nodes of the source that are not part of it. */
  readonly lists?: EntryLists | undefined;
  /** Whether he may read none of a list, whatever its entries: then it is not read, or the time that takes would tell its size. */
  readonly readsNone?: ((list: SchemaNode, above: DataNode) => boolean) | undefined;
  /** What he sees of the rows of a table that he may read, where more is known of that than from `mayRead`. */
  readonly ofRows?: ((table: DataNode, list: SchemaNode) => TableRights) | undefined;
}

/**
 * The same in slices, so that others have their turn, and with the statistics of bindings, which are asked for as far as they are wanted.
 * What the first pass finds missing is fetched, and the answer made anew; tables go out with their statistics a batch at a time.
 */
export async function openSlicedReading(
  source: DataNode,
  view: View,
  options: ReadOptions,
  statistics?: BindingStatistics,
): Promise<Reading> {
  const keysOf = function* (aftr: string): Generator<number> {
    for (const { number } of view.sealedRows(aftr)) yield number;
  };
  let tables: CountedTables = { rows: new Map(), isOld: false };
  for (;;) {
    const pass = { statistics, tables };
    const reading = fillReading(source, view, options, pass);
    const isComplete = statistics?.isComplete ?? true;
    for (const rows of isComplete ? tables.rows.values() : []) await rows.begin();
    if (statistics && !isComplete) {
      await statistics.fetch(keysOf);
      tables = { rows: new Map(), isOld: false };
    } else if (tables.isOld || ![...tables.rows.values()].some(({ isEmpty }) => isEmpty)) return reading;
    else tables = { ...tables, isOld: true };
  }
}

/** Reads `source` (the view's tree, state added) with the rows of `view`; closing the reading closes the view. */
export function openReading(source: DataNode, view: View, options: ReadOptions): Reading {
  return fillReading(source, view, options, undefined);
}

/** Tables whose entries take time between them, by the node above the entries. */
interface CountedTables {
  readonly rows: Map<DataNode, CountedRows<unknown>>;
  /** Whether they were begun in an earlier pass, so that it is known which have no entries. */
  readonly isOld: boolean;
}

interface CountedPass {
  readonly statistics: BindingStatistics | undefined;
  readonly tables: CountedTables;
}

function fillReading(source: DataNode, view: View, options: ReadOptions, pass: CountedPass | undefined): Reading {
  const builder = new ReadingBuilder(view, options, pass);
  const root = new DataNode(source.schema);
  if (options.selection instanceof XPathSelection) builder.fillSelected(source, root, options.selection);
  else builder.fillAll(source, root, options.selection?.parts);
  return {
    root,
    rows: (parent) => builder.rows.get(parent) ?? [],
    ...view.edition,
    close: () => view.close(),
  };
}

class ReadingBuilder {
  readonly rows = new Map<DataNode, Iterable<DataNode>>();
  readonly #view: View;
  readonly #options: ReadOptions;
  /** The last level that goes out where nothing is selected further down. */
  readonly #limit: number;
  readonly #pass: CountedPass | undefined;

  constructor(view: View, options: ReadOptions, pass: CountedPass | undefined) {
    this.#view = view;
    this.#pass = pass;
    this.#options = options;
    const { depth, maxDepth, selection } = options;
    const base = selection instanceof XPathSelection ? 0 : (selection?.base ?? 0);
    this.#limit = maxDepth ?? (depth === undefined ? Number.POSITIVE_INFINITY : base + depth - 1);
  }

  /** Copies what the parts want of the whole tree; without parts all of it. */
  fillAll(source: DataNode, target: DataNode, parts: readonly SelectionPart[] | undefined): void {
    const isSelectedBelow = parts !== undefined && this.#options.maxDepth !== undefined;
    this.#fill(source, target, parts, 1, isSelectedBelow ? Number.POSITIVE_INFINITY : this.#limit);
  }

  /** Copies the wanted children of `source` into `target`; `parts` undefined means all. Level 1 is below the root. */
  #fill(
    source: DataNode,
    target: DataNode,
    parts: readonly SelectionPart[] | undefined,
    level: number,
    limit: number,
  ): void {
    if (level > limit) return;
    for (const child of this.#candidates(source, parts)) {
      const copy = this.#copy(child, parts, level, limit);
      if (copy) target.add(copy);
    }
    const rowSchema = source.schema.children.find((child) => child.rows);
    if (rowSchema) this.#fillRows(rowSchema, source, target, parts, level, limit);
    const walked: Iterable<DataNode>[] = [];
    for (const list of this.#options.lists?.get(source) ?? []) {
      const entries = this.#fillList(list, source, target, parts, level, limit);
      if (entries) walked.push(entries);
    }
    if (walked.length > 0) this.rows.set(target, new ListsBelow(walked));
  }

  /** Entries of a list that are named become part of `target`; of all of them, what there is to walk. */
  #fillList(
    list: EntryList,
    source: DataNode,
    target: DataNode,
    parts: readonly SelectionPart[] | undefined,
    level: number,
    limit: number,
  ): Iterable<DataNode> | undefined {
    const { schema } = list;
    const here = parts?.filter((part) => part.schema === schema);
    if (here?.length === 0 || this.#options.readsNone?.(schema, source)) return undefined;
    const fixed = here?.map(fixedKeys);
    const isWhole = this.#isWhole(source, schema, here, level, this.#reach(here, level, limit));
    if (!fixed?.every((keys) => keys !== undefined)) {
      return begun(
        this.#entries(list, source, (number) => {
          return isWhole ? list.printed(number) : this.#listEntry(list, number, source, here, level, limit);
        }),
      );
    }
    for (const [key = ''] of fixed) {
      const number = list.number(key);
      const isThere = number !== undefined && list.rows.sealed('', number) !== undefined;
      const entry = isThere ? this.#listEntry(list, number, source, here, level, limit) : undefined;
      if (entry) target.add(entry);
    }
    return undefined;
  }

  #listEntry(
    list: EntryList,
    number: number,
    source: DataNode,
    parts: readonly SelectionPart[] | undefined,
    level: number,
    limit: number,
  ): DataNode | undefined {
    const entry = list.entry(number);
    return entry && this.#copy(orphan(entry, source), parts, level, limit);
  }

  *#entries(
    { rows }: EntryList,
    source: DataNode,
    entryOf: (number: number) => DataNode | undefined,
  ): Generator<DataNode> {
    for (const { number } of rows.sealedRows('')) {
      const entry = entryOf(number);
      if (entry) yield orphan(entry, source);
    }
  }

  /** Copies what an expression selects. It is evaluated over what would go out without it; trim hides, and selects nothing. */
  fillSelected(source: DataNode, target: DataNode, selection: XPathSelection): void {
    const document = new XPathDocument({
      root: source,
      children: (node) => this.#visibleChildren(node),
      rows: (table, from) => this.#visibleRows(table, from, selection),
      row: (table, key) => this.#visibleRow(table, key, selection),
    });
    const set = selection.select(document);
    if (set.small[0] === document.root) {
      this.#fill(source, target, undefined, 1, this.#limit - (this.#options.maxDepth === undefined ? 0 : 1));
      return;
    }
    copySelected(document.root, target, set, {
      whole: (node) => this.#copy(node, undefined, 1, this.#limit),
      withKeys: (node, copy) => this.#withKeys(node, copy),
      addEveryRow: (table, copy) =>
        this.#addRows(copy, this.#rows(rowSchema(table), table, rowInstance(table), undefined, 1, this.#limit)),
      addHits: (table, copy, hits, entryOf) => this.#addRows(copy, this.#hitRows(selection, table, hits, entryOf)),
    });
  }

  #visibleChildren(node: DataNode): DataNode[] {
    const children = this.#candidates(node, undefined);
    // An expression has each entry as a node: it is held by the work it may do, not by slices.
    for (const list of this.#options.lists?.get(node) ?? []) {
      if (this.#options.readsNone?.(list.schema, node)) continue;
      for (const entry of this.#entries(list, node, (number) => list.entry(number))) children.push(entry);
    }
    return inPrintOrder(children).filter((child) => this.#isVisible(child));
  }

  #isVisible(node: DataNode): boolean {
    return (this.#options.content !== 'config' || node.schema.config) && this.#options.mayRead(node);
  }

  *#visibleRows(table: DataNode, from: number, selection: XPathSelection): Generator<SourceRow> {
    const aftr = rowInstance(table);
    if (this.#options.readsNone?.(rowSchema(table), table)) return;
    // Without them the pass is done anew.
    if (this.#looksAtStatistics(selection) && !this.#pass?.statistics?.knowsTable(aftr)) return;
    const start = { address: Math.floor(from / 64), length: from % 64 };
    for (const binding of this.#view.bindings(aftr, start)) {
      const row = this.#visible(table, binding, selection);
      if (row) yield row;
    }
  }

  #visibleRow(table: DataNode, key: string, selection: XPathSelection): SourceRow | undefined {
    if (this.#options.readsNone?.(rowSchema(table), table)) return undefined;
    const prefix = parseIpv4Prefix(key);
    const binding = prefix && this.#view.binding(rowInstance(table), prefix.address, prefix.length);
    return binding && this.#visible(table, binding, selection);
  }

  #visible(table: DataNode, binding: Binding, selection: XPathSelection): SourceRow | undefined {
    const schema = rowSchema(table);
    const entry = this.#looksAtStatistics(selection)
      ? this.#entry(schema, table, binding)
      : orphan(bindingToNode(schema, binding), table);
    return this.#isVisible(entry) ? { number: prefixNumber(binding.address, binding.length), entry } : undefined;
  }

  #looksAtStatistics(selection: XPathSelection): boolean {
    return this.#pass?.statistics !== undefined && selection.looksAtStatistics;
  }

  /** A binding with its statistics, where they are counted and known. */
  #entry(schema: SchemaNode, table: DataNode, binding: Binding): DataNode {
    const entry = this.#pass?.statistics?.entry(schema, rowInstance(table), binding) ?? bindingToNode(schema, binding);
    return orphan(entry, table);
  }

  /** Rows that an expression has hit, each as `entryOf` copies it; one that goes out whole gets its statistics before. */
  #hitRows(
    selection: XPathSelection,
    table: DataNode,
    hits: Iterable<Hit>,
    entryOf: (hit: Hit) => DataNode | undefined,
  ): Iterable<DataNode> {
    const aftr = rowInstance(table);
    const { statistics } = this.#pass ?? {};
    if (!statistics?.isCounted(aftr)) return hitEntries(hits, entryOf);
    const isKnown = this.#looksAtStatistics(selection);
    const asker = statistics.asker(aftr);
    const keyOf = (hit: Hit) => (isKnown || hit.nodes[0] !== hit.row ? Number.NaN : hitNumber(hit));
    const ask: Ask = async (keys) => (keys.every(Number.isNaN) ? undefined : asker(keys));
    return this.#pausingRows(table, counted(hits, keyOf, ask), ({ item, values, at }) => {
      if (item.nodes[0] === item.row && !isKnown) addStatistics(item.row.data, values, at);
      return entryOf(item);
    });
  }

  /** Rows that take time; those of an earlier pass where it has begun them. */
  #pausingRows<Item>(
    table: DataNode,
    steps: Iterable<Counted<Item> | Promise<void>>,
    finish: (counted: Counted<Item>) => DataNode | undefined,
  ): Iterable<DataNode> {
    const tables = this.#pass?.tables.rows ?? new Map<DataNode, CountedRows<unknown>>();
    const known = tables.get(table);
    if (known) return known;
    const rows = new CountedRows(rowSchema(table), steps, finish);
    tables.set(table, rows as CountedRows<unknown>);
    return rows;
  }

  #candidates(source: DataNode, parts: readonly SelectionPart[] | undefined): DataNode[] {
    const children = source.children();
    const mode = this.#options.withDefaults;
    if (mode === 'report-all' || mode === 'report-all-tagged') {
      children.push(...defaultChildren(source, mode === 'report-all-tagged'));
    }
    for (const { schema, always } of parts ?? []) {
      if (always && !source.get(entryId(schema, []))) children.push(orphan(new DataNode(schema), source));
    }
    return children;
  }

  /** The child as wanted, or undefined when nothing of it is. */
  #copy(
    child: DataNode,
    parts: readonly SelectionPart[] | undefined,
    level: number,
    limit: number,
  ): DataNode | undefined {
    const { schema } = child;
    const here = parts?.filter((part) => part.schema === schema && this.#matches(child, part));
    if (here?.length === 0 || !this.#isWelcome(child) || !this.#options.mayRead(child)) return undefined;
    const reach = this.#reach(here, level, limit);
    // What ends here is there without its depth as well, or it would tell of what is not shown.
    const isCut = this.#options.maxDepth !== undefined && level >= reach && !schema.isLeaf;
    const copy = this.#filled(child, here, level, isCut ? Number.POSITIVE_INFINITY : reach);
    return copy && isCut ? this.#withKeys(child, new DataNode(schema, child.value, child.type)) : copy;
  }

  /** The last level that goes out of a node: with max-depth it counts from where a part selects the whole. */
  #reach(here: readonly SelectionPart[] | undefined, level: number, limit: number): number {
    const { maxDepth } = this.#options;
    return maxDepth !== undefined && here?.some(({ whole }) => whole) ? level + maxDepth - 1 : limit;
  }

  #filled(
    child: DataNode,
    here: readonly SelectionPart[] | undefined,
    level: number,
    limit: number,
  ): DataNode | undefined {
    const { schema } = child;
    const copy = new DataNode(schema, child.value, child.type);
    copy.isDefault = child.isDefault;
    if (schema.isLeaf || schema.kind === 'anydata' || schema.kind === 'anyxml') return this.#marked(child, copy);
    this.#fill(child, copy, here && innerParts(here), level + 1, limit);
    const partly = here !== undefined && !here.some(({ whole }) => whole);
    if (copy.size > (partly ? 0 : this.#keyCount(child, copy))) return this.#withKeys(child, copy);
    if (this.rows.has(copy) || here?.some(({ always }) => always)) return this.#withKeys(child, copy);
    const stays =
      schema.presence ||
      (schema.kind === 'list' && this.#options.content !== 'nonconfig') ||
      (level === limit && this.#holdsAny(child));
    return stays && this.#isOfOrigin(child) && !partly ? this.#withKeys(child, copy) : undefined;
  }

  /** Whether a node holds something that would go out: one that the depth cuts off is empty, not absent (RFC 8040 §4.8.2). */
  #holdsAny(node: DataNode): boolean {
    const isShown = ({ schema }: DataNode) => schema.presence || schema.kind !== 'container';
    const shows = (child: DataNode): boolean =>
      this.#isWelcome(child) && this.#options.mayRead(child) && (isShown(child) || this.#holdsAny(child));
    if (this.#candidates(node, undefined).some(shows)) return true;
    const schema = node.schema.children.find((child) => child.rows);
    if (!schema || this.#options.readsNone?.(schema, node)) return false;
    for (const binding of this.#bindings(node, schema)) {
      if (this.#options.mayRead(orphan(bindingToNode(schema, binding), node))) return true;
    }
    return false;
  }

  /**
   * RFC 6241 §6.2.5: all match leaves of the sibling set must have their value. A leaf that the caller may not read
   * matches nothing, or a filter would tell its value (RFC 8341 §3.2.4).
   */
  #matches(node: DataNode, part: SelectionPart): boolean {
    return part.matches.every(({ leaf, value }) => {
      if (leaf === node.schema) return node.value === value;
      const found = leaf.kind === 'leaf-list' ? node.get(entryId(leaf, [value])) : node.child(leaf.name, leaf.module);
      return found?.value === value && this.#options.mayRead(found);
    });
  }

  /** With content=nonconfig, or of another origin, an entry that shows nothing but its keys is left out. */
  #keyCount(child: DataNode, copy: DataNode): number {
    if ((this.#options.content !== 'nonconfig' && this.#isOfOrigin(child)) || !child.schema.config) return 0;
    return child.schema.keys.filter((key) => copy.child(key) !== undefined).length;
  }

  #withKeys(source: DataNode, copy: DataNode): DataNode {
    for (const key of source.schema.keys) {
      const leaf = source.child(key);
      if (leaf && !copy.child(key) && this.#options.mayRead(leaf))
        copy.add(new DataNode(leaf.schema, leaf.value, leaf.type));
    }
    return this.#marked(source, copy);
  }

  /** The copy with its origin, where that is to be shown. */
  #marked(source: DataNode, copy: DataNode): DataNode {
    if (this.#options.origins?.isShown) copy.origin = shownOrigin(source);
    return copy;
  }

  /** What the system says of its state has no origin, and passes. */
  #isOfOrigin(node: DataNode): boolean {
    const { isWanted } = this.#options.origins ?? {};
    return isWanted === undefined || !node.schema.config || isWanted(originOf(node));
  }

  #isWelcome(node: DataNode): boolean {
    const { schema } = node;
    const { content, withDefaults } = this.#options;
    if (content === 'config' && !schema.config) return false;
    if (content === 'nonconfig' && schema.isLeaf && schema.config && !schema.isKey) return false;
    if (schema.isLeaf && !schema.isKey && !this.#isOfOrigin(node)) return false;
    if (withDefaults !== 'trim' || schema.kind !== 'leaf' || !schema.config) return true;
    return schema.isKey || schema.defaults[0] !== node.value;
  }

  #fillRows(
    schema: SchemaNode,
    source: DataNode,
    target: DataNode,
    parts: readonly SelectionPart[] | undefined,
    level: number,
    limit: number,
  ): void {
    const here = parts?.filter((part) => part.schema === schema);
    if (here?.length === 0 || this.#options.readsNone?.(schema, source)) return;
    const instance = rowInstance(source);
    const fixed = here?.map(fixedKeys);
    if (fixed?.every((keys) => keys !== undefined)) {
      for (const [key = ''] of fixed) {
        const prefix = parseIpv4Prefix(key);
        const binding = prefix && this.#view.binding(instance, prefix.address, prefix.length);
        const entry = binding && this.#copy(this.#entry(schema, source, binding), here, level, limit);
        if (entry) target.add(entry);
      }
      return;
    }
    this.#addRows(target, this.#rows(schema, source, instance, here, level, limit));
  }

  /**
   * Takes rows that go out below `target`; whether there are any. For that the first is read now, unless all go out whole; of
   * those that take time it is known in a later pass.
   */
  #addRows(target: DataNode, rows: Iterable<DataNode>): boolean {
    if (rows instanceof WholeRows || rows instanceof CountedRows) {
      const isEmpty = rows instanceof CountedRows && this.#pass?.tables.isOld === true && rows.isEmpty;
      if (!isEmpty) this.rows.set(target, rows);
      return !isEmpty;
    }
    const entries = begun(rows);
    if (entries) this.rows.set(target, entries);
    return entries !== undefined;
  }

  /** Whether entries go out as they are: nothing is filtered, hidden or added. */
  #isWhole(
    source: DataNode,
    schema: SchemaNode,
    parts: readonly SelectionPart[] | undefined,
    level: number,
    reach: number,
  ): boolean {
    const { content, withDefaults, readsAll, origins } = this.#options;
    const addsDefaults = withDefaults === 'report-all' || withDefaults === 'report-all-tagged';
    const isPlain = content !== 'nonconfig' && !(addsDefaults && hasDefaults(schema)) && !origins?.isWanted;
    const isAsked = parts === undefined || parts.some(({ whole, matches }) => whole && matches.length === 0);
    const readsWhole = readsAll || this.#options.ofRows?.(source, schema).rows === 'whole';
    return readsWhole && isPlain && isAsked && level < reach;
  }

  #rows(
    schema: SchemaNode,
    source: DataNode,
    instance: string,
    parts: readonly SelectionPart[] | undefined,
    level: number,
    limit: number,
  ): Iterable<DataNode> {
    if (this.#options.readsNone?.(schema, source)) return [];
    const { statistics } = this.#pass ?? {};
    const ask = statistics?.isCounted(instance) ? statistics.asker(instance) : undefined;
    const reach = this.#reach(parts, level, limit);
    if (this.#isWhole(source, schema, parts, level, reach) && (!ask || level + 1 < reach)) {
      if (this.#view.isEmpty(instance)) return [];
      const { content, origins } = this.#options;
      const rows = this.#view.passingRows(instance);
      return new WholeRows(schema, source, rows, content === 'all', ask, origins?.isShown);
    }
    const bindings = this.#bindings(source, schema);
    const keyOf = ({ address, length }: Binding) => prefixNumber(address, length);
    const finish = ({ item, values, at }: Counted<Binding>) => {
      const entry = bindingToNode(schema, item);
      if (ask) addStatistics(entry, values, at);
      return this.#copy(orphan(entry, source), parts, level, limit);
    };
    if (this.#pass) return this.#pausingRows(source, ask ? counted(bindings, keyOf, ask) : sliced(bindings), finish);
    return copies(bindings, finish);
  }

  #bindings(table: DataNode, list: SchemaNode): Iterable<Binding> {
    return seenBindings(this.#view, rowInstance(table), this.#options.ofRows?.(table, list).named);
  }
}

function* copies(
  bindings: Iterable<Binding>,
  copyOf: (item: Counted<Binding>) => DataNode | undefined,
): Generator<DataNode> {
  for (const item of bindings) {
    const entry = copyOf({ item, values: undefined, at: 0 });
    if (entry) yield entry;
  }
}

function* hitEntries(hits: Iterable<Hit>, entryOf: (hit: Hit) => DataNode | undefined): Generator<DataNode> {
  for (const hit of hits) {
    const entry = entryOf(hit);
    if (entry) yield entry;
  }
}

function hitNumber({ row }: Hit): number {
  const prefix = parseIpv4Prefix(row.data.leaf('ipv4-prefix') ?? '');
  return prefix ? prefixNumber(prefix.address, prefix.length) : 0;
}

/** The same entries, of which the first is made now; undefined when there are none. */
function begun(rows: Iterable<DataNode>): Iterable<DataNode> | undefined {
  const rest = rows[Symbol.iterator]();
  const first = rest.next();
  return first.done ? undefined : resume(first.value, rest);
}

function* resume(first: DataNode, rest: Iterator<DataNode>): Generator<DataNode> {
  yield first;
  for (let next = rest.next(); !next.done; next = rest.next()) yield next.value;
}
