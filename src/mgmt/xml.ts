/**
 * XML text to elements and back. Strict and namespace-aware (saxes); a document type, an entity beyond the five of XML
 * and a processing instruction are refused (RFC 6241 §3). Text is kept as it came; white space between elements is not.
 */

import { SaxesParser } from 'saxes';
import { ManagementError } from '../state/errors.ts';
import type { RowPack } from '../state/row-pack.ts';
import { TABLE, XmlRows } from './bulk-rows.ts';

export interface XmlAttribute {
  /** Local name. */
  readonly name: string;
  /** '' when the attribute has no prefix. */
  readonly namespace: string;
  readonly value: string;
  readonly prefix: string;
}

export interface XmlElement {
  /** Local name. */
  readonly name: string;
  /** '' when no namespace is in scope. */
  readonly namespace: string;
  readonly prefix: string;
  /** Without namespace declarations. */
  readonly attributes: readonly XmlAttribute[];
  /** Declarations in scope: prefix to namespace, '' for the default one. */
  readonly prefixes: Readonly<Record<string, string>>;
  readonly children: readonly XmlElement[];
  /** All character data directly inside, joined. */
  readonly text: string;
  /** Entries of a binding table that were read as rows; `children` lacks them. */
  readonly bulk?: RowPack;
}

const EDIT_NAMESPACE = 'urn:ietf:params:xml:ns:netconf:base:1.0';

export interface XmlLimits {
  /** Levels of elements. */
  readonly depth: number;
  /** Elements in one document. */
  readonly elements: number;
  /** Attributes of one element, namespace declarations included. */
  readonly attributes: number;
}

export const XML_LIMITS: XmlLimits = { depth: 100, elements: 4_000_000, attributes: 100 };

/**
 * Where entries of binding tables may be read as rows: in the `config` of an edit, anywhere in a body that is one, nowhere.
 */
export type BulkPlace = 'config' | 'body' | 'none';

interface OpenElement {
  readonly element: XmlElement & { children: XmlElement[] };
  readonly text: string[];
  bulk?: XmlRows;
}

/** Characters handed to the parser at once. */
const PIECE = 64 * 1024;
/** Entries read at once. */
const ENTRIES = 4_096;
const SLICE_MS = 10;

/**
 * One document to its root element.
 * @throws ManagementError malformed-message (type rpc) for anything not well-formed, a DOCTYPE, a processing
 *   instruction; too-big above a limit.
 */
