/**
 * The AFTR of one gateway as DHCPv6 tells it. Nothing here knows files, the store or packets: reports of the client's hook come in, a
 * wanted address comes out.
 *
 *   an answer with addresses   one of them, at once: the one in use where it is among them, else the first
 *   an answer with a name      one of its addresses, in the same way, and anew when their time is over
 *   an answer without both     none: the network has no AFTR for us (any more)
 *   a lost lease               none: nobody vouches for it any more
 *   a malformed answer,        as before, and a problem: a mistake of a server or a silent name server must not cut off what works
 *   a name without address
 */

import { formatIpv6, isUnusableIpv6, sameIpv6 } from '../../address.ts';
import type { AftrNews, ToldBy } from './aftr-options.ts';
import { aftrNewsOf } from './aftr-options.ts';
import type { LeaseReport } from './lease-file.ts';
import type { LookUpName } from './name-lookup.ts';

export type LearningState = 'waiting' | 'resolving' | 'learned' | 'failing';

const SECOND_MS = 1_000;
/** A name is not asked for more often, nor more seldom, whatever its time to live is. */
const LEAST_TTL_S = 30;
const LONGEST_TTL_S = 3_600;
const FIRST_RETRY_S = 2;
const LONGEST_RETRY_S = 60;

export interface LearnedAftrParts {
  readonly link: string;
  /** Of an earlier run: in use until something is told. */
  readonly address: Uint8Array | undefined;
  readonly lookUp: LookUpName;
  /** An address of this device that ends no tunnel here, and why. */
  readonly objection: (address: Uint8Array) => string | undefined;
  /** `address`, or what is told of it, is another one. */
  readonly onChange: () => void;
}

export class LearnedAftr {
  readonly link: string;
  readonly #parts: LearnedAftrParts;
  #address: Uint8Array | undefined;
  #timer: NodeJS.Timeout | undefined;
  #servers: readonly string[] = [];
  #retryS = FIRST_RETRY_S;
  /** Grows with each report and lookup: an answer that comes late is for nobody. */
  #turn = 0;
  state: LearningState = 'waiting';
  problem: string;
  toldBy: ToldBy | undefined;
  name: string | undefined;
  unused = '';
  time: Date | undefined;

  constructor(parts: LearnedAftrParts) {
    this.#parts = parts;
    this.link = parts.link;
    this.#address = parts.address;
    this.problem = `the DHCPv6 client of ${parts.link} has told nothing yet`;
  }

  /** The AFTR that is to be used; undefined when there is none. */
  get address(): Uint8Array | undefined {
    return this.#address;
  }

  /** The hook has written this. */
  take(report: LeaseReport, time: Date): void {
    this.time = time;
    this.#servers = report.kind === 'answer' ? report.nameServers : [];
    if (report.kind === 'answer') this.#learn(aftrNewsOf(report.options));
    else if (report.kind === 'lost') this.#forget(`the DHCPv6 client of ${this.link} has no lease any more`);
    else this.#fail(report.problem);
  }

  #learn(news: AftrNews): void {
    if (news.kind === 'malformed') this.#fail(`the DHCPv6 answer on ${this.link} is not used: ${news.problem}`);
    else if (news.kind === 'nothing') {
      this.#forget(`the DHCPv6 server of ${this.link} tells of no AFTR (options 64, 90 and 96)`);
    } else if (news.kind === 'addresses') {
      this.#stop();
      this.#use(news.addresses, news.toldBy, undefined, news.unused);
    } else {
      this.#stop();
      this.#retryS = FIRST_RETRY_S;
      if (this.name !== news.name || this.state !== 'learned') this.state = 'resolving';
      this.#askFor(news.name);
    }
  }

  #askFor(name: string): void {
    const turn = ++this.#turn;
    this.#parts.lookUp(name, this.#servers).then(
      ({ addresses, ttlSeconds }) => {
        if (turn !== this.#turn) return;
        this.#retryS = FIRST_RETRY_S;
        // The order of answers turns from one to the next.
        const inOrder = [...addresses].sort((a, b) => Buffer.compare(a, b));
        this.#use(inOrder, 'aftr-name', name, '');
        this.#askAgain(name, Math.min(Math.max(ttlSeconds, LEAST_TTL_S), LONGEST_TTL_S));
      },
      (error: unknown) => {
        if (turn !== this.#turn) return;
        const why = error instanceof Error ? error.message : String(error);
        this.#fail(`AFTR ${name} has no address: ${why}`);
        this.#askAgain(name, this.#retryS);
        this.#retryS = Math.min(2 * this.#retryS, LONGEST_RETRY_S);
      },
    );
  }

  #askAgain(name: string, seconds: number): void {
    this.#timer = setTimeout(() => this.#askFor(name), seconds * SECOND_MS);
    this.#timer.unref();
  }

  #use(candidates: readonly Uint8Array[], toldBy: ToldBy, name: string | undefined, unused: string): void {
    const objections = candidates.map((address) => this.#objection(address));
    const usable = candidates.filter((_, index) => objections[index] === undefined);
    const now = this.#address;
    const chosen = (now && usable.find((address) => sameIpv6(address, now))) ?? usable[0];
    if (!chosen) {
      this.#fail(objections.find((objection) => objection !== undefined) ?? 'the AFTR has no address');
      return;
    }
    this.#address = chosen;
    this.state = 'learned';
    this.problem = '';
    this.#tell(toldBy, name, unused);
  }

  #tell(toldBy: ToldBy | undefined, name: string | undefined, unused: string): void {
    this.toldBy = toldBy;
    this.name = name;
    this.unused = unused;
    this.#parts.onChange();
  }

  #objection(address: Uint8Array): string | undefined {
    if (!isUnusableIpv6(address)) return this.#parts.objection(address);
    return `${formatIpv6(address)} cannot be a tunnel endpoint: expected a unicast address that is not link-local`;
  }

  #forget(problem: string): void {
    this.#stop();
    this.#address = undefined;
    this.state = 'waiting';
    this.problem = problem;
    this.#tell(undefined, undefined, '');
  }

  #fail(problem: string): void {
    this.#stop();
    this.state = 'failing';
    this.problem = problem;
    this.#parts.onChange();
  }

  #stop(): void {
    this.#turn++;
    clearTimeout(this.#timer);
  }

  close(): void {
    this.#stop();
  }
}
