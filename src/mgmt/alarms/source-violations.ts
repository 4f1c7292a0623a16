/**
 * Which violations become a notification: one a minute for each outer source, and not more than a few for all sources
 * together, or forged ones would push everything else out of the event log. What is held back is in `suppressed` of the
 * next notification about that source, which comes when its minute is over. The memory is bounded: beyond, the source that
 * was quiet for the longest is forgotten.
 */

import type { ObservedViolation } from '../../control.ts';

const SOURCES = 1_024;
const SOURCE_MS = 60_000;
/** For all sources: so many at once, and one more each time this passes. */
const BURST = 10;
const EACH_MS = 2_000;

export interface ViolationNotice {
  readonly aftr: string;
  readonly outerSource: string;
  readonly innerSource: string;
  /** Packets beside the one that is told of. */
  readonly suppressed: number;
}

interface Source {
  readonly aftr: string;
  readonly outerSource: string;
  innerSource: string;
  /** Not told of yet. */
  packets: number;
  toldMs: number | undefined;
}

export class SourceViolations {
  readonly #sources = new Map<string, Source>();
  #budget = BURST;
  #budgetMs = 0;

  /** How many sources are remembered. */
  get size(): number {
    return this.#sources.size;
  }

  /** Takes what came since the last call; the notifications that are due. */
  take(violations: readonly ObservedViolation[], nowMs: number): ViolationNotice[] {
    for (const violation of violations) this.#add(violation);
    this.#budget = Math.min(BURST, this.#budget + Math.max(0, nowMs - this.#budgetMs) / EACH_MS);
    this.#budgetMs = nowMs;
    const notices: ViolationNotice[] = [];
    // Who sends most comes first: forged sources come once each.
    for (const source of [...this.#sources.values()].sort((a, b) => b.packets - a.packets)) {
      if (this.#budget < 1) break;
      const isDue = source.toldMs === undefined || nowMs - source.toldMs >= SOURCE_MS;
      if (source.packets === 0 || !isDue) continue;
      const { aftr, outerSource, innerSource, packets } = source;
      notices.push({ aftr, outerSource, innerSource, suppressed: packets - 1 });
      source.packets = 0;
      source.toldMs = nowMs;
      this.#budget--;
    }
    return notices;
  }

  /** The source goes to the end: the first is the one that was quiet for the longest. */
  #add({ aftr, outerSource, innerSource, packets }: ObservedViolation): void {
    const key = `${aftr} ${outerSource}`;
    const source = this.#sources.get(key) ?? { aftr, outerSource, innerSource, packets: 0, toldMs: undefined };
    source.innerSource = innerSource;
    source.packets += packets;
    this.#sources.delete(key);
    this.#sources.set(key, source);
    if (this.#sources.size <= SOURCES) return;
    for (const oldest of this.#sources.keys()) {
      this.#sources.delete(oldest);
      return;
    }
  }
}
