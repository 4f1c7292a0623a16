/** The functions of XPath 1.0 §4 and those of RFC 7950 §10 that data alone can answer: what they take and return. */

import type { ValueType } from './syntax.ts';

export interface Signature {
  readonly returns: ValueType;
  /** Fewest and most arguments. */
  readonly count: readonly [fewest: number, most: number];
  /** Arguments that must be node-sets, by position; others are converted. */
  readonly nodeSets?: boolean;
}

const MANY = Number.POSITIVE_INFINITY;

export const SIGNATURES: ReadonlyMap<string, Signature> = new Map<string, Signature>([
  ['last', { returns: 'number', count: [0, 0] }],
  ['position', { returns: 'number', count: [0, 0] }],
  ['count', { returns: 'number', count: [1, 1], nodeSets: true }],
  ['id', { returns: 'node-set', count: [1, 1] }],
  ['local-name', { returns: 'string', count: [0, 1], nodeSets: true }],
  ['namespace-uri', { returns: 'string', count: [0, 1], nodeSets: true }],
  ['name', { returns: 'string', count: [0, 1], nodeSets: true }],
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
  ['sum', { returns: 'number', count: [1, 1], nodeSets: true }],
  ['floor', { returns: 'number', count: [1, 1] }],
  ['ceiling', { returns: 'number', count: [1, 1] }],
  ['round', { returns: 'number', count: [1, 1] }],
  ['current', { returns: 'node-set', count: [0, 0] }],
]);

/**
 * Functions of RFC 7950 §10 that are refused by name. RFC 6241 §8.9.5.1 asks for the core library alone. The schema tree
 * here knows no leafref targets, bases of identities or values of enums, and a pattern of a client over a million rows
 * needs a matcher that never backtracks, which JavaScript has not.
 */
export const REFUSED_FUNCTIONS: ReadonlySet<string> = new Set([
  'deref',
  're-match',
  'derived-from',
  'derived-from-or-self',
  'enum-value',
  'bit-is-set',
]);
