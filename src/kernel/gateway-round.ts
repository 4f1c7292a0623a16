/**
 * The gateways that bindings lead to, looked at a slice at a time: each look goes on where the last one ended, so that however many
 * there are each has its turn, and a look takes a bounded time. It rests now and then: a worker on its core that has four fifths of that to
 * do keeps up, where a look in one piece would cost packets. What was found is told until another look finds it right again:
 *
 *   1. those that are told of, and one that was reached: they are looked at each time
 *   2. the next ones, 16 at least
 *   3. as long as one of all these is reached, something is forwarded
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { formatIpv6 } from '../address.ts';
import type { Problem } from '../control.ts';
import type { Neighbour, Way } from './netlink.ts';
import { NO_ANSWER, silentNextHop } from './next-hop.ts';
import type { BoundTo, Surroundings } from './recursion.ts';
import { recursionOf } from './recursion.ts';

/** Whether a binding leads to this IPv6 address. */
export type LeadsTo = (ipv6: Uint8Array) => boolean;

/** The gateways that the AFTRs' bindings lead to. */
export interface BoundGateways {
  /** About `count` from a place on, and the place after them; 0 is the first place, and what follows the last one. */
  readonly some: (from: number, count: number) => { readonly gateways: readonly Uint8Array[]; readonly next: number };
  readonly boundTo: BoundTo;
  readonly leadsTo: LeadsTo;
}

export const NO_GATEWAYS: BoundGateways = {
  some: () => ({ gateways: [], next: 0 }),
  boundTo: () => undefined,
  leadsTo: () => false,
};

/** Gateways looked at in one go. */
const SLICE = 16;
/** A look ends with the slice in which it has taken so long, rests apart. */
const LOOK_MS = 20;
/** It rests before each fourth gateway, for so many times what it took since it last did; a millisecond at least. */
const REST = 4;
const AT_ONCE = 4;
/** Gateways that are told of one by one. */
const TOLD = 16;
/** Faults that are remembered. */
const MOST_FAULTS = 1_024;

interface Fault {
  readonly gateway: Uint8Array;
  readonly sentence: string;
  readonly isRecursion: boolean;
}

type Found = Omit<Fault, 'gateway'> | undefined;

export class GatewayRound {
  readonly #faults = new Map<string, Fault>();
  #from = 0;
  #reached: Uint8Array | undefined;
  #last: Promise<unknown> = Promise.resolve();

  /** What is wrong with gateways, as far as it is known; `unresolved` are the neighbours that do not answer. */
  look(
    bound: BoundGateways,
    around: Omit<Surroundings, 'boundTo'>,
    unresolved: readonly Neighbour[],
  ): Promise<Problem[]> {
    // One at a time: each goes on where the one before has ended.
    const problems = this.#last.then(() => this.#look(bound, around, unresolved));
    this.#last = problems.catch(() => undefined);
    return problems;
  }

