/** Commits of running: what judges them, who takes part, and the confirmed commit that is taken back when it is not confirmed. */

import type { CommitContent, StartupFate } from './commit.ts';
import { readPending } from './commit.ts';
import { validateConditional } from './conditional.ts';
import { readConfiguration } from './configuration-reader.generated.ts';
import type { Clock, ConfirmationEvent, PendingCommit, TakeBackReason } from './confirmed.ts';
import { Confirmation, SYSTEM_CLOCK } from './confirmed.ts';
import type { Draft } from './draft.ts';
import { aftrNames, countsAfter, rowChanges } from './draft.ts';
import { draftOfVersion } from './history.ts';
import { treeToJson } from './json.ts';
import { makeGroup } from './learned/group.ts';
import type { AnyLearning, Learning, SharedLearning } from './learned/learning.ts';
import { reconcile } from './learned/reconciliation.ts';
import { changesRunning } from './learned/tables.ts';
import type { Softwire } from './model.generated.ts';
import { OverlaidRows } from './overlay.ts';
import type { Head } from './records.ts';
import type { Caller, Change, Commit, Participant, Tally, TreeValidation } from './request.ts';
import type { RowChanges } from './row-changes.ts';
import type { RowSource } from './rows.ts';
import { checkRules } from './rules.ts';
import type { RunningStore } from './running-store.ts';
import type { Schema } from './schema.ts';
import type { Snapshot } from './snapshot.ts';

export interface CommitterOptions {
  readonly schema: Schema;
  readonly validate: TreeValidation;
  /** Whether there is a startup datastore. */
  readonly startup: boolean;
  /** Whether clients may write running itself (RFC 6241 §8.2); without it they commit the candidate. Yes, unless it is false. */
  readonly writableRunning?: boolean;
  /** Told what becomes of confirmed commits, those that an earlier process left pending included. */
  readonly onConfirmation?: (event: ConfirmationEvent) => void;
  readonly clock?: Clock;
}

/** What goes with a commit of running. */
interface CommitDetails {
  readonly comment?: string | undefined;
  /** The confirmed commit that is pending afterwards, null for none; without it, that stays as it is. */
  readonly pending?: PendingCommit | null | undefined;
  /** What was running before returns, or running stays as it is: nobody is asked. */
  readonly isReturn?: boolean;
}

type Apply = Awaited<ReturnType<Participant['prepare']>>;

/** What a commit was asked for as, once its participants agree. */
interface Asked extends Pick<Commit, 'caller' | 'comment' | 'treeChanged'> {
  readonly rows: { readonly tally: Tally };
  readonly applies: readonly Apply[];
}

/** Everything here but the constructor is called in a turn of the store's queue, `base` being the snapshot of that turn. */
export class Committer {
  readonly confirmation: Confirmation;
  readonly #options: CommitterOptions;
  readonly #store: RunningStore;
  readonly #participants: Participant[] = [];
  readonly #listeners: ((commit: Commit) => void)[] = [];

