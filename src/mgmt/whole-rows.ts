/**
 * Binding entries that go out whole, as long as a table is: printed from the rows themselves into memory that is used again, some
 * hundred at a time, without a node or a text for each.
 */

import { writeIpv4Prefix, writeIpv6 } from '../address.ts';
import type { Binding } from '../state/binding.generated.ts';
import type { DataNode } from '../state/data.ts';
import type { SealedRow } from '../state/rows.ts';
import { openRow } from '../state/rows.ts';
import type { SchemaNode } from '../state/schema.ts';
import type { Ask } from './binding-statistics.ts';
import { hasStatistics, statisticsLeaves } from './binding-statistics.ts';
import type { Counted } from './counted-rows.ts';
import { counted } from './counted-rows.ts';
import type { Piece } from './pause.ts';
import { Pause } from './pause.ts';
import type { StatisticsLeaves } from './row-node.ts';
import { RowNode } from './row-node.ts';

/** How entries look in an encoding. */
export interface RowForm {
  /** Stands between two entries. */
  readonly between: string;
  readonly open: string;
  /** The same of a learned entry, where origins are shown. */
  readonly openLearned?: string;
  readonly close: string;
  /** What stands before and behind the value of a leaf; the first one is the key. */
  leaf(name: string): readonly [before: string, behind: string];
  /** A leaf of any text. */
  text(name: string, value: string): string;
  /** A container of leaves without special characters. */
  container(name: string, leaves: readonly (readonly [name: string, value: string])[]): string;
}

export class WholeRows implements Iterable<DataNode> {
  readonly schema: SchemaNode;
  readonly #parent: DataNode;
  readonly #rows: Iterable<SealedRow>;
  readonly #withState: boolean;
  readonly #ask: Ask | undefined;
  readonly #withOrigin: boolean;

  /**
   * Entries of `schema` below `parent`; `rows` may pass. With `ask`, the statistics it gives are part of the entries;
   * with `withOrigin`, learned ones say so (RFC 8342 §5.3.4).
   */
  constructor(
    schema: SchemaNode,
    parent: DataNode,
    rows: Iterable<SealedRow>,
    withState: boolean,
    ask?: Ask,
    withOrigin = false,
  ) {
    this.schema = schema;
    this.#withOrigin = withOrigin;
    this.#parent = parent;
    this.#rows = rows;
    this.#withState = withState;
    this.#ask = ask;
  }

