/**
 * Generations of the store's file: a compaction writes a new one in a folder of its own and leaves in the old one, as its
 * last commit, the number of the new. So one of them is good at any moment, and whoever has the old one open finds the way.
 *
 *     store/data.mdb       the first
 *     store/2/data.mdb     the next, and so on
 *     store/3.new/         not finished
 *
 * The lowest one that is there counts, or the one it leads to. The others are removed at a start, once that one is seen to be
 * whole, and before the next compaction.
 */

import { existsSync, readdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { syncPath } from './sync.ts';

export const STORE_FILE = 'data.mdb';
export const LOCK_FILE = 'lock.mdb';
/** Key in the database `meta` of the old one. */
export const NEXT_GENERATION = 'next';

export function generationDir(store: string, generation: number): string {
  return generation === 1 ? store : join(store, `${generation}`);
}

export function generationOf(store: string, dir: string): number {
  return dir === store ? 1 : Number(basename(dir));
}

export function unfinishedDir(store: string, generation: number): string {
  return join(store, `${generation}.new`);
}

/** Those whose file is there, lowest first. */
export function generations(store: string): number[] {
  if (!existsSync(store)) return [];
  return [
    1,
    ...readdirSync(store)
      .filter((name) => /^[1-9]\d{0,8}$/.test(name))
      .map(Number),
  ]
    .filter((generation) => existsSync(join(generationDir(store, generation), STORE_FILE)))
    .sort((a, b) => a - b);
}

/** Removes a generation; whoever has it open keeps what he has. */
export function removeGeneration(store: string, generation: number): void {
  if (generation > 1) rmSync(generationDir(store, generation), { recursive: true, force: true });
  else for (const name of [STORE_FILE, LOCK_FILE]) rmSync(join(store, name), { force: true });
}

/**
 * Removes all but one, and what was not finished; only for the process that writes. Lowest first, and each on the disk before
 * the next: so what is left leads to the kept one at any moment. @throws Error of the system; the kept one is what counts then too
 */
export function keepGeneration(store: string, kept: number): void {
  for (const generation of generations(store)) {
    if (generation === kept) continue;
    removeGeneration(store, generation);
    syncPath(store);
  }
  for (const name of readdirSync(store)) {
    if (/^\d+\.new$/.test(name)) rmSync(join(store, name), { recursive: true, force: true });
  }
}
