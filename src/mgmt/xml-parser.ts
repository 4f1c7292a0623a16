/**
 * XML text to elements. Strict and namespace-aware (saxes); a document type, an entity beyond the five of XML and a processing
 * instruction are refused (RFC 6241 §3), and so is a declaration of another encoding than UTF-8 or its part ASCII. Whatever version
 * is declared, the characters are those of XML 1.0: what is read here is written again. Text is kept as it came; white space
 * between elements is not.
 *
 * A document comes whole or in pieces. Between the start tag of a binding table and what is no plain entry, entries become rows
 * without passing the parser:
 *
 *     outside a table   to the parser, up to the end of what may be the start tag of a table
 *     in a table        entries to rows; what is none to the parser, up to the end of the next tag
 */

import { SaxesParser } from 'saxes';
import { ManagementError } from '../state/errors.ts';
import { LONGEST_ENTRY, TABLE, XmlRows } from './bulk-rows.ts';
import type { XmlElement } from './xml.ts';

/** Those of edit-config and edit-data. */
const EDIT_NAMESPACES: readonly string[] = [
  'urn:ietf:params:xml:ns:netconf:base:1.0',
  'urn:ietf:params:xml:ns:yang:ietf-netconf-nmda',
  // Clients write it without, too (netconf/bare-names.ts).
  '',
];

export interface XmlLimits {
  /** Levels of elements. */
  readonly depth: number;
  /** Elements in one document; as many attributes, and as many declarations in the scopes of elements that have some of their own. */
  readonly elements: number;
  /** Attributes of one element, namespace declarations included. */
  readonly attributes: number;
}

export const XML_LIMITS: XmlLimits = { depth: 100, elements: 4_000_000, attributes: 100 };

/**
 * Where entries of binding tables may be read as rows: in the `config` of an edit, anywhere in a body that is one, nowhere.
 */
export type BulkPlace = 'config' | 'body' | 'none';

/** What each takes in memory, as measured, and rounded up. */
const ELEMENT_OCTETS = 220;
const ATTRIBUTE_OCTETS = 100;
const SCOPED_OCTETS = 60;

interface OpenElement {
  readonly element: XmlElement & { children: XmlElement[] };
  readonly text: string[];
  bulk?: XmlRows;
}

/**
 * One document to its root element.
 * @throws ManagementError malformed-message (type rpc) for anything not well-formed, a DOCTYPE, a processing
 *   instruction; too-big above a limit.
 */
export function parseXml(text: string, limits: XmlLimits = XML_LIMITS, bulk: BulkPlace = 'none'): XmlElement {
  const feed = new XmlFeed(limits, bulk);
  feed.push(text);
  return feed.end();
}

/** A document that comes in pieces. The first fault is thrown by each call from then on. */
export class XmlFeed {
  readonly #reader: ElementReader;
  readonly #bulk: BulkPlace;
  /** What was not read yet: it may be the beginning of something. */
  #rest = '';
  #fault: unknown;

  constructor(limits: XmlLimits, bulk: BulkPlace) {
    this.#reader = new ElementReader(limits, bulk);
    this.#bulk = bulk;
  }

  /** The next piece of the text. @throws as parseXml */
  push(text: string): void {
    this.#guard(() => this.#read(this.#rest === '' ? text : this.#rest + text, false));
  }

  /** Octets of memory that what was read takes, about. */
  get held(): number {
    return this.#reader.held + 2 * this.#rest.length;
  }

  /** The root element. @throws as parseXml */
  end(): XmlElement {
    this.#guard(() => {
      this.#read(this.#rest, true);
      this.#reader.close();
    });
    if (!this.#reader.root) throw malformed('expected one XML element, found none');
    return this.#reader.root;
  }

  #guard(work: () => void): void {
    if (this.#fault !== undefined) throw this.#fault;
    try {
      work();
    } catch (error) {
      const isOurs = error instanceof ManagementError;
      const message = error instanceof Error ? this.#reader.place(error.message) : String(error);
      this.#fault = isOurs ? error : malformed(message);
      throw this.#fault;
    }
  }

  #read(text: string, isLast: boolean): void {
    let at = 0;
    for (let next = this.#step(text, at, isLast); next > at; next = this.#step(text, at, isLast)) at = next;
    this.#rest = text.slice(at);
  }

  /** Reads from `at` on; where reading goes on, `at` itself when more of the text is needed for that. */
  #step(text: string, at: number, isLast: boolean): number {
    const reader = this.#reader;
    if (at === text.length) return at;
    if (this.#bulk === 'none') return this.#toParser(text, at, text.length);
    if (!reader.isInTable) {
      const name = text.indexOf(TABLE.name, at);
      // The name may be cut in two.
      if (name < 0)
        return this.#toParser(text, at, isLast ? text.length : Math.max(at, text.length - TABLE.name.length));
      const end = text.indexOf('>', name);
      return this.#toParser(text, at, end < 0 ? (this.#mayWait(text, name, isLast) ? name : text.length) : end + 1);
    }
    const next = reader.rows?.read(text, at) ?? at;
    if (next > at) return next;
    const end = text.indexOf('>', at) + 1;
    // An entry that is cut in two is none yet.
    if (this.#mayWait(text, at, isLast)) return at;
    return this.#toParser(text, at, end || text.length);
  }

  #mayWait(text: string, from: number, isLast: boolean): boolean {
    return !isLast && text.length - from < LONGEST_ENTRY;
  }

  #toParser(text: string, from: number, to: number): number {
    if (to > from) this.#reader.write(text.slice(from, to));
    return to;
  }
}

