/**
 * Bench of the engine in memory: 64-octet packets of random bindings over the tables that stand for reality, both
 * directions, with all that is on by default, without a device; `least` without what of it can be switched off.
 *
 * Rounds of the engine over a large table, of the same work in C++ there (tools/bench/native), and of the engine over 1,000
 * bindings follow one another; ratios are of one round, and their median counts. Absolute figures are for orientation.
 */

import type { Direction } from './engine-bench.ts';
import { DIRECTIONS, EngineBench } from './engine-bench.ts';
import type { BenchResult } from './results.ts';
import { median, medianRatio, result } from './results.ts';
import type { Shape } from './tables.ts';

const FEW = 1_000;
const MANY = 1_000_000;
const ROUNDS = 101;
/**
 * Rounds between two changes of what is counted, which takes longer than they do as it goes over all bindings, and those after one that are
 * left out.
 */
const BLOCK = 12;
const BLOCK_WARM_UP = 2;
const SHARE_ROUNDS = 75;
/** Until the compiler has done its work, and caches are as they stay. */
const WARM_UP = 15;
const TARGET_MPPS = 8;
/** With what can be switched off switched off: lookup, checks, header and counters alone. */
const LEAST_TARGET_MPPS = 12;
/** Of the rate of the same work in C++. */
const BASELINE_TARGET = 0.8;
/** Time of a packet with many bindings in the time with few. */
const GROWTH_TARGET = 6;
/** Of ten packets so many are bound to nothing. */
const JUNK_OF_TEN = 9;
/** What a packet may cost with so much junk, in packets that are all good. */
const JUNK_TARGET = 2;

/** Runs the whole bench; about half a minute. */
export async function benchDatapath(): Promise<BenchResult[]> {
  const few = new EngineBench(FEW, 'dense');
  const results = [result(`datapath.load.dense-${FEW}`, await few.load(), 'ms')];
  results.push(...measureSpeed(few, `dense-${FEW}`), ...measureCounting(few, `dense-${FEW}`));
  for (const direction of DIRECTIONS) results.push(measureJunk(few, direction, `dense-${FEW}`));
  for (const shape of ['dense', 'mixed', 'scattered'] as const) results.push(...(await measureShape(shape, few)));
  return results;
}

async function measureShape(shape: Shape, few: EngineBench): Promise<BenchResult[]> {
  const name = `${shape}-${MANY}`;
  const bench = new EngineBench(MANY, shape);
  const load = result(`datapath.load.${name}`, await bench.load(), 'ms');
  const memory = result(`datapath.second-level.${name}`, bench.blockMebibytes(), 'MiB', 'at most', 160);
  return [
    load,
    memory,
    ...measureSpeed(bench, name, few),
    ...measureLeast(bench, name),
    ...measureCounting(bench, name),
  ];
}

function measureLeast(bench: EngineBench, name: string): BenchResult[] {
  bench.setLeast(true);
  const results = DIRECTIONS.map((direction) => {
    const [times] = interleave(ROUNDS, [() => bench.timeEngine(direction), () => Number.NaN, () => Number.NaN]);
    const rate = median(times.map((ns) => 1_000 / ns));
    return result(`datapath.${direction}.least.${name}`, rate, 'Mpps', 'at least', LEAST_TARGET_MPPS);
  });
  bench.setLeast(false);
  return results;
}

/** Rate, share of the baseline's rate, and with `few` the time in that of few bindings. */
function measureSpeed(bench: EngineBench, name: string, few?: EngineBench): BenchResult[] {
  const results: BenchResult[] = [];
  for (const direction of DIRECTIONS) {
    bench.compare(direction);
    const [own, baseline, least] = interleave(ROUNDS, [
      () => bench.timeEngine(direction),
      () => bench.timeBaseline(direction),
      () => few?.timeEngine(direction) ?? Number.NaN,
    ]);
    const [speed, share] = few ? [TARGET_MPPS, BASELINE_TARGET] : [null, null];
    results.push(
      result(`datapath.${direction}.${name}`, median(own.map((ns) => 1_000 / ns)), 'Mpps', 'at least', speed),
      result(`datapath.${direction}.c.${name}`, median(baseline.map((ns) => 1_000 / ns)), 'Mpps'),
      result(`datapath.${direction}.of-c.${name}`, medianRatio(baseline, own), 'times', 'at least', share),
    );
    if (!few) continue;
    results.push(
      result(`datapath.${direction}.growth.${name}`, medianRatio(own, least), 'times', 'at most', GROWTH_TARGET),
    );
  }
  return results;
}

/** The engine's rate as a share of the baseline's, measured in a second. */
export function measureShare(bench: EngineBench, direction: Direction): number {
  const [own, baseline] = interleave(SHARE_ROUNDS, [
    () => bench.timeEngine(direction),
    () => bench.timeBaseline(direction),
    () => Number.NaN,
  ]);
  return medianRatio(baseline, own);
}

/** What a packet costs that is counted for its binding, in packets that are not; and junk, counted for its gateway. */
function measureCounting(bench: EngineBench, name: string): BenchResult[] {
  const results = DIRECTIONS.map((direction) => {
    const plain: number[] = [];
    const counted: number[] = [];
    while (counted.length < ROUNDS) {
      for (const times of [plain, counted]) {
        bench.setCounting(times === counted);
        for (let round = 0; round < BLOCK; round++) {
          const time = bench.timeEngine(direction);
          if (round >= BLOCK_WARM_UP) times.push(time);
        }
      }
    }
    return result(`datapath.${direction}.counting.${name}`, medianRatio(counted, plain), 'times');
  });
  // It is looked for in memory as large as the table. These gateways have other bindings.
  results.push(measureJunk(bench, 'decapsulation', `counting.${name}`, true));
  bench.setCounting(false);
  return results;
}

/** What a packet costs when nine of ten are bound to nothing, in packets that are all bound. */
function measureJunk(bench: EngineBench, direction: Direction, name: string, isCounting = false): BenchResult {
  bench.setCounting(isCounting);
  const [good, mixed] = interleave(ROUNDS, [
    () => bench.timeEngine(direction),
    () => bench.timeEngine(direction, JUNK_OF_TEN),
    () => Number.NaN,
  ]);
  return result(`datapath.${direction}.junk-90.${name}`, medianRatio(mixed, good), 'times', 'at most', JUNK_TARGET);
}

type Three<T> = readonly [T, T, T];

/** What three measurements say round by round, those of the warm-up left out. */
function interleave(rounds: number, [a, b, c]: Three<() => number>): Three<number[]> {
  const times: Three<number[]> = [[], [], []];
  for (let round = 0; round < rounds + WARM_UP; round++) {
    const found = [a(), b(), c()];
    if (round >= WARM_UP) for (const [i, list] of times.entries()) list.push(found[i] ?? Number.NaN);
  }
  return times;
}
