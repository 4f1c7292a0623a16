/** XML elements as values, and back to text. */

import type { RowPack } from '../state/row-pack.ts';

export { parseXml, XML_LIMITS, XmlFeed, type XmlLimits } from './xml-parser.ts';

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
