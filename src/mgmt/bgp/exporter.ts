/**
 * What gateways announce over BGP: which paths are in GoBGP's table (own-paths.ts), and which neighbor is told of them (export-policy.ts).
 *
 * Who can take them is known only when a session is up, so nothing is let out before, and announcements follow its beginning. A neighbor that
 * keeps routes of a lost session (RFC 4724) may hear the end of the announcements before them; one of this program waits for that.
 */

import type { Log } from '../../log.ts';
import { inSlices } from '../../state/row-changes.ts';
import type { EngineClient } from './engine-client.ts';
import { ASSIGNMENT, type LetOut, policies } from './export-policy.ts';
import { PathChanges, pathsTo } from './own-paths.ts';
import { type OwnPath, pathOf } from './paths.ts';
import type { PeerFacts } from './peer-request.ts';

const OUT = 1;
const RETRY_MS = 2_000;
const LARGEST_MARK = 0xffff;
/** More prefixes than that are not noted one by one: all are looked at. */
const FEW_PREFIXES = 10_000;
const NO_PATHS: readonly OwnPath[] = [];

/** What one gateway announces. */
export interface Announced {
  /** Its tunnel address. */
  readonly nextHop: string;
  readonly neighbors: readonly string[];
  /** Prefix numbers (see `prefixNumber`). It may change where it is: that is told by `set`. */
  readonly routes: ReadonlySet<number>;
}

/** What the neighbor of a session is capable of. */
export type Capable = Pick<PeerFacts, 'hasIpv6NextHop' | 'takesAllPaths'>;

export interface ExporterParts {
  readonly log: Log;
  /** A gateway's routes are with a neighbor for the first time. */
  readonly onTold: (gateway: string) => void;
}

export class Exporter {
  readonly #parts: ExporterParts;
  readonly #gateways = new Map<string, Announced & { readonly mark: number }>();
  readonly #told = new Set<string>();
  /** Neighbors whose session is up and can have IPv6 next hops, and whether they take several paths of a prefix. */
  readonly #reached = new Map<string, boolean>();
  #client: EngineClient | undefined;
  #isOurs = false;
  /** What GoBGP has, by prefix number. */
  #paths = new Map<number, readonly OwnPath[]>();
  /** Prefixes whose paths may be others now; undefined where those of any may. */
  #changed: Set<number> | undefined = new Set();
  #let = new Map<string, LetOut>();
  #turn: Promise<void> = Promise.resolve();
  #isDue = false;

  constructor(parts: ExporterParts) {
    this.#parts = parts;
  }

  /**
   * A gateway announces this; undefined for nothing any more. `changed` are prefixes that may have come or gone since the last time, any
   * where it is not said.
   */
  set(gateway: string, announced: Announced | undefined, changed: readonly number[] | undefined): void {
    const before = this.#gateways.get(gateway);
    if (!announced || announced.neighbors.length === 0) {
      this.#told.delete(gateway);
      if (!before) return;
      this.#gateways.delete(gateway);
      this.#note(before.routes);
      this.#note(changed);
    } else {
      const isOther = !before || !isSame(before, announced);
      if (!isOther && changed?.length === 0) return;
      const mark = before?.mark ?? this.#freeMark();
      if (mark === undefined) return;
      this.#gateways.set(gateway, { ...announced, mark });
      if (before && isOther) this.#note(before.routes);
      if (isOther) this.#note(announced.routes);
      // They may have gone from the very set that was announced before.
      if (before) this.#note(changed);
    }
    this.#bringSoon();
  }

  #note(changed: readonly number[] | ReadonlySet<number> | undefined): void {
    const more = changed && ('size' in changed ? changed.size : changed.length);
    if (!this.#changed || !changed || this.#changed.size + (more ?? 0) > FEW_PREFIXES) this.#changed = undefined;
    else for (const number of changed) this.#changed.add(number);
  }

