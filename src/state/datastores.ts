/**
 * The datastores: running in the store, candidate and startup as running with an overlay. An edit becomes a commit so:
 *
 *   1. a draft (copy of the small tree, overlay of rows) takes the edit      edit.ts
 *   2. libyang judges the small tree, the rules judge what spans entries     rules.ts
 *   3. every participant may refuse and changes nothing                      prepare
 *   4. one durable transaction                                               commit.ts
 *   5. every participant applies, listeners are told
 *
 * Commits stand in one queue. Until step 4 nothing anybody can see has changed.
 */

import { BULK_WRITE_ROWS, BulkWrite } from './bulk-write.ts';
import type { StoreWrite } from './commit.ts';
import { readPending, writeCommit } from './commit.ts';
import type { Copy, Verify } from './compaction.ts';
import { dropCopy, lastTransaction, prepareCopy, switchTo } from './compaction.ts';
import type { Clock, CommitParameters, ConfirmationEvent, PendingCommit, TakeBackReason } from './confirmed.ts';
import { Confirmation, SYSTEM_CLOCK, withoutHolder } from './confirmed.ts';
import { createStore } from './creation.ts';
import type { DataNode } from './data.ts';
import type { Draft } from './draft.ts';
import { aftrNames, authorizeDifference, copyDraft, countsAfter, editDraft, emptyDraft, rowChanges } from './draft.ts';
import { keepRowParents } from './edit.ts';
import type { Environment, StoreSize } from './environment.ts';
import { closeWhenIdle, copyEnvironment, openEnvironment, Snapshot, sizeOf, storeError } from './environment.ts';
import { ManagementError } from './errors.ts';
import { generationOf, keepGeneration } from './generations.ts';
import { draftOfVersion, History } from './history.ts';
import { treeFromJson, treeToJson } from './json.ts';
import type { LockOwner } from './locks.ts';
import { Locks, lockDenied } from './locks.ts';
import type { Softwire } from './model.generated.ts';
import { readConfiguration } from './model.generated.ts';
import { DamageError } from './model-values.ts';
import { OverlaidRows, overlayBetween } from './overlay.ts';
import type { Head } from './records.ts';
import { rowCounts } from './records.ts';
import type {
  Authorize,
  Caller,
  Change,
  Commit,
  DatastoreName,
  Edition,
  EditRequest,
  Participant,
  RowChange,
  TreeValidation,
} from './request.ts';
import type { Retention } from './retention.ts';
import { isUntidy } from './retention.ts';
import { RowChanges } from './row-changes.ts';
import type { RowSource } from './rows.ts';
import { checkRules } from './rules.ts';
import type { Schema } from './schema.ts';
import { startupDraft } from './startup.ts';
import { Tidying } from './tidying.ts';
import type { View } from './view.ts';
import { openView } from './view.ts';

export type { View } from './view.ts';

export interface DatastoreOptions {
  readonly dir: string;
  readonly schema: Schema;
  readonly validate: TreeValidation;
  /** Whether there is a startup datastore. */
  readonly startup: boolean;
  /** Changes with each boot of the kernel; running returns to startup when it has. */
  readonly bootId: string;
  /** The first configuration of a store that is created, without rows. */
  readonly initial: () => DataNode;
  /** Called once there is a store and before anything is written to one that was there. */
  readonly onOpen?: () => void;
  /** Told what becomes of confirmed commits, those that an earlier process left pending included. */
  readonly onConfirmation?: (event: ConfirmationEvent) => void;
  readonly clock?: Clock;
}

/** What goes with a commit of running. */
interface CommitDetails {
  readonly comment?: string | undefined;
  /** The confirmed commit that is pending afterwards, null for none; without it, that stays as it is. */
  readonly pending?: PendingCommit | null | undefined;
  /** What was running before returns, and nobody is asked. */
  readonly isReturn?: boolean;
}

/** The small tree of running as the last commit left it; nobody changes it. */
interface Running {
  readonly tree: DataNode;
  readonly softwire: Softwire;
  readonly head: Head;
}

