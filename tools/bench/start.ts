/**
 * Bench of a start: the running program as AFTR is ended and started again on the store that it has, while a load generator
 * (load/) sends to bindings all over its table. From the call that starts the supervisor until the first packet comes, and until
 * management answers; packets lost later than a second after the first; and the memory of both processes meanwhile.
 */

import { sleep } from './instance.ts';
import { BusyAftr } from './load/busy-aftr.ts';
import type { LoadLine } from './load/load-generator.ts';
import { LoadGenerator } from './load/load-generator.ts';
import type { BenchResult } from './results.ts';
import { median } from './results.ts';
import { Lab } from './rfc8219/lab.ts';

export const START_BINDINGS = 1_000_000;
/** Frames a second: so fine is what is measured. */
const RATE = 10_000;
const GAP_MS = 50;
const BEFORE_MS = 500;
const AFTER_MS = 3_000;
const TARGETS = { startMs: 1_500, steadyMebibytes: 400, peakMebibytes: 600 };

interface Start {
  readonly firstMs: number;
  readonly lostLater: number;
  readonly answersMs: number;
  readonly peak: readonly [management: number, datapath: number];
}

/** Runs the bench as root: medians of so many starts. */
export async function benchStart(bindings: number, rounds: number): Promise<BenchResult[]> {
  const lab = new Lab(`gi4start-${process.pid}`);
  let aftr: BusyAftr | undefined;
  try {
    aftr = await BusyAftr.start(lab, bindings);
    const starts: Start[] = [];
    for (let round = 0; round < rounds; round++) starts.push(await measureStart(aftr));
    await sleep(AFTER_MS);
    return resultsOf(bindings, starts, aftr.instance.resident());
  } finally {
    await aftr?.stop();
    lab.close();
  }
}

async function measureStart(aftr: BusyAftr): Promise<Start> {
  const streams = [aftr.stream('downstream')];
  const generator = LoadGenerator.start(aftr.lab, { rate: RATE, gapMs: GAP_MS, streams });
  await sleep(BEFORE_MS);
  const began = await aftr.restart();
  const answersMs = Date.now() - began;
  const peak = aftr.instance.watchMemory();
  await aftr.instance.waitUntilApplied();
  await sleep(AFTER_MS);
  const most = peak();
  const last = await generator.end();
  const gaps = generator.lines.flatMap((line) => line.streams.flatMap((stream) => stream.gaps));
  const gap = gaps.find(({ atMs, lengthMs }) => atMs < began && atMs + lengthMs > began);
  if (!gap) throw new Error('start: packets came all the time');
  const firstMs = gap.atMs + gap.lengthMs - began;
  // The line after the one that tells the gap: what was sent meanwhile is in the one before.
  const told = generator.lines.findIndex((line) => line.streams.some((stream) => stream.gaps.includes(gap)));
  return {
    firstMs,
    lostLater: lostOf(last) - lostOf(generator.lines[told + 1] ?? last),
    answersMs,
    peak: most,
  };
}

function resultsOf(bindings: number, starts: readonly Start[], steady: readonly number[]): BenchResult[] {
  const result = (name: string, value: number, unit: string, target: number | null): BenchResult => {
    const met = target === null ? null : value <= target;
    return { id: `start.${name}.${bindings}`, value: Math.round(value * 10) / 10, unit, target, met };
  };
  const of = (read: (start: Start) => number) => median(starts.map(read));
  const [management = Number.NaN, datapath = Number.NaN] = steady;
  return [
    result(
      'first-packet',
      of(({ firstMs }) => firstMs),
      'ms',
      TARGETS.startMs,
    ),
    result(
      'lost-later',
      of(({ lostLater }) => lostLater),
      'packets',
      null,
    ),
    result(
      'management-answers',
      of(({ answersMs }) => answersMs),
      'ms',
      null,
    ),
    result('peak-management', Math.max(...starts.map(({ peak }) => peak[0])), 'MiB', TARGETS.peakMebibytes),
    result('peak-datapath', Math.max(...starts.map(({ peak }) => peak[1])), 'MiB', TARGETS.peakMebibytes),
    result('memory-management', management, 'MiB', TARGETS.steadyMebibytes),
    result('memory-datapath', datapath, 'MiB', TARGETS.steadyMebibytes),
  ];
}

function lostOf({ streams }: LoadLine): number {
  return streams.reduce((sum, { sent, received }) => sum + sent - received, 0);
}
