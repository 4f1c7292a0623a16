/** The answer to a read that selects by an XPath expression: its nodes and rows are shown to the expression, and what it hits is copied. */

import { parseIpv4Prefix } from '../address.ts';
import type { Binding } from '../state/binding.generated.ts';
import type { DataNode } from '../state/data.ts';
import { inPrintOrder } from '../state/data.ts';
import type { View } from '../state/datastores.ts';
import { bindingToNode, prefixNumber } from '../state/rows.ts';
import type { Ask } from './binding-statistics.ts';
import { addStatistics } from './binding-statistics.ts';
import { counted } from './counted-rows.ts';
import { orphan } from './defaults.ts';
import type { ReadOptions } from './read-options.ts';
import type { CountedPass, ReadingBuilder } from './reading-builder.ts';
import { rowInstance, rowSchema } from './row-node.ts';
import { copySelected } from './xpath/answer.ts';
import type { SourceRow } from './xpath/document.ts';
import { XPathDocument } from './xpath/document.ts';
import type { Hit } from './xpath/node-set.ts';
import type { XPathSelection } from './xpath/selection.ts';

export class SelectedReading {
  readonly #builder: ReadingBuilder;
  readonly #view: View;
  readonly #options: ReadOptions;
  readonly #pass: CountedPass | undefined;
  readonly #selection: XPathSelection;

  constructor(
    builder: ReadingBuilder,
    view: View,
    options: ReadOptions,
    pass: CountedPass | undefined,
    selection: XPathSelection,
  ) {
    this.#builder = builder;
    this.#view = view;
    this.#options = options;
    this.#pass = pass;
    this.#selection = selection;
  }

  /** Copies what an expression selects. It is evaluated over what would go out without it; trim hides, and selects nothing. */
  fill(source: DataNode, target: DataNode): void {
    const document = new XPathDocument({
      root: source,
      children: (node) => this.#visibleChildren(node),
      rows: (table, from) => this.#visibleRows(table, from),
      row: (table, key) => this.#visibleRow(table, key),
    });
    const set = this.#selection.select(document);
    if (set.small[0] === document.root) {
      this.#builder.fill(
        source,
        target,
        undefined,
        1,
        this.#builder.limit - (this.#options.maxDepth === undefined ? 0 : 1),
      );
      return;
    }
    copySelected(document.root, target, set, {
      whole: (node) => this.#builder.copy(node, undefined, 1, this.#builder.limit),
      withKeys: (node, copy) => this.#builder.choice.withKeys(node, copy),
      addEveryRow: (table, copy) =>
        this.#builder.addRows(
          copy,
          this.#builder.rowsOf(rowSchema(table), table, rowInstance(table), undefined, 1, this.#builder.limit),
        ),
      addHits: (table, copy, hits, entryOf) => this.#builder.addRows(copy, this.#hitRows(table, hits, entryOf)),
    });
  }

  #visibleChildren(node: DataNode): DataNode[] {
    const children = this.#builder.choice.candidates(node, undefined);
    // An expression has each entry as a node: it is held by the work it may do, not by slices.
    for (const list of this.#options.lists?.get(node) ?? []) {
      if (this.#options.readsNone?.(list.schema, node)) continue;
      for (const entry of this.#builder.entries(list, node, (number) => list.entry(number))) children.push(entry);
    }
    return inPrintOrder(children).filter((child) => this.#isVisible(child));
  }

  #isVisible(node: DataNode): boolean {
    return (this.#options.content !== 'config' || node.schema.config) && this.#options.mayRead(node);
  }

  *#visibleRows(table: DataNode, from: number): Generator<SourceRow> {
    const aftr = rowInstance(table);
    if (this.#options.readsNone?.(rowSchema(table), table)) return;
    // Without them the pass is done anew.
    if (this.#looksAtStatistics() && !this.#pass?.statistics?.knowsTable(aftr)) return;
    const start = { address: Math.floor(from / 64), length: from % 64 };
    for (const binding of this.#view.bindings(aftr, start)) {
      const row = this.#visible(table, binding);
      if (row) yield row;
    }
  }

  #visibleRow(table: DataNode, key: string): SourceRow | undefined {
    if (this.#options.readsNone?.(rowSchema(table), table)) return undefined;
    const prefix = parseIpv4Prefix(key);
    const binding = prefix && this.#view.binding(rowInstance(table), prefix.address, prefix.length);
    return binding && this.#visible(table, binding);
  }

  #visible(table: DataNode, binding: Binding): SourceRow | undefined {
    const schema = rowSchema(table);
    const entry = this.#looksAtStatistics()
      ? this.#builder.entry(schema, table, binding)
      : orphan(bindingToNode(schema, binding), table);
    return this.#isVisible(entry) ? { number: prefixNumber(binding.address, binding.length), entry } : undefined;
  }

  #looksAtStatistics(): boolean {
    return this.#pass?.statistics !== undefined && this.#selection.looksAtStatistics;
  }

  /** Rows that an expression has hit, each as `entryOf` copies it; one that goes out whole gets its statistics before. */
  #hitRows(table: DataNode, hits: Iterable<Hit>, entryOf: (hit: Hit) => DataNode | undefined): Iterable<DataNode> {
    const aftr = rowInstance(table);
    const { statistics } = this.#pass ?? {};
    if (!statistics?.isCounted(aftr)) return hitEntries(hits, entryOf);
    const isKnown = this.#looksAtStatistics();
    const asker = statistics.asker(aftr);
    const keyOf = (hit: Hit) => (isKnown || hit.nodes[0] !== hit.row ? Number.NaN : hitNumber(hit));
    const ask: Ask = async (keys) => (keys.every(Number.isNaN) ? undefined : asker(keys));
    return this.#builder.pausingRows(table, counted(hits, keyOf, ask), ({ item, values, at }) => {
      if (item.nodes[0] === item.row && !isKnown) addStatistics(item.row.data, values, at);
      return entryOf(item);
    });
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
