/**
 * A database written anew within a transaction, in key order: for a change of most of what it holds. LMDB then fills its pages,
 * searches nothing, and lets go what was there page by page; rows put between others leave every page half empty.
 */

import type { Environment } from './environment.ts';

type Entries = Environment['bindings'];
export interface Entry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** Fewer changes are not worth it. */
const LEAST_CHANGES = 1_024;
/** Entries that stay, for one that changes, at most: they are held in memory meanwhile. */
const MOST_KEPT = 1 / 8;

/** Whether writing anew is worth it for so many changes; `countKept`, asked when they are enough, says how many entries stay. */
export function isWorthRewriting(changes: number, countKept: () => number): boolean {
  return changes >= LEAST_CHANGES && countKept() <= changes * MOST_KEPT;
}

/** Puts an entry; to be called in ascending order of keys. */
export type Put = (key: Buffer, value: Buffer) => void;

/**
 * The database holds afterwards what `kept` gives, in key order, and what `work` puts; no key is of both.
 * @throws Error when keys come out of order: a mistake of ours, to end the transaction
 */
export function rewrite(database: Entries, kept: Iterable<Entry>, work: (put: Put) => void): void {
  // Copies: what lmdb reads is gone once the database is cleared.
  const entries = Array.from(kept, ({ key, value }) => ({ key: Buffer.from(key), value: Buffer.from(value) }));
  let next = 0;
  const keepBefore = (key: Buffer | undefined) => {
    for (let entry = entries[next]; entry && (!key || entry.key.compare(key) < 0); entry = entries[++next]) {
      append(database, entry.key, entry.value);
    }
  };
  database.clearSync();
  work((key, value) => {
    keepBefore(key);
    append(database, key, value);
  });
  keepBefore(undefined);
}

const APPEND = { append: true };

/** Puts an entry behind all others. @throws Error when its key is not behind them: a mistake of ours, to end the transaction */
export function append(database: Entries, key: Buffer, value: Buffer): void {
  // Against its types lmdb answers, and does not put what is out of order.
  const isPut: unknown = database.putSync(key, value, APPEND);
  if (isPut === false) throw new Error(`the entry ${key.toString('hex')} does not come behind all others`);
}
