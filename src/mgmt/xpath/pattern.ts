/**
 * Whether a text matches a pattern (RFC 7950 §10.2.1). All ways through the pattern are followed at once, a set of states per character:
 * time grows with characters times states, whatever the pattern, which one that backtracks would not keep to.
 */

import type { CharacterClass } from './pattern-class.ts';
import { isInClass } from './pattern-class.ts';
import type { Pattern } from './pattern-parser.ts';
import { PatternFault, parsePattern } from './pattern-parser.ts';

/** States of a pattern: those of what is repeated a number of times stand so often. */
export const MAX_STATES = 2_000;

interface State {
  /** The character it takes; undefined goes on without one. */
  takes: CharacterClass | undefined;
  next: number[];
}

export class Matcher {
  readonly #states: readonly State[];
  readonly #start: number;

  /** @throws PatternFault */
  constructor(text: string) {
    const pattern = parsePattern(text);
    if (statesOf(pattern) > MAX_STATES) throw new PatternFault(`pattern: more than ${MAX_STATES} states`);
    const builder = new Builder();
    this.#start = builder.add(pattern, END);
    this.#states = builder.states;
  }

  /** Whether the whole text matches. `spend` is told how many states were looked at, and may throw. */
  matches(text: string, spend: (states: number) => void): boolean {
    let now = new StateSet(this.#states);
    let after = new StateSet(this.#states);
    now.add(this.#start);
    for (const character of text) {
      const code = character.codePointAt(0) ?? 0;
      spend(now.visited);
      after.clear();
      for (const at of now.taking) {
        const state = this.#states[at];
        if (state?.takes && isInClass(state.takes, code)) for (const next of state.next) after.add(next);
      }
      if (after.visited === 0) return false;
      [now, after] = [after, now];
    }
    return now.has(END);
  }
}

/** The state at which all is matched. */
const END = 0;

/** States that are reached, with all that need no character to be reached from them. */
class StateSet {
  readonly #states: readonly State[];
  readonly #isIn: Uint8Array;
  #reached: number[] = [];
  /** Those that take a character. */
  taking: number[] = [];

  constructor(states: readonly State[]) {
    this.#states = states;
    this.#isIn = new Uint8Array(states.length);
  }

  get visited(): number {
    return this.#reached.length;
  }

  has(at: number): boolean {
    return this.#isIn[at] === 1;
  }

  clear(): void {
    for (const at of this.#reached) this.#isIn[at] = 0;
    this.#reached = [];
    this.taking = [];
  }

  add(first: number): void {
    const waiting = [first];
    for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
      if (this.#isIn[at] === 1) continue;
      this.#isIn[at] = 1;
      this.#reached.push(at);
      const state = this.#states[at];
      if (state?.takes) this.taking.push(at);
      else if (state) waiting.push(...state.next);
    }
  }
}

class Builder {
  readonly states: State[] = [{ takes: undefined, next: [] }];

  /** The first state of a pattern behind which `after` comes. */
  add(pattern: Pattern, after: number): number {
    switch (pattern.kind) {
      case 'class':
        return this.#state(pattern.of, [after]);
      case 'sequence':
        return pattern.parts.reduceRight((next, part) => this.add(part, next), after);
      case 'choice':
        return this.#state(
          undefined,
          pattern.branches.map((branch) => this.add(branch, after)),
        );
      case 'repeat':
        return this.#repeat(pattern, after);
    }
  }

  #repeat({ part, fewest, most }: Extract<Pattern, { kind: 'repeat' }>, after: number): number {
    let first = after;
    if (most === Number.POSITIVE_INFINITY) {
      first = this.#state(undefined, [after]);
      this.states[first]?.next.push(this.add(part, first));
    } else {
      for (let left = most - fewest; left > 0; left--) first = this.#state(undefined, [after, this.add(part, first)]);
    }
    for (let left = fewest; left > 0; left--) first = this.add(part, first);
    return first;
  }

  #state(takes: CharacterClass | undefined, next: number[]): number {
    return this.states.push({ takes, next }) - 1;
  }
}

/** How many states a pattern has, before any is made. */
function statesOf(pattern: Pattern): number {
  switch (pattern.kind) {
    case 'class':
      return 1;
    case 'sequence':
      return pattern.parts.reduce((sum, part) => sum + statesOf(part), 1);
    case 'choice':
      return pattern.branches.reduce((sum, branch) => sum + statesOf(branch), 1);
    case 'repeat': {
      const { part, fewest, most } = pattern;
      return (statesOf(part) + 1) * (most === Number.POSITIVE_INFINITY ? fewest + 1 : Math.max(most, 1));
    }
  }
}

/** Matchers that are kept: of an expression the pattern is the same for each node. */
const MAX_KEPT = 32;
const kept = new Map<string, Matcher>();

/** The matcher of a pattern. @throws PatternFault */
export function matcherOf(text: string): Matcher {
  let found = kept.get(text);
  if (!found) {
    found = new Matcher(text);
    if (kept.size >= MAX_KEPT) kept.clear();
    kept.set(text, found);
  }
  return found;
}
