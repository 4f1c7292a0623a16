/**
 * Makes the answer to a read: copies of the small tree, one node at a time, and the rows below them, which are made as they go out.
 * Each node is asked for in turn, from the root down: whether a part of the selection has it, whether it is wanted (node-choice.ts), and
 * whether the caller may read it. Entries of tables are found by their keys where these are given; else they come as an iterator.
 */

import { parseIpv4Prefix } from '../address.ts';
import type { Binding } from '../state/binding.generated.ts';
import { DataNode } from '../state/data.ts';
import type { View } from '../state/datastores.ts';
import { bindingToNode, prefixNumber } from '../state/rows.ts';
import type { SchemaNode } from '../state/schema.ts';
import { begun } from './begun-rows.ts';
import type { BindingStatistics } from './binding-statistics.ts';
import { addStatistics } from './binding-statistics.ts';
import type { Counted } from './counted-rows.ts';
import { CountedRows, counted, sliced } from './counted-rows.ts';
import { hasDefaults, orphan } from './defaults.ts';
import type { EntryList } from './entry-list.ts';
import { ListsBelow } from './entry-list.ts';
import { NodeChoice } from './node-choice.ts';
import type { ReadOptions } from './read-options.ts';
import { rowInstance, rowSchema } from './row-node.ts';
import { seenBindings } from './row-rights.ts';
import type { SelectionPart } from './selection.ts';
import { fixedKeys, innerParts } from './selection.ts';
import { WholeRows } from './whole-rows.ts';
import { XPathSelection } from './xpath/selection.ts';

/** Tables whose entries take time between them, by the node above the entries. */
export interface CountedTables {
  readonly rows: Map<DataNode, CountedRows<unknown>>;
  /** Whether they were begun in an earlier pass, so that it is known which have no entries. */
  readonly isOld: boolean;
}

export interface CountedPass {
  readonly statistics: BindingStatistics | undefined;
  readonly tables: CountedTables;
}

/** Copies what a read wants of the small tree, and gathers what goes out of tables and lists below its nodes. */
export class ReadingBuilder {
  /** What goes out below a node of the answer, after its children. */
  readonly rows = new Map<DataNode, Iterable<DataNode>>();
  readonly choice: NodeChoice;
  /** The last level that goes out where nothing is selected further down. */
  readonly limit: number;
  readonly #view: View;
  readonly #options: ReadOptions;
  readonly #pass: CountedPass | undefined;

  constructor(view: View, options: ReadOptions, pass: CountedPass | undefined) {
    this.#view = view;
    this.#pass = pass;
    this.#options = options;
    this.choice = new NodeChoice(options);
    const { depth, maxDepth, selection } = options;
    const base = selection instanceof XPathSelection ? 0 : (selection?.base ?? 0);
    this.limit = maxDepth ?? (depth === undefined ? Number.POSITIVE_INFINITY : base + depth - 1);
  }

  /** Copies what the parts want of the whole tree; without parts all of it. */
  fillAll(source: DataNode, target: DataNode, parts: readonly SelectionPart[] | undefined): void {
    const isSelectedBelow = parts !== undefined && this.#options.maxDepth !== undefined;
    this.fill(source, target, parts, 1, isSelectedBelow ? Number.POSITIVE_INFINITY : this.limit);
  }

