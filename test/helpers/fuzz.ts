/**
 * Random tables, random changes of them, random packets: the engine against the naive one. What the naive engine forwards, connects
 * or answers, the engine must, octet by octet; what waits there for other fragments must wait; of what it drops the engine may send
 * nothing on but an ICMP error to the sender. Between the changes, what both have counted is compared. Some bindings change in the
 * midst of a batch. Some batches come through a device with offloads; of a super-packet the naive engine gets the segments.
 *
 * The clock goes on by no or one millisecond a batch, so that far more comes than the slow path may take; now and then it jumps.
 */

import { formatIpv4Prefix, formatIpv6 } from '../../src/address.ts';
import type { Batch } from '../../src/datapath/batch.ts';
import { NO_OWNER } from '../../src/datapath/batch.ts';
import type { Role } from '../../src/datapath/engine.ts';
import { FORWARDED, HAIRPINNED, HELD, REPLIED } from '../../src/datapath/verdict.ts';
import { EngineUnderTest } from './engine-case.ts';
import { configurationOf, configure, takeSteps, takeStepsAtOnce } from './fuzz-configuration.ts';
import { FuzzCounts } from './fuzz-counts.ts';
import { cutInner, cutOuter, FuzzFragments } from './fuzz-fragments.ts';
import { randomArrivals } from './fuzz-offloads.ts';
import { isErrorTo, isTimeExceeded, withoutChoices } from './fuzz-outputs.ts';
import { randomPacket } from './fuzz-packets.ts';
import type { Next } from './fuzz-table.ts';
import { chance, changeTable, pick, randomTable, withInstance } from './fuzz-table.ts';
import { NaiveEngine } from './naive-engine.ts';
import type { NaiveAnswer, NaiveDecision, NaiveTable } from './naive-model.ts';
import { OffloadedEngine } from './offloaded-engine.ts';
import { random } from './random.ts';

const BATCH = 64;
/** One batch in so many comes through a device with offloads. */
const OFFLOADED = 8;
/** An engine lives so many packets. */
const ENGINE_PACKETS = 5_000_000;
/** Batches with one table, at most. */
const TABLE_BATCHES = 40;
/** One change in so many leaves nothing as it was; one begins to count anew. */
const WHOLE_CHANGE = 64;
const CLEARING = 32;
/** One in so many is made in the midst of batches. */
const WITHIN = 8;
/** Jumps of the clock: past the wait for a first fragment, past what is known of one; two of the last, past what is learned of a path. */
const JUMPS_MS = [300, 2_001, 2_001, 2_001, 15_001, 300_000];
/** After it no fragment waits any more (RFC 8200 §4.5, and a little). */
const REASSEMBLY_MS = 61_000;
/** As much as a naive engine may keep before it would know more than the engine, whose memory has bounds. */
const MOST_KEPT = { datagrams: 20_000, known: 3_000, waiting: 20 };
/** Ends of timers, and the most tunnel packets that the engine gives up in one batch. */
const TICK_MS = 250;
const EXPIRIES = 256;
/** Above what a clock of the machine says. */
const FIRST_MS = 100_000_000;

export interface FuzzTally {
  packets: number;
  changes: number;
  engines: number;
  /** Changes in the midst of a batch, and packets in it that one of the two tables alone explains. */
  within: number;
  /** Packets that came through a device with offloads, super-packets among what was handed over, and super-packets that left. */
  offloaded: number;
  cut: number;
  joined: number;
  readonly told: Record<'before' | 'after', number>;
  readonly ends: Record<NaiveAnswer['end'], number>;
}

export class Fuzz {
  readonly tally: FuzzTally = {
    packets: 0,
    changes: 0,
    engines: 0,
    within: 0,
    offloaded: 0,
    cut: 0,
    joined: 0,
    told: { before: 0, after: 0 },
    ends: { forwarded: 0, hairpinned: 0, replied: 0, held: 0, dropped: 0 },
  };
  readonly #role: Role;
  readonly #next: Next;
  #pieces = { outer: new FuzzFragments(cutOuter), inner: new FuzzFragments(cutInner) };
  #engine: EngineUnderTest;
  #offloads: OffloadedEngine;
  #naive: NaiveEngine;
  #table: NaiveTable = { instances: [], rows: [], shared: [], broadcasts: [], hosts: [] };
  #counts: FuzzCounts;
  #nowMs = FIRST_MS;
  /** Packets after which another engine comes, and batches until the next change. */
  #until = 0;
  #left = 0;

