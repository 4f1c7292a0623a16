/**
 * Damage that is met while the program runs: who in this process is told of it, and what clients are told. A process has one
 * store open; whoever meets damage of it says so here, so that the rest of it is looked at (mgmt/store-watch.ts).
 */

import { ManagementError } from './errors.ts';
import { DamageError } from './model-values.ts';

/** What LMDB says of pages that are none: MDB_PAGE_NOTFOUND, MDB_CORRUPTED. */
const LMDB_DAMAGE: readonly unknown[] = [-30797, -30796];

type Listener = (error: Error) => void;
const listeners = new Set<Listener>();

/** From now on told of each damage; returns what ends that. */
export function onDamage(listener: Listener): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

/** Passes damage on to those who look after the store; any other error is nothing to them. */
export function tellDamage(error: unknown): void {
  if (!isDamage(error)) return;
  for (const listener of listeners) listener(error);
}

function isDamage(error: unknown): error is Error {
  if (error instanceof DamageError) return true;
  return error instanceof Error && 'code' in error && LMDB_DAMAGE.includes(error.code);
}

/** What a client gets for damage of the store, which is told on; undefined for any other error. */
export function damageRefusal(error: unknown): ManagementError | undefined {
  if (!isDamage(error)) return undefined;
  tellDamage(error);
  const advice = 'stop the program, then restore a backup with `gi4over6 restore`';
  const message = `the store is damaged (${error.message}): ${advice}`;
  return new ManagementError('operation-failed', { message });
}
