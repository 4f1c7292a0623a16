/**
 * Running in the store: snapshots and views of it, the queue in which all work on it stands, its transactions, and the care of
 * its file.
 */

import { join } from 'node:path';
import { BULK_WRITE_ROWS, BulkWrite } from './bulk-write.ts';
import type { CommitContent, StoreWrite } from './commit.ts';
import { writeCommit, writeCommits } from './commit.ts';
import type { Copy, Tell, Verify } from './compaction.ts';
import { dropCopy, lastTransaction, prepareCopy, switchTo } from './compaction.ts';
import { readConfiguration } from './configuration-reader.generated.ts';
import { keepRowParents } from './content.ts';
import { tellDamage } from './damage.ts';
import type { DataNode } from './data.ts';
import { DiskCare, systemFault } from './disk-care.ts';
import type { Draft } from './draft.ts';
import type { Environment, StoreSize } from './environment.ts';
import { closeWhenIdle, copyEnvironment, readMetaPages, reopen, sizeOf } from './environment.ts';
import { ManagementError } from './errors.ts';
import { STORE_FILE } from './generations.ts';
import { Glance } from './glance.ts';
import { History } from './history.ts';
import { treeFromJson, treeToJson } from './json.ts';
import { KeptRows } from './kept-rows.ts';
import type { Softwire } from './model.generated.ts';
import { DamageError } from './model-values.ts';
import { OverlaidRows } from './overlay.ts';
import type { Head } from './records.ts';
import { editionOf } from './records.ts';
import type { Edition } from './request.ts';
import { isUntidy, retentionOf, TIDIED_BETWEEN } from './retention.ts';
import type { RowChanges } from './row-changes.ts';
import type { Schema } from './schema.ts';
import { Snapshot } from './snapshot.ts';
import { Tidying } from './tidying.ts';
import type { View } from './view.ts';
import { openView } from './view.ts';

/** Running as the last commit left it; nobody changes the trees. */
interface Running {
  readonly tree: DataNode;
  readonly softwire: Softwire;
  readonly head: Head;
  readonly edition: Edition;
}

/** Of work in the queue, in milliseconds of `performance.now`. */
interface Turn {
  readonly askedAt: number;
  readonly beganAt: number;
}

/** When no commit has come for so long, tidying may take its time. */
const QUIET_MS = 250;
/** A store file for one who reads it without LMDB: until it is released, nobody writes on the pages that `metaPages` lead to. */
export interface HeldFile {
  readonly file: string;
  /** The first two pages. */
  readonly metaPages: Buffer;
  readonly release: () => void;
}

/** After so many copies that a commit overtook, commits wait for the next. */
const COPY_TRIES = 3;

export class RunningStore {
  readonly #dir: string;
  readonly #schema: Schema;
  #environment: Environment;
  #running: Running;
  #turn: Turn = { askedAt: 0, beganAt: 0 };
  #lastCommitAt = Number.NEGATIVE_INFINITY;
  #queue: Promise<unknown> = Promise.resolve();
  #isClosed = false;
  /** One at a time. */
  #compaction: Promise<unknown> = Promise.resolve();
  /** Of the octets of forgotten history. */
  readonly #tidying = new Tidying(() => this.#tidy());
  readonly #tell: Tell;
  readonly #disk: DiskCare;
  readonly #holdMs: number | undefined;
  readonly #glance = new Glance(() => this.snapshot());
  /** Copies under way. */
  readonly #copies = new Set<Promise<void>>();

  /** `dir` is the folder of the store, `environment` what is open of it, `holdMs` as in KeptRows. @throws DamageError */
  constructor(dir: string, schema: Schema, environment: Environment, tell: Tell, holdMs?: number) {
    this.#dir = dir;
    this.#schema = schema;
    this.#tell = tell;
    this.#disk = new DiskCare({ dir, attempt: () => this.enqueue(() => this.write({})), tell });
    this.#holdMs = holdMs;
    this.#environment = environment;
    this.#running = this.#load();
  }

  /** The small tree; not to be changed. */
  get tree(): DataNode {
    return this.#running.tree;
  }

  /** The values of the small tree. */
  get softwire(): Softwire {
    return this.#running.softwire;
  }

  get head(): Head {
    return this.#running.head;
  }

  get edition(): Edition {
    return this.#running.edition;
  }

