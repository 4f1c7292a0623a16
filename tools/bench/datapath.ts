/**
 * Bench of the engine in memory: 64-octet packets of random bindings, both directions, without a device. What the loop
 * costs that fills the batch is measured in the same round and taken off. Absolute figures are for orientation; targets
 * come from design: 7.6 Mpps is what the fastest other lwAFTR does on the same machine with a million bindings.
 */

import { fileURLToPath } from 'node:url';
import { parseIpv6 } from '../../src/address.ts';
import { Batch } from '../../src/datapath/batch.ts';
import { planInstances } from '../../src/datapath/configuration.ts';
import { Counters } from '../../src/datapath/counters.ts';
import { Engine } from '../../src/datapath/engine.ts';
import type { WantedRow } from '../../src/datapath/forwarding.ts';
import { Forwarding } from '../../src/datapath/forwarding.ts';
import { allocateShared, swapWord } from '../../src/datapath/memory.ts';
import { RowCounters } from '../../src/datapath/row-counters.ts';
import { FORWARDED } from '../../src/datapath/verdict.ts';
import { readConfiguration } from '../../src/state/model.generated.ts';

export interface BenchResult {
  readonly id: string;
  readonly value: number;
  readonly unit: string;
  readonly target: number | null;
  readonly met: boolean | null;
}

const AFTR = '2001:db8:b::1';
const BATCH = 256;
const STRIDE = 2_048;
const PACKET_LEN = 64;
const ROUNDS = 9;
const BATCHES = 2_000;
/** What a batch takes at some 6 Mpps: the clock that limits in rate goes as on a busy device. */
const MS_PER_BATCH = 0.04;
const TARGET_MPPS = 7.6;
const FIRST_ADDRESS = 0x0a_00_00_00;
/** In the pool, above all that is bound. */
const FIRST_UNBOUND = 0x0a_f0_00_00;
/** Of ten packets so many are bound to nothing. */
const JUNK_OF_TEN = 9;
/** What a packet may cost with so much junk, in packets that are all good. */
const JUNK_TARGET = 2;

type Direction = 'encapsulation' | 'decapsulation';

/** Runs the whole bench; about ten seconds. */
export async function benchDatapath(): Promise<BenchResult[]> {
  const results: BenchResult[] = [];
  for (const [bindings, shape] of [
    [1_000, 'dense'],
    [1_000_000, 'dense'],
    [1_000_000, 'scattered'],
  ] as const) {
    const bench = new EngineBench(bindings, shape);
    const name = `${shape}-${bindings}`;
    results.push(result(`datapath.load.${name}`, await bench.load(), 'ms', null));
    for (const direction of ['encapsulation', 'decapsulation'] as const) {
      const mpps = bench.measure(direction);
      results.push(result(`datapath.${direction}.${name}`, mpps, 'Mpps', bindings === 1_000_000 ? TARGET_MPPS : null));
    }
    for (const direction of ['encapsulation', 'decapsulation'] as const) {
      const ratio = bench.measureCounting(direction);
      results.push(result(`datapath.${direction}.counting.${name}`, ratio, 'times', null));
    }
    results.push(result(`datapath.second-level.${name}`, bench.blockMebibytes(), 'MiB', 160, 'at most'));
    // Junk that is counted for the gateway it comes from, which is looked for in memory as large as the table.
    const counted = bench.measureJunk('decapsulation', true);
    results.push(result(`datapath.decapsulation.junk-90.counting.${name}`, counted, 'times', JUNK_TARGET, 'at most'));
    if (bindings > 1_000) continue;
    for (const direction of ['encapsulation', 'decapsulation'] as const) {
      const ratio = bench.measureJunk(direction);
      results.push(result(`datapath.${direction}.junk-90.${name}`, ratio, 'times', JUNK_TARGET, 'at most'));
    }
  }
  return results;
}

function result(id: string, value: number, unit: string, target: number | null, kind?: 'at most'): BenchResult {
  const rounded = Math.round(value * 100) / 100;
  const met = target === null ? null : kind === 'at most' ? value <= target : value >= target;
  return { id, value: rounded, unit, target, met };
}

