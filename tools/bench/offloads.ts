/**
 * Bench of TCP and UDP through gateway and AFTR: what offloads are worth. Between two hosts in a network namespace of its own, with
 * all that carries packets in turn (offloads/candidates.ts): this project without and with offloads, an engine in C++ on TUN devices
 * without offloads, the kernel's own tunnel, and the kernel that forwards without one. Needs root.
 *
 *   upstream, downstream   one connection of iperf3
 *   decapsulation          the same upstream while the kernel is the gateway, so that the AFTR decapsulates and no more
 *   udp                    datagrams upstream, 45 in a super-packet, as fast as the sender can; what arrives is counted. The kernel is
 *                          the AFTR: what a gateway sends and an AFTR then loses would be work for nothing, more the faster it is
 *
 * Sender, candidate and receiver share the cores, whose time a candidate is measured by: no more than goes through at the whole
 * machine's cost. All candidates take turns in each round; ratios are medians of the rounds.
 */

import { spawn, spawnSync } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { buildTopology, DEVICE_NS, INTERNET, INTERNET_NS } from '../../test/helpers/tun-router.ts';
import { onInterrupt } from '../interrupted.ts';
import { enterOwnNetwork } from './instance.ts';
import { nativeProgram } from './native-program.ts';
import type { Candidate } from './offloads/candidates.ts';
import { prepareRouter, withCandidate } from './offloads/candidates.ts';
import type { BenchResult } from './results.ts';
import { median, medianRatio, result } from './results.ts';

/** What a candidate carries; the measurements are in megabits a second of payload. */
type Load = 'upstream' | 'downstream' | 'udp';

interface Part {
  readonly name: string;
  readonly load: Load;
  readonly candidates: readonly Candidate[];
  /** What must be so many times as fast as what, at least. */
  readonly ratios: readonly (readonly [name: string, of: Candidate, to: Candidate, target: number | null])[];
}

const TCP_TARGET = 1.4;
const ALONE_TARGET = 3;
/** Datagrams come in super-packets and leave one by one in any case: what offloads save is reading, and they must not cost more. */
const UDP_TARGET = 1;
const ALL: readonly Candidate[] = ['off', 'on', 'c', 'seg6', 'kernel'];
const tcpRatios: Part['ratios'] = [
  ['of-c', 'on', 'c', TCP_TARGET],
  ['gain', 'on', 'off', null],
  ['of-seg6', 'on', 'seg6', null],
  ['of-kernel', 'on', 'kernel', null],
];
const PARTS: readonly Part[] = [
  { name: 'upstream', load: 'upstream', candidates: ALL, ratios: tcpRatios },
  { name: 'downstream', load: 'downstream', candidates: ALL, ratios: tcpRatios },
  {
    name: 'decapsulation',
    load: 'upstream',
    candidates: ['off-aftr', 'on-aftr', 'c-aftr'],
    ratios: [
      ['of-c', 'on-aftr', 'c-aftr', ALONE_TARGET],
      ['gain', 'on-aftr', 'off-aftr', null],
    ],
  },
  {
    name: 'udp',
    load: 'udp',
    candidates: ['off-gateway', 'on-gateway', 'c-gateway', 'seg6', 'kernel'],
    ratios: [
      ['of-c', 'on-gateway', 'c-gateway', UDP_TARGET],
      ['gain', 'on-gateway', 'off-gateway', UDP_TARGET],
    ],
  },
];

/** What a segment or datagram fits the tunnel with, whatever its options. */
const SEGMENT = 1_400;
/** What is left out: an engine that has just started has nothing compiled. */
const WARM_UP_SECONDS = 1;
/** iperf3 listens after so long. */
const START_MS = 300;
const PORT = 5_300;

