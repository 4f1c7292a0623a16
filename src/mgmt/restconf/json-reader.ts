/**
 * Data trees from JSON values (RFC 7951). Reading goes by the schema and finds all faults of one body (at most 20), each
 * with tag, path and what was expected. Types are libyang's business through the injected check; here stands only which
 * kind of JSON value a YANG type has (§6).
 */

import { DataNode } from '../../state/data.ts';
import { ManagementError } from '../../state/errors.ts';
import type { ValueCheck } from '../../state/request.ts';
import type { Schema, SchemaNode } from '../../state/schema.ts';
import { plainPath } from '../path-texts.ts';
import { isAmongRows, isOtherCase, tagDefault } from '../xml-data.ts';
import type { JsonObject, JsonValue } from './json-text.ts';
import { BulkArray, describeJson, isJsonArray, isJsonObject, JsonNumber, printJson } from './json-text.ts';

const MAX_FAULTS = 20;
const WITH_DEFAULTS_ANNOTATION = 'ietf-netconf-with-defaults:default';
const INTEGER = /^-?(0|[1-9]\d*)$/;

export interface FromJsonOptions {
  /** Where the members live; the root by default. */
  readonly parent?: SchemaNode;
  /** Module of unqualified names at the top; the parent's by default. Below, RFC 7951 §4 decides. */
  readonly module?: string;
  /** Whether `config false` nodes are welcome (rpc and action input), default no. */
  readonly state?: boolean;
}

/**
 * The members as children of one node of `parent`'s schema.
 * @throws ManagementError with every fault: unknown-namespace, unknown-element, unknown-attribute, missing-element (a
 *   list key), bad-element (twice the same, two cases), invalid-value.
 */
export function dataFromJson(
  schema: Schema,
  check: ValueCheck,
  members: JsonObject,
  options: FromJsonOptions = {},
): DataNode {
  const top = new DataNode(options.parent ?? schema.root);
  const reader = new JsonReader(schema, check, options.state ?? false);
  reader.readMembers(members, top, options.module ?? top.schema.module);
  const [first, ...others] = reader.faults;
  if (first) throw new ManagementError(first.tag, first, others);
  return top;
}

class JsonReader {
  readonly faults: ManagementError[] = [];
  readonly #schema: Schema;
  readonly #check: ValueCheck;
  readonly #state: boolean;

  constructor(schema: Schema, check: ValueCheck, state: boolean) {
    this.#schema = schema;
    this.#check = check;
    this.#state = state;
  }

