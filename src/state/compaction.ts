/**
 * Compaction: the store goes on in a new file that is as large as what it holds.
 *
 *   1. a compacted copy in `N.new`, synced and read back; commits go on meanwhile
 *   2. with no commit under way: when one came between, the same again; after a few times commits wait for it
 *   3. the copy gets its folder `N`; its last reader's way: the old file says, as its last commit, that `N` is the next
 *   4. the old file is removed. Whoever reads it keeps it until he is done
 *
 * A crash before the commit of step 3 leaves the old one, after it the new one; a start removes the other.
 */

import { chmodSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Environment } from './environment.ts';
import { copyEnvironment, openGeneration } from './environment.ts';
import {
  generationDir,
  generationOf,
  generations,
  NEXT_GENERATION,
  removeGeneration,
  STORE_FILE,
  unfinishedDir,
} from './generations.ts';
import { syncPath } from './store-files.ts';

/** Reads a copy back. @throws when it is not whole */
export type Verify = (file: string) => Promise<unknown>;

/** A copy that may become the store. */
export interface Copy {
  readonly generation: number;
  /** Of the environment when it was copied. */
  readonly transaction: number;
}

/** Number of the last transaction; whoever writes is this process. */
export function lastTransaction({ root }: Environment): number {
  return (root.getStats() as unknown as { readonly lastTxnId: number }).lastTxnId;
}

/** A copy of the environment in the folder of the next generation, not yet of its name. */
export async function prepareCopy(store: string, environment: Environment, verify: Verify): Promise<Copy> {
  const generation = (generations(store).at(-1) ?? 1) + 1;
  const dir = unfinishedDir(store, generation);
  dropCopy(store, generation);
  mkdirSync(dir, { mode: 0o700 });
  // Before the copy: what is committed while it is made is not in it, or is, and then it is made again.
  const transaction = lastTransaction(environment);
  await copyEnvironment(environment, dir);
  chmodSync(join(dir, STORE_FILE), 0o600);
  await verify(join(dir, STORE_FILE));
  return { generation, transaction };
}

export function dropCopy(store: string, generation: number): void {
  rmSync(unfinishedDir(store, generation), { recursive: true, force: true });
}

/** Steps 3 and 4, with no commit under way. The new environment is open; the old one is the caller's to close. */
export function switchTo(store: string, environment: Environment, { generation }: Copy): Environment {
  const dir = generationDir(store, generation);
  renameSync(unfinishedDir(store, generation), dir);
  syncPath(store);
  let next: Environment | undefined;
  try {
    next = openGeneration(dir, 'write');
    environment.root.transactionSync(() => {
      void environment.meta.putSync(Buffer.from(NEXT_GENERATION), Buffer.from(`${generation}`));
    });
  } catch (error) {
    void next?.root.close();
    removeGeneration(store, generation);
    throw error;
  }
  removeGeneration(store, generationOf(store, environment.dir));
  syncPath(store);
  return next;
}