/** Megabits a second of each candidate in each part, and what offloads are worth; about five and a half minutes. */
export async function benchOffloads(seconds: number, rounds: number): Promise<BenchResult[]> {
  enterOwnNetwork();
  // At its exit the topology goes.
  const forget = onInterrupt(() => undefined);
  buildTopology();
  prepareRouter(DEVICE_NS);
  const measured = new Map<string, number[]>();
  for (let round = 0; round < rounds; round++) {
    for (const candidate of new Set(PARTS.flatMap(({ candidates }) => candidates))) {
      await withCandidate(candidate, async () => {
        for (const { name, load } of PARTS.filter(({ candidates }) => candidates.includes(candidate))) {
          const id = `${name}.${candidate}`;
          if (load === 'udp') await udpRate(WARM_UP_SECONDS);
          const rate = load === 'udp' ? await udpRate(seconds) : await tcpRate(load, seconds);
          measured.set(id, [...(measured.get(id) ?? []), rate]);
        }
      });
    }
  }
  forget();
  return PARTS.flatMap((part) => resultsOf(part, measured));
}

function resultsOf(
  { name, candidates, ratios }: Part,
  measured: ReadonlyMap<string, readonly number[]>,
): BenchResult[] {
  const of = (candidate: Candidate): readonly number[] => measured.get(`${name}.${candidate}`) ?? [];
  return [
    ...candidates.map((candidate) => result(`offloads.${name}.${candidate}`, median(of(candidate)), 'Mbit/s')),
    ...ratios.map(([id, above, below, target]) => {
      const times = medianRatio(of(above), of(below));
      return result(`offloads.${name}.${id}`, times, 'times', 'at least', target);
    }),
  ];
}

/** Megabits a second that the receiver of one connection got. */
async function tcpRate(load: 'upstream' | 'downstream', seconds: number): Promise<number> {
  const server = spawn('ip', ['netns', 'exec', INTERNET_NS, 'iperf3', '-s', '-1'], { stdio: 'ignore' });
  const ended = new Promise((resolve) => server.once('exit', resolve));
  const forget = onInterrupt(() => void server.kill());
  await new Promise((resolve) => setTimeout(resolve, START_MS));
  const words = ['-c', INTERNET, '-t', `${seconds}`, '-O', `${WARM_UP_SECONDS}`, '-M', `${SEGMENT}`, '-J'];
  const { stdout } = spawnSync(
    'ip',
    ['netns', 'exec', DEVICE_NS, 'iperf3', ...words, ...(load === 'downstream' ? ['-R'] : [])],
    { encoding: 'utf8' },
  );
  server.kill();
  await ended;
  forget();
  const said = JSON.parse(stdout) as { error?: string; end?: { sum_received?: { bits_per_second?: number } } };
  const rate = said.end?.sum_received?.bits_per_second;
  if (rate === undefined) throw new Error(`iperf3: ${said.error ?? 'no result'}`);
  return rate / 1e6;
}

/** Megabits a second of datagrams that arrived. */
async function udpRate(seconds: number): Promise<number> {
  const probe = nativeProgram('offloads/udp-probe');
  const enter = (namespace: string) => ['netns', 'exec', namespace, probe];
  const receiver = spawn('ip', [...enter(INTERNET_NS), 'count', `${PORT}`], { stdio: ['pipe', 'pipe', 'inherit'] });
  await new Promise<void>((resolve, reject) => {
    receiver.stdout.once('readable', resolve);
    receiver.once('error', reject);
  });
  const flood = ['flood', INTERNET, `${PORT}`, `${seconds}`, `${SEGMENT}`];
  const { status } = spawnSync('ip', [...enter(DEVICE_NS), ...flood], { stdio: ['ignore', 'ignore', 'inherit'] });
  receiver.stdin.end();
  const output = await text(receiver.stdout);
  if (status !== 0) throw new Error(`udp-probe ended with ${status}`);
  const { octets } = JSON.parse(output.replace('ready', '')) as { octets: number };
  return (octets * 8) / seconds / 1e6;
}
