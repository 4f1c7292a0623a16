/**
 * An AFTR's engine in memory, and the same work in C++ over the same tables and the same batch: packets of random bindings go
 * through either. What is timed is one batch after the other, without what fills it and without what reading the clock takes: that would
 * be some per cent of a packet's time, and draw every ratio towards 1. Several batches between two readings would need to be told where each
 * next one lies, which takes either side about as long as the clock does.
 */

import { parseIpv6 } from '../../src/address.ts';
import type { Pages } from '../../src/datapath/arena.ts';
import { Batch } from '../../src/datapath/batch.ts';
import { planInstances } from '../../src/datapath/configuration.ts';
import { Counters, SIDE_IPV4, SIDE_IPV6 } from '../../src/datapath/counters.ts';
import { Engine } from '../../src/datapath/engine.ts';
import { Forwarding } from '../../src/datapath/forwarding.ts';
import { STRIDE } from '../../src/datapath/packet-device.ts';
import type { WantedRow } from '../../src/datapath/table.ts';
import { FORWARDED } from '../../src/datapath/verdict.ts';
import { readConfiguration } from '../../src/state/configuration-reader.generated.ts';
import type { Forwarder } from './baseline.ts';
import { loadBaseline } from './baseline.ts';
import { writeTunnelWords, writeUdpWords } from './packets.ts';
import type { Shape } from './tables.ts';
import { POOLS, prefixesOf } from './tables.ts';

export type Direction = 'encapsulation' | 'decapsulation';
export const DIRECTIONS: readonly Direction[] = ['encapsulation', 'decapsulation'];

const AFTR = '2001:db8:b::1';
/** As a worker has it. */
const BATCH = 64;
const PACKET_LEN = 64;
/** Batches of one time that is taken: a few milliseconds, so that what is compared finds the machine alike. */
const BATCHES = 250;
/** Batches of different packets, enough to reach all rows. */
const PICKED_BATCHES = 16_384;
/**
 * What a batch takes at some 6 Mpps: the clock that limits in rate goes as on a busy device. It stands still between two times that are
 * taken, or a flood would never last.
 */
const MS_PER_BATCH = 0.01;
const LEAST = { 'flow-label-mode': 'zero', 'traffic-class-mode': 'pipe', 'ecn-mode': 'compatibility' };
/** Batches of which the engine and the baseline must make the same. */
const COMPARED = 64;
/** Of a batch that is compared, the packet with an address that no host has: 169.254.8.8. */
const MARTIAN = { slot: 5, address: 0xa9_fe_08_08 };
const HOST = 0x08_08_08_08;
const CLOCK_READINGS = 20_001;
const INSTANCE = 0;
/** In the pools, above all that is bound. */
const FIRST_UNBOUND = 0x2f_00_00_00;

export class EngineBench {
  readonly #bindings: number;
  /** First address and length of the prefix of each binding. */
  readonly #addresses: Uint32Array;
  readonly #lengths: Uint8Array;
  readonly #forwarding: Forwarding;
  readonly #batch: Batch;
  readonly #engine: Engine;
  readonly #counters: Counters;
  readonly #baseline = loadBaseline();
  readonly #forwarder: Forwarder;
  /** Which bindings the packets belong to, and their addresses, so that filling costs little. */
  readonly #picks = new Int32Array(BATCH * PICKED_BATCHES);
  readonly #pickedAddresses = new Int32Array(BATCH * PICKED_BATCHES);
  #round = 0;
  #nowMs = performance.now();

  constructor(bindings: number, shape: Shape, pages: Pages = 'huge') {
    this.#bindings = bindings;
    this.#addresses = new Uint32Array(bindings);
    this.#lengths = new Uint8Array(bindings);
    this.#forwarding = new Forwarding('aftr', 1, bindings, pages);
    this.#batch = new Batch(BATCH, STRIDE, 0, this.#forwarding.allocate);
    const { engine } = this.#forwarding.memory;
    this.#engine = new Engine(engine, 0);
    this.#counters = new Counters(1, engine.counters);
    const { table, softwires, ownAddresses, seed } = engine;
    const tables = { ...table, softwires, own: ownAddresses };
    this.#forwarder = this.#baseline.forwarder(tables, this.#batch, seed);
    this.#pick(shape);
  }

