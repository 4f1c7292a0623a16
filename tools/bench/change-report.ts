/** What the bench of forwarding under change makes of its measurements, and how it judges them. Pure. */

import type { EditReport } from './load/editor.ts';
import type { BenchResult } from './results.ts';
import { median, result } from './results.ts';

export interface Trial {
  readonly sent: number;
  readonly received: number;
  readonly seconds: number;
  readonly longestGapMs: number;
}

/** Of a round beside junk: bound frames alone, and the tenth of them with their edits. */
export interface JunkRound {
  readonly alone: Trial;
  readonly mixed: Trial;
  readonly edits: EditReport;
}

/** Of ten frames so many are junk. */
export const JUNK_OF_TEN = 9;
const TARGETS = { offered: 0.95, throughput: 0.95, bindings: 1_000, fairShare: 0.8, answerMs: 100 };
/** Of bindings a second: the last commit may be answered when the next one was due. */
const ALMOST = 0.99;
/** Of a flood that is above what the device passes, no more comes. */
const FLOOD_SHARE = 0.95;

/** `rate` in frames a second was asked for, without edits and beside them. */
export function judgeChange(
  id: string,
  rate: number,
  quiet: readonly Trial[],
  busy: readonly Trial[],
  reports: readonly EditReport[],
): BenchResult[] {
  const of = (read: (kinds: EditReport['kinds']) => number) => median(reports.map(({ kinds }) => read(kinds)));
  const offered = rateOf(busy) / rate;
  const bulks = reports.map(({ kinds }) => kinds.bulk);
  const bindings = sum(bulks.map((bulk) => bulk.bindings)) / sum(bulks.map((bulk) => bulk.seconds));
  const singles = (face: 'netconf' | 'restconf') => of((kinds) => kinds[face].commits / kinds[face].seconds);
  const p50 = of(({ bulk }) => bulk.p50);
  // What is lost beside fewer edits is lost all the same.
  const isEdited = bindings >= ALMOST * TARGETS.bindings;
  const lost = lostOf(busy);
  const frames = sum(busy.map(({ sent }) => sent));
  const longest = Math.max(...busy.map(({ longestGapMs }) => longestGapMs));
  const throughput = receivedRateOf(busy) / receivedRateOf(quiet);
  return [
    result(`${id}.offered`, offered, 'of 80 %', 'at least', TARGETS.offered),
    {
      ...result(`${id}.bindings-in-bulk`, bindings, 'a second', 'at least', TARGETS.bindings),
      met: isEdited,
    },
    result(`${id}.single-netconf`, singles('netconf'), 'a second'),
    result(`${id}.single-restconf`, singles('restconf'), 'a second'),
    result(`${id}.bulk-p50`, p50, 'ms'),
    result(`${id}.lost-without-edits`, lostOf(quiet), 'packets'),
    judgedIf(isEdited || lost > 0, result(`${id}.lost`, lost, `packets of ${frames}`, 'at most', 0)),
    result(`${id}.longest-gap`, longest, 'ms'),
    judgedIf(
      isEdited && offered >= TARGETS.offered,
      result(`${id}.throughput`, throughput, 'times', 'at least', TARGETS.throughput),
    ),
  ];
}

/** One round at least. */
export function judgeJunk(id: string, rounds: readonly JunkRound[]): BenchResult[] {
  const aloneShares = rounds.map(({ alone }) => alone.received / alone.sent);
  const shares = rounds.map(
    ({ mixed }, round) => mixed.received / ((aloneShares[round] ?? Number.NaN) * mixed.sent * (1 - JUNK_OF_TEN / 10)),
  );
  const times = rounds.map(({ edits }) => edits.kinds.netconf);
  const longest = Math.max(...times.map((commits) => commits.longest));
  const p50 = median(times.map((commits) => commits.p50));
  const alone = median(aloneShares);
  return [
    result(`${id}.alone-received-share`, alone, 'of what was sent'),
    judgedIf(
      alone < FLOOD_SHARE,
      result(`${id}.of-fair-share`, median(shares), 'times', 'at least', TARGETS.fairShare),
    ),
    result(`${id}.edit-p50`, p50, 'ms'),
    result(`${id}.edit-longest`, longest, 'ms', 'at most', TARGETS.answerMs),
  ];
}

/** Whether the run can say whether the target is met. */
function judgedIf(isSound: boolean, judged: BenchResult): BenchResult {
  return isSound ? judged : { ...judged, met: null };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function lostOf(trials: readonly Trial[]): number {
  return sum(trials.map(({ sent, received }) => sent - received));
}

function rateOf(trials: readonly Trial[]): number {
  return sum(trials.map(({ sent }) => sent)) / sum(trials.map(({ seconds }) => seconds));
}

function receivedRateOf(trials: readonly Trial[]): number {
  return sum(trials.map(({ received }) => received)) / sum(trials.map(({ seconds }) => seconds));
}
