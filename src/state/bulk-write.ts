/**
 * A commit of very many rows, hashed and written by a thread of its own, so that reads and other sessions go on meanwhile.
 * The thread has the rows packed and opens the store for itself; it lives for one commit.
 */

import { Worker } from 'node:worker_threads';
import type { CommitContent, RunningWrite, StoreWrite } from './commit.ts';
import { summaryOf } from './commit.ts';
import type { Head } from './records.ts';
import type { RowChanges } from './row-changes.ts';
import { inSlices } from './row-changes.ts';

/** From this many rows on a thread is worth its start. */
export const BULK_WRITE_ROWS = 20_000;

/** Changed rows of one table as they are to be; a value of no octets is a row that goes. */
export interface PackedTable {
  readonly instance: string;
  readonly numbers: Float64Array;
  /** Ends of the values in `octets`; each begins where the one before ends. */
  readonly ends: Uint32Array;
  readonly octets: Uint8Array;
}

export interface BulkWriteData {
  readonly dir: string;
  readonly tables: readonly PackedTable[];
}

/** What goes into the transaction besides the rows and their hash; `undefined` gives it all up. */
export type BulkWriteOrder =
  | (Omit<RunningWrite, 'rows' | 'contentHash'> & Pick<StoreWrite, 'pending' | 'retention'>)
  | undefined;

export type BulkWriteAnswer = { readonly head: Head } | { readonly error: string };

export class BulkWrite {
  readonly #worker: Worker;
  readonly #answer: Promise<BulkWriteAnswer>;
  readonly #exit: Promise<unknown>;

  private constructor(worker: Worker) {
    this.#worker = worker;
    this.#exit = new Promise((resolve) => worker.once('exit', resolve));
    this.#answer = new Promise((resolve) => {
      worker.once('message', resolve);
      worker.once('error', (error) => resolve({ error: String(error) }));
      void this.#exit.then(() => resolve({ error: 'the thread that writes has ended' }));
    });
  }

  /** Packs the rows and has the thread begin to hash them; nothing is written yet. */
  static async start(dir: string, changes: RowChanges): Promise<BulkWrite> {
    const tables: PackedTable[] = [];
    for (const instance of changes.instances) tables.push(await pack(instance, changes));
    const workerData: BulkWriteData = { dir, tables };
    const transferList = tables.flatMap(({ numbers, ends, octets }) =>
      [numbers, ends, octets].map(({ buffer }) => buffer as ArrayBuffer),
    );
    return new BulkWrite(new Worker(new URL('./bulk-worker.js', import.meta.url), { workerData, transferList }));
  }

  /**
   * Writes onto the head `before`; durable when it returns.
   * @throws Error when the store takes no change; nothing is written then
   */
  async finish(
    before: Head,
    commit: CommitContent,
    { pending, retention }: Pick<StoreWrite, 'pending' | 'retention'>,
  ): Promise<Head> {
    const { tree, hasStartup } = commit;
    const order: BulkWriteOrder = { tree, hasStartup, summary: summaryOf(before, commit), pending, retention };
    this.#worker.postMessage(order);
    const answer = await this.#answer;
    await this.#exit;
    if ('head' in answer) return answer.head;
    throw new Error(answer.error);
  }

  /** Gives it up; nothing is written. */
  async cancel(): Promise<void> {
    this.#worker.postMessage(undefined);
    await this.#exit;
  }
}

async function pack(instance: string, changes: RowChanges): Promise<PackedTable> {
  const numbers = changes.numbers(instance).slice();
  const ends = new Uint32Array(numbers.length);
  let length = 0;
  for (const number of numbers) length += changes.after(instance, number)?.length ?? 0;
  const octets = new Uint8Array(length);
  let at = 0;
  let place = 0;
  await inSlices(numbers, (number) => {
    const value = changes.after(instance, number);
    if (value) octets.set(value, at);
    at += value?.length ?? 0;
    ends[place++] = at;
  });
  return { instance, numbers, ends, octets };
}
