/** CSV (RFC 4180): records with the number of their first line. */

import { characters } from './file-text.ts';

/** Characters of one quoted field: a quote too many is found there, and not at the end of the file. */
const MAX_FIELD = 65_536;

/** One field, quoted where it must be. */
export function csvField(text: string): string {
  return /[",\r\n]/.test(text) || text !== text.trim() ? `"${text.replaceAll('"', '""')}"` : text;
}

export interface CsvRecord {
  readonly line: number;
  readonly fields: readonly string[];
}

/**
 * The records of a file given as lines; a quoted field may go over several. Empty lines are left out.
 * @throws Error with line and column of a quote that stands inside a field, never ends, or ends too late
 */
export async function* csvRecords(lines: AsyncIterable<string> | Iterable<string>): AsyncGenerator<CsvRecord> {
  const reader = new RecordReader();
  for await (const line of lines) {
    const record = reader.take(line);
    if (record) yield record;
  }
  reader.end();
}

/** A quoted field whose second quote has not come yet. */
interface OpenField {
  readonly line: number;
  /** Of its first quote. */
  readonly column: number;
  /** What is in it, quotes inside doubled still. */
  text: string;
}

class RecordReader {
  #line = 0;
  #first = 0;
  #fields: string[] = [];
  #open: OpenField | undefined;

  /** The record that ends with this line, if one does. */
  take(line: string): CsvRecord | undefined {
    this.#line++;
    if (!this.#open) {
      this.#first = this.#line;
      if (line.trim() === '') return undefined;
    }
    if (!this.#open && !line.includes('"'))
      return { line: this.#line, fields: line.split(',').map((text) => text.trim()) };
    if (!this.#isOver(line)) return undefined;
    return { line: this.#first, fields: this.#fields.splice(0) };
  }

  /** @throws Error when a field is open still */
  end(): void {
    if (this.#open) throw fault(this.#open, 'the quoted field that begins here does not end');
  }

  /** Takes the fields of a line; whether the record ends with it. */
  #isOver(line: string): boolean {
    let at: number | undefined = 0;
    while (at !== undefined) {
      const begin: number = this.#open ? at : at + spacesAt(line, at);
      if (this.#open) at = this.#quoted(this.#open, line, at);
      else if (line[begin] !== '"') at = this.#plain(line, at);
      else at = this.#quoted({ line: this.#line, column: columnOf(line, begin), text: '' }, line, begin + 1);
    }
    return !this.#open;
  }

  /** Takes the field that begins there; where the next one begins, undefined when the line is over. */
  #plain(line: string, at: number): number | undefined {
    const comma = line.indexOf(',', at);
    const text = line.slice(at, comma < 0 ? undefined : comma);
    if (text.includes('"')) throw this.#insideFault(line, at + text.indexOf('"'));
    this.#fields.push(text.trim());
    return comma < 0 ? undefined : comma + 1;
  }

  /** As `#plain`, for what stands behind the first quote, or goes on from the line before. */
  #quoted(field: OpenField, line: string, at: number): number | undefined {
    const end = closingQuote(line, at);
    field.text += end < 0 ? `${line.slice(at)}\n` : line.slice(at, end);
    if (field.text.length > MAX_FIELD) {
      throw fault(
        field,
        `the quoted field that begins here has more than ${MAX_FIELD} characters: is its end missing?`,
      );
    }
    this.#open = end < 0 ? field : undefined;
    if (end < 0) return undefined;
    const next = end + 1 + spacesAt(line, end + 1);
    if (next < line.length && line[next] !== ',') throw this.#insideFault(line, end);
    this.#fields.push(field.text.replaceAll('""', '"'));
    return next < line.length ? next + 1 : undefined;
  }

  #insideFault(line: string, at: number): Error {
    const place = { line: this.#line, column: columnOf(line, at) };
    return fault(place, `a quote inside a field, near '${line.slice(at, at + 20)}'`);
  }
}

function spacesAt(line: string, at: number): number {
  let end = at;
  while (end < line.length && line[end]?.trim() === '') end++;
  return end - at;
}

/** Where the quote is that ends a field, -1 when it is on another line; two quotes are one of the field. */
function closingQuote(line: string, from: number): number {
  for (let at = line.indexOf('"', from); at >= 0; at = line.indexOf('"', at + 2)) {
    if (line[at + 1] !== '"') return at;
  }
  return -1;
}

function columnOf(line: string, at: number): number {
  return characters(line.slice(0, at)) + 1;
}

function fault({ line, column }: { line: number; column: number }, what: string): Error {
  return new Error(`line ${line}, column ${column}: ${what}`);
}
