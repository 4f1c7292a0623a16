/**
 * The envelope of a request (RFC 6241 §4.1): what must hold before the operation is looked at. The library gets the
 * operation with its big contents (config, filter) replaced by a reference; the handlers work on the contents as they came.
 */

import { ManagementError } from '../../state/errors.ts';
import type { Schema } from '../../state/schema.ts';
import { NOTIFICATION_NAMESPACE } from '../events/notification.ts';
import type { XmlElement } from '../xml.ts';
import { escapeAttribute, serializeXml } from '../xml.ts';
import { NETCONF_NAMESPACE } from '../xml-data.ts';
import { inNamespaces } from './bare-names.ts';

/** Refused from clients: no module has it. */
export const REFERENCE_NAMESPACE = 'urn:gi-4over6:reference';
export const NMDA_NAMESPACE = 'urn:ietf:params:xml:ns:yang:ietf-netconf-nmda';
const COMPARE_NAMESPACE = 'urn:ietf:params:xml:ns:yang:ietf-nmda-compare';
const SUBSCRIBED_NAMESPACE = 'urn:ietf:params:xml:ns:yang:ietf-subscribed-notifications';
const PUSH_NAMESPACE = 'urn:ietf:params:xml:ns:yang:ietf-yang-push';
export const ACTION_NAMESPACE = 'urn:ietf:params:xml:ns:yang:1';

export interface Envelope {
  /** Start tag of the reply, with everything the request had on its own (§4.2). */
  readonly replyTag: string;
  readonly operation: XmlElement;
  /** Module of the operation; '' for an action. */
  readonly module: string;
}

/** The start tag of a reply that repeats the attributes and declarations of the request. */
export function replyTag(rpc: XmlElement): string {
  const declarations = Object.entries(rpc.prefixes)
    .filter(([prefix]) => prefix !== '' && prefix !== 'xml' && prefix !== 'xmlns')
    .map(([prefix, namespace]) => ` xmlns:${prefix}="${escapeAttribute(namespace)}"`);
  const attributes = rpc.attributes.map(
    ({ name, prefix, value }) => ` ${prefix === '' ? name : `${prefix}:${name}`}="${escapeAttribute(value)}"`,
  );
  return `<rpc-reply xmlns="${NETCONF_NAMESPACE}"${declarations.join('')}${attributes.join('')}>`;
}

/** @throws ManagementError with the tag of RFC 6241 appendix A */
export function openEnvelope(rpc: XmlElement, schema: Schema): Envelope {
  if (rpc.name !== 'rpc' || rpc.namespace !== NETCONF_NAMESPACE) {
    const message = `expected rpc in ${NETCONF_NAMESPACE}, found ${rpc.name} in '${rpc.namespace}'`;
    throw new ManagementError('malformed-message', { type: 'rpc', message });
  }
  if (!rpc.attributes.some(({ name, namespace }) => name === 'message-id' && namespace === '')) {
    throw new ManagementError('missing-attribute', {
      type: 'rpc',
      message: 'an rpc needs the attribute message-id',
      info: { 'bad-attribute': 'message-id', 'bad-element': 'rpc' },
    });
  }
  requireNoText(rpc);
  const [found, second] = rpc.children;
  if (!found) {
    throw new ManagementError('missing-element', {
      type: 'protocol',
      message: 'an rpc holds one operation, none came',
      info: { 'bad-element': 'rpc' },
    });
  }
  if (second) {
    throw new ManagementError('bad-element', {
      type: 'protocol',
      message: `an rpc holds one operation; ${second.name} came after ${found.name}`,
      info: { 'bad-element': second.name },
    });
  }
  // Inside an action stand data nodes, which say whose they are.
  const operation = found.namespace === ACTION_NAMESPACE ? found : inNamespaces(found, rpc, isContent);
  const module = moduleOf(operation, schema);
  requireForm(operation, schema);
  if (module === '') requireInstance(operation);
  return { replyTag: replyTag(rpc), operation, module };
}

/** What libyang lets pass, or has no tag of RFC 6241 appendix A for. */
function requireForm(element: XmlElement, schema: Schema): void {
  const { name, namespace } = element;
  const isKnown = namespace === ACTION_NAMESPACE || schema.moduleOfNamespace(namespace) !== undefined;
  if (!isKnown && namespace !== NETCONF_NAMESPACE) {
    const why = namespace === '' ? 'it has none' : `no module has '${namespace}'`;
    throw new ManagementError('unknown-namespace', {
      type: 'protocol',
      message: `element ${name}: expected the namespace of its module, ${why}`,
      info: { 'bad-element': name, 'bad-namespace': namespace },
    });
  }
  const isOpaque = isContent(element);
  // Their readers know what belongs to them.
  if (isOpaque && (name === 'config' || name === 'filter')) return;
  const [attribute] = element.attributes;
  if (attribute) {
    throw new ManagementError('unknown-attribute', {
      type: 'protocol',
      message: `attribute ${attribute.name} of ${name} is unknown`,
      info: { 'bad-attribute': attribute.name, 'bad-element': name },
    });
  }
  if (isOpaque || element.children.length > 0) requireNoText(element);
  for (const child of isOpaque ? [] : element.children) requireForm(child, schema);
}

