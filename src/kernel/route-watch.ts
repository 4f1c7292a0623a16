/**
 * The IPv4 routes of the kernel, followed: whoever listens is told of all of them whenever they may have changed.
 *
 * News say that something changed, and the tables are read anew then: when a link goes down the kernel removes IPv4 routes without a
 * word of each, and news can be lost. News of a short while are answered by one reading, and the next waits in proportion to what
 * the last one took, so that a table of any size that never stands still leaves time for others.
 */

import type { Route } from './netlink.ts';
import { Netlink, PROTOCOL } from './netlink.ts';
import { watchIpv4 } from './netlink-socket.ts';

/** An IPv4 unicast route that is none of ours. */
export interface Ipv4Route {
  readonly table: number;
  readonly address: number;
  readonly length: number;
}

const GATHER_MS = 30;
/** Of the time the last reading took. */
const REST_FACTOR = 2;
/** Readings without news: what no news told of. */
const REFRESH_MS = 30_000;
const RETRY_MS = 1_000;
/** More than the lengths of prefixes. */
const LENGTHS = 64;
/** More than any metric. */
const METRICS = 2 ** 32;

export class RouteWatch {
  readonly #onRoutes: (routes: readonly Ipv4Route[]) => void;
  readonly #onFault: (message: string) => void;
  readonly #netlink = new Netlink();
  readonly #unwatch: () => void;
  #timer: NodeJS.Timeout | undefined;
  #dueMs = Number.POSITIVE_INFINITY;
  #earliestMs = 0;
  #isReading = false;
  #isClosed = false;

  /** `onFault` is told when the kernel could not be read; it is tried again. */
  constructor(onRoutes: (routes: readonly Ipv4Route[]) => void, onFault: (message: string) => void) {
    this.#onRoutes = onRoutes;
    this.#onFault = onFault;
    this.#unwatch = watchIpv4(() => this.#readIn(GATHER_MS));
    this.#readIn(0);
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#unwatch();
    this.#netlink.close();
  }

  #readIn(delayMs: number): void {
    const due = Math.max(performance.now() + delayMs, this.#earliestMs);
    if (this.#isClosed || this.#dueMs <= due) return;
    this.#dueMs = due;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#read(), due - performance.now());
    this.#timer.unref();
  }

  async #read(): Promise<void> {
    this.#dueMs = Number.POSITIVE_INFINITY;
    if (this.#isReading) return this.#readIn(GATHER_MS);
    this.#isReading = true;
    const begun = performance.now();
    try {
      const routes = await this.#netlink.routes(4);
      if (!this.#isClosed) this.#onRoutes(followed(routes));
    } catch (error) {
      if (!this.#isClosed) this.#onFault(error instanceof Error ? error.message : String(error));
      this.#earliestMs = performance.now() + RETRY_MS;
    } finally {
      this.#isReading = false;
      const tookMs = performance.now() - begun;
      this.#earliestMs = Math.max(this.#earliestMs, performance.now() + REST_FACTOR * tookMs);
      this.#readIn(REFRESH_MS);
    }
  }
}

/**
 * Unicast routes that the kernel goes by: of those to one prefix in one table the one of the least metric, so that none counts that
 * stands behind a blackhole or an unreachable route. Routes of a type of service, by which only some packets go, count where there is no
 * other to the prefix. What leads to a softwire carries our protocol number.
 */
export function followed(routes: readonly Route[]): Ipv4Route[] {
  const tables = new Map<number, Map<number, Route>>();
  for (const route of routes) {
    if (route.protocol === PROTOCOL) continue;
    const best = tables.get(route.table) ?? new Map<number, Route>();
    tables.set(route.table, best);
    const key = addressOf(route) * LENGTHS + route.length;
    const other = best.get(key);
    if (!other || rankOf(route) < rankOf(other)) best.set(key, route);
  }
  return [...tables.values()].flatMap((best) => [...best.values()].filter(({ kind }) => kind === 'unicast').map(plain));
}

function rankOf({ tos = 0, metric }: Route): number {
  return tos === 0 ? metric : METRICS + metric;
}

function addressOf({ octets }: Route): number {
  return Buffer.from(octets.buffer, octets.byteOffset, octets.length).readUInt32BE(0);
}

function plain(route: Route): Ipv4Route {
  return { table: route.table, address: addressOf(route), length: route.length };
}
