/** What an image has of a role's table (table-image.ts): its memory, the numbers beside it, and what names these. */

import type { RowStatistics } from './row-statistics.ts';
import type { SharedAddresses } from './shared-addresses.ts';
import type { Table } from './table.ts';
import type { TableParts } from './table-image.ts';

export class KeptParts {
  /** Prefixes that the table can take. */
  readonly capacity: number;
  readonly #table: Table;
  readonly #shared: SharedAddresses;
  readonly #statistics: RowStatistics | undefined;
  readonly #numbering: () => unknown;

  /** `numbering`: which numbers rows have for the configured instances and the tunnel addresses in use. */
  constructor(table: Table, shared: SharedAddresses, statistics: RowStatistics | undefined, numbering: () => unknown) {
    this.capacity = table.capacity;
    this.#table = table;
    this.#shared = shared;
    this.#statistics = statistics;
    this.#numbering = numbering;
  }

  /** All memory of the table. */
  get areas(): Uint8Array[] {
    return [...this.#table.areas, ...(this.#statistics?.areas ?? [])];
  }

  /** What an image has: the same areas, as far as they may not be zero, looked for in steps, and what is to be known beside. */
  *parts(): Generator<void, TableParts> {
    const areas = [...(yield* this.#table.usedAreas()), ...(this.#statistics?.areas ?? [])];
    return { areas, numbers: [this.#statistics?.kept() ?? [], ...this.#table.kept()] };
  }

  /** Goes on where the numbers were, in a table that had no rows; its memory is as it was then. */
  resume([statistics = [], ...table]: readonly (readonly number[])[]): void {
    this.#table.resume(table);
    this.#statistics?.resume(statistics);
  }

  /** With the same of it, rows name the same instances and tunnel addresses. */
  numbering(): unknown {
    return this.#numbering();
  }

  get hasSharedAddresses(): boolean {
    return this.#shared.size > 0;
  }

  /** Shared addresses are written anew at every start. */
  removeSharedAddresses(): void {
    for (const address of [...this.#shared.addresses()]) this.#shared.remove(address);
  }
}
