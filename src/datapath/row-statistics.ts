/**
 * The statistics of bindings and gateways of an AFTR, as the control thread keeps them: counters of rows start at zero with
 * a row, go with a binding whose row is written anew, and go on in another row of the gateway when a binding of it is removed,
 * so that the sums of a gateway never fall.
 *
 * A worker that found a row before it left the table counts for it until its batch ends. What that adds to the row after its
 * traffic was moved on is moved as well, when every worker has passed it and before it is used again: no packet is lost to the sums.
 */

import { formatIpv4, formatIpv6, parseIpv6 } from '../address.ts';
import type { BindingCounters, SoftwireCounters } from '../control.ts';
import { GatewayIndex } from './gateway-index.ts';
import { ROW_WORDS } from './layout.ts';
import type { Allocate } from './memory.ts';
import { octetsOf } from './memory.ts';
import { isShared } from './port-sets.ts';
import type { RowCountersMemory, RowRefusals, RowTraffic } from './row-counters.ts';
import { allocateRowCounters, differenceOfTraffic, RowCounters, sumOfTraffic, TRAFFIC } from './row-counters.ts';
import type { Softwires } from './softwires.ts';
import type { RowWatcher, Table } from './table.ts';

/** What workers write and read. */
export interface RowStatisticsMemory {
  readonly counters: RowCountersMemory;
  readonly gateways: Int32Array;
  /** Random. */
  readonly seed: number;
}

/** Gateways that are listed at once; where an AFTR has more, each is to be asked for. */
export const LISTED_GATEWAYS = 10_000;
/** Rows cleared in one hold of the workers: some tenths of a millisecond. */
const CLEARED_ROWS = 2_000;

/** What a row that left the table had counted when that was moved on. */
interface Moved {
  readonly traffic: RowTraffic;
  readonly refusals: RowRefusals;
}

export class RowStatistics implements RowWatcher {
  readonly memory: RowStatisticsMemory;
  readonly #table: Table;
  readonly #softwires: Softwires;
  readonly #counters: RowCounters;
  readonly #gateways: GatewayIndex;
  readonly #baseMs: number;
  /** Rows above it never began to count: all that is kept of them is zero. */
  #highest = 0;
  /** When each row began to count, in tenths of a second since the base. */
  readonly #begun: Uint32Array;
  /** Traffic of rows that were removed, in another row of the same gateway; and when the first of them began, plus one. */
  readonly #inherited: Float64Array;
  readonly #inheritedSince: Uint32Array;
  /** Likewise, for refused packets, which few gateways have. */
  readonly #inheritedRefusals = new Map<number, RowRefusals>();
  /** Traffic of bindings that was counted for the row before the one they have, after that began with all there was. */
  readonly #late = new Map<number, RowTraffic>();
  /** Of rows that others take the place of, until they are retired: what those have of their traffic. */
  readonly #replaced = new Map<number, RowTraffic>();
  /** Of rows that workers may still count for; nothing of those that had counted nothing. */
  readonly #moved = new Map<number, Moved>();

