/** What NETCONF sessions did (RFC 6022 §2.1.4, §2.1.5): counted as it happens, for each session and for all since the start. */

/** Leaves of the grouping common-counters. */
export type RpcCounter = 'in-rpcs' | 'in-bad-rpcs' | 'out-rpc-errors' | 'out-notifications';

export class RpcCounters {
  readonly #counts: Record<RpcCounter, number> = {
    'in-rpcs': 0,
    'in-bad-rpcs': 0,
    'out-rpc-errors': 0,
    'out-notifications': 0,
  };
  readonly #all: RpcCounters | undefined;

  /** Whatever is counted here is counted in `all` too. */
  constructor(all?: RpcCounters) {
    this.#all = all;
  }

  count(name: RpcCounter): void {
    this.#counts[name]++;
    this.#all?.count(name);
  }

  get leaves(): Readonly<Record<RpcCounter, number>> {
    const counts = this.#counts;
    return {
      'in-rpcs': counter32(counts['in-rpcs']),
      'in-bad-rpcs': counter32(counts['in-bad-rpcs']),
      'out-rpc-errors': counter32(counts['out-rpc-errors']),
      'out-notifications': counter32(counts['out-notifications']),
    };
  }
}

export class NetconfStatistics {
  readonly started = new Date();
  readonly all = new RpcCounters();
  /** Sessions that were greeted. */
  sessions = 0;
  /** Of these, ended for what they sent as hello. */
  badHellos = 0;
  /** Ended neither by close-session nor by kill-session, nor for their hello. */
  dropped = 0;

  /** The leaves of container statistics. */
  get leaves(): Readonly<Record<string, number | string>> {
    return {
      'netconf-start-time': this.started.toISOString(),
      'in-bad-hellos': counter32(this.badHellos),
      'in-sessions': counter32(this.sessions),
      'dropped-sessions': counter32(this.dropped),
      ...this.all.leaves,
    };
  }
}

/** zero-based-counter32 begins anew after its largest value (RFC 6991 §3). */
function counter32(count: number): number {
  return count % 2 ** 32;
}
