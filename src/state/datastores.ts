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

import type { Ipv4Prefix } from '../address.ts';
import { writeCommit, writeFirst } from './commit.ts';
import type { DataNode } from './data.ts';
import type { Draft } from './draft.ts';
import { authorizeDifference, copyDraft, editDraft, emptyDraft, rowChanges } from './draft.ts';
import { keepRowParents } from './edit.ts';
import type { Environment } from './environment.ts';
import { openEnvironment, Snapshot } from './environment.ts';
import { ManagementError } from './errors.ts';
import { treeFromJson, treeToJson } from './json.ts';
import type { LockOwner } from './locks.ts';
import { Locks, lockDenied } from './locks.ts';
import type { Binding } from './model.generated.ts';
import { readConfiguration } from './model.generated.ts';
import type {
  Authorize,
  Caller,
  Change,
  Commit,
  DatastoreName,
  EditRequest,
  Participant,
  RowChange,
  TreeValidation,
} from './request.ts';
import type { RowSource } from './rows.ts';
import { longestMatch, OverlaidRows, RowOverlay } from './rows.ts';
import { checkRules } from './rules.ts';
import type { Schema } from './schema.ts';

/** A consistent snapshot of one datastore; to be closed. Reading from one older than 30 s is refused. */
export interface View extends RowSource {
  readonly version: number;
  readonly time: Date;
  /** Not to be changed. */
  readonly tree: DataNode;
  longestMatch(instance: string, address: number): Binding | undefined;
  close(): void;
}

export interface DatastoreOptions {
  readonly dir: string;
  readonly schema: Schema;
  readonly validate: TreeValidation;
  /** Whether there is a startup datastore. */
  readonly startup: boolean;
  /** Changes with each boot of the kernel; running returns to startup when it has. */
  readonly bootId: string;
  /** The first configuration of a store that is created. */
  readonly initial: () => DataNode;
}

const VIEW_LIMIT_MS = 30_000;

export class Datastores {
  readonly #options: DatastoreOptions;
  readonly #environment: Environment;
  readonly #locks = new Locks();
  readonly #participants: Participant[] = [];
  readonly #listeners: ((commit: Commit) => void)[] = [];
  /** Running's small tree as the last commit left it; nobody changes it. */
  #running: DataNode;
  #candidate: Draft | undefined;
  #queue: Promise<unknown> = Promise.resolve();

  private constructor(options: DatastoreOptions, environment: Environment) {
    this.#options = options;
    this.#environment = environment;
    this.#running = this.#loadRunning();
  }

