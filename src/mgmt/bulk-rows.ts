/**
 * Binding entries of a long document straight to packed rows. Only what is plain is taken: the leaves of an entry in any
 * order, canonical enough to need no judge, without attributes, escapes or characters beyond ASCII. At the first entry
 * that is anything else reading stops there, and the ordinary readers go on, who have a word for everything.
 */

import { readIpv4Prefix, readIpv6 } from '../address.ts';
import { RowPack } from '../state/row-pack.ts';

/** The container of the entries. */
export const TABLE = { name: 'binding-table', namespace: 'urn:gi-4over6' } as const;

const LONGEST_DESCRIPTION = 255;

/** One entry at a time, leaf by leaf. */
class Entry {
  readonly #gateway = new Uint8Array(16);
  readonly #aftr = new Uint8Array(16);
  #prefix = -1;
  #hasGateway = false;
  #hasAftr = false;
  #description: string | undefined;

  begin(): void {
    this.#prefix = -1;
    this.#hasGateway = false;
    this.#hasAftr = false;
    this.#description = undefined;
  }

  /** Takes the value that stands from `from` to before `to`; false when the leaf is unknown, came before or is not plain. */
  leaf(name: string, text: string, from: number, to: number): boolean {
    switch (name) {
      case 'ipv4-prefix':
        if (this.#prefix >= 0) return false;
        this.#prefix = readIpv4Prefix(text, from, to);
        return this.#prefix >= 0;
      case 'gateway-ipv6-address':
        if (this.#hasGateway) return false;
        this.#hasGateway = readIpv6(text, from, to, this.#gateway);
        return this.#hasGateway;
      case 'aftr-ipv6-address':
        if (this.#hasAftr) return false;
        this.#hasAftr = readIpv6(text, from, to, this.#aftr);
        return this.#hasAftr;
      case 'description':
        if (this.#description !== undefined || !isPlain(text, from, to)) return false;
        this.#description = text.slice(from, to);
        return true;
      default:
        return false;
    }
  }

  /** Adds the entry; false when it is not whole, or there is one of that prefix already. */
  end(rows: RowPack): boolean {
    if (this.#prefix < 0 || !this.#hasGateway || rows.has(this.#prefix)) return false;
    rows.putBinding({
      address: Math.floor(this.#prefix / 64),
      length: this.#prefix % 64,
      gatewayIpv6Address: this.#gateway,
      aftrIpv6Address: this.#hasAftr ? this.#aftr : undefined,
      description: this.#description,
      origin: 'static',
    });
    return true;
  }
}

/** Printable ASCII that neither XML nor JSON escapes, and not too much of it. */
function isPlain(text: string, from: number, to: number): boolean {
  if (to - from > LONGEST_DESCRIPTION || to === from) return false;
  for (let at = from; at < to; at++) {
    const unit = text.charCodeAt(at);
    if (unit < 0x20 || unit > 0x7e || unit === 0x26 || unit === 0x3c || unit === 0x3e || unit === 0x5c) return false;
  }
  return true;
}

function skipSpace(text: string, at: number): number {
  for (let unit = text.charCodeAt(at); unit === 0x20 || unit === 0x0a || unit === 0x0d || unit === 0x09; ) {
    unit = text.charCodeAt(++at);
  }
  return at;
}

const LEAVES = ['ipv4-prefix', 'gateway-ipv6-address', 'aftr-ipv6-address', 'description'] as const;

/** A plain entry with the white space around it has fewer characters; of a longer one, nobody waits for the end. */
export const LONGEST_ENTRY = 4_096;

/** Reads entries as XML elements of one prefix ('' for none). */
export class XmlRows {
  readonly rows = new RowPack();
  readonly #entry = new Entry();
  readonly #open: string;
  readonly #close: string;
  readonly #leaves: readonly { readonly name: string; readonly open: string; readonly close: string }[];

  constructor(prefix: string) {
    const tag = (name: string) => (prefix === '' ? name : `${prefix}:${name}`);
    this.#open = `<${tag('binding')}>`;
    this.#close = `</${tag('binding')}>`;
    this.#leaves = LEAVES.map((name) => ({ name, open: `<${tag(name)}>`, close: `</${tag(name)}>` }));
  }

  /** Reads entries from `at` on; where the first one stands that was not taken. */
  read(text: string, at: number): number {
    let next = at;
    for (let end = this.#one(text, next); end >= 0; end = this.#one(text, next)) next = end;
    return next;
  }

  /** Where the entry ends, or -1. */
  #one(text: string, from: number): number {
    let at = skipSpace(text, from);
    if (!text.startsWith(this.#open, at)) return -1;
    at += this.#open.length;
    this.#entry.begin();
    for (;;) {
      at = skipSpace(text, at);
      if (text.startsWith(this.#close, at)) return this.#entry.end(this.rows) ? at + this.#close.length : -1;
      const leaf = this.#leaves.find(({ open }) => text.startsWith(open, at));
      if (!leaf) return -1;
      at += leaf.open.length;
      const end = text.indexOf('<', at);
      if (end < 0 || !text.startsWith(leaf.close, end) || !this.#entry.leaf(leaf.name, text, at, end)) return -1;
      at = end + leaf.close.length;
    }
  }
}

/** Reads entries as objects of a JSON array. */
export class JsonRows {
  readonly rows = new RowPack();
  readonly #entry = new Entry();

  /** Whether the last entry of the array was taken. */
  isEnded = false;

  /**
   * Reads objects from `at` on, each with the comma behind it; where the first one stands that was not taken, or the bracket behind
   * the last one (`isEnded`).
   */
  read(text: string, at: number): number {
    let next = at;
    while (!this.isEnded) {
      const end = this.#one(text, next);
      if (end < 0) break;
      next = end;
    }
    return next;
  }

  #one(text: string, from: number): number {
    let at = skipSpace(text, from);
    if (text[at] !== '{') return -1;
    this.#entry.begin();
    for (at = skipSpace(text, at + 1); text[at] === '"'; at = skipSpace(text, at + 1)) {
      const nameEnd = text.indexOf('"', at + 1);
      const colon = skipSpace(text, nameEnd + 1);
      const value = skipSpace(text, colon + 1);
      if (nameEnd < 0 || text[colon] !== ':' || text[value] !== '"') return -1;
      const name = text.slice(at + 1, nameEnd);
      const end = text.indexOf('"', value + 1);
      if (end < 0 || !this.#entry.leaf(name, text, value + 1, end)) return -1;
      at = skipSpace(text, end + 1);
      if (text[at] !== ',') break;
    }
    if (text[at] !== '}') return -1;
    const comma = skipSpace(text, at + 1);
    const isLast = text[comma] === ']';
    // A comma is the entry's only when another one follows: the ordinary reader must find the array well-formed.
    if (!isLast && (text[comma] !== ',' || text[skipSpace(text, comma + 1)] !== '{')) return -1;
    if (!this.#entry.end(this.rows)) return -1;
    this.isEnded = isLast;
    return isLast ? comma : comma + 1;
  }
}
