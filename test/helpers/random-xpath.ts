/** Random documents of the model and random expressions over them, within what libxml2 and data have in common. */

import type { DataNode } from '../../src/state/data.ts';
import { tree } from './state.ts';

type Next = () => number;

function pick<Item>(next: Next, items: readonly [Item, ...Item[]]): Item {
  return items[next() % items.length] ?? items[0];
}

/** One to three AFTRs with small tables, and gateways. */
export function randomDocument(next: Next): DataNode {
  const aftr = Array.from({ length: 1 + (next() % 3) }, (_, at) => ({
    name: `a${at}`,
    'ipv6-address': `2001:db8:b::${1 + (next() % 3)}`,
    ...(next() % 3 > 0 && { 'ipv4-pool': Array.from({ length: 1 + (next() % 3) }, (_, i) => `192.0.${i}.0/24`) }),
    ...(next() % 4 > 0 && { 'binding-table': randomTable(next) }),
  }));
  const gateway = Array.from({ length: next() % 3 }, (_, at) => ({
    name: `g${at}`,
    'ipv4-interface': [WORDS[next() % WORDS.length] || 'w'],
  }));
  return tree({ 'gi-4over6:softwire': { aftr, ...(gateway.length > 0 && { gateway }) } });
}

const WORDS = ['x', '1', '2', ' 7 ', 'a b', 'x1', '', '03', 'NaN'];

function randomTable(next: Next): Record<string, unknown> {
  const binding = Array.from({ length: next() % 6 }, (_, at) => ({
    'ipv4-prefix': `192.0.2.${at * 8}/${pick(next, [29, 30, 32])}`,
    'gateway-ipv6-address': `2001:db8::${1 + (next() % 3)}`,
    ...(next() % 2 && { description: WORDS[next() % WORDS.length] }),
  }));
  return { binding };
}

const NAMES = [
  'p:softwire',
  'p:aftr',
  'p:name',
  'p:ipv4-pool',
  'p:binding-table',
  'p:binding',
  'p:ipv4-prefix',
  'q:gateway-ipv6-address',
  'p:description',
  'p:gateway',
  'p:ipv4-interface',
] as const;
const AXES = [
  'child',
  'child',
  'descendant',
  'descendant-or-self',
  'self',
  'parent',
  'ancestor',
  'ancestor-or-self',
  'following-sibling',
  'preceding-sibling',
  'following',
  'preceding',
] as const;

/** An absolute path, or a value made of such. */
export function randomExpression(next: Next): string {
  const kind = next() % 10;
  if (kind < 7) return path(next, 3, true);
  if (kind === 7) return `${path(next, 2, true)} | ${path(next, 2, true)}`;
  if (kind === 8) return `(${path(next, 2, true)})${predicate(next, 1)}${next() % 2 ? `/${step(next, 1)}` : ''}`;
  return value(next, 2, true);
}

/** Where a step may lead to that finds something. */
const BELOW: Readonly<Record<string, readonly [string, ...string[]]>> = {
  '': ['p:softwire'],
  'p:softwire': ['p:aftr', 'p:gateway', '*'],
  'p:aftr': ['p:name', 'p:ipv4-pool', 'p:binding-table', 'p:binding-table'],
  'p:gateway': ['p:name', 'p:ipv4-interface'],
  'p:binding-table': ['p:binding', 'q:binding', '*'],
  'p:binding': ['p:ipv4-prefix', 'p:gateway-ipv6-address', 'p:description', 'node()'],
  'p:description': ['text()'],
};

