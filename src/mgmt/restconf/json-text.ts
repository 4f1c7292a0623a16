/**
 * Strict JSON (RFC 8259) to values that lose nothing: members in a Map (so `__proto__` is a name like any other),
 * numbers as their text. I-JSON's rule (RFC 7493 §2.3), which RFC 7951 builds on, is kept: no member name twice.
 */

import { ManagementError } from '../../state/errors.ts';
import type { RowPack } from '../../state/row-pack.ts';
import { JsonRows } from '../bulk-rows.ts';
import { LIMITS } from './limits.ts';
import { isYangText } from './yang-text.ts';

export class JsonNumber {
  /** As it stood in the document. */
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** An array that held entries of a binding table; those that were read as rows it lacks. */
export class BulkArray extends Array<JsonValue> {
  bulk: RowPack | undefined;
}

export type JsonObject = ReadonlyMap<string, JsonValue>;
export type JsonValue = string | boolean | null | JsonNumber | JsonObject | readonly JsonValue[];

/** So many tables of one document are read as rows; what rows stand in is too much for very many small ones. */
export const MAX_BULK_TABLES = 1_000;

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WHITE_SPACE = /[ \t\n\r]*/y;
const PLAIN_TEXT = /[^"\\]*/y;
const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};

/**
 * One document; with `bulk`, plain entries of binding tables are read as rows.
 * @throws ManagementError malformed-message for a byte order mark, a member twice in one object, anything after the
 *   value, a character no YANG string may hold (lone surrogate, control), and all RFC 8259 refuses; too-big when nested
 *   deeper than LIMITS.jsonDepth
 */
export function parseJson(text: string, bulk = false): JsonValue {
  return new JsonParser(text, bulk).document();
}

/** Where entries of a binding table, or what looks like one, were read before the parser came to them, and left the text. */
export interface Gap {
  readonly at: number;
  readonly reader: JsonRows;
  /** Line feeds in what left, and characters behind the last of them. */
  readonly lines: number;
  readonly columns: number;
}

export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return value instanceof Map;
}

export function isJsonArray(value: JsonValue | undefined): value is readonly JsonValue[] {
  return Array.isArray(value);
}

/** The value as JSON text again, numbers as they came. */
export function printJson(value: JsonValue): string {
  if (value instanceof JsonNumber) return value.text;
  if (isJsonArray(value)) return `[${value.map(printJson).join(',')}]`;
  if (!isJsonObject(value)) return JSON.stringify(value);
  return `{${[...value].map(([name, member]) => `${JSON.stringify(name)}:${printJson(member)}`).join(',')}}`;
}

/** What kind of value it is, in words for messages. */
export function describeJson(value: JsonValue): string {
  if (value === null) return 'null';
  if (value instanceof JsonNumber) return `the number ${value.text.slice(0, 40)}`;
  if (typeof value === 'string') return `the string ${JSON.stringify(value.slice(0, 40))}`;
  if (typeof value === 'boolean') return String(value);
  return isJsonArray(value) ? 'an array' : 'an object';
}

export class JsonParser {
  readonly #text: string;
  #at = 0;
  #depth = 0;
  readonly #bulk: boolean;
  readonly #gaps: readonly Gap[];
  /** The first gap that was not passed yet. */
  #nextGap = 0;
  /** Tables so far. */
  #tables = 0;

  /** `gaps` in their order. */
  constructor(text: string, bulk: boolean, gaps: readonly Gap[] = []) {
    this.#text = text;
    this.#bulk = bulk;
    this.#gaps = gaps;
  }

