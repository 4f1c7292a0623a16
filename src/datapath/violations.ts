/**
 * Which gateway a packet came from that is refused because its inner source is not bound to it. Sources that no binding names are
 * not remembered: who invents addresses takes no memory.
 *
 * In a flood each packet would wait for memory three times, one after the other: for the head of a chain, for the row, and for its
 * counters. Those of a batch are noted together, a step of all at a time: a tenth of what a packet of such a flood costs.
 */

import type { Batch } from './batch.ts';
import { KEYS, REFUSED } from './batch-layout.ts';
import { GatewayIndex } from './gateway-index.ts';
import { OUTER_WORDS, SOURCE_WORD } from './header-words.ts';
import { swapWord } from './memory.ts';
import { RowCounters } from './row-counters.ts';
import type { RowStatisticsMemory } from './row-statistics.ts';

const OUTER_SOURCE_WORD = 2;
const REFUSED_WORD = REFUSED >> 2;
const HASH_WORD = KEYS >> 2;

export class Violations {
  readonly #counters: RowCounters | undefined;
  readonly #gateways: GatewayIndex | undefined;

  /** Of the packets that are noted together, the rows that their searches begin at or have found. */
  readonly #rows: Int32Array;

  /** For batches of up to `capacity` packets. `rows` are those of the table; without memory, nothing is counted. */
  constructor(memory: RowStatisticsMemory | undefined, rows: Int32Array, capacity: number) {
    this.#rows = new Int32Array(capacity);
    if (!memory) return;
    this.#counters = new RowCounters(memory.counters, rows);
    this.#gateways = new GatewayIndex(memory.gateways, rows, memory.seed);
  }

  /** Packet `k`, with its outer header at word `w` and this inner source (unsigned), is refused by the instance. */
  note(batch: Batch, k: number, instance: number, w: number, source: number): void {
    if (!this.#counters?.isCounting(instance)) return;
    const row = this.#gateways?.find(instance, batch.words, w + OUTER_SOURCE_WORD) ?? 0;
    if (row === 0) return;
    batch.violators[k] = row;
    this.#counters.noteRefused(row, source, batch.nowMs);
  }

  /**
   * The same for the `count` packets that the fast path has refused, whose inner header is right behind the outer one; their numbers
   * are in the batch, and with them the hash of the outer source.
   */
  noteAll({ entries, words, at, instances, violators, nowMs }: Batch, count: number): void {
    if (!this.#counters || !this.#gateways) return;
    const rows = this.#rows;
    for (let i = 0; i < count; i++) {
      const k = entries[REFUSED_WORD + i] ?? 0;
      rows[i] = this.#gateways.head(instances[k] ?? 0, entries[HASH_WORD + k] ?? 0);
    }
    for (let i = 0; i < count; i++) {
      const k = entries[REFUSED_WORD + i] ?? 0;
      const outerSource = ((at[k] ?? 0) >> 2) + OUTER_SOURCE_WORD;
      rows[i] = this.#gateways.search(rows[i] ?? 0, instances[k] ?? 0, words, outerSource);
    }
    this.#counters.fetchRefused(rows, count);
    for (let i = 0; i < count; i++) {
      const k = entries[REFUSED_WORD + i] ?? 0;
      const row = rows[i] ?? 0;
      violators[k] = row;
      if (row === 0) continue;
      const innerSource = words[((at[k] ?? 0) >> 2) + OUTER_WORDS + SOURCE_WORD] ?? 0;
      this.#counters.noteRefused(row, swapWord(innerSource) >>> 0, nowMs);
    }
  }
}
