/** The conversions of XPath 1.0 §4: between numbers, strings, booleans and nodes. */

import type { DataNode } from '../../state/data.ts';
import { ManagementError } from '../../state/errors.ts';
import type { Axes } from './axes.ts';
import type { XPathNode } from './document.ts';
import type { NodeSet } from './node-set.ts';
import { firstOf, isEmpty, nodesOf, only } from './node-set.ts';

export type Value = NodeSet | string | number | boolean;

/** Characters of a text that an expression makes or takes together: that of a whole table would not fit into memory. */
export const MAX_TEXT = 1024 * 1024;

export function isNodeSet(value: Value): value is NodeSet {
  return typeof value === 'object';
}

/** §5.2: the text of all leaves below, in document order. @throws ManagementError resource-denied above MAX_TEXT */
export function textOf(axes: Axes, node: XPathNode): string {
  if (node.kind === 'text' || node.data.schema.isLeaf) return node.data.value;
  let text = '';
  for (const part of nodesOf(axes.from(only(node), 'descendant', { kind: 'text' })))
    text = joined(text, part.data.value);
  return text;
}

export function joined(a: string, b: string): string {
  if (a.length + b.length <= MAX_TEXT) return a + b;
  const message = `the XPath expression makes a text of more than ${MAX_TEXT} characters`;
  throw new ManagementError('resource-denied', { message });
}

export function toText(axes: Axes, value: Value): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return numberText(value);
  if (typeof value === 'boolean') return String(value);
  const first = firstOf(value);
  return first ? textOf(axes, first) : '';
}

export function toNumber(axes: Axes, value: Value): number {
  if (typeof value === 'number') return value;
  if (typeof value === 'boolean') return value ? 1 : 0;
  return parseNumber(toText(axes, value));
}

export function toBoolean(value: Value): boolean {
  if (typeof value === 'boolean') return value;
  if (typeof value === 'number') return value !== 0 && !Number.isNaN(value);
  if (typeof value === 'string') return value !== '';
  return !isEmpty(value);
}

const NUMBER = /^[ \t\r\n]*-?(?:\d+(?:\.\d*)?|\.\d+)[ \t\r\n]*$/;

/** §4.4: anything but a plain decimal number is NaN. */
export function parseNumber(text: string): number {
  return NUMBER.test(text) ? Number(text) : Number.NaN;
}

/** §4.2: decimal, without an exponent. */
export function numberText(value: number): string {
  if (Object.is(value, -0)) return '0';
  const text = String(value);
  const [, sign = '', whole = '', fraction = '', exponent = ''] = /^(-?)(\d)(?:\.(\d+))?e([+-]\d+)$/.exec(text) ?? [];
  if (exponent === '') return text;
  const digits = whole + fraction;
  const point = 1 + Number(exponent);
  if (point <= 0) return `${sign}0.${'0'.repeat(-point)}${digits}`;
  return sign + digits.padEnd(point, '0');
}

/** The value of a leaf, or undefined for what is none. */
export function leafOf(node: XPathNode): DataNode | undefined {
  return node.data.schema.isLeaf ? node.data : undefined;
}
