/**
 * The datastores: running in the store, candidate and startup as running with an overlay. An edit becomes a commit so:
 *
 *   1. a draft (copy of the small tree, overlay of rows) takes the edit      edit.ts
 *   2. libyang judges the small tree, the rules judge what spans entries     committer.ts, rules.ts
 *   3. every participant may refuse and changes nothing                      prepare
 *   4. one durable transaction                                               running-store.ts, commit.ts
 *   5. every participant applies, listeners are told
 *
 * All of it stands in the queue of the store. Until step 4 nothing anybody can see has changed.
 */

import { boot } from './boot.ts';
import { Candidate } from './candidate.ts';
import { Committer } from './committer.ts';
import type { Verify } from './compaction.ts';
import type { CommitParameters, PendingCommit } from './confirmed.ts';
import { Contention } from './contention.ts';
import { Copies } from './copies.ts';
import { createStore } from './creation.ts';
import type { DataNode } from './data.ts';
import type { DatastoreOptions } from './datastore-options.ts';
import { authorizeDifference, editDraft, rowChanges } from './draft.ts';
import type { Environment, StoreSize } from './environment.ts';
import { openEnvironment, storeError } from './environment.ts';
import { ManagementError } from './errors.ts';
import type { AnyLearning } from './learned/learning.ts';
import { LearningQueue } from './learned/learning.ts';
import type { LockOwner } from './locks.ts';
import { Locks } from './locks.ts';
import type { Softwire } from './model.generated.ts';
import { DamageError } from './model-values.ts';
import { firstTree, removeOthers } from './opening.ts';
import { OverlaidRows, overlayBetween } from './overlay.ts';
import type { PartialLock, PartialLocks } from './partial-locks.ts';
import { lockDenied } from './partial-locks.ts';
import { rowCounts } from './records.ts';
import type {
  Authorize,
  Caller,
  Commit,
  Compared,
  DatastoreName,
  Edition,
  EditRequest,
  Participant,
} from './request.ts';
import { RowChanges } from './row-changes.ts';
import type { HeldFile } from './running-store.ts';
import { RunningStore } from './running-store.ts';
import type { Snapshot } from './snapshot.ts';
import { Sources } from './sources.ts';
import type { View } from './view.ts';

export type { DatastoreOptions } from './datastore-options.ts';
export type { View } from './view.ts';

export class Datastores {
  readonly #options: DatastoreOptions;
  readonly #store: RunningStore;
  readonly #learning = new LearningQueue((take) => this.#change((base) => this.#committer.learn(base, take())));
  readonly #locks = new Locks();
  readonly #committer: Committer;
  readonly #candidate = new Candidate();
  readonly #contention: Contention;
  readonly #sources: Sources;
  readonly #copies: Copies;

