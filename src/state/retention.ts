/**
 * How much history is kept. What goes is forgotten at once, by the number of the oldest change record in the head; its octets
 * are taken out a little at a time, by transactions of their own (tidying.ts): no commit pays for a large old one, and while there
 * are commits those transactions are so short that none waits long for one. Only a commit of many rows takes out as many at once,
 * so that what is to go never grows.
 */

import type { Environment } from './environment.ts';
import { emptyTableKey, rowHistoryKey, versionKey } from './history.ts';
import type { Softwire } from './model.generated.ts';
import type { Head } from './records.ts';
import { changeKey, placeOfChange, rowsOfChange, summaryOfChange, weightOf } from './records.ts';

export interface Retention {
  /** Changed rows on record at most, a commit counting at least one; the newest commit always stays. */
  readonly maximumChanges: number;
  /** Undefined for no limit. */
  readonly maximumAgeMs: number | undefined;
}

const DAY_MS = 24 * 60 * 60 * 1000;

export function retentionOf({ history }: Softwire): Retention {
  const { maximumChanges, maximumAge } = history;
  return { maximumChanges, maximumAgeMs: maximumAge === undefined ? undefined : maximumAge * DAY_MS };
}

/** Records forgotten by one commit at most. */
const FORGOTTEN = 128;
/** Records forgotten, and rows taken out, by a transaction that does nothing else: some 10 ms. */
const TIDIED = 2_048;
/** The same while there are commits: some 2 ms, ten times as many as they add. */
export const TIDIED_BETWEEN = 256;
/** From this many rows on a commit takes out old ones itself. */
const MANY_ROWS = 1_024;

/**
 * In a write transaction: forgets what is beyond the limits. `written` is what this transaction has put on record, 0 for one that
 * has time to take out, as many as `tidied`.
 */
export function limitHistory(
  environment: Environment,
  head: Head,
  retention: Retention,
  written: number,
  tidied = TIDIED,
): Head {
  const isBusy = written > 0 && written < MANY_ROWS;
  const limited = forget(environment, head, retention, isBusy ? FORGOTTEN : tidied);
  const { oldestChange, takenOut } = limited;
  if (isBusy || takenOut === oldestChange) return limited;
  const isDone = takeOut(environment, oldestChange, Math.max(tidied, written));
  return isDone ? { ...limited, takenOut: oldestChange } : limited;
}

/** Whether there is more than the limit, or octets of forgotten records are still there. */
export function isUntidy(head: Head, { maximumChanges }: Retention): boolean {
  const { oldestChange, takenOut, keptChanges } = head;
  return takenOut !== oldestChange || (keptChanges > maximumChanges && oldestChange < boundOf(head));
}

/** The first record that is not to be forgotten. */
function boundOf({ version, protectedVersion = version }: Head): number {
  return Math.min(version, protectedVersion + 1);
}

function forget(environment: Environment, head: Head, { maximumChanges, maximumAgeMs }: Retention, most: number): Head {
  const bound = boundOf(head);
  const since = maximumAgeMs === undefined ? Number.NEGATIVE_INFINITY : Date.now() - maximumAgeMs;
  let { oldestChange, oldestTime, keptChanges } = head;
  if (keptChanges <= maximumChanges && maximumAgeMs === undefined) return head;
  for (let work = 0; oldestChange < bound && work < most; work++) {
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