  document(): JsonValue {
    if (this.#text.charCodeAt(0) === 0xfeff) this.#fail('a byte order mark is not allowed (RFC 8259 §8.1)');
    this.#skip();
    const value = this.#value();
    this.#skip();
    if (this.#at < this.#text.length) this.#fail('expected the end of the document');
    return value;
  }

  #value(): JsonValue {
    const first = this.#text[this.#at];
    if (first === '"') return this.#string();
    if (first === '{') return this.#nested(() => this.#object());
    if (first === '[') return this.#nested(() => this.#array());
    if (this.#literal('true')) return true;
    if (this.#literal('false')) return false;
    if (this.#literal('null')) return null;
    const number = this.#match(NUMBER);
    if (number === '') this.#fail('expected a value');
    return new JsonNumber(number);
  }

  #nested<T>(read: () => T): T {
    if (++this.#depth > LIMITS.jsonDepth) {
      throw new ManagementError('too-big', {
        type: 'rpc',
        message: `the JSON body is nested more than ${LIMITS.jsonDepth} deep`,
      });
    }
    this.#at++;
    this.#skip();
    const value = read();
    this.#depth--;
    return value;
  }

  #object(): JsonObject {
    const members = new Map<string, JsonValue>();
    if (this.#take('}')) return members;
    do {
      this.#skip();
      if (this.#text[this.#at] !== '"') this.#fail('expected a member name');
      const name = this.#string();
      if (members.has(name)) this.#fail(`member "${name}" stands twice in one object`);
      this.#skip();
      if (!this.#take(':')) this.#fail(`expected ':' after member name "${name}"`);
      this.#skip();
      const from = this.#at;
      members.set(name, this.#isEntries(name) ? this.#nested(() => this.#entries(from)) : this.#value());
      this.#skip();
    } while (this.#take(','));
    if (!this.#take('}')) this.#fail("expected ',' or '}'");
    return members;
  }

  #isEntries(name: string): boolean {
    return this.#bulk && (name === 'binding' || name === 'gi-4over6:binding') && this.#text[this.#at] === '[';
  }

  /** The array whose bracket stands at `from`; its first value, or what is left in place of it, is next. */
  #entries(from: number): readonly JsonValue[] {
    const gap = this.#gapBehind(from);
    // What left a gap is rows already.
    if (++this.#tables > MAX_BULK_TABLES && !gap) return this.#array();
    const reader = gap?.reader ?? new JsonRows();
    const values = new BulkArray();
    this.#array(values, () => {
      this.#at = reader.read(this.#text, this.#at);
      return reader.isEnded;
    });
    values.bulk = reader.rows;
    return values;
  }

  /** The gap between a bracket and the place where reading goes on. */
  #gapBehind(from: number): Gap | undefined {
    while ((this.#gaps[this.#nextGap]?.at ?? Number.POSITIVE_INFINITY) <= from) this.#nextGap++;
    const gap = this.#gaps[this.#nextGap];
    return gap && gap.at <= this.#at ? gap : undefined;
  }

  /** `before` is called where a value is about to begin; it may read some, and says whether they were the last. */
  #array(values: JsonValue[] = [], before = () => false): readonly JsonValue[] {
    if (this.#take(']')) return values;
    do {
      if (before()) break;
      this.#skip();
      values.push(this.#value());
      this.#skip();
    } while (this.#take(','));
    if (!this.#take(']')) this.#fail("expected ',' or ']'");
    return values;
  }

  #string(): string {
    const start = this.#at++;
    let value = '';
    for (;;) {
      const plain = this.#match(PLAIN_TEXT);
      // Escaped ones are judged below, with the whole string; raw ones are wrong by RFC 8259 itself.
      if (/[\t\n\r]/.test(plain)) this.#fail('a control character stands unescaped in a string');
      value += plain;
      const next = this.#text[this.#at];
      if (next === undefined) this.#fail('the document ends inside a string');
      if (this.#take('"')) break;
      this.#at++;
      value += this.#escape();
    }
    if (isYangText(value)) return value;
    this.#at = start;
    return this.#fail('the string holds a character that no YANG string may hold (RFC 7950 §14)');
  }

  #escape(): string {
    const letter = this.#text[this.#at] ?? '';
    if (letter === 'u') {
      const digits = this.#text.slice(this.#at + 1, this.#at + 5);
      if (!/^[0-9A-Fa-f]{4}$/.test(digits)) this.#fail('expected four hexadecimal digits after \\u');
      this.#at += 5;
      return String.fromCharCode(Number.parseInt(digits, 16));
    }
    const character = Object.hasOwn(ESCAPES, letter) ? ESCAPES[letter] : undefined;
    if (character === undefined) return this.#fail('unknown escape in a string');
    this.#at++;
    return character;
  }

  #literal(word: string): boolean {
    if (!this.#text.startsWith(word, this.#at)) return false;
    this.#at += word.length;
    return true;
  }

  #take(character: string): boolean {
    if (this.#text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const [found = ''] = pattern.exec(this.#text) ?? [];
    this.#at += found.length;
    return found;
  }

  #skip(): void {
    const unit = this.#text.charCodeAt(this.#at);
    if (unit === 0x20 || (unit >= 0x09 && unit <= 0x0d)) this.#match(WHITE_SPACE);
  }

  #fail(what: string): never {
    let [line, column, from] = [1, 1, 0];
    const pass = (lines: number, columns: number) => {
      line += lines;
      column = lines > 0 ? columns + 1 : column + columns;
    };
    const passText = (to: number) => {
      const text = this.#text.slice(from, to);
      pass(text.split('\n').length - 1, text.length - text.lastIndexOf('\n') - 1);
      from = to;
    };
    for (const gap of this.#gaps.filter(({ at }) => at <= this.#at)) {
      passText(gap.at);
      pass(gap.lines, gap.columns);
    }
    passText(this.#at);
    throw new ManagementError('malformed-message', {
      type: 'rpc',
      message: `not well-formed JSON at line ${line}, column ${column}: ${what}`,
    });
  }
}
