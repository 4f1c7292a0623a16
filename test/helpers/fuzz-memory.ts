/** Whether memory stays flat: the most that is used after a warm-up, against the most that was used in it. */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

const MEBIBYTE = 1_024 * 1_024;
/**
 * What collecting garbage leaves to chance; and pages of memory of fixed size that are touched later, or that an engine which
 * was replaced has not given back yet: over 27 million packets and six engines resident memory went up and down by 100 MiB.
 */
const MOST_GROWTH = { used: 32, resident: 128 };

interface Mebibytes {
  readonly used: number;
  readonly resident: number;
}

export class FuzzMemory {
  readonly #collect: () => void;
  readonly #mostGrowth: Mebibytes;
  #warm: Mebibytes = { used: 0, resident: 0 };
  #most: Mebibytes | undefined;

  /** A short run judges no resident memory: most of what it touches is touched for the first time. */
  constructor(isShort = false) {
    this.#mostGrowth = isShort ? { ...MOST_GROWTH, resident: Number.POSITIVE_INFINITY } : MOST_GROWTH;
    setFlagsFromString('--expose-gc');
    this.#collect = runInNewContext('gc') as () => void;
  }

  /** What is in use, by JavaScript and buffers, and by the process, when all garbage is collected. */
  take(isWarmUp: boolean): Mebibytes {
    // What the first one frees outside of the heap is gone after the second.
    this.#collect();
    this.#collect();
    const { heapUsed, external, rss } = process.memoryUsage();
    const now = { used: Math.round((heapUsed + external) / MEBIBYTE), resident: Math.round(rss / MEBIBYTE) };
    if (isWarmUp) this.#warm = larger(this.#warm, now);
    else this.#most = larger(this.#most ?? now, now);
    return now;
  }

  /** A sentence about it, and whether it is flat; undefined when nothing came after the warm-up. */
  judge(): { readonly isFlat: boolean; readonly text: string } | undefined {
    if (!this.#most) return undefined;
    const used = this.#most.used - this.#warm.used;
    const resident = this.#most.resident - this.#warm.resident;
    const isFlat = used <= this.#mostGrowth.used && resident <= this.#mostGrowth.resident;
    return { isFlat, text: `${used} MiB more used and ${resident} MiB more resident than in the warm-up at most` };
  }
}

function larger(a: Mebibytes, b: Mebibytes): Mebibytes {
  return { used: Math.max(a.used, b.used), resident: Math.max(a.resident, b.resident) };
}
