/**
 * Bench of good packets beside hostile ones, as the engine is used: through a TUN device, where each packet costs a read, and a good
 * one a write besides. In a network namespace of its own:
 *
 *     feed (TUN) --- kernel --- gi-aftr (TUN): the loop of a worker, in this process --- kernel --- a blackhole route
 *
 *   1. the queue of gi-aftr is filled while the loop stands still
 *   2. the loop runs until the queue is empty; that alone is measured, what it costs to send not
 *   3. rounds of good packets alone and of each mixture in turn
 *
 * A ratio is the time that a mixture takes in the time of as many good packets of 64 octets: 2 says that the engine takes
 * half as many arriving packets a second as without the hostile ones among them.
 */

import { execFileSync } from 'node:child_process';
import { parseIpv4, parseIpv6 } from '../../src/address.ts';
import { Batch } from '../../src/datapath/batch.ts';
import { planInstances } from '../../src/datapath/configuration.ts';
import { Counters, SIDE_IPV4, SIDE_IPV6 } from '../../src/datapath/counters.ts';
import { Forwarding } from '../../src/datapath/forwarding.ts';
import { STRIDE } from '../../src/datapath/packet-device.ts';
import { Pump } from '../../src/datapath/pump.ts';
import type { WantedRow } from '../../src/datapath/table.ts';
import { createPersistentTun, TunDevice } from '../../src/datapath/tun-device.ts';
import {
  DROP_LINK_LAYER_NOISE,
  DROP_NOT_FOR_US,
  FORWARDED,
  HAIRPINNED,
  REPLIED,
  VERDICTS,
} from '../../src/datapath/verdict.ts';
import { readConfiguration } from '../../src/state/configuration-reader.generated.ts';
import type { HostileKind } from './hostile-kinds.ts';
import {
  AFTR,
  BINDINGS,
  boundAddress,
  CONFIGURATION,
  gatewayOf,
  goodPackets,
  hostileKinds,
  packetsOf,
} from './hostile-kinds.ts';
import { enterOwnNetwork } from './instance.ts';
import type { BenchResult } from './results.ts';
import { median, result } from './results.ts';

const TARGET = 2;
const ROUNDS = 5;
/** How often a round is repeated whose packets did not all reach the device. */
const TRIES = 5;
/** Packets of a round, that wait in the queue together. */
const PACKETS = 4_800;
const QUEUE = 5_000;
/** As a worker has it. */
const BATCH = 64;
const SHARES = [5, 9] as const;
const INSTANCE = 0;

/** Runs the bench, about two minutes, as root; `wanted` names kinds. Never returns outside its own namespace. */
export async function benchHostile(wanted: readonly string[]): Promise<BenchResult[]> {
  enterOwnNetwork();
  const lab = await HostileLab.start();
  const results: BenchResult[] = [];
  for (const side of [4, 6] as const) results.push(lab.measureGood(side));
  for (const kind of hostileKinds()) {
    if (!wanted.includes(kind.name)) continue;
    const packets = packetsOf(kind);
    for (const share of SHARES) results.push(lab.measure(kind, packets, share));
  }
  lab.close();
  return results;
}

/** `share` of ten packets are of a kind. */
interface Mixture {
  readonly kind: HostileKind;
  readonly packets: readonly Buffer[];
  readonly share: number;
}

class HostileLab {
  readonly #forwarding: Forwarding;
  readonly #counters: Counters;
  readonly #device: TunDevice;
  readonly #pump: Pump;
  readonly #feed: TunDevice;
  readonly #good = { 4: goodPackets(4), 6: goodPackets(6) };
  /** Hostile packets so far. */
  #hostile = 0;

  private constructor(forwarding: Forwarding) {
    this.#forwarding = forwarding;
    this.#counters = new Counters(1, forwarding.memory.engine.counters);
    this.#device = TunDevice.open({ name: 'gi-aftr' }, new Batch(BATCH, STRIDE, 0, forwarding.allocate));
    this.#feed = TunDevice.open({ name: 'feed' }, new Batch(BATCH, STRIDE));
    this.#pump = new Pump(this.#device, forwarding.memory, 0, () => undefined);
  }

  static async start(): Promise<HostileLab> {
    const forwarding = new Forwarding('aftr', 1, 2 * BINDINGS, 'small');
    configure(forwarding, false);
    forwarding.putSharedAddresses();
    await forwarding.rows.synchronize(wantedRows(forwarding), () => Promise.resolve());
    layOut();
    return new HostileLab(forwarding);
  }

  close(): void {
    this.#device.close();
    this.#feed.close();
  }