class EngineBench {
  readonly #bindings: number;
  readonly #addressOf: (index: number) => number;
  readonly #forwarding: Forwarding;
  readonly #batch = new Batch(BATCH, STRIDE);
  readonly #engine: Engine;
  readonly #counters: Counters;
  readonly #rowCounters: RowCounters;
  /** Which bindings the packets belong to, so that filling costs little. */
  readonly #picks = new Int32Array(BATCH * 4_096);

  constructor(bindings: number, shape: 'dense' | 'scattered') {
    this.#bindings = bindings;
    this.#addressOf = shape === 'dense' ? (i) => FIRST_ADDRESS + i : (i) => FIRST_ADDRESS + i * 256 + ((i * 37) & 255);
    this.#forwarding = new Forwarding('aftr', 1, bindings, allocateShared);
    this.#engine = new Engine(this.#forwarding.memory.engine, BATCH, 0);
    this.#counters = new Counters(1, this.#forwarding.memory.counters);
    const { statistics, table } = this.#forwarding.memory.engine;
    if (!statistics) throw new Error('bench: an AFTR has statistics');
    this.#rowCounters = new RowCounters(statistics.counters, new Int32Array(table.rows));
    let state = 1;
    for (let i = 0; i < this.#picks.length; i++) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      this.#picks[i] = Math.floor((state / 2 ** 32) * bindings);
    }
  }

  /** Milliseconds to fill the table. */
  async load(): Promise<number> {
    this.#setCounting(false);
    const start = performance.now();
    await this.#forwarding.synchronize(this.#wanted(), () => Promise.resolve());
    return performance.now() - start;
  }

