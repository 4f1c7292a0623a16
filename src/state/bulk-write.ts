/**
 * A commit of very many rows, hashed and written by a thread of its own, so that reads and other sessions go on meanwhile; or a startup
 * that differs from running in as many. The thread has the rows packed and opens the store for itself; it lives for one write.
 */

import { Worker } from 'node:worker_threads';
import type { CommitContent, RunningWrite, StartupContent, StoreWrite } from './commit.ts';
import { summaryOf } from './commit.ts';
import type { ErrorTag } from './errors.ts';
import { ManagementError } from './errors.ts';
import { DamageError } from './model-values.ts';
import type { Head } from './records.ts';
import type { RowChanges } from './row-changes.ts';
import { inSlices } from './row-changes.ts';
import type { PackedRows } from './row-pack.ts';
import { RowPack } from './row-pack.ts';

/** From this many rows on a thread is worth its start. */
export const BULK_WRITE_ROWS = 20_000;

/** Changed rows of one table as they are to be. */
export interface PackedTable extends PackedRows {
  readonly instance: string;
}

export interface BulkWriteData {
  readonly dir: string;
  readonly tables: readonly PackedTable[];
  /** Of which datastore the rows are; those of startup have no hash. */
  readonly target: 'running' | 'startup';
}

/** What goes into the transaction besides the rows of the target and their hash; `undefined` gives it all up. */
export type BulkWriteOrder =
  | (Omit<StoreWrite, 'commit' | 'startup' | 'tidied'> & {
      readonly running?: Omit<RunningWrite, 'rows' | 'contentHash'>;
      readonly startup?: Pick<StartupContent, 'tree'>;
    })
  | undefined;

export type BulkWriteAnswer =
  | { readonly head: Head }
  | { readonly kind: 'damage'; readonly message: string }
  | { readonly kind: 'disk'; readonly message: string; readonly code?: string | number | undefined }
  | { readonly kind: 'refusal'; readonly tag: ErrorTag; readonly message: string };

export class BulkWrite {
  readonly #worker: Worker;
  readonly #answer: Promise<BulkWriteAnswer>;
  readonly #exit: Promise<unknown>;

  private constructor(worker: Worker) {
    this.#worker = worker;
    this.#exit = new Promise((resolve) => worker.once('exit', resolve));
    this.#answer = new Promise((resolve) => {
      worker.once('message', resolve);
      worker.once('error', (error) => resolve({ kind: 'disk', message: String(error) }));
      void this.#exit.then(() => resolve({ kind: 'disk', message: 'the thread that writes has ended' }));
    });
  }

  /** Packs the rows and has the thread begin to hash them; nothing is written yet. */
  static async start(
    dir: string,
    changes: RowChanges,
    target: BulkWriteData['target'] = 'running',
  ): Promise<BulkWrite> {
    const tables: PackedTable[] = [];
    for (const instance of changes.instances) tables.push(await pack(instance, changes));
    const workerData: BulkWriteData = { dir, tables, target };
    return new BulkWrite(new Worker(new URL('./bulk-worker.js', import.meta.url), { workerData }));
  }

  /**
   * Writes onto the head `before`; durable when it returns.
   * @throws DamageError, ManagementError, Error of the system when the store takes no change; nothing is written then
   */
  async finish(
    before: Head,
    commit: CommitContent,
    { pending, retention }: Pick<StoreWrite, 'pending' | 'retention'>,
  ): Promise<Head> {
    const { tree, startup } = commit;
    return this.#order({ running: { tree, startup, summary: summaryOf(before, commit) }, pending, retention });
  }

  /** Startup becomes running with these rows. @throws as `finish` */
  static async writeStartup(
    dir: string,
    { tree, rows }: StartupContent & { readonly rows: RowChanges },
    others: Pick<StoreWrite, 'pending' | 'bootId' | 'retention'>,
  ): Promise<Head> {
    const write = await BulkWrite.start(dir, rows, 'startup');
    return write.#order({ ...others, startup: { tree } });
  }

  async #order(order: BulkWriteOrder): Promise<Head> {
    this.#worker.postMessage(order);
    const answer = await this.#answer;
    await this.#exit;
    if ('head' in answer) return answer.head;
    if (answer.kind === 'damage') throw new DamageError(answer.message);
    if (answer.kind === 'refusal') throw new ManagementError(answer.tag, { message: answer.message });
    throw Object.assign(new Error(answer.message), { code: answer.code });
  }

  /** Gives it up; nothing is written. */
  async cancel(): Promise<void> {
    this.#worker.postMessage(undefined);
    await this.#exit;
  }
}

async function pack(instance: string, changes: RowChanges): Promise<PackedTable> {
  const whole = changes.wholePack(instance);
  if (whole) return { instance, ...whole };
  const rows = new RowPack();
  await inSlices(changes.numbers(instance), (number) => {
    const value = changes.sealed(instance, number);
    if (value) rows.put(number, value);
    else rows.remove(number);
  });
  const packed = rows.packed();
  if (!packed) throw new Error('changed rows are in key order');
  return { instance, ...packed };
}
