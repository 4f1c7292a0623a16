/**
 * The IPv4 routes of the kernel, followed: whoever listens is told which prefixes may have changed.
 *
 * All tables are read once, and news of single routes bring on what is known. They are read anew where news do not say all: when a link goes
 * down the kernel removes IPv4 routes without a word of each, and news can be lost. What comes during a reading is applied to it once
 * more; the links, addresses and next hops that make routes go without a word are told of after those, and so read for. The next reading waits in proportion to what the last one took, so that a table of any size that never stands still leaves time
 * for others.
 */

import type { NetlinkMessage } from 'netlink';
import type { RouteNews } from './netlink.ts';
import { ipv4News, Netlink } from './netlink.ts';
import { Ipv4News } from './netlink-socket.ts';
import type { Ipv4Routes } from './route-state.ts';
import { numberOf, RouteState } from './route-state.ts';

/** All routes as they are from now on, and prefixes (address * 64 + length) of which any may have come or gone. */
export type OnRoutes = (routes: Ipv4Routes, changed: readonly number[]) => void;

const GATHER_MS = 30;
/** Of the time the last reading took. */
const REST_FACTOR = 2;
/** Readings without news: what no news told of. */
const REFRESH_MS = 30_000;
const RETRY_MS = 1_000;
/** Compared without a pause. */
const SLICE_ROUTES = 10_000;

export class RouteWatch implements Ipv4Routes {
  readonly #onRoutes: OnRoutes;
  readonly #onFault: (message: string) => void;
  readonly #netlink = new Netlink();
  readonly #news: Ipv4News;
  /** Undefined before the first reading. */
  #state: RouteState | undefined;
  #waiting: RouteNews[] = [];
  /** What came since a reading began; undefined while there is none. */
  #meanwhile: RouteNews[] | undefined;
  #gathering: NodeJS.Timeout | undefined;
  #losses = 0;
  #isReading = false;
  #timer: NodeJS.Timeout | undefined;
  #dueMs = Number.POSITIVE_INFINITY;
  #earliestMs = 0;
  #isClosed = false;

  /** `onFault` is told when the kernel could not be read; it is tried again. */
  constructor(onRoutes: OnRoutes, onFault: (message: string) => void) {
    this.#onRoutes = onRoutes;
    this.#onFault = onFault;
    this.#news = new Ipv4News((messages) => this.#hear(messages));
    this.#readIn(0);
  }

  has(table: number, number: number): boolean {
    return this.#state?.has(table, number) ?? false;
  }

  numbers(table: number): Iterable<number> {
    return this.#state?.numbers(table) ?? [];
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#gathering);
    this.#news.close();
    this.#netlink.close();
  }

  #hear(messages: readonly NetlinkMessage[] | undefined): void {
    if (this.#isClosed) return;
    if (!messages) this.#readIn(GATHER_MS);
    for (const message of messages ?? []) {
      const news = ipv4News(message);
      if (news === 'all') this.#readIn(GATHER_MS);
      else if (news) this.#waiting.push(news);
    }
    this.#gathering ??= setTimeout(() => this.#take(), GATHER_MS).unref();
  }

  #take(): void {
    clearTimeout(this.#gathering);
    this.#gathering = undefined;
    this.#lookForLosses();
    const news = this.#waiting;
    this.#waiting = [];
    this.#meanwhile?.push(...news);
    if (!this.#state || news.length === 0) return;
    const changed = this.#apply(this.#state, news, false);
    this.#onRoutes(this, [...changed]);
  }

  #lookForLosses(): void {
    const { losses } = this.#news;
    if (losses !== this.#losses) this.#readIn(GATHER_MS);
    this.#losses = losses;
  }

  #apply(state: RouteState, news: readonly RouteNews[], isLate: boolean): Set<number> {
    const changed = new Set<number>();
    for (const item of news) {
      if (!state.apply(item, isLate)) this.#readIn(GATHER_MS);
      changed.add(numberOf(item.route));
    }
    return changed;
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
      await this.#readAll();
    } catch (error) {
      if (!this.#isClosed) this.#onFault(error instanceof Error ? error.message : String(error));
      this.#earliestMs = performance.now() + RETRY_MS;
    } finally {
      this.#isReading = false;
      this.#meanwhile = undefined;
      const tookMs = performance.now() - begun;
      this.#earliestMs = Math.max(this.#earliestMs, performance.now() + REST_FACTOR * tookMs);
      this.#readIn(REFRESH_MS);
    }
  }

  async #readAll(): Promise<void> {
    // What was told before it is older than the reading.
    this.#take();
    this.#meanwhile = [];
    const fresh = new RouteState();
    await this.#netlink.eachIpv4Route((route) => fresh.put(route));
    if (this.#isClosed) return;
    await this.#news.heard();
    this.#take();
    const before = this.#state;
    const meanwhile = this.#meanwhile;
    const changed = this.#apply(fresh, meanwhile, true);
    // Whether the reading has seen what news tell of is not always to be told: where both ends differ, the next one decides.
    if (meanwhile.some(({ route }) => !before || !fresh.isAsIn(before, route))) this.#readIn(GATHER_MS);
    this.#meanwhile = undefined;
    this.#state = fresh;
    for await (const numbers of differences(before ?? new RouteState(), fresh))
      for (const number of numbers) changed.add(number);
    if (!this.#isClosed && (!before || changed.size > 0)) this.#onRoutes(this, [...changed]);
  }
}

/** Prefixes that are followed in one of two states alone, in parts between which others have their turn. */
async function* differences(before: RouteState, after: RouteState): AsyncGenerator<readonly number[]> {
  let [found, looked]: [number[], number] = [[], 0];
  for (const [state, other] of [
    [before, after],
    [after, before],
  ] as const) {
    for (const [table, number] of state.places()) {
      if (state.has(table, number) && !other.has(table, number)) found.push(number);
      if (++looked % SLICE_ROUTES !== 0) continue;
      yield found;
      found = [];
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  yield found;
}
