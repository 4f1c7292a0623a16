/** The store as the datapath reads it: in a process of its own, read only, following commits by their change records. */

import type { Ipv4Prefix } from '../address.ts';
import type { Binding } from './binding.generated.ts';
import type { Environment } from './environment.ts';
import { openEnvironment, storeError } from './environment.ts';
import { aftrOfTable, gatewayOfTable, isOperational, learnedAftrTable, WHOLE_NUMBER } from './learned/tables.ts';
import { rowCounts, weightOf } from './records.ts';
import type { RowChange } from './request.ts';
import { HistoricChange, inSlices } from './row-changes.ts';
import { openRow } from './rows.ts';
import { Snapshot } from './snapshot.ts';

/** More changed rows are not worth following: all tables are read anew. */
export const FOLLOWED_ROWS = 100_000;

/** What commits changed together. */
export interface ChangesSince {
  readonly treeChanged: boolean;
  /** Table by table in key order; undefined when they are more than FOLLOWED_ROWS. */
  readonly rows: readonly RowChange[] | undefined;
}

/** A row and the table it is of. */
export interface StoredBinding {
  readonly instance: string;
  readonly binding: Binding;
}

const NO_BINDING: Binding = {
  ...{ address: 0, length: 0, gatewayIpv6Address: new Uint8Array(16), aftrIpv6Address: undefined },
  ...{ description: undefined, origin: 'static' },
};

/** What `changes` needs, and half of the code of the store with it: to be loaded before it is asked, when there is time. */
export function loadHistory(): Promise<typeof import('./history.ts')> {
  return import('./history.ts');
}

export class StoreReader {
  readonly #dir: string;
  #environment: Environment;
  #snapshot: Snapshot;
  readonly #room = [new Uint8Array(16), new Uint8Array(16)];

  private constructor(dir: string, environment: Environment) {
    this.#dir = dir;
    this.#environment = environment;
    this.#snapshot = new Snapshot(environment);
  }

  /** @throws Error with code STORE_MISSING while nothing was committed yet, STORE_NEWER, STORE_DAMAGED */
  static open(dir: string): StoreReader {
    const environment = openEnvironment(dir, 'read');
    try {
      const reader = new StoreReader(dir, environment);
      if (reader.#snapshot.head) return reader;
      throw storeError('STORE_MISSING', `the store in ${dir} is still empty: management fills it at its first start`);
    } catch (error) {
      void environment.root.close();
      throw error;
    }
  }

  /** Takes a fresh snapshot and returns its version. */
  renew(): number {
    this.#snapshot.close();
    this.#snapshot = new Snapshot(this.#environment);
    if (this.#snapshot.nextGeneration !== undefined) {
      this.#snapshot.close();
      this.#follow();
      this.#snapshot = new Snapshot(this.#environment);
    }
    return this.#snapshot.head?.version ?? 0;
  }

  /** The store was compacted into another file: what was read stays true, what comes is there. */
  #follow(): void {
    const old = this.#environment;
    this.#environment = openEnvironment(this.#dir, 'read');
    void old.root.close();
  }

  /** RFC 7951 JSON of the running small tree. */
  configuration(): unknown {
    return this.#snapshot.tree('running') ?? {};
  }

  /** The prefixes that gateways serve because they were accepted, by gateway. */
  served(): ReadonlyMap<string, readonly Ipv4Prefix[]> {
    const served = new Map<string, readonly Ipv4Prefix[]>();
    for (const [table, { rows }] of this.#snapshot.head?.tables ?? []) {
      const gateway = gatewayOfTable(table);
      if (gateway !== undefined && rows > 0) served.set(gateway, [...this.#snapshot.bindings(table)]);
    }
    return served;
  }

  /** The AFTR that a gateway learned; undefined for one that learned none. */
  learnedAftr(gateway: string): Uint8Array | undefined {
    const row = this.#snapshot.sealed(learnedAftrTable(gateway), WHOLE_NUMBER);
    return row && openRow(WHOLE_NUMBER, row).gatewayIpv6Address;
  }

  /** Every row of every table. */
  *bindings(): Generator<StoredBinding> {
    for (const instance of this.#snapshot.head?.tables.keys() ?? []) {
      for (const { number, value } of this.#snapshot.passingRows(instance)) {
        yield { instance, binding: openRow(number, value) };
      }
    }
  }

  /** The same for whoever is done with one before he asks for the next, which is written over it: a third quicker. */
  *passingBindings(): Generator<StoredBinding> {
    const row: { instance: string; binding: Binding } = { instance: '', binding: NO_BINDING };
    for (const instance of this.#snapshot.head?.tables.keys() ?? []) {
      row.instance = instance;
      for (const { number, value } of this.#snapshot.passingRows(instance)) {
        row.binding = openRow(number, value, this.#room);
        yield row;
      }
    }
  }

  /** What differs between `version` and the snapshot, read in slices; undefined when `version` is not on record. */
  async changes(version: number): Promise<ChangesSince | undefined> {
    const { History } = await loadHistory();
    const history = new History(this.#snapshot);
    if (version < history.oldest || version > history.newest) return undefined;
    let treeChanged = false;
    let count = 0;
    for (const summary of history.summaries()) {
      if (summary.version <= version) break;
      treeChanged ||= summary.treeChanged;
      count += weightOf(summary);
      // What the tree has is read again for nothing at worst.
      if (count > FOLLOWED_ROWS) return { treeChanged: true, rows: undefined };
    }
    const rows: RowChange[] = [];
    const beneath: RowChange[] = [];
    await inSlices(history.changes(version, history.newest), (row) => {
      rows.push(row);
      const under = this.#beneath(row);
      if (under) beneath.push(under);
    });
    return { treeChanged, rows: beneath.length === 0 ? rows : rows.concat(beneath) };
  }

  /**
   * A static binding under a learned one that goes, as a change to itself: a boot or a backup may have brought it beside the other, and
   * what is forwarded by must not go with that.
   */
  #beneath({ instance, number, sealedAfter }: HistoricChange): RowChange | undefined {
    const aftr = aftrOfTable(instance);
    if (sealedAfter || aftr === undefined || !isOperational(instance)) return undefined;
    const value = this.#snapshot.sealed(aftr, number);
    return value && new HistoricChange(aftr, number, value, value);
  }

  /** Content hash over all tables, hexadecimal. */
  contentHash(): string {
    return this.#snapshot.head?.contentHash ?? '';
  }

  counts(): ReadonlyMap<string, number> {
    return rowCounts(this.#snapshot.head);
  }

  close(): void {
    this.#snapshot.close();
    void this.#environment.root.close();
  }
}