  /** Packets for one role; the same again for the same seed. */
  constructor(role: Role, seed: number) {
    this.#role = role;
    this.#next = random(seed);
    this.#engine = new EngineUnderTest(role);
    this.#offloads = new OffloadedEngine(this.#engine);
    this.#naive = new NaiveEngine(role);
    this.#counts = new FuzzCounts(role, this.#engine, this.#naive);
  }

  /**
   * Sends `packets` packets more; then nothing waits.
   * @throws Error that names table and packet where the two do not agree, or what they have counted otherwise
   */
  async run(packets: number): Promise<void> {
    const until = this.tally.packets + packets;
    while (this.tally.packets < until) {
      if (this.tally.packets >= this.#until) await this.#begin();
      else if (this.#left-- === 0) await this.#change();
      if (chance(OFFLOADED, this.#next)) this.#batchWithOffloads();
      else this.#randomBatch();
      this.#goOn();
    }
    this.#jump(REASSEMBLY_MS);
    this.#check();
  }

  async #begin(): Promise<void> {
    if (this.tally.engines > 0) this.#check();
    this.#engine = new EngineUnderTest(this.#role);
    this.#offloads = new OffloadedEngine(this.#engine);
    this.#naive = new NaiveEngine(this.#role);
    this.#counts = new FuzzCounts(this.#role, this.#engine, this.#naive);
    this.#pieces = { outer: new FuzzFragments(cutOuter), inner: new FuzzFragments(cutInner) };
    this.#until = this.tally.packets + ENGINE_PACKETS;
    this.tally.engines++;
    await this.#takeTable(randomTable(this.#role, this.#next));
  }

  async #change(): Promise<void> {
    this.#check();
    this.tally.changes++;
    if (chance(WHOLE_CHANGE, this.#next)) {
      this.#jump(REASSEMBLY_MS);
      this.#check();
      return this.#takeTable(randomTable(this.#role, this.#next));
    }
    if (this.#role === 'aftr' && chance(WITHIN, this.#next)) return this.#changesWithin();
    if (chance(CLEARING, this.#next)) {
      const { name } = pick(this.#table.instances, this.#next);
      this.#engine.forwarding.clearStatistics(name);
      this.#naive.counts.clear(name);
    }
    const { table, steps } = changeTable(this.#role, this.#table, this.#next);
    if (!steps) return this.#takeTable(table);
    takeSteps(this.#engine, steps);
    this.#naive.follow(table, steps);
    this.#takeOn(table);
  }

  /** Changes in the midst of batches, while nothing is counted for a row that may go, and nothing waits that would end with them. */
  async #changesWithin(): Promise<void> {
    const silent = this.#table.instances.reduce(
      (table, instance) => withInstance(table, { ...instance, isCounting: false }),
      this.#table,
    );
    this.#jump(2_001);
    this.#check();
    await this.#takeTable(silent);
    for (let n = this.#next() % 8; n >= 0 && this.#naive.kept[2] === 0; n--) {
      this.#changeWithin();
      this.#check();
    }
  }

  /**
   * One binding changes in the midst of a batch, between the outputs of two of its packets, as the control thread writes while a
   * worker reads: each packet ends as the table before has it, or the one after.
   */
  #changeWithin(): void {
    const change = Array.from({ length: 20 }, () => changeTable(this.#role, this.#table, this.#next));
    const { table, steps } = change.find((one) => one.steps?.length === 1) ?? {};
    if (!table || !steps) return;
    const packets: Buffer[] = [];
    while (packets.length < BATCH) {
      const packet = randomPacket(this.#table, this.#role, this.#pieces, this.#next);
      if (!isRemembered(packet)) packets.push(packet);
    }
    const before = packets.map((packet) => this.#naive.decide(packet, this.#nowMs));
    const outputs = this.#next() % 20;
    this.#engine.processDuring(packets, this.#nowMs, outputs, () => takeStepsAtOnce(this.#engine, steps));
    this.#naive.follow(table, steps);
    const left = this.#engine.outputsByPlace();
    for (const [k, packet] of packets.entries()) {
      const verdict = this.#engine.batch.verdicts[k] ?? 0;
      const wanted = [before[k], this.#naive.decide(packet, this.#nowMs)].filter((one) => one !== undefined);
      const out = left.get(k) ?? [];
      const faults = wanted.map((one) => faultOf(endedBy(one, verdict), verdict, out, packet));
      const isWrong = faults.every((one) => one !== undefined);
      if (isWrong)
        throw new Error(this.#report(`within a change: ${faults.join(', after it ')}`, packet, wanted[0], out));
      if (faults.some((one) => one !== undefined)) this.tally.told[faults[0] === undefined ? 'before' : 'after']++;
    }
    this.tally.packets += packets.length;
    this.tally.within++;
    this.#counts.sent(packets);
    this.#takeOn(table);
  }

  async #takeTable(table: NaiveTable): Promise<void> {
    await configure(this.#engine, this.#role, table);
    this.#naive.follow(table);
    this.#takeOn(table);
  }

  #takeOn(table: NaiveTable): void {
    this.#table = table;
    this.#left = 1 + (this.#next() % TABLE_BATCHES);
    this.#counts.begin();
  }

  // Time --------------------------------------------------------------------------------------------------------------

  #goOn(): void {
    const [datagrams, known, waiting] = this.#naive.kept;
    if (datagrams > MOST_KEPT.datagrams || chance(4_000, this.#next)) this.#jump(REASSEMBLY_MS);
    else if (known > MOST_KEPT.known) this.#jump(15_001);
    else if (waiting > MOST_KEPT.waiting) this.#jump(2_001);
    else if (chance(400, this.#next)) this.#jump(pick(JUMPS_MS, this.#next));
    else this.#jump(this.#next() % 2);
  }

  /** What ends with the time ends in batches of nothing, as many as it may take. */
  #jump(byMs: number): void {
    const before = Math.floor(this.#nowMs / TICK_MS);
    this.#nowMs += byMs;
    if (Math.floor(this.#nowMs / TICK_MS) === before) return;
    const [datagrams] = this.#naive.kept;
    this.#naive.expire(this.#nowMs);
    for (let left = datagrams; left >= 0; left -= EXPIRIES) this.#batch([]);
  }

  // Packets -----------------------------------------------------------------------------------------------------------

  #randomBatch(): void {
    // The lookup goes on by several packets: the last ones may be fewer.
    const length = chance(4, this.#next) ? 1 + (this.#next() % BATCH) : BATCH;
    this.#batch(Array.from({ length }, () => randomPacket(this.#table, this.#role, this.#pieces, this.#next)));
  }

  #batch(packets: readonly Buffer[]): void {
    this.#engine.process(packets, this.#nowMs);
    this.#judge(this.#engine.batch, packets, this.#engine.outputsByPlace());
  }

  /** As many batches as what is handed over fills. */
  #batchWithOffloads(): void {
    const arrivals = randomArrivals(this.#table, this.#role, this.#pieces, this.#next);
    const packets = arrivals.flatMap(({ singles }) => singles);
    const before = this.#offloads.joined;
    let from = 0;
    this.#offloads.process(
      arrivals.map(({ handed }) => handed),
      this.#nowMs,
      (batch, outputs) => {
        this.#judge(batch, packets.slice(from, from + batch.count), outputs);
        from += batch.count;
      },
    );
    if (from !== packets.length) throw new Error(this.#report(`${from} packets came instead of ${packets.length}`));
    this.tally.offloaded += packets.length;
    this.tally.cut += arrivals.filter(({ singles }) => singles.length > 1).length;
    this.tally.joined += this.#offloads.joined - before;
  }

  #judge(batch: Batch, packets: readonly Buffer[], outputs: ReadonlyMap<number, Buffer[]>): void {
    for (const [k, packet] of packets.entries()) {
      this.#compare(this.#naive.decide(packet, this.#nowMs), batch.verdicts[k] ?? 0, outputs.get(k) ?? [], packet);
    }
    const late = this.#naive.decideLate(this.#nowMs);
    if (late.length !== batch.late)
      throw new Error(this.#report(`${batch.late} waiting fragments end, not ${late.length}`));
    for (const [i, decision] of late.entries()) {
      const k = batch.capacity + i;
      this.#compare(decision, batch.verdicts[k] ?? 0, outputs.get(k) ?? [], decision.packet);
    }
    if (!(outputs.get(NO_OWNER) ?? []).every(isTimeExceeded)) throw new Error(this.#report('a packet without a cause'));
    this.tally.packets += packets.length;
    this.#counts.sent(packets);
  }

  #compare(wanted: NaiveDecision, verdict: number, outputs: readonly Buffer[], packet: Buffer): void {
    const decision = endedBy(wanted, verdict);
    const fault = faultOf(decision, verdict, outputs, packet);
    if (fault !== undefined) throw new Error(this.#report(fault, packet, wanted, outputs));
    this.#naive.counts.add(decision);
    this.tally.ends[decision.end]++;
  }

  #check(): void {
    const fault = this.#counts.fault(this.#table, this.#next);
    if (fault !== undefined) throw new Error(this.#report(fault));
  }

  #report(fault: string, packet?: Buffer, wanted?: NaiveAnswer, outputs: readonly Buffer[] = []): string {
    const hex = (list: readonly Buffer[]): string => list.map((octets) => octets.toString('hex')).join('\n  ');
    const rows = this.#table.rows.map(({ prefix, instance, local, remote }) =>
      [instance.name, formatIpv4Prefix(prefix.address, prefix.length), formatIpv6(local), formatIpv6(remote)].join(' '),
    );
    return [
      `${this.#role}: ${fault}`,
      `after ${this.tally.packets} packets, ${this.tally.changes} changes, at ${this.#nowMs} ms`,
      `packet: ${packet?.toString('hex')}`,
      `wanted: ${wanted?.end}\n  ${hex(wanted?.out ?? [])}`,
      `left:\n  ${hex(outputs)}`,
      `instances: ${JSON.stringify(configurationOf(this.#role, this.#table))}`,
      `rows:\n  ${rows.join('\n  ')}`,
    ].join('\n');
  }
}

/** What is wanted, given that some of it the engine may drop. */
function endedBy(wanted: NaiveDecision, verdict: number): NaiveDecision {
  const isDropped = wanted.isLimited === true && verdict > HELD;
  return isDropped ? { ...wanted, end: 'dropped' as const, out: [] } : wanted;
}

/** Whether an engine may remember something of a packet: fragments, and ICMPv6 errors. */
function isRemembered(packet: Buffer): boolean {
  const isIpv4 = (packet[0] ?? 0) >> 4 === 4;
  const inner = isIpv4 ? 0 : 40;
  if (packet.length < inner + 20 || (!isIpv4 && packet[6] !== 4)) return true;
  return (packet.readUInt16BE(inner + 6) & 0x3fff) !== 0;
}

const VERDICT_OF = { forwarded: FORWARDED, hairpinned: HAIRPINNED, replied: REPLIED, held: HELD } as const;

function faultOf(
  { end, out }: NaiveAnswer,
  verdict: number,
  outputs: readonly Buffer[],
  packet: Buffer,
): string | undefined {
  if (end === 'dropped') {
    if (verdict <= HELD) return `verdict ${verdict} instead of a drop`;
    return outputs.every((output) => isErrorTo(output, packet))
      ? undefined
      : 'a dropped packet led to something else than an ICMP error to its sender';
  }
  if (verdict !== VERDICT_OF[end]) return `verdict ${verdict} instead of ${end}`;
  if (outputs.length !== out.length) return `${outputs.length} packets left instead of ${out.length}`;
  const wrong = out.findIndex((wanted, i) => !wanted.equals(withoutChoices(outputs[i] ?? Buffer.alloc(0))));
  return wrong < 0 ? undefined : `packet ${wrong} that left is another`;
}
