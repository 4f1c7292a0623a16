/**
 * The gate against a slower engine: its rate as a share of that of the same work in C++, in the same run, beside the share that is
 * recorded in recorded.json. A loss of more than a quarter fails. As both take turns every few milliseconds, a busy machine
 * moves a share little; and what seems lost is measured again, some times, before it is.
 *
 * `--record` writes that file anew, on a machine that does nothing else.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { measureShare } from './datapath.ts';
import { DIRECTIONS, EngineBench } from './engine-bench.ts';
import { commit, machine } from './machine.ts';
import type { BenchResult } from './results.ts';
import { median, result } from './results.ts';
import type { Shape } from './tables.ts';

/** Small enough for every run of the tests: one table that fits the caches, and one that does not. */
const TABLES: readonly (readonly [shape: Shape, bindings: number])[] = [
  ['dense', 1_000],
  ['scattered', 100_000],
];
const MOST_LOST = 0.25;
const ATTEMPTS = 5;
/** Measurements of a share that is recorded: their median is. */
const RECORDINGS = 9;
const DIGITS = 1_000;
const RECORDED = join(import.meta.dirname, '../../../tools/bench/recorded.json');

/** The best of a few measurements of a share: no more than needed. */
export function bestShare(recorded: number, measure: () => number): number {
  let best = 0;
  for (let attempt = 0; attempt < ATTEMPTS && best < leastOf(recorded); attempt++) best = Math.max(best, measure());
  return best;
}

/** The least share that passes. */
export function leastOf(recorded: number): number {
  return Math.round(recorded * (1 - MOST_LOST) * DIGITS) / DIGITS;
}

/** The share to record, with three digits after the point. */
export function recordedShare(measure: () => number): number {
  return Math.round(median(Array.from({ length: RECORDINGS }, measure)) * DIGITS) / DIGITS;
}

/** Runs the gate; some seconds. @throws Error when a share is not recorded, or engine and C++ differ in what they do */
export async function benchGate(): Promise<BenchResult[]> {
  const { shares }: { shares: Record<string, number> } = JSON.parse(readFileSync(RECORDED, 'utf8'));
  return measureAll((id, measure) => {
    const share = shares[id];
    if (share === undefined) throw new Error(`${RECORDED} has no ${id}`);
    return result(id, bestShare(share, measure), 'times', 'at least', leastOf(share));
  });
}

/** Records what is measured, in some seconds. */
export async function recordGate(): Promise<BenchResult[]> {
  const about = { machine: machine(), commit: commit(), date: new Date().toISOString().slice(0, 10) };
  const results = await measureAll((id, measure) => result(id, recordedShare(measure), 'times'));
  const shares = Object.fromEntries(results.map(({ id, value }) => [id, value]));
  writeFileSync(RECORDED, `${JSON.stringify({ ...about, shares }, undefined, 2)}\n`);
  return results;
}

async function measureAll(judge: (id: string, measure: () => number) => BenchResult): Promise<BenchResult[]> {
  const results: BenchResult[] = [];
  for (const [shape, bindings] of TABLES) {
    const bench = new EngineBench(bindings, shape);
    await bench.load();
    for (const direction of DIRECTIONS) {
      bench.compare(direction);
      const id = `datapath.${direction}.of-c.${shape}-${bindings}`;
      results.push(judge(id, () => measureShare(bench, direction)));
    }
  }
  return results;
}
