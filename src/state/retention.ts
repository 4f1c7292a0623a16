/**
 * How much history is kept. What goes is forgotten at once, by the number of the oldest change record in the head; its octets
 * are taken out a little at a time, so that no commit pays for a large old one.
 */

import type { Environment } from './environment.ts';
import { emptyTableKey, rowHistoryKey, versionKey } from './history.ts';
import type { Head } from './records.ts';
import { changeKey, placeOfChange, rowsOfChange, summaryOfChange, weightOf } from './records.ts';

export interface Retention {
  /** Changed rows on record at most, a commit counting at least one; the newest commit always stays. */
  readonly maximumChanges: number;
  /** Undefined for no limit. */
  readonly maximumAgeMs: number | undefined;
}

/** Records forgotten, and rows of forgotten records taken out, in one transaction at least. */
const LEAST_WORK = 128;

/** In a write transaction: forgets what is beyond the limits; `written` is what this transaction has put on record. */
export function limitHistory(environment: Environment, head: Head, retention: Retention, written: number): Head {
  const limited = forget(environment, head, retention);
  const { oldestChange, takenOut } = limited;
  if (takenOut === oldestChange) return limited;
  const isDone = takeOut(environment, oldestChange, Math.max(LEAST_WORK, 2 * written));
  return isDone ? { ...limited, takenOut: oldestChange } : limited;
}

function forget(environment: Environment, head: Head, { maximumChanges, maximumAgeMs }: Retention): Head {
  const { version, protectedVersion = version } = head;
  const bound = Math.min(version, protectedVersion + 1);
  const since = maximumAgeMs === undefined ? Number.NEGATIVE_INFINITY : Date.now() - maximumAgeMs;
  let { oldestChange, oldestTime, keptChanges } = head;
  if (keptChanges <= maximumChanges && maximumAgeMs === undefined) return head;
  for (let work = 0; oldestChange < bound && work < LEAST_WORK; work++) {
    const octets = environment.changes.get(changeKey(oldestChange));
    const summary = octets && summaryOfChange(oldestChange, octets);
    if (keptChanges <= maximumChanges && (!summary || Date.parse(summary.time) >= since)) break;
    if (summary) {
      keptChanges -= weightOf(summary);
      oldestTime = summary.time;
    }
    oldestChange++;
  }
  return { ...head, oldestChange, oldestTime, keptChanges };
}

/** Takes out about `rows` rows of the records before `oldestChange`; whether that was all. */
function takeOut(environment: Environment, oldestChange: number, rows: number): boolean {
  const { changes, rowHistory, treeHistory } = environment;
  for (let work = 0; work < rows; ) {
    const [entry] = changes.getRange({ limit: 1 });
    if (!entry) return true;
    const { version, part } = placeOfChange(entry.key);
    if (version >= oldestChange) return true;
    const tables = new Set<number>();
    for (const [table, number] of rowsOfChange(version, part, entry.value)) {
      rowHistory.removeSync(rowHistoryKey(table, number, version));
      tables.add(table);
      work++;
    }
    for (const table of tables) rowHistory.removeSync(emptyTableKey(table, version));
    if (part === 0) treeHistory.removeSync(versionKey(version));
    changes.removeSync(entry.key as Buffer);
    work++;
  }
  return false;
}
