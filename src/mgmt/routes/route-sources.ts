/**
 * The route sources of this device at the AFTR's end: who is heard of, and what becomes of the bindings of who is silent.
 *
 *     idle          nothing of it is bound
 *     established   it advertises; each message begins hold-time anew
 *     stale         it is silent, or this process was started anew: forwarded by for grace-time, then withdrawn; a restart does not
 *                   begin that time anew
 *
 * Messages of one source are taken one after the other.
 */

import { randomInt } from 'node:crypto';
import { formatIpv6, sameIpv6 } from '../../address.ts';
import type { Log } from '../../log.ts';
import { ManagementError } from '../../state/errors.ts';
import type { KeptRoutes, Refused, RouteKind } from '../../state/learned/known-routes.ts';
import type { Advertisement, RouteNews, RouteTable } from '../../state/learned/route-table.ts';
import { sourceOf } from '../../state/learned/route-table.ts';
import type { RouteRefusal } from '../../state/learned/trust.ts';
import type { Softwire } from '../../state/model.generated.ts';
import type { Caller } from '../../state/request.ts';
import { inSlices } from '../../state/row-changes.ts';
import type { RouteMessage } from './session.ts';
import { RouteSession, refusal } from './session.ts';
import type { StaleMoments } from './stale-moments.ts';

/** Session numbers are integers of a double. */
const SESSIONS = 2 ** 48 - 1;
/** Routes beyond maximum-routes that are remembered, most of them as refused: of each source, and of all together beside those. */
const OWN_BEYOND = 1_000;
const SHARED_BEYOND = 100_000;
const SECOND_MS = 1_000;
/** When the store did not take a withdrawal. */
const RETRY_S = 10;
const SYSTEM: Caller = { user: 'system', session: 0, face: 'system' };

export type SourceState = 'idle' | 'established' | 'stale';

/** A message of advertise-routes. */
export type SourceMessage =
  | { readonly kind: 'open'; readonly gateway: Uint8Array }
  | ({ readonly kind: 'in-session'; readonly gateway: Uint8Array } & RouteMessage);

export interface SourceAnswer extends RouteNews {
  readonly session: string;
  readonly sequence: number;
  /** Seconds. */
  readonly holdTime: number;
}

type FoundSource = NonNullable<ReturnType<typeof sourceOf>>;

interface Source {
  state: SourceState;
  session: RouteSession | undefined;
  /** A session that was asked for and has not said all yet. */
  opened: RouteSession | undefined;
  lastHeard: Date | undefined;
  expires: Date | undefined;
  problem: string;
  /** Prevents what the time is for that runs. */
  cancel: () => void;
  turn: Promise<unknown>;
}

/** What the model says of a source. */
export interface SourceReport {
  readonly state: SourceState;
  readonly lastHeard: Date | undefined;
  readonly expires: Date | undefined;
  readonly problem: string;
  readonly refusals: number;
}

export interface RouteSourceParts {
  readonly table: RouteTable;
  readonly softwire: () => Softwire;
  readonly moments: Pick<StaleMoments, 'of' | 'keep' | 'close'>;
  readonly log: Log;
  readonly clock?: SourceClock;
}

/** The two clocks of the sources: what is waited for does not ask the clock of the day, which may be set meanwhile. */
export interface SourceClock {
  /** The clock of the day, for what is told and for what outlives a restart. */
  readonly wallMs: () => number;
  /** Calls `work` in so many milliseconds; what it returns prevents that. */
  readonly after: (ms: number, work: () => void) => () => void;
}

const OWN_CLOCK: SourceClock = {
  wallMs: Date.now,
  after: (ms, work) => {
    const timer = setTimeout(work, ms).unref();
    return () => clearTimeout(timer);
  },
};

export class RouteSources {
  readonly #parts: RouteSourceParts;
  readonly #clock: SourceClock;
  readonly #sources = new Map<string, Source>();
  #isClosed = false;

  constructor(parts: RouteSourceParts) {
    this.#parts = parts;
    this.#clock = parts.clock ?? OWN_CLOCK;
  }

  /** What an earlier run learned is stale: from now on, or since it was so then. */
  async start(): Promise<void> {
    for (const name of await this.#parts.table.resume()) {
      this.#becomeStale(name, 'this AFTR has been started anew', this.#parts.moments.of(name));
    }
  }

