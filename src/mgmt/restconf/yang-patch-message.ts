/** A YANG Patch as it came (RFC 8072 §2.2), in either encoding: its own members, not yet what they mean. */

import type { Insert } from '../../state/data.ts';
import type { ErrorTag } from '../../state/errors.ts';
import { ManagementError } from '../../state/errors.ts';
import type { XmlElement } from '../xml.ts';
import type { RawData } from './body.ts';
import type { JsonValue } from './json-text.ts';
import { describeJson, isJsonArray, isJsonObject } from './json-text.ts';

export const YANG_PATCH_MODULE = 'ietf-yang-patch';
export const YANG_PATCH_NAMESPACE = 'urn:ietf:params:xml:ns:yang:ietf-yang-patch';

const PATCH_OPERATIONS = ['create', 'delete', 'insert', 'merge', 'move', 'replace', 'remove'] as const;
const PLACES = ['before', 'after', 'first', 'last'] as const;
const PATCH_PATH = `/${YANG_PATCH_MODULE}:yang-patch`;

export type PatchOperation = (typeof PATCH_OPERATIONS)[number];

export interface YangPatchEdit {
  readonly id: string;
  readonly operation: PatchOperation;
  /** Path of a data resource below the one that is patched, as in a URL. */
  readonly target: string;
  readonly point: string | undefined;
  readonly where: Insert['where'] | undefined;
  readonly value: RawData | undefined;
}

export interface YangPatch {
  readonly patchId: string;
  readonly comment: string | undefined;
  readonly edits: readonly YangPatchEdit[];
}

/**
 * `raw` is what stands inside the message root.
 * @throws ManagementError unknown-element, missing-element, bad-element (twice the same, also an edit-id), invalid-value, unknown-attribute
 */
export function readYangPatch(raw: RawData): YangPatch {
  const patch = new Members(raw, PATCH_PATH, 'the patch', ['patch-id', 'comment', 'edit']);
  const [patchId, comment] = [patch.required('patch-id'), patch.leaf('comment')];
  const ids = new Set<string>();
  const edits = patch.items('edit').map((item, index) => {
    const edit = readEdit(rawOf(item, PATCH_PATH, 'edit'), index + 1);
    if (ids.has(edit.id)) {
      throw fault('bad-element', `${PATCH_PATH}/edit`, 'edit-id', `two edits have the edit-id '${edit.id}'`);
    }
    ids.add(edit.id);
    return edit;
  });
  return { patchId, comment, edits };
}

function readEdit(raw: RawData, number: number): YangPatchEdit {
  const names = ['edit-id', 'operation', 'target', 'point', 'where', 'value'];
  const edit = new Members(raw, `${PATCH_PATH}/edit`, `edit ${number}`, names);
  const id = edit.required('edit-id');
  edit.required('operation');
  const operation = edit.choice('operation', PATCH_OPERATIONS) ?? 'merge';
  const [value] = edit.items('value');
  return {
    id,
    operation,
    target: edit.required('target'),
    point: edit.leaf('point'),
    where: edit.choice('where', PLACES),
    value: value && rawOf(value, `${PATCH_PATH}/edit`, 'value'),
  };
}

type Item = { readonly json: JsonValue } | { readonly xml: XmlElement };

/** What stands inside one node of the message, by name. */
class Members {
  readonly #items = new Map<string, Item[]>();
  readonly #path: string;
  /** The node in words. */
  readonly #what: string;

  constructor(raw: RawData, path: string, what: string, names: readonly string[]) {
    this.#path = path;
    this.#what = what;
    if (raw.encoding === 'json') for (const [name, value] of raw.members) this.#addJson(name, value, names);
    else for (const element of raw.elements) this.#addXml(element, names);
  }

  #addJson(name: string, value: JsonValue, names: readonly string[]): void {
    const local = name.startsWith(`${YANG_PATCH_MODULE}:`) ? name.slice(YANG_PATCH_MODULE.length + 1) : name;
    this.#require(local, names.includes(local));
    if (local !== 'edit') this.#add(local, { json: value });
    else if (!isJsonArray(value)) throw this.#wrongKind(local, `an array, ${describeJson(value)} came`);
    else if (this.#items.has(local)) throw this.#twice(local);
    else
      this.#items.set(
        local,
        value.map((json) => ({ json })),
      );
  }

  #addXml(element: XmlElement, names: readonly string[]): void {
    this.#require(element.name, element.namespace === YANG_PATCH_NAMESPACE && names.includes(element.name));
    const [attribute] = element.attributes;
    if (attribute) {
      const message = `attribute ${attribute.name} of ${element.name} in ${this.#what} is unknown`;
      const info = { 'bad-attribute': attribute.name, 'bad-element': element.name };
      throw new ManagementError('unknown-attribute', { path: this.#path, message, info });
    }
    this.#add(element.name, { xml: element });
  }

  #require(name: string, isKnown: boolean): void {
    if (isKnown) return;
    throw fault('unknown-element', this.#path, name, `${name} in ${this.#what} is not in the schema of a YANG Patch`);
  }

  #add(name: string, item: Item): void {
    const items = this.#items.get(name);
    if (!items) this.#items.set(name, [item]);
    else if (name === 'edit') items.push(item);
    else throw this.#twice(name);
  }

  #twice(name: string): ManagementError {
    return fault('bad-element', this.#path, name, `${name} stands twice in ${this.#what}`);
  }

  items(name: string): readonly Item[] {
    return this.#items.get(name) ?? [];
  }

  leaf(name: string): string | undefined {
    const [item] = this.items(name);
    if (!item) return undefined;
    if ('json' in item) {
      if (typeof item.json === 'string') return item.json;
      throw this.#wrongKind(name, `a JSON string, ${describeJson(item.json)} came`);
    }
    if (item.xml.children.length === 0) return item.xml.text;
    throw this.#wrongKind(name, 'text, elements came');
  }

  required(name: string): string {
    const text = this.leaf(name);
    if (text !== undefined) return text;
    throw fault('missing-element', this.#path, name, `${this.#what} came without ${name}`);
  }

  choice<T extends string>(name: string, choices: readonly T[]): T | undefined {
    const text = this.leaf(name)?.trim();
    const found = choices.find((choice) => choice === text);
    if (text === undefined || found !== undefined) return found;
    throw this.#wrongKind(name, `one of ${choices.join(', ')}, '${text}' came`);
  }

  #wrongKind(name: string, expectation: string): ManagementError {
    return fault('invalid-value', this.#path, name, `${name} of ${this.#what}: expected ${expectation}`);
  }
}

/** The data inside an item. @throws ManagementError invalid-value for JSON that is no object */
function rawOf(item: Item, path: string, name: string): RawData {
  if ('xml' in item) return { encoding: 'xml', elements: item.xml.children };
  if (isJsonObject(item.json)) return { encoding: 'json', members: item.json };
  throw fault('invalid-value', path, name, `${name}: expected an object, ${describeJson(item.json)} came`);
}

function fault(tag: ErrorTag, parent: string, name: string, message: string): ManagementError {
  return new ManagementError(tag, { path: `${parent}/${name}`, message, info: { 'bad-element': name } });
}
