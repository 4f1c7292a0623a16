/** The thread of a bulk write: hashes its rows at once, then waits for the order to write them. */

import { parentPort, workerData } from 'node:worker_threads';
import type { BulkWriteAnswer, BulkWriteData, BulkWriteOrder, PackedTable } from './bulk-write.ts';
import type { NewRows } from './commit.ts';
import { readHead, writeTransaction } from './commit.ts';
import { addHash, hashText, sealedRowHash, subtractHash } from './content-hash.ts';
import type { Environment } from './environment.ts';
import { openEnvironment, rowKey } from './environment.ts';
import { keyOfNumber } from './rows.ts';

class PackedRows implements NewRows {
  readonly #tables: readonly PackedTable[];

  constructor(tables: readonly PackedTable[]) {
    this.#tables = tables;
  }

  get instances(): string[] {
    return this.#tables.map(({ instance }) => instance);
  }

  forEachAfter(work: (instance: string, number: number, after: Uint8Array | undefined) => void): void {
    for (const { instance, numbers, ends, octets } of this.#tables) {
      let start = 0;
      for (let place = 0; place < numbers.length; place++) {
        const end = ends[place] ?? 0;
        work(instance, numbers[place] ?? 0, start === end ? undefined : octets.subarray(start, end));
        start = end;
      }
    }
  }
}

/** Each changed row as it is in the store and as it is to be. */
function forEachChange(
  environment: Environment,
  rows: PackedRows,
  work: (instance: string, number: number, before: Uint8Array | undefined, after: Uint8Array | undefined) => void,
): void {
  const { tables } = readHead(environment);
  rows.forEachAfter((instance, number, after) => {
    const table = tables.get(instance);
    const key = table && table.rows > 0 ? rowKey(table.number, keyOfNumber(number)) : undefined;
    work(instance, number, key && environment.bindings.get(key), after);
  });
}

function hashAfter(environment: Environment, rows: PackedRows): string {
  let hash = BigInt(`0x${readHead(environment).contentHash}`);
  forEachChange(environment, rows, (instance, number, before, after) => {
    const key = keyOfNumber(number);
    if (before) hash = subtractHash(hash, sealedRowHash(instance, key, before));
    if (after) hash = addHash(hash, sealedRowHash(instance, key, after));
  });
  return hashText(hash);
}

async function main(): Promise<void> {
  const { dir, tables } = workerData as BulkWriteData;
  const order = new Promise<BulkWriteOrder>((resolve) => parentPort?.once('message', resolve));
  const environment = openEnvironment(dir, 'write');
  const rows = new PackedRows(tables);
  const contentHash = hashAfter(environment, rows);
  const wanted = await order;
  if (wanted) {
    let answer: BulkWriteAnswer;
    try {
      const { retention, pending, ...commit } = wanted;
      const running = { ...commit, rows, contentHash };
      answer = { head: writeTransaction(environment, { running, pending, retention }) };
    } catch (error) {
      answer = { error: String(error) };
    }
    parentPort?.postMessage(answer);
  }
  await environment.root.close();
}

await main();
