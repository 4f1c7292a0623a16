/** Steps to the XML of a filter or an edit. */

import type { NetconfClient } from './client.ts';
import { BASE_NAMESPACE } from './client.ts';
import { IDENTITIES } from './model.ts';
import type { Step, Target } from './path.ts';
import { escapeXml } from './xml-text.ts';

type Namespaces = Pick<NetconfClient, 'namespaceOf'>;

/** A subtree filter for one place. */
export function filterXml(client: Namespaces, steps: readonly Step[]): Promise<string> {
  return nest(client, steps, '', '');
}

/** The edit that writes leaves, or just the node when there are none. */
export async function setXml(client: Namespaces, { steps, leaves }: Target): Promise<string> {
  let inside = '';
  for (const [name, value] of leaves) {
    inside += `<${name}${await declarationOf(client, name, value)}>${escapeXml(value)}</${name}>`;
  }
  return nest(client, steps, inside, '');
}

/** The edit that deletes one node. */
export function deleteXml(client: Namespaces, steps: readonly Step[]): Promise<string> {
  return nest(client, steps, '', ` xmlns:nc="${BASE_NAMESPACE}" nc:operation="delete"`);
}

/** Elements in one another; `inside` and `attributes` belong to the last. */
async function nest(client: Namespaces, steps: readonly Step[], inside: string, attributes: string): Promise<string> {
  let opened = '';
  let closed = '';
  for (const [index, { module, name, keys, value }] of steps.entries()) {
    const isLast = index === steps.length - 1;
    const namespace = module === undefined ? '' : ` xmlns="${escapeXml(await client.namespaceOf(module))}"`;
    const identity = value === undefined ? '' : await declarationOf(client, name, value);
    opened += `<${name}${namespace}${identity}${isLast ? attributes : ''}>`;
    opened += keys.map(([key, text]) => `<${key}>${escapeXml(text)}</${key}>`).join('');
    if (value !== undefined) opened += escapeXml(value);
    closed = `</${name}>${closed}`;
  }
  return opened + inside + closed;
}

/** Of the prefix in an identity, which in an edit of ours is the name of its module. */
async function declarationOf(client: Namespaces, name: string, value: string): Promise<string> {
  const module = IDENTITIES.has(name) ? /^([A-Za-z_][\w.-]*):/.exec(value)?.[1] : undefined;
  return module === undefined ? '' : ` xmlns:${module}="${escapeXml(await client.namespaceOf(module))}"`;
}
