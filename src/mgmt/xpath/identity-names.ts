/** Names of identities as arguments of functions (RFC 7950 §10.4). */

import { ManagementError } from '../../state/errors.ts';
import type { SchemaNode } from '../../state/schema.ts';
import type { Expression, NameScope } from './syntax.ts';
import { partsOf, predicatesOf } from './syntax.ts';

/** Functions whose second argument names an identity. */
export const OF_IDENTITIES: ReadonlySet<string> = new Set(['derived-from', 'derived-from-or-self']);

/**
 * The identities of a name, with their modules: more than one only where a name without prefix is one of any module.
 * @throws ManagementError invalid-value where there is none; unknown-namespace for a prefix
 */
export function identitiesNamed(text: string, scope: NameScope, { facts }: SchemaNode): string[] {
  const colon = text.indexOf(':');
  const name = text.slice(colon + 1);
  const namespace = colon < 0 ? scope.unprefixed : scope.namespaceOf(text.slice(0, colon));
  if (colon >= 0 && namespace === undefined) {
    throw new ManagementError('unknown-namespace', {
      type: 'protocol',
      message: `XPath expression: the prefix of identity '${text}' is declared nowhere around, and no module is called so`,
      info: { 'bad-element': 'filter', 'bad-namespace': text.slice(0, colon) },
    });
  }
  const found: string[] = [];
  for (const [module, own] of facts.namespaces) {
    if (namespace !== undefined && own !== namespace) continue;
    if (facts.identities.has(`${module}:${name}`)) found.push(`${module}:${name}`);
  }
  if (found.length > 0) return found;
  const why = namespace === '' ? 'an identity without prefix is of no module' : 'no module has such an identity';
  throw new ManagementError('invalid-value', {
    type: 'protocol',
    message: `XPath expression: identity '${text}': ${why}`,
    info: { 'bad-attribute': 'select', 'bad-element': 'filter' },
  });
}

/** Looks up the identities that an expression names, anywhere in it. @throws as `identitiesNamed` */
export function checkIdentities(expression: Expression, schema: SchemaNode): void {
  if (expression.kind === 'call' && OF_IDENTITIES.has(expression.name)) {
    const [, identity] = expression.args;
    if (identity?.kind === 'literal') identitiesNamed(identity.value, expression.scope, schema);
  }
  for (const part of [...partsOf(expression), ...predicatesOf(expression)]) checkIdentities(part, schema);
}
