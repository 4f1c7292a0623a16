/** A store in memory, as the datapath reads it. */

import type { Store } from '../../src/datapath/follower.ts';
import type { Binding } from '../../src/state/binding.generated.ts';
import { ContentHash } from '../../src/state/content-hash.ts';
import { gatewayOfTable, learnedAftrTable } from '../../src/state/learned/tables.ts';
import { DamageError } from '../../src/state/model-values.ts';
import type { ChangesSince } from '../../src/state/reader.ts';
import type { RowChange } from '../../src/state/request.ts';

interface CommitRecord {
  readonly version: number;
  readonly treeChanged: boolean;
  readonly bulk: boolean;
  readonly rows: readonly RowChange[];
}

interface Row {
  readonly instance: string;
  readonly binding: Binding;
}

export class MemoryStore implements Store {
  #version = 0;
  #configuration: unknown = {};
  readonly #rows = new Map<string, Row>();
  readonly #records: CommitRecord[] = [];
  /** Records up to this version are gone. */
  forgotten = 0;
  /** What in it is damaged: whoever reads it gets a DamageError. */
  damaged: 'nothing' | 'records' | 'rows' = 'nothing';
  /** Rows are damaged from this reading of them on. */
  damagedReading = Number.POSITIVE_INFINITY;
  #readings = 0;

  /** Commits a small tree (what stands below softwire) and rows: each binding is put, or removed with `gone`. */
  commit(change: {
    softwire?: unknown;
    instance?: string;
    put?: readonly Binding[];
    gone?: readonly Binding[];
    bulk?: boolean;
  }): void {
    this.#version++;
    if (change.softwire !== undefined) this.#configuration = { 'gi-4over6:softwire': change.softwire };
    const instance = change.instance ?? 'br';
    const rows: RowChange[] = [];
    for (const binding of change.gone ?? []) rows.push(this.#change(instance, binding, undefined));
    for (const binding of change.put ?? []) rows.push(this.#change(instance, binding, binding));
    const { bulk = false, softwire } = change;
    this.#records.push({ version: this.#version, treeChanged: softwire !== undefined, bulk, rows });
  }

  /** How often all rows were read. */
  get readings(): number {
    return this.#readings;
  }

  renew(): number {
    return this.#version;
  }

  configuration(): unknown {
    return this.#configuration;
  }

  served(): ReadonlyMap<string, readonly Binding[]> {
    const served = new Map<string, readonly Binding[]>();
    for (const { instance, binding } of this.#rows.values()) {
      const gateway = gatewayOfTable(instance);
      if (gateway !== undefined) served.set(gateway, [...(served.get(gateway) ?? []), binding]);
    }
    return served;
  }

  learnedAftr(gateway: string): Uint8Array | undefined {
    const whole = { address: 0, length: 0 } as Binding;
    return this.#rows.get(key(learnedAftrTable(gateway), whole))?.binding.gatewayIpv6Address;
  }

  *passingBindings(): Generator<Row> {
    yield* this.#rows.values();
    // The last one cannot be read.
    this.#readings++;
    if (this.damaged === 'rows' || this.#readings >= this.damagedReading) throw new DamageError('a row');
  }

  async changes(after: number): Promise<ChangesSince | undefined> {
    if (after < this.forgotten) return undefined;
    if (this.damaged === 'records') throw new DamageError('a record');
    const records = this.#records.filter(({ version }) => version > after);
    const treeChanged = records.some((record) => record.treeChanged);
    if (records.some(({ bulk }) => bulk)) return { treeChanged, rows: undefined };
    const net = new Map<string, RowChange>();
    for (const { instance, before, after } of records.flatMap(({ rows }) => rows)) {
      const row = after ?? before;
      if (!row) continue;
      const name = key(instance, row);
      const first = net.get(name);
      net.set(name, { instance, before: first ? first.before : before, after });
    }
    return { treeChanged, rows: [...net.values()] };
  }

  contentHash(): string {
    const sum = new ContentHash();
    for (const { instance, binding } of this.#rows.values()) sum.addBinding(instance, binding);
    return sum.text;
  }

  #change(instance: string, row: Binding, after: Binding | undefined): RowChange {
    const name = key(instance, row);
    const before = this.#rows.get(name)?.binding;
    if (after) this.#rows.set(name, { instance, binding: after });
    else this.#rows.delete(name);
    return { instance, before, after };
  }
}

function key(instance: string, { address, length }: Binding): string {
  return `${instance} ${address}/${length}`;
}