function path(next: Next, depth: number, isAbsolute: boolean): string {
  const table = '/p:softwire/p:aftr/p:binding-table/p:binding';
  const starts = [
    '/',
    '/',
    '//',
    `${table}/`,
    '//p:binding/',
    '//p:aftr/',
    `${table}${depth > 0 ? predicate(next, depth - 1) : ''}/`,
  ] as const;
  const start = isAbsolute ? pick(next, starts) : '';
  let at = start.includes('p:binding')
    ? 'p:binding'
    : start.includes('p:aftr')
      ? 'p:aftr'
      : isAbsolute
        ? ''
        : pick(next, NAMES);
  let text = start;
  for (let left = 1 + (next() % 3); left > 0; left--) {
    const likely = next() % 3 > 0 ? BELOW[at] : undefined;
    const name = likely ? pick(next, likely) : undefined;
    text += step(next, depth, name) + (left === 1 ? '' : next() % 5 === 0 ? '//' : '/');
    at = name ?? pick(next, NAMES);
  }
  return text;
}

/** A step to that name, or a random one. */
function step(next: Next, depth: number, name?: string): string {
  const kind = name === undefined ? next() % 8 : 2;
  if (kind === 0) return '..';
  if (kind === 1) return '.';
  const axis = name === undefined && next() % 2 === 0 ? `${pick(next, AXES)}::` : '';
  const test =
    name ?? (next() % 3 === 0 ? pick(next, ['*', 'node()', 'text()', 'p:*', 'x:*', 'name']) : pick(next, NAMES));
  const count = depth > 0 ? ([0, 0, 1, 1, 2][next() % 5] ?? 0) : 0;
  return axis + test + Array.from({ length: count }, () => predicate(next, depth - 1)).join('');
}

function predicate(next: Next, depth: number): string {
  const kind = next() % 8;
  if (kind === 0) return `[${next() % 4}]`;
  if (kind === 1) return `[last()${pick(next, ['', ' - 1', ' > 2', ' = position()'])}]`;
  if (kind === 2) return `[position() ${pick(next, ['<', '<=', '>', '=', '!=', 'mod 2 ='])} ${next() % 4}]`;
  if (kind === 3) return `[p:ipv4-prefix = '192.0.2.${(next() % 6) * 8}/${pick(next, [29, 30, 32])}']`;
  if (kind === 4) return `[${condition(next, depth)} ${pick(next, ['and', 'or'])} ${condition(next, depth)}]`;
  return `[${condition(next, depth)}]`;
}

function condition(next: Next, depth: number): string {
  const kind = next() % 6;
  if (depth <= 0 || kind === 0)
    return pick(next, [`p:description`, `not(${pick(next, NAMES)})`, `. = '${pick(next, WORDS as [string])}'`]);
  if (kind === 1) return path(next, depth - 1, next() % 3 === 0);
  return `${value(next, depth - 1, false)} ${pick(next, ['=', '!=', '<', '<=', '>', '>='])} ${value(next, depth - 1, false)}`;
}

function value(next: Next, depth: number, isAbsolute: boolean): string {
  const nodes = () => path(next, depth - 1, isAbsolute);
  const text = () => pick(next, [`string(${nodes()})`, `'${pick(next, WORDS as [string])}'`, `local-name(${nodes()})`]);
  if (!isAbsolute && next() % 3 === 0) return nodes();
  switch (next() % 12) {
    case 0:
      return `count(${nodes()})`;
    case 1:
      return `sum(${nodes()})`;
    case 2:
      return `string-length(${text()}) ${pick(next, ['+', '-', '*', 'mod'])} ${1 + (next() % 3)}`;
    case 3:
      return `concat(${text()}, ${text()})`;
    case 4:
      return `substring(${text()}, ${(next() % 5) - 1}, ${next() % 4}.5)`;
    case 5:
      return `translate(${text()}, 'x12:', 'yz')`;
    case 6:
      return `normalize-space(${text()})`;
    case 7:
      return `boolean(${nodes()})`;
    case 8:
      return pick(next, [
        `substring-before(${text()}, ':')`,
        `substring-after(${text()}, '.')`,
        `namespace-uri(${nodes()})`,
      ]);
    case 9:
      return pick(next, [`starts-with(${text()}, 'x')`, `contains(${text()}, '1')`, `not(${text()})`]);
    case 10:
      return `${pick(next, ['round', 'floor', 'ceiling'])}(${next() % 4} div 2 - 1)`;
    default:
      return `number(${text()})`;
  }
}