  private constructor(options: DatastoreOptions, environment: Environment) {
    this.#options = options;
    const { dir, schema, tell = () => undefined, holdMs } = options;
    this.#store = new RunningStore(dir, schema, environment, tell, holdMs);
    this.#committer = new Committer(options, this.#store);
    this.#committer.addParticipant(this.#locks.partial);
    const [store, locks, committer, candidate] = [this.#store, this.#locks, this.#committer, this.#candidate];
    this.#contention = new Contention(locks, store, committer.confirmation, options.writableRunning !== false);
    this.#sources = new Sources(options, store, candidate);
    const shared = { contention: this.#contention, sources: this.#sources };
    this.#copies = new Copies({ ...shared, schema, store, locks, committer, candidate });
  }

  /** @throws Error with code STORE_ACCESS, STORE_NEWER, STORE_DAMAGED, DISK_FULL or what `initial` gives, each with a sentence */
  static async open(options: DatastoreOptions): Promise<Datastores> {
    await createStore(options.dir, options.bootId, () => firstTree(options));
    const environment = openEnvironment(options.dir, 'write');
    try {
      options.onOpen?.();
      const datastores = new Datastores(options, environment);
      removeOthers(options, environment);
      if (datastores.#store.head.bootId !== options.bootId) await boot(options, datastores.#store);
      await datastores.#committer.resumePending();
      datastores.#store.tidyLater();
      return datastores;
    } catch (error) {
      await environment.root.close();
      if (!(error instanceof DamageError)) throw error;
      const message = `the store in ${options.dir} is damaged (${error.message}): restore a backup into it`;
      throw storeError('STORE_DAMAGED', message, error);
    }
  }

  addParticipant(participant: Participant): void {
    this.#committer.addParticipant(participant);
  }

  /** Told after each commit, when it is durable and applied. */
  onCommit(listener: (commit: Commit) => void): void {
    this.#committer.onCommit(listener);
  }

  /** @throws ManagementError operation-not-supported for startup when there is none */
  view(datastore: DatastoreName): View {
    return this.#store.view((snapshot) => {
      if (datastore === 'startup') return this.#sources.startup(snapshot);
      const { draft } = this.#candidate;
      return datastore === 'candidate' && draft ? this.#sources.draft(draft) : undefined;
    });
  }

  /** A sealed row of running and the edition it is of; undefined when there is none, or when it is not known yet what running is. */
  row(instance: string, number: number): { readonly value: Uint8Array; readonly edition: Edition } | undefined {
    return this.#store.row(instance, number);
  }

  /** Running as it was at a version. @throws ManagementError invalid-value for one that is not on record */
  viewVersion(version: number): View {
    return this.#store.viewVersion(version);
  }

  /** The small tree of running; another object when a commit has changed it, and not to be changed itself. */
  get runningTree(): DataNode {
    return this.#store.tree;
  }

  /** The values of running's small tree. */
  get softwire(): Softwire {
    return this.#store.softwire;
  }

  /** Two datastores beside each other as they are now; `close` ends the reading. */
  compare(source: DatastoreName, target: DatastoreName): Promise<{ comparison: Compared; close: () => void }> {
    return this.#store.enqueue(async () => {
      const snapshot = this.#store.snapshot();
      try {
        const [from, to] = [await this.#sources.of(source, snapshot), await this.#sources.of(target, snapshot)];
        const overlay = overlayBetween(snapshot, from.overlay, to.overlay);
        const kept = this.#store.keep(snapshot);
        const changes = await RowChanges.between(new OverlaidRows(kept, from.overlay), overlay);
        return { comparison: { from: from.tree, to: to.tree, rows: () => changes }, close: () => kept.close() };
      } catch (error) {
        snapshot.close();
        throw error;
      }
    });
  }

  /** Version, time, content hash and table sizes of running. */
  head(): Edition & { contentHash: string; counts: ReadonlyMap<string, number> } {
    const { head } = this.#store;
    const { version, time, contentHash } = head;
    return { version, time: new Date(time), contentHash, counts: rowCounts(head) };
  }

  /**
   * One edit, completely or not at all. Of the candidate it may leave what is not valid yet; of running it is a commit. Returns
   * running as it is then. Where clients do not write running, RESTCONF edits the candidate and commits all of it (RFC 8040 §1.4).
   * @throws ManagementError access-denied, then of the edit; in-use when others hold what it changes; of the validation, the rules, a
   *   participant; of a condition before all that the edit meets but access-denied and in-use
   */
  edit(caller: Caller, request: EditRequest, authorize?: Authorize): Promise<Edition> {
    const { target, tree, defaultOperation, testOption, precondition, comment } = request;
    return this.#change(async (base) => {
      const isCandidate = target === 'candidate';
      const commitsAll = !isCandidate && this.#contention.isByCandidate(caller);
      const locked = this.#contention.lockRefusal(caller, target);
      const requireConditions = await precondition?.();
      const others = isCandidate || commitsAll ? this.#candidate.draft : undefined;
      const draft = this.#sources.draft(others);
      const setCandidate = this.#candidate.begin();
      // Rows that nobody has to be asked about are not merged for an edit that comes to nothing, unless they may be locked.
      const mergesRows = !locked && (!throws(requireConditions) || this.#contention.hasParts(caller));
      try {
        await editDraft(draft, base, tree, defaultOperation, { authorize, mergesRows });
      } catch (error) {
        // Conditions are judged before the content (RFC 9110 §13.2.1); rights, for which the content has to be seen, before conditions.
        if (!locked && !isDenial(error)) requireConditions?.();
        throw error;
      }
      if (commitsAll && others && authorize) {
        await authorizeDifference(draft, this.#store.tree, await rowChanges(draft, base), authorize);
      }
      // Who may not make the edit does not learn of a lock, and what is not there is not there with a lock either.
      if (locked) throw locked;
      if (!isCandidate) await this.#contention.requireFree(caller, draft, base);
      requireConditions?.();
      const isTested = testOption === 'test-only' || (isCandidate && testOption === 'test-then-set');
      if (isTested) await this.#committer.judge(draft, base, await rowChanges(draft, base));
      if (testOption === 'test-only') return this.#store.edition;
      if (isCandidate) setCandidate(await this.#sources.unlessEmpty(draft, base));
      else {
        await this.#committer.change(caller, draft, base, comment);
        if (commitsAll) this.#candidate.settle();
      }
      return this.#store.edition;
    });
  }

  /**
   * The candidate becomes running. With `authorize`, the difference is what is asked about (RFC 8341 §3.2.6). `parameters`
   * begin, extend or confirm a confirmed commit, also when the candidate is running already.
   * @throws ManagementError as an edit; in-use, invalid-value while a confirmed commit of others is pending (confirmed.ts)
   */
  commit(caller: Caller, authorize?: Authorize, comment?: string, parameters: CommitParameters = {}): Promise<void> {
    return this.#change(async (base) => {
      const draft = this.#sources.draft(this.#candidate.draft);
      if (authorize) await authorizeDifference(draft, this.#store.tree, await rowChanges(draft, base), authorize);
      this.#locks.requireFree(caller, 'running');
      this.#locks.requireFree(caller, 'candidate');
      const pending = this.#committer.confirmation.afterCommit(caller, parameters, this.#store.head.version);
      await this.#contention.requirePartsFree(caller, draft, base);
      await this.#committer.commit(caller, draft, base, { comment, pending });
      this.#candidate.settle();
    });
  }