export function parseXml(text: string, limits: XmlLimits = XML_LIMITS, bulk: BulkPlace = 'none'): XmlElement {
  const steps = parseSteps(text, limits, bulk);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** The same in slices of some milliseconds, so that others have their turn while a long document is read. */
export async function parseLongXml(text: string, bulk: BulkPlace): Promise<XmlElement> {
  const steps = parseSteps(text, XML_LIMITS, bulk);
  for (let began = performance.now(); ; ) {
    const step = steps.next();
    if (step.done) return step.value;
    if (performance.now() - began < SLICE_MS) continue;
    await new Promise((resolve) => setImmediate(resolve));
    began = performance.now();
  }
}

function* parseSteps(text: string, limits: XmlLimits, bulk: BulkPlace): Generator<void, XmlElement> {
  const reader = new ElementReader(limits, bulk, text.length);
  let at = 0;
  const feed = function* (to: number): Generator<void> {
    while (at < to) {
      const end = Math.min(to, at + PIECE);
      reader.write(text.slice(at, end));
      at = end;
      yield;
    }
  };
  try {
    while (bulk !== 'none') {
      const table = text.indexOf(TABLE.name, at);
      const end = table < 0 ? 0 : text.indexOf('>', table) + 1;
      if (end === 0) break;
      yield* feed(end);
      while (reader.isInTable && at < text.length) {
        for (let from = -1; from !== at && reader.rows; yield) {
          from = at;
          at = reader.rows.read(text, at, ENTRIES);
        }
        yield* feed(text.indexOf('>', at) + 1 || text.length);
      }
    }
    yield* feed(text.length);
    reader.close();
  } catch (error) {
    if (error instanceof ManagementError) throw error;
    throw malformed(error instanceof Error ? reader.place(error.message) : String(error));
  }
  if (!reader.root) throw malformed('expected one XML element, found none');
  return reader.root;
}

function malformed(message: string): ManagementError {
  return new ManagementError('malformed-message', { type: 'rpc', message: `not well-formed XML: ${message}` });
}

class ElementReader {
  readonly #parser = new SaxesParser({ xmlns: true });
  root: XmlElement | undefined;
  readonly #open: OpenElement[] = [];
  readonly #limits: XmlLimits;
  readonly #bulk: BulkPlace;
  /** Of the whole document. */
  readonly #characters: number;
  #elements = 0;
  #attributes = 0;
  /** The open binding table, in which entries may be read as rows. */
  #table: OpenElement | undefined;
  /** Characters that went into the parser, and those up to the end of the last tag. */
  #written = 0;
  #tagEnd = 0;
  #hasRows = false;

  constructor(limits: XmlLimits, bulk: BulkPlace, characters: number) {
    this.#characters = characters;
    this.#limits = limits;
    this.#bulk = bulk;
    const parser = this.#parser;
    parser.on('error', (error) => {
      throw error;
    });
    parser.on('doctype', () => {
      throw malformed('a document type declaration is refused');
    });
    parser.on('processinginstruction', () => {
      throw malformed('a processing instruction is refused');
    });
    parser.on('opentagstart', () => {
      this.#attributes = 0;
      this.#count();
    });
    parser.on('attribute', () => {
      if (++this.#attributes > limits.attributes)
        this.#tooBig(`more than ${limits.attributes} attributes in one element`);
    });
    parser.on('opentag', (tag) => {
      const parent = this.#open[this.#open.length - 1]?.element;
      const inherited = parent?.prefixes ?? {};
      const prefixes = hasOwn(tag.ns) ? { ...inherited, ...tag.ns } : inherited;
      const attributes = Object.values(tag.attributes)
        .filter((attribute) => attribute.prefix !== 'xmlns' && attribute.name !== 'xmlns')
        .map(({ local, uri, value, prefix }) => ({ name: local, namespace: uri, value, prefix }));
      const element = {
        name: tag.local,
        namespace: tag.uri,
        prefix: tag.prefix,
        attributes,
        prefixes,
        children: [],
        text: '',
      };
      const opened: OpenElement = { element, text: [] };
      if (!this.#table && this.#isTable(element)) this.#table = opened;
      this.#open.push(opened);
      this.#tagEnd = parser.position;
    });
    parser.on('text', (text) => this.#open[this.#open.length - 1]?.text.push(text));
    parser.on('cdata', (text) => this.#open[this.#open.length - 1]?.text.push(text));
    parser.on('closetag', () => {
      this.#close();
      this.#tagEnd = parser.position;
    });
  }

  write(text: string): void {
    this.#written += text.length;
    this.#parser.write(text);
  }

  close(): void {
    this.#parser.close();
  }

  get isInTable(): boolean {
    return this.#table !== undefined;
  }

  /** What reads entries where the parser stands; undefined unless that is right behind a tag, in the table itself. */
  get rows(): XmlRows | undefined {
    const table = this.#table;
    if (!table || table !== this.#open[this.#open.length - 1] || this.#tagEnd !== this.#written) return undefined;
    table.bulk ??= new XmlRows(table.element.prefix, this.#characters - this.#written);
    this.#hasRows = true;
    return table.bulk;
  }

  /** The parser counts lines of what went through it; behind rows that is no place. */
  place(message: string): string {
    return this.#hasRows ? message.replace(/^\d+:\d+: /, '') : message;
  }

  #isTable({ name, namespace }: XmlElement): boolean {
    if (this.#bulk === 'none' || name !== TABLE.name || namespace !== TABLE.namespace) return false;
    if (this.#bulk === 'body') return true;
    return this.#open.some(({ element }) => element.name === 'config' && element.namespace === EDIT_NAMESPACE);
  }

  #count(): void {
    if (this.#open.length >= this.#limits.depth) this.#tooBig(`elements nested more than ${this.#limits.depth} deep`);
    if (++this.#elements > this.#limits.elements) this.#tooBig(`more than ${this.#limits.elements} elements`);
  }

  #tooBig(what: string): never {
    throw new ManagementError('too-big', { type: 'rpc', message: `the message has ${what}` });
  }

  #close(): void {
    const closed = this.#open.pop();
    if (!closed) return;
    if (closed === this.#table) this.#table = undefined;
    const bulk = closed.bulk && closed.bulk.rows.size > 0 ? { bulk: closed.bulk.rows } : {};
    const element = { ...closed.element, text: closed.text.join(''), ...bulk };
    const parent = this.#open[this.#open.length - 1];
    if (parent) parent.element.children.push(element);
    else this.root = element;
  }
}

function hasOwn(record: object): boolean {
  for (const _ in record) return true;
  return false;
}

/** The first child with that name and, when given, namespace. */
export function childElement(element: XmlElement, name: string, namespace = element.namespace): XmlElement | undefined {
  return element.children.find((child) => child.name === name && child.namespace === namespace);
}

const TEXT_ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '\r': '&#13;' };
const ATTRIBUTE_ESCAPES: Readonly<Record<string, string>> = {
  ...TEXT_ESCAPES,
  '"': '&quot;',
  '\n': '&#10;',
  '\t': '&#9;',
};

/** Character data with `&`, `<`, `>` and carriage return escaped. */
export function escapeText(text: string): string {
  return /[&<>\r]/.test(text) ? text.replace(/[&<>\r]/g, (character) => TEXT_ESCAPES[character] ?? character) : text;
}

/** An attribute value for double quotes. */
export function escapeAttribute(text: string): string {
  return text.replace(/[&<>\r"\n\t]/g, (character) => ATTRIBUTE_ESCAPES[character] ?? character);
}

/** An element as text, with every namespace it needs declared; prefixes in scope are declared at the top element. */
export function serializeXml(element: XmlElement): string {
  return serialize(element, {});
}

function serialize(element: XmlElement, declared: Readonly<Record<string, string>>): string {
  const tag = element.prefix === '' ? element.name : `${element.prefix}:${element.name}`;
  let head = `<${tag}`;
  for (const [prefix, namespace] of Object.entries(element.prefixes)) {
    if (declared[prefix] === namespace || prefix === 'xml' || prefix === 'xmlns') continue;
    head += ` ${prefix === '' ? 'xmlns' : `xmlns:${prefix}`}="${escapeAttribute(namespace)}"`;
  }
  for (const { name, prefix, value } of element.attributes) {
    head += ` ${prefix === '' ? name : `${prefix}:${name}`}="${escapeAttribute(value)}"`;
  }
  const inside = element.children.map((child) => serialize(child, element.prefixes)).join('');
  const text = element.children.length === 0 ? escapeText(element.text) : '';
  return inside === '' && text === '' ? `${head}/>` : `${head}>${text}${inside}</${tag}>`;
}
