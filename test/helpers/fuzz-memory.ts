/** Whether memory stays flat: what is used after a warm-up, against the most that was used in it. */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

const MEBIBYTE = 1_024 * 1_024;

export class FuzzMemory {
  readonly #collect: () => void;
  #warmBytes = 0;
  #growth = Number.NEGATIVE_INFINITY;

  constructor() {
    setFlagsFromString('--expose-gc');
    this.#collect = runInNewContext('gc') as () => void;
  }

  /** Mebibytes in use, of JavaScript and of buffers, when all garbage is collected. */
  take(isWarmUp: boolean): number {
    this.#collect();
    const { heapUsed, external } = process.memoryUsage();
    const bytes = heapUsed + external;
    if (isWarmUp) this.#warmBytes = Math.max(this.#warmBytes, bytes);
    else this.#growth = Math.max(this.#growth, bytes - this.#warmBytes);
    return Math.round(bytes / MEBIBYTE);
  }

  /** Mebibytes more than in the warm-up, at most; undefined when nothing came after it. */
  get growthMebibytes(): number | undefined {
    return Number.isFinite(this.#growth) ? this.#growth / MEBIBYTE : undefined;
  }
}
