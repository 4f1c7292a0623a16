/**
 * What is told about junk that the fast path has dropped (fast-path/junk.ts): which gateways violated a binding, and that errors which
 * were due are suppressed. The fast path leaves both in the batch.
 */

import type { Batch } from './batch.ts';
import { REFUSED_COUNT, SUPPRESSED, SUPPRESSED_COUNT, SUPPRESSED_WORDS } from './batch-layout.ts';
import type { FastPath } from './fast-path.ts';
import type { IcmpBudget } from './icmp-budget.ts';
import { ABOUT_TUNNEL, ABOUT_UNBOUND } from './icmp-budget.ts';
import type { RowCounters } from './row-counters.ts';

const SUPPRESSED_WORD = SUPPRESSED >> 2;
const SUPPRESSED_COUNT_WORD = SUPPRESSED_COUNT >> 2;
const REFUSED_COUNT_WORD = REFUSED_COUNT >> 2;

export class JunkNotes {
  readonly #fastPath: FastPath;
  readonly #budget: IcmpBudget;
  readonly #rowCounters: RowCounters | undefined;

  constructor(fastPath: FastPath, budget: IcmpBudget, rowCounters: RowCounters | undefined) {
    this.#fastPath = fastPath;
    this.#budget = budget;
    this.#rowCounters = rowCounters;
  }

  /** Notes violations, before anything else is noted: the last inner source of a gateway is that of its last packet. */
  noteViolations({ entries, nowMs }: Batch): void {
    if (entries[REFUSED_COUNT_WORD] !== 0) this.#fastPath.noteRefused(this.#rowCounters?.tenthsAt(nowMs) ?? 0);
  }

  /** After a batch: what is left to be noted, and the errors. */
  settle(batch: Batch): void {
    this.noteViolations(batch);
    const { entries } = batch;
    const count = entries[SUPPRESSED_COUNT_WORD] ?? 0;
    if (count === 0) return;
    for (let i = 0; i < count; i++) {
      const word = SUPPRESSED_WORD + i * SUPPRESSED_WORDS;
      const kind = entries[word + 1] === 4 ? ABOUT_UNBOUND : ABOUT_TUNNEL;
      this.#budget.addSuppressed(entries[word] ?? 0, kind, entries[word + 2] ?? 0);
    }
    entries[SUPPRESSED_COUNT_WORD] = 0;
  }
}
