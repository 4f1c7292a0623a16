/** Path MTUs that the naive engine has learned (RFC 8201): in a map. It shares nothing with src/datapath. */

import { outerLength } from './naive-encapsulation.ts';
import type { NaiveInstance, NaiveLead } from './naive-model.ts';

/** Ten minutes (§5.3), in tenths of a second. */
const AGE_TENTHS = 6_000;

export class NaivePathMtus {
  readonly #learned = new Map<string, { readonly lead: NaiveLead; readonly mtu: number; readonly since: number }>();

  /** The largest inner packet that goes whole to a far end. */
  payloadMtu(lead: NaiveLead, nowMs: number): number {
    const before = outerLength(lead.instance);
    const configured = Math.max(68, lead.instance.payloadMtu - (before - 40));
    const known = this.#learned.get(keyOf(lead));
    const isOld = known && Math.floor(nowMs / 100) - known.since >= AGE_TENTHS;
    return known && !isOld ? Math.min(configured, known.mtu - before) : configured;
  }

  /** It only falls, and not below what any link takes (§4). */
  learn(lead: NaiveLead, mtu: number, nowMs: number): void {
    if (mtu < 1_280 || mtu - outerLength(lead.instance) >= this.payloadMtu(lead, nowMs)) return;
    this.#learned.set(keyOf(lead), { lead, mtu, since: Math.floor(nowMs / 100) });
  }

  /** Forgets what was learned of tunnel addresses that are not these any more. */
  keepOnly(instances: readonly NaiveInstance[]): void {
    for (const [key, { lead }] of this.#learned) {
      const instance = instances.find(({ name }) => name === lead.instance.name);
      if (!instance?.locals.some((local) => local.equals(lead.local))) this.#learned.delete(key);
    }
  }
}

function keyOf({ instance, local, remote }: NaiveLead): string {
  return [instance.name, local.toString('hex'), remote.toString('hex')].join();
}