  #pick(shape: Shape): void {
    for (const [i, prefix] of prefixesOf(shape, this.#bindings).entries()) {
      const [a = 0, b = 0, c = 0, d = 0, length = 0] = prefix.split(/[./]/).map(Number);
      this.#addresses[i] = ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
      this.#lengths[i] = length;
    }
    let state = 1;
    for (let i = 0; i < this.#picks.length; i++) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      const pick = Math.floor((state / 2 ** 32) * this.#bindings);
      this.#picks[i] = pick;
      const host = (state >>> 8) % 2 ** (32 - (this.#lengths[pick] ?? 0));
      this.#pickedAddresses[i] = (this.#addresses[pick] ?? 0) + host;
    }
  }

  /** Milliseconds to fill the table. */
  async load(): Promise<number> {
    this.setCounting(false);
    const start = performance.now();
    await this.#forwarding.rows.synchronize(this.#wanted(), () => Promise.resolve());
    return performance.now() - start;
  }

  /** Whether packets are counted for each binding. */
  setCounting(isCounting: boolean): void {
    this.#configure({ 'binding-counters': isCounting });
  }

  /** Switches off what can be: flow label, and that DSCP and ECN are copied. Or all that is on by default on again. */
  setLeast(isLeast: boolean): void {
    this.#configure(isLeast ? LEAST : {});
  }

  #configure(options: Readonly<Record<string, unknown>>): void {
    const aftr = { name: 'br', 'ipv6-address': AFTR, 'ipv4-pool': POOLS, 'binding-counters': false, ...options };
    const configuration = readConfiguration({ 'gi-4over6:softwire': { aftr: [aftr] } });
    this.#forwarding.setInstances(planInstances('aftr', configuration));
  }

  blockMebibytes(): number {
    return this.#forwarding.table.blockOctets / 2 ** 20;
  }

  /** Nanoseconds a packet of engine and counters; `junk` of ten packets are bound to nothing. */
  timeEngine(direction: Direction, junk = 0): number {
    const batch = this.#batch;
    let spent = 0;
    let forwarded = 0;
    for (let i = 0; i < BATCHES; i++) {
      this.#fill(direction, junk);
      this.#nowMs += MS_PER_BATCH;
      batch.nowMs = this.#nowMs;
      const before = performance.now();
      this.#engine.process(batch);
      this.#engine.count(batch);
      spent += performance.now() - before;
      // Slot 0 is always good.
      forwarded += batch.verdicts[junk === 0 ? i % BATCH : 0] === FORWARDED ? 1 : 0;
    }
    if (forwarded !== BATCHES) throw new Error(`bench: only ${forwarded} of ${BATCHES} were forwarded`);
    return perPacket(spent);
  }

  /** Nanoseconds a packet of the same work in C++. */
  timeBaseline(direction: Direction): number {
    let spent = 0;
    for (let i = 0; i < BATCHES; i++) {
      this.#fill(direction, 0);
      const before = performance.now();
      const forwarded = this.#baseline.forward(this.#forwarder, BATCH);
      spent += performance.now() - before;
      if (forwarded !== BATCH) throw new Error(`bench: the baseline forwarded only ${forwarded} of ${BATCH}`);
    }
    return perPacket(spent);
  }

  /** What the baseline sends and counts of some batches, and what the engine does, differ in nothing. @throws Error when they do */
  compare(direction: Direction): void {
    const [baseline, engine] = [this.#countsOfBaseline(), this.#countsOfEngine()];
    for (let i = 0; i < COMPARED; i++) {
      this.#fillCompared(direction);
      const expected = this.#sent(this.#baseline.forward(this.#forwarder, BATCH));
      this.#round--;
      this.#fillCompared(direction);
      this.#engine.process(this.#batch);
      this.#engine.count(this.#batch);
      if (this.#sent(this.#batch.outputs) !== expected) {
        throw new Error(`bench: ${direction} differs from the baseline's in batch ${i}`);
      }
    }
    const counted = difference(this.#countsOfBaseline(), baseline).join();
    const own = difference(this.#countsOfEngine(), engine).join();
    if (own !== counted) throw new Error(`bench: ${direction}: the engine counted ${own}, the baseline ${counted}`);
  }

  #fillCompared(direction: Direction): void {
    this.#fill(direction, 0);
    this.#write(direction, MARTIAN.slot, this.#round - 1, 0, MARTIAN.address);
  }

  /** Of what was forwarded: packets and octets from IPv4, packets and octets from the tunnel. */
  #countsOfEngine(): number[] {
    const sides = [SIDE_IPV4, SIDE_IPV6].map((side) => this.#counters.read(INSTANCE, side, FORWARDED));
    return sides.flatMap(({ packets, octets }) => [packets, octets]);
  }

  #countsOfBaseline(): readonly number[] {
    return this.#baseline.counts(this.#forwarder, INSTANCE);
  }

  #sent(outputs: number): string {
    const { buf, output } = this.#batch;
    let text = '';
    for (let word = 0; word < outputs * 4; word += 4) {
      const [at = 0, len = 0] = output.subarray(word, word + 2);
      text += `${Buffer.from(buf.slice(at, at + len)).toString('hex')}\n`;
    }
    return text;
  }

  #fill(direction: Direction, junk: number): void {
    this.#batch.count = BATCH;
    const round = this.#round++;
    for (let k = 0; k < BATCH; k++) this.#write(direction, k, round, junk, HOST);
  }

