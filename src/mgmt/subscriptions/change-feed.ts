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
 * What changed within a dampening period and changed back is told by its last change (§3.3), as far as commits came one by one. What the
 * receiver may read no more is told as deleted, what he may read since as created (§3.9).
 */

import { MomentTimer } from '../moment-timer.ts';
import type { PatchEdit, PatchStep } from '../patch.ts';
import { Churn } from './churn.ts';
import type { Feed } from './feed.ts';
import { LIMITS } from './limits.ts';
import type { PushFeedParts } from './periodic-feed.ts';
import { awaitStop } from './periodic-feed.ts';
import { firstEdit, incompleteUpdate, pushChangeUpdate, pushUpdate } from './push-messages.ts';
import type { Place, Running } from './push-source.ts';
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
  /** Commits since the last update, which were not looked at by themselves. */
  #commits: Running[] = [];
  readonly #churn = new Churn();
  /** Up to where commits were looked at. */
  #noted: Place;

  constructor(parts: PushFeedParts, trigger: OnChange) {
    this.#parts = parts;
    this.#terms = { ...parts.terms, trigger };
    this.#known = parts.source.place(parts.caller);
    this.#noted = this.#known;
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
    this.#forgetCommits(this.#noted);
    this.#churn.giveUp();
    this.#isSyncDue ||= terms.trigger.syncOnStart;
    awaitStop(this.#stop, terms, this.#parts.host);
    this.#pump();
  }

  committed(running: Running): void {
    if (this.#terms.trigger.dampeningMs > 0) this.#commits.push(running);
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
        if (this.#commits.length < LIMITS.keptCommits) return;
        this.#isBusy = true;
        this.#noteCommits(Number.POSITIVE_INFINITY).then(
          () => this.#out(),
          (error: unknown) => this.#parts.host.fail(error),
        );
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
    this.#forgetCommits(place);
    if (this.#isClosed) reading.close();
    else host.send(pushUpdate(schema, host.id, reading, () => this.#out()));
  }

  async #sendChanges(): Promise<void> {
    const { source, caller, schema, host } = this.#parts;
    const { excluded, syncOnStart } = this.#terms.trigger;
    const { to, steps, close } = await source.since(caller, this.#terms, this.#known);
    const out = () => {
      close();
      this.#out();
    };
    const told = steps && (await this.#withChurn(to, steps).catch(closing(close)));
    const edits = told && (await firstEdit(told, excluded).catch(closing(close)));
    this.#known = to;
    this.#forgetCommits(to);
    if (this.#isClosed || (steps && !edits)) return out();
    if (!edits && syncOnStart) return this.#sendWhole();
    this.#lastMs = Date.now();
    const patch = this.#patches++;
    host.send(
      edits ? pushChangeUpdate(schema, host.id, patch, edits, out) : incompleteUpdate(schema, host.id, patch, out),
    );
  }

  /** The differences up to a place, and the last changes of what changed back on the way there. */
  async #withChurn(to: Place, steps: Generator<PatchStep>): Promise<Generator<PatchStep>> {
    await this.#noteCommits(to.version);
    // One commit alone is the difference, and what is noted under other rights is not for these.
    if (this.#noted.version === this.#known.version || this.#noted.rights.mark !== to.rights.mark) return steps;
    await this.#note(to);
    if (this.#churn.isEmpty) return steps;
    return stepsOf(this.#churn.withDifferences(await editsOf(steps)));
  }

  /** Remembers what the commits before a version changed, each by itself. */
  async #noteCommits(version: number): Promise<void> {
    for (let next = this.#commits[0]; next && next.version < version && !this.#isClosed; next = this.#commits[0]) {
      this.#commits.shift();
      if (next.version > this.#noted.version) await this.#note(next);
    }
  }

  async #note(running: Running): Promise<void> {
    if (this.#churn.isTooMuch) return;
    const { to, steps, close } = await this.#parts.source.between(this.#terms, this.#noted, running);
    try {
      if (steps) for (const edit of await editsOf(steps)) this.#churn.note(edit);
      else this.#churn.giveUp();
    } finally {
      close();
    }
    this.#noted = to;
  }

  #forgetCommits(known: Place): void {
    this.#commits = this.#commits.filter(({ version }) => version > known.version);
    this.#churn.clear();
    this.#noted = known;
  }

  #out(): void {
    this.#isBusy = false;
    this.#pump();
  }
}

async function editsOf(steps: Iterable<PatchStep>): Promise<PatchEdit[]> {
  const edits: PatchEdit[] = [];
  for (const step of steps) {
    if (step instanceof Promise) await step;
    else edits.push(step);
  }
  return edits;
}

function* stepsOf(edits: readonly PatchEdit[]): Generator<PatchStep> {
  yield* edits;
}

/** What to do with an error: it goes on, once what was open is closed. */
function closing(close: () => void): (error: unknown) => never {
  return (error) => {
    close();
    throw error;
  };
}
