/**
 * Data trees from XML elements (RFC 7950, encoding sections) and back. Reading goes by the schema and finds all faults
 * of one document (at most 20), each with tag, path and what was expected; types are libyang's business through the
 * injected check.
 */

import { parseIpv4Prefix } from '../address.ts';
import type { Insert, Operation, Origin } from '../state/data.ts';
import { DataNode, entryId } from '../state/data.ts';
import { isRemoval } from '../state/edit-input.ts';
import { ManagementError } from '../state/errors.ts';
import type { ValueCheck } from '../state/request.ts';
import { prefixNumber } from '../state/rows.ts';
import type { Schema, SchemaNode } from '../state/schema.ts';
import { LeavesNode } from './entry-list.ts';
import { insertionPoint, pointAttribute } from './insertion-point.ts';
import { markAttributes } from './page-marks.ts';
import type { Piece } from './pause.ts';
import { Pause } from './pause.ts';
import { RowNode } from './row-node.ts';
import type { RowForm } from './whole-rows.ts';
import { WholeRows } from './whole-rows.ts';
import type { XmlElement } from './xml.ts';
import { escapeAttribute, escapeText, serializeXml } from './xml.ts';
import { prefixesIn } from './xpath/module-names.ts';

export const NETCONF_NAMESPACE = 'urn:ietf:params:xml:ns:netconf:base:1.0';
const YANG_NAMESPACE = 'urn:ietf:params:xml:ns:yang:1';
const WITH_DEFAULTS_NAMESPACE = 'urn:ietf:params:xml:ns:netconf:default:1.0';
const ORIGIN_NAMESPACE = 'urn:ietf:params:xml:ns:yang:ietf-origin';
const OPERATIONS: readonly string[] = ['merge', 'replace', 'create', 'delete', 'remove'];
const MAX_FAULTS = 20;

export interface FromXmlOptions {
  /** Whether operation and insert attributes are allowed (edit-config) or an unknown-attribute fault. */
  readonly edit: boolean;
  /** Where the elements live; the root by default. */
  readonly parent?: SchemaNode;
  /** Whether `config false` nodes are welcome (rpc and action input and output), default no. */
  readonly state?: boolean;
}

/**
 * The elements as children of one node of `parent`'s schema.
 * @throws ManagementError with every fault: unknown-namespace, unknown-element, unknown-attribute, bad-attribute,
 *   missing-attribute, missing-element (a list key), bad-element (twice the same, two cases), invalid-value.
 */
export function dataFromXml(
  schema: Schema,
  check: ValueCheck,
  elements: readonly XmlElement[],
  options: FromXmlOptions,
): DataNode {
  const reader = new DataReader(schema, check, options);
  const top = new DataNode(options.parent ?? schema.root);
  for (const element of elements) reader.read(element, top);
  const [first, ...others] = reader.faults;
  if (first) throw new ManagementError(first.tag, first, others);
  return top;
}

class DataReader {
  readonly faults: ManagementError[] = [];
  readonly #schema: Schema;
  readonly #check: ValueCheck;
  readonly #options: FromXmlOptions;

  constructor(schema: Schema, check: ValueCheck, options: FromXmlOptions) {
    this.#schema = schema;
    this.#check = check;
    this.#options = options;
  }

