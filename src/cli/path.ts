/**
 * What people write to name data, as steps:
 *
 *   /gi-4over6:softwire/aftr[name='a']/binding-table/binding[ipv4-prefix='192.0.2.0/24']   RFC 7951 §6.11
 *   aftr a binding 192.0.2.0/24                                                            the same in words
 */

import { usageFailure } from './failure.ts';
import { ARRAYS } from './model.ts';
import { isXmlText } from './xml-text.ts';

export interface Step {
  /** Name of the module; undefined where it is that of the step before. */
  readonly module: string | undefined;
  readonly name: string;
  readonly keys: readonly (readonly [name: string, value: string])[];
  /** Value of a leaf-list entry: `[.='v']`. */
  readonly value?: string | undefined;
}

/** A place, and leaves to write below it. */
export interface Target {
  readonly steps: readonly Step[];
  readonly leaves: readonly (readonly [name: string, value: string])[];
}

const NAME = /^[A-Za-z_][\w.-]*$/;
const STEP = /\/(?:([A-Za-z_][\w.-]*):)?([A-Za-z_][\w.-]*)((?:\[[^\]'"]*(?:'[^']*'|"[^"]*")\s*\])*)/y;
const PREDICATE = /\[\s*(?:[A-Za-z_][\w.-]*:)?([A-Za-z_][\w.-]*|\.)\s*=\s*(?:'([^']*)'|"([^"]*)")\s*\]/g;

/** A path that begins with a slash. @throws CommandFailure (usage) at the first place that is no path */
export function parsePath(text: string): Step[] {
  const steps: Step[] = [];
  STEP.lastIndex = 0;
  while (STEP.lastIndex < text.length) {
    const at = STEP.lastIndex;
    const match = STEP.exec(text);
    if (!match) {
      throw usageFailure(`path ${text}: expected /name or /name[key='value'], found '${text.slice(at, at + 20)}'`);
    }
    const [, module, name = '', predicates = ''] = match;
    steps.push(stepOf(module, name, predicates, text));
  }
  const [first, ...rest] = steps;
  if (!first) throw usageFailure('an empty path: expected for example /gi-4over6:softwire');
  return [{ ...first, module: first.module ?? 'gi-4over6' }, ...rest];
}

function stepOf(module: string | undefined, name: string, predicates: string, text: string): Step {
  const found = [...predicates.matchAll(PREDICATE)];
  if (found.map(([whole]) => whole).join('') !== predicates) {
    throw usageFailure(`path ${text}: expected predicates such as [name='a'], found ${predicates}`);
  }
  const keys = found.map(([, key = '', single, double]) => [key, single ?? double ?? ''] as const);
  const value = keys.find(([key]) => key === '.')?.[1];
  return value === undefined ? { module, name, keys } : { module, name, keys: [], value };
}

const step = (name: string, keys: Step['keys'] = [], module?: string): Step => ({ module, name, keys });

/** Words that lead somewhere, by the word before them; those with a key take the next word as its value. */
const WORDS: Readonly<Record<string, Readonly<Record<string, readonly [key: string, ...steps: Step[]]>>>> = {
  '': {
    gateway: ['name', step('softwire', [], 'gi-4over6'), step('gateway')],
    aftr: ['name', step('softwire', [], 'gi-4over6'), step('aftr')],
    state: ['', step('softwire', [], 'gi-4over6'), step('state')],
    user: ['name', step('system', [], 'ietf-system'), step('authentication'), step('user')],
    bgp: ['', step('softwire', [], 'gi-4over6'), step('bgp')],
    nacm: ['', step('nacm', [], 'ietf-netconf-acm')],
  },
  aftr: {
    binding: ['ipv4-prefix', step('binding-table'), step('binding')],
    'shared-address': ['ipv4-address', step('binding-table'), step('shared-address')],
    'route-source': ['name', step('route-source')],
    softwire: ['gateway-ipv6-address', step('softwire')],
    statistics: ['', step('statistics')],
  },
  'route-source': {
    'learned-route': ['ipv4-prefix', step('learned-route')],
    'refused-route': ['ipv4-prefix', step('refused-route')],
  },
  statistics: { 'ipv4-side': ['', step('ipv4-side')], 'ipv6-side': ['', step('ipv6-side')] },
  'ipv4-side': { drop: ['reason', step('drop')] },
  'ipv6-side': { drop: ['reason', step('drop')] },
  'shared-address': { 'port-set': ['psid', step('port-set')] },
  gateway: {
    'served-prefix': ['ipv4-prefix', step('served-prefix')],
    'route-advertisement': ['', step('route-advertisement')],
    statistics: ['', step('statistics')],
  },
  'route-advertisement': { target: ['name', step('target')] },
  target: { 'advertised-route': ['ipv4-prefix', step('advertised-route')] },
  bgp: { neighbor: ['address', step('neighbor')] },
  user: { 'authorized-key': ['name', step('authorized-key')] },
};

/** First words of the short form, for messages and completion. */
export const FIRST_WORDS = Object.keys(WORDS[''] ?? {});

interface Walk {
  readonly steps: Step[];
  readonly rest: readonly string[];
}

/** Follows words as long as they lead to entries. */
function walkWords(words: readonly string[]): Walk {
  const steps: Step[] = [];
  let rest = words;
  for (let place = ''; ; ) {
    const [word = '', value] = rest;
    const way = WORDS[place]?.[word];
    if (!way) return { steps, rest };
    const [key, ...next] = way;
    const last = next.pop();
    if (!last) return { steps, rest };
    if (key !== '' && value === undefined) {
      // The list as a whole.
      return { steps: [...steps, ...next, last], rest: [] };
    }
    steps.push(...next, key === '' ? last : { ...last, keys: [[key, value ?? '']] });
    rest = rest.slice(key === '' ? 1 : 2);
    place = word;
  }
}

/** The place that the words of `get`, `show` and `delete` name. @throws CommandFailure (usage) */
export function parsePlace(words: readonly string[]): Step[] {
  requireText(words);
  const [first = '', ...others] = words;
  if (first.startsWith('/')) {
    if (others.length > 0) throw usageFailure(`expected one path, found '${others[0]}' after it`);
    return parsePath(first);
  }
  const { steps, rest } = walkWords(words);
  if (steps.length === 0) throw unknownWord(first);
  let before = steps[steps.length - 1]?.name ?? '';
  for (let at = 0; at < rest.length; at++) {
    const name = rest[at] ?? '';
    if (!NAME.test(name)) throw usageFailure(`expected a name, found '${name}'`);
    const value = ARRAYS.has(`${before}/${name}`) && at === rest.length - 2 ? rest[++at] : undefined;
    steps.push({ ...step(name), value });
    before = name;
  }
  return steps;
}

/** What the words of `set` write: a path and its value, or an entry in words and pairs of leaf and value. */
export function parseTarget(words: readonly string[]): Target {
  requireText(words);
  const [first = '', value, ...others] = words;
  if (first.startsWith('/')) {
    if (others.length > 0) throw usageFailure(`expected a path and one value, found '${others[0]}' after them`);
    const steps = parsePath(first);
    return value === undefined ? { steps, leaves: [] } : withLeaf(steps, value, first);
  }
  const { steps, rest } = walkWords(words);
  if (steps.length === 0) throw unknownWord(first);
  const leaves: [string, string][] = [];
  for (let at = 0; at < rest.length; at += 2) {
    const [name = '', text] = rest.slice(at, at + 2);
    if (!NAME.test(name)) throw usageFailure(`expected the name of a leaf, found '${name}'`);
    if (text === undefined) throw usageFailure(`expected a value after '${name}'`);
    leaves.push([name, text]);
  }
  return { steps, leaves };
}

function requireText(words: readonly string[]): void {
  const unfit = words.find((word) => !isXmlText(word));
  if (unfit !== undefined) throw usageFailure(`expected no control characters, found them in '${unfit}'`);
}

function withLeaf(steps: readonly Step[], value: string, text: string): Target {
  const leaf = steps[steps.length - 1];
  if (!leaf || leaf.keys.length > 0 || leaf.value !== undefined || steps.length < 2) {
    throw usageFailure(`${text} is no leaf: a value belongs behind the path of a leaf`);
  }
  return { steps: [...steps.slice(0, -1), { ...leaf, value }], leaves: [] };
}

function unknownWord(word: string) {
  return usageFailure(
    `expected a path such as /gi-4over6:softwire, or one of ${FIRST_WORDS.join(', ')}; found '${word}'`,
  );
}
