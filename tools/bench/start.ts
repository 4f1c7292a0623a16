/**
 * Bench of a start: the running program as AFTR is ended and started again on the store that it has, while a load generator
 * (load/) sends to bindings all over its table. From the call that starts the supervisor until the first packet comes, and until
 * management answers; packets lost later than a second after the first; and the most memory of both processes from their beginning on.
 * In turn with the image of the table that the end before has left (`start.*`), and without it (`start.from-store.*`), as after an
 * update. Between them the datapath is killed (`start.after-kill.*`), when a thousand bindings have changed since the image: from
 * then until the first packet.
 */

import { FEWEST_BINDINGS } from '../../src/datapath/kept-table.ts';
import { sleep } from './instance.ts';
import type { TableSource } from './load/busy-aftr.ts';
import { BusyAftr } from './load/busy-aftr.ts';
import type { LoadLine } from './load/load-generator.ts';
import { LoadGenerator } from './load/load-generator.ts';
import type { Memory } from './memory-watch.ts';
import type { BenchResult } from './results.ts';
import { median, result } from './results.ts';
import { Lab } from './rfc8219/lab.ts';

export const START_BINDINGS = 1_000_000;
/** Frames a second: so fine is what is measured. */
const RATE = 10_000;
const GAP_MS = 50;
const BEFORE_MS = 500;
const AFTER_MS = 3_000;
const NAMES = { image: 'start', store: 'start.from-store' } as const;
/** A process that was killed sends no more. */
const KILLED_MS = 100;
const TARGETS = { startMs: 1_500, steadyMebibytes: 400, peakMebibytes: 600 };

interface Arrivals {
  readonly firstMs: number;
  readonly lostLater: number;
}

interface Start extends Arrivals {
  readonly answersMs: number;
  readonly peak: Memory;
  /** When all has come to rest. */
  readonly steady: Memory;
}

/** Runs the bench as root: medians of so many starts of each kind. A table too small for an image starts from the store alone. */
export async function benchStart(bindings: number, rounds: number): Promise<BenchResult[]> {
  const sources: TableSource[] = bindings < FEWEST_BINDINGS ? ['store'] : ['image', 'store'];
  const kills: Arrivals[] = [];
  const lab = new Lab(`gi4start-${process.pid}`);
  let aftr: BusyAftr | undefined;
  try {
    aftr = await BusyAftr.start(lab, bindings);
    const starts = new Map(sources.map((source) => [source, [] as Start[]]));
    for (let round = 0; round < rounds; round++) {
      for (const [source, some] of starts) {
        some.push(await measureStart(aftr, source));
        if (source === 'image') kills.push(await measureKill(aftr));
      }
    }
    return [
      ...[...starts].flatMap(([source, some]) => resultsOf(NAMES[source], bindings, some)),
      ...(kills.length > 0 ? arrivalResults('start.after-kill', bindings, kills) : []),
    ];
  } finally {
    await aftr?.stop();
    lab.close();
  }
}

async function measureStart(aftr: BusyAftr, source: TableSource): Promise<Start> {
  const streams = [aftr.stream('downstream')];
  const generator = LoadGenerator.start(aftr.lab, { rate: RATE, gapMs: GAP_MS, streams });
  await sleep(BEFORE_MS);
  const { began, answersMs, memory } = await aftr.restart(source);
  await aftr.instance.waitUntilApplied();
  await sleep(AFTER_MS);
  await generator.end();
  await sleep(AFTER_MS);
  const steady = aftr.instance.resident();
  const { firstMs, lostLater } = arrivalsAfter(began, generator.lines);
  return { firstMs, lostLater, answersMs, steady, peak: memory.end() };
}

async function measureKill(aftr: BusyAftr): Promise<Arrivals> {
  const streams = [aftr.stream('downstream')];
  const generator = LoadGenerator.start(aftr.lab, { rate: RATE, gapMs: GAP_MS, streams });
  await sleep(BEFORE_MS);
  const { killed, hasTaken } = await aftr.killDatapath();
  await sleep(KILLED_MS);
  const gone = performance.timeOrigin + performance.now();
  await aftr.instance.waitUntilApplied();
  await sleep(AFTER_MS);
  await generator.end();
  if (!hasTaken()) throw new Error('start: the datapath that came after a kill has not taken the image of its table');
  const { firstMs, lostLater } = arrivalsAfter(gone, generator.lines);
  return { firstMs: gone - killed + firstMs, lostLater };
}

/** What the lines of a load generator of one stream say of a start: until the first packet, and what was lost from the line after that on. */
export function arrivalsAfter(began: number, lines: readonly LoadLine[]): Arrivals {
  const covers = ({ atMs, lengthMs }: { atMs: number; lengthMs: number }) => atMs < began && atMs + lengthMs > began;
  const told = lines.findIndex((line) => line.streams.some(({ gaps }) => gaps.some(covers)));
  const gap = lines[told]?.streams.flatMap(({ gaps }) => gaps).find(covers);
  if (!gap) throw new Error('start: packets came all the time');
  const lost = lines.slice(told + 1).map(lostOf);
  // What was under way when a line was written is not missing in a later one, and none was under way at the last.
  const lostLater = (lost.at(-1) ?? 0) - Math.min(...lost, lost.at(-1) ?? 0);
  return { firstMs: gap.atMs + gap.lengthMs - began, lostLater };
}

function resultsOf(name: string, bindings: number, starts: readonly Start[]): BenchResult[] {
  const add = (what: string, value: number, unit: string, target: number | null = null): BenchResult =>
    result(`${name}.${what}.${bindings}`, value, unit, 'at most', target);
  const of = (read: (start: Start) => number) => starts.map(read);
  const { steadyMebibytes, peakMebibytes } = TARGETS;
  return [
    ...arrivalResults(name, bindings, starts),
    add('management-answers', median(of(({ answersMs }) => answersMs)), 'ms'),
    add('peak-management', Math.max(...of(({ peak }) => peak[0])), 'MiB', peakMebibytes),
    add('peak-datapath', Math.max(...of(({ peak }) => peak[1])), 'MiB', peakMebibytes),
    add('memory-management', median(of(({ steady }) => steady[0])), 'MiB', steadyMebibytes),
    add('memory-datapath', median(of(({ steady }) => steady[1])), 'MiB', steadyMebibytes),
  ];
}

function arrivalResults(name: string, bindings: number, arrivals: readonly Arrivals[]): BenchResult[] {
  const first = median(arrivals.map(({ firstMs }) => firstMs));
  const lost = median(arrivals.map(({ lostLater }) => lostLater));
  return [
    result(`${name}.first-packet.${bindings}`, first, 'ms', 'at most', TARGETS.startMs),
    result(`${name}.lost-later.${bindings}`, lost, 'packets', 'at most', null),
  ];
}

function lostOf({ streams }: LoadLine): number {
  return streams.reduce((sum, { sent, received }) => sum + sent - received, 0);
}