  /** Copies the wanted children of `source` into `target`; `parts` undefined means all. Level 1 is below the root. */
  fill(
    source: DataNode,
    target: DataNode,
    parts: readonly SelectionPart[] | undefined,
    level: number,
    limit: number,
  ): void {
    if (level > limit) return;
    for (const child of this.choice.candidates(source, parts)) {
      const copy = this.copy(child, parts, level, limit);
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
        this.entries(list, source, (number) => {
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
    return entry && this.copy(orphan(entry, source), parts, level, limit);
  }

  /** All entries of a list as `entryOf` has them. */
  *entries(
    { rows }: EntryList,
    source: DataNode,
    entryOf: (number: number) => DataNode | undefined,
  ): Generator<DataNode> {
    for (const { number } of rows.sealedRows('')) {
      const entry = entryOf(number);
      if (entry) yield orphan(entry, source);
    }
  }

  /** A binding with its statistics, where they are counted and known. */
  entry(schema: SchemaNode, table: DataNode, binding: Binding): DataNode {
    const entry = this.#pass?.statistics?.entry(schema, rowInstance(table), binding) ?? bindingToNode(schema, binding);
    return orphan(entry, table);
  }

  /** Rows that take time; those of an earlier pass where it has begun them. */
  pausingRows<Item>(
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

  /** The child as wanted, or undefined when nothing of it is. */
  copy(
    child: DataNode,
    parts: readonly SelectionPart[] | undefined,
    level: number,
    limit: number,
  ): DataNode | undefined {
    const { schema } = child;
    const here = parts?.filter((part) => part.schema === schema && this.choice.matches(child, part));
    if (here?.length === 0 || !this.choice.isWelcome(child) || !this.#options.mayRead(child)) return undefined;
    const reach = this.#reach(here, level, limit);
    // What ends here is there without its depth as well, or it would tell of what is not shown.
    const isCut = this.#options.maxDepth !== undefined && level >= reach && !schema.isLeaf;
    const copy = this.#filled(child, here, level, isCut ? Number.POSITIVE_INFINITY : reach);
    return copy && isCut ? this.choice.withKeys(child, new DataNode(schema, child.value, child.type)) : copy;
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
    if (schema.isLeaf || schema.kind === 'anydata' || schema.kind === 'anyxml') return this.choice.marked(child, copy);
    this.fill(child, copy, here && innerParts(here), level + 1, limit);
    const partly = here !== undefined && !here.some(({ whole }) => whole);
    if (copy.size > (partly ? 0 : this.choice.keyCount(child, copy))) return this.choice.withKeys(child, copy);
    if (this.rows.has(copy) || here?.some(({ always }) => always)) return this.choice.withKeys(child, copy);
    const stays =
      schema.presence ||
      (schema.kind === 'list' && this.#options.content !== 'nonconfig') ||
      (level === limit && this.#holdsAny(child));
    return stays && this.choice.isOfOrigin(child) && !partly ? this.choice.withKeys(child, copy) : undefined;
  }

  /** Whether a node holds something that would go out: one that the depth cuts off is empty, not absent (RFC 8040 §4.8.2). */
  #holdsAny(node: DataNode): boolean {
    const isShown = ({ schema }: DataNode) => schema.presence || schema.kind !== 'container';
    const shows = (child: DataNode): boolean =>
      this.choice.isWelcome(child) && this.#options.mayRead(child) && (isShown(child) || this.#holdsAny(child));
    if (this.choice.candidates(node, undefined).some(shows)) return true;
    const schema = node.schema.children.find((child) => child.rows);
    if (!schema || this.#options.readsNone?.(schema, node)) return false;
    for (const binding of this.#bindings(node, schema)) {
      if (this.#options.mayRead(orphan(bindingToNode(schema, binding), node))) return true;
    }
    return false;
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
        const entry = binding && this.copy(this.entry(schema, source, binding), here, level, limit);
        if (entry) target.add(entry);
      }
      return;
    }
    this.addRows(target, this.rowsOf(schema, source, instance, here, level, limit));
  }

  /**
   * Takes rows that go out below `target`; whether there are any. For that the first is read now, unless all go out whole; of
   * those that take time it is known in a later pass.
   */
  addRows(target: DataNode, rows: Iterable<DataNode>): boolean {
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

  /** All entries of a table that the parts want; `instance` is the AFTR it belongs to. */
  rowsOf(
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
      return this.copy(orphan(entry, source), parts, level, limit);
    };
    if (this.#pass) return this.pausingRows(source, ask ? counted(bindings, keyOf, ask) : sliced(bindings), finish);
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
