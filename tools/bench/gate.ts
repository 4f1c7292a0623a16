/**
 * The gate against a slower engine: its rate as a share of that of the same work in C++, in the same run, beside the share that is
 * recorded in recorded.json. A loss of more than a quarter fails. As both take turns every few milliseconds, a busy machine
 * moves a share little; and what seems lost is measured again, some times, before it is.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BenchResult } from './datapath.ts';
import { measureShare } from './datapath.ts';
import { DIRECTIONS, EngineBench } from './engine-bench.ts';
import type { Shape } from './tables.ts';

/** Small enough for every run of the tests: one table that fits the caches, and one that does not. */
const TABLES: readonly (readonly [shape: Shape, bindings: number])[] = [
  ['dense', 1_000],
  ['scattered', 100_000],
];
const MOST_LOST = 0.25;
const ATTEMPTS = 5;
const RECORDED = join(import.meta.dirname, '../../../tools/bench/recorded.json');

/** The best of a few measurements of a share: no more than needed. */
export function bestShare(recorded: number, measure: () => number): number {
  let best = 0;
  for (let attempt = 0; attempt < ATTEMPTS && best < leastOf(recorded); attempt++) best = Math.max(best, measure());
  return best;
}

/** The least share that passes. */
export function leastOf(recorded: number): number {
  return Math.round(recorded * (1 - MOST_LOST) * 1_000) / 1_000;
}

/** Runs the gate; some seconds. */
export async function benchGate(): Promise<BenchResult[]> {
  const recorded = readRecorded();
  const results: BenchResult[] = [];
  for (const [shape, bindings] of TABLES) {
    const bench = new EngineBench(bindings, shape);
    await bench.load();
    for (const direction of DIRECTIONS) {
      const id = `datapath.${direction}.of-c.${shape}-${bindings}`;
      const share = recorded.get(id);
      if (share === undefined) throw new Error(`${RECORDED} has no ${id}`);
      const value = bestShare(share, () => measureShare(bench, direction));
      const target = leastOf(share);
      results.push({ id, value, unit: 'times', target, met: value >= target });
    }
  }
  return results;
}

function readRecorded(): Map<string, number> {
  const { shares }: { shares: Record<string, number> } = JSON.parse(readFileSync(RECORDED, 'utf8'));
  return new Map(Object.entries(shares));
}
