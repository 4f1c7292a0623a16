/** What an engine has counted against what the naive one has: by side and end, by binding, by gateway, and violations. */

import { formatIpv6, parseIpv6 } from '../../src/address.ts';
import type { InstanceCounters, SoftwireCounters } from '../../src/control.ts';
import type { Role } from '../../src/datapath/engine.ts';
import type { EngineUnderTest } from './engine-case.ts';
import type { Next } from './fuzz-table.ts';
import { chance, REMOTES } from './fuzz-table.ts';
import type { NaiveTraffic } from './naive-counts.ts';
import { bindingKey, gatewayKey } from './naive-counts.ts';
import type { NaiveEngine } from './naive-engine.ts';
import type { Amount, NaiveTable } from './naive-model.ts';

/** Figures by name. */
type Figures = Record<string, number>;

const ENDS = ['forwarded', 'hairpinned', 'replied'] as const;

export class FuzzCounts {
  readonly #role: Role;
  readonly #engine: EngineUnderTest;
  readonly #naive: NaiveEngine;
  #before: { readonly engine: Figures; readonly naive: Figures } = { engine: {}, naive: {} };
  /** Violations that were noted with their outer source: in a flood, not all. */
  readonly #told = new Map<string, number>();
  readonly #sent: Record<4 | 6, Amount> = { 4: { packets: 0, octets: 0 }, 6: { packets: 0, octets: 0 } };

  constructor(role: Role, engine: EngineUnderTest, naive: NaiveEngine) {
    this.#role = role;
    this.#engine = engine;
    this.#naive = naive;
  }

  sent(packets: readonly Buffer[]): void {
    for (const packet of packets) {
      const amount = this.#sent[(packet[0] ?? 0) >> 4 === 4 ? 4 : 6];
      amount.packets++;
      amount.octets += packet.length;
    }
  }

  /** From now on, what is counted is compared: instances may have come, gone, or begun anew. */
  begin(): void {
    this.#before = { engine: this.#engineFigures(), naive: this.#naiveFigures() };
    this.#told.clear();
    this.#naive.counts.violators.clear();
  }

  /** What is not counted alike since `begin`; undefined when all is. */
  fault(table: NaiveTable, next: Next): string | undefined {
    for (const counters of this.#engine.counters()) {
      const parted = partsFault(counters);
      if (parted !== undefined) return parted;
    }
    const since = (now: Figures, before: Figures): string =>
      JSON.stringify(
        Object.fromEntries(Object.entries(now).map(([name, value]) => [name, value - (before[name] ?? 0)])),
      );
    const engine = since(this.#engineFigures(), this.#before.engine);
    const naive = since(this.#naiveFigures(), this.#before.naive);
    if (engine !== naive) return `counted ${engine}\ninstead of ${naive}`;
    for (const [violator, packets] of this.#told) {
      const most = this.#naive.counts.violators.get(violator) ?? 0;
      if (packets > most) return `violator ${violator}: ${packets} instead of ${most} packets at most`;
    }
    const held = this.#heldFault();
    return held ?? (this.#role === 'aftr' ? this.#rowsFault(table, next) : undefined);
  }

  #heldFault(): string | undefined {
    const sides = this.#engine.counters().flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6]);
    const packets = sides.reduce((sum, { held }) => sum + held.packets, 0);
    const octets = sides.reduce((sum, { held }) => sum + held.octets, 0);
    const wanted = this.#naive.held;
    if (packets === wanted.packets && octets === wanted.octets) return undefined;
    return `${packets} packets of ${octets} octets held instead of ${wanted.packets} of ${wanted.octets}`;
  }

  /** By side: what came, and how it ended; violations of each AFTR. */
  #engineFigures(): Figures {
    const counters = this.#engine.counters();
    const figures: Figures = {};
    for (const side of ['ipv4', 'ipv6'] as const) {
      for (const end of ['received', ...ENDS] as const) {
        for (const unit of ['packets', 'octets'] as const) {
          figures[`${side} ${end} ${unit}`] = counters.reduce((sum, one) => sum + one[side][end][unit], 0);
        }
      }
    }
    const observed = this.#engine.forwarding.observe();
    for (const { name, violations } of observed.instances) figures[`violations ${name}`] = violations;
    for (const { aftr, outerSource, packets } of observed.violations) {
      const violator = `${aftr} ${Buffer.from(parseIpv6(outerSource) ?? []).toString('hex')}`;
      this.#told.set(violator, (this.#told.get(violator) ?? 0) + packets);
    }
    return figures;
  }

  #naiveFigures(): Figures {
    const figures: Figures = {};
    for (const side of [4, 6] as const) {
      for (const end of ['received', ...ENDS] as const) {
        const amount = end === 'received' ? this.#sent[side] : this.#naive.counts.ends[side][end];
        for (const unit of ['packets', 'octets'] as const) figures[`ipv${side} ${end} ${unit}`] = amount[unit];
      }
    }
    for (const { name } of this.#engine.forwarding.plans) {
      figures[`violations ${name}`] = this.#naive.counts.violations.get(name) ?? 0;
    }
    return figures;
  }

