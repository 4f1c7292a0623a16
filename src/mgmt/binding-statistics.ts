/**
 * The statistics of bindings, which the datapath has: what one reading knows of them, and how they are asked for, always many at a
 * time. A datapath that does not answer once is not asked again for the same reading; then there are none.
 */

import { BINDING_COUNTERS } from '../control.ts';
import type { Binding } from '../state/binding.generated.ts';
import { DataNode } from '../state/data.ts';
import { bindingToNode, prefixNumber } from '../state/rows.ts';
import type { SchemaNode } from '../state/schema.ts';
import type { DatapathClient } from './datapath-client.ts';

/** BINDING_COUNTERS numbers for each key, or NaN. */
export type Ask = (keys: readonly number[]) => Promise<Float64Array | undefined>;

/** Bindings asked for at a time. */
export const ASKED_AT_ONCE = 2_048;

const LEAVES = ['encapsulated-packets', 'encapsulated-octets', 'decapsulated-packets', 'decapsulated-octets'] as const;

interface Known {
  /** In order. */
  readonly keys: Float64Array;
  readonly values: Float64Array;
}

export class BindingStatistics {
  readonly #datapath: Pick<DatapathClient, 'bindingCounters'>;
  readonly #isCounted: (aftr: string) => boolean;
  readonly #known = new Map<string, Known[]>();
  readonly #missing = new Map<string, Set<number>>();
  readonly #missingTables = new Set<string>();
  readonly #wholeTables = new Set<string>();
  #isSilent = false;

  /** For one reading, of AFTRs that count (by name). */
  constructor(datapath: Pick<DatapathClient, 'bindingCounters'>, isCounted: (aftr: string) => boolean) {
    this.#datapath = datapath;
    this.#isCounted = isCounted;
  }

  isCounted(aftr: string): boolean {
    return !this.#isSilent && this.#isCounted(aftr);
  }

  /** How bindings of an AFTR are asked for. */
  asker(aftr: string): Ask {
    return async (keys) => {
      if (this.#isSilent || keys.length === 0) return undefined;
      const found = await this.#datapath.bindingCounters(aftr, keys);
      this.#isSilent ||= found === undefined;
      return found;
    };
  }

  /** A binding as an entry, with what is known of its statistics; what is not known yet is remembered as missing. */
  entry(schema: SchemaNode, aftr: string, binding: Binding): DataNode {
    const entry = bindingToNode(schema, binding);
    if (!this.isCounted(aftr)) return entry;
    const key = prefixNumber(binding.address, binding.length);
    const known = this.#find(aftr, key);
    if (known) addStatistics(entry, known.values, known.at);
    else if (!this.#wholeTables.has(aftr)) this.#missingOf(aftr).add(key);
    return entry;
  }

  /** Whether all statistics of a table are known; if not, they are missing from now on. */
  knowsTable(aftr: string): boolean {
    if (!this.isCounted(aftr) || this.#wholeTables.has(aftr)) return true;
    this.#missingTables.add(aftr);
    return false;
  }

  get isComplete(): boolean {
    return this.#missing.size === 0 && this.#missingTables.size === 0;
  }

  /** Asks for all that is missing; `keysOf` gives the keys of a table in order. */
  async fetch(keysOf: (aftr: string) => Iterable<number>): Promise<void> {
    for (const [aftr, keys] of this.#missing)
      await this.#fetchKeys(
        aftr,
        [...keys].sort((a, b) => a - b),
      );
    this.#missing.clear();
    for (const aftr of this.#missingTables) {
      this.#known.delete(aftr);
      await this.#fetchKeys(aftr, keysOf(aftr));
      this.#wholeTables.add(aftr);
    }
    this.#missingTables.clear();
  }

  async #fetchKeys(aftr: string, keys: Iterable<number>): Promise<void> {
    const known = this.#known.get(aftr) ?? [];
    this.#known.set(aftr, known);
    const ask = this.asker(aftr);
    let some: number[] = [];
    const askForSome = async () => {
      const values = await ask(some);
      known.push({ keys: Float64Array.from(some), values: values ?? new Float64Array(0) });
      some = [];
    };
    for (const key of keys) {
      some.push(key);
      if (some.length === ASKED_AT_ONCE) await askForSome();
    }
    if (some.length > 0) await askForSome();
  }

  #missingOf(aftr: string): Set<number> {
    const keys = this.#missing.get(aftr) ?? new Set<number>();
    this.#missing.set(aftr, keys);
    return keys;
  }

  #find(aftr: string, key: number): { readonly values: Float64Array; readonly at: number } | undefined {
    for (const { keys, values } of this.#known.get(aftr) ?? []) {
      if (key < (keys[0] ?? 0) || key > (keys[keys.length - 1] ?? 0)) continue;
      const at = placeOf(keys, key);
      if (keys[at] === key) return { values, at: at * BINDING_COUNTERS };
    }
    return undefined;
  }
}

/** The first place in ordered numbers that is not below `key`. */
function placeOf(keys: Float64Array, key: number): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((keys[middle] ?? 0) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Whether there are statistics at a place of an answer. */
export function hasStatistics(values: Float64Array | undefined, at: number): values is Float64Array {
  return values !== undefined && at < values.length && !Number.isNaN(values[at]);
}

/** Adds the statistics at a place of an answer to an entry; nothing when there are none. */
export function addStatistics(entry: DataNode, values: Float64Array | undefined, at: number): void {
  const schema = entry.schema.child('statistics');
  if (!schema || !hasStatistics(values, at)) return;
  const container = entry.add(new DataNode(schema));
  for (const [name, value] of statisticsLeaves(values, at)) {
    const leaf = schema.child(name);
    if (leaf) container.add(new DataNode(leaf, value));
  }
}

/** Names and values of the leaves. */
export function statisticsLeaves(values: Float64Array, at: number): [name: string, value: string][] {
  const time = new Date(values[at] ?? 0).toISOString();
  return [
    ['discontinuity-time', time],
    ...LEAVES.map((name, i): [string, string] => [name, String(values[at + 1 + i] ?? 0)]),
  ];
}
