/**
 * What changed between two updates and changed back (RFC 8641 §3.3, step 4): an update tells the last change of it too, even where the
 * value is the one that the receiver knows.
 */

import type { PatchEdit } from '../patch.ts';
import { resourcePath } from '../patch.ts';
import { LIMITS } from './limits.ts';

export class Churn {
  /** The last edit of each target, in the order in which they were made. */
  readonly #last = new Map<string, PatchEdit>();
  #isTooMuch = false;

  get isEmpty(): boolean {
    return this.#last.size === 0;
  }

  /** Whether more changed than is remembered. */
  get isTooMuch(): boolean {
    return this.#isTooMuch;
  }

  clear(): void {
    this.#last.clear();
    this.#isTooMuch = false;
  }

  /** From too much on nothing is remembered: an update then tells the difference alone. */
  giveUp(): void {
    this.#last.clear();
    this.#isTooMuch = true;
  }

  /** Notes an edit of a commit. What was done below its target before means nothing any more. */
  note(edit: PatchEdit): void {
    if (this.#isTooMuch) return;
    const path = resourcePath(edit.target);
    for (const known of this.#last.keys()) {
      if (known === path || known.startsWith(`${path}/`)) this.#last.delete(known);
    }
    this.#last.set(path, edit);
    if (this.#last.size > LIMITS.churnEdits) this.giveUp();
  }

  /** The differences, and before them the last edits of what they do not touch. Whoever makes them in order has what is there now. */
  withDifferences(differences: readonly PatchEdit[]): PatchEdit[] {
    const told = new Set(differences.map(({ target }) => resourcePath(target)));
    const others = [...this.#last].filter(([path]) => !isWithin(path, told)).map(([, edit]) => edit);
    return [...others, ...differences];
  }
}

/** Whether a path or one above it is among these. */
function isWithin(path: string, paths: ReadonlySet<string>): boolean {
  for (let end = path.length; end > 0; end = path.lastIndexOf('/', end - 1)) {
    if (paths.has(path.slice(0, end))) return true;
  }
  return false;
}
