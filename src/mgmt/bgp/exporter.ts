/**
 * What gateways announce over BGP. A path is in GoBGP's table for each prefix, with the tunnel address of the first gateway that has it as
 * next hop; which neighbor is told of it is said by an export policy, which lets nothing else out:
 *
 *     a neighbor that can take IPv6 next hops (RFC 8950 section 4), and is named by a gateway    paths of that gateway
 *     any other                                                                               nothing
 *
 * Who can take them is known only when a session is up, so nothing is let out before, and announcements follow its beginning. A neighbor that
 * keeps routes of a lost session (RFC 4724) may hear the end of the announcements before them; one of this program waits for that.
 */

import type { Log } from '../../log.ts';
import type { EngineClient } from './engine-client.ts';
import { pathOf } from './paths.ts';

const NEIGHBOR_SET = 1;
const LOCAL_ROUTES = 3;
const [ACCEPT, REJECT] = [1, 2];
const EXPORT = 2;
const OUT = 1;
const RETRY_MS = 2_000;

/** What one gateway announces. */
export interface Announced {
  /** Its tunnel address. */
  readonly nextHop: string;
  readonly neighbors: readonly string[];
  /** Prefix numbers (see `prefixNumber`). */
  readonly routes: ReadonlySet<number>;
}

export interface ExporterParts {
  readonly log: Log;
  /** A gateway's routes are with a neighbor for the first time. */
  readonly onTold: (gateway: string) => void;
}

export class Exporter {
  readonly #parts: ExporterParts;
  readonly #gateways = new Map<string, Announced>();
  readonly #told = new Set<string>();
  /** Neighbors whose session is up and can have IPv6 next hops. */
  readonly #reached = new Set<string>();
  #client: EngineClient | undefined;
  #isOurs = false;
  /** What GoBGP has: next hop by prefix number, and next hops by neighbor. */
  #paths = new Map<number, string>();
  #let = new Map<string, string>();
  #turn: Promise<void> = Promise.resolve();
  #isDue = false;

  constructor(parts: ExporterParts) {
    this.#parts = parts;
  }

  /** A gateway announces this; undefined for nothing any more. */
  set(gateway: string, announced: Announced | undefined): void {
    const before = this.#gateways.get(gateway);
    if (!announced || announced.neighbors.length === 0) {
      this.#told.delete(gateway);
      if (!this.#gateways.delete(gateway)) return;
    } else {
      if (before && isSame(before, announced)) return;
      this.#gateways.set(gateway, announced);
    }
    this.#bringSoon();
  }

  /** Whether the routes of a gateway have been with a neighbor. */
  isTold(gateway: string): boolean {
    return this.#told.has(gateway);
  }

  /** A session is up, with or without the capability, or down. */
  session(address: string, isEstablished: boolean, hasIpv6NextHop = false): void {
    const isReached = isEstablished && hasIpv6NextHop;
    if (isReached === this.#reached.has(address)) return;
    if (isReached) this.#reached.add(address);
    else this.#reached.delete(address);
    this.#bringSoon();
  }

  /** A new GoBGP, which has nothing yet. */
  async prepare(client: EngineClient, isOurs: boolean): Promise<void> {
    this.#client = client;
    this.#isOurs = isOurs;
    this.#paths = new Map();
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
    const wanted = new Map<number, string>();
    for (const { nextHop, routes } of this.#gateways.values()) {
      for (const number of routes) if (!wanted.has(number)) wanted.set(number, nextHop);
    }
    const changes: object[] = [];
    for (const [number, nextHop] of this.#paths) if (!wanted.has(number)) changes.push(pathOf(number, nextHop, true));
    for (const [number, nextHop] of wanted) {
      if (this.#paths.get(number) !== nextHop) changes.push(pathOf(number, nextHop, false));
    }
    if (changes.length === 0) return;
    await client.addPaths(changes);
    this.#paths = wanted;
  }

  async #bringPolicies(client: EngineClient): Promise<void> {
    const wanted = new Map<string, string>();
    for (const address of this.#reached) {
      const hops = [...this.#gateways.values()].filter(({ neighbors }) => neighbors.includes(address));
      if (hops.length > 0) wanted.set(address, [...new Set(hops.map(({ nextHop }) => nextHop))].sort().join(' '));
    }
    const changed = [...new Set([...wanted.keys(), ...this.#let.keys()])].filter(
      (address) => wanted.get(address) !== this.#let.get(address),
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

const POLICY = 'gi4over6';
const ASSIGNMENT = { name: 'global', direction: EXPORT, policies: [{ name: POLICY }], defaultAction: REJECT };

/** The message SetPolicies: paths of our own with these next hops go to these neighbors, and nothing else anywhere. */
function policies(letOut: ReadonlyMap<string, string>): object {
  const rows = [...letOut].map(([address, hops], index) => ({
    name: `${POLICY}-${index}`,
    address,
    hops: hops.split(' '),
  }));
  const definedSets = rows.map(({ name, address }) => ({ definedType: NEIGHBOR_SET, name, list: [`${address}/128`] }));
  const statements = rows.map(({ name, hops }) => ({
    name,
    conditions: {
      neighborSet: { type: 0, name },
      routeType: LOCAL_ROUTES,
      nextHopInList: hops.map((hop) => `${hop}/128`),
    },
    actions: { routeAction: ACCEPT },
  }));
  const last = { name: `${POLICY}-rest`, actions: { routeAction: REJECT } };
  return { definedSets, policies: [{ name: POLICY, statements: [...statements, last] }] };
}

function isSame(a: Announced, b: Announced): boolean {
  if (a.nextHop !== b.nextHop || a.neighbors.join() !== b.neighbors.join() || a.routes.size !== b.routes.size)
    return false;
  for (const number of a.routes) if (!b.routes.has(number)) return false;
  return true;
}