  #fault(...fault: ConstructorParameters<typeof ManagementError>): undefined {
    if (this.faults.length < MAX_FAULTS) this.faults.push(new ManagementError(...fault));
    return undefined;
  }

  /** Keys first, so that faults below name the entry. */
  readMembers(members: JsonObject, parent: DataNode, module: string): void {
    const { keys } = parent.schema;
    for (const key of keys) {
      for (const name of [key, `${parent.schema.module}:${key}`]) {
        const value = members.get(name);
        if (value !== undefined) this.#member(name, value, parent, module);
      }
    }
    let isAnnotated = false;
    for (const [name, value] of members) {
      const isKey =
        keys.includes(name) || (keys.length > 0 && keys.some((key) => name === `${parent.schema.module}:${key}`));
      if (isKey) continue;
      if (name.startsWith('@')) isAnnotated = true;
      else if (this.#isFirstSpelling(name, members, parent)) this.#member(name, value, parent, module);
    }
    if (!isAnnotated) return;
    for (const [name, value] of members) if (name.startsWith('@')) this.#annotation(name, value, parent, module);
  }

  /** Two members with and without the module are one node twice, also where each holds other entries of a list. */
  #isFirstSpelling(name: string, members: JsonObject, parent: DataNode): boolean {
    const colon = name.indexOf(':');
    if (colon < 0) return true;
    const local = name.slice(colon + 1);
    if (name !== `${parent.schema.module}:${local}` || !members.has(local)) return true;
    this.#fault('bad-element', {
      path: `${parent.path}/${local}`,
      message: `${local} and ${name} in ${parent.path || 'the top level'} are the same member twice`,
      info: { 'bad-element': local },
    });
    return false;
  }

  #member(name: string, value: JsonValue, parent: DataNode, module: string): void {
    const schema = this.#schemaOf(name, parent, module);
    if (!schema) return;
    if (!schema.isList) {
      const node = schema.isLeaf ? this.#leaf(schema, value, parent) : this.#inner(schema, value, parent);
      if (node) this.#attach(node, parent);
      return;
    }
    if (!isJsonArray(value)) {
      this.#wrongKind(schema, value, parent, 'an array');
      return;
    }
    if (value instanceof BulkArray && schema.rows) parent.bulk = value.bulk;
    for (const item of value) {
      const node = schema.isLeaf ? this.#leaf(schema, item, parent) : this.#inner(schema, item, parent);
      if (node) this.#attach(node, parent);
    }
  }

  #schemaOf(name: string, parent: DataNode, assumed: string): SchemaNode | undefined {
    const colon = name.indexOf(':');
    const module = colon < 0 ? assumed : name.slice(0, colon);
    const local = name.slice(colon + 1);
    const where = parent.path || 'the top level';
    if (module === '') {
      return this.#fault('unknown-element', {
        path: `${parent.path}/${local}`,
        message: `member "${name}" at the top level needs the name of its module before it (RFC 7951 §4)`,
        info: { 'bad-element': local },
      });
    }
    if (!this.#schema.module(module)) {
      return this.#fault('unknown-namespace', {
        path: parent.path,
        message: `member "${name}" in ${where}: there is no module ${module}`,
        info: { 'bad-element': local, 'bad-namespace': module },
      });
    }
    const schema = parent.schema.child(local, module);
    const isData = schema && !['rpc', 'notification', 'action'].includes(schema.kind);
    if (isData && (schema.config || this.#state)) return schema;
    const why = isData ? 'is state data and cannot be configured' : `is not in the schema of ${module}`;
    return this.#fault('unknown-element', {
      path: `${parent.path}/${parent.schema.module === module ? '' : `${module}:`}${local}`,
      message: `member "${name}" in ${where} ${why}`,
      info: { 'bad-element': local },
    });
  }

  #leaf(schema: SchemaNode, value: JsonValue, parent: DataNode): DataNode | undefined {
    const found = scalar(value);
    const kinds = schema.type === 'union' ? (schema.dump.types ?? []).map(kindOfType) : [kindOfType(schema.type)];
    if (!found || !kinds.includes(found.kind)) {
      return this.#wrongKind(schema, value, parent, [...new Set(kinds)].map((kind) => KIND_NAMES[kind]).join(' or '));
    }
    const checked = this.#check(schema, plainPath(schema, found.text));
    if ('value' in checked) return new DataNode(schema, checked.value, checked.type);
    const parentPath = schema.isKey ? parent.pathWith(schema.name, found.text) : parent.path;
    const path = `${parentPath}/${schema.qualifiedName}`;
    return this.#fault('invalid-value', {
      path,
      message: `${path}: ${checked.message}`,
      ...(checked.appTag === undefined ? {} : { appTag: checked.appTag }),
      info: { 'bad-element': schema.name },
    });
  }

  #inner(schema: SchemaNode, value: JsonValue, parent: DataNode): DataNode | undefined {
    if (schema.kind === 'anyxml') return new DataNode(schema, printJson(value));
    if (!isJsonObject(value)) return this.#wrongKind(schema, value, parent, 'an object');
    if (schema.kind === 'anydata') return new DataNode(schema, printJson(value));
    const node = new DataNode(schema);
    node.parent = parent;
    const before = this.faults.length;
    this.readMembers(value, node, schema.module);
    const missing = schema.keys.find((key) => !node.child(key));
    if (missing === undefined) return node;
    // A key that came with a wrong value has its fault already.
    if (this.faults.length > before && (value.has(missing) || value.has(`${schema.module}:${missing}`)))
      return undefined;
    return this.#fault('missing-element', {
      path: `${parent.path}/${schema.qualifiedName}`,
      message: `an entry of list ${schema.path} came without its key ${missing}`,
      info: { 'bad-element': missing },
    });
  }

  #wrongKind(schema: SchemaNode, value: JsonValue, parent: DataNode, expected: string): undefined {
    const path = `${parent.path}/${schema.qualifiedName}`;
    const type = schema.isLeaf ? ` of type ${schema.type}` : '';
    return this.#fault('invalid-value', {
      path,
      message: `${schema.kind} ${path}${type}: expected ${expected}, ${describeJson(value)} came (RFC 7951)`,
      info: { 'bad-element': schema.name },
    });
  }

  /** RFC 7952 §5.2: the one annotation known is that of report-all-tagged replies. It belongs to a node that came. */
  #annotation(name: string, value: JsonValue, parent: DataNode, module: string): void {
    const local = name.slice(1);
    const schema = local === '' ? parent.schema : this.#schemaOf(local, parent, module);
    if (!schema) return;
    const isOne = local === '' || schema.kind !== 'leaf-list';
    const nodes = local === '' ? [parent] : [...parent.childMap.values()].filter((child) => child.schema === schema);
    const hasForm = (local === '' || schema.isLeaf) && isJsonArray(value) !== isOne;
    const items = isJsonArray(value) ? value : [value];
    // A node that came with a wrong value has its fault already.
    const isThere = items.length <= nodes.length || this.faults.length > 0;
    if (!hasForm || !isThere) {
      const why = hasForm ? 'belongs to nothing in the body' : 'has not the form of RFC 7952 §5.2';
      this.#fault('bad-attribute', {
        path: parent.path,
        message: `annotation ${name} ${why}`,
        info: { 'bad-attribute': name, 'bad-element': local || schema.name },
      });
      return;
    }
    for (const [index, item] of [...items].entries()) {
      if (item !== null || isOne) this.#annotate(name, item, nodes[index], parent.path);
    }
  }

  #annotate(name: string, annotations: JsonValue, node: DataNode | undefined, parentPath: string): void {
    if (!isJsonObject(annotations)) {
      const message = `annotations in ${name}: expected an object, ${describeJson(annotations)} came`;
      const info = { 'bad-attribute': name, 'bad-element': name.slice(1) };
      this.#fault('bad-attribute', { path: parentPath, message, info });
      return;
    }
    for (const [annotation, value] of annotations) {
      const info = { 'bad-attribute': annotation, 'bad-element': name.slice(1) };
      if (annotation !== WITH_DEFAULTS_ANNOTATION) {
        const message = `annotation "${annotation}" in ${name} is unknown`;
        this.#fault('unknown-attribute', { path: parentPath, message, info });
      } else if (typeof value !== 'boolean') {
        const message = `annotation "${annotation}" in ${name}: expected true or false, ${describeJson(value)} came`;
        this.#fault('bad-attribute', { path: parentPath, message, info });
      } else if (value && node) {
        const message = tagDefault(node, node.path);
        if (message !== undefined) {
          this.#fault('invalid-value', { path: node.path, message, info: { 'bad-element': node.schema.name } });
        }
      }
    }
  }

  #attach(node: DataNode, parent: DataNode): void {
    const { schema } = node;
    const rival =
      schema.dump.choices && [...parent.childMap.values()].find((other) => isOtherCase(other.schema, schema));
    const isTwin = parent.get(node.id) !== undefined || isAmongRows(node, parent);
    if ((schema.keys.length > 0 || schema.kind !== 'list') && isTwin) {
      node.parent = parent;
      this.#fault('bad-element', {
        path: node.path,
        message: `${node.path} stands twice in one body`,
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

type Kind = 'number' | 'string' | 'boolean' | 'empty';

const KIND_NAMES: Readonly<Record<Kind, string>> = {
  number: 'a JSON number (an integer)',
  string: 'a JSON string',
  boolean: 'true or false',
  empty: '[null]',
};

/** RFC 7951 §6: 64-bit numbers are strings, since 2^53 is where numbers end in many readers. */
function kindOfType(type: string): Kind {
  if (/^u?int(8|16|32)$/.test(type)) return 'number';
  return type === 'boolean' || type === 'empty' ? type : 'string';
}

function scalar(value: JsonValue): { readonly kind: Kind; readonly text: string } | undefined {
  if (typeof value === 'string') return { kind: 'string', text: value };
  if (typeof value === 'boolean') return { kind: 'boolean', text: String(value) };
  if (value instanceof JsonNumber) return INTEGER.test(value.text) ? { kind: 'number', text: value.text } : undefined;
  return isJsonArray(value) && value.length === 1 && value[0] === null ? { kind: 'empty', text: '' } : undefined;
}