  /** `seed` is random. */
  constructor(table: Table, softwires: Softwires, workers: number, seed: number, allocate: Allocate) {
    this.#table = table;
    this.#softwires = softwires;
    const rows = table.rows.length / ROW_WORDS - 1;
    const counters = allocateRowCounters(rows, workers, allocate);
    this.#counters = new RowCounters(counters);
    this.#gateways = new GatewayIndex(allocate, table.rows, seed);
    this.#baseMs = counters.baseMs;
    this.#begun = new Uint32Array(new SharedArrayBuffer((rows + 1) * 4));
    this.#inherited = new Float64Array(new SharedArrayBuffer((rows + 1) * TRAFFIC.length * 8));
    this.#inheritedSince = new Uint32Array(new SharedArrayBuffer((rows + 1) * 4));
    this.memory = { counters, gateways: this.#gateways.memory, seed };
    table.watcher = this;
  }

  written(row: number): void {
    this.#begin(row);
    this.#gateways.add(row, this.#softwires.instance(this.#table.softwireOf(row)));
  }

  replaced(from: number, to: number): void {
    const isSame = this.#gateways.instanceOf(from) === this.#gateways.instanceOf(to);
    if (!isSame || !this.#table.haveSameRemote(from, to)) return;
    // Workers may still be at `from`: nobody else writes what they add to.
    const traffic = this.#counters.traffic(from);
    this.#counters.beginWith(to, sumOfTraffic(traffic, this.#late.get(from)));
    this.#replaced.set(from, traffic);
    this.#begun[to] = this.#begun[from] ?? 0;
  }

  retired(row: number): void {
    const replaced = this.#replaced.get(row);
    this.#replaced.delete(row);
    const other = this.#gateways.remove(row);
    const [traffic, refusals] = [replaced ?? this.#counters.traffic(row), this.#counters.refusals(row)];
    if (this.#counters.hasAny(row)) this.#moved.set(row, { traffic, refusals });
    if (other === 0) return;
    const moved = replaced ? this.#inheritedBy(row) : this.#withInherited(row, traffic);
    this.#inherit(other, moved, Math.min(this.#since(row), this.#since(other)));
    this.#inheritRefusals(other, sumOf(refusals, this.#inheritedRefusals.get(row)));
  }

  passed(row: number): void {
    if (!this.#counters.hasAny(row)) return;
    const moved = this.#moved.get(row);
    this.#moved.delete(row);
    const known = this.#gateways.standsFor(row);
    if (known === 0) return;
    const traffic = differenceOfTraffic(this.#counters.traffic(row), moved?.traffic);
    const successor = this.#successorOf(row);
    if (successor === 0) this.#inherit(known, traffic, this.#since(known));
    else if (TRAFFIC.some((name) => traffic[name] > 0))
      this.#late.set(successor, sumOfTraffic(traffic, this.#late.get(successor)));
    this.#inheritRefusals(known, differenceOf(this.#counters.refusals(row), moved?.refusals));
  }

  /** The row that the binding of a retired row has now; 0 when it is gone, or has another gateway. */
  #successorOf(row: number): number {
    const { address, length } = this.#table.prefixOf(row);
    const other = this.#table.find(address, length);
    const isSame = this.#gateways.instanceOf(row) === this.#gateways.instanceOf(other);
    return isSame && this.#table.haveSameRemote(row, other) ? other : 0;
  }

  /** For an image: memory and numbers of what rows lead to which gateway. No counters: they start at zero with the datapath. */
  get areas(): Uint8Array[] {
    return [octetsOf(this.#gateways.memory)];
  }

  kept(): number[] {
    return [this.#highest, ...this.#gateways.kept()];
  }

  /** Goes on where `kept` was, with all rows beginning to count. */
  resume([highest = 0, ...gateways]: readonly number[]): void {
    this.#highest = highest;
    this.#begun.fill(this.#tenths(), 1, highest + 1);
    this.#gateways.resume(gateways);
  }

  /** Rows of gateways from a place on; see `GatewayIndex.some`. */
  someGateways(from: number, count: number): { readonly rows: readonly number[]; readonly next: number } {
    return this.#gateways.some(from, count);
  }

  /**
   * Makes the instances that are counted those given; one that was not starts from zero. `hold` runs what it is given with
   * no packet being decided.
   */
  setCounting(instances: readonly number[], hold: (body: () => void) => void): void {
    // Where one has the number of another, rows of that are not taken for its own.
    this.#table.rowPlaces.reclaim();
    for (const instance of instances) if (!this.#counters.isCounting(instance)) this.clear(instance, hold);
    this.#counters.setCounting(instances);
  }

  /** Makes the rows of an instance count from zero. */
  clear(instance: number, hold: (body: () => void) => void): void {
    let some: number[] = [];
    const clearSome = () => {
      hold(() => {
        for (const row of some) this.#begin(row);
      });
      some = [];
    };
    for (const row of this.#gateways.rows(instance)) if (some.push(row) === CLEARED_ROWS) clearSome();
    if (some.length > 0) clearSome();
  }

  /** Statistics of the binding of exactly this prefix; undefined when the instance has none. */
  binding(instance: number, address: number, length: number): BindingCounters | undefined {
    const row = this.#table.find(address, length);
    if (row === 0 || isShared(this.#table, row) || this.#gateways.instanceOf(row) !== instance) return undefined;
    this.#table.rowPlaces.reclaim();
    const traffic = sumOfTraffic(this.#counters.traffic(row), this.#late.get(row));
    return { sinceMs: this.#timeOf(this.#begun[row] ?? 0), ...traffic };
  }

  /** Gateways of an instance, their bindings and port sets all together. */
  countGateways(instance: number): number {
    return this.#gateways.count(instance);
  }

  /** Statistics of some gateways of an instance, or of all of them when they are no more than LISTED_GATEWAYS. */
  softwires(instance: number, addresses?: readonly string[]): SoftwireCounters[] {
    if (!addresses && this.#gateways.count(instance) > LISTED_GATEWAYS) return [];
    this.#table.rowPlaces.reclaim();
    const found = addresses
      ? addresses.map((text) => this.#gateways.rowsTo(instance, parseIpv6(text) ?? new Uint8Array(16)))
      : [...this.#gateways.gateways(instance)];
    const isCounting = this.#counters.isCounting(instance);
    return found.filter((rows) => rows.length > 0).map((rows) => this.#softwire(rows, isCounting));
  }

  #softwire(rows: readonly number[], isCounting: boolean): SoftwireCounters {
    const [first = 0] = rows;
    const at = first * ROW_WORDS * 4;
    const gateway = { remote: formatIpv6(this.#table.octets.subarray(at, at + 16)), bindings: rows.length };
    return isCounting ? { ...gateway, counters: this.#sum(rows) } : gateway;
  }

  #sum(rows: readonly number[]): NonNullable<SoftwireCounters['counters']> {
    const traffic = { encapsulatedPackets: 0, encapsulatedOctets: 0, decapsulatedPackets: 0, decapsulatedOctets: 0 };
    const violations = { packets: 0, octets: 0 };
    let [since, lastTime, lastSource] = [Number.POSITIVE_INFINITY, -1, 0];
    for (const row of rows) {
      const own = this.#withInherited(row, this.#counters.traffic(row));
      for (const name of TRAFFIC) traffic[name] += own[name];
      since = Math.min(since, this.#since(row));
      const refused = this.#refusals(row);
      if (refused.packets === 0) continue;
      violations.packets += refused.packets;
      violations.octets += refused.octets;
      if (refused.lastTime > lastTime) [lastTime, lastSource] = [refused.lastTime, refused.lastSource];
    }
    const last = { timeMs: this.#timeOf(lastTime), ipv4Source: formatIpv4(lastSource) };
    return { sinceMs: this.#timeOf(since), ...traffic, violations, ...(lastTime >= 0 && { lastViolation: last }) };
  }

  #begin(row: number): void {
    this.#begun[row] = this.#tenths();
    if (row > this.#highest) {
      this.#highest = row;
      return;
    }
    this.#counters.clear(row);
    this.#moved.delete(row);
    this.#late.delete(row);
    this.#inheritedRefusals.delete(row);
    if (this.#inheritedSince[row] === 0) return;
    this.#inheritedSince[row] = 0;
    this.#inherited.fill(0, row * TRAFFIC.length, (row + 1) * TRAFFIC.length);
  }

  /** The moment. A clock that is set back does not lead before the base. */
  #tenths(): number {
    return Math.floor((performance.timeOrigin + performance.now() - this.#baseMs) / 100);
  }

  /** Adds to what a row has of rows that were removed, of which the first began then. */
  #inherit(to: number, traffic: RowTraffic | undefined, since: number): void {
    this.#inheritedSince[to] = since + 1;
    if (!traffic) return;
    for (const [i, name] of TRAFFIC.entries()) {
      const word = to * TRAFFIC.length + i;
      this.#inherited[word] = (this.#inherited[word] ?? 0) + traffic[name];
    }
  }

  #inheritRefusals(to: number, refused: RowRefusals): void {
    if (refused.packets === 0) return;
    this.#inheritedRefusals.set(to, sumOf(refused, this.#inheritedRefusals.get(to)));
  }

  #refusals(row: number): RowRefusals {
    return sumOf(this.#counters.refusals(row), this.#inheritedRefusals.get(row));
  }

  /** What a row has counted itself, with all that it has of others. */
  #withInherited(row: number, own: RowTraffic): RowTraffic {
    return sumOfTraffic(sumOfTraffic(own, this.#late.get(row)), this.#inheritedBy(row));
  }

  #inheritedBy(row: number): RowTraffic | undefined {
    if (this.#inheritedSince[row] === 0) return undefined;
    const inherited = (i: number): number => this.#inherited[row * TRAFFIC.length + i] ?? 0;
    return {
      encapsulatedPackets: inherited(0),
      encapsulatedOctets: inherited(1),
      decapsulatedPackets: inherited(2),
      decapsulatedOctets: inherited(3),
    };
  }

  #since(row: number): number {
    const begun = this.#begun[row] ?? 0;
    const inherited = this.#inheritedSince[row] ?? 0;
    return inherited === 0 ? begun : Math.min(begun, inherited - 1);
  }

  #timeOf(tenths: number): number {
    return this.#baseMs + tenths * 100;
  }
}

function sumOf(own: RowRefusals, inherited: RowRefusals | undefined): RowRefusals {
  if (!inherited) return own;
  const { lastTime, lastSource } = own.packets > 0 && own.lastTime >= inherited.lastTime ? own : inherited;
  return { packets: own.packets + inherited.packets, octets: own.octets + inherited.octets, lastTime, lastSource };
}

function differenceOf(all: RowRefusals, other: RowRefusals | undefined): RowRefusals {
  if (!other) return all;
  return { ...all, packets: all.packets - other.packets, octets: all.octets - other.octets };
}
