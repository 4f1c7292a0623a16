/**
 * Bench of the engine on a TUN device, as a worker has it, beside the least that anything can do there: a C++ loop that reads
 * each packet and writes it back (tools/bench/native). In a network namespace of its own:
 *
 *     feed (TUN) --- kernel --- gi-aftr (TUN): the loop of a worker, or the bare one, in this process --- dropped
 *
 *   1. the queue of gi-aftr is filled while nothing reads it
 *   2. one of the two runs until the queue is empty, on the same descriptor; that alone is measured, in processor time. What is
 *      written is dropped before the kernel looks what it is: IPv4 and IPv6 cost it the same
 *   3. the two take turns, and a ratio is one of neighbours; their median counts
 *
 * A million bindings, everything on that is on by default.
 */

import { Batch } from '../../src/datapath/batch.ts';
import { Counters, SIDE_IPV4, SIDE_IPV6 } from '../../src/datapath/counters.ts';
import type { Forwarding } from '../../src/datapath/forwarding.ts';
import { STRIDE } from '../../src/datapath/packet-device.ts';
import { Pump } from '../../src/datapath/pump.ts';
import { TunDevice } from '../../src/datapath/tun-device.ts';
import { FORWARDED } from '../../src/datapath/verdict.ts';
import { loadBaseline } from './baseline.ts';
import type { Direction } from './engine-bench.ts';
import { DIRECTIONS } from './engine-bench.ts';
import { enterOwnNetwork } from './instance.ts';
import type { BenchResult } from './results.ts';
import { median, medianRatio, result } from './results.ts';
import { layOut, loadForwarding, TunFeed } from './tun-feed.ts';

const SIZES = [64, 512, 1_400] as const;
/** As a worker has it. */
const BATCH = 64;
/** Packets of a round, that wait in the queue together. */
const PACKETS = 4_096;
const PLACE = {
  device: 'gi-aftr',
  aftr: '2001:db8:b::1',
  network: 10,
  bindings: 1_000_000,
  queueLength: 5_000,
} as const;
export const TUN_ROUNDS = 41;
/** Rounds before those that count, which are no fewer. */
const WARM_UP = 6;
/** Of the rate of the bare loop. */
const TARGET = 0.95;
const INSTANCE = 0;

/** Runs the bench, about half a minute, as root. Never returns outside its own namespace. */
export async function benchTun(rounds: number): Promise<BenchResult[]> {
  enterOwnNetwork();
  const lab = await TunLab.start();
  const results = SIZES.flatMap((size) => DIRECTIONS.flatMap((direction) => lab.measure(direction, size, rounds)));
  lab.close();
  return results;
}

class TunLab {
  readonly #counters: Counters;
  readonly #device: TunDevice;
  readonly #pump: Pump;
  readonly #feed = new TunFeed();
  readonly #baseline = loadBaseline();

  private constructor(forwarding: Forwarding) {
    this.#counters = new Counters(1, forwarding.memory.engine.counters);
    this.#device = TunDevice.open({ name: PLACE.device }, new Batch(BATCH, STRIDE, 0, forwarding.allocate));
    this.#pump = new Pump(this.#device, forwarding.memory, 0, () => undefined);
  }

  static async start(): Promise<TunLab> {
    layOut([PLACE]);
    return new TunLab(await loadForwarding(PLACE, 1));
  }

  close(): void {
    this.#device.close();
    this.#feed.close();
  }

  /** Time of a packet of `size` octets (the IPv4 packet) through the engine and through the bare loop, and their ratio. */
  measure(direction: Direction, size: number, rounds: number): BenchResult[] {
    const engine: number[] = [];
    const bare: number[] = [];
    const warmUp = Math.min(WARM_UP, rounds);
    for (let round = 0; round < rounds + warmUp; round++) {
      const own = this.#timeEngine(direction, size);
      const least = this.#timeBare(direction, size);
      if (round < warmUp) continue;
      engine.push(own);
      bare.push(least);
    }
    const id = `tun.${direction}.${size}`;
    return [
      result(id, median(engine), 'ns'),
      result(`${id}.bare`, median(bare), 'ns'),
      result(`${id}.of-bare`, medianRatio(bare, engine), 'times', 'at least', TARGET),
    ];
  }

  /** Nanoseconds a packet. @throws Error when one was not forwarded */
  #timeEngine(direction: Direction, size: number): number {
    const before = this.#forwarded(direction);
    this.#feed.fill(PLACE, direction, size, PACKETS);
    const start = process.cpuUsage();
    while (this.#pump.forwardBatch());
    const spent = spentSince(start);
    const forwarded = this.#forwarded(direction) - before;
    if (forwarded !== PACKETS) throw new Error(`tun: ${forwarded} of ${PACKETS} packets were forwarded`);
    return (spent * 1e3) / PACKETS;
  }

  /** As of the engine. */
  #timeBare(direction: Direction, size: number): number {
    this.#feed.fill(PLACE, direction, size, PACKETS);
    const start = process.cpuUsage();
    const copied = this.#baseline.copy(this.#device.descriptor);
    const spent = spentSince(start);
    // What the kernel itself says on a link (MLD) is copied, too.
    if (copied < PACKETS) throw new Error(`tun: ${copied} of ${PACKETS} packets were copied`);
    return (spent * 1e3) / copied;
  }

  #forwarded(direction: Direction): number {
    const side = direction === 'encapsulation' ? SIDE_IPV4 : SIDE_IPV6;
    return this.#counters.read(INSTANCE, side, FORWARDED).packets;
  }
}

/** Microseconds of this process: others on the machine do not count. */
function spentSince(start: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(start);
  return user + system;
}
