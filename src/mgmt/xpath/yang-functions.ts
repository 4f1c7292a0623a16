/** The functions of RFC 7950 §10, but current() and deref(), on arguments that are evaluated already. */

import { ManagementError } from '../../state/errors.ts';
import type { Value } from './conversions.ts';
import { isNodeSet, leafOf, toText } from './conversions.ts';
import type { XPathDocument } from './document.ts';
import type { FunctionContext, Implementation } from './functions.ts';
import { identitiesNamed } from './identity-names.ts';
import { firstOf, nodesOf } from './node-set.ts';
import type { Matcher } from './pattern.ts';
import { matcherOf } from './pattern.ts';
import { PatternFault } from './pattern-parser.ts';

/** By name; the parser has checked number and kinds of the arguments. */
export const YANG_FUNCTIONS: Readonly<Record<string, Implementation>> = {
  're-match': ({ axes, document }, [subject = '', pattern = '']) => {
    const matcher = matcherFor(toText(axes, pattern));
    return matcher.matches(toText(axes, subject), spender(document));
  },
  'derived-from': (context, args) => isDerived(context, args, false),
  'derived-from-or-self': (context, args) => isDerived(context, args, true),
  'enum-value': (_, [set]) => {
    const leaf = firstLeaf(set);
    return (leaf?.type === 'enumeration' ? leaf.schema.dump.numbers?.[leaf.value] : undefined) ?? Number.NaN;
  },
  'bit-is-set': ({ axes }, [set, name = '']) => {
    const leaf = firstLeaf(set);
    return leaf?.type === 'bits' && leaf.value.split(' ').includes(toText(axes, name));
  },
};

/** States of a pattern that cost as much as a node that is walked to. */
const STATES_A_NODE = 16;

function spender(document: XPathDocument): (states: number) => void {
  let left = 0;
  return (states) => {
    left += states;
    if (left < STATES_A_NODE) return;
    document.spend(Math.floor(left / STATES_A_NODE));
    left %= STATES_A_NODE;
  };
}

/** @throws ManagementError invalid-value */
function matcherFor(pattern: string): Matcher {
  try {
    return matcherOf(pattern);
  } catch (error) {
    if (!(error instanceof PatternFault)) throw error;
    const info = { 'bad-attribute': 'select', 'bad-element': 'filter' };
    throw new ManagementError('invalid-value', {
      type: 'protocol',
      message: `XPath expression: ${error.message}`,
      info,
    });
  }
}

function firstLeaf(set: Value | undefined) {
  const first = set !== undefined && isNodeSet(set) ? firstOf(set) : undefined;
  return first?.kind === 'element' ? leafOf(first) : undefined;
}

/** §10.4: whether any of the nodes is an identityref whose identity is derived from the one that is named. */
function isDerived({ axes, document, scope }: FunctionContext, [set, name = '']: readonly Value[], orSelf: boolean) {
  const { schema } = document.root.data;
  const bases = identitiesNamed(toText(axes, name), scope, schema);
  if (set === undefined || !isNodeSet(set)) return false;
  for (const node of nodesOf(set)) {
    const leaf = node.kind === 'element' ? leafOf(node) : undefined;
    if (leaf?.type !== 'identityref') continue;
    const identity = leaf.value.includes(':') ? leaf.value : `${leaf.schema.module}:${leaf.value}`;
    const derivedFrom = schema.facts.identities.get(identity);
    if (bases.some((base) => derivedFrom?.has(base) || (orSelf && base === identity))) return true;
  }
  return false;
}
