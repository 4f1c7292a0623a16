/** The functions of XPath 1.0 §4 and of RFC 7950 §10: what they take and return. */

import type { ValueType } from './syntax.ts';

export interface Signature {
  readonly returns: ValueType;
  /** Fewest and most arguments. */
  readonly count: readonly [fewest: number, most: number];
  /** How many of the first arguments must be node-sets; others are converted. */
  readonly nodeSets?: number;
}

const MANY = Number.POSITIVE_INFINITY;

export const SIGNATURES: ReadonlyMap<string, Signature> = new Map<string, Signature>([
  ['last', { returns: 'number', count: [0, 0] }],
  ['position', { returns: 'number', count: [0, 0] }],
  ['count', { returns: 'number', count: [1, 1], nodeSets: 1 }],
  ['id', { returns: 'node-set', count: [1, 1] }],
  ['local-name', { returns: 'string', count: [0, 1], nodeSets: 1 }],
  ['namespace-uri', { returns: 'string', count: [0, 1], nodeSets: 1 }],
  ['name', { returns: 'string', count: [0, 1], nodeSets: 1 }],
  ['string', { returns: 'string', count: [0, 1] }],
  ['concat', { returns: 'string', count: [2, MANY] }],
  ['starts-with', { returns: 'boolean', count: [2, 2] }],
  ['contains', { returns: 'boolean', count: [2, 2] }],
  ['substring-before', { returns: 'string', count: [2, 2] }],
  ['substring-after', { returns: 'string', count: [2, 2] }],
  ['substring', { returns: 'string', count: [2, 3] }],
  ['string-length', { returns: 'number', count: [0, 1] }],
  ['normalize-space', { returns: 'string', count: [0, 1] }],
  ['translate', { returns: 'string', count: [3, 3] }],
  ['boolean', { returns: 'boolean', count: [1, 1] }],
  ['not', { returns: 'boolean', count: [1, 1] }],
  ['true', { returns: 'boolean', count: [0, 0] }],
  ['false', { returns: 'boolean', count: [0, 0] }],
  ['lang', { returns: 'boolean', count: [1, 1] }],
  ['number', { returns: 'number', count: [0, 1] }],
  ['sum', { returns: 'number', count: [1, 1], nodeSets: 1 }],
  ['floor', { returns: 'number', count: [1, 1] }],
  ['ceiling', { returns: 'number', count: [1, 1] }],
  ['round', { returns: 'number', count: [1, 1] }],
  ['current', { returns: 'node-set', count: [0, 0] }],
  ['re-match', { returns: 'boolean', count: [2, 2] }],
  ['deref', { returns: 'node-set', count: [1, 1], nodeSets: 1 }],
  ['derived-from', { returns: 'boolean', count: [2, 2], nodeSets: 1 }],
  ['derived-from-or-self', { returns: 'boolean', count: [2, 2], nodeSets: 1 }],
  ['enum-value', { returns: 'number', count: [1, 1], nodeSets: 1 }],
  ['bit-is-set', { returns: 'boolean', count: [2, 2], nodeSets: 1 }],
]);