  /** Nanoseconds of a good packet, for orientation. */
  measureGood(side: 4 | 6): BenchResult {
    const times: number[] = [];
    for (let round = 0; round < ROUNDS + 2; round++) times.push(this.#run(side));
    return result(`hostile.good.ipv${side}`, (median(times.slice(2)) * 1e6) / PACKETS, 'ns');
  }

  /** `share` of ten packets are of the kind. */
  measure(kind: HostileKind, packets: readonly Buffer[], share: number): BenchResult {
    const hostile = { kind, packets, share };
    configure(this.#forwarding, kind.isCounted === true);
    const ratios: number[] = [];
    for (let round = 0; round < ROUNDS + 1; round++) {
      const alone = this.#run(kind.side);
      const mixed = this.#run(kind.side, hostile);
      if (round > 0) ratios.push(mixed / alone);
    }
    return result(`hostile.${kind.name}-${share * 10}`, median(ratios), 'times', 'at most', TARGET);
  }

  /**
   * Processor milliseconds that the loop takes for a full queue: others on the machine do not count. @throws Error when a
   * good packet was lost, or a hostile one not
   */
  #run(side: 4 | 6, hostile?: Mixture, triesLeft = TRIES): number {
    const before = this.#counts(side);
    this.#fill(this.#good[side], hostile);
    const start = process.cpuUsage();
    while (this.#pump.forwardBatch());
    const { user, system } = process.cpuUsage(start);
    const counts = this.#counts(side).map((count, i) => count - (before[i] ?? 0));
    const [all = 0, served = 0] = counts;
    // The kernel loses some on their way to the device when it is busy.
    if (all < PACKETS && triesLeft > 0) return this.#run(side, hostile, triesLeft - 1);
    const dropped = hostile && !hostile.kind.isServed ? (PACKETS / 10) * hostile.share : 0;
    if (all !== PACKETS || served !== PACKETS - dropped) {
      throw new Error(`${hostile?.kind.name ?? 'good'}: ${all} of ${PACKETS} came, ${served} were served`);
    }
    return (user + system) / 1_000;
  }

  /** Fills the queue of the device. */
  #fill(good: readonly Buffer[], hostile?: Mixture): void {
    const { batch } = this.#feed;
    for (let sent = 0; sent < PACKETS; sent += BATCH) {
      batch.clearOutputs();
      for (let slot = 0; slot < BATCH; slot++) {
        const i = sent + slot;
        const isHostile = hostile !== undefined && (i * 7) % 10 < hostile.share;
        const packets = isHostile ? hostile.packets : good;
        const packet = packets[(isHostile ? this.#hostile : i) % packets.length] ?? Buffer.alloc(0);
        const at = batch.at[slot] ?? 0;
        batch.buf.set(packet, at);
        if (isHostile) this.#writeNumber(batch, at, hostile.kind);
        batch.send(slot, at, packet.length);
      }
      if (this.#feed.writeBatch() !== BATCH) throw new Error('the device that feeds did not take all');
    }
  }

  #writeNumber({ buf }: Batch, at: number, { numberAt, perNumber = 1 }: HostileKind): void {
    const number = Math.imul(Math.floor(this.#hostile++ / perNumber), 0x9e3779b1);
    if (numberAt === undefined) return;
    new DataView(buf.buffer).setUint32(at + numberAt, number >>> 0);
  }

  /** Packets that came on a side, but for what the kernel itself says on a link (MLD), and those of them that were served. */
  #counts(side: 4 | 6): [all: number, served: number] {
    const counts = this.#counters.readAll(INSTANCE, side === 4 ? SIDE_IPV4 : SIDE_IPV6);
    const of = (verdict: number) => counts[verdict]?.packets ?? 0;
    const all = Array.from({ length: VERDICTS }, (_, verdict) => of(verdict)).reduce((sum, count) => sum + count, 0);
    const noise = of(DROP_NOT_FOR_US) + of(DROP_LINK_LAYER_NOISE);
    return [all - noise, of(FORWARDED) + of(HAIRPINNED) + of(REPLIED)];
  }
}

function configure(forwarding: Forwarding, isCounting: boolean): void {
  const aftr = { ...CONFIGURATION, 'binding-counters': isCounting };
  const configuration = readConfiguration({ 'gi-4over6:softwire': { aftr: [aftr] } });
  forwarding.setInstances(planInstances('aftr', configuration));
}

function* wantedRows(forwarding: Forwarding): Generator<WantedRow> {
  for (let i = 0; i < BINDINGS; i++) {
    const address = parseIpv4(boundAddress(i));
    const gatewayIpv6Address = parseIpv6(gatewayOf(i));
    if (address === undefined || !gatewayIpv6Address) throw new Error('no address');
    const fixed = { length: 32, aftrIpv6Address: undefined, description: undefined, origin: 'static' } as const;
    const row = forwarding.rows.wantedBinding('edge', { address, gatewayIpv6Address, ...fixed });
    if (row) yield row;
  }
}

/** Devices and routes. What comes out of the device under test ends at a route: good packets cost no more than they must. */
function layOut(): void {
  for (const name of ['feed', 'gi-aftr']) createPersistentTun(name);
  const settings = ['ipv4.ip_forward', 'ipv6.conf.all.forwarding'].map((name) => `net.${name}=1`);
  const off = ['all', 'default', 'feed', 'gi-aftr'].map((name) => `net.ipv4.conf.${name}.rp_filter=0`);
  run('sysctl', ['-qw', ...settings, ...off, 'net.ipv6.conf.default.accept_dad=0']);
  for (const words of [
    `link set gi-aftr mtu 65535 txqueuelen ${QUEUE} up`,
    'link set feed mtu 65535 up',
    `-6 route add ${AFTR}/128 dev gi-aftr`,
    'route add 10.0.0.0/8 dev gi-aftr',
    'route add blackhole default',
    '-6 route add blackhole default dev lo',
  ]) {
    run('ip', words.split(' '));
  }
}

function run(program: string, words: readonly string[]): void {
  execFileSync(program, words, { stdio: ['ignore', 'ignore', 'inherit'] });
}