/** The small trees of two datastores, and the rows that differ, table by table in key order. */
export interface Compared {
  readonly from: DataNode;
  readonly to: DataNode;
  readonly rows: () => Iterable<RowChange>;
}

export class Datastores {
  readonly #options: DatastoreOptions;
  #environment: Environment;
  readonly #locks = new Locks();
  readonly #participants: Participant[] = [];
  readonly #listeners: ((commit: Commit) => void)[] = [];
  readonly #confirmation: Confirmation;
  #running: Running;
  /** Undefined while the candidate is running itself. */
  #candidate: Draft | undefined;
  /** How often the candidate's changes were dropped; an edit under way when that happens goes with them. */
  #drops = 0;
  #queue: Promise<unknown> = Promise.resolve();
  /** One at a time. */
  #compaction: Promise<unknown> = Promise.resolve();
  /** Of the octets of forgotten history. */
  readonly #tidying = new Tidying(() => this.#tidy());

  private constructor(options: DatastoreOptions, environment: Environment) {
    this.#options = options;
    this.#environment = environment;
    this.#running = this.#load();
    this.#confirmation = new Confirmation(options.clock ?? SYSTEM_CLOCK, (reason) => this.#takeBackLate(reason));
  }

  /** @throws Error with code STORE_ACCESS, STORE_NEWER, STORE_DAMAGED or what `initial` gives, each with a sentence */
  static async open(options: DatastoreOptions): Promise<Datastores> {
    await createStore(options.dir, options.bootId, () => firstTree(options));
    const environment = openEnvironment(options.dir, 'write');
    keepGeneration(options.dir, generationOf(options.dir, environment.dir));
    try {
      options.onOpen?.();
      const datastores = new Datastores(options, environment);
      if (datastores.#running.head.bootId !== options.bootId) await datastores.#boot();
      await datastores.#resumePending();
      if (datastores.#isUntidy) datastores.#tidying.ask();
      return datastores;
    } catch (error) {
      await environment.root.close();
      if (!(error instanceof DamageError)) throw error;
      const message = `the store in ${options.dir} is damaged (${error.message}): restore a backup into it`;
      throw storeError('STORE_DAMAGED', message, error);
    }
  }

  addParticipant(participant: Participant): void {
    this.#participants.push(participant);
  }

  /** Told after each commit, when it is durable and applied. */
  onCommit(listener: (commit: Commit) => void): void {
    this.#listeners.push(listener);
  }

  /** @throws ManagementError operation-not-supported for startup when there is none */
  view(datastore: DatastoreName): View {
    const snapshot = new Snapshot(this.#environment);
    try {
      const draft =
        datastore === 'startup'
          ? this.#startup(snapshot)
          : datastore === 'candidate' && this.#candidate
            ? this.#draft(this.#candidate)
            : undefined;
      const { version, time } = this.#editionOf(snapshot);
      const rows = draft ? new OverlaidRows(snapshot, draft.overlay) : snapshot;
      const tree = draft?.treeTouched ? draft.tree : this.#treeOf(snapshot);
      return openView(snapshot, { tree, rows, version, time });
    } catch (error) {
      snapshot.close();
      throw error;
    }
  }

  /** Running as it was at a version. @throws ManagementError invalid-value for one that is not on record */
  viewVersion(version: number): View {
    const snapshot = new Snapshot(this.#environment);
    try {
      const history = new History(snapshot);
      history.requireVersion(version);
      const json = history.tree(version);
      const tree = json === undefined ? this.#treeOf(snapshot) : treeFromJson(this.#options.schema, json);
      keepRowParents(tree);
      return openView(snapshot, { tree, rows: history.rows(version), version, time: history.timeOf(version) });
    } catch (error) {
      snapshot.close();
      throw error;
    }
  }

  #editionOf({ head }: Snapshot): Edition {
    if (!head) throw new DamageError('it has no head');
    return { version: head.version, time: new Date(head.time) };
  }

  /** The small tree of a snapshot. A thread that writes may have made it newer than what this one knows. */
  #treeOf(snapshot: Snapshot): DataNode {
    if (snapshot.head?.version === this.#running.head.version) return this.#running.tree;
    const tree = treeFromJson(this.#options.schema, snapshot.tree('running') ?? {});
    keepRowParents(tree);
    return tree;
  }

  /** Two datastores beside each other as they are now; `close` ends the reading. */
  compare(source: DatastoreName, target: DatastoreName): Promise<{ comparison: Compared; close: () => void }> {
    return this.#enqueue(async () => {
      const snapshot = new Snapshot(this.#environment);
      try {
        const [from, to] = [this.#sourceDraft(source, snapshot), this.#sourceDraft(target, snapshot)];
        const overlay = overlayBetween(snapshot, from.overlay, to.overlay);
        const changes = await RowChanges.between(new OverlaidRows(snapshot, from.overlay), overlay);
        return { comparison: { from: from.tree, to: to.tree, rows: () => changes }, close: () => snapshot.close() };
      } catch (error) {
        snapshot.close();
        throw error;
      }
    });
  }

  /** Version, time, content hash and table sizes of running. */
  head(): Edition & { contentHash: string; counts: ReadonlyMap<string, number> } {
    const { head } = this.#running;
    return { ...this.#edition(), contentHash: head.contentHash, counts: rowCounts(head) };
  }

  #edition(): Edition {
    const { version, time } = this.#running.head;
    return { version, time: new Date(time) };
  }

  /**
   * One edit, completely or not at all. Of the candidate it may leave what is not valid yet; of running it is a commit.
   * Returns running as it is then.
   * @throws ManagementError of the edit, the validation, the rules, a participant; in-use when locked by another
   */
  edit(caller: Caller, request: EditRequest, authorize?: Authorize): Promise<Edition> {
    const { target, tree, defaultOperation, testOption, precondition, comment } = request;
    return this.#enqueue(async (base) => {
      this.#locks.requireFree(caller, target);
      await precondition?.();
      const isCandidate = target === 'candidate';
      const draft = this.#draft(isCandidate ? this.#candidate : undefined);
      const drops = this.#drops;
      editDraft(draft, base, tree, defaultOperation, authorize);
      if (testOption === 'test-only') await this.#judge(draft, base, await rowChanges(draft, base));
      else if (isCandidate) this.#setCandidate(await this.#unlessEmpty(draft, base), drops);
      else await this.#change(caller, draft, base, comment);
      return this.#edition();
    });
  }

  /**
   * The candidate becomes running. With `authorize`, the difference is what is asked about (RFC 8341 §3.2.6). `parameters`
   * begin, extend or confirm a confirmed commit, also when the candidate is running already.
   * @throws ManagementError as an edit; in-use, invalid-value while a confirmed commit of others is pending (confirmed.ts)
   */
  commit(caller: Caller, authorize?: Authorize, comment?: string, parameters: CommitParameters = {}): Promise<void> {
    return this.#enqueue(async (base) => {
      this.#locks.requireFree(caller, 'running');
      this.#locks.requireFree(caller, 'candidate');
      const pending = this.#confirmation.afterCommit(caller, parameters, this.#running.head.version);
      const draft = this.#draft(this.#candidate);
      if (authorize) authorizeDifference(draft, this.#running.tree, await rowChanges(draft, base), authorize);
      await this.#commit(caller, draft, base, { comment, pending });
      this.#candidate = undefined;
    });
  }

  /** cancel-commit (RFC 6241 §8.4.4.1): the pending confirmed commit is taken back now. @throws ManagementError */
  cancelCommit(caller: Caller, persistId?: string): Promise<void> {
    return this.#enqueue(async (base) => {
      this.#confirmation.requireCancel(caller, persistId);
      this.#locks.requireFree(caller, 'running');
      await this.#takeBack(base, 'cancel');
    });
  }

  /** The confirmed commit that is to be confirmed yet. */
  get pendingCommit(): PendingCommit | undefined {
    return this.#confirmation.pending;
  }

  /**
   * Candidate or running becomes what running was at a version; of running it is a commit.
   * @throws ManagementError invalid-value for a version that is not on record; what an edit that leads there would throw
   */
  rollBack(
    caller: Caller,
    version: number,
    target: 'candidate' | 'running',
    authorize?: Authorize,
    comment?: string,
  ): Promise<Edition> {
    return this.#enqueue(async (base) => {
      this.#locks.requireFree(caller, target);
      const drops = this.#drops;
      const draft = await draftOfVersion(this.#options.schema, base, this.#running.tree, version);
      if (authorize) await this.#authorizeCopy(draft, target, base, authorize);
      if (target === 'running') await this.#change(caller, draft, base, comment);
      else this.#setCandidate(await this.#unlessEmpty(draft, base), drops);
      return this.#edition();
    });
  }

  /** Forgets history that has become too old; asked for now and then, for a device that nobody edits. */
  forgetOld(): Promise<void> {
    return this.#enqueue(async (base) => {
      const { maximumAgeMs } = retentionOf(this.#running.softwire);
      if (maximumAgeMs === undefined) return;
      const history = new History(base);
      const next = history.summary(history.oldest + 1);
      if (next && Date.parse(next.time) < Date.now() - maximumAgeMs) await this.#write({});
    });
  }

  discard(caller: Caller): Promise<void> {
    return this.#enqueue(async () => {
      this.#locks.requireFree(caller, 'candidate');
      this.#dropCandidate();
    });
  }

  /** Whether the candidate holds changes that are not committed. */
  get candidateModified(): boolean {
    return this.#candidate !== undefined;
  }

  /** @throws ManagementError with everything that would refuse a commit of it */
  validate(source: DatastoreName | DataNode): Promise<void> {
    return this.#enqueue(async (base) => {
      const draft = this.#sourceDraft(source, base);
      await this.#judge({ ...draft, treeTouched: true }, base, await rowChanges(draft, base));
    });
  }

  /** copy-config: `source` is a datastore or a whole configuration, rows as entries (RFC 6241 §7.3). */
  copy(caller: Caller, source: DatastoreName | DataNode, target: DatastoreName, authorize?: Authorize): Promise<void> {
    return this.#enqueue(async (base) => {
      if (source === target) {
        throw new ManagementError('invalid-value', {
          type: 'protocol',
          message: `source and target are both ${target}`,
        });
      }
      if (target === 'startup') this.#requireStartup();
      this.#locks.requireFree(caller, target);
      const drops = this.#drops;
      const draft = this.#sourceDraft(source, base);
      const changes = await rowChanges(draft, base);
      if (authorize) await this.#authorizeCopy(draft, target, base, authorize);
      if (target === 'running') await this.#change(caller, draft, base);
      else if (target === 'candidate') this.#setCandidate(await this.#unlessEmpty(draft, base), drops);
      else {
        await this.#judge(draft, base, changes);
        await this.#write({ startup: { tree: treeToJson(draft.tree), rows: changes } });
      }
    });
  }

  /** Asks about what a copy changes in its target (RFC 8341 §3.2.7), which may differ from running. */
  async #authorizeCopy(draft: Draft, target: DatastoreName, base: Snapshot, authorize: Authorize): Promise<void> {
    const before = this.#sourceDraft(target, base);
    const rows = new OverlaidRows(base, before.overlay);
    const overlay = overlayBetween(base, before.overlay, draft.overlay);
    const changes = await RowChanges.between(rows, overlay);
    authorizeDifference({ ...draft, treeTouched: true }, before.tree, changes, authorize);
  }

  /** delete-config of startup: at the next boot the device begins without softwires, its users stay. */
  deleteStartup(caller: Caller): Promise<void> {
    return this.#enqueue(async (base) => {
      this.#requireStartup();
      this.#locks.requireFree(caller, 'startup');
      const draft = this.#draft(undefined);
      for (const instance of aftrNames(draft.tree)) draft.overlay.clear(instance);
      draft.tree.remove(draft.tree.child('softwire', 'gi-4over6')?.id ?? '');
      await this.#write({ startup: { tree: treeToJson(draft.tree), rows: await rowChanges(draft, base) } });
    });
  }

  /** @throws ManagementError lock-denied; with session 0 for a candidate that holds changes (RFC 6241 §8.3.5.2) */
  lock(caller: Caller, datastore: DatastoreName): Promise<void> {
    // In the queue: no commit is under way when the lock is given.
    return this.#enqueue(async () => {
      if (datastore === 'startup') this.#requireStartup();
      if (datastore === 'candidate' && this.#candidate && !this.#locks.owner(datastore)) {
        throw lockDenied(datastore, 0, 'it holds changes that are not committed; discard-changes or commit first');
      }
      if (datastore === 'running') this.#confirmation.requireLock(caller);
      this.#locks.take(caller, datastore);
    });
  }

  /** The candidate's changes go with its lock (RFC 6241 §8.3.5.2). */
  unlock(caller: Caller, datastore: DatastoreName): void {
    this.#locks.release(caller, datastore);
    if (datastore === 'candidate') this.#dropCandidate();
  }

  lockOwner(datastore: DatastoreName): LockOwner | undefined {
    return this.#locks.owner(datastore);
  }

  /** A session ended: its locks go, with the candidate's lock the candidate's changes, and its confirmed commit without token. */
  releaseSession(session: number): void {
    const drops = this.#locks.releaseAll(session).includes('candidate');
    if (drops) this.#dropCandidate();
    // What the session asked for before it ended may still stand in the queue.
    void this.#enqueue(async (base) => {
      if (drops) this.#dropCandidate();
      if (this.#confirmation.endSession(session)) await this.#takeBackOrRetry(base, 'session-end');
    });
  }

  /** Writes a compacted copy of the store as it is now to a file in a folder that is there; edits go on meanwhile. */
  copyStore(dir: string): Promise<void> {
    return copyEnvironment(this.#environment, dir);
  }

  /**
   * Goes on in a file that is as large as what it holds; octets before and after. Reads under way end in the old one.
   * @throws ManagementError resource-denied when the disk does not take it; what `verify` throws; nothing has changed then
   */
  compact(verify: Verify): Promise<{ before: number; after: number }> {
    const compacted = this.#compaction.then(() => this.#compact(verify));
    this.#compaction = compacted.catch(() => undefined);
    return compacted;
  }

  async #compact(verify: Verify): Promise<{ before: number; after: number }> {
    const { dir } = this.#options;
    while (this.#isUntidy) await this.#tidy();
    for (let tries = 1; tries < COPY_TRIES; tries++) {
      const copy = await this.#copy(verify);
      const sizes = await this.#enqueue(async () => {
        return lastTransaction(this.#environment) === copy.transaction ? this.#switch(copy) : undefined;
      });
      if (sizes) return sizes;
      dropCopy(dir, copy.generation);
    }
    return this.#enqueue(async () => this.#switch(await this.#copy(verify)));
  }

  /** Takes out a little of the history that is forgotten. */
  #tidy(): Promise<void> {
    return this.#enqueue(async () => {
      if (this.#isUntidy) await this.#write({});
    });
  }

  get #isUntidy(): boolean {
    const { head, softwire } = this.#running;
    return isUntidy(head, retentionOf(softwire));
  }

  #copy(verify: Verify): Promise<Copy> {
    return this.#onDisk(() => prepareCopy(this.#options.dir, this.#environment, verify));
  }

  #switch(copy: Copy): Promise<{ before: number; after: number }> {
    return this.#onDisk(async () => {
      const old = this.#environment;
      const before = sizeOf(old).octets;
      this.#environment = switchTo(this.#options.dir, old, copy);
      closeWhenIdle(old);
      return { before, after: sizeOf(this.#environment).octets };
    });
  }

  /** @throws ManagementError resource-denied for an error of the system */
  async #onDisk<Result>(work: () => Promise<Result>): Promise<Result> {
    try {
      return await work();
    } catch (cause) {
      if (cause instanceof ManagementError) throw cause;
      const message = `the store in ${this.#options.dir} could not be compacted (${String(cause)}): see whether its disk is full or fails`;
      throw new ManagementError('resource-denied', { message });
    }
  }

  /** Octets of the store's file, and of what is free in it. */
  storeSize(): StoreSize {
    return sizeOf(this.#environment);
  }

  async close(): Promise<void> {
    this.#confirmation.close();
    this.#tidying.close();
    await this.#compaction;
    await this.#queue;
    await this.#environment.root.close();
  }

  /**
   * One piece of work at a time, in order of asking, each with a snapshot of running; a failed one does not stop the next.
   */
  #enqueue<Result>(work: (base: Snapshot) => Promise<Result>): Promise<Result> {
    const result = this.#queue.then(async () => {
      const base = new Snapshot(this.#environment);
      try {
        return await work(base);
      } finally {
        base.close();
      }
    });
    this.#queue = result.catch(() => undefined);
    return result;
  }

  #load(): Running {
    const snapshot = new Snapshot(this.#environment);
    try {
      const { head } = snapshot;
      if (!head) throw new DamageError('it has no head');
      const json = snapshot.tree('running') ?? {};
      const tree = treeFromJson(this.#options.schema, json);
      keepRowParents(tree);
      return { tree, softwire: readConfiguration(json), head };
    } finally {
      snapshot.close();
    }
  }

  /** A draft that work may change: a copy, or a new one that is running. */
  #draft(draft: Draft | undefined): Draft {
    return draft ? copyDraft(draft, this.#running.tree) : emptyDraft(this.#running.tree);
  }

  #dropCandidate(): void {
    this.#candidate = undefined;
    this.#drops++;
  }

  /** @throws ManagementError operation-failed when the candidate was dropped since `drops` was read */
  #setCandidate(draft: Draft | undefined, drops: number): void {
    if (drops !== this.#drops) {
      const message = 'the changes of the candidate were dropped while this edit was under way, and it with them';
      throw new ManagementError('operation-failed', { message });
    }
    this.#candidate = draft;
  }

  /** Undefined for a draft that is running after all. */
  async #unlessEmpty(draft: Draft, base: RowSource): Promise<Draft | undefined> {
    draft.treeTouched &&= this.#differs(treeToJson(draft.tree));
    // Whether very many rows come to nothing is not worth looking at each edit: a commit finds out.
    if (draft.overlay.size > COMPARED_ROWS) return draft;
    return draft.treeTouched || (await rowChanges(draft, base)).size > 0 ? draft : undefined;
  }

  #differs(json: unknown): boolean {
    return JSON.stringify(json) !== JSON.stringify(treeToJson(this.#running.tree));
  }

  #sourceDraft(source: DatastoreName | DataNode, base: Snapshot): Draft {
    if (source === 'startup') return this.#startup(base) ?? this.#draft(undefined);
    const draft = this.#draft(source === 'candidate' ? this.#candidate : undefined);
    if (typeof source !== 'string') editDraft(draft, base, source, 'replace');
    return draft;
  }

  /** @throws ManagementError operation-not-supported when there is no startup */
  #startup(snapshot: Snapshot): Draft | undefined {
    this.#requireStartup();
    return startupDraft(this.#options.schema, snapshot, this.#running.tree);
  }

  #requireStartup(): void {
    if (this.#options.startup) return;
    const message = 'this device has no startup datastore: running is kept over a restart';
    throw new ManagementError('operation-not-supported', { type: 'protocol', message });
  }

  /** A boot of the kernel: running returns to startup when there is one. */
  async #boot(): Promise<void> {
    const base = new Snapshot(this.#environment);
    const draft = this.#options.startup ? this.#startup(base) : undefined;
    const rows = await rowChanges(draft ?? this.#draft(undefined), base);
    const { bootId } = this.#options;
    const tree = draft && treeToJson(draft.tree);
    const isSame = !tree || (rows.size === 0 && !this.#differs(tree));
    const pending = draft ? null : withoutHolder(readPending(base));
    if (isSame) await this.#write({ bootId, pending });
    else {
      const commit = { caller: SYSTEM, tree, rows, hasStartup: true };
      await this.#write({ bootId, pending, commit, startup: { tree } });
    }
    base.close();
    this.#running = this.#load();
  }

  /** What an earlier process left pending: without a token, or when its time is over, it is taken back. */
  #resumePending(): Promise<void> {
    return this.#enqueue(async (base) => {
      const pending = readPending(base);
      this.#confirmation.set(pending && { ...pending, session: 0 });
      if (pending?.persist === undefined) await this.#takeBackOrRetry(base, 'restart');
    });
  }

  /** The pending confirmed commit is to be taken back; one that is confirmed or extended meanwhile is not. */
  #takeBackLate(reason: TakeBackReason): void {
    void this.#enqueue(async (base) => {
      if (this.#confirmation.isDue) await this.#takeBackOrRetry(base, reason);
    });
  }

  /** With nobody to tell of a failure but the log, the next try follows. */
  async #takeBackOrRetry(base: Snapshot, reason: TakeBackReason): Promise<void> {
    const { pending } = this.#confirmation;
    try {
      await this.#takeBack(base, reason);
    } catch (error) {
      this.#confirmation.retry(reason);
      if (pending) this.#options.onConfirmation?.({ event: 'failed', pending, error });
    }
  }

  /** Running returns to what it was before the pending confirmed commit, if there is one. */
  async #takeBack(base: Snapshot, reason: TakeBackReason): Promise<void> {
    const { pending } = this.#confirmation;
    if (!pending) return;
    const draft = await draftOfVersion(this.#options.schema, base, this.#running.tree, pending.base);
    const comment = `back to version ${pending.base}: confirmed commit ${TAKEN_BACK[reason]}`;
    await this.#commit(SYSTEM, draft, base, { comment, pending: null, isReturn: true });
    this.#options.onConfirmation?.({ event: reason, pending });
  }

  /** What is pending now that the store has it so. */
  #settle(pending: PendingCommit | null | undefined, isReturn: boolean): void {
    if (pending === undefined) return;
    const before = this.#confirmation.pending;
    this.#confirmation.set(pending ?? undefined);
    const told = pending ?? before;
    if (isReturn || !told) return;
    this.#options.onConfirmation?.({ event: !pending ? 'complete' : before ? 'extend' : 'start', pending: told });
  }

  /** Validation and rules. @throws ManagementError with all faults */
  async #judge(draft: Draft, base: RowSource, changes: RowChanges): Promise<void> {
    if (draft.treeTouched) {
      const [first, ...others] = this.#options.validate(draft.tree);
      if (first) throw new ManagementError(first.tag, first, others);
    }
    await checkRules({
      before: this.#running.softwire,
      after: draft.treeTouched ? readConfiguration(treeToJson(draft.tree)) : this.#running.softwire,
      rows: new OverlaidRows(base, draft.overlay),
      changes,
      counts: countsAfter(base, aftrNames(draft.tree), changes),
    });
  }

  /** A commit of running that did not come by way of the candidate. @throws ManagementError in-use while a confirmed commit is pending */
  #change(caller: Caller, draft: Draft, base: Snapshot, comment?: string): Promise<void> {
    return this.#commit(caller, draft, base, { comment, pending: this.#confirmation.afterEdit(caller) });
  }

  async #commit(
    caller: Caller,
    draft: Draft,
    base: Snapshot,
    { comment, pending, isReturn = false }: CommitDetails,
  ): Promise<void> {
    const rows = await rowChanges(draft, base);
    const json = draft.treeTouched ? treeToJson(draft.tree) : undefined;
    const treeChanged = json !== undefined && this.#differs(json);
    if (!treeChanged && rows.size === 0) {
      if (pending !== undefined) await this.#write({ pending });
      this.#settle(pending, isReturn);
      return;
    }
    const { tree: before, head } = this.#running;
    const after = treeChanged ? draft.tree : before;
    const tree = treeChanged ? json : undefined;
    const bulk = rows.size < BULK_WRITE_ROWS ? undefined : await BulkWrite.start(this.#environment.dir, rows);
    const applies: ((version: number) => Promise<void>)[] = [];
    try {
      if (!isReturn) await this.#judge(draft, base, rows);
      const rowCounts = countsAfter(base, aftrNames(after), rows);
      const version = head.version + 1;
      const change: Change = { version, before, after, treeChanged, rows, rowCounts, caller, isReturn };
      for (const participant of this.#participants) applies.push(await participant.prepare(change));
    } catch (error) {
      await bulk?.cancel();
      throw error;
    }
    const softwire = treeChanged ? readConfiguration(json) : this.#running.softwire;
    const judged = performance.now();
    const { version, time } = await this.#write(
      { commit: { caller, comment, tree, rows, hasStartup: this.#options.startup }, pending },
      { tree: after, softwire },
      bulk,
    );
    this.#settle(pending, isReturn);
    const written = performance.now();
    for (const apply of applies) await afterCommit(() => apply(version));
    const [writeMs, applyMs] = [written - judged, performance.now() - written];
    const commit = { version, time: new Date(time), caller, comment, treeChanged, writeMs, applyMs, ...rows.tally };
    for (const listener of this.#listeners) await afterCommit(() => listener(commit));
  }

  /** Durable when it returns. @throws ManagementError resource-denied when the disk does not take it; nothing is written then */
  async #write(
    write: Omit<StoreWrite, 'retention'>,
    after: Omit<Running, 'head'> = this.#running,
    bulk?: BulkWrite,
  ): Promise<Head> {
    const retention = retentionOf(after.softwire);
    let head: Head;
    try {
      head = await (bulk && write.commit
        ? bulk.finish(this.#running.head, write.commit, { pending: write.pending, retention })
        : writeCommit(this.#environment, { ...write, retention }));
    } catch (cause) {
      if (cause instanceof ManagementError || cause instanceof DamageError) throw cause;
      const message = `the store in ${this.#options.dir} took no change (${String(cause)}): see whether its disk is full or fails`;
      throw new ManagementError('resource-denied', { message });
    }
    this.#running = { tree: after.tree, softwire: after.softwire, head };
    if (this.#isUntidy) this.#tidying.ask();
    return head;
  }
}

/** How a pending confirmed commit ended, for the record of the commit that takes it back. */
const TAKEN_BACK: Readonly<Record<TakeBackReason, string>> = {
  cancel: 'cancelled',
  timeout: 'not confirmed in time',
  'session-end': 'not confirmed before its session ended',
  restart: 'not confirmed before a restart',
};

const DAY_MS = 24 * 60 * 60 * 1000;

function retentionOf({ history }: Softwire): Retention {
  const { maximumChanges, maximumAge } = history;
  return { maximumChanges, maximumAgeMs: maximumAge === undefined ? undefined : maximumAge * DAY_MS };
}
/** After so many copies that a commit overtook, commits wait for the next. */
const COPY_TRIES = 3;

/** An overlay of more rows counts as a change without being compared. */
const COMPARED_ROWS = 10_000;

const SYSTEM: Caller = { user: 'system', session: 0, face: 'system' };

/** @throws ManagementError when the first configuration is not valid */
function firstTree({ initial, validate }: DatastoreOptions): unknown {
  const tree = initial();
  keepRowParents(tree);
  const [first, ...others] = validate(tree);
  if (first) throw new ManagementError(first.tag, first, others);
  return treeToJson(tree);
}

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
