/**
 * The form in which XPath expressions are kept: each prefix is the name of a module, so that the text has its meaning wherever it is
 * shown (RFC 6991 §4, xpath1.0, gives none a canonical form). Names without prefix stay so.
 */

import { ManagementError } from '../../state/errors.ts';
import { OF_IDENTITIES } from './identity-names.ts';
import { tokensOf } from './lexer.ts';

/**
 * The expression with names of modules for its `prefixes`; a prefix that stands for no module stays as it is, and so does a text that
 * is no expression. `namespaces` are those of the modules, by name.
 */
export function withModuleNames(
  text: string,
  prefixes: Readonly<Record<string, string>>,
  namespaces: ReadonlyMap<string, string>,
): string {
  let result = '';
  let copied = 0;
  for (const { at, prefix } of prefixesIn(text)) {
    const namespace = Object.hasOwn(prefixes, prefix) ? prefixes[prefix] : undefined;
    const module = namespace === undefined ? undefined : moduleOf(namespace, namespaces);
    if (module === undefined) continue;
    result += text.slice(copied, at) + module;
    copied = at + prefix.length;
  }
  return result + text.slice(copied);
}

function moduleOf(namespace: string, namespaces: ReadonlyMap<string, string>): string | undefined {
  for (const [module, own] of namespaces) if (own === namespace) return module;
  return undefined;
}

/**
 * The prefixes of names, also of names of identities that are arguments, with the offset of each. None in a text that is no expression:
 * others say what is wrong with it.
 */
export function prefixesIn(text: string): { readonly at: number; readonly prefix: string }[] {
  try {
    const functions: string[] = [];
    let before = '';
    return tokensOf(text).flatMap((token) => {
      const { kind, text: name, at } = token;
      if (kind === 'symbol' && name === '(') functions.push(before);
      else if (kind === 'symbol' && name === ')') functions.pop();
      before = kind === 'name' ? name : '';
      const isIdentity = kind === 'literal' && OF_IDENTITIES.has(functions[functions.length - 1] ?? '');
      const colon = kind === 'name' || isIdentity ? name.indexOf(':') : -1;
      return colon < 0 ? [] : [{ at: isIdentity ? at + 1 : at, prefix: name.slice(0, colon) }];
    });
  } catch (error) {
    if (!(error instanceof ManagementError)) throw error;
    return [];
  }
}
