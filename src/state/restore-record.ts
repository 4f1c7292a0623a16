/**
 * A restore on record, in the store that takes the place of another:
 *
 *   1. each version that the other had given out beyond those of the backup is on record as dropped, so that its number is not given
 *      out again for something else
 *   2. a version of its own says what was restored
 *   3. the head has the span that is not on record: from when the backup was made to the restore
 */

import { readHead } from './commit.ts';
import { SYSTEM } from './committer.ts';
import { HEAD_KEY, openEnvironment } from './environment.ts';
import type { Head } from './records.ts';
import { changeKey, encodeChange, sealHead } from './records.ts';

/** Beyond so many dropped versions, numbers are given out again: their records would be larger than the store. */
const MOST_DROPPED = 100_000;

export interface Restored {
  /** What is said of the restore itself. */
  readonly comment: string;
  /** The highest version that was given out before, as far as that is known. */
  readonly highest: number;
  /** Until when the backup knows what running was; not before its last commit. */
  readonly knownUntil: Date;
}

/** Writes it into the store in `dir`, which nobody has open; the version that the restore is. @throws as openEnvironment, Error of the system */
export async function recordRestore(dir: string, { comment, highest, knownUntil }: Restored): Promise<number> {
  const environment = openEnvironment(dir, 'write');
  try {
    return environment.root.transactionSync(() => {
      const head = readHead(environment);
      const time = new Date(Math.max(Date.now(), Date.parse(head.time))).toISOString();
      const dropped = highest - head.version;
      const first = head.version + 1;
      const version = dropped > 0 && dropped <= MOST_DROPPED ? highest + 1 : first;
      for (let at = first; at <= version; at++) {
        const text = at === version ? comment : `dropped: a backup of version ${head.version} was restored`;
        const summary = { version: at, time, caller: SYSTEM, comment: text, treeChanged: false, tallies: new Map() };
        void environment.changes.putSync(changeKey(at), encodeChange(at, 0, Buffer.alloc(0), summary));
      }
      const since = new Date(Math.max(knownUntil.getTime(), Date.parse(head.time))).toISOString();
      const keptChanges = head.keptChanges + version - head.version;
      const gaps = [...(head.gaps ?? []), { version, since, until: time }];
      const next: Head = { ...head, version, time, keptChanges, gaps, edited: undefined };
      void environment.meta.putSync(HEAD_KEY, sealHead(next));
      return version;
    });
  } finally {
    await environment.root.close();
  }
}