  #fault(...fault: ConstructorParameters<typeof ManagementError>): undefined {
    if (this.faults.length < MAX_FAULTS) this.faults.push(new ManagementError(...fault));
    return undefined;
  }

  read(element: XmlElement, parent: DataNode): void {
    const schema = this.#schemaOf(element, parent);
    if (!schema) return;
    const node = schema.isLeaf ? this.#leaf(element, schema, parent) : this.#inner(element, schema, parent);
    if (!node || !this.#attributes(element, node, parent)) return;
    this.#attach(node, parent);
  }

  #schemaOf(element: XmlElement, parent: DataNode): SchemaNode | undefined {
    const module = this.#schema.moduleOfNamespace(element.namespace);
    const path = parent.path;
    if (!module) {
      return this.#fault('unknown-namespace', {
        path,
        message: `element ${element.name} in ${path || 'the top level'}: no module has the namespace '${element.namespace}'${meant(element, parent)}`,
        info: { 'bad-element': element.name, 'bad-namespace': element.namespace },
      });
    }
    const schema = parent.schema.child(element.name, module.name);
    const isData = schema && !['rpc', 'notification', 'action'].includes(schema.kind);
    if (schema && isData && (schema.config || this.#options.state)) return schema;
    const unknown = `is not in the schema of ${module.name}${meant(element, parent)}`;
    const why = schema && isData ? 'is state data and cannot be configured' : unknown;
    return this.#fault('unknown-element', {
      path: `${path}/${parent.schema.module === module.name ? '' : `${module.name}:`}${element.name}`,
      message: `element ${element.name} in ${path || 'the top level'} ${why}`,
      info: { 'bad-element': element.name },
    });
  }

  #leaf(element: XmlElement, schema: SchemaNode, parent: DataNode): DataNode | undefined {
    const parentPath = schema.isKey ? parent.pathWith(schema.name, element.text.trim()) : parent.path;
    const path = `${parentPath}/${schema.qualifiedName}`;
    const inside = element.children[0];
    if (inside) {
      return this.#fault('unknown-element', {
        path: `${path}/${inside.name}`,
        message: `${path} is a leaf: expected a value, found element ${inside.name}`,
        info: { 'bad-element': inside.name },
      });
    }
    const text = schema.type === 'string' || schema.type === 'union' ? element.text : element.text.trim();
    if (text === '' && schema.kind === 'leaf' && asksForRemoval(element)) return new DataNode(schema);
    const checked = this.#check(schema, text, element.prefixes);
    if ('value' in checked) return new DataNode(schema, checked.value, checked.type);
    return this.#fault('invalid-value', {
      path,
      message: `${path}: ${checked.message}`,
      ...(checked.appTag === undefined ? {} : { appTag: checked.appTag }),
      info: { 'bad-element': schema.name },
    });
  }

  #inner(element: XmlElement, schema: SchemaNode, parent: DataNode): DataNode | undefined {
    if (schema.kind === 'anydata' || schema.kind === 'anyxml') {
      return new DataNode(schema, element.children.map(serializeXml).join('') || escapeText(element.text));
    }
    const node = new DataNode(schema);
    node.parent = parent;
    node.bulk = element.bulk;
    // Keys first, so that faults below name the entry.
    const refused = new Set<string>();
    for (const child of element.children) {
      if (!schema.keys.includes(child.name)) continue;
      const before = this.faults.length;
      this.read(child, node);
      if (this.faults.length > before) refused.add(child.name);
    }
    if (element.text.trim() !== '') return this.#text(element, node);
    for (const child of element.children) if (!schema.keys.includes(child.name)) this.read(child, node);
    for (const key of schema.keys) {
      if (node.child(key) !== undefined || refused.has(key)) continue;
      return this.#fault('missing-element', {
        path: `${parent.path}/${schema.qualifiedName}`,
        message: `an entry of list ${schema.path} came without its key ${key}`,
        info: { 'bad-element': key },
      });
    }
    return node;
  }

  #text({ text }: XmlElement, node: DataNode): undefined {
    const { schema, parent } = node;
    const isNamed = schema.keys.every((key) => node.child(key));
    const path = isNamed ? node.path : `${parent?.path ?? ''}/${schema.qualifiedName}`;
    return this.#fault('bad-element', {
      path,
      message: `${path} holds elements only, but text came: '${text.trim().slice(0, 40)}'`,
      info: { 'bad-element': schema.name },
    });
  }

  /** Whether all attributes are fine; takes over operation and insert. */
  #attributes(element: XmlElement, node: DataNode, parent: DataNode): boolean {
    // An entry has no name before its keys are read.
    const above = node.schema.isKey ? parent.pathWith(node.schema.name, node.value) : parent.path;
    const path = `${above}/${node.schema.qualifiedName}${node.predicates()}`;
    for (const attribute of element.attributes) {
      const { namespace, name, value } = attribute;
      const info = { 'bad-attribute': name, 'bad-element': element.name };
      if (namespace === WITH_DEFAULTS_NAMESPACE && name === 'default') {
        if (!this.#default(node, value, path, info)) return false;
      } else if (this.#options.edit && namespace === NETCONF_NAMESPACE && name === 'operation') {
        if (OPERATIONS.includes(value)) node.operation = value as Operation;
        else {
          const message = `operation '${value}' of ${path}: expected one of ${OPERATIONS.join(', ')}`;
          this.#fault('bad-attribute', { path, message, info });
          return false;
        }
      } else if (this.#options.edit && namespace === YANG_NAMESPACE && name === 'insert') {
        const insert = this.#insert(element, node, path);
        if (!insert) return false;
        node.insert = insert;
      } else if (this.#options.edit && namespace === YANG_NAMESPACE && (name === 'key' || name === 'value')) {
        if (!this.#isPoint(element, node, name, path)) return false;
      } else {
        const hint = name === 'operation' ? this.#operationHint(namespace) : '';
        this.#fault('unknown-attribute', { path, message: `attribute ${name} of ${path} is unknown${hint}`, info });
        return false;
      }
    }
    return true;
  }

  #operationHint(namespace: string): string {
    if (!this.#options.edit) return ' here; operations are for edit-config and edit-data';
    return namespace === NETCONF_NAMESPACE ? '' : `; an operation needs the namespace ${NETCONF_NAMESPACE}`;
  }

  #default(node: DataNode, value: string, path: string, info: Readonly<Record<string, string>>): boolean {
    const isTrue = value === 'true' || value === '1';
    if (!isTrue && value !== 'false' && value !== '0') {
      this.#fault('bad-attribute', { path, message: `default '${value}' of ${path}: expected true or false`, info });
      return false;
    }
    const message = isTrue ? tagDefault(node, path) : undefined;
    if (message !== undefined)
      this.#fault('invalid-value', { path, message, info: { 'bad-element': node.schema.name } });
    return message === undefined;
  }

  /** RFC 7950 §7.8.6 and §7.7.9. */
  #insert(element: XmlElement, node: DataNode, path: string): Insert | undefined {
    const attribute = (name: string) =>
      element.attributes.find((item) => item.namespace === YANG_NAMESPACE && item.name === name)?.value;
    const where = attribute('insert') ?? '';
    const info = { 'bad-attribute': 'insert', 'bad-element': element.name };
    if (!node.schema.dump.userOrdered) {
      return this.#fault('bad-attribute', {
        path,
        message: `insert of ${path}: the list is not ordered by the user`,
        info,
      });
    }
    if (where === 'first' || where === 'last') return { where };
    if (where !== 'before' && where !== 'after') {
      const message = `insert '${where}' of ${path}: expected first, last, before or after`;
      return this.#fault('bad-attribute', { path, message, info });
    }
    const pointName = pointAttribute(node.schema);
    const text = attribute(pointName);
    if (text === undefined) {
      return this.#fault('missing-attribute', {
        path,
        message: `insert '${where}' of ${path} needs the attribute ${pointName}`,
        info: { 'bad-attribute': pointName, 'bad-element': element.name },
      });
    }
    const point = insertionPoint(node.schema, this.#check, text, element.prefixes);
    if (point.values) return { where, point: entryId(node.schema, point.values) };
    return this.#fault('bad-attribute', {
      path,
      message: `${pointName} '${text}' of ${path}: ${point.message}`,
      info: { 'bad-attribute': pointName, 'bad-element': element.name },
    });
  }

  /** Whether `key` or `value` stands where an insertion has a point. */
  #isPoint({ attributes, name: elementName }: XmlElement, { schema }: DataNode, name: string, path: string): boolean {
    const insert = attributes.find((item) => item.namespace === YANG_NAMESPACE && item.name === 'insert')?.value;
    const isRelative = insert === 'before' || insert === 'after';
    if (isRelative && name === pointAttribute(schema)) return true;
    const why = isRelative
      ? `the point of a ${schema.kind} is its ${pointAttribute(schema)}`
      : 'it belongs to insert before or after';
    this.#fault('bad-attribute', {
      path,
      message: `attribute ${name} of ${path}: ${why}`,
      info: { 'bad-attribute': name, 'bad-element': elementName },
    });
    return false;
  }

  #attach(node: DataNode, parent: DataNode): void {
    const { schema } = node;
    const rival =
      schema.dump.choices &&
      !isRemoval(node) &&
      [...parent.childMap.values()].find((other) => isOtherCase(other.schema, schema) && !isRemoval(other));
    const isTwin = parent.get(node.id) !== undefined || isAmongRows(node, parent);
    if (isTwin && (schema.keys.length > 0 || schema.kind !== 'list')) {
      node.parent = parent;
      this.#fault('bad-element', {
        path: node.path,
        message: `${node.path} stands twice in one document`,
        info: { 'bad-element': schema.name },
      });
    } else if (rival) {
      this.#fault('bad-element', {
        path: `${parent.path}/${schema.qualifiedName}`,
        message: `${schema.name} and ${rival.schema.name} are of different cases of one choice in ${parent.path}`,
        info: { 'bad-element': schema.name },
      });
    } else parent.add(node);
  }
}

