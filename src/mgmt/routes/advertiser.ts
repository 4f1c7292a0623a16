/**
 * A gateway's session with one AFTR. It always works towards one aim, that the AFTR knows the newest set of routes:
 *
 *   1. open a session, tell all routes in parts, the last with what they come to
 *   2. tell what changed, changes of a short while together; when nothing does, that it is there, three times in a hold time
 *   3. whatever fails, an answer that is lost included, ends the session: a new one begins after a while that doubles with each
 *      failure and is never the same for two gateways
 */

import { parseIpv4Prefix } from '../../address.ts';
import { RouteHash } from '../../state/learned/route-hash.ts';
import { inSlices } from '../../state/row-changes.ts';
import { formatNumber, prefixNumber } from '../../state/rows.ts';
import type { AftrClient, TargetAnswer } from './aftr-client.ts';
import { CrowdedError, TargetRefusal } from './aftr-client.ts';

/** Routes in one message. */
const PART_ROUTES = 10_000;
/** So many changes are noted one by one; more are found by looking at all routes, in slices. */
export const FEW_ROUTES = 10_000;
const GATHER_MS = 20;
const FIRST_RETRY_MS = 250;
const LONGEST_RETRY_MS = 60_000;
/** To one that has no room just now: when a thousand come at once, each has its turn within seconds. */
const LONGEST_CROWDED_MS = 4_000;
/** Messages in a hold time. */
const KEEPALIVES = 3;
/** Where a session has ended at the AFTR, nothing is wrong there: the next is opened soon. */
const ENDED: ReadonlySet<string> = new Set(['unknown-session', 'replayed', 'out-of-order', 'content-differs']);

export interface AdvertiserParts {
  /** The tunnel address of the gateway. */
  readonly gateway: string;
  readonly client: Pick<AftrClient, 'send' | 'close'>;
  /** Called when the AFTR has accepted or refused something: of which routes, where it is not of very many. */
  readonly onAnswer: (numbers: readonly number[] | undefined) => void;
  readonly log: (message: string, isGood: boolean) => void;
  /** A number from 0 to below 1. */
  readonly random?: () => number;
}

export type AdvertiserState = 'connecting' | 'established' | 'failing';

interface Session {
  readonly id: string;
  sequence: number;
  readonly holdMs: number;
  readonly told: Set<number>;
  readonly hash: RouteHash;
}

export class Advertiser {
  readonly #parts: AdvertiserParts;
  #client: AdvertiserParts['client'];
  #wanted: ReadonlySet<number>;
  /** Routes that may have come or gone since the AFTR was told. */
  #changed = new Set<number>();
  /** Whether any route may have, or all are still to be told. */
  #isAnyChanged = true;
  #session: Session | undefined;
  /**
   * By route that the AFTR was told of: why it is refused, '' when it is not. One that goes and comes back before the AFTR is told of
   * either keeps its verdict: it is not told of again.
   */
  readonly #verdicts = new Map<number, string>();
  #timer: NodeJS.Timeout | undefined;
  #working: Promise<void> | undefined;
  #failures = 0;
  #isEnding = false;
  state: AdvertiserState = 'connecting';
  problem = '';
  lastAnswer: Date | undefined;

  /** `accepted` is what the AFTR took in an earlier run: it stays so until the AFTR says otherwise. */
  constructor(parts: AdvertiserParts, wanted: ReadonlySet<number>, accepted: Iterable<number>) {
    this.#parts = parts;
    this.#client = parts.client;
    this.#wanted = wanted;
    for (const number of accepted) if (wanted.has(number)) this.#verdicts.set(number, '');
    this.#workIn(0);
  }

  /** The routes are these from now on. */
  set(wanted: ReadonlySet<number>): void {
    this.#wanted = wanted;
    this.changed(undefined);
  }