  constructor(options: CommitterOptions, store: RunningStore) {
    this.#options = options;
    this.#store = store;
    this.confirmation = new Confirmation(options.clock ?? SYSTEM_CLOCK, (reason) => this.#takeBackLate(reason));
  }

  addParticipant(participant: Participant): void {
    this.#participants.push(participant);
  }

  /** Told after each commit, when it is durable and applied. */
  onCommit(listener: (commit: Commit) => void): void {
    this.#listeners.push(listener);
  }

  /**
   * Validation and rules; whether the draft has lost nodes that running has and whose `when` is no longer true.
   * @throws ManagementError with all faults
   */
  async judge(draft: Draft, base: RowSource, changes: RowChanges): Promise<boolean> {
    const hasLost = draft.treeTouched && validateConditional(draft.tree, this.#store.tree, this.#options.validate);
    await checkRules({
      before: this.#store.softwire,
      after: draft.treeTouched ? readConfiguration(treeToJson(draft.tree)) : this.#store.softwire,
      rows: new OverlaidRows(base, draft.overlay),
      changes,
      counts: countsAfter(base, aftrNames(draft.tree), changes),
    });
    return hasLost;
  }

  /** A commit of running that did not come by way of the candidate. @throws ManagementError in-use while a confirmed commit is pending */
  change(caller: Caller, draft: Draft, base: Snapshot, comment?: string): Promise<void> {
    return this.commit(caller, draft, base, { comment, pending: this.confirmation.afterEdit(caller) });
  }

  /** The draft becomes running, if it differs. @throws ManagementError of validation, rules, a participant; nothing is written then */
  async commit(
    caller: Caller,
    draft: Draft,
    base: Snapshot,
    { comment, pending, isReturn = false }: CommitDetails,
  ): Promise<void> {
    let rows = await rowChanges(draft, base);
    const json = draft.treeTouched ? treeToJson(draft.tree) : undefined;
    const treeChanged = json !== undefined && this.#store.differs(json);
    const asked = treeChanged ? await this.#readValid(json, draft, base, rows) : this.#store.softwire;
    if (await reconcile({ after: asked, treeChanged, rows, base }, draft.overlay)) rows = await rowChanges(draft, base);
    if (!treeChanged && rows.size === 0) {
      if (pending !== undefined) await this.#store.write({ pending });
      this.#settle(caller, pending, isReturn);
      return;
    }
    const { tree: before, head } = this.#store;
    const after = treeChanged ? draft.tree : before;
    let tree = treeChanged ? json : undefined;
    const startup = this.#startupAfter(isReturn ? SYSTEM : caller, changesRunning(treeChanged, rows.tallies));
    const bulk = await this.#store.startBulk(rows);
    let applies: readonly Apply[] = [];
    try {
      if (!isReturn && (await this.judge(draft, base, rows)) && treeChanged) tree = treeToJson(draft.tree);
      const rowCounts = countsAfter(base, aftrNames(after), rows);
      const version = head.version + 1;
      const { tallies } = rows;
      const rowsOf = (instance: string) => rows.of(instance);
      const about = { version, before, after, treeChanged, rows, rowsOf, tallies };
      const savesStartup = startup === 'saved';
      const change: Change = { ...about, rowCounts, storedRows: storedRows(head), caller, savesStartup, isReturn };
      applies = await this.#prepare(change);
    } catch (error) {
      await bulk?.cancel();
      throw error;
    }
    const softwire = tree === undefined ? this.#store.softwire : readConfiguration(tree);
    const judged = performance.now();
    const written = await this.#store.write(
      { commit: { caller, comment, tree, rows, startup }, pending },
      { tree: after, softwire },
      bulk,
    );
    this.#settle(caller, pending, isReturn);
    await this.#tell(written, { caller, comment, treeChanged, rows, applies }, judged, performance.now());
  }

  /** What applies the change when it is durable. @throws ManagementError of a participant */
  async #prepare(change: Change): Promise<readonly Apply[]> {
    const applies: Apply[] = [];
    for (const participant of this.#participants) applies.push(await participant.prepare(change));
    return applies;
  }

  /** Participants and listeners, of a commit that is durable. */
  async #tell({ version, time, contentHash }: Head, asked: Asked, judged: number, written: number): Promise<void> {
    const { applies, caller, comment, treeChanged, rows } = asked;
    for (const apply of applies) await afterCommit(() => apply(version, contentHash));
    const { askedAt, beganAt } = this.#store.turn;
    const durations = {
      waitMs: beganAt - askedAt,
      judgeMs: judged - beganAt,
      writeMs: written - judged,
      applyMs: performance.now() - written,
    };
    const commit = { version, time: new Date(time), caller, comment, treeChanged, ...durations, ...rows.tally };
    for (const listener of this.#listeners) await afterCommit(() => listener(commit));
  }

  /** What a tree says, which can be read when it is valid. @throws ManagementError of `judge` when it is not */
  async #readValid(json: unknown, draft: Draft, base: Snapshot, rows: RowChanges): Promise<Softwire> {
    try {
      return readConfiguration(json);
    } catch (error) {
      await this.judge(draft, base, rows);
      throw error;
    }
  }

  /** RFC 8040 §1.4: what RESTCONF changes of running is saved at once; who has NETCONF says when. */
  #startupAfter({ face }: Caller, changesRunning: boolean): StartupFate {
    if (!this.#options.startup) return 'none';
    return face === 'restconf' && changesRunning ? 'saved' : 'stays';
  }

  /**
   * Commits of operational tables, each a version of its own, all in one transaction: running stays as it is, and nobody is asked.
   * @throws ManagementError when the disk does not take it, what a work throws; nothing is written then
   */
  async learn(base: Snapshot, learnings: readonly AnyLearning[]): Promise<void> {
    const shared = learnings.filter((learning) => 'key' in learning);
    if (shared.length > 1) return this.#learnGroup(base, shared);
    for (const learning of learnings) await this.#learnOne(base, learning);
  }

