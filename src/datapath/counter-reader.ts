/** Counters of instances for the control channel: sums over the workers since counting of an instance began. */

import type { InstanceCounters, SideCounters, Traffic } from '../control.ts';
import type { Counters } from './counters.ts';
import { SIDE_IPV4, SIDE_IPV6 } from './counters.ts';
import type { Role } from './engine.ts';
import type { Events } from './events.ts';
import { MAX_INSTANCES } from './layout.ts';
import { dropReason, FIRST_DROP, FORWARDED, HAIRPINNED, REPLIED, VERDICTS } from './verdict.ts';

/** When an instance began to count, and what its counters said then: a number may have had an owner before. */
interface Beginning {
  readonly time: string;
  readonly counts: readonly (readonly Traffic[])[];
  readonly ecnAnomalies: number;
}

export class CounterReader {
  readonly #role: Role;
  readonly #counters: Counters;
  readonly #ecnAnomalies: WideCounter[];
  readonly #beginnings = new Map<number, Beginning>();

  constructor(role: Role, counters: Counters, events: Events) {
    this.#role = role;
    this.#counters = counters;
    this.#ecnAnomalies = Array.from(
      { length: MAX_INSTANCES },
      (_, instance) => new WideCounter(() => events.ecnAnomalies(instance)),
    );
  }

  /** Counting of an instance begins now. */
  begin(instance: number): void {
    const counts = [SIDE_IPV4, SIDE_IPV6].map((side) => this.#readAll(instance, side));
    this.#beginnings.set(instance, {
      time: new Date().toISOString(),
      counts,
      ecnAnomalies: this.ecnAnomalies(instance),
    });
  }

  /** Dangerous ECN combinations that the instance met since the workers started; to be read within 2^32 of them. */
  ecnAnomalies(instance: number): number {
    return this.#ecnAnomalies[instance]?.read() ?? 0;
  }

  read(name: string, instance: number): InstanceCounters {
    const beginning = this.#beginnings.get(instance);
    return {
      role: this.#role,
      name,
      discontinuityTime: beginning?.time ?? '',
      ipv4: this.#side(instance, SIDE_IPV4, beginning),
      ipv6: this.#side(instance, SIDE_IPV6, beginning),
      ecnAnomalies: this.ecnAnomalies(instance) - (beginning?.ecnAnomalies ?? 0),
    };
  }

  #side(instance: number, side: number, beginning: Beginning | undefined): SideCounters {
    const now = this.#readAll(instance, side);
    const since = now.map((count, verdict) => difference(count, beginning?.counts[side]?.[verdict] ?? NOTHING));
    const dropped = since.slice(FIRST_DROP);
    const drops: Record<string, Traffic> = {};
    for (const [i, count] of dropped.entries()) if (count.packets > 0) drops[dropReason(FIRST_DROP + i)] = count;
    return {
      received: since.reduce(sum, NOTHING),
      forwarded: since[FORWARDED] ?? NOTHING,
      hairpinned: since[HAIRPINNED] ?? NOTHING,
      replied: since[REPLIED] ?? NOTHING,
      dropped: dropped.reduce(sum, NOTHING),
      drops,
    };
  }

  #readAll(instance: number, side: number): Traffic[] {
    return Array.from({ length: VERDICTS }, (_, verdict) => this.#counters.read(instance, side, verdict));
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
