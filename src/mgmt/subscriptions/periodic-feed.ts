/**
 * Periodic updates of a datastore (RFC 8641 §3.1): the first at once, or where an anchor-time is given at the next moment that is a
 * multiple of the period away from it. One update is made and sent at a time: a moment that comes while one is under way
 * passes without another, and the subscription is suspended until the receiver has taken it.
 */

import type { Caller } from '../../state/request.ts';
import type { Schema } from '../../state/schema.ts';
import { MomentTimer } from '../moment-timer.ts';
import type { Feed, FeedHost } from './feed.ts';
import { pushUpdate } from './push-messages.ts';
import type { PushSource } from './push-source.ts';
import type { Periodic, PushTerms, Terms } from './terms.ts';

export interface PushFeedParts {
  readonly source: PushSource;
  readonly schema: Schema;
  readonly caller: Caller;
  readonly terms: PushTerms;
  readonly host: FeedHost;
}

export class PeriodicFeed implements Feed {
  readonly #parts: PushFeedParts;
  #terms: PushTerms & { readonly trigger: Periodic };
  readonly #timer = new MomentTimer();
  readonly #stop = new MomentTimer();
  /** When it began: what the period is counted from without an anchor-time. */
  #beganMs = 0;
  #isBusy = false;
  #isClosed = false;
  isSuspended = false;

  constructor(parts: PushFeedParts, trigger: Periodic) {
    this.#parts = parts;
    this.#terms = { ...parts.terms, trigger };
  }

  begin(): void {
    this.#beganMs = Date.now();
    awaitStop(this.#stop, this.#terms, this.#parts.host);
    if (!this.#terms.trigger.anchor) this.#update();
    this.#schedule();
  }

  resume(): void {}

  modify(terms: Terms): void {
    if (terms.kind !== 'datastore' || terms.trigger.kind !== 'periodic') return;
    this.#terms = { ...terms, trigger: terms.trigger };
    awaitStop(this.#stop, terms, this.#parts.host);
    this.#schedule();
  }

  committed(): void {}

  resync(): boolean {
    return false;
  }

  close(): void {
    this.#isClosed = true;
    this.#timer.clear();
    this.#stop.clear();
  }

  #schedule(): void {
    const next = nextMoment(this.#terms.trigger, this.#beganMs, Date.now());
    this.#timer.set(next, () => {
      this.#schedule();
      if (this.#isBusy) this.isSuspended = true;
      else this.#update();
    });
  }

  #update(): void {
    this.#isBusy = true;
    this.#send().catch((error: unknown) => this.#parts.host.fail(error));
  }

  async #send(): Promise<void> {
    const { source, caller, schema, host } = this.#parts;
    const { reading } = await source.whole(caller, this.#terms);
    if (this.#isClosed) reading.close();
    else host.send(pushUpdate(schema, host.id, reading, () => this.#out()));
  }

  #out(): void {
    this.#isBusy = false;
    if (this.#isClosed || !this.isSuspended) return;
    this.isSuspended = false;
    this.#parts.host.gap('unsupportable-volume');
  }
}

/** The first moment after `nowMs` that is a multiple of the period from the anchor-time, or from the beginning. */
export function nextMoment({ periodMs, anchor }: Periodic, beganMs: number, nowMs: number): number {
  const from = anchor?.getTime() ?? beganMs;
  return from + (Math.floor((nowMs - from) / periodMs) + 1) * periodMs;
}

/** Ends a subscription at its stop-time. */
export function awaitStop(timer: MomentTimer, { stop }: PushTerms, host: FeedHost): void {
  if (stop) timer.set(stop.getTime(), () => host.over('complete'));
  else timer.clear();
}