  /** The commit that changed the configuration: sources that are gone or have another tunnel address are forgotten. */
  configurationChanged(before: Softwire): void {
    for (const [name, source] of this.#sources) {
      const [old, now] = [sourceOf(before, name), sourceOf(this.#parts.softwire(), name)];
      const isSame = old && now && sameIpv6(old.source.gatewayIpv6Address, now.source.gatewayIpv6Address);
      if (isSame && old.aftr.name === now.aftr.name) continue;
      source.cancel();
      this.#sources.delete(name);
      this.#parts.moments.keep(name, undefined);
      this.#parts.table.forget(name);
    }
  }

  /**
   * Takes a message of the source that the caller has proved to be.
   * @throws ManagementError access-denied for another tunnel address; operation-failed with an app-tag of session.ts; of the commit
   */
  take(caller: Caller, message: SourceMessage): Promise<SourceAnswer> {
    const name = caller.user;
    const source = this.#of(name);
    const taken = source.turn.then(() => this.#take(caller, source, message));
    source.turn = taken.catch(() => undefined);
    return taken.catch((error: unknown) => {
      const problem = error instanceof ManagementError ? error.message : String(error);
      if (problem !== source.problem) this.#parts.log.warn({ source: name, problem }, 'an advertisement was not taken');
      source.problem = problem;
      throw error;
    });
  }

  /**
   * What another protocol carries of a source, and itself knows when it is over: it says so by `mark`.
   * @throws ManagementError of the commit
   */
  tell(name: string, advertisement: Advertisement): Promise<void> {
    const source = this.#of(name);
    const caller: Caller = { ...SYSTEM, user: name };
    const told = source.turn.then(async () => {
      await this.#parts.table.advertise(caller, name, advertisement);
      source.lastHeard = new Date(this.#clock.wallMs());
    });
    source.turn = told.catch(() => undefined);
    return told;
  }

  /** How such a source is now; its stale routes are over at `expires`, and `left` are beyond what is remembered of it. */
  mark(name: string, state: SourceState, expires: Date | undefined, left: number): void {
    const source = this.#of(name);
    source.cancel();
    if (state === 'established' && source.state !== state) source.lastHeard = new Date(this.#clock.wallMs());
    source.state = state;
    this.#expires(name, source, expires);
    const lost = state === 'stale' ? ['the BGP sessions that carry its routes are lost'] : [];
    const tooMany =
      left === 0
        ? []
        : [`expected at most ${this.most(name)} routes (see maximum-routes), found ${left} more, which are left out`];
    source.problem = [...lost, ...tooMany].join('; ');
  }

  /** How many routes are remembered of a source at most. */
  most(name: string): number {
    const found = sourceOf(this.#parts.softwire(), name);
    return found ? this.#most(found) : 0;
  }

  async #take(caller: Caller, source: Source, message: SourceMessage): Promise<SourceAnswer> {
    const name = caller.user;
    const found = sourceOf(this.#parts.softwire(), name);
    if (!found) throw refusal('unknown-session', `there is no route source ${name}`);
    const { gatewayIpv6Address, holdTime } = found.source;
    if (!sameIpv6(gatewayIpv6Address, message.gateway)) {
      const [own, other] = [gatewayIpv6Address, message.gateway].map((address) => formatIpv6(address));
      const text = `route source ${name} advertises for tunnel address ${own}, ${other} came`;
      throw new ManagementError('access-denied', { appTag: 'other-tunnel-address', message: text });
    }
    if (message.kind === 'open') {
      source.opened = new RouteSession(String(randomInt(1, SESSIONS)));
      return { session: source.opened.id, sequence: 0, holdTime, accepted: [], refused: [] };
    }
    const session = this.#sessionOf(source, message.session);
    if (message.isClose) {
      session.checkEnd(message);
      await this.#close(caller, source);
      return { session: session.id, sequence: message.sequence, holdTime, ...NO_NEWS };
    }
    const step = await session.take(message, this.#most(found));
    const news = step ? await this.#advertise(caller, name, step.advertisement) : NO_NEWS;
    await step?.taken();
    if (session === source.opened && session.isWhole) {
      source.session = session;
      source.opened = undefined;
    }
    if (source.session) this.#heard(name, source, holdTime);
    return { session: session.id, sequence: session.sequence, holdTime, ...news };
  }

  /** News of what was not in the message, and all that is refused of a message with all routes: an earlier answer may be lost. */
  async #advertise(caller: Caller, name: string, advertisement: Advertisement): Promise<RouteNews> {
    const { table } = this.#parts;
    const news = await table.advertise(caller, name, advertisement);
    const { isWhole, routes } = advertisement;
    const accepted: number[] = [];
    await inSlices(news.accepted, (number) => {
      if (!routes.has(number)) accepted.push(number);
    });
    if (!isWhole) return { ...news, accepted };
    const refused: (readonly [number, RouteRefusal])[] = [];
    await inSlices(table.refused(name), (route) => refused.push(route));
    return { accepted, refused };
  }

  /** Routes that are remembered of a source at most. */
  #most({ source: { name, maximumRoutes } }: FoundSource): number {
    let shared = SHARED_BEYOND;
    for (const [other, { session, opened }] of this.#sources) {
      if (other === name) continue;
      const held = Math.max(session?.held ?? 0, opened?.held ?? 0, this.#parts.table.size(other));
      if (held > OWN_BEYOND) shared -= beyond(held, sourceOf(this.#parts.softwire(), other)?.source.maximumRoutes ?? 0);
    }
    return maximumRoutes + OWN_BEYOND + Math.max(0, shared);
  }

  #sessionOf(source: Source, id: string): RouteSession {
    const session = [source.session, source.opened].find((item) => item?.id === id);
    if (session) return session;
    throw refusal('unknown-session', `session ${id} is none that is there: open a new one`);
  }

  async #close(caller: Caller, source: Source): Promise<void> {
    await this.#parts.table.withdrawAll(caller, caller.user);
    this.#becomeIdle(caller.user, source);
    source.opened = undefined;
    this.#parts.log.info({ source: caller.user }, 'a route source has withdrawn all its routes');
  }

  #heard(name: string, source: Source, holdTime: number): void {
    if (source.state !== 'established') this.#parts.log.info({ source: name }, 'a route source advertises');
    source.state = 'established';
    source.lastHeard = new Date(this.#clock.wallMs());
    this.#expires(name, source, undefined);
    source.problem = '';
    this.#after(source, holdTime, () => {
      const why = source.problem === '' ? 'nothing was heard of it' : `${source.problem}; nothing of it was taken`;
      this.#becomeStale(name, `${why} for ${holdTime} seconds`);
    });
  }

  /** `latest` bounds its time: no clock that was wrong then makes it longer. */
  #becomeStale(name: string, why: string, latest?: Date): void {
    const source = this.#of(name);
    const { holdTime = 0, graceTime = 0 } = sourceOf(this.#parts.softwire(), name)?.source ?? {};
    // After a start it has the time to be heard of again first.
    const longest = source.state === 'established' ? graceTime : holdTime + graceTime;
    const nowMs = this.#clock.wallMs();
    const expires = new Date(Math.min(nowMs + longest * SECOND_MS, latest?.getTime() ?? Number.POSITIVE_INFINITY));
    const seconds = Math.max(0, expires.getTime() - nowMs) / SECOND_MS;
    this.#parts.log.warn({ source: name, seconds, why }, 'routes of a source are stale');
    source.state = 'stale';
    source.session = undefined;
    source.problem = why;
    this.#expires(name, source, expires);
    this.#after(source, seconds, () => this.#expire(name, source));
  }

  #expire(name: string, source: Source): void {
    source.turn = source.turn.then(async () => {
      if (source.state !== 'stale' || this.#isClosed) return;
      try {
        await this.#parts.table.withdrawAll(SYSTEM, name);
        this.#becomeIdle(name, source);
        this.#parts.log.warn({ source: name }, 'stale routes of a source were removed');
      } catch (error) {
        this.#parts.log.error({ source: name, error: String(error) }, 'stale routes could not be removed: tried again');
        this.#after(source, RETRY_S, () => this.#expire(name, source));
      }
    });
  }

  #becomeIdle(name: string, source: Source): void {
    source.cancel();
    source.state = 'idle';
    source.session = undefined;
    this.#expires(name, source, undefined);
  }

  #expires(name: string, source: Source, expires: Date | undefined): void {
    source.expires = expires;
    this.#parts.moments.keep(name, expires);
  }

  #after(source: Source, seconds: number, work: () => void): void {
    source.cancel();
    source.cancel = this.#clock.after(seconds * SECOND_MS, () => {
      if (!this.#isClosed) work();
    });
  }

