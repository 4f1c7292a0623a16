/**
 * The memory that request bodies take, from their first octet until the request is answered: of one connection, of one source and of all.
 * Where it becomes too much, an unfinished one is given up: the largest of the connection or source that has too much, and where all
 * together have it, the largest of the source that has most. So a source with little is left alone while another has more.
 */

import type { RestconfLimits } from '../../restconf-limits.ts';

/** What one request holds. */
export interface HeldBody {
  /** Octets of memory that its body takes by now, about. */
  note(octets: number): void;
  /** The body is whole, and will not be given up. */
  whole(): void;
  /** The request is answered, or over. */
  end(): void;
}

interface Share {
  octets: number;
  isWhole: boolean;
  readonly groups: readonly Group[];
  readonly giveUp: () => void;
}

interface Group {
  readonly limit: number;
  readonly shares: Set<Share>;
  total: number;
}

type HeldLimits = Pick<RestconfLimits, 'heldOctets' | 'heldOctetsPerSource' | 'heldOctetsPerConnection'>;

export class HeldBodies {
  readonly #limits: HeldLimits;
  readonly #all: Group;
  readonly #sources = new Map<string, Group>();
  readonly #connections = new Map<object, Group>();

  constructor(limits: HeldLimits) {
    this.#limits = limits;
    this.#all = groupOf(limits.heldOctets);
  }

  /** Octets that all hold, about. */
  get total(): number {
    return this.#all.total;
  }

  /** For a request; `giveUp` is called at most once, when its unfinished body is one too many. */
  join(connection: object, source: string, giveUp: () => void): HeldBody {
    const { heldOctetsPerSource, heldOctetsPerConnection } = this.#limits;
    const ofSource = member(this.#sources, source, heldOctetsPerSource);
    const ofConnection = member(this.#connections, connection, heldOctetsPerConnection);
    const groups = [ofConnection, ofSource, this.#all];
    const share: Share = { octets: 0, isWhole: false, groups, giveUp };
    for (const group of groups) group.shares.add(share);
    return {
      note: (octets) => this.#note(share, octets),
      whole: () => {
        share.isWhole = true;
      },
      end: () => {
        this.#leave(share);
        if (ofSource.shares.size === 0) this.#sources.delete(source);
        if (ofConnection.shares.size === 0) this.#connections.delete(connection);
      },
    };
  }

  #note(share: Share, octets: number): void {
    if (!this.#all.shares.has(share)) return;
    const more = octets - share.octets;
    share.octets = octets;
    for (const group of share.groups) group.total += more;
    for (const group of share.groups) {
      while (group.total > group.limit) {
        const largest = group === this.#all ? this.#largestOfGreatest() : largestOf(group);
        if (!largest) break;
        this.#leave(largest);
        largest.giveUp();
      }
    }
  }

  #largestOfGreatest(): Share | undefined {
    const groups = [...this.#sources.values()].sort((one, other) => other.total - one.total);
    for (const group of groups) {
      const largest = largestOf(group);
      if (largest) return largest;
    }
    return undefined;
  }

  #leave(share: Share): void {
    for (const group of share.groups) if (group.shares.delete(share)) group.total -= share.octets;
  }
}

function groupOf(limit: number): Group {
  return { limit, shares: new Set(), total: 0 };
}

/** The group of a key, which is made for its first member. */
function member<Key>(groups: Map<Key, Group>, key: Key, limit: number): Group {
  const group = groups.get(key) ?? groupOf(limit);
  groups.set(key, group);
  return group;
}

/** What came whole is carried out and goes by itself. */
function largestOf({ shares }: Group): Share | undefined {
  let largest: Share | undefined;
  for (const share of shares) if (!share.isWhole && share.octets > (largest?.octets ?? 0)) largest = share;
  return largest;
}