  /** The packet of a slot, to or from an address of the Internet. */
  #write(direction: Direction, k: number, round: number, junk: number, host: number): void {
    const batch = this.#batch;
    const i = (round % PICKED_BATCHES) * BATCH + k;
    const pick = this.#picks[i] ?? 0;
    const word = (batch.at[k] ?? 0) >> 2;
    const bound = k % 10 < 10 - junk ? (this.#pickedAddresses[i] ?? 0) : FIRST_UNBOUND + pick;
    if (direction === 'encapsulation') {
      writeUdpWords(batch.words, word, PACKET_LEN, host, bound);
      batch.lengths[k] = PACKET_LEN;
    } else {
      writeTunnelWords(batch.words, word, PACKET_LEN, gatewayOf(pick), AFTR_OCTETS);
      writeUdpWords(batch.words, word + 10, PACKET_LEN, bound, host);
      batch.lengths[k] = PACKET_LEN + 40;
    }
  }

  *#wanted(): Generator<WantedRow> {
    for (let i = 0; i < this.#bindings; i++) {
      const row = this.#forwarding.rows.wantedBinding('br', {
        address: this.#addresses[i] ?? 0,
        length: this.#lengths[i] ?? 0,
        gatewayIpv6Address: gatewayOf(i).slice(),
        aftrIpv6Address: undefined,
        description: undefined,
        origin: 'static',
      });
      if (row) yield row;
    }
  }
}

/** Nanoseconds, of milliseconds that were spent between two readings of the clock for each batch. */
function perPacket(spent: number): number {
  clockMs ??= timeClock();
  return ((spent - BATCHES * clockMs) * 1e6) / (BATCHES * BATCH);
}

/** What lies between two readings that follow one another. */
let clockMs: number | undefined;

function timeClock(): number {
  const times = new Float64Array(CLOCK_READINGS);
  for (let i = 0; i < CLOCK_READINGS; i++) {
    const before = performance.now();
    times[i] = performance.now() - before;
  }
  return times.sort()[CLOCK_READINGS >> 1] ?? 0;
}

function difference(after: readonly number[], before: readonly number[]): number[] {
  return after.map((value, i) => value - (before[i] ?? 0));
}

const GATEWAY = parseIpv6('2001:db8:a::') ?? new Uint8Array(16);
const GATEWAY_VIEW = new DataView(GATEWAY.buffer);
const AFTR_OCTETS = parseIpv6(AFTR) ?? new Uint8Array(16);

/** The gateway of a binding; the octets are those of the next call, too. */
function gatewayOf(binding: number): Uint8Array {
  GATEWAY_VIEW.setUint32(12, binding + 1);
  return GATEWAY;
}
