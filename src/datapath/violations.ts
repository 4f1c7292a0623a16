/**
 * Which gateway a packet came from that is refused because its inner source is not bound to it. Sources that no binding names are
 * not remembered: who invents addresses takes no memory.
 *
 * In a flood each packet would wait for memory three times, one after the other: for the head of a chain, for the row, and for its
 * counters. Those of a batch are noted together, a step of all at a time: a tenth of what a packet of such a flood costs.
 */

import type { Batch } from './batch.ts';
import { GatewayIndex } from './gateway-index.ts';
import { RowCounters } from './row-counters.ts';
import type { RowStatisticsMemory } from './row-statistics.ts';

const OUTER_SOURCE_WORD = 2;

export class Violations {
  readonly #counters: RowCounters | undefined;
  readonly #gateways: GatewayIndex | undefined;

  /** Packets that are to be noted yet: how many; the number, instance, outer source, inner source and row of each. */
  #pending = 0;
  readonly #places: Int32Array;
  readonly #instances: Int32Array;
  readonly #outerSources: Int32Array;
  readonly #sources: Int32Array;
  readonly #rows: Int32Array;

  /** For batches of up to `capacity` packets. `rows` are those of the table; without memory, nothing is counted. */
  constructor(memory: RowStatisticsMemory | undefined, rows: Int32Array, capacity: number) {
    this.#places = new Int32Array(capacity);
    this.#instances = new Int32Array(capacity);
    this.#outerSources = new Int32Array(capacity << 2);
    this.#sources = new Int32Array(capacity);
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

  /** The same, but done by `settle`. Each packet of a batch once. */
  noteLater(batch: Batch, k: number, instance: number, w: number, source: number): void {
    if (!this.#counters?.isCounting(instance)) return;
    const i = this.#pending++;
    this.#places[i] = k;
    this.#instances[i] = instance;
    // Here the header is in the cache; when all of a batch have been looked at it is not any more.
    const from = w + OUTER_SOURCE_WORD;
    for (let word = 0; word < 4; word++) this.#outerSources[(i << 2) + word] = batch.words[from + word] ?? 0;
    this.#sources[i] = source;
  }

  /** Notes what `noteLater` has put off. */
  settle({ violators, nowMs }: Batch): void {
    const count = this.#pending;
    if (count === 0 || !this.#counters || !this.#gateways) return;
    const rows = this.#rows;
    this.#gateways.findAll(this.#instances, this.#outerSources, count, rows);
    this.#counters.fetchRefused(rows, count);
    for (let i = 0; i < count; i++) {
      const row = rows[i] ?? 0;
      violators[this.#places[i] ?? 0] = row;
      if (row !== 0) this.#counters.noteRefused(row, (this.#sources[i] ?? 0) >>> 0, nowMs);
    }
    this.#pending = 0;
  }
}
