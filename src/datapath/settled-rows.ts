/** Fragments that have waited are counted for their row when they end, as the packet that they are part of. */

import type { Batch } from './batch.ts';
import type { FastPath } from './fast-path.ts';
import { ROW_INSTANCE_MASK, ROW_INSTANCE_SHIFT, ROW_SHIFT, ROW_SOFTWIRE } from './layout.ts';
import type { RowCounters } from './row-counters.ts';
import { DROP_SOURCE_MISMATCH, DROP_UNBOUND_SOURCE, HAIRPINNED } from './verdict.ts';

export class SettledRows {
  readonly #counters: RowCounters;
  readonly #fastPath: FastPath;
  /** Of the table. */
  readonly #rows: Int32Array;

  constructor(counters: RowCounters, fastPath: FastPath, rows: Int32Array) {
    this.#counters = counters;
    this.#fastPath = fastPath;
    this.#rows = rows;
  }

  /** Those that end with a batch, before its settlements are forgotten. */
  count(batch: Batch): void {
    const { owners, packets, octets, count } = batch.settlements;
    for (let i = 0; i < count; i++) {
      const k = owners[i] ?? 0;
      if (k >= 0) this.#count(batch, k, packets[i] ?? 0, octets[i] ?? 0);
    }
  }

  /** So many that end as packet `k`. */
  #count(batch: Batch, k: number, packets: number, octets: number): void {
    const verdict = batch.verdicts[k] ?? 0;
    if (verdict === DROP_SOURCE_MISMATCH || verdict === DROP_UNBOUND_SOURCE) {
      this.#fastPath.addRefused(batch.violators[k] ?? 0, packets, octets);
    }
    if (verdict > HAIRPINNED) return;
    const other = batch.otherRows[k] ?? 0;
    if (verdict === HAIRPINNED && this.#counters.isCounting(this.#instanceOf(other))) {
      this.#fastPath.addTraffic(other, 'to', packets, octets);
    }
    if (!this.#counters.isCounting(batch.instances[k] ?? 0)) return;
    this.#fastPath.addTraffic(batch.rows[k] ?? 0, 'from', packets, octets);
  }

  #instanceOf(row: number): number {
    return ((this.#rows[(row << ROW_SHIFT) + ROW_SOFTWIRE] ?? 0) >>> ROW_INSTANCE_SHIFT) & ROW_INSTANCE_MASK;
  }
}