  /** Whether packets are counted for each binding. */
  #setCounting(isCounting: boolean): void {
    const aftr = { name: 'br', 'ipv6-address': AFTR, 'ipv4-pool': ['10.0.0.0/8'], 'binding-counters': isCounting };
    const configuration = readConfiguration({ 'gi-4over6:softwire': { aftr: [aftr] } });
    this.#forwarding.setInstances(planInstances('aftr', configuration));
  }

  blockMebibytes(): number {
    return this.#forwarding.table.blockOctets / 2 ** 20;
  }

  /** Million packets a second of engine and counters, the median of the rounds. */
  measure(direction: Direction): number {
    const costs: number[] = [];
    for (let round = 0; round < ROUNDS + 2; round++) {
      const filling = this.#time(direction, false);
      const both = this.#time(direction, true);
      if (round >= 2) costs.push(both - filling);
    }
    const median = costs.sort((a, b) => a - b)[costs.length >> 1] ?? 0;
    return 1_000 / median;
  }

  /**
   * What a packet costs when nine of ten are bound to nothing, in packets that are all bound: the median of rounds in
   * which the two are measured one after the other. Those out of the tunnel come from gateways that have other bindings.
   */
  measureJunk(direction: Direction, isCounting = false): number {
    this.#setCounting(isCounting);
    const ratios: number[] = [];
    for (let round = 0; round < ROUNDS + 2; round++) {
      const good = this.#time(direction, true) - this.#time(direction, false);
      const mixed = this.#time(direction, true, JUNK_OF_TEN) - this.#time(direction, false, JUNK_OF_TEN);
      if (round >= 2) ratios.push(mixed / good);
    }
    this.#setCounting(false);
    return ratios.sort((a, b) => a - b)[ratios.length >> 1] ?? Number.NaN;
  }

  /** What a packet costs that is counted for its binding, in packets that are not: the median of rounds, as above. */
  measureCounting(direction: Direction): number {
    const ratios: number[] = [];
    for (let round = 0; round < ROUNDS + 2; round++) {
      this.#setCounting(false);
      const plain = this.#time(direction, true) - this.#time(direction, false);
      this.#setCounting(true);
      const counted = this.#time(direction, true) - this.#time(direction, false);
      if (round >= 2) ratios.push(counted / plain);
    }
    this.#setCounting(false);
    return ratios.sort((a, b) => a - b)[ratios.length >> 1] ?? Number.NaN;
  }

  /** Nanoseconds a packet; `junk` of ten are bound to nothing. */
  #time(direction: Direction, process: boolean, junk = 0): number {
    const batch = this.#batch;
    const start = performance.now();
    let forwarded = 0;
    for (let i = 0; i < BATCHES; i++) {
      this.#fill(direction, i, junk);
      batch.nowMs = start + i * MS_PER_BATCH;
      if (!process) continue;
      this.#engine.process(batch);
      this.#rowCounters.countBatch(batch);
      this.#counters.countBatch(0, batch);
      // Slot 0 is always good.
      forwarded += batch.verdicts[junk === 0 ? i % BATCH : 0] === FORWARDED ? 1 : 0;
    }
    if (process && forwarded !== BATCHES) throw new Error(`bench: only ${forwarded} of ${BATCHES} were forwarded`);
    return ((performance.now() - start) * 1e6) / (BATCHES * BATCH);
  }

  #fill(direction: Direction, round: number, junk: number): void {
    const batch = this.#batch;
    batch.count = BATCH;
    const from = (round % 4_096) * BATCH;
    for (let k = 0; k < BATCH; k++) {
      const pick = this.#picks[from + k] ?? 0;
      const word = (batch.at[k] ?? 0) >> 2;
      const bound = k % 10 < 10 - junk ? this.#addressOf(pick) | 0 : FIRST_UNBOUND + pick;
      if (direction === 'encapsulation') {
        writeIpv4Words(batch.words, word, 0x08_08_08_08, bound);
        batch.lengths[k] = PACKET_LEN;
      } else {
        this.#writeOuterWords(word, pick);
        writeIpv4Words(batch.words, word + 10, bound, 0x08_08_08_08);
        batch.lengths[k] = PACKET_LEN + 40;
      }
    }
  }

  #writeOuterWords(word: number, pick: number): void {
    const { words } = this.#batch;
    words[word] = 0x60;
    words[word + 1] = (PACKET_LEN << 8) | (4 << 16) | (64 << 24);
    words[word + 2] = GATEWAY_WORDS[0] ?? 0;
    words[word + 3] = GATEWAY_WORDS[1] ?? 0;
    words[word + 4] = GATEWAY_WORDS[2] ?? 0;
    words[word + 5] = swapWord(pick + 1);
    for (let i = 0; i < 4; i++) words[word + 6 + i] = AFTR_WORDS[i] ?? 0;
  }

  *#wanted(): Generator<WantedRow> {
    for (let i = 0; i < this.#bindings; i++) {
      const gatewayIpv6Address = GATEWAY.slice();
      new DataView(gatewayIpv6Address.buffer).setUint32(12, i + 1);
      const row = this.#forwarding.wantedBinding('br', {
        address: this.#addressOf(i),
        length: 32,
        gatewayIpv6Address,
        aftrIpv6Address: undefined,
        description: undefined,
        origin: 'static',
      });
      if (row) yield row;
    }
  }
}

const GATEWAY = parseIpv6('2001:db8:a::') ?? new Uint8Array(16);
const GATEWAY_WORDS = new Int32Array(GATEWAY.buffer);
const AFTR_WORDS = new Int32Array((parseIpv6(AFTR) ?? new Uint8Array(16)).buffer);

function writeIpv4Words(words: Int32Array, word: number, source: number, destination: number): void {
  const from = swapWord(source);
  const to = swapWord(destination);
  words[word] = 0x45 | (PACKET_LEN << 24);
  words[word + 1] = 0;
  words[word + 3] = from;
  words[word + 4] = to;
  const first = 0x45 + (PACKET_LEN << 8) + 64 + (17 << 8);
  let sum = first + (from & 0xffff) + (from >>> 16) + (to & 0xffff) + (to >>> 16);
  sum = (sum & 0xffff) + (sum >>> 16);
  sum = (sum & 0xffff) + (sum >>> 16);
  words[word + 2] = 64 | (17 << 8) | ((~sum & 0xffff) << 16);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const results = await benchDatapath();
  if (process.argv.includes('--json')) process.stdout.write(`${JSON.stringify(results, null, 2)}\n`);
  else for (const { id, value, unit, target } of results) console.log(id.padEnd(46), value, unit, target ?? '');
}
