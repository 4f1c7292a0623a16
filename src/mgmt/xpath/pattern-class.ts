/** Classes of characters in patterns (XSD 1.0 part 2, appendix F.1). */

import { blockNamed } from './pattern-blocks.ts';

export interface CharacterClass {
  /** First and last code point of each range. */
  readonly ranges: readonly (readonly [first: number, last: number])[];
  readonly classes: readonly (CharacterClass | Category)[];
  readonly isNegated: boolean;
  /** What is taken out of it. */
  readonly except?: CharacterClass;
}

/** Characters that an expression for one of them matches. */
interface Category {
  readonly expression: RegExp;
}

export const ANY_BUT_END_OF_LINE: CharacterClass = {
  ranges: [
    [10, 10],
    [13, 13],
  ],
  classes: [],
  isNegated: true,
};

/** Characters that stand for themselves behind a backslash, and three that do not. */
export const SINGLE_ESCAPES: ReadonlyMap<string, number> = new Map([
  ['n', 10],
  ['r', 13],
  ['t', 9],
  ...[...'\\|.?*+(){}-[]^'].map((character) => [character, character.charCodeAt(0)] as const),
]);

/** General categories of Unicode, as XML Schema has them: without surrogates, which are no characters. */
const CATEGORIES = new Set(
  'L Lu Ll Lt Lm Lo M Mn Mc Me N Nd Nl No P Pc Pd Ps Pe Pi Pf Po Z Zs Zl Zp S Sm Sc Sk So C Cc Cf Co Cn'.split(' '),
);

/** The class of `\p{name}`, a category or a block; undefined when there is none of the name. */
export function propertyClass(name: string): CharacterClass | undefined {
  const block = name.startsWith('Is') ? blockNamed(name.slice(2)) : undefined;
  if (block) return { ranges: [block], classes: [], isNegated: false };
  return CATEGORIES.has(name) ? matching(`\\p{${name}}`) : undefined;
}

function matching(one: string): CharacterClass {
  return { ranges: [], classes: [{ expression: new RegExp(`^${one}$`, 'u') }], isNegated: false };
}

const ESCAPES: ReadonlyMap<string, CharacterClass> = new Map([
  ['s', matching('[ \\t\\n\\r]')],
  ['d', matching('\\p{Nd}')],
  ['w', matching('[^\\p{P}\\p{Z}\\p{C}]')],
  // XML 1.0 §2.3: what a name starts with, and what it has.
  ['i', matching('[\\p{L}\\p{Nl}_:]')],
  ['c', matching('[\\p{L}\\p{Nl}\\p{Nd}\\p{M}.\\-_:\\u00b7]')],
]);

/** The class of an escape such as `\d`, or of `\D`, all that is not in it. */
export function classOfEscape(name: string): CharacterClass | undefined {
  const found = ESCAPES.get(name);
  if (found) return found;
  const opposite = ESCAPES.get(name.toLowerCase());
  return opposite && { ranges: [], classes: [opposite], isNegated: true };
}

export function isInClass({ ranges, classes, isNegated, except }: CharacterClass, code: number): boolean {
  let isIn = false;
  for (let at = 0; !isIn && at < ranges.length; at++) {
    const range = ranges[at];
    isIn = range !== undefined && code >= range[0] && code <= range[1];
  }
  for (let at = 0; !isIn && at < classes.length; at++) {
    const inner = classes[at];
    if (!inner) continue;
    isIn = 'expression' in inner ? inner.expression.test(String.fromCodePoint(code)) : isInClass(inner, code);
  }
  return isIn !== isNegated && !(except && isInClass(except, code));
}