/**
 * What is wrong with a node that is tagged as a default. It must have the value of the schema's (RFC 6243 §4.5.2), and in an edit
 * goes back to it.
 */
export function tagDefault(node: DataNode, path: string): string | undefined {
  const { schema, value } = node;
  if (!schema.isLeaf || !schema.defaults.includes(value)) {
    return `${path} is tagged as a default (RFC 6243), but has ${schema.defaults.length > 0 ? 'another value' : 'none'}`;
  }
  node.isDefault = schema.config;
  return undefined;
}

/** The namespace that was forgotten, where only it is wrong. */
function meant({ name, namespace }: XmlElement, { schema }: DataNode): string {
  const child = schema.children.find((one) => one.name === name && one.config && one.namespace !== namespace);
  return child ? `; expected xmlns="${child.namespace}"` : '';
}

/** Whether an entry of that prefix came as a row. */
export function isAmongRows(node: DataNode, parent: DataNode): boolean {
  if (!parent.bulk || !node.schema.rows) return false;
  const prefix = parseIpv4Prefix(node.leaf('ipv4-prefix') ?? '');
  return prefix !== undefined && parent.bulk.has(prefixNumber(prefix.address, prefix.length));
}

function asksForRemoval(element: XmlElement): boolean {
  return element.attributes.some(
    ({ namespace, name, value }) =>
      namespace === NETCONF_NAMESPACE && name === 'operation' && (value === 'delete' || value === 'remove'),
  );
}