  #rowsFault({ instances, rows }: NaiveTable, next: Next): string | undefined {
    const { forwarding } = this.#engine;
    const { bindings, gateways } = this.#naive.counts;
    for (const row of rows) {
      const { prefix, instance } = row;
      if (!instance.isEnabled) continue;
      const found = forwarding.bindingCounters(instance.name, prefix.address, prefix.length);
      const wanted = bindings.get(bindingKey(row));
      if (!found || !wanted) return `binding ${bindingKey(row)} is not there`;
      if (instance.isCounting && figuresOf(found) !== naiveFiguresOf(wanted)) {
        return `binding ${bindingKey(row)}: ${figuresOf(found)} instead of ${naiveFiguresOf(wanted)}`;
      }
    }
    // All of them are found one by one, and now and then as a list.
    const all = forwarding.aftrSoftwires(chance(32, next) ? undefined : REMOTES.map((remote) => formatIpv6(remote)));
    for (const instance of instances) {
      const softwires = all.find(({ name }) => name === instance.name)?.softwires ?? [];
      for (const remote of REMOTES) {
        const found = softwires.find((softwire) => softwire.remote === formatIpv6(remote));
        const wanted = gateways.get(gatewayKey(instance, remote));
        const gateway = found && gatewayFigures(found, instance.isCounting);
        const expected =
          wanted &&
          [
            wanted.rows.size,
            ...(instance.isCounting
              ? [naiveFiguresOf(wanted), wanted.violations.packets, wanted.violations.octets]
              : []),
          ].join();
        if (gateway !== expected) return `gateway ${gatewayKey(instance, remote)}: ${gateway} instead of ${expected}`;
      }
    }
    return undefined;
  }
}

function gatewayFigures({ bindings, counters }: SoftwireCounters, isCounting: boolean): string {
  if (isCounting !== (counters !== undefined)) return 'counters that are not wanted, or none';
  const { packets, octets } = counters?.violations ?? { packets: 0, octets: 0 };
  return [bindings, ...(counters ? [figuresOf(counters), packets, octets] : [])].join();
}

function figuresOf(found: {
  readonly encapsulatedPackets: number;
  readonly encapsulatedOctets: number;
  readonly decapsulatedPackets: number;
  readonly decapsulatedOctets: number;
}): string {
  const { encapsulatedPackets, encapsulatedOctets, decapsulatedPackets, decapsulatedOctets } = found;
  return [encapsulatedPackets, encapsulatedOctets, decapsulatedPackets, decapsulatedOctets].join();
}

function naiveFiguresOf({ to, from }: NaiveTraffic): string {
  return [to.packets, to.octets, from.packets, from.octets].join();
}

/** Each packet received is counted at one end, with its octets. */
function partsFault({ name, ...sides }: InstanceCounters): string | undefined {
  for (const side of [sides.ipv4, sides.ipv6]) {
    const { forwarded, hairpinned, replied, held, drops } = side;
    const ends = [forwarded, hairpinned, replied, held, ...Object.values(drops)];
    for (const unit of ['packets', 'octets'] as const) {
      const sum = ends.reduce((total, end) => total + end[unit], 0);
      if (sum !== side.received[unit]) return `${name}: ${unit} do not add up: ${JSON.stringify(side)}`;
    }
  }
  return undefined;
}
