/** What is wrong with BGP, as conditions of alarms. */

import type { Condition } from '../alarms/alarm-list.ts';

/** A session that is down for less is only being established. */
const DOWN_MS = 10_000;
const ROOT = '/gi-4over6:softwire/bgp';

/** BGP as it is now. */
export interface BgpSight {
  /** GoBGP does not run. */
  readonly isFailing: boolean;
  readonly neighbors: readonly {
    readonly address: string;
    readonly isEstablished: boolean;
    /** The session is up, and cannot have IPv6 next hops. */
    readonly lacksIpv6NextHop: boolean;
  }[];
}

export class BgpAlarms {
  readonly #downSince = new Map<string, number>();

  /** What is wrong now; `nowMs` is of a clock that never goes back. */
  conditions(
    { isFailing, neighbors }: BgpSight,
    nowMs: number,
  ): Record<'bgp-down' | 'bgp-without-ipv6-next-hop', Condition[]> {
    const down = neighbors.filter(({ isEstablished }) => !isEstablished).map(({ address }) => pathOf(address));
    const all = isFailing ? [ROOT, ...down] : down;
    for (const resource of this.#downSince.keys()) if (!all.includes(resource)) this.#downSince.delete(resource);
    const long = all.filter((resource) => {
      const sinceMs = this.#downSince.get(resource) ?? nowMs;
      this.#downSince.set(resource, sinceMs);
      return nowMs - sinceMs >= DOWN_MS;
    });
    const lacking = neighbors.filter(({ lacksIpv6NextHop }) => lacksIpv6NextHop);
    return {
      'bgp-down': long.map((resource) => ({ resource, severity: 'major', text: textOf(resource) })),
      'bgp-without-ipv6-next-hop': lacking.map(({ address }) => {
        const text = 'the session is up without routes: the neighbor has no extended next hop capability for IPv4';
        return { resource: pathOf(address), severity: 'major', text };
      }),
    };
  }
}

function textOf(resource: string): string {
  if (resource === ROOT) return 'GoBGP does not run: see last-problem';
  return 'the BGP session is not established: see whether the neighbor runs, is reached, and has the same AS numbers and password';
}

function pathOf(address: string): string {
  return `${ROOT}/neighbor[address='${address}']`;
}
