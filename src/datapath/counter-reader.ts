/** Counters of instances for the control channel: sums over the workers since counting of an instance began. */

import type { ErrorCounters, InstanceCounters, SideCounters, Traffic } from '../control.ts';
import { MAX_INSTANCES } from '../state/limits.ts';
import type { Counters } from './counters.ts';
import { SIDE_IPV4, SIDE_IPV6 } from './counters.ts';
import type { Role } from './engine.ts';
import type { Events } from './events.ts';
import type { IcmpBudget } from './icmp-budget.ts';
import { ICMPV4_ERRORS, ICMPV6_ERRORS } from './icmp-budget.ts';
import {
  DROP_SOURCE_MISMATCH,
  DROP_UNBOUND_SOURCE,
  dropReason,
  FIRST_DROP,
  FORWARDED,
  HAIRPINNED,
  HELD,
  REPLIED,
} from './verdict.ts';

/** When an instance began to count, and what its counters said then: a number may have had an owner before. */
interface Beginning {
  readonly time: string;
  readonly counts: readonly (readonly Traffic[])[];
  readonly ecnAnomalies: number;
  readonly icmpv4Errors: ErrorCounters;
  readonly icmpv6Errors: ErrorCounters;
}

/** Which start of an instance it is, and what its number had counted by then. */
interface Start {
  readonly start: number;
  readonly ecnAnomalies: number;
  readonly violations: number;
}

/** Dangerous ECN combinations that an instance met since it is there, whatever was cleared meanwhile. */
export interface EcnCount {
  readonly packets: number;
  /** Another for each instance, of the same name or number too. */
  readonly start: number;
}

export class CounterReader {
  readonly #role: Role;
  readonly #counters: Counters;
  readonly #ecnAnomalies: WideCounter[];
  readonly #icmpBudget: IcmpBudget;
  readonly #beginnings = new Map<number, Beginning>();
  readonly #starts = new Map<number, Start>();
  #lastStart = 0;

  constructor(role: Role, counters: Counters, events: Events, icmpBudget: IcmpBudget) {
    this.#role = role;
    this.#counters = counters;
    this.#icmpBudget = icmpBudget;
    this.#ecnAnomalies = Array.from(
      { length: MAX_INSTANCES },
      (_, instance) => new WideCounter(() => events.ecnAnomalies(instance)),
    );
  }

  /** An instance takes this number now. */
  start(instance: number): void {
    const [ecnAnomalies, violations] = [this.#ecnOf(instance), this.#violationsOf(instance)];
    this.#starts.set(instance, { start: ++this.#lastStart, ecnAnomalies, violations });
    this.begin(instance);
  }

  /** Counting of an instance begins now. */
  begin(instance: number): void {
    const counts = [SIDE_IPV4, SIDE_IPV6].map((side) => this.#counters.readAll(instance, side));
    this.#beginnings.set(instance, {
      time: new Date().toISOString(),
      counts,
      ecnAnomalies: this.#ecnOf(instance),
      icmpv4Errors: this.#icmpBudget.read(instance, ICMPV4_ERRORS),
      icmpv6Errors: this.#icmpBudget.read(instance, ICMPV6_ERRORS),
    });
  }

  /** To be read within 2^32 anomalies. */
  ecnAnomalies(instance: number): EcnCount {
    const { start = 0, ecnAnomalies = 0 } = this.#starts.get(instance) ?? {};
    return { start, packets: this.#ecnOf(instance) - ecnAnomalies };
  }

  /** Tunnel packets whose inner source is not bound to their outer source, since the instance is there. */
  violations(instance: number): number {
    return this.#violationsOf(instance) - (this.#starts.get(instance)?.violations ?? 0);
  }

  read(name: string, instance: number): InstanceCounters {
    const beginning = this.#beginnings.get(instance);
    return {
      role: this.#role,
      name,
      discontinuityTime: beginning?.time ?? '',
      ipv4: this.#side(instance, SIDE_IPV4, beginning),
      ipv6: this.#side(instance, SIDE_IPV6, beginning),
      ecnAnomalies: this.#ecnOf(instance) - (beginning?.ecnAnomalies ?? 0),
      icmpv4Errors: this.#errors(instance, ICMPV4_ERRORS, beginning?.icmpv4Errors),
      icmpv6Errors: this.#errors(instance, ICMPV6_ERRORS, beginning?.icmpv6Errors),
    };
  }

  /** Since the workers started, whoever had the number. */
  #ecnOf(instance: number): number {
    return this.#ecnAnomalies[instance]?.read() ?? 0;
  }

  #violationsOf(instance: number): number {
    const counts = this.#counters.readAll(instance, SIDE_IPV6);
    return (counts[DROP_SOURCE_MISMATCH]?.packets ?? 0) + (counts[DROP_UNBOUND_SOURCE]?.packets ?? 0);
  }

  #errors(instance: number, kinds: readonly number[], before: ErrorCounters | undefined): ErrorCounters {
    const { sent, suppressed } = this.#icmpBudget.read(instance, kinds);
    return { sent: sent - (before?.sent ?? 0), suppressed: suppressed - (before?.suppressed ?? 0) };
  }

  #side(instance: number, side: number, beginning: Beginning | undefined): SideCounters {
    const now = this.#counters.readAll(instance, side);
    const since = now.map((count, verdict) => difference(count, beginning?.counts[side]?.[verdict] ?? NOTHING));
    // A gauge, not a counter: what waits, waits, whoever had the number when it came.
    since[HELD] = now[HELD] ?? NOTHING;
    const dropped = since.slice(FIRST_DROP);
    const drops: Record<string, Traffic> = {};
    for (const [i, count] of dropped.entries()) {
      const reason = dropReason(FIRST_DROP + i);
      if (count.packets > 0) drops[reason] = sum(drops[reason] ?? NOTHING, count);
    }
    return {
      received: since.reduce(sum, NOTHING),
      forwarded: since[FORWARDED] ?? NOTHING,
      hairpinned: since[HAIRPINNED] ?? NOTHING,
      replied: since[REPLIED] ?? NOTHING,
      held: since[HELD] ?? NOTHING,
      dropped: dropped.reduce(sum, NOTHING),
      drops,
    };
  }
}

/** A counter of 32 bits in shared memory, made as wide as a number is by reading it often enough. */
class WideCounter {
  readonly #source: () => number;
  #seen = 0;
  #sum = 0;

  constructor(source: () => number) {
    this.#source = source;
  }

  read(): number {
    const now = this.#source();
    this.#sum += (now - this.#seen) >>> 0;
    this.#seen = now;
    return this.#sum;
  }
}

const NOTHING: Traffic = { packets: 0, octets: 0 };

function sum(a: Traffic, b: Traffic): Traffic {
  return { packets: a.packets + b.packets, octets: a.octets + b.octets };
}

function difference(a: Traffic, b: Traffic): Traffic {
  return { packets: a.packets - b.packets, octets: a.octets - b.octets };
}
