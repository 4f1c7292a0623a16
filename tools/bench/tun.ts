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

import { execFileSync } from 'node:child_process';
import { parseIpv6 } from '../../src/address.ts';
import { Batch } from '../../src/datapath/batch.ts';
import { planInstances } from '../../src/datapath/configuration.ts';
import { Counters, SIDE_IPV4, SIDE_IPV6 } from '../../src/datapath/counters.ts';
import type { WantedRow } from '../../src/datapath/forwarding.ts';
import { Forwarding } from '../../src/datapath/forwarding.ts';
import { STRIDE } from '../../src/datapath/packet-device.ts';
import { Pump } from '../../src/datapath/pump.ts';
import { createPersistentTun, TunDevice } from '../../src/datapath/tun-device.ts';
import { FORWARDED } from '../../src/datapath/verdict.ts';
import { readConfiguration } from '../../src/state/configuration-reader.generated.ts';
import { loadBaseline } from './baseline.ts';
import type { BenchResult } from './datapath.ts';
import type { Direction } from './engine-bench.ts';
import { DIRECTIONS } from './engine-bench.ts';
import { enterOwnNetwork } from './instance.ts';
import { writeTunnelWords, writeUdpWords } from './packets.ts';

const AFTR = '2001:db8:b::1';
const BINDINGS = 1_000_000;
const FIRST_ADDRESS = 0x0a_00_00_00;
const SIZES = [64, 512, 1_400] as const;
/** As a worker has it. */
const BATCH = 64;
/** Packets of a round, that wait in the queue together. */
const PACKETS = 4_096;
const QUEUE = 5_000;
const ROUNDS = 41;
const WARM_UP = 6;
/** Of the rate of the bare loop. */
const TARGET = 0.95;
const INSTANCE = 0;

/** Runs the bench, about a minute, as root. Never returns outside its own namespace. */
export async function benchTun(): Promise<BenchResult[]> {
  enterOwnNetwork();
  const lab = await TunLab.start();
  const results = SIZES.flatMap((size) => DIRECTIONS.flatMap((direction) => lab.measure(direction, size)));
  lab.close();
  return results;
}

class TunLab {
  readonly #counters: Counters;
  readonly #device: TunDevice;
  readonly #pump: Pump;
  readonly #feed: TunDevice;
  readonly #baseline = loadBaseline();
  /** Binding of the next packet. */
  #pick = 1;

  private constructor(forwarding: Forwarding) {
    this.#counters = new Counters(1, forwarding.memory.engine.counters);
    this.#device = TunDevice.open({ name: 'gi-aftr' }, new Batch(BATCH, STRIDE, 0, forwarding.allocate));
    this.#feed = TunDevice.open({ name: 'feed' }, new Batch(BATCH, STRIDE));
    this.#pump = new Pump(this.#device, forwarding.memory, 0, () => undefined);
  }

  static async start(): Promise<TunLab> {
    const forwarding = new Forwarding('aftr', 1, BINDINGS, 'huge');
    const aftr = { name: 'br', 'ipv6-address': AFTR, 'ipv4-pool': ['10.0.0.0/8'] };
    const configuration = readConfiguration({ 'gi-4over6:softwire': { aftr: [aftr] } });
    forwarding.setInstances(planInstances('aftr', configuration));
    await forwarding.synchronize(wantedRows(forwarding), () => Promise.resolve());
    layOut();
    return new TunLab(forwarding);
  }

  close(): void {
    this.#device.close();
    this.#feed.close();
  }

  /** Time of a packet of `size` octets (the IPv4 packet) through the engine and through the bare loop, and their ratio. */
  measure(direction: Direction, size: number): BenchResult[] {
    const engine: number[] = [];
    const bare: number[] = [];
    for (let round = 0; round < ROUNDS + WARM_UP; round++) {
      const own = this.#timeEngine(direction, size);
      const least = this.#timeBare(direction, size);
      if (round < WARM_UP) continue;
      engine.push(own);
      bare.push(least);
    }
    const share = median(bare.map((ns, round) => ns / (engine[round] ?? Number.NaN)));
    const id = `tun.${direction}.${size}`;
    return [
      { id, value: Math.round(median(engine)), unit: 'ns', target: null, met: null },
      { id: `${id}.bare`, value: Math.round(median(bare)), unit: 'ns', target: null, met: null },
      {
        id: `${id}.of-bare`,
        value: Math.round(share * 100) / 100,
        unit: 'times',
        target: TARGET,
        met: share >= TARGET,
      },
    ];
  }

