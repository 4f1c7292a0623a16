/**
 * Changes of a datastore as they happen (RFC 8641 §3.3). The feed is a version of running up to which the receiver knows:
 *
 *   1. with sync-on-start the whole selection at first, and where it is
 *   2. after a commit, and not before the dampening period is over: what differs between that version and the newest one,
 *      read through the filter and the receiver's rights on both sides, as one YANG patch
 *   3. while an update is being sent commits are only noted; the next update has them all, so nothing is queued
 *   4. where more has changed than one update may tell, or it is not on record any more, the whole selection is sent again;
 *      where the receiver wants none, an update says that it is incomplete
 *
 * What came and went between two updates is not told. What the receiver may read no more is told as deleted, what he may read since as
 * created (§3.9).
 */

import { MomentTimer } from '../moment-timer.ts';
import type { Feed } from './feed.ts';
import type { PushFeedParts } from './periodic-feed.ts';
import { awaitStop } from './periodic-feed.ts';
import { firstEdit, incompleteUpdate, pushChangeUpdate, pushUpdate } from './push-messages.ts';
import type { Place } from './push-source.ts';
import type { OnChange, PushTerms, Terms } from './terms.ts';

export class ChangeFeed implements Feed {
  readonly isSuspended = false;
  readonly #parts: PushFeedParts;
  #terms: PushTerms & { readonly trigger: OnChange };
  readonly #timer = new MomentTimer();
  readonly #stop = new MomentTimer();
  /** Up to where the receiver knows. */
  #known: Place;
  #isSyncDue: boolean;
  #hasBegun = false;
  #isBusy = false;
  #isClosed = false;
  /** When the last update was made. */
  #lastMs = 0;
  #patches = 0;

  constructor(parts: PushFeedParts, trigger: OnChange) {
    this.#parts = parts;
    this.#terms = { ...parts.terms, trigger };
    this.#known = parts.source.place(parts.caller);
    this.#isSyncDue = trigger.syncOnStart;
  }

  begin(): void {
    this.#hasBegun = true;
    awaitStop(this.#stop, this.#terms, this.#parts.host);
    this.#pump();
  }

  resume(): void {}

  modify(terms: Terms): void {
    if (terms.kind !== 'datastore' || terms.trigger.kind !== 'on-change') return;
    this.#terms = { ...terms, trigger: terms.trigger };
    // Of what the filter selects now the receiver may know nothing.
    this.#isSyncDue ||= terms.trigger.syncOnStart;
    awaitStop(this.#stop, terms, this.#parts.host);
    this.#pump();
  }

  committed(): void {
    this.#pump();
  }

  resync(): boolean {
    this.#isSyncDue = true;
    this.#pump();
    return true;
  }

  close(): void {
    this.#isClosed = true;
    this.#timer.clear();
    this.#stop.clear();
  }

  #pump(): void {
    try {
      this.#goOn();
    } catch (error) {
      this.#parts.host.fail(error);
    }
  }

  #goOn(): void {
    if (!this.#hasBegun || this.#isBusy || this.#isClosed) return;
    if (!this.#isSyncDue) {
      if (this.#parts.source.version === this.#known.version) return;
      const due = this.#lastMs + this.#terms.trigger.dampeningMs;
      if (due > Date.now()) {
        this.#timer.set(due, () => this.#pump());
        return;
      }
    }
    this.#isBusy = true;
    const work = this.#isSyncDue ? this.#sendWhole() : this.#sendChanges();
    work.catch((error: unknown) => this.#parts.host.fail(error));
  }

  async #sendWhole(): Promise<void> {
    const { source, caller, schema, host } = this.#parts;
    this.#isSyncDue = false;
    const { place, reading } = await source.whole(caller, this.#terms);
    this.#known = place;
    this.#lastMs = Date.now();
    // A counter of patches begins anew with each whole selection (§3.7).
    this.#patches = 0;
    if (this.#isClosed) reading.close();
    else host.send(pushUpdate(schema, host.id, reading, () => this.#out()));
  }

  async #sendChanges(): Promise<void> {
    const { source, caller, schema, host } = this.#parts;
    const { trigger } = this.#terms;
    const { to, steps, close } = await source.since(caller, this.#terms, this.#known);
    const out = () => {
      close();
      this.#out();
    };
    const edits = steps && (await firstEdit(steps, trigger.excluded).catch(closing(close)));
    this.#known = to;
    if (this.#isClosed || (steps && !edits)) return out();
    if (!edits && trigger.syncOnStart) return this.#sendWhole();
    this.#lastMs = Date.now();
    const patch = this.#patches++;
    host.send(
      edits ? pushChangeUpdate(schema, host.id, patch, edits, out) : incompleteUpdate(schema, host.id, patch, out),
    );
  }

  #out(): void {
    this.#isBusy = false;
    this.#pump();
  }
}

/** What to do with an error: it goes on, once what was open is closed. */
function closing(close: () => void): (error: unknown) => never {
  return (error) => {
    close();
    throw error;
  };
}
