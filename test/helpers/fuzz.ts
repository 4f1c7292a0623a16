/**
 * Random tables, random packets: the engine against the naive one. What the naive engine forwards, connects or answers, the
 * engine must, octet by octet; what waits there for other fragments must wait; of what it drops the engine may send nothing on but an ICMP error.
 */

import { formatIpv4Prefix, formatIpv6 } from '../../src/address.ts';
import type { InstanceCounters } from '../../src/control.ts';
import type { Role } from '../../src/datapath/engine.ts';
import { FORWARDED, HAIRPINNED, HELD, REPLIED } from '../../src/datapath/verdict.ts';
import { EngineUnderTest } from './engine-case.ts';
import { FuzzFragments } from './fuzz-fragments.ts';
import type { RandomTable } from './fuzz-packets.ts';
import { randomPacket, randomTable } from './fuzz-packets.ts';
import type { NaiveAnswer } from './naive-engine.ts';
import { NaiveEngine } from './naive-engine.ts';
import { random } from './random.ts';

const BATCH = 64;
/** Batches with one table. */
const TABLE_BATCHES = 100;
/** Tables after which the engine is a new one; before, it changes from table to table. */
const ENGINE_TABLES = 20;

/** After it no fragment waits any more (RFC 8200 §4.5, and a little). */
const REASSEMBLY_MS = 61_000;

export interface FuzzTally {
  packets: number;
  readonly ends: Record<NaiveAnswer['end'], number>;
}

/** What meets what: one table in both engines. */
interface Bout {
  readonly engine: EngineUnderTest;
  readonly naive: NaiveEngine;
  readonly table: RandomTable;
  readonly role: Role;
  readonly fragments: FuzzFragments;
  readonly next: () => number;
}

/**
 * Sends `packets` packets through engines of one role; the same again for the same seed.
 * @throws Error that names table and packet where the two do not agree, or counters that do not part the packets
 */
export async function fuzz(role: Role, packets: number, seed: number): Promise<FuzzTally> {
  const next = random(seed);
  const tally: FuzzTally = { packets: 0, ends: { forwarded: 0, hairpinned: 0, replied: 0, held: 0, dropped: 0 } };
  let engine = new EngineUnderTest(role);
  let nowMs = 0;
  for (let tables = 1; tally.packets < packets; tables++) {
    if (tables % ENGINE_TABLES === 0) engine = new EngineUnderTest(role);
    const table = randomTable(role, next);
    await configure(engine, table);
    const before = received(engine);
    const naive = new NaiveEngine(role, table.instances, table.rows);
    const bout: Bout = { engine, naive, table, role, fragments: new FuzzFragments(), next };
    const first = tally.packets;
    for (let batch = 0; batch < TABLE_BATCHES && tally.packets < packets; batch++) {
      runBatch(bout, nowMs, tally);
      nowMs += BATCH;
    }
    nowMs += REASSEMBLY_MS;
    for (let batch = 0; batch < TABLE_BATCHES / 10; batch++) engine.process([], nowMs);
    if (received(engine) - before !== tally.packets - first) throw new Error(`${role}: not all packets are counted`);
    for (const counters of engine.counters()) assertParts(role, counters);
  }
  return tally;
}

/** Packets that all instances have received. */
function received(engine: EngineUnderTest): number {
  return engine.counters().reduce((sum, { ipv4, ipv6 }) => sum + ipv4.received.packets + ipv6.received.packets, 0);
}

/** @throws Error unless each packet received is counted at one end, with its octets, and none waits */
function assertParts(role: Role, counters: InstanceCounters): void {
  for (const side of [counters.ipv4, counters.ipv6]) {
    const { forwarded, hairpinned, replied, held, drops } = side;
    const ends = [forwarded, hairpinned, replied, ...Object.values(drops)];
    for (const unit of ['packets', 'octets'] as const) {
      const sum = ends.reduce((total, end) => total + end[unit], 0);
      if (sum === side.received[unit] && held[unit] === 0) continue;
      throw new Error(`${role}: ${unit} do not add up: ${JSON.stringify(side)}`);
    }
  }
}

