/**
 * Reassembly as RFC 8200 §4.5 and RFC 5722 §4 tell it, in the plainest way: a list of fragments. The twin of
 * src/datapath/reassembly.ts for random tests. No limits but those of one packet and of one source.
 */

import type { Amount } from './naive-model.ts';

/** Time is over at the next whole quarter of a second: how late a timer may be is a device's choice. */
const TICK_MS = 250;

export interface NaiveFragment {
  /** Octets of the fragmentable part before this one. */
  readonly offset: number;
  readonly data: Buffer;
  readonly more: boolean;
}

/** Whose fragments are put together, and how much of them is. */
export interface NaiveLimits {
  readonly instance: string;
  /** Source of the tunnel packet. */
  readonly source: string;
  readonly mostFragments: number;
  readonly mostOfSource: number;
}

const NO_LIMITS: NaiveLimits = {
  instance: '',
  source: '',
  mostFragments: Number.POSITIVE_INFINITY,
  mostOfSource: Number.POSITIVE_INFINITY,
};

interface Waiting<Fragment extends NaiveFragment> {
  readonly instance: string;
  readonly source: string;
  readonly endMs: number;
  /** Packets that wait, those that came twice included. */
  readonly held: Amount;
  readonly fragments: Fragment[];
  end: number | undefined;
  doomed: boolean;
}

export class NaiveReassembly<Fragment extends NaiveFragment> {
  /** What waits in all. */
  readonly held: Amount = { packets: 0, octets: 0 };
  /** What had waited of the datagram that was made whole last. */
  gathered: Readonly<Amount> = this.held;
  readonly #waiting = new Map<string, Waiting<Fragment>>();
  readonly #timeoutMs: number;

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  /** Datagrams that are not whole, or were ended and whose time is not over. */
  get size(): number {
    return this.#waiting.size;
  }

  /**
   * All fragments of the datagram that this one makes whole, in the order of offsets; else what becomes of this one, of which
   * `received` octets came.
   */
  add(
    nowMs: number,
    key: string,
    fragment: Fragment,
    received = 0,
    limits = NO_LIMITS,
  ): readonly Fragment[] | 'held' | 'dropped' {
    const { offset, data, more } = fragment;
    const waiting = this.#waitingOf(nowMs, key, limits);
    if (waiting.doomed) return 'dropped';
    if (waiting.fragments.some((other) => isSame(other, fragment))) return this.#hold(waiting, received);
    if (contradicts(waiting, fragment) || waiting.fragments.length >= limits.mostFragments) {
      this.#release(waiting);
      waiting.doomed = true;
      return 'dropped';
    }
    waiting.fragments.push(fragment);
    if (!more) waiting.end = offset + data.length;
    const octets = waiting.fragments.reduce((sum, other) => sum + other.data.length, 0);
    if (waiting.end === undefined || octets < waiting.end) return this.#hold(waiting, received);
    this.gathered = { ...waiting.held };
    this.#release(waiting);
    this.#waiting.delete(key);
    return waiting.fragments.sort((a, b) => a.offset - b.offset);
  }

  /** Gives up what is not whole in time. */
  expire(nowMs: number): void {
    for (const [key, waiting] of this.#waiting) if (nowMs >= waiting.endMs) this.#giveUp(key, waiting);
  }

  /** A source at its limit loses its own oldest. */
  #makeRoom(instance: string, source: string, most: number): void {
    if (!Number.isFinite(most)) return;
    const own = [...this.#waiting].filter(([, one]) => one.instance === instance && one.source === source);
    for (const [key, waiting] of own.slice(0, Math.max(0, own.length + 1 - most))) this.#giveUp(key, waiting);
  }

  #giveUp(key: string, waiting: Waiting<Fragment>): void {
    this.#release(waiting);
    this.#waiting.delete(key);
  }

  #waitingOf(nowMs: number, key: string, { instance, source, mostOfSource }: NaiveLimits): Waiting<Fragment> {
    const known = this.#waiting.get(key);
    // What came to a tunnel address when it was another instance's is not put together with what comes now.
    if (known && nowMs < known.endMs && known.instance === instance) return known;
    if (known) this.#giveUp(key, known);
    this.#makeRoom(instance, source, mostOfSource);
    const endMs = Math.ceil((nowMs + this.#timeoutMs) / TICK_MS) * TICK_MS;
    const held = { packets: 0, octets: 0 };
    const waiting = { instance, source, endMs, held, fragments: [], end: undefined, doomed: false };
    this.#waiting.set(key, waiting);
    return waiting;
  }

  #hold({ held }: Waiting<Fragment>, octets: number): 'held' {
    for (const amount of [held, this.held]) {
      amount.packets++;
      amount.octets += octets;
    }
    return 'held';
  }

  #release({ held }: Waiting<Fragment>): void {
    this.held.packets -= held.packets;
    this.held.octets -= held.octets;
    held.packets = 0;
    held.octets = 0;
  }
}

function isSame(one: NaiveFragment, other: NaiveFragment): boolean {
  return one.offset === other.offset && one.more === other.more && one.data.equals(other.data);
}

function contradicts({ end, fragments }: Waiting<NaiveFragment>, { offset, data, more }: NaiveFragment): boolean {
  const to = offset + data.length;
  if (fragments.some((other) => other.offset < to && offset < other.offset + other.data.length)) return true;
  if (end !== undefined && (to > end || !more)) return true;
  return !more && fragments.some((other) => other.offset > offset);
}
