/** Steps to the XML of a filter or an edit. */

import type { NetconfClient } from './client.ts';
import { BASE_NAMESPACE } from './client.ts';
import type { Step, Target } from './path.ts';
import { escapeXml } from './xml-text.ts';

type Namespaces = Pick<NetconfClient, 'namespaceOf'>;

/** A subtree filter for one place. */
export function filterXml(client: Namespaces, steps: readonly Step[]): Promise<string> {
  return nest(client, steps, '', '');
}

/** The edit that writes leaves, or just the node when there are none. */
export function setXml(client: Namespaces, { steps, leaves }: Target): Promise<string> {
  const inside = leaves.map(([name, value]) => `<${name}>${escapeXml(value)}</${name}>`).join('');
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
    opened += `<${name}${namespace}${isLast ? attributes : ''}>`;
    opened += keys.map(([key, text]) => `<${key}>${escapeXml(text)}</${key}>`).join('');
    if (value !== undefined) opened += escapeXml(value);
    closed = `</${name}>${closed}`;
  }
  return opened + inside + closed;
}