async function configure(engine: EngineUnderTest, { json, rows }: RandomTable): Promise<void> {
  const bindings = rows.map(({ prefix, instance, local, remote }) => ({
    instance: instance.name,
    text: [formatIpv4Prefix(prefix.address, prefix.length), formatIpv6(remote), formatIpv6(local)] as const,
  }));
  await engine.configureAll(json, bindings);
}

function runBatch({ engine, naive, table, role, fragments, next }: Bout, nowMs: number, tally: FuzzTally): void {
  const packets = Array.from({ length: BATCH }, () => randomPacket(table, role, fragments, next));
  // The engine writes into the packets it gets.
  engine.process(packets, nowMs);
  const outputs = engine.outputsByPacket();
  for (const [k, packet] of packets.entries()) {
    const wanted = naive.decide(packet, nowMs);
    const fault = compare(wanted, engine.batch.verdicts[k] ?? 0, outputs[k] ?? []);
    if (fault !== undefined) throw new Error(report(fault, role, table, packet, wanted, outputs[k] ?? []));
    tally.ends[wanted.end]++;
  }
  tally.packets += packets.length;
}

const VERDICT_OF = { forwarded: FORWARDED, hairpinned: HAIRPINNED, replied: REPLIED, held: HELD } as const;

function compare({ end, out }: NaiveAnswer, verdict: number, outputs: readonly Buffer[]): string | undefined {
  if (end === 'dropped') {
    if (verdict === HELD || verdict <= REPLIED) return `verdict ${verdict} instead of a drop`;
    return outputs.every(isIcmpError) ? undefined : 'a dropped packet led to something else than an ICMP error';
  }
  if (verdict !== VERDICT_OF[end]) return `verdict ${verdict} instead of ${end}`;
  if (outputs.length !== out.length) return `${outputs.length} packets left instead of ${out.length}`;
  const wrong = out.findIndex((wanted, i) => !wanted.equals(withoutChoices(outputs[i] ?? Buffer.alloc(0))));
  return wrong < 0 ? undefined : `packet ${wrong} that left is another`;
}

/** Without what the engine may choose: flow label, identification of fragments. */
function withoutChoices(packet: Buffer): Buffer {
  if ((packet[0] ?? 0) >> 4 !== 6) return packet;
  packet.writeUInt32BE((packet.readUInt32BE(0) & 0xfff00000) >>> 0, 0);
  if (packet[6] === 44) packet.writeUInt32BE(0, 44);
  return packet;
}

/** An ICMPv4 error, in the tunnel or not, or an ICMPv6 error. */
function isIcmpError(packet: Buffer): boolean {
  if ((packet[0] ?? 0) >> 4 === 6) {
    if (packet[6] === 58) return (packet[40] ?? 255) < 128;
    return packet[6] === 4 && isIcmpError(packet.subarray(40));
  }
  return packet[9] === 1 && [3, 11, 12].includes(packet[20] ?? 0);
}

function report(
  fault: string,
  role: Role,
  table: RandomTable,
  packet: Buffer,
  wanted: NaiveAnswer,
  outputs: readonly Buffer[],
): string {
  const rows = table.rows.map(({ prefix, instance, local, remote }) =>
    [instance.name, formatIpv4Prefix(prefix.address, prefix.length), formatIpv6(local), formatIpv6(remote)].join(' '),
  );
  const hex = (list: readonly Buffer[]): string => list.map((octets) => octets.toString('hex')).join('\n  ');
  return [
    `${role}: ${fault}`,
    `packet: ${packet.toString('hex')}`,
    `wanted: ${wanted.end}\n  ${hex(wanted.out)}`,
    `left:\n  ${hex(outputs)}`,
    `instances: ${JSON.stringify(table.json)}`,
    `rows:\n  ${rows.join('\n  ')}`,
  ].join('\n');
}
