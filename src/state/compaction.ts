/**
 * Compaction: the store goes on in a new file that is as large as what it holds.
 *
 *   1. a compacted copy in `N.new`, synced and read back; commits go on meanwhile
 *   2. with no commit under way: when one came between, the same again; after a few times commits wait for it
 *   3. the copy gets its folder `N`; when that is on the disk, the old file says, as its last commit, that `N` is the next
 *   4. the old file is removed. Whoever reads it keeps it until he is done
 *
 * A crash before the commit of step 3 leaves the old one, after it the new one; a start removes the other. Up to that commit
 * whatever fails changes nothing. After it nothing is refused any more: an old file that cannot be removed leads to the new one.
 */

import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Environment } from './environment.ts';
import { copyEnvironment, nextGeneration, openGeneration } from './environment.ts';
import {
  generationDir,
  generationOf,
  generations,
  keepGeneration,
  NEXT_GENERATION,
  removeGeneration,
  STORE_FILE,
  unfinishedDir,
} from './generations.ts';
import { syncPath } from './sync.ts';

/** Reads a copy back. @throws when it is not whole */
export type Verify = (file: string) => Promise<unknown>;

/** Told of what failed and stopped nothing: a sentence, and why. */
export type Tell = (sentence: string, error: unknown) => void;

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

/** A copy of the environment in the folder of the next generation, not yet of its name; nothing is left of one that fails. */
export async function prepareCopy(store: string, environment: Environment, verify: Verify): Promise<Copy> {
  const generation = (generations(store).at(-1) ?? 1) + 1;
  const dir = unfinishedDir(store, generation);
  dropCopy(store, generation);
  try {
    mkdirSync(dir, { mode: 0o700 });
    // Before the copy: what is committed while it is made is not in it, or is, and then it is made again.
    const transaction = lastTransaction(environment);
    await copyEnvironment(environment, dir);
    await verify(join(dir, STORE_FILE));
    syncPath(dir);
    return { generation, transaction };
  } catch (error) {
    attempt(() => dropCopy(store, generation));
    throw error;
  }
}

export function dropCopy(store: string, generation: number): void {
  rmSync(unfinishedDir(store, generation), { recursive: true, force: true });
}

/**
 * Steps 3 and 4, with no commit under way. The new environment is open; the old one is the caller's to close.
 * @throws Error of the system or of LMDB; the store goes on in the old environment then
 */
export function switchTo(store: string, environment: Environment, { generation }: Copy, tell: Tell): Environment {
  const next = adopt(store, environment, generation);
  try {
    leadTo(environment, generation);
  } catch (error) {
    if (!leads(environment, generation)) {
      void next.root.close();
      disown(store, environment, generation);
      throw error;
    }
  }
  try {
    keepGeneration(store, generation);
  } catch (error) {
    tell(
      `the store goes on in ${next.dir}; the file before it could not be removed, which the next start tries again`,
      error,
    );
  }
  return next;
}

/** The copy under its name, on the disk, and open. Nothing leads to it yet, and nothing else may be in its way. */
function adopt(store: string, environment: Environment, generation: number): Environment {
  try {
    removeStrangers(store, environment);
    const dir = generationDir(store, generation);
    renameSync(unfinishedDir(store, generation), dir);
    syncPath(store);
    return openGeneration(dir, 'write');
  } catch (error) {
    attempt(() => dropCopy(store, generation));
    attempt(() => removeGeneration(store, generation));
    throw error;
  }
}

/**
 * Other generations are what an earlier compaction could not remove. Those before lead to this one, and would lead nowhere when
 * this one is gone; one behind would be taken for the store. That none of them is the next is committed first.
 */
function removeStrangers(store: string, environment: Environment): void {
  const kept = generationOf(store, environment.dir);
  if (generations(store).every((generation) => generation === kept)) return;
  leadTo(environment, undefined);
  for (const generation of generations(store)) {
    if (generation === kept) continue;
    removeGeneration(store, generation);
    syncPath(store);
  }
}

function leadTo({ root, meta }: Environment, generation: number | undefined): void {
  const key = Buffer.from(NEXT_GENERATION);
  root.transactionSync(() => {
    void (generation === undefined ? meta.removeSync(key) : meta.putSync(key, Buffer.from(`${generation}`)));
  });
}

/** Whether the commit is there though it failed. */
function leads(environment: Environment, generation: number): boolean {
  try {
    return nextGeneration(environment) === generation;
  } catch {
    // LMDB gives nothing any more, and takes no commit either: the next start finds out.
    return false;
  }
}

/** A generation whose commit failed goes only when it is on the disk that nothing leads to it. */
function disown(store: string, environment: Environment, generation: number): void {
  attempt(() => {
    leadTo(environment, undefined);
    removeGeneration(store, generation);
  });
}

/** Cleans up after what failed, which is what is told. */
function attempt(work: () => void): void {
  try {
    work();
  } catch {
    // What is left is looked at by the next start, and by the next compaction.
  }
}
