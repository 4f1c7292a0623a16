/** What a leafref or an instance-identifier refers to (RFC 7950 §10.3.1). */

import { ManagementError } from '../../state/errors.ts';
import type { SchemaNode } from '../../state/schema.ts';
import { leafOf } from './conversions.ts';
import type { XPathNode } from './document.ts';
import { tokensOf } from './lexer.ts';
import type { NodeSet } from './node-set.ts';
import { mapRows, NOTHING } from './node-set.ts';
import { parseExpression } from './parser.ts';
import type { Expression } from './syntax.ts';

/** The nodes that an expression selects at a context node. */
type Select = (expression: Expression, current: XPathNode) => NodeSet;

/** The nodes that a node refers to, as far as they are in the document; none for a node of another type. */
export function derefNodes(node: XPathNode, root: XPathNode, select: Select): NodeSet {
  const leaf = node.kind === 'element' ? leafOf(node) : undefined;
  if (!leaf) return NOTHING;
  const target = targetOf(leaf.schema);
  if (target) return withValue(select(target, node), leaf.value);
  if (leaf.type !== 'instance-identifier') return NOTHING;
  const { namespaces } = leaf.schema;
  try {
    return select(
      parseExpression(withEveryPrefix(leaf.value), (prefix) => namespaces.get(prefix)),
      root,
    );
  } catch (error) {
    // An instance of a module that is not there any more.
    if (error instanceof ManagementError && error.tag !== 'resource-denied') return NOTHING;
    throw error;
  }
}

/** §9.9: of the nodes of the path, those with the value. */
function withValue({ small, rows }: NodeSet, value: string): NodeSet {
  const hasValue = (node: XPathNode) => leafOf(node)?.value === value;
  return {
    small: small.filter(hasValue),
    rows: new Map([...rows].map(([table, of]) => [table, mapRows(of, ({ nodes }) => nodes.filter(hasValue))])),
  };
}

const targets = new WeakMap<SchemaNode, Expression>();

/** The path of a leafref. */
function targetOf(schema: SchemaNode): Expression | undefined {
  const { leafref } = schema.dump;
  if (!leafref) return undefined;
  let found = targets.get(schema);
  if (!found) {
    const { path, prefixes } = leafref;
    const namespaceOf = (prefix: string) => schema.namespaces.get(prefixes[prefix] ?? '');
    found = parseExpression(path, namespaceOf, { namespace: namespaceOf('') ?? schema.namespace });
    targets.set(schema, found);
  }
  return found;
}

/** An instance identifier whose names without prefix are of the module of the name before (RFC 7951 §6.11), with all prefixes. */
function withEveryPrefix(path: string): string {
  let result = '';
  let copied = 0;
  let module = '';
  let brackets = 0;
  for (const { kind, text, at } of tokensOf(path)) {
    if (kind === 'symbol' && (text === '[' || text === ']')) brackets += text === '[' ? 1 : -1;
    if (kind !== 'name') continue;
    const colon = text.indexOf(':');
    if (colon < 0) {
      result += `${path.slice(copied, at)}${module}:`;
      copied = at;
    } else if (brackets === 0) module = text.slice(0, colon);
  }
  return result + path.slice(copied);
}
