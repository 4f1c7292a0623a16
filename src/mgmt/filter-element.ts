/** The `filter` of get, get-config and create-subscription (RFC 6241 §6, §7.1; RFC 5277 §2.1.1): its attributes say what kind it is. */

import { ManagementError } from '../state/errors.ts';
import type { XmlAttribute, XmlElement } from './xml.ts';

/** How clients write `type` and `select`: without a namespace, as the module says (get-filter-element-attributes), or with that of NETCONF. */
const NAMESPACES: readonly string[] = ['', 'urn:ietf:params:xml:ns:netconf:base:1.0'];

/**
 * What kind of filter an element is.
 * @throws ManagementError unknown-attribute for any other: its filter would be another one than was meant; bad-attribute for another
 *   type and for `select` where no expression is; bad-element for text, and for what stands inside a filter of type xpath
 */
export function filterKind({ attributes, children, text }: XmlElement): 'subtree' | 'xpath' {
  const type = attributes.find(({ name }) => name === 'type');
  const select = attributes.find(({ name }) => name === 'select');
  const unknown = attributes.find((item) => (item !== type && item !== select) || !NAMESPACES.includes(item.namespace));
  if (unknown) throw attributeFault('unknown-attribute', unknown, 'is unknown: type and select are, each once');
  const kind = type?.value ?? 'subtree';
  if (type && kind !== 'subtree' && kind !== 'xpath') {
    throw attributeFault('bad-attribute', type, `is '${kind}': this server has subtree and xpath filters`);
  }
  if (select && kind !== 'xpath') throw attributeFault('bad-attribute', select, 'belongs to a filter of type xpath');
  const [inside] = children;
  if (kind === 'xpath' && inside) throw contentFault(`of type xpath holds nothing, but ${inside.name} came`);
  if (text.trim() !== '') throw contentFault(`holds elements only, but text came: '${text.trim().slice(0, 40)}'`);
  return kind === 'xpath' ? 'xpath' : 'subtree';
}

function attributeFault(
  tag: 'unknown-attribute' | 'bad-attribute',
  { name }: XmlAttribute,
  why: string,
): ManagementError {
  const info = { 'bad-attribute': name, 'bad-element': 'filter' };
  return new ManagementError(tag, { type: 'protocol', message: `attribute ${name} of filter ${why}`, info });
}

function contentFault(why: string): ManagementError {
  return new ManagementError('bad-element', {
    type: 'protocol',
    message: `a filter ${why}`,
    info: { 'bad-element': 'filter' },
  });
}
