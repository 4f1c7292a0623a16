/**
 * Binding entries that go out whole, as long as a table is: printed from the rows themselves into memory that is used again, some
 * hundred at a time, without a node or a text for each.
 */

import { writeIpv4Prefix, writeIpv6 } from '../address.ts';
import type { DataNode } from '../state/data.ts';
import type { Binding } from '../state/model.generated.ts';
import type { SealedRow } from '../state/rows.ts';
import { openRow } from '../state/rows.ts';
import type { SchemaNode } from '../state/schema.ts';
import { RowNode } from './row-node.ts';

/** How entries look in an encoding. */
export interface RowForm {
  /** Stands between two entries. */
  readonly between: string;
  readonly open: string;
  readonly close: string;
  /** What stands before and behind the value of a leaf; the first one is the key. */
  leaf(name: string): readonly [before: string, behind: string];
  /** A leaf of any text. */
  text(name: string, value: string): string;
}

export class WholeRows implements Iterable<DataNode> {
  readonly schema: SchemaNode;
  readonly #parent: DataNode;
  readonly #rows: Iterable<SealedRow>;
  readonly #withState: boolean;

  /** Entries of `schema` below `parent`; `rows` may pass. */
  constructor(schema: SchemaNode, parent: DataNode, rows: Iterable<SealedRow>, withState: boolean) {
    this.schema = schema;
    this.#parent = parent;
    this.#rows = rows;
    this.#withState = withState;
  }

  /** One node each. */
  *[Symbol.iterator](): Generator<DataNode> {
    for (const { number, value } of this.#rows) {
      const node = new RowNode(this.schema, number, Uint8Array.from(value), this.#withState);
      node.parent = this.#parent;
      yield node;
    }
  }

  /** All of them as text, in pieces. @throws DamageError */
  *printed(form: RowForm): Generator<string> {
    const printer = new RowPrinter(form, this.#withState);
    for (const { number, value } of this.#rows) {
      printer.print(openRow(number, value));
      if (printer.isFull) yield printer.take();
    }
    yield printer.take();
  }
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
  readonly #gateway: Leaf;
  readonly #aftr: Leaf;
  #at = 0;
  #isFirst = true;
  /** What is to be taken before what stands in the octets. */
  #before = '';

  constructor(form: RowForm, withState: boolean) {
    this.#form = form;
    this.#withState = withState;
    this.#between = Buffer.from(form.between);
    this.#close = Buffer.from(form.close);
    this.#prefix = leafOf(form, 'ipv4-prefix', form.open);
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

  print({ address, length, gatewayIpv6Address, aftrIpv6Address, description, origin }: Binding): void {
    if (!this.#isFirst) this.#put(this.#between);
    this.#isFirst = false;
    this.#put(this.#prefix.before);
    this.#at = writeIpv4Prefix(this.#octets, this.#at, address, length);
    this.#put(this.#prefix.behind);
    this.#address(this.#gateway, gatewayIpv6Address);
    if (aftrIpv6Address) this.#address(this.#aftr, aftrIpv6Address);
    if (description !== undefined) this.#text('description', description);
    if (this.#withState) this.#text('origin', origin);
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
