/** What a role learned from the network, as the control channel tells it. */

import { formatIpv4, formatIpv6 } from '../address.ts';
import type { LearnedPathMtu, SourceRefusal } from '../control.ts';
import type { LearnedMtu } from './path-mtus.ts';
import type { Refusals } from './source-refusals.ts';

/** By far end: an AFTR may reach one from several addresses. */
export function smallestOfEach(mtus: readonly LearnedMtu[]): LearnedPathMtu[] {
  const found = new Map<string, number>();
  for (const { remote, mtu } of mtus) {
    const address = formatIpv6(remote);
    found.set(address, Math.min(mtu, found.get(address) ?? mtu));
  }
  return [...found].map(([remote, mtu]) => ({ remote, mtu }));
}

/** When packets of a source were refused, by the clock of the batches. */
export function refusalOf({ count, lastMs, lastIpv4Source }: Refusals, nowMs: number): SourceRefusal {
  const lastTime = new Date(Date.now() - (nowMs - lastMs)).toISOString();
  return { packets: count, lastTime, lastIpv4Source: formatIpv4(lastIpv4Source) };
}
