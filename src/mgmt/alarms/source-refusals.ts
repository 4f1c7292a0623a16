/**
 * Which refusals of an AFTR become a notification (RFC 7596 §5.1): one a minute for each gateway. What is held back is in
 * `suppressed` of the next one, which comes when the minute is over.
 */

import type { ObservedInstance } from '../../control.ts';

const GATEWAY_MS = 60_000;

export interface RefusalNotice {
  readonly gateway: string;
  readonly innerSource: string;
  /** Packets beside the one that is told of. */
  readonly suppressed: number;
}

interface Gateway {
  /** What its count said last. */
  counted: number;
  /** Not told of yet. */
  packets: number;
  toldMs: number | undefined;
}

export class SourceRefusals {
  #gateways = new Map<string, Gateway>();
  /** What was counted before this process looked for the first time is no news. */
  #isFirst = true;

  /** Takes what the gateways say; the notifications that are due. Those that are not there any more are forgotten. */
  take(instances: readonly ObservedInstance[], nowMs: number): RefusalNotice[] {
    const notices: RefusalNotice[] = [];
    const before = this.#gateways;
    this.#gateways = new Map();
    for (const { role, name, refusal } of instances) {
      if (role !== 'gateway') continue;
      const counted = refusal?.packets ?? 0;
      const gateway = before.get(name) ?? { counted: this.#isFirst ? counted : 0, packets: 0, toldMs: undefined };
      this.#gateways.set(name, gateway);
      // A count that fell began anew.
      gateway.packets += counted < gateway.counted ? counted : counted - gateway.counted;
      gateway.counted = counted;
      const isDue = gateway.toldMs === undefined || nowMs - gateway.toldMs >= GATEWAY_MS;
      if (!refusal || gateway.packets === 0 || !isDue) continue;
      notices.push({ gateway: name, innerSource: refusal.innerSource, suppressed: gateway.packets - 1 });
      gateway.packets = 0;
      gateway.toldMs = nowMs;
    }
    this.#isFirst = false;
    return notices;
  }
}
