/**
 * Bench of cores: as many packets through two queues on two cores as through one queue on one.
 *
 * With a generator beside them, two workers on two cores would share these with it, and what was measured would be the generator. So
 * it has no share at all: the queues are filled while the workers wait, and what is timed is from there until all are empty.
 *
 *     feed (TUN) --- kernel --- one (TUN, 1 queue)   a worker thread on core 0
 *                          \--- two (TUN, 2 queues)  a worker thread on core 0, another on core 1
 *
 *   1. the kernel spreads the packets, which differ in their addresses, over the queues of `two` by flow
 *   2. `speed-up` is the time of one worker in that of two, from the beginning of the first to the end of the last; in a round they
 *      take turns, and the median of the rounds counts. It needs a machine that does nothing else
 *   3. `by-processor` is the same by processor time: what one worker spends, in what the one of two spends that has more to do. It leaves
 *      out where others had the cores, and so what waiting for each other costs
 *   4. the bare C loop of bench `tun`, on the same queues, says how much of two cores this machine gives: they may be two threads
 *      of one. `of-bare` is the engine's speed-up in the loop's
 *   5. `generator` is the processor time of a packet until it waits in a queue, which would have to be shared out on a machine
 *      with a generator
 *
 * What a worker writes is dropped before the kernel looks what it is. 100,000 bindings, everything on that is on by default.
 */

import { execFileSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { ForwardingMemory } from '../../src/datapath/forwarding.ts';
import type { CoresWorkerData } from './cores-worker.ts';
import { BEGAN, DONE, END, ENDED, IS_BARE, PACKETS, TOLD } from './cores-worker.ts';
import type { Direction } from './engine-bench.ts';
import { DIRECTIONS } from './engine-bench.ts';
import { enterOwnNetwork } from './instance.ts';
import type { BenchResult } from './results.ts';
import { median, medianRatio, result } from './results.ts';
import type { Place } from './tun-feed.ts';
import { layOut, loadForwarding, TunFeed } from './tun-feed.ts';

const BINDINGS = 100_000;
const QUEUE = 5_000;
const ONE: Place = { device: 'one', aftr: '2001:db8:b::1', network: 10, bindings: BINDINGS, queueLength: QUEUE };
const TWO: Place = { device: 'two', aftr: '2001:db8:b::2', network: 11, bindings: BINDINGS, queueLength: QUEUE };
const SIZES = [64, 1_400] as const;
/** Of a turn, in all queues together. */
const TURN = 4_096;
export const CORES_ROUNDS = 61;
/** Rounds before those that count, which are no fewer. */
const WARM_UP = 10;
const TARGET = 1.5;
const TURN_LIMIT_MS = 10_000;

/** Of one turn; times in nanoseconds. */
interface Turn {
  readonly wall: number;
  /** Of all workers. */
  readonly processor: number;
  /** Of all packets, the largest that one worker had. */
  readonly largestShare: number;
  /** Of filling the queues. */
  readonly generator: number;
}

/** Runs the bench, about half a minute, as root. Never returns outside its own namespace. @throws Error with less than two cores */
export async function benchCores(rounds: number): Promise<BenchResult[]> {
  if (availableParallelism() < 2) throw new Error('cores: this machine has one core only');
  enterOwnNetwork();
  layOut([ONE, TWO]);
  const feed = new TunFeed();
  const one = new Queues(ONE, await startWorkers(ONE, 1));
  const two = new Queues(TWO, await startWorkers(TWO, 2));
  const results = SIZES.flatMap((size) =>
    DIRECTIONS.flatMap((direction) => compare(feed, one, two, direction, size, rounds)),
  );
  for (const queues of [one, two]) await queues.close();
  feed.close();
  return results;
}

function compare(
  feed: TunFeed,
  one: Queues,
  two: Queues,
  direction: Direction,
  size: number,
  rounds: number,
): BenchResult[] {
  const [engine, bare] = [newPairs(), newPairs()];
  const warmUp = Math.min(WARM_UP, rounds);
  for (let round = 0; round < rounds + warmUp; round++) {
    for (const pairs of [engine, bare]) {
      const isBare = pairs === bare;
      const pair = [one.turn(feed, direction, size, isBare), two.turn(feed, direction, size, isBare)] as const;
      if (round >= warmUp) pairs.push(pair);
    }
  }
  const id = `cores.${direction}.${size}`;
  const speedUp = ([a, b]: Pair) => a.wall / b.wall;
  const speedUps = engine.map(speedUp);
  const of = (pairs: readonly Pair[], value: (pair: Pair) => number) => median(pairs.map(value));
  return [
    result(
      `${id}.one`,
      of(engine, ([a]) => (TURN / a.wall) * 1e3),
      'Mpps',
    ),
    result(
      `${id}.two`,
      of(engine, ([, b]) => (TURN / b.wall) * 1e3),
      'Mpps',
    ),
    result(`${id}.speed-up`, median(speedUps), 'times', 'at least', TARGET),
    result(`${id}.bare.speed-up`, of(bare, speedUp), 'times'),
    result(`${id}.of-bare`, medianRatio(speedUps, bare.map(speedUp)), 'times'),
    result(`${id}.by-processor`, of(engine, byProcessor), 'times'),
    result(`${id}.bare.by-processor`, of(bare, byProcessor), 'times'),
    result(
      `${id}.generator`,
      of(engine, ([a, b]) => (a.generator + b.generator) / 2 / TURN),
      'ns',
    ),
  ];
}

/** A turn of one queue and one of two. */
type Pair = readonly [one: Turn, two: Turn];

function newPairs(): Pair[] {
  return [];
}

function byProcessor([one, two]: Pair): number {
  return one.processor / (two.processor * two.largestShare);
}

const FAULT_OCTETS = 4_096;

interface Started {
  readonly thread: Worker;
  readonly fault: SharedArrayBuffer;
  readonly words: Int32Array;
  readonly times: BigInt64Array;
}

class Queues {
  readonly #place: Place;
  readonly #workers: readonly Started[];
  #turns = 0;

  constructor(place: Place, workers: readonly Started[]) {
    this.#place = place;
    this.#workers = workers;
  }

  /** Fills the queues, then has the workers empty them. @throws Error when not all came out, or with that of a worker */
  turn(feed: TunFeed, direction: Direction, size: number, isBare: boolean): Turn {
    const filling = process.cpuUsage();
    feed.fill(this.#place, direction, size, TURN);
    const generator = spentSince(filling);
    const start = process.cpuUsage();
    this.#turns++;
    for (const { words } of this.#workers) {
      words[IS_BARE] = isBare ? 1 : 0;
      Atomics.store(words, TOLD, this.#turns);
      Atomics.notify(words, TOLD);
    }
    for (const { words } of this.#workers) {
      if (Atomics.wait(words, DONE, this.#turns - 1, TURN_LIMIT_MS) === 'timed-out')
        throw new Error('cores: a worker hangs');
    }
    for (const { fault } of this.#workers) throwFault(fault);
    const processor = spentSince(start);
    const packets = this.#workers.map(({ words }) => words[PACKETS] ?? 0);
    const all = packets.reduce((sum, count) => sum + count, 0);
    // What the kernel itself says on a link comes, too.
    if (all < TURN) throw new Error(`cores: ${all} of ${TURN} packets came`);
    const began = this.#workers.map(({ times }) => Number(times[BEGAN] ?? 0n));
    const ended = this.#workers.map(({ times }) => Number(times[ENDED] ?? 0n));
    return {
      wall: Math.max(...ended) - Math.min(...began),
      processor,
      largestShare: Math.max(...packets) / all,
      generator,
    };
  }

  async close(): Promise<void> {
    for (const { thread, words } of this.#workers) {
      const ended = new Promise((resolve) => thread.once('exit', resolve));
      Atomics.store(words, TOLD, END);
      Atomics.notify(words, TOLD);
      await ended;
    }
  }
}

async function startWorkers(place: Place, count: number): Promise<Started[]> {
  const { memory } = await loadForwarding(place, count);
  const workers: Started[] = [];
  for (let worker = 0; worker < count; worker++) workers.push(await startWorker(place.device, memory, worker));
  return workers;
}

/** A worker thread on the core of its number. */
async function startWorker(device: string, memory: ForwardingMemory, worker: number): Promise<Started> {
  const words = new SharedArrayBuffer(16);
  const times = new SharedArrayBuffer(16);
  const fault = new SharedArrayBuffer(FAULT_OCTETS);
  const workerData: CoresWorkerData = { device, memory, worker, words, times, fault };
  const thread = new Worker(new URL('./cores-worker.js', import.meta.url), { workerData });
  const id = await new Promise<number>((resolve, reject) => {
    thread.once('message', resolve);
    thread.once('error', reject);
  });
  execFileSync('taskset', ['-pc', `${worker}`, `${id}`], { stdio: 'ignore' });
  return { thread, fault, words: new Int32Array(words), times: new BigInt64Array(times) };
}

function throwFault(fault: SharedArrayBuffer): void {
  const octets = Buffer.from(fault);
  if (octets[0] !== 0) throw new Error(`cores: a worker has died: ${octets.toString('utf8', 0, octets.indexOf(0))}`);
}

/** Nanoseconds of this process. */
function spentSince(start: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(start);
  return (user + system) * 1e3;
}
