/** Random edits of several sessions for the model of crash-model.ts, all of them valid where they are sent. */

import type { Changes, Edit, State } from './crash-model.ts';
import { changed, LEAST_LIMIT, LIMITS } from './crash-model.ts';

const SESSIONS = 4;
const FIRST_MTU = 1_280;
const MTUS = 200;
const ROWS_OF_B = 40;

/** The first edit of each life: an AFTR is there for the rows. */
export function firstEdit(count: number): Edit {
  return { kind: 'edit', session: 1, target: 'running', changes: [['a mtu', `${FIRST_MTU + (count % MTUS)}`]] };
}

/** Makes edits; no two of them set the same value, so that which of them were done is seen. */
export class Edits {
  readonly #next: () => number;
  readonly #options: { readonly startup: boolean; readonly bulk: boolean };
  #count = 0;

  constructor(next: () => number, options: { readonly startup: boolean; readonly bulk: boolean }) {
    this.#next = next;
    this.#options = options;
  }

  first(): Edit {
    return firstEdit(this.#count++);
  }

  /** An edit that is valid when everything that leads to `state` is done. */
  next(state: State): Edit {
    const session = 1 + (this.#next() % SESSIONS);
    const choice = this.#next() % 20;
    if (choice < 3) return { kind: 'commit', session };
    if (choice === 3) return { kind: 'discard', session };
    if (choice === 4 && this.#options.startup) return { kind: 'save', session };
    if (choice === 5) return { kind: 'edit', session, target: 'running', changes: this.#aftrB(state) };
    if (choice === 6 && this.#options.bulk)
      return { kind: 'edit', session, target: 'running', changes: this.#bulk(state) };
    if (choice === 7) return { kind: 'compact', session };
    if (choice === 8) return { kind: 'edit', session, target: 'running', changes: this.#limit() };
    const target = choice < 13 ? 'candidate' : 'running';
    return { kind: 'edit', session, target, changes: this.#rows(state, target) };
  }

  #gateway(): string {
    return `2001:db8:a::${(++this.#count).toString(16)}`;
  }

  /** Up to nine rows, one of them new for certain, and sometimes a leaf. */
  #rows(state: State, target: 'running' | 'candidate'): Changes {
    const there = target === 'running' ? state.running : changed(state.running, state.candidate ?? []);
    const changes = new Map<string, string | null>();
    for (let left = this.#next() % 9; left > 0; left--) {
      const key = this.#row();
      changes.set(key, there.has(key) && this.#next() % 3 === 0 ? null : this.#gateway());
    }
    changes.set(this.#row(), this.#gateway());
    if (this.#next() % 4 === 0) changes.set('a mtu', `${FIRST_MTU + (this.#count++ % MTUS)}`);
    return [...changes];
  }

  #limit(): Changes {
    return [
      ['limit', `${LEAST_LIMIT + (this.#count++ % LIMITS)}`],
      [this.#row(), this.#gateway()],
    ];
  }

  #row(): string {
    return `a 192.0.2.${this.#next() % 64}/32`;
  }

  /** An AFTR comes with all its rows, or goes with them. */
  #aftrB({ running }: State): Changes {
    if (running.has('b')) return [...running.keys()].filter((key) => /^b( |$)/.test(key)).map((key) => [key, null]);
    const gateway = this.#gateway();
    const rows = Array.from({ length: ROWS_OF_B }, (_, index) => [`b 203.0.113.${index}/32`, gateway] as const);
    return [['b', 'there'], ...rows];
  }

  #bulk({ running }: State): Changes {
    return [['bulk', running.has('bulk') && this.#next() % 2 === 0 ? null : this.#gateway()]];
  }
}
