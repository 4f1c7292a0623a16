/**
 * Which gateway a packet came from that is refused because its inner source is not bound to it. Sources that no binding names are
 * not remembered: who invents addresses takes no memory.
 */

import type { Batch } from './batch.ts';
import { HAS_VIOLATORS } from './batch-layout.ts';
import { GatewayIndex } from './gateway-index.ts';
import { RowCounters } from './row-counters.ts';
import type { RowStatisticsMemory } from './row-statistics.ts';

const OUTER_SOURCE_WORD = 2;
const HAS_VIOLATORS_WORD = HAS_VIOLATORS >> 2;

export class Violations {
  readonly #counters: RowCounters | undefined;
  readonly #gateways: GatewayIndex | undefined;

  /** `rows` are those of the table; without memory, nothing is counted. */
  constructor(memory: RowStatisticsMemory | undefined, rows: Int32Array) {
    if (!memory) return;
    this.#counters = new RowCounters(memory.counters);
    this.#gateways = new GatewayIndex(memory.gateways, rows, memory.seed);
  }

  /** Packet `k`, with its outer header at word `w` and this inner source (unsigned), is refused by the instance. */
  note(batch: Batch, k: number, instance: number, w: number, source: number): void {
    if (!this.#counters?.isCounting(instance)) return;
    const row = this.#gateways?.find(instance, batch.words, w + OUTER_SOURCE_WORD) ?? 0;
    if (row === 0) return;
    batch.violators[k] = row;
    batch.entries[HAS_VIOLATORS_WORD] = 1;
    this.#counters.noteRefused(row, source, batch.nowMs);
  }
}
