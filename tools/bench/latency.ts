/**
 * Bench of latency: how long a single packet is on its way through gateway and AFTR, and its answer back, while nothing else is
 * forwarded. A datagram of 18 octets is sent, its echo awaited, and a pause made, so that each meets an engine that sleeps: what an engine
 * would wait for, to have a batch, is all seen. All that carries packets (offloads/candidates.ts) takes turns; of each the
 * percentiles are the medians of the rounds. In a network namespace of its own; needs root.
 */

import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { buildTopology, DEVICE_NS, INTERNET, INTERNET_NS } from '../../test/helpers/tun-router.ts';
import { onInterrupt } from '../interrupted.ts';
import { enterOwnNetwork } from './instance.ts';
import { nativeProgram } from './native-program.ts';
import type { Candidate } from './offloads/candidates.ts';
import { prepareRouter, withCandidate } from './offloads/candidates.ts';
import type { BenchResult } from './results.ts';
import { median, medianRatio, result } from './results.ts';

const CANDIDATES: readonly Candidate[] = ['kernel', 'seg6', 'c', 'off', 'on'];
export const LATENCY_ROUNDS = 7;
/** Of a round. */
const PACKETS = 600;
/** The first ones find caches as what came before left them. */
const WARM_UP = 100;
/**
 * Lone packets without a pause before: a flood comes in batches, so that code of single packets is compiled only by these, each of them
 * once. Until then a compiler in another thread takes one of two cores for some milliseconds a function, which is all of p99.
 */
const COMPILED = 4_000;
/** Datagrams as fast as they go, echoes too, before: what has run as long as a router has is compiled. Then COMPILED single ones. */
const FLOOD = { seconds: 0.5, size: 18, settleMs: 300 } as const;
const PAUSE_US = 500;
const PORT = 5_301;
const PERCENTILES = { p50: 0.5, p99: 0.99 } as const;
type Percentile = keyof typeof PERCENTILES;
const NAMES = Object.keys(PERCENTILES) as Percentile[];
/**
 * In the time of the engine in C++. Each of the four passages has some microseconds of code that is not in the caches; a batch that
 * waited would cost far more.
 */
const TARGET = 1.5;

type Latency = Readonly<Record<Percentile, number>>;

/** Round trips of each candidate, and how much longer than through the engine in C++ ours take; about two minutes. */
export async function benchLatency(rounds: number): Promise<BenchResult[]> {
  enterOwnNetwork();
  // At its exit the topology goes.
  const forget = onInterrupt(() => undefined);
  buildTopology();
  prepareRouter(DEVICE_NS);
  const measured = new Map<Candidate, Latency[]>(CANDIDATES.map((candidate) => [candidate, []]));
  for (let round = 0; round < rounds; round++) {
    for (const candidate of CANDIDATES) {
      await withCandidate(candidate, async () => {
        measured.get(candidate)?.push(await roundTrips());
      });
    }
  }
  forget();
  return NAMES.flatMap((name) => resultsOf(name, measured));
}

function resultsOf(name: Percentile, measured: ReadonlyMap<Candidate, readonly Latency[]>): BenchResult[] {
  const of = (candidate: Candidate): number[] => (measured.get(candidate) ?? []).map((latency) => latency[name]);
  const times = CANDIDATES.map((candidate) => result(`latency.${name}.${candidate}`, median(of(candidate)), 'µs'));
  const ratios = (['off', 'on'] as const).flatMap((own) => {
    const [ofC, ofKernel] = [medianRatio(of(own), of('c')), medianRatio(of(own), of('kernel'))];
    return [
      result(`latency.${name}.${own}.of-c`, ofC, 'times', 'at most', name === 'p50' ? TARGET : null),
      result(`latency.${name}.${own}.of-kernel`, ofKernel, 'times'),
    ];
  });
  return [...times, ...ratios];
}

/** Percentiles in microseconds, one that did not come back being the slowest of all. @throws Error when too few came back for them */
async function roundTrips(): Promise<Latency> {
  const echo = startProbe(INTERNET_NS, ['echo', `${PORT}`]);
  await new Promise((resolve) => echo.stdout?.once('data', resolve));
  await flood();
  await warm();
  const asker = startProbe(DEVICE_NS, ['ask', INTERNET, `${PORT}`, `${WARM_UP + PACKETS}`, `${PAUSE_US}`]);
  const output = asker.stdout ? await text(asker.stdout) : '';
  const ended = new Promise((resolve) => echo.once('exit', resolve));
  echo.stdin?.end();
  await ended;
  const { ns } = JSON.parse(output) as { ns: readonly number[] };
  const times = ns.slice(WARM_UP).sort((a, b) => a - b);
  const at = (name: Percentile): number => {
    const ns = times[Math.floor(PERCENTILES[name] * PACKETS)];
    if (ns === undefined) throw new Error(`latency: ${times.length} of ${PACKETS} came back, too few for ${name}`);
    return ns / 1_000;
  };
  return { p50: at('p50'), p99: at('p99') };
}

async function flood(): Promise<void> {
  const sender = startProbe(DEVICE_NS, ['flood', INTERNET, `${PORT}`, `${FLOOD.seconds}`, `${FLOOD.size}`]);
  await new Promise((resolve) => sender.once('exit', resolve));
  await new Promise((resolve) => setTimeout(resolve, FLOOD.settleMs));
}

async function warm(): Promise<void> {
  const asker = startProbe(DEVICE_NS, ['ask', INTERNET, `${PORT}`, `${COMPILED}`, '0']);
  if (asker.stdout) await text(asker.stdout);
  await new Promise((resolve) => setTimeout(resolve, FLOOD.settleMs));
}

function startProbe(namespace: string, words: readonly string[]): ChildProcess {
  const program = ['netns', 'exec', namespace, nativeProgram('offloads/udp-probe'), ...words];
  return spawn('ip', program, { stdio: ['pipe', 'pipe', 'inherit'] });
}
