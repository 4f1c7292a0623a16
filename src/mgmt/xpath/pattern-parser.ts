/**
 * A pattern of YANG (RFC 7950 §9.4.5), a regular expression of XML Schema (XSD 1.0 part 2, appendix F), from text to its tree. It has
 * neither anchors nor groups that are remembered, and `^` and `$` are characters.
 */

import type { CharacterClass } from './pattern-class.ts';
import { ANY_BUT_END_OF_LINE, classOfEscape, propertyClass, SINGLE_ESCAPES } from './pattern-class.ts';

export type Pattern =
  | { readonly kind: 'class'; readonly of: CharacterClass }
  | { readonly kind: 'sequence'; readonly parts: readonly Pattern[] }
  | { readonly kind: 'choice'; readonly branches: readonly Pattern[] }
  /** `most` is Infinity where there is no end. */
  | { readonly kind: 'repeat'; readonly part: Pattern; readonly fewest: number; readonly most: number };

/** What is wrong with a pattern, for who wrote it. */
export class PatternFault extends Error {}

/** How deep parentheses and classes in classes may stand in each other. */
const MAX_DEPTH = 50;
const META = new Set('.\\?*+{}()|[]');

/** @throws PatternFault */
export function parsePattern(text: string): Pattern {
  return new PatternParser(text).whole();
}

class PatternParser {
  readonly #characters: readonly string[];
  #next = 0;
  #depth = 0;

  constructor(text: string) {
    this.#characters = [...text];
  }

  whole(): Pattern {
    const found = this.#choice();
    if (this.#next < this.#characters.length) throw this.#expected('an atom or the end');
    return found;
  }

  get #here(): string | undefined {
    return this.#characters[this.#next];
  }

  #takes(character: string): boolean {
    if (this.#here !== character) return false;
    this.#next++;
    return true;
  }

  #take(character: string): void {
    if (!this.#takes(character)) throw this.#expected(`'${character}'`);
  }

  #expected(what: string): PatternFault {
    const found = this.#here === undefined ? 'the end' : `'${this.#here}'`;
    return new PatternFault(`pattern: expected ${what}, found ${found} at its character ${this.#next + 1}`);
  }

  #nested<Found>(parse: () => Found): Found {
    if (++this.#depth > MAX_DEPTH) throw new PatternFault(`pattern: nested more than ${MAX_DEPTH} deep`);
    const found = parse();
    this.#depth--;
    return found;
  }

  #choice(): Pattern {
    const branches = [this.#branch()];
    while (this.#takes('|')) branches.push(this.#branch());
    const [only] = branches;
    return branches.length === 1 && only ? only : { kind: 'choice', branches };
  }

  #branch(): Pattern {
    const parts: Pattern[] = [];
    while (this.#here !== undefined && this.#here !== '|' && this.#here !== ')') parts.push(this.#piece());
    return { kind: 'sequence', parts };
  }

  #piece(): Pattern {
    const part = this.#atom();
    if (this.#takes('?')) return { kind: 'repeat', part, fewest: 0, most: 1 };
    if (this.#takes('*')) return { kind: 'repeat', part, fewest: 0, most: Number.POSITIVE_INFINITY };
    if (this.#takes('+')) return { kind: 'repeat', part, fewest: 1, most: Number.POSITIVE_INFINITY };
    return this.#takes('{') ? this.#counted(part) : part;
  }

  /** `n}`, `n,}` or `n,m}`. */
  #counted(part: Pattern): Pattern {
    const fewest = this.#count();
    let most = fewest;
    if (this.#takes(',')) most = this.#here === '}' ? Number.POSITIVE_INFINITY : this.#count();
    if (most < fewest) throw this.#expected(`at least ${fewest} as the most`);
    this.#take('}');
    return { kind: 'repeat', part, fewest, most };
  }

  #count(): number {
    let digits = '';
    for (let here = this.#here; here !== undefined && here >= '0' && here <= '9'; here = this.#here) {
      digits += here;
      this.#next++;
    }
    if (digits === '') throw this.#expected('a number');
    return Number(digits);
  }

  #atom(): Pattern {
    if (this.#takes('(')) {
      const inner = this.#nested(() => this.#choice());
      this.#take(')');
      return inner;
    }
    if (this.#takes('[')) return { kind: 'class', of: this.#nested(() => this.#class()) };
    if (this.#takes('.')) return { kind: 'class', of: ANY_BUT_END_OF_LINE };
    if (this.#takes('\\')) {
      const escaped = this.#escape();
      return { kind: 'class', of: typeof escaped === 'number' ? oneOf(escaped) : escaped };
    }
    const here = this.#here;
    if (here === undefined || META.has(here)) throw this.#expected('an atom');
    this.#next++;
    return { kind: 'class', of: oneOf(codeOf(here)) };
  }

  /** What stands behind a backslash: the character or the class. */
  #escape(): number | CharacterClass {
    const name = this.#here ?? '';
    const single = SINGLE_ESCAPES.get(name);
    const several = classOfEscape(name);
    if (single === undefined && !several && name !== 'p' && name !== 'P') throw this.#expected('an escape');
    this.#next++;
    if (single !== undefined) return single;
    if (several) return several;
    this.#take('{');
    let category = '';
    while (this.#here !== undefined && this.#here !== '}') category += this.#characters[this.#next++];
    const found = propertyClass(category);
    if (!found) throw new PatternFault(`pattern: \\${name}{${category}}: there is no such category or block`);
    this.#take('}');
    return name === 'P' ? { ranges: [], classes: [found], isNegated: true } : found;
  }

  /** A class behind its `[`. */
  #class(): CharacterClass {
    const isNegated = this.#takes('^');
    const ranges: (readonly [number, number])[] = [];
    const classes: CharacterClass[] = [];
    for (let isFirst = true; isFirst || this.#here !== ']'; isFirst = false) {
      if (!isFirst && this.#takesSubtraction()) {
        const except = this.#nested(() => this.#class());
        this.#take(']');
        return { ranges, classes, isNegated, except };
      }
      this.#member(ranges, classes);
    }
    this.#next++;
    return { ranges, classes, isNegated };
  }

  #takesSubtraction(): boolean {
    const isOne = this.#here === '-' && this.#characters[this.#next + 1] === '[';
    if (isOne) this.#next += 2;
    return isOne;
  }

  #member(ranges: (readonly [number, number])[], classes: CharacterClass[]): void {
    const from = this.#classCharacter();
    if (typeof from !== 'number') {
      classes.push(from);
      return;
    }
    const after = this.#characters[this.#next + 1];
    if (this.#here !== '-' || after === ']' || after === '[') {
      ranges.push([from, from]);
      return;
    }
    this.#next++;
    const to = this.#classCharacter();
    if (typeof to !== 'number' || to < from) throw this.#expected('the end of a range before');
    ranges.push([from, to]);
  }

  #classCharacter(): number | CharacterClass {
    if (this.#takes('\\')) return this.#escape();
    const here = this.#here;
    if (here === undefined || here === '[' || here === ']') throw this.#expected('a character of the class');
    this.#next++;
    return codeOf(here);
  }
}

function codeOf(character: string): number {
  return character.codePointAt(0) ?? 0;
}

function oneOf(code: number): CharacterClass {
  return { ranges: [[code, code]], classes: [], isNegated: false };
}