  /** The model has fewer gateways than there are marks. */
  #freeMark(): number | undefined {
    const taken = new Set([...this.#gateways.values()].map(({ mark }) => mark));
    for (let mark = 1; mark <= LARGEST_MARK; mark++) if (!taken.has(mark)) return mark;
    return undefined;
  }

  /** Whether the routes of a gateway have been with a neighbor. */
  isTold(gateway: string): boolean {
    return this.#told.has(gateway);
  }

  /** A session is up, with what the neighbor is capable of, or down. */
  session(address: string, capable?: Capable): void {
    const takesAll = capable?.hasIpv6NextHop ? capable.takesAllPaths : undefined;
    if (takesAll === this.#reached.get(address)) return;
    if (takesAll === undefined) this.#reached.delete(address);
    else this.#reached.set(address, takesAll);
    this.#bringSoon();
  }

  /** A new GoBGP, which has nothing yet. */
  prepare(client: EngineClient, isOurs: boolean): Promise<void> {
    const prepared = this.#turn.then(() => this.#prepare(client, isOurs));
    this.#turn = prepared.catch(() => undefined);
    return prepared;
  }

  async #prepare(client: EngineClient, isOurs: boolean): Promise<void> {
    this.#client = client;
    this.#isOurs = isOurs;
    this.#paths = new Map();
    this.#changed = undefined;
    this.#let = new Map();
    if (isOurs) {
      await client.call('SetPolicies', policies(this.#let));
      await client.call('SetPolicyAssignment', { assignment: ASSIGNMENT });
    }
    await this.#bring(client);
  }

  down(): void {
    this.#client = undefined;
    this.#reached.clear();
  }

  #bringSoon(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    this.#turn = this.#turn.then(async () => {
      this.#isDue = false;
      const client = this.#client;
      if (!client) return;
      try {
        await this.#bring(client);
      } catch (error) {
        if (client !== this.#client) return;
        this.#parts.log.warn({ error: String(error) }, 'routes could not be announced: tried again');
        setTimeout(() => this.#bringSoon(), RETRY_MS).unref();
      }
    });
  }

  async #bring(client: EngineClient): Promise<void> {
    const names = [...this.#gateways.keys()];
    await this.#bringPaths(client);
    if (this.#isOurs) await this.#bringPolicies(client);
    for (const name of names) {
      const neighbors = this.#gateways.get(name)?.neighbors ?? [];
      if (this.#told.has(name) || !neighbors.some((address) => this.#reached.has(address))) continue;
      this.#told.add(name);
      this.#parts.onTold(name);
    }
  }

  async #bringPaths(client: EngineClient): Promise<void> {
    const noted = this.#changed;
    this.#changed = new Set();
    const paths = this.#paths;
    const gateways = [...this.#gateways.values()];
    const changes = new PathChanges();
    const news: (readonly [number, readonly OwnPath[]])[] = [];
    const look = (number: number) => {
      const after = pathsTo(number, gateways, this.#isOurs);
      if (changes.add(paths.get(number) ?? NO_PATHS, after)) news.push([number, after]);
    };
    for (const [at, { routes }] of noted ? [] : gateways.entries()) {
      const earlier = gateways.slice(0, at);
      await inSlices(routes, (number) => {
        if (!earlier.some((other) => other.routes.has(number))) look(number);
      });
    }
    await inSlices(noted ?? paths.keys(), (number) => {
      if (noted || !gateways.some(({ routes }) => routes.has(number))) look(number);
    });
    if (changes.size === 0) return;
    try {
      await client.addPaths(pathMessages(changes), changes.size);
    } catch (error) {
      this.#changed = undefined;
      throw error;
    }
    await inSlices(news, ([number, after]) => {
      if (after.length > 0) paths.set(number, after);
      else paths.delete(number);
    });
  }

  async #bringPolicies(client: EngineClient): Promise<void> {
    const wanted = new Map<string, LetOut>();
    for (const [address, takesAll] of this.#reached) {
      const telling = [...this.#gateways.values()].filter(({ neighbors }) => neighbors.includes(address));
      if (telling.length === 0) continue;
      const nextHops = [...new Set(telling.map(({ nextHop }) => nextHop))].sort();
      const shared = takesAll ? [] : telling.map(({ mark, nextHop }) => [mark, nextHop] as const);
      wanted.set(address, { nextHops, shared });
    }
    const changed = [...new Set([...wanted.keys(), ...this.#let.keys()])].filter(
      (address) => JSON.stringify(wanted.get(address)) !== JSON.stringify(this.#let.get(address)),
    );
    if (changed.length === 0) return;
    await client.call('SetPolicies', policies(wanted));
    this.#let = wanted;
    for (const address of changed) {
      if (!this.#reached.has(address)) continue;
      await client.call('ResetPeer', { address, soft: true, direction: OUT });
    }
  }

  /** A planned end. */
  close(): void {
    this.#client = undefined;
  }
}

function* pathMessages(changes: PathChanges): Generator<object> {
  for (const [path, isWithdrawn] of changes) yield pathOf(path, isWithdrawn);
}

/** But for the routes. */
function isSame(a: Announced, b: Announced): boolean {
  return a.nextHop === b.nextHop && a.neighbors.join() === b.neighbors.join() && a.routes === b.routes;
}
