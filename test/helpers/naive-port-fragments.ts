/**
 * Fragments of packets of shared addresses (RFC 7597 §8.3.2): the first has the ports, the others follow it, and wait for it when
 * they come before it. Two lists without limits. It shares nothing with src/datapath.
 */

import type { Amount } from './naive-model.ts';
import type { NaivePorts } from './naive-port-sets.ts';

/** The ports of a packet are known so long (RFC 791 §3.2). */
const KNOWN_MS = 15_000;
/** A fragment waits so long for the first one. */
const WAIT_MS = 2_000;

export interface WaitingFragment {
  readonly key: string;
  readonly since: number;
  /** What is decided when its ports are known. */
  readonly packet: Buffer;
  /** What was received: the packet, or the fragments it was put together from. */
  readonly amount: Readonly<Amount>;
}

export class NaivePortFragments {
  readonly #known = new Map<string, { readonly ports: NaivePorts; readonly since: number }>();
  #waiting: WaitingFragment[] = [];

  get waiting(): readonly WaitingFragment[] {
    return this.#waiting;
  }

  /** Packets whose ports are known, or were. */
  get known(): number {
    return this.#known.size;
  }

  learn(key: string, ports: NaivePorts, nowMs: number): void {
    this.#known.set(key, { ports, since: nowMs });
  }

  find(key: string, nowMs: number): NaivePorts | undefined {
    const known = this.#known.get(key);
    return known && nowMs - known.since <= KNOWN_MS ? known.ports : undefined;
  }

  wait(fragment: WaitingFragment): void {
    this.#waiting.push(fragment);
  }

  /** Those whose waiting ends now, in the order they came: too late, or their first fragment is there. */
  end(nowMs: number): { readonly fragment: WaitingFragment; readonly isLate: boolean }[] {
    if (this.#waiting.length === 0) return [];
    const ended = this.#waiting
      .map((fragment) => ({ fragment, isLate: nowMs - fragment.since > WAIT_MS }))
      .filter(({ fragment, isLate }) => isLate || this.find(fragment.key, nowMs));
    const gone = new Set(ended.map(({ fragment }) => fragment));
    this.#waiting = this.#waiting.filter((fragment) => !gone.has(fragment));
    return ended;
  }

  /** Forgets what is too old to be used. */
  forget(nowMs: number): void {
    for (const [key, { since }] of this.#known) if (nowMs - since > KNOWN_MS) this.#known.delete(key);
  }
}