  /** cancel-commit (RFC 6241 §8.4.4.1): the pending confirmed commit is taken back now. @throws ManagementError */
  cancelCommit(caller: Caller, persistId?: string): Promise<void> {
    return this.#change(async (base) => {
      this.#committer.confirmation.requireCancel(caller, persistId);
      this.#locks.requireFree(caller, 'running');
      await this.#committer.takeBack(base, 'cancel', caller);
    });
  }

  /** The confirmed commit that is to be confirmed yet. */
  get pendingCommit(): PendingCommit | undefined {
    return this.#committer.confirmation.pending;
  }

  /** Candidate or running becomes what running was at a version; of running it is a commit. @throws ManagementError as `Copies.rollBack` */
  rollBack(
    caller: Caller,
    version: number,
    target: 'candidate' | 'running',
    authorize?: Authorize,
    comment?: string,
  ): Promise<Edition> {
    return this.#change(async (base) => {
      await this.#copies.rollBack(base, caller, { version, target, comment }, authorize);
      return this.#store.edition;
    });
  }

  /** A change of operational tables in a turn of the queue, with others that wait. @throws ManagementError when no change is taken now */
  learn(learning: AnyLearning): Promise<void> {
    return this.#learning.add(learning);
  }

  /** Forgets history that has become too old; asked for now and then, for a device that nobody edits. */
  forgetOld(): Promise<void> {
    return this.#store.forgetOld();
  }

  discard(caller: Caller): Promise<void> {
    return this.#store.enqueue(async () => {
      this.#locks.requireFree(caller, 'candidate');
      this.#candidate.drop();
    });
  }

  /** Whether the candidate holds changes that are not committed. */
  get candidateModified(): boolean {
    return this.#candidate.draft !== undefined;
  }

  /** @throws ManagementError with everything that would refuse a commit of it */
  validate(source: DatastoreName | DataNode): Promise<void> {
    return this.#store.enqueue(async (base) => {
      const draft = await this.#sources.of(source, base);
      const asked = { ...draft, tree: draft.tree.clone(), treeTouched: true };
      await this.#committer.judge(asked, base, await rowChanges(draft, base));
    });
  }

  /** copy-config (RFC 6241 §7.3). @throws ManagementError as `Copies.copy` */
  copy(
    caller: Caller,
    source: DatastoreName | DataNode,
    target: DatastoreName,
    authorize?: Authorize,
    reshape?: (tree: DataNode) => void,
  ): Promise<void> {
    return this.#change((base) => this.#copies.copy(base, caller, { source, target, reshape }, authorize));
  }

  /** A turn in the queue for what a client wants changed. @throws ManagementError when no change is taken now */
  #change<Result>(work: (base: Snapshot) => Promise<Result>): Promise<Result> {
    return this.#store.enqueue((base) => {
      this.#options.mayChange?.();
      return work(base);
    });
  }

  /** delete-config of startup (RFC 6241 §7.4). @throws ManagementError as `Copies.deleteStartup` */
  deleteStartup(caller: Caller, authorize?: Authorize): Promise<void> {
    return this.#change((base) => this.#copies.deleteStartup(base, caller, authorize));
  }

  /** @throws ManagementError lock-denied; with session 0 for a candidate that holds changes (RFC 6241 §8.3.5.2) */
  lock(caller: Caller, datastore: DatastoreName): Promise<void> {
    // In the queue: no commit is under way when the lock is given.
    return this.#store.enqueue(async () => {
      if (datastore === 'startup') this.#sources.requireStartup();
      if (datastore === 'candidate' && this.#candidate.draft && !this.#locks.owner(datastore)) {
        throw lockDenied(datastore, 0, 'it holds changes that are not committed; discard-changes or commit first');
      }
      if (datastore === 'running') this.#committer.confirmation.requireLock(caller);
      this.#locks.take(caller, datastore);
    });
  }

  /** The candidate's changes go with its lock (RFC 6241 §8.3.5.2). */
  unlock(caller: Caller, datastore: DatastoreName): void {
    this.#locks.release(caller, datastore);
    if (datastore === 'candidate') this.#candidate.drop();
  }

  /**
   * Locks the nodes of running that `find` gives in the caller's turn (RFC 5717 §2.4.1).
   * @throws ManagementError in-use while a confirmed commit is pending (§2.6.2); of `find`; as `Locks.takePart`
   */
  partialLock(caller: Caller, select: readonly string[], find: (view: View) => DataNode[]): Promise<PartialLock> {
    return this.#store.enqueue(async () => {
      const view = this.view('running');
      try {
        const nodes = find(view);
        this.#committer.confirmation.requireNone();
        return this.#locks.takePart(caller, select, nodes);
      } finally {
        view.close();
      }
    });
  }

  get partialLocks(): PartialLocks {
    return this.#locks.partial;
  }

  lockOwner(datastore: DatastoreName): LockOwner | undefined {
    return this.#locks.owner(datastore);
  }

  /** A session ended: its locks go, with the candidate's lock the candidate's changes, and its confirmed commit without token. */
  releaseSession(session: number): void {
    const drops = this.#locks.releaseAll(session).includes('candidate');
    if (drops) this.#candidate.drop();
    // What the session asked for before it ended may still stand in the queue.
    void this.#store.enqueue(async (base) => {
      if (this.#locks.releaseAll(session).includes('candidate') || drops) this.#candidate.drop();
      if (this.#committer.confirmation.endSession(session)) await this.#committer.takeBackOrRetry(base, 'session-end');
    });
  }

  /** Writes a compacted copy of the store as it is now to a file in a folder that is there; edits go on meanwhile. */
  copyStore(dir: string): Promise<void> {
    return this.#store.copyTo(dir);
  }

  /** The file as the last commit left it, for one who reads it without LMDB; to be released. */
  holdStore(): Promise<HeldFile> {
    return this.#store.holdFile();
  }

  /**
   * Goes on in a file that is as large as what it holds; octets before and after. Reads under way end in the old one.
   * @throws ManagementError resource-denied when the disk does not take it; what `verify` throws; nothing has changed then
   */
  compact(verify: Verify): Promise<{ before: number; after: number }> {
    return this.#store.compact(verify);
  }

  /** Gives back the memory that a commit of many rows took; false when somebody reads just now, to be asked again then. */
  giveBackMemory(): Promise<boolean> {
    return this.#store.giveBackMemory();
  }

  /** Octets of the store's file, and of what is free in it. */
  storeSize(): StoreSize {
    return this.#store.size;
  }

  /** A sentence while the disk takes no change, '' else. */
  get diskProblem(): string {
    return this.#store.diskProblem;
  }

  async close(): Promise<void> {
    this.#committer.confirmation.close();
    await this.#store.close();
  }

  /** The next start counts as one after a boot of the kernel, whatever the kernel says. */
  async restarts(): Promise<void> {
    await this.#store.enqueue(() => this.#store.write({ bootId: '' }));
  }
}

function isDenial(error: unknown): boolean {
  return error instanceof ManagementError && error.tag === 'access-denied';
}

function throws(work: (() => void) | undefined): boolean {
  try {
    work?.();
  } catch {
    return true;
  }
  return false;
}