/** Whether the two siblings belong to different cases of one choice. */
export function isOtherCase(a: SchemaNode, b: SchemaNode): boolean {
  for (const [choice, name] of a.dump.choices ?? []) {
    const twin = b.dump.choices?.find((item) => item[0] === choice);
    if (!twin) return false;
    if (twin[1] !== name) return true;
  }
  return false;
}

/** Whether rows can stand at or below this schema node. */
export function holdsRows(schema: SchemaNode): boolean {
  return schema.children.some((child) => child.rows || child.isStreamed || holdsRows(child));
}

/** Whether a node may hold anything: raw text of one encoding, or data nodes. */
export function isAny({ kind }: SchemaNode): boolean {
  return kind === 'anydata' || kind === 'anyxml';
}

/** Anydata with nodes inside, which may hold rows. */
export function isOpenData(node: DataNode): boolean {
  return isAny(node.schema) && node.size > 0;
}

/** Whether a node is such data or, as the output of an operation, has it as a child. */
export function holdsOpenData(node: DataNode): boolean {
  return isOpenData(node) || (node.schema.children.some(isAny) && [...node.children()].some(isOpenData));
}

const CHUNK = 16 * 1024;

/**
 * The nodes as XML text in pieces of about 16 KiB. `rows(parent)` gives the row entries that stand below a node beside
 * its children; each top node declares its namespace.
 */
export function* writeXml(
  nodes: Iterable<DataNode>,
  rows: (parent: DataNode) => Iterable<DataNode> = () => [],
): Generator<Piece> {
  let pending = '';
  function* walk(node: DataNode, outer: string): Generator<Piece> {
    if (node instanceof Pause) {
      yield take();
      yield node.until;
      return;
    }
    if (!holdsRows(node.schema) && !holdsOpenData(node)) {
      pending += elementText(node, outer);
      if (pending.length >= CHUNK) yield take();
      return;
    }
    pending += `<${node.schema.name}${declaration(node, outer)}>`;
    for (const child of node.children()) yield* walk(child, insideOf(node.schema));
    const entries = rows(node);
    if (entries instanceof WholeRows) {
      for (const piece of entries.printed(XML_ROWS)) {
        if (piece instanceof Promise) {
          yield take();
          yield piece;
        } else pending += piece;
        if (pending.length >= CHUNK) yield take();
      }
    } else for (const row of entries) yield* walk(row, node.schema.namespace);
    pending += `</${node.schema.name}>`;
  }
  function take(): string {
    const text = pending;
    pending = '';
    return text;
  }
  for (const node of nodes) yield* walk(node, '');
  if (pending !== '') yield take();
}

