/**
 * One cell of the sweep: throughput (RFC 8219 §7.1), latency and packet delay variation at it (§7.2, §7.3.1). The trial that
 * confirms the throughput is the first stream whose latency is measured, so that no figure is of a stream that lost frames.
 */

import { median } from '../results.ts';
import type { Direction } from './frames.ts';
import type { Found } from './search.ts';
import { findThroughput } from './search.ts';
import type { Load, StreamResult, Tester, TrialPlan } from './tester.ts';
import { offeredOf, outcomeOf } from './tester.ts';

/** How thorough a sweep is. */
export interface Effort {
  /** Of a trial of the search. */
  readonly seconds: number;
  /** Of a stream whose latency is measured; its tagged frames are in the second half. */
  readonly latencySeconds: number;
  /** Streams whose latency is measured; the median of each figure is reported. */
  readonly repetitions: number;
  readonly drainMs: number;
  readonly tries: number;
  readonly precision: number;
}

/** Ends in about ten minutes, and is shorter than the RFC asks. */
export function quickEffort(seconds: number): Effort {
  return { seconds, latencySeconds: 2 * seconds, repetitions: 1, drainMs: 150, tries: 3, precision: 0.03 };
}

/** RFC 2544 §24 (60 s), §23 (2 s for late frames), §26.1 (any loss ends a rate); RFC 8219 §7.2 (120 s, 20 times). */
export const STRICT_EFFORT: Effort = {
  seconds: 60,
  latencySeconds: 120,
  repetitions: 20,
  drainMs: 2_000,
  tries: 1,
  precision: 0.01,
};

export type DirectionName = Direction | 'both';

/** Frames a second count all directions together; times are in microseconds, those of the slower direction. */
export interface Cell {
  readonly device: string;
  readonly gateways: number;
  readonly direction: DirectionName;
  readonly size: number;
  readonly framesPerSecond: number;
  readonly limitedBy: Found['limitedBy'];
  readonly trials: number;
  readonly tagged: number;
  readonly typicalUs: number;
  readonly worstCaseUs: number;
  readonly variationUs: number;
  /** Lost in the streams after the first while the latency was measured. */
  readonly lostInLatency: number;
}

const MAX_STEPS = 9;
const MAX_CONFIRMATIONS = 8;
/** RFC 8219 §7.2 asks for 500 at least. */
const TAGGED_FRAMES = 1_000;
/** A trial has frames enough to tell a rate, however low that is. */
const LEAST_FRAMES = 100;
/** Frames of the trial that asks what the tester can send. */
const FLOOD_FRAMES = 60_000;

const DIRECTIONS: Readonly<Record<DirectionName, readonly Direction[]>> = {
  upstream: ['upstream'],
  downstream: ['downstream'],
  both: ['upstream', 'downstream'],
};
export const DIRECTION_NAMES: readonly DirectionName[] = ['upstream', 'downstream', 'both'];

export type CellLoad = Omit<Load, 'directions'> & { readonly direction: DirectionName };

/** Frames a second and direction that the tester sends as fast as it can through a device that costs nothing. */
export async function testerLimit(tester: Tester, { direction, ...load }: CellLoad): Promise<number> {
  const plan = { rate: 0, frames: FLOOD_FRAMES, drainMs: 50, tags: 0 };
  const results = await tester.run({ ...load, directions: DIRECTIONS[direction] }, plan);
  return offeredOf(results) / results.length;
}

/** Frames a second and direction: none above `ceiling` is tried, and the search begins around `hint`. */
export interface SearchRange {
  readonly ceiling: number;
  readonly hint?: number | undefined;
}

export async function measureCell(tester: Tester, cell: CellLoad, range: SearchRange, effort: Effort): Promise<Cell> {
  const { direction, ...rest } = cell;
  const load: Load = { ...rest, directions: DIRECTIONS[direction] };
  const { precision, tries } = effort;
  const search = { ...range, precision, tries, maxSteps: MAX_STEPS, maxConfirmations: MAX_CONFIRMATIONS };
  const latencyPlan = (rate: number) => trialPlan(rate, effort.latencySeconds, effort, TAGGED_FRAMES);
  const streams: StreamResult[][] = [];
  const found = await findThroughput(search, async (rate, isConfirmation) => {
    const plan = isConfirmation ? latencyPlan(rate) : trialPlan(rate, effort.seconds, effort, 0);
    const results = await tester.run(load, plan);
    if (isConfirmation) streams.splice(0, 1, results);
    return outcomeOf(results, plan);
  });
  if (found.rate === 0) streams.length = 0;
  while (streams.length > 0 && streams.length < effort.repetitions) {
    streams.push(await tester.run(load, latencyPlan(found.rate)));
  }
  const figure = (of: (stream: StreamResult) => number) =>
    median(streams.map((results) => Math.max(...results.map(of))));
  return {
    device: cell.device.name,
    gateways: cell.gateways,
    direction,
    size: cell.size,
    framesPerSecond: found.rate * load.directions.length,
    limitedBy: found.limitedBy,
    trials: found.trials,
    tagged: Math.min(...streams.flat().map(({ tagged }) => tagged)),
    typicalUs: figure(({ typicalNs }) => typicalNs / 1_000),
    worstCaseUs: figure(({ worstCaseNs }) => worstCaseNs / 1_000),
    variationUs: figure(({ p999Ns, leastNs }) => (p999Ns - leastNs) / 1_000),
    lostInLatency: streams.flat().reduce((sum, { sent, received }) => sum + sent - received, 0),
  };
}

function trialPlan(rate: number, seconds: number, { drainMs }: Effort, tags: number): TrialPlan {
  return { rate, frames: Math.max(LEAST_FRAMES, Math.round(rate * seconds)), drainMs, tags };
}