  /** @throws Error with code STORE_ACCESS, STORE_NEWER, STORE_DAMAGED or what `initial` gives, each with a sentence */
  static open(options: DatastoreOptions): Datastores {
    const environment = openEnvironment(options.dir, 'write');
    try {
      const snapshot = new Snapshot(environment);
      const { head } = snapshot;
      snapshot.close();
      if (!head) {
        const tree = options.initial();
        keepRowParents(tree);
        const [fault] = options.validate(tree);
        if (fault) throw fault;
        writeFirst(environment, treeToJson(tree), options.bootId);
      }
      const datastores = new Datastores(options, environment);
      if (head && head.bootId !== options.bootId) datastores.#boot();
      return datastores;
    } catch (error) {
      void environment.root.close();
      throw error;
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
    const draft =
      datastore === 'candidate' ? this.#candidate : datastore === 'startup' ? this.#startup(snapshot) : undefined;
    const rows = draft ? new OverlaidRows(snapshot, draft.overlay.clone()) : snapshot;
    const fresh = freshFor(rows);
    return {
      version: snapshot.head?.version ?? 0,
      time: new Date(snapshot.head?.time ?? 0),
      tree: draft?.treeTouched ? draft.tree : this.#running,
      binding: (instance, address, length) => fresh().binding(instance, address, length),
      *bindings(instance: string, from?: Ipv4Prefix) {
        for (const binding of fresh().bindings(instance, from)) {
          yield binding;
          fresh();
        }
      },
      count: (instance) => fresh().count(instance),
      longestMatch: (instance, address) => longestMatch(fresh(), instance, address),
      close: () => snapshot.close(),
    };
  }

  /** Version, time, content hash and table sizes of running. */
  head(): { version: number; time: Date; contentHash: string; counts: ReadonlyMap<string, number> } {
    const snapshot = new Snapshot(this.#environment);
    const { head } = snapshot;
    snapshot.close();
    return {
      version: head?.version ?? 0,
      time: new Date(head?.time ?? 0),
      contentHash: head?.contentHash ?? '',
      counts: new Map(Object.entries(head?.counts ?? {})),
    };
  }

  /**
   * One edit, completely or not at all. Of the candidate it may leave what is not valid yet; of running it is a commit.
   * @throws ManagementError of the edit, the validation, the rules, a participant; in-use when locked by another
   */
  edit(caller: Caller, request: EditRequest, authorize?: Authorize): Promise<void> {
    const { target, tree, defaultOperation, testOption } = request;
    return this.#enqueue(async (base) => {
      this.#locks.requireFree(caller, target);
      const draft =
        target === 'candidate' && this.#candidate
          ? copyDraft(this.#candidate, this.#running)
          : emptyDraft(this.#running);
      editDraft(draft, base, tree, defaultOperation, authorize);
      if (testOption === 'test-only') this.#judge(draft, base, rowChanges(draft, base));
      else if (target === 'running') await this.#commit(caller, draft, base);
      else this.#candidate = draft;
    });
  }

  /** The candidate becomes running. With `authorize`, the difference is what is asked about (RFC 8341 §3.2.6). */
  commit(caller: Caller, authorize?: Authorize): Promise<void> {
    return this.#enqueue(async (base) => {
      this.#locks.requireFree(caller, 'running');
      this.#locks.requireFree(caller, 'candidate');
      const draft = this.#candidate;
      if (!draft) return;
      if (authorize) authorizeDifference(draft, this.#running, rowChanges(draft, base), authorize);
      await this.#commit(caller, copyDraft(draft, this.#running), base);
      this.#candidate = undefined;
    });
  }

  discard(caller: Caller): Promise<void> {
    return this.#enqueue(async () => {
      this.#locks.requireFree(caller, 'candidate');
      this.#candidate = undefined;
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
      this.#judge({ ...draft, treeTouched: true }, base, rowChanges(draft, base));
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
      const draft = this.#sourceDraft(source, base);
      const changes = rowChanges(draft, base);
      if (authorize) authorizeDifference(draft, this.#running, changes, authorize);
      if (target === 'running') await this.#commit(caller, draft, base);
      else if (target === 'candidate') this.#candidate = source === 'running' ? undefined : draft;
      else {
        this.#judge(draft, base, changes);
        writeCommit(this.#environment, { startup: { tree: treeToJson(draft.tree), rows: changes } });
      }
    });
  }

  /** delete-config of startup: at the next boot the device begins without softwires, its users stay. */
  deleteStartup(caller: Caller): Promise<void> {
    return this.#enqueue(async (base) => {
      this.#requireStartup();
      this.#locks.requireFree(caller, 'startup');
      const draft = emptyDraft(this.#running);
      draft.tree.remove(draft.tree.child('softwire', 'gi-4over6')?.id ?? '');
      for (const instance of aftrNames(this.#running)) draft.overlay.clear(instance);
      writeCommit(this.#environment, { startup: { tree: treeToJson(draft.tree), rows: rowChanges(draft, base) } });
    });
  }

  /** @throws ManagementError lock-denied; with session 0 for a candidate that holds changes (RFC 6241 §8.3.5.2) */
  lock(caller: Caller, datastore: DatastoreName): void {
    if (datastore === 'startup') this.#requireStartup();
    if (datastore === 'candidate' && this.#candidate && !this.#locks.owner(datastore)) {
      throw lockDenied(datastore, 0, 'it holds changes that are not committed; discard-changes or commit first');
    }
    this.#locks.take(caller, datastore);
  }

  /** The candidate's changes go with its lock (RFC 6241 §8.3.5.2). */
  unlock(caller: Caller, datastore: DatastoreName): void {
    this.#locks.release(caller, datastore);
    if (datastore === 'candidate') this.#candidate = undefined;
  }

  lockOwner(datastore: DatastoreName): LockOwner | undefined {
    return this.#locks.owner(datastore);
  }

  /** A session ended: its locks go, and with the candidate's lock the candidate's changes. */
  releaseSession(session: number): void {
    if (this.#locks.releaseAll(session).includes('candidate')) this.#candidate = undefined;
  }

  async close(): Promise<void> {
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

  #loadRunning(): DataNode {
    const snapshot = new Snapshot(this.#environment);
    const tree = treeFromJson(this.#options.schema, snapshot.tree('running') ?? {});
    snapshot.close();
    keepRowParents(tree);
    return tree;
  }

  #sourceDraft(source: DatastoreName | DataNode, base: Snapshot): Draft {
    if (source === 'candidate' && this.#candidate) return copyDraft(this.#candidate, this.#running);
    if (source === 'startup') return this.#startup(base) ?? emptyDraft(this.#running);
    const draft = emptyDraft(this.#running);
    if (typeof source !== 'string') editDraft(draft, base, source, 'replace');
    return draft;
  }

  /** Startup as a draft on running; undefined while it is running itself. @throws when there is no startup */
  #startup(snapshot: Snapshot): Draft | undefined {
    this.#requireStartup();
    const json = snapshot.tree('startup');
    if (json === undefined) return undefined;
    const tree = treeFromJson(this.#options.schema, json);
    keepRowParents(tree);
    const overlay = new RowOverlay();
    const names = aftrNames(tree);
    for (const instance of aftrNames(this.#running)) if (!names.includes(instance)) overlay.clear(instance);
    for (const { instance, key, binding } of snapshot.startupRows()) {
      if (binding) overlay.put(instance, binding);
      else overlay.delete(instance, { address: key.readUInt32BE(0), length: key[4] ?? 0 });
    }
    return { tree, treeTouched: true, overlay };
  }

  #requireStartup(): void {
    if (this.#options.startup) return;
    const message = 'this device has no startup datastore: running is kept over a restart';
    throw new ManagementError('operation-not-supported', { type: 'protocol', message });
  }

  /** A boot of the kernel: running returns to startup when there is one. */
  #boot(): void {
    const base = new Snapshot(this.#environment);
    const draft = this.#options.startup ? this.#startup(base) : undefined;
    const rows = draft ? rowChanges(draft, base) : [];
    base.close();
    const { bootId } = this.#options;
    if (!draft) writeCommit(this.#environment, { bootId });
    else
      writeCommit(this.#environment, {
        bootId,
        commit: { caller: SYSTEM, tree: treeToJson(draft.tree), rows, keepsStartup: true },
      });
    this.#running = this.#loadRunning();
  }

  /** Validation and rules. @throws ManagementError with all faults */
  #judge(draft: Draft, base: RowSource, changes: readonly RowChange[]): void {
    if (draft.treeTouched) {
      const [first, ...others] = this.#options.validate(draft.tree);
      if (first) throw new ManagementError(first.tag, first, others);
    }
    checkRules({
      before: readConfiguration(treeToJson(this.#running)),
      after: readConfiguration(treeToJson(draft.tree)),
      rows: new OverlaidRows(base, draft.overlay),
      changes,
    });
  }

  async #commit(caller: Caller, draft: Draft, base: Snapshot): Promise<void> {
    const rows = rowChanges(draft, base);
    const before = this.#running;
    const after = draft.treeTouched ? draft.tree : before;
    const json = treeToJson(after);
    const treeChanged = draft.treeTouched && JSON.stringify(json) !== JSON.stringify(treeToJson(before));
    if (!treeChanged && rows.length === 0) return;
    this.#judge(draft, base, rows);
    const table = new OverlaidRows(base, draft.overlay);
    const rowCounts = new Map(aftrNames(after).map((name) => [name, table.count(name)]));
    const change: Change = {
      version: (base.head?.version ?? 0) + 1,
      before,
      after,
      treeChanged,
      rows,
      rowCounts,
      caller,
    };
    const applies: ((version: number) => Promise<void>)[] = [];
    for (const participant of this.#participants) applies.push(await participant.prepare(change));
    const keepsStartup = !this.#options.startup;
    const { version, time } = writeCommit(this.#environment, {
      commit: { caller, tree: treeChanged ? json : undefined, rows, keepsStartup },
    });
    if (treeChanged) this.#running = after;
    for (const apply of applies) await apply(version);
    for (const listener of this.#listeners) listener({ version, time, caller, treeChanged, ...tally(rows) });
  }
}

const SYSTEM: Caller = { user: 'system', session: 0, face: 'system' };

/** Hands out `rows` for as long as a view may live, so that a slow reader does not hold old pages for ever. */
function freshFor(rows: RowSource): () => RowSource {
  const openedAt = Date.now();
  return () => {
    if (Date.now() - openedAt <= VIEW_LIMIT_MS) return rows;
    const message = `a read that took longer than ${VIEW_LIMIT_MS / 1000} s was ended`;
    throw new ManagementError('resource-denied', { message });
  };
}

function aftrNames(tree: DataNode): string[] {
  const aftrs = tree.child('softwire', 'gi-4over6')?.entries('aftr') ?? [];
  return aftrs.map((aftr) => aftr.leaf('name') ?? '');
}

function tally(rows: readonly RowChange[]): { added: number; changed: number; removed: number } {
  const counts = { added: 0, changed: 0, removed: 0 };
  for (const { before, after } of rows) counts[!before ? 'added' : after ? 'changed' : 'removed']++;
  return counts;
}