/** The namespace that stands for itself inside an element. What anydata holds may be cut out: it declares its own. */
function insideOf(schema: SchemaNode): string {
  return isAny(schema) ? '' : schema.namespace;
}

/** One node without rows as XML text; `outer` is the namespace in force around it. */
export function elementText(node: DataNode, outer = ''): string {
  const { schema } = node;
  const open = `${schema.name}${declaration(node, outer)}`;
  if (node instanceof RowNode || node instanceof LeavesNode) return `<${open}>${node.print(XML_ROWS)}</${schema.name}>`;
  if (schema.isLeaf) {
    return node.value === '' ? `<${open}/>` : `<${open}>${escapeText(valueText(node))}</${schema.name}>`;
  }
  if (isAny(schema) && node.size === 0) return `<${open}>${anyText(node.value)}</${schema.name}>`;
  let inside = '';
  for (const child of node.children()) inside += elementText(child, insideOf(schema));
  return inside === '' ? `<${open}/>` : `<${open}>${inside}</${schema.name}>`;
}

/** What anydata holds, as XML; what came as JSON can only be quoted. */
function anyText(value: string): string {
  return /^\s*[{["]/.test(value) ? escapeText(value) : value;
}

/** A path has a prefix before each name in XML; RFC 7951 §6.11 leaves out those that repeat. */
function valueText(node: DataNode): string {
  const { value } = node;
  if (node.type !== 'instance-identifier' && !isNodeInstance(node)) return value;
  let module = '';
  return value.replace(
    /'[^']*'|"[^"]*"|([/[])([A-Za-z_][\w.-]*)(:[A-Za-z_][\w.-]*)?/g,
    (found, separator?: string, name?: string, local?: string) => {
      if (separator === undefined || name === undefined) return found;
      if (local === undefined) return module === '' ? found : `${separator}${module}:${name}`;
      if (separator === '/') module = name;
      return found;
    },
  );
}

function originAttribute(origin: Origin): string {
  return ` xmlns:or="${ORIGIN_NAMESPACE}" or:origin="or:${origin}"`;
}

const XML_ROWS: RowForm = {
  between: '',
  open: '<binding>',
  openLearned: `<binding${originAttribute('learned')}>`,
  close: '</binding>',
  leaf: (name) => [`<${name}>`, `</${name}>`],
  text: rowLeaf,
  container: (name, leaves) =>
    `<${name}>${leaves.map(([leaf, value]) => `<${leaf}>${value}</${leaf}>`).join('')}</${name}>`,
};

function rowLeaf(name: string, value: string): string {
  if (name !== 'description') return `<${name}>${value}</${name}>`;
  return value === '' ? `<${name}/>` : `<${name}>${escapeText(value)}</${name}>`;
}

function declaration(node: DataNode, outer: string): string {
  const { schema } = node;
  let text = schema.namespace === outer ? '' : ` xmlns="${escapeAttribute(schema.namespace)}"`;
  if (node.isDefault) text += ` xmlns:wd="${WITH_DEFAULTS_NAMESPACE}" wd:default="true"`;
  if (node.origin !== undefined) text += originAttribute(node.origin);
  if (node.page) text += markAttributes(node.page);
  if (schema.dump.typedef === 'xpath1.0') return text + declarations(schema, prefixesIn(node.value));
  if (node.type !== 'identityref' && node.type !== 'instance-identifier' && !isNodeInstance(node)) return text;
  const names = [...node.value.matchAll(/([A-Za-z_][\w.-]*):(?=[A-Za-z_])/g)];
  return (
    text +
    declarations(
      schema,
      names.map(([, prefix = '']) => ({ prefix })),
    )
  );
}

/** Of the prefixes that are names of modules. */
function declarations({ namespaces }: SchemaNode, names: readonly { readonly prefix: string }[]): string {
  let text = '';
  for (const prefix of new Set(names.map((name) => name.prefix))) {
    const namespace = namespaces.get(prefix);
    if (namespace !== undefined) text += ` xmlns:${prefix}="${escapeAttribute(namespace)}"`;
  }
  return text;
}

/**
 * NACM rule paths (RFC 8341 node-instance-identifier): libyang keeps them with module names as prefixes. A resource of an alarm
 * (RFC 8632) is an instance-identifier when it can be one.
 */
function isNodeInstance({ schema, value }: DataNode): boolean {
  const { typedef } = schema.dump;
  return typedef === 'node-instance-identifier' || (typedef === 'resource' && value.startsWith('/'));
}