  /** The set of routes has been changed where it is: these have come or gone, any may have where it is not said. */
  changed(numbers: readonly number[] | undefined): void {
    if (!numbers || this.#changed.size + numbers.length > FEW_ROUTES) this.#isAnyChanged = true;
    // None is noted where all are looked at: the AFTR may not be reached for long.
    if (this.#isAnyChanged) this.#changed.clear();
    else for (const number of numbers ?? []) this.#changed.add(number);
    if (this.#session && !this.#working) this.#workIn(GATHER_MS);
  }

  /** The same AFTR is talked to by this client from now on: the session goes on, so that nothing is withdrawn. */
  use(client: AdvertiserParts['client']): void {
    const before = this.#client;
    this.#client = client;
    // What is under way ends as it began.
    void Promise.resolve(this.#working).then(() => before.close());
    // One that failed may have failed for what is mended by this.
    this.#failures = 0;
    this.#workIn(0);
  }

  /** Whether the AFTR knows the newest routes, none still under way. */
  get isSettled(): boolean {
    return !this.#working && !this.#isDue;
  }

  get #isDue(): boolean {
    return this.#isAnyChanged || this.#changed.size > 0;
  }

  isAccepted(number: number): boolean {
    return this.#wanted.has(number) && this.#verdicts.get(number) === '';
  }

  /** Every route that the AFTR was told of, and why it is refused; '' when it is not. */
  verdicts(): [number, string][] {
    return [...this.#verdicts].filter(([number]) => this.#wanted.has(number)).sort(([a], [b]) => a - b);
  }

  /** Why routes are refused, where the AFTR was told of some and takes none of them; empty otherwise. */
  whyNone(): string[] {
    const reasons = new Set<string>();
    for (const [number, reason] of this.#verdicts) {
      if (!this.#wanted.has(number)) continue;
      if (reason === '') return [];
      reasons.add(reason);
    }
    return [...reasons].sort();
  }

  /** A planned end: all routes are withdrawn, if the AFTR answers within `ms`. */
  async end(ms: number): Promise<void> {
    this.#isEnding = true;
    clearTimeout(this.#timer);
    const late = new Promise<void>((resolve) => setTimeout(resolve, ms).unref());
    await Promise.race([this.#withdraw(), late]);
    this.#client.close();
  }

  async #withdraw(): Promise<void> {
    await this.#working;
    const session = this.#session;
    if (!session) return;
    this.#session = undefined;
    await this.#send(session, { close: [null] }).catch(() => undefined);
  }

  #workIn(delayMs: number): void {
    if (this.#isEnding) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#workNow(), delayMs);
    this.#timer.unref();
  }

  #workNow(): void {
    if (this.#working) return;
    this.#working = this.#work()
      .then(
        () => this.#succeeded(),
        (error: unknown) => this.#failed(error),
      )
      .finally(() => {
        this.#working = undefined;
      });
  }

  async #work(): Promise<void> {
    const isNew = this.#session === undefined;
    this.#session ??= await this.#open();
    await this.#tell(this.#session, isNew);
  }

  async #open(): Promise<Session> {
    if (this.state !== 'failing') this.state = 'connecting';
    const answer = await this.#client.send({ 'gateway-ipv6-address': this.#parts.gateway, open: [null] });
    const holdMs = 1_000 * answer['hold-time'];
    return { id: answer.session, sequence: 0, holdMs, told: new Set(), hash: new RouteHash() };
  }

  /** All that the AFTR does not know of, at least that nothing has changed. */
  async #tell(session: Session, isNew: boolean): Promise<void> {
    const wanted = this.#wanted;
    const changed = this.#isAnyChanged || isNew ? undefined : this.#changed;
    this.#changed = new Set();
    this.#isAnyChanged = false;
    const gone: number[] = [];
    await inSlices(changed ?? session.told, (number) => {
      if (wanted.has(number) || !session.told.delete(number)) return;
      gone.push(number);
      session.hash.subtract(number);
      this.#verdicts.delete(number);
    });
    const fresh: number[] = [];
    await inSlices(changed ?? wanted, (number) => {
      if (session.told.has(number) || !wanted.has(number)) return;
      fresh.push(number);
      session.told.add(number);
      session.hash.add(number);
    });
    const lines = gone.length + fresh.length;
    let at = 0;
    do {
      const end = at + PART_ROUTES;
      const lists = {
        ...named('withdrawn', gone.slice(at, end)),
        ...named('route', fresh.slice(Math.max(0, at - gone.length), Math.max(0, end - gone.length))),
      };
      at = end;
      const rest = at < lines ? { more: [null] } : { 'content-hash': session.hash.text };
      const answer = await this.#send(session, { ...lists, ...rest }, lines);
      if (at >= lines) await this.#answered(session, answer, fresh, isNew);
    } while (at < lines);
  }

  async #send(session: Session, message: Readonly<Record<string, unknown>>, routes = 0): Promise<TargetAnswer> {
    const sequence = String(++session.sequence);
    const { gateway } = this.#parts;
    return this.#client.send({ 'gateway-ipv6-address': gateway, session: session.id, sequence, ...message }, routes);
  }

  async #answered(
    session: Session,
    { accepted = [], refused = [] }: TargetAnswer,
    fresh: readonly number[],
    isNew: boolean,
  ): Promise<void> {
    const { told } = session;
    const news = new Map<number, string>();
    await inSlices(accepted, (text) => news.set(numberOf(text), ''));
    await inSlices(refused, (entry) => news.set(numberOf(entry['ipv4-prefix']), entry.reason));
    await inSlices(fresh, (number) => this.#verdicts.set(number, news.get(number) ?? ''));
    await inSlices(news, ([number, reason]) => {
      if (told.has(number)) this.#verdicts.set(number, reason);
    });
    // All that is known stays so until it is known anew, so that what is served does not go and come back.
    await inSlices(isNew ? this.#verdicts.keys() : [], (number) => {
      if (!told.has(number)) this.#verdicts.delete(number);
    });
    if (isNew || fresh.length + news.size > FEW_ROUTES) this.#parts.onAnswer(undefined);
    else if (fresh.length + news.size > 0) this.#parts.onAnswer([...fresh, ...news.keys()]);
  }

  #succeeded(): void {
    if (this.state !== 'established') this.#parts.log('the AFTR knows the routes', true);
    this.state = 'established';
    this.problem = '';
    this.lastAnswer = new Date();
    this.#failures = 0;
    const holdMs = this.#session?.holdMs ?? 0;
    this.#workIn(this.#isDue ? GATHER_MS : holdMs / KEEPALIVES);
  }

  #failed(error: unknown): void {
    const problem = error instanceof Error ? error.message : String(error);
    const hasEnded = error instanceof TargetRefusal && ENDED.has(error.appTag) && this.#session !== undefined;
    this.#session = undefined;
    this.#isAnyChanged = true;
    if (problem !== this.problem) this.#parts.log(problem, false);
    this.problem = problem;
    this.state = 'failing';
    this.#failures = hasEnded && this.#failures === 0 ? 0 : this.#failures + 1;
    const { random = Math.random } = this.#parts;
    this.#workIn(retryAfter(this.#failures, error instanceof CrowdedError, random()));
  }
}

/** A list of a message, which is left out where it is empty. */
function named(list: 'route' | 'withdrawn', numbers: readonly number[]): Readonly<Record<string, readonly string[]>> {
  return numbers.length > 0 ? { [list]: numbers.map(formatNumber) } : {};
}

/** -1 for what is no prefix, which is no route that anybody was told of. */
function numberOf(text: string): number {
  const prefix = parseIpv4Prefix(text);
  return prefix ? prefixNumber(prefix.address, prefix.length) : -1;
}

/** Milliseconds until the next attempt: twice as long with each failure, half of it by chance (0 to below 1). */
export function retryAfter(failures: number, isCrowded: boolean, chance: number): number {
  const longest = isCrowded ? LONGEST_CROWDED_MS : LONGEST_RETRY_MS;
  return Math.min(FIRST_RETRY_MS * 2 ** failures, longest) * (0.5 + chance / 2);
}