  /** Nanoseconds a packet. @throws Error when one was not forwarded */
  #timeEngine(direction: Direction, size: number): number {
    const before = this.#forwarded(direction);
    this.#fill(direction, size);
    const start = process.cpuUsage();
    while (this.#pump.forwardBatch());
    const spent = spentSince(start);
    const forwarded = this.#forwarded(direction) - before;
    if (forwarded !== PACKETS) throw new Error(`tun: ${forwarded} of ${PACKETS} packets were forwarded`);
    return (spent * 1e3) / PACKETS;
  }

  /** As of the engine. */
  #timeBare(direction: Direction, size: number): number {
    this.#fill(direction, size);
    const start = process.cpuUsage();
    const copied = this.#baseline.copy(this.#device.descriptor);
    const spent = spentSince(start);
    // What the kernel itself says on a link (MLD) is copied, too.
    if (copied < PACKETS) throw new Error(`tun: ${copied} of ${PACKETS} packets were copied`);
    return (spent * 1e3) / copied;
  }

  /** Fills the queue of the device with packets of random bindings. */
  #fill(direction: Direction, size: number): void {
    const { batch } = this.#feed;
    for (let sent = 0; sent < PACKETS; sent += BATCH) {
      batch.clearOutputs();
      for (let slot = 0; slot < BATCH; slot++) {
        const pick = this.#nextPick();
        const at = batch.at[slot] ?? 0;
        if (direction === 'encapsulation') {
          writeUdpWords(batch.words, at >> 2, size, 0x08_08_08_08, FIRST_ADDRESS + pick);
          batch.send(slot, at, size);
        } else {
          writeTunnelWords(batch.words, at >> 2, size, gatewayOf(pick), AFTR_OCTETS);
          writeUdpWords(batch.words, (at >> 2) + 10, size, FIRST_ADDRESS + pick, 0x08_08_08_08);
          batch.send(slot, at, size + 40);
        }
      }
      if (this.#feed.writeBatch() !== BATCH) throw new Error('the device that feeds did not take all');
    }
  }

  #nextPick(): number {
    this.#pick = (Math.imul(this.#pick, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((this.#pick / 2 ** 32) * BINDINGS);
  }

  #forwarded(direction: Direction): number {
    const side = direction === 'encapsulation' ? SIDE_IPV4 : SIDE_IPV6;
    return this.#counters.read(INSTANCE, side, FORWARDED).packets;
  }
}

const AFTR_OCTETS = parseIpv6(AFTR) ?? new Uint8Array(16);
const GATEWAY = parseIpv6('2001:db8:a::') ?? new Uint8Array(16);

/** The gateway of a binding; the octets are those of the next call, too. */
function gatewayOf(pick: number): Uint8Array {
  new DataView(GATEWAY.buffer).setUint32(12, pick + 1);
  return GATEWAY;
}

function* wantedRows(forwarding: Forwarding): Generator<WantedRow> {
  const fixed = { length: 32, aftrIpv6Address: undefined, description: undefined, origin: 'static' } as const;
  for (let i = 0; i < BINDINGS; i++) {
    const binding = { address: FIRST_ADDRESS + i, gatewayIpv6Address: gatewayOf(i).slice(), ...fixed };
    const row = forwarding.wantedBinding('br', binding);
    if (row) yield row;
  }
}

/** Devices and routes, and that what is written to gi-aftr ends there. */
function layOut(): void {
  for (const name of ['feed', 'gi-aftr']) createPersistentTun(name);
  const settings = ['ipv4.ip_forward', 'ipv6.conf.all.forwarding'].map((name) => `net.${name}=1`);
  const off = ['all', 'default', 'feed', 'gi-aftr'].map((name) => `net.ipv4.conf.${name}.rp_filter=0`);
  const quiet = ['feed', 'gi-aftr'].map((name) => `net.ipv6.conf.${name}.addr_gen_mode=1`);
  execFileSync('sysctl', ['-qw', ...settings, ...off, ...quiet]);
  for (const words of [
    `link set gi-aftr mtu 65535 txqueuelen ${QUEUE} up`,
    'link set feed mtu 65535 up',
    `-6 route add ${AFTR}/128 dev gi-aftr`,
    'route add 10.0.0.0/8 dev gi-aftr',
  ]) {
    execFileSync('ip', words.split(' '));
  }
  const drop = 'add chain netdev bench in { type filter hook ingress device "gi-aftr" priority 0; policy drop; }';
  execFileSync('nft', ['-f', '-'], { input: `add table netdev bench\n${drop}\n` });
}

/** Microseconds of this process: others on the machine do not count. */
function spentSince(start: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(start);
  return user + system;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}