  async #look(
    bound: BoundGateways,
    around: Omit<Surroundings, 'boundTo'>,
    unresolved: readonly Neighbour[],
  ): Promise<Problem[]> {
    const pace = new Pace();
    const look = new Look({ ...around, netlink: remembering(around.netlink), boundTo: bound.boundTo }, unresolved);
    let told = 0;
    for (const { gateway } of this.#inOrder()) {
      if (told === TOLD || pace.isOver) break;
      await pace.next();
      if (this.#note(gateway, bound.leadsTo(gateway) && (await look.at(gateway)))) told++;
    }
    const known = this.#reached;
    this.#reached = undefined;
    if (known && bound.leadsTo(known)) this.#note(known, await look.at(known));
    do {
      const { gateways, next } = bound.some(this.#from, SLICE);
      this.#from = next;
      for (const gateway of gateways) {
        await pace.next();
        this.#note(gateway, await look.at(gateway));
      }
    } while (this.#from !== 0 && !pace.isOver);
    return this.#problems();
  }

  /** Takes down what was found: undefined for a gateway that is reached, false for one that no binding leads to. */
  #note(gateway: Uint8Array, found: Found | false): boolean {
    const key = formatIpv6(gateway);
    if (found) {
      if (found.isRecursion) this.#makeRoom();
      if (this.#faults.size < MOST_FAULTS || this.#faults.has(key)) this.#faults.set(key, { gateway, ...found });
      return true;
    }
    this.#faults.delete(key);
    if (found === undefined) this.#reached ??= gateway;
    return false;
  }

  /** No number of gateways that are not reached keeps recursion from being told of. */
  #makeRoom(): void {
    if (this.#faults.size < MOST_FAULTS) return;
    const other = [...this.#faults].find(([, { isRecursion }]) => !isRecursion);
    if (other) this.#faults.delete(other[0]);
  }

  /** Recursion first: it does harm to others, too. */
  #inOrder(): Fault[] {
    const faults = [...this.#faults.values()];
    return [...faults.filter(({ isRecursion }) => isRecursion), ...faults.filter(({ isRecursion }) => !isRecursion)];
  }

  #problems(): Problem[] {
    const sentences = this.#inOrder()
      .slice(0, TOLD)
      .map(({ sentence }) => sentence);
    const left = this.#faults.size - sentences.length;
    const number = this.#faults.size === MOST_FAULTS ? `at least ${left}` : left;
    if (left > 0) sentences.push(`${number} more of the gateways which bindings name are not reached either`);
    const stops = this.#reached ? {} : { stops: { role: 'aftr' as const } };
    return sentences.map((sentence) => ({ sentence, ...stops }));
  }
}

/** Of one look: how long it takes, and when it rests. */
class Pace {
  #gateways = 0;
  #takenMs = 0;
  #since = performance.now();

  /** Whether it has taken its time. */
  get isOver(): boolean {
    return this.#takenMs + performance.now() - this.#since > LOOK_MS;
  }

  /** Before each gateway. */
  async next(): Promise<void> {
    if (this.#gateways++ % AT_ONCE !== 0 || this.#gateways === 1) return;
    const took = performance.now() - this.#since;
    this.#takenMs += took;
    await sleep(Math.max(1, REST * took));
    this.#since = performance.now();
  }
}

/** One look at gateways: each is asked for once. */
class Look {
  readonly #around: Surroundings;
  readonly #unresolved: readonly Neighbour[];
  readonly #found = new Map<string, Found>();

  constructor(around: Surroundings, unresolved: readonly Neighbour[]) {
    this.#around = around;
    this.#unresolved = unresolved;
  }

  async at(gateway: Uint8Array): Promise<Found> {
    const text = formatIpv6(gateway);
    if (!this.#found.has(text)) this.#found.set(text, await this.#faultOf(gateway, text));
    return this.#found.get(text);
  }

  async #faultOf(gateway: Uint8Array, text: string): Promise<Found> {
    const way = await this.#around.netlink.wayTo(gateway);
    if (way.kind === 'none')
      return { sentence: `no IPv6 route leads to gateway ${text}, which bindings name`, isRecursion: false };
    const recursion = await recursionOf(gateway, this.#around);
    if (recursion) {
      const sentence = `gateway ${text} is reached through softwires, which lead to it: ${recursion}; route it another way`;
      return { sentence, isRecursion: true };
    }
    const silent = silentNextHop(way, gateway, this.#around.links, this.#unresolved);
    return silent === undefined
      ? undefined
      : { sentence: `${silent}, the next hop to gateway ${text}, ${NO_ANSWER}`, isRecursion: false };
  }
}

/** Asks the kernel once for each address. */
function remembering(netlink: Surroundings['netlink']): Surroundings['netlink'] {
  const ways = new Map<string, Promise<Way>>();
  return {
    wayTo: (octets) => {
      const key = octets.join();
      const way = ways.get(key) ?? netlink.wayTo(octets);
      ways.set(key, way);
      return way;
    },
  };
}
