/** The candidate: running with changes of its own on top, or running itself. */

import type { Draft } from './draft.ts';
import { ManagementError } from './errors.ts';

export class Candidate {
  #draft: Draft | undefined;
  /** How often the changes were dropped; an edit under way when that happens goes with them. */
  #drops = 0;

  /** Its changes; undefined while it is running itself. Work on them needs a copy. */
  get draft(): Draft | undefined {
    return this.#draft;
  }

  drop(): void {
    this.#draft = undefined;
    this.#drops++;
  }

  /** What its changes are now has become running. */
  settle(): void {
    this.#draft = undefined;
  }

  /**
   * To be called when an edit of it begins; what it returns takes the result, undefined for running itself.
   * @throws (what it returns) ManagementError operation-failed when the changes were dropped meanwhile
   */
  begin(): (draft: Draft | undefined) => void {
    const drops = this.#drops;
    return (draft) => {
      if (drops !== this.#drops) {
        const message = 'the changes of the candidate were dropped while this edit was under way, and it with them';
        throw new ManagementError('operation-failed', { message });
      }
      this.#draft = draft;
    };
  }
}