  /** Whether it has any route, bound or refused. */
  hasRoutes(name: string): boolean {
    return this.#parts.table.hasRoutes(name);
  }

  report(name: string): SourceReport {
    const { table } = this.#parts;
    const { state = 'idle', lastHeard, expires, problem = '' } = this.#sources.get(name) ?? {};
    return { state, lastHeard, expires, problem, refusals: table.refusals(name) };
  }

  /** As RouteTable.kept. */
  kept(name: string, kind: RouteKind): KeptRoutes {
    return this.#parts.table.kept(name, kind);
  }

  /** As RouteTable.refusal. */
  refusal(name: string, number: number): Refused | undefined {
    return this.#parts.table.refusal(name, number);
  }

  close(): void {
    this.#isClosed = true;
    for (const { cancel } of this.#sources.values()) cancel();
    this.#parts.moments.close();
  }

  #of(name: string): Source {
    const known = this.#sources.get(name) ?? {
      state: 'idle',
      session: undefined,
      opened: undefined,
      lastHeard: undefined,
      expires: undefined,
      problem: '',
      cancel: () => undefined,
      turn: Promise.resolve(),
    };
    this.#sources.set(name, known);
    return known;
  }
}

function beyond(held: number, maximumRoutes: number): number {
  return Math.max(0, held - maximumRoutes - OWN_BEYOND);
}

const NO_NEWS: RouteNews = { accepted: [], refused: [] };
