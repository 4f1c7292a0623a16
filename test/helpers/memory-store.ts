/** A store in memory, as the datapath reads it. */

import type { Store } from '../../src/datapath/follower.ts';
import { addHash, hashText, rowHash } from '../../src/state/content-hash.ts';
import type { Binding } from '../../src/state/model.generated.ts';
import type { ChangeRecord } from '../../src/state/records.ts';
import type { RowChange } from '../../src/state/request.ts';

interface Row {
  readonly instance: string;
  readonly binding: Binding;
}

export class MemoryStore implements Store {
  #version = 0;
  #configuration: unknown = {};
  readonly #rows = new Map<string, Row>();
  readonly #records: ChangeRecord[] = [];
  /** Records up to this version are gone. */
  forgotten = 0;

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
    const bulk = change.bulk ?? false;
    this.#records.push({
      version: this.#version,
      time: '2026-01-01T00:00:00Z',
      caller: { user: 'test', session: 0, face: 'system' },
      treeChanged: change.softwire !== undefined,
      tally: { added: change.put?.length ?? 0, changed: 0, removed: change.gone?.length ?? 0 },
      bulk,
      rows: bulk ? [] : rows,
    });
  }

  renew(): number {
    return this.#version;
  }

  configuration(): unknown {
    return this.#configuration;
  }

  *bindings(): Generator<Row> {
    yield* this.#rows.values();
  }

  changes(after: number): readonly ChangeRecord[] | undefined {
    return after < this.forgotten ? undefined : this.#records.filter(({ version }) => version > after);
  }

  contentHash(): string {
    let sum = 0n;
    for (const { instance, binding } of this.#rows.values()) sum = addHash(sum, rowHash(instance, binding));
    return hashText(sum);
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
