/**
 * Bench of TCP through gateway and AFTR with and without offloads, beside the kernel that forwards the same without a tunnel:
 * iperf3 between two hosts, both directions, in a network namespace of its own. Both roles run in one process on TUN devices, as
 * test/helpers/tun-router.ts builds it. All candidates take turns in each round; ratios are medians of the rounds. Needs root.
 */

import { spawn, spawnSync } from 'node:child_process';
import { enterOwnNetwork } from '../../test/helpers/own-network.ts';
import {
  buildTopology,
  DEVICE_NS,
  INTERNET,
  INTERNET_NS,
  withDatapath,
  withoutTunnel,
} from '../../test/helpers/tun-router.ts';
import type { BenchResult } from './datapath.ts';

const CANDIDATES = ['off', 'on', 'kernel'] as const;
type Candidate = (typeof CANDIDATES)[number];
const DIRECTIONS = ['upstream', 'downstream'] as const;
type Direction = (typeof DIRECTIONS)[number];
/** What a segment fits the tunnel with, whatever its options. */
const SEGMENT = 1_400;
const TARGET = 1.4;
/** iperf3 listens after so long. */
const START_MS = 300;

/** Megabits a second of each candidate in each direction, and what offloads are worth. */
export async function benchOffloads(seconds: number, rounds: number): Promise<BenchResult[]> {
  enterOwnNetwork();
  buildTopology();
  const measured = new Map<string, number[]>();
  for (let round = 0; round < rounds; round++) {
    for (const candidate of CANDIDATES) {
      await withCandidate(candidate, async () => {
        for (const direction of DIRECTIONS) {
          const name = `${direction}.${candidate}`;
          measured.set(name, [...(measured.get(name) ?? []), await iperf(direction, seconds)]);
        }
      });
    }
  }
  return DIRECTIONS.flatMap((direction) => resultsOf(direction, measured));
}

function resultsOf(direction: Direction, measured: ReadonlyMap<string, readonly number[]>): BenchResult[] {
  const of = (candidate: Candidate): readonly number[] => measured.get(`${direction}.${candidate}`) ?? [];
  const rates = CANDIDATES.map((candidate) => ({
    id: `offloads.${direction}.${candidate}`,
    value: Math.round(median(of(candidate))),
    unit: 'Mbit/s',
    target: null,
    met: null,
  }));
  const ratio = (to: Candidate): number => median(of('on').map((rate, round) => rate / (of(to)[round] ?? Number.NaN)));
  const gain = Math.round(ratio('off') * 100) / 100;
  return [
    ...rates,
    { id: `offloads.${direction}.gain`, value: gain, unit: 'times', target: TARGET, met: gain >= TARGET },
    {
      id: `offloads.${direction}.of-kernel`,
      value: Math.round(ratio('kernel') * 100) / 100,
      unit: 'times',
      target: null,
      met: null,
    },
  ];
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

function withCandidate(candidate: Candidate, body: () => Promise<void>): Promise<void> {
  return candidate === 'kernel' ? withoutTunnel(body) : withDatapath({ offloads: candidate === 'on' }, body);
}

/** Megabits a second that the receiver of one connection got. */
async function iperf(direction: Direction, seconds: number): Promise<number> {
  const server = spawn('ip', ['netns', 'exec', INTERNET_NS, 'iperf3', '-s', '-1'], { stdio: 'ignore' });
  const ended = new Promise((resolve) => server.once('exit', resolve));
  await new Promise((resolve) => setTimeout(resolve, START_MS));
  const words = ['-c', INTERNET, '-t', `${seconds}`, '-O', '1', '-M', `${SEGMENT}`, '-J'];
  const { stdout } = spawnSync(
    'ip',
    ['netns', 'exec', DEVICE_NS, 'iperf3', ...words, ...(direction === 'downstream' ? ['-R'] : [])],
    { encoding: 'utf8' },
  );
  server.kill();
  await ended;
  const said = JSON.parse(stdout) as { error?: string; end?: { sum_received?: { bits_per_second?: number } } };
  const rate = said.end?.sum_received?.bits_per_second;
  if (rate === undefined) throw new Error(`iperf3: ${said.error ?? 'no result'}`);
  return rate / 1e6;
}
