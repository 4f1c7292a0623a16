/**
 * A JSON document that comes in pieces. Plain entries of binding tables become rows and leave the text; what is left, mostly
 * little, is parsed when all has come.
 *
 *     elsewhere   text is kept, up to the bracket of an array that is a binding table, or looks like one: the parser comes to no other
 *     in a table  entries to rows; from the first that is not plain on, text is kept again
 */

import { JsonRows, LONGEST_ENTRY } from '../bulk-rows.ts';
import type { Gap, JsonValue } from './json-text.ts';
import { JsonParser, MAX_BULK_TABLES } from './json-text.ts';

const TABLE = /"(?:gi-4over6:)?binding"\s*:\s*\[\s*/g;
/** What may be the beginning of a table's name and bracket is looked at again with the next piece. */
const LONGEST_NAME = 256;

export class JsonFeed {
  readonly #kept: string[] = [];
  #keptLength = 0;
  readonly #gaps: Gap[] = [];
  /** What was not read yet: it may be the beginning of something. */
  #rest = '';
  /** The table whose entries come now. */
  #gap: { -readonly [Name in keyof Gap]: Gap[Name] } | undefined;

  /** The next piece of the text. */
  push(text: string): void {
    this.#read(this.#rest + text, false);
  }

  /** Octets of memory that what was read takes, about: texts as they came, and rows. */
  get held(): number {
    let rows = 0;
    for (const { reader } of this.#gaps) rows += reader.rows.held;
    return this.#keptLength + this.#rest.length + rows;
  }

  /** The value. @throws as parseJson */
  end(): JsonValue {
    this.#read(this.#rest, true);
    return new JsonParser(this.#kept.join(''), true, this.#gaps).document();
  }

  #read(text: string, isLast: boolean): void {
    let at = 0;
    for (let next = this.#step(text, at, isLast); next > at; next = this.#step(text, at, isLast)) at = next;
    this.#rest = text.slice(at);
  }

  /** Reads from `at` on; where reading goes on, `at` itself when more of the text is needed for that. */
  #step(text: string, at: number, isLast: boolean): number {
    if (this.#gap) {
      const next = this.#gap.reader.read(text, at);
      this.#note(this.#gap, text, at, next);
      if (next > at && !this.#gap.reader.isEnded) return next;
      // An entry that is cut in two is none yet.
      if (!this.#gap.reader.isEnded && !isLast && text.length - at < LONGEST_ENTRY) return at;
      this.#gap = undefined;
      if (next > at) return next;
    }
    TABLE.lastIndex = at;
    const found = this.#gaps.length < MAX_BULK_TABLES ? TABLE.exec(text) : null;
    const end = found ? found.index + found[0].length : text.length;
    if (!found) return this.#keep(text, at, isLast ? end : Math.max(at, end - LONGEST_NAME));
    if (end === text.length && !isLast) return this.#keep(text, at, found.index);
    this.#keep(text, at, end);
    this.#gap = { at: this.#keptLength, reader: new JsonRows(), lines: 0, columns: 0 };
    this.#gaps.push(this.#gap);
    return end;
  }

  #keep(text: string, from: number, to: number): number {
    if (to > from) this.#kept.push(text.slice(from, to));
    this.#keptLength += to - from;
    return to;
  }

  /** How much leaves the text, for the place of a fault behind it. */
  #note(gap: { lines: number; columns: number }, text: string, from: number, to: number): void {
    let start = from;
    for (let end = text.indexOf('\n', start); end >= 0 && end < to; end = text.indexOf('\n', start)) {
      gap.lines++;
      gap.columns = 0;
      start = end + 1;
    }
    gap.columns += to - start;
  }
}