function requireNoText({ name, text }: XmlElement): void {
  const found = text.trim();
  if (found === '') return;
  throw new ManagementError('bad-element', {
    type: 'protocol',
    message: `${name} holds elements only, but text came: '${found.slice(0, 40)}'`,
    info: { 'bad-element': name },
  });
}

/** RFC 7950 §7.15.2: inside an action stand the nodes of one instance. */
function requireInstance({ children }: XmlElement): void {
  const [top, second] = children;
  if (top && !second) return;
  const message = `action: expected the nodes of one instance, ${second ? `${second.name} came besides` : 'none came'}`;
  throw new ManagementError(second ? 'bad-element' : 'missing-element', {
    message,
    info: { 'bad-element': second?.name ?? 'action' },
  });
}

/** What the handlers read themselves; a filter may hold names without namespace. */
function isContent({ name, namespace }: XmlElement): boolean {
  if (namespace === NOTIFICATION_NAMESPACE) return name === 'filter';
  if (namespace === SUBSCRIBED_NAMESPACE) return name === 'stream-subtree-filter';
  if (namespace === PUSH_NAMESPACE) return name === 'datastore-subtree-filter';
  if (namespace === COMPARE_NAMESPACE) return name === 'subtree-filter';
  if (namespace === NMDA_NAMESPACE) return name === 'config' || name === 'subtree-filter';
  return namespace === NETCONF_NAMESPACE && (name === 'config' || name === 'filter');
}

function moduleOf(operation: XmlElement, schema: Schema): string {
  if (operation.namespace === ACTION_NAMESPACE && operation.name === 'action') return '';
  const namespace = operation.namespace;
  const module = namespace === NETCONF_NAMESPACE ? schema.module('ietf-netconf') : schema.moduleOfNamespace(namespace);
  if (!module) {
    throw new ManagementError('unknown-namespace', {
      type: 'protocol',
      message: `operation ${operation.name}: no module has the namespace '${namespace}'`,
      info: { 'bad-element': operation.name, 'bad-namespace': namespace },
    });
  }
  if (schema.root.child(operation.name, module.name)?.kind === 'rpc') return module.name;
  throw new ManagementError('operation-not-supported', {
    type: 'protocol',
    message: `${module.name} has no operation ${operation.name} here`,
    info: { 'bad-element': operation.name },
  });
}

/** The operation as the library gets it: config and filter hold nothing but a reference. */
export function shellOf(operation: XmlElement): string {
  const shell = withoutContents(operation);
  if (operation.namespace !== NOTIFICATION_NAMESPACE) return serializeXml(shell);
  // ncclient puts the filter of create-subscription into the base namespace; the schema has it in that of the operation.
  const children = shell.children.map((child) => (isContent(child) ? { ...child, ...named(operation) } : child));
  return serializeXml({ ...shell, children });
}

/** What puts an element into the namespace of another. */
function named({ namespace, prefix, prefixes }: XmlElement): Pick<XmlElement, 'namespace' | 'prefix' | 'prefixes'> {
  return { namespace, prefix, prefixes };
}

/** Expressions by their element and namespace. */
const EXPRESSIONS: readonly string[] = [
  `xpath-filter ${NMDA_NAMESPACE}`,
  `xpath-filter ${COMPARE_NAMESPACE}`,
  `stream-xpath-filter ${SUBSCRIBED_NAMESPACE}`,
  `datastore-xpath-filter ${PUSH_NAMESPACE}`,
];
/** An expression of any kind, in the place of one that the handlers read themselves. */
const SOME_EXPRESSION = '/';

function withoutContents(element: XmlElement): XmlElement {
  const { name, namespace } = element;
  if (EXPRESSIONS.includes(`${name} ${namespace}`)) return { ...element, text: SOME_EXPRESSION };
  if (!isContent(element)) return { ...element, children: element.children.map(withoutContents) };
  const reference: XmlElement = {
    name: 'reference',
    namespace: REFERENCE_NAMESPACE,
    prefix: '',
    attributes: [],
    prefixes: { '': REFERENCE_NAMESPACE },
    children: [],
    text: '1',
  };
  return { ...element, attributes: [], text: '', children: [reference] };
}