  /** One node each, or a `Pause`. */
  *[Symbol.iterator](): Generator<DataNode> {
    for (const step of this.#ask ? this.#counted(this.#ask) : this.#plain()) {
      if (step instanceof Promise) {
        yield new Pause(this.schema, step);
        continue;
      }
      const { item, values, at } = step;
      const statistics = hasStatistics(values, at) ? statisticsLeaves(values, at) : undefined;
      const node = new RowNode(this.schema, item.number, item.value, this.#withState, statistics);
      node.parent = this.#parent;
      if (this.#withOrigin && openRow(item.number, item.value).origin === 'learned') node.origin = 'learned';
      yield node;
    }
  }

  *#plain(): Generator<Counted<SealedRow>> {
    for (const row of copies(this.#rows)) yield { item: row, values: undefined, at: 0 };
  }

  #counted(ask: Ask): Generator<Counted<SealedRow> | Promise<void>> {
    return counted(copies(this.#rows), ({ number }) => number, ask);
  }

  /** All of them as text, in pieces. @throws DamageError */
  *printed(form: RowForm): Generator<Piece> {
    const printer = new RowPrinter(form, this.#withState, this.#withOrigin);
    if (this.#ask) {
      yield* printCounted(printer, this.#counted(this.#ask));
      return;
    }
    for (const { number, value } of this.#rows) {
      printer.print(openRow(number, value));
      if (printer.isFull) yield printer.take();
    }
    yield printer.take();
  }
}

/** Rows that may be kept. */
function* copies(rows: Iterable<SealedRow>): Generator<SealedRow> {
  for (const { number, value } of rows) yield { number, value: Uint8Array.from(value) };
}

function* printCounted(printer: RowPrinter, steps: Iterable<Counted<SealedRow> | Promise<void>>): Generator<Piece> {
  for (const step of steps) {
    if (step instanceof Promise) {
      yield step;
      continue;
    }
    const { item, values, at } = step;
    printer.print(
      openRow(item.number, item.value),
      hasStatistics(values, at) ? statisticsLeaves(values, at) : undefined,
    );
    if (printer.isFull) yield printer.take();
  }
  yield printer.take();
}

const ROOM = 64 * 1024;
/** No leaf but a text takes more, with what is around it. */
const LONGEST = 256;

class RowPrinter {
  readonly #octets = Buffer.allocUnsafe(ROOM + 16 * LONGEST);
  readonly #form: RowForm;
  readonly #withState: boolean;
  readonly #between: Uint8Array;
  readonly #close: Uint8Array;
  readonly #prefix: Leaf;
  readonly #learnedPrefix: Leaf;
  readonly #gateway: Leaf;
  readonly #aftr: Leaf;
  #at = 0;
  #isFirst = true;
  /** What is to be taken before what stands in the octets. */
  #before = '';

  constructor(form: RowForm, withState: boolean, withOrigin: boolean) {
    this.#form = form;
    this.#withState = withState;
    this.#between = Buffer.from(form.between);
    this.#close = Buffer.from(form.close);
    this.#prefix = leafOf(form, 'ipv4-prefix', form.open);
    const { openLearned = form.open } = form;
    this.#learnedPrefix = withOrigin ? leafOf(form, 'ipv4-prefix', openLearned) : this.#prefix;
    this.#gateway = leafOf(form, 'gateway-ipv6-address');
    this.#aftr = leafOf(form, 'aftr-ipv6-address');
  }

  get isFull(): boolean {
    return this.#at >= ROOM || this.#before.length >= ROOM;
  }

  take(): string {
    const text = this.#before + this.#octets.toString('latin1', 0, this.#at);
    this.#before = '';
    this.#at = 0;
    return text;
  }

  print(binding: Binding, statistics?: StatisticsLeaves): void {
    const { address, length, gatewayIpv6Address, aftrIpv6Address, description, origin } = binding;
    if (!this.#isFirst) this.#put(this.#between);
    this.#isFirst = false;
    const prefix = origin === 'learned' ? this.#learnedPrefix : this.#prefix;
    this.#put(prefix.before);
    this.#at = writeIpv4Prefix(this.#octets, this.#at, address, length);
    this.#put(prefix.behind);
    this.#address(this.#gateway, gatewayIpv6Address);
    if (aftrIpv6Address) this.#address(this.#aftr, aftrIpv6Address);
    if (description !== undefined) this.#text('description', description);
    if (this.#withState) this.#text('origin', origin);
    if (statistics) this.#before = this.take() + this.#form.container('statistics', statistics);
    this.#put(this.#close);
  }

  #address({ before, behind }: Leaf, address: Uint8Array): void {
    this.#put(before);
    this.#at = writeIpv6(this.#octets, this.#at, address);
    this.#put(behind);
  }

  #put(octets: Uint8Array): void {
    this.#octets.set(octets, this.#at);
    this.#at += octets.length;
  }

  /** A text may be long, and need more than ASCII. */
  #text(name: string, value: string): void {
    this.#before = this.take() + this.#form.text(name, value);
  }
}

interface Leaf {
  readonly before: Uint8Array;
  readonly behind: Uint8Array;
}

function leafOf(form: RowForm, name: string, open = ''): Leaf {
  const [before, behind] = form.leaf(name);
  return { before: Buffer.from(open + before), behind: Buffer.from(behind) };
}
