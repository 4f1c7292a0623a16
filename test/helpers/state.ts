/** Datastores in a folder of their own, over the committed schema, without libyang: for tests of state and faces. */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkBindingLeaf } from '../../src/state/binding.generated.ts';
import { DataNode } from '../../src/state/data.ts';
import type { DatastoreOptions } from '../../src/state/datastores.ts';
import { Datastores } from '../../src/state/datastores.ts';
import { treeFromJson } from '../../src/state/json.ts';
import type { Caller, EditRequest, ValueCheck } from '../../src/state/request.ts';
import type { SchemaDump } from '../../src/state/schema.ts';
import { Schema } from '../../src/state/schema.ts';

export const schema = new Schema(JSON.parse(readFileSync('test/fixtures/schema.json', 'utf8')) as SchemaDump);

export const OPERATOR: Caller = { user: 'operator', session: 1, face: 'netconf' };

/** Checks what tests need of types: bindings by their codec, whole numbers and booleans; the rest passes. */
export const plainCheck: ValueCheck = (node, text) => {
  if (node.parent?.rows) return withType(checkBindingLeaf(node.name, text));
  if (node.type === 'boolean' && text !== 'true' && text !== 'false')
    return { message: `expected true or false, found '${text}'` };
  if (/^u?int/.test(node.type) && !/^-?\d+$/.test(text)) return { message: `expected a whole number, found '${text}'` };
  return { value: text, type: node.type };
};

function withType(checked: ReturnType<typeof checkBindingLeaf>): ReturnType<ValueCheck> {
  return 'value' in checked ? { value: checked.value, type: 'string' } : checked;
}

/** A tree from RFC 7951 JSON; a member `@operation` puts an operation on its node, `@insert` an insert. */
export function tree(data: Readonly<Record<string, unknown>>): DataNode {
  return annotate(treeFromJson(schema, strip(data)), data);
}

function strip(data: unknown): unknown {
  if (Array.isArray(data)) return data.map(strip);
  if (typeof data !== 'object' || data === null) return data;
  return Object.fromEntries(
    Object.entries(data)
      .filter(([name]) => !name.startsWith('@'))
      .map(([name, value]) => [name, strip(value)]),
  );
}

function annotate(node: DataNode, data: Readonly<Record<string, unknown>>): DataNode {
  const operation = data['@operation'];
  if (typeof operation === 'string') node.operation = operation as DataNode['operation'];
  for (const [name, value] of Object.entries(data)) {
    if (name.startsWith('@')) continue;
    const items = [...node.childMap.values()].filter(
      (child) => child.schema.name === name.slice(name.indexOf(':') + 1),
    );
    for (const [index, item] of items.entries()) {
      const source = Array.isArray(value) ? value[index] : value;
      if (typeof source === 'object' && source !== null) annotate(item, source as Record<string, unknown>);
    }
  }
  return node;
}

/** A configuration of one AFTR `a` with the pool 192.0.2.0/24 and the given bindings [prefix, gateway, more]. */
export function aftr(...bindings: readonly Readonly<Record<string, unknown>>[]): Record<string, unknown> {
  return softwire({
    name: 'a',
    'ipv6-address': '2001:db8:b::1',
    'ipv4-pool': ['192.0.2.0/24'],
    ...(bindings.length > 0 && { 'binding-table': { binding: bindings } }),
  });
}

export function softwire(entry: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return { 'gi-4over6:softwire': { aftr: [entry] } };
}

export function binding(
  prefix: string,
  gateway: string,
  more: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  return { 'ipv4-prefix': prefix, 'gateway-ipv6-address': gateway, ...more };
}

export type OneEdit = EditRequest & { readonly tree: DataNode };

/** An edit of running by merge, unless the details say otherwise. */
export function request(data: Readonly<Record<string, unknown>>, details: Partial<OneEdit> = {}): OneEdit {
  return { target: 'running', tree: tree(data), defaultOperation: 'merge', ...details };
}

/** The datastores of a folder, which the caller closes. */
export function openDatastores(dir: string, more: Partial<DatastoreOptions> = {}): Promise<Datastores> {
  return Datastores.open({
    dir,
    schema,
    validate: () => [],
    startup: false,
    bootId: 'boot-1',
    initial: () => new DataNode(schema.root),
    ...more,
  });
}

/** Runs a body with new datastores in a folder of their own, both gone afterwards. */
export async function withDatastores(
  body: (
    datastores: Datastores,
    dir: string,
    reopen: (more?: Partial<DatastoreOptions>) => Promise<Datastores>,
  ) => Promise<void>,
  more: Partial<DatastoreOptions> = {},
): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'gi4over6-state-'));
  let datastores = await openDatastores(dir, more);
  const reopen = async (other: Partial<DatastoreOptions> = {}) => {
    await datastores.close();
    datastores = await openDatastores(dir, { ...more, ...other });
    return datastores;
  };
  try {
    await body(datastores, dir, reopen);
  } finally {
    await datastores.close();
    rmSync(dir, { recursive: true, force: true });
  }
}