function malformed(message: string): ManagementError {
  return new ManagementError('malformed-message', { type: 'rpc', message: `not well-formed XML: ${message}` });
}

class ElementReader {
  readonly #parser = new SaxesParser({ xmlns: true, forceXMLVersion: true, defaultXMLVersion: '1.0' });
  root: XmlElement | undefined;
  readonly #open: OpenElement[] = [];
  readonly #limits: XmlLimits;
  readonly #bulk: BulkPlace;
  #elements = 0;
  /** Attributes of the element whose tag is being read, and of all. */
  #attributes = 0;
  #allAttributes = 0;
  #scoped = 0;
  /** The open binding table, in which entries may be read as rows. */
  #table: OpenElement | undefined;
  /** Characters that went into the parser, and those up to the end of the last tag. */
  #written = 0;
  #tagEnd = 0;
  #hasRows = false;
  /** Characters of texts and attributes. */
  #characters = 0;
  /** Octets of the tables that are closed. */
  #closedRows = 0;

  constructor(limits: XmlLimits, bulk: BulkPlace) {
    this.#limits = limits;
    this.#bulk = bulk;
    const parser = this.#parser;
    parser.on('error', (error) => {
      throw error;
    });
    parser.on('xmldecl', ({ encoding }) => {
      if (encoding === undefined || /^(utf-8|utf8|us-ascii|ascii)$/i.test(encoding)) return;
      throw malformed(`expected UTF-8, the declaration names ${encoding}`);
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
    parser.on('attribute', ({ value }) => {
      this.#characters += value.length;
      if (++this.#attributes > limits.attributes)
        this.#tooBig(`more than ${limits.attributes} attributes in one element`);
      if (++this.#allAttributes > limits.elements) this.#tooBig(`more than ${limits.elements} attributes`);
    });
    parser.on('opentag', (tag) => {
      const parent = this.#open[this.#open.length - 1]?.element;
      const inherited = parent?.prefixes ?? {};
      const prefixes = hasOwn(tag.ns) ? this.#scope({ ...inherited, ...tag.ns }) : inherited;
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
    parser.on('text', (text) => this.#text(text));
    parser.on('cdata', (text) => this.#text(text));
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

  #text(text: string): void {
    this.#characters += text.length;
    this.#open[this.#open.length - 1]?.text.push(text);
  }

  /** Octets of memory that the elements take, about: few octets of a document can mean many. */
  get held(): number {
    const elements = ELEMENT_OCTETS * this.#elements + ATTRIBUTE_OCTETS * this.#allAttributes;
    const rows = this.#closedRows + (this.#table?.bulk?.rows.held ?? 0);
    // Of a text that is not at its end the parser knows.
    const characters = this.#characters + this.#written - this.#tagEnd;
    return elements + SCOPED_OCTETS * this.#scoped + 2 * characters + rows;
  }

  get isInTable(): boolean {
    return this.#table !== undefined;
  }

  /** What reads entries where the parser stands; undefined unless that is right behind a tag, in the table itself. */
  get rows(): XmlRows | undefined {
    const table = this.#table;
    if (!table || table !== this.#open[this.#open.length - 1] || this.#tagEnd !== this.#written) return undefined;
    table.bulk ??= new XmlRows(table.element.prefix);
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
    return this.#open.some(({ element }) => element.name === 'config' && EDIT_NAMESPACES.includes(element.namespace));
  }

  #count(): void {
    if (this.#open.length >= this.#limits.depth) this.#tooBig(`elements nested more than ${this.#limits.depth} deep`);
    if (++this.#elements > this.#limits.elements) this.#tooBig(`more than ${this.#limits.elements} elements`);
  }

  /** Each element with a declaration of its own holds all that are in its scope: few octets can mean much memory. */
  #scope(prefixes: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
    this.#scoped += Object.keys(prefixes).length;
    if (this.#scoped > this.#limits.elements) this.#tooBig(`more than ${this.#limits.elements} declarations in scopes`);
    return prefixes;
  }

  #tooBig(what: string): never {
    throw new ManagementError('too-big', { type: 'rpc', message: `the message has ${what}` });
  }

  #close(): void {
    const closed = this.#open.pop();
    if (!closed) return;
    if (closed === this.#table) {
      this.#closedRows += closed.bulk?.rows.held ?? 0;
      this.#table = undefined;
    }
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