  async #learnOne(base: Snapshot, { caller, comment, work }: Learning | SharedLearning): Promise<void> {
    const { tree, softwire } = this.#store;
    const { overlay, done } = await work(base, softwire);
    const draft = { tree, treeTouched: false, base: tree, overlay };
    await this.commit(caller, draft, base, { comment, isReturn: true });
    await done();
  }

  async #learnGroup(base: Snapshot, learnings: readonly SharedLearning[]): Promise<void> {
    const { tree, softwire, head } = this.#store;
    const made = await makeGroup(base, softwire, learnings);
    const rowCounts = new Map(aftrNames(tree).map((name) => [name, base.count(name)]));
    const startup = this.#options.startup ? 'stays' : 'none';
    const about = {
      before: tree,
      after: tree,
      treeChanged: false,
      rowCounts,
      storedRows: storedRows(head),
      savesStartup: false,
      isReturn: true,
    };
    const commits: (CommitContent & Asked)[] = [];
    for (const { learning, changes: rows } of made) {
      const { caller, comment } = learning;
      const { tallies } = rows;
      if (tallies.size === 0) continue;
      const version = head.version + 1 + commits.length;
      const rowsOf = (instance: string) => rows.of(instance);
      const applies = await this.#prepare({ ...about, version, rows, rowsOf, tallies, caller });
      commits.push({ caller, comment, rows, startup, applies, treeChanged: false });
    }
    const judged = performance.now();
    const heads = commits.length > 0 ? await this.#store.writeAll(commits) : [];
    const written = performance.now();
    for (const [index, head] of heads.entries()) {
      const commit = commits[index];
      if (commit) await this.#tell(head, commit, judged, written);
    }
    for (const { done } of made) await done();
  }

  /** What an earlier process left pending: without a token, or when its time is over, it is taken back. */
  resumePending(): Promise<void> {
    return this.#store.enqueue(async (base) => {
      const pending = readPending(base);
      this.confirmation.set(pending && { ...pending, session: 0 });
      if (pending?.persist === undefined) await this.takeBackOrRetry(base, 'restart');
    });
  }

  /** The pending confirmed commit is to be taken back; one that is confirmed or extended meanwhile is not. */
  #takeBackLate(reason: TakeBackReason): void {
    void this.#store.enqueue(async (base) => {
      if (this.confirmation.isDue) await this.takeBackOrRetry(base, reason);
    });
  }

  /** With nobody to tell of a failure but the log, the next try follows. */
  async takeBackOrRetry(base: Snapshot, reason: TakeBackReason): Promise<void> {
    const { pending } = this.confirmation;
    try {
      await this.takeBack(base, reason);
    } catch (error) {
      this.confirmation.retry(reason);
      if (pending) this.#options.onConfirmation?.({ event: 'failed', pending, error });
    }
  }

  /** Running returns to what it was before the pending confirmed commit, if there is one; `caller` is who wants that, if anybody. */
  async takeBack(base: Snapshot, reason: TakeBackReason, caller?: Caller): Promise<void> {
    const { pending } = this.confirmation;
    if (!pending) return;
    const draft = await draftOfVersion(this.#options.schema, base, this.#store.tree, pending.base);
    const comment = `back to version ${pending.base}: confirmed commit ${TAKEN_BACK[reason]}`;
    // Who cancels it changes running (RFC 6470 §2.2); what nobody asked for is done by the server.
    await this.commit(caller ?? SYSTEM, draft, base, { comment, pending: null, isReturn: true });
    this.#options.onConfirmation?.({ event: reason, pending, caller });
  }

  /** What is pending now that the store has it so. */
  #settle(caller: Caller, pending: PendingCommit | null | undefined, isReturn: boolean): void {
    if (pending === undefined) return;
    const before = this.confirmation.pending;
    this.confirmation.set(pending ?? undefined);
    const told = pending ?? before;
    if (isReturn || !told) return;
    this.#options.onConfirmation?.({
      event: !pending ? 'complete' : before ? 'extend' : 'start',
      pending: told,
      caller,
    });
  }
}

export const SYSTEM: Caller = { user: 'system', session: 0, face: 'system' };

function storedRows({ tables }: Head): number {
  let sum = 0;
  for (const { rows } of tables.values()) sum += rows;
  return sum;
}

/** How a pending confirmed commit ended, for the record of the commit that takes it back. */
const TAKEN_BACK: Readonly<Record<TakeBackReason, string>> = {
  cancel: 'cancelled',
  timeout: 'not confirmed in time',
  'session-end': 'not confirmed before its session ended',
  restart: 'not confirmed before a restart',
};

/** What is committed stays committed and is answered so: a fault from here on is a mistake of ours and ends the process. */
async function afterCommit(work: () => Promise<void> | void): Promise<void> {
  try {
    await work();
  } catch (error) {
    setImmediate(() => {
      throw error;
    });
  }
}
