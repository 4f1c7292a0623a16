/**
 * A snapshot of running for reads of single rows that come one after the other: opened by the first, held for a moment, and given up as
 * soon as running is newer. What opening costs is most of what such a read costs.
 */

import type { Snapshot } from './snapshot.ts';

/** Short beside the time that pages must wait to be used again because of it. */
const HOLD_MS = 20;

export class Glance {
  readonly #open: () => Snapshot;
  #snapshot: Snapshot | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(open: () => Snapshot) {
    this.#open = open;
  }

  /** The snapshot of a version, not to be closed nor kept; undefined when the store is at another. */
  at(version: number): Snapshot | undefined {
    if (this.#snapshot?.head?.version === version) return this.#snapshot;
    this.close();
    const snapshot = this.#open();
    if (snapshot.head?.version !== version) {
      snapshot.close();
      return undefined;
    }
    this.#snapshot = snapshot;
    this.#timer = setTimeout(() => this.close(), HOLD_MS);
    this.#timer.unref();
    return snapshot;
  }

  /** Holds nothing any more, until it is asked again. */
  close(): void {
    clearTimeout(this.#timer);
    this.#snapshot?.close();
    this.#snapshot = undefined;
  }
}
