/** The text of files and of standard input: UTF-8, and nothing else. */

import { isUtf8 } from 'node:buffer';
import { createReadStream } from 'node:fs';

/** Characters of one line; no table that people or programs write has one so long. */
const MAX_LINE = 1024 * 1024;

/** Marks at the beginning of text in other encodings (Unicode §23.8). */
const FOREIGN_MARKS: readonly (readonly [readonly number[], string])[] = [
  [[0xff, 0xfe, 0, 0], 'UTF-32'],
  [[0, 0, 0xfe, 0xff], 'UTF-32'],
  [[0xff, 0xfe], 'UTF-16'],
  [[0xfe, 0xff], 'UTF-16'],
];

/** Pieces of the file; `-` is standard input. */
export function octetsOf(file: string): AsyncIterable<Buffer> {
  return file === '-' ? process.stdin : createReadStream(file);
}

/**
 * Octets as text, without the mark that some editors put before everything (U+FEFF).
 * @throws Error that names line and column of the first octet that is no UTF-8, once all before it is given
 */
export async function* utf8Text(octets: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let held: Buffer = Buffer.alloc(0);
  let isFirst = true;
  const place = new Place();
  for await (const piece of octets) {
    held = held.length === 0 ? piece : Buffer.concat([held, piece]);
    // As long as the longest mark.
    if (isFirst && held.length < 4) continue;
    if (isFirst) held = withoutMark(held);
    isFirst = false;
    const end = held.length - unfinished(held);
    yield* checked(held.subarray(0, end), place);
    held = held.subarray(end);
  }
  if (isFirst) held = withoutMark(held);
  yield* checked(held, place);
}

function withoutMark(octets: Buffer): Buffer {
  const foreign = FOREIGN_MARKS.find(([mark]) => mark.every((octet, at) => octets[at] === octet));
  if (foreign) throw new Error(`it is in ${foreign[1]}: save it in UTF-8`);
  return octets.indexOf('\ufeff') === 0 ? octets.subarray(3) : octets;
}

/** Octets at the end that begin a character and do not end it. */
function unfinished(octets: Buffer): number {
  for (let back = 1; back <= Math.min(3, octets.length); back++) {
    const octet = octets[octets.length - back] ?? 0;
    if (octet < 0x80) return 0;
    if (octet < 0xc0) continue;
    return back < lengthBy(octet) ? back : 0;
  }
  return 0;
}

function* checked(octets: Buffer, place: Place): Generator<string> {
  const good = isUtf8(octets) ? octets.length : goodLength(octets);
  const text = octets.toString('utf8', 0, good);
  place.pass(text);
  if (text !== '') yield text;
  if (good === octets.length) return;
  const octet = (octets[good] ?? 0).toString(16).toUpperCase().padStart(2, '0');
  throw new Error(`${place}: octet 0x${octet} is no UTF-8: save the file in UTF-8`);
}

/** How many octets are UTF-8 before the first that is not. */
function goodLength(octets: Buffer): number {
  let good = 0;
  while (good < octets.length) {
    const end = good + lengthBy(octets[good] ?? 0);
    if (!isUtf8(octets.subarray(good, end))) break;
    good = end;
  }
  return good;
}

/** Octets of the character that begins with this one (RFC 3629 §3). */
function lengthBy(first: number): number {
  if (first < 0xc0) return 1;
  return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

/** Line and column of what comes next; columns count characters. */
export class Place {
  line = 1;
  column = 1;

  pass(text: string): void {
    let last = -1;
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) {
      this.line++;
      last = at;
    }
    if (last >= 0) this.column = 1;
    this.column += characters(text.slice(last + 1));
  }

  toString(): string {
    return `line ${this.line}, column ${this.column}`;
  }
}

/** Length in characters; those beyond U+FFFF are two units of a string. */
export function characters(text: string): number {
  return text.length - (text.match(/[\ud800-\udbff][\udc00-\udfff]/g)?.length ?? 0);
}

/**
 * Lines of a text, without their ends.
 * @throws Error for one of more than 1,048,576 characters
 */
export async function* linesIn(pieces: AsyncIterable<string>): AsyncGenerator<string> {
  let held = '';
  let line = 1;
  for await (const piece of pieces) {
    const lines = (held + piece).split('\n');
    held = lines.pop() ?? '';
    for (const text of lines) yield text.endsWith('\r') ? text.slice(0, -1) : text;
    line += lines.length;
    if (held.length > MAX_LINE) throw new Error(`line ${line} has more than ${MAX_LINE} characters`);
  }
  if (held !== '') yield held;
}