  /** The store as it is now; to be closed. */
  snapshot(): Snapshot {
    return new Snapshot(this.#environment);
  }

  /** Running as it is now, or what `draftOf` has on top of it; to be closed. @throws what `draftOf` throws */
  view(draftOf: (snapshot: Snapshot) => Draft | undefined): View {
    return this.#view((snapshot) => {
      const draft = draftOf(snapshot);
      const { head } = snapshot;
      if (!head) throw new DamageError('it has no head');
      const tree = draft?.treeTouched ? draft.tree : this.#treeOf(snapshot);
      const kept = this.keep(snapshot, head.version);
      const rows = draft ? new OverlaidRows(kept, draft.overlay) : kept;
      return openView(kept, { tree, rows, time: new Date(head.time), edition: editionOf(head) });
    });
  }

  /**
   * A row of running and the edition it is of; undefined when there is none, when running is newer than what is known of it, or at the end.
   * Its octets are overwritten by the next reading, so that they are to be used at once.
   */
  row(instance: string, number: number): { readonly value: Uint8Array; readonly edition: Edition } | undefined {
    const snapshot = this.#isClosed ? undefined : this.#glance.at(this.head.version);
    const value = snapshot?.sealed(instance, number);
    return value && { value, edition: this.edition };
  }

  /** Running as it was at a version. @throws ManagementError invalid-value for one that is not on record */
  viewVersion(version: number): View {
    return this.#view((snapshot) => {
      const history = new History(snapshot);
      history.requireVersion(version);
      const json = history.tree(version);
      const tree = json === undefined ? this.#treeOf(snapshot) : this.#treeFrom(json);
      const time = history.timeOf(version);
      const kept = this.keep(snapshot, version);
      return openView(kept, { tree, rows: kept, time, edition: { version, time } });
    });
  }

  /** The rows of a version on record, for who may be slow; to be closed, and the snapshot with it. */
  keep(snapshot: Snapshot, version = snapshot.head?.version ?? 0): KeptRows {
    return new KeptRows(snapshot, version, () => this.snapshot(), this.#holdMs);
  }

  #view(open: (snapshot: Snapshot) => View): View {
    const snapshot = this.snapshot();
    try {
      return open(snapshot);
    } catch (error) {
      snapshot.close();
      throw error;
    }
  }

  /** The small tree of a snapshot. A thread that writes may have made it newer than what this one knows. */
  #treeOf(snapshot: Snapshot): DataNode {
    if (snapshot.head?.version === this.head.version) return this.tree;
    return this.#treeFrom(snapshot.tree('running') ?? {});
  }

  #treeFrom(json: unknown): DataNode {
    const tree = treeFromJson(this.#schema, json);
    keepRowParents(tree);
    return tree;
  }

  #load(): Running {
    const snapshot = this.snapshot();
    try {
      const { head } = snapshot;
      if (!head) throw new DamageError('it has no head');
      const json = snapshot.tree('running') ?? {};
      return { tree: this.#treeFrom(json), softwire: readConfiguration(json), head, edition: editionOf(head) };
    } finally {
      snapshot.close();
    }
  }

  /** What a write of this process changed without saying what running is then. */
  reload(): void {
    this.#running = this.#load();
  }

  /** Whether this RFC 7951 JSON of a small tree is another than that of running. */
  differs(json: unknown): boolean {
    return JSON.stringify(json) !== JSON.stringify(treeToJson(this.tree));
  }

  /** One piece of work at a time, in order of asking, each with a snapshot of running; a failed one does not stop the next. */
  enqueue<Result>(work: (base: Snapshot) => Promise<Result>): Promise<Result> {
    const askedAt = performance.now();
    const result = this.#queue.then(async () => {
      this.#turn = { askedAt, beganAt: performance.now() };
      const base = this.snapshot();
      try {
        return await work(base);
      } finally {
        base.close();
      }
    });
    this.#queue = result.catch(tellDamage);
    return result;
  }

  /** Gives back the memory that writing many rows took; false when somebody reads just now, to be asked again then. */
  giveBackMemory(): Promise<boolean> {
    const given = this.#queue.then(async () => {
      await this.#environment.root.flushed;
      this.#glance.close();
      const environment = this.#isClosed ? undefined : reopen(this.#environment);
      this.#environment = environment ?? this.#environment;
      return environment !== undefined;
    });
    this.#queue = given.catch(() => undefined);
    return given;
  }

  /** When the work whose turn it is was asked for, and when it began. */
  get turn(): Turn {
    return this.#turn;
  }

  /** A thread for so many rows that one is worth it: to be handed to `write`, or cancelled. */
  async startBulk(rows: RowChanges): Promise<BulkWrite | undefined> {
    return rows.size < BULK_WRITE_ROWS ? undefined : BulkWrite.start(this.#environment.dir, rows);
  }

  /**
   * In its turn of the queue. Durable when it returns; running is `after` then.
   * @throws ManagementError resource-denied when the disk does not take it, DamageError; nothing is written then
   */
  async write(
    write: Omit<StoreWrite, 'retention'>,
    after: Pick<Running, 'tree' | 'softwire'> = this.#running,
    bulk?: BulkWrite,
  ): Promise<Head> {
    const whole = { ...write, retention: retentionOf(after.softwire) };
    const head = await this.#attempt(() => this.#transact(whole, bulk));
    this.#wrote(
      { tree: after.tree, softwire: after.softwire, head, edition: editionOf(head) },
      write.commit !== undefined,
    );
    return head;
  }

  #transact(write: StoreWrite, bulk: BulkWrite | undefined): Promise<Head> {
    const { commit, startup } = write;
    if (bulk && commit) return bulk.finish(this.head, commit, write);
    if (commit || !startup?.rows || startup.rows.size < BULK_WRITE_ROWS) return writeCommit(this.#environment, write);
    const { tree, rows } = startup;
    const { pending, bootId, retention } = write;
    return BulkWrite.writeStartup(this.#environment.dir, { tree, rows }, { pending, bootId, retention });
  }

  /** Commits of rows in one transaction: the head that each makes. As `write`. */
  async writeAll(commits: readonly CommitContent[]): Promise<readonly Head[]> {
    const heads = await this.#attempt(() => writeCommits(this.#environment, commits, retentionOf(this.softwire)));
    const head = heads.at(-1) ?? this.head;
    this.#wrote({ ...this.#running, head, edition: editionOf(head) }, true);
    return heads;
  }

  async #attempt<Result>(write: () => Promise<Result>): Promise<Result> {
    try {
      return await write();
    } catch (cause) {
      if (cause instanceof ManagementError || cause instanceof DamageError) throw cause;
      throw new ManagementError('resource-denied', { message: this.#disk.failed(cause) });
    }
  }

  #wrote(running: Running, isCommit: boolean): void {
    this.#disk.succeeded();
    this.#running = running;
    if (isCommit) this.#lastCommitAt = performance.now();
    this.tidyLater();
  }

  /** A sentence while the disk takes no change, '' else. */
  get diskProblem(): string {
    return this.#disk.problem;
  }

  get #isUntidy(): boolean {
    return isUntidy(this.head, retentionOf(this.softwire));
  }

  /** Has history that is forgotten taken out, bit by bit. */
  tidyLater(): void {
    if (this.#isUntidy) this.#tidying.ask();
  }

  /** Takes out a little of the history that is forgotten. */
  #tidy(): Promise<void> {
    return this.enqueue(async () => {
      const isQuiet = performance.now() - this.#lastCommitAt > QUIET_MS;
      if (this.#isUntidy) await this.write({ tidied: isQuiet ? undefined : TIDIED_BETWEEN });
    });
  }

  /** Forgets history that has become too old; asked for now and then, for a device that nobody edits. */
  forgetOld(): Promise<void> {
    return this.enqueue(async (base) => {
      const { maximumAgeMs } = retentionOf(this.softwire);
      const history = new History(base);
      const oldest = maximumAgeMs === undefined ? undefined : history.summary(history.oldest + 1);
      const isOld = oldest && Date.parse(oldest.time) < Date.now() - (maximumAgeMs ?? 0);
      // What tidying could not take out has nobody to tell it but this.
      if (isOld || this.#isUntidy) await this.write({});
    });
  }

  /** Writes a compacted copy of the store as it is now to a file in a folder that is there; edits go on meanwhile. */
  async copyTo(dir: string): Promise<void> {
    const copy = copyEnvironment(this.#environment, dir);
    this.#copies.add(copy);
    try {
      await copy;
    } finally {
      this.#copies.delete(copy);
    }
  }

  /** The file as the last commit left it. To be released: meanwhile commits take new pages, and the file grows by what they write. */
  holdFile(): Promise<HeldFile> {
    return this.enqueue(async () => {
      const snapshot = this.snapshot();
      try {
        const file = join(this.#environment.dir, STORE_FILE);
        return { file, metaPages: readMetaPages(file), release: () => snapshot.close() };
      } catch (error) {
        snapshot.close();
        throw error;
      }
    });
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
    while (this.#isUntidy) await this.#tidy();
    for (let tries = 1; tries < COPY_TRIES; tries++) {
      const copy = await this.#copy(verify);
      const sizes = await this.enqueue(async () => {
        if (lastTransaction(this.#environment) === copy.transaction) return this.#switch(copy);
        dropCopy(this.#dir, copy.generation);
        return undefined;
      });
      if (sizes) return sizes;
    }
    return this.enqueue(async () => this.#switch(await this.#copy(verify)));
  }

  #copy(verify: Verify): Promise<Copy> {
    return this.#onDisk(async () => {
      const held = this.snapshot();
      try {
        return await prepareCopy(this.#dir, this.#environment, verify);
      } finally {
        held.close();
      }
    });
  }

  #switch(copy: Copy): Promise<{ before: number; after: number }> {
    return this.#onDisk(async () => {
      const old = this.#environment;
      this.#glance.close();
      const before = sizeOf(old).octets;
      this.#environment = switchTo(this.#dir, old, copy, this.#tell);
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
      const message = `the store in ${this.#dir} could not be compacted (${systemFault(cause)}): see whether its disk is full or fails`;
      throw new ManagementError('resource-denied', { message });
    }
  }

  /** Octets of the store's file, and of what is free in it. */
  get size(): StoreSize {
    return sizeOf(this.#environment);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#glance.close();
    this.#tidying.close();
    this.#disk.close();
    await this.#compaction;
    await this.#queue;
    await Promise.allSettled(this.#copies);
    await this.#environment.root.close();
  }
}
