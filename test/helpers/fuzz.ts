/**
 * Random tables, random packets: the engine against the naive one. What the naive engine forwards, connects or answers, the
 * engine must, octet by octet; of what it drops the engine may send nothing on but an ICMP error.
 */

import { formatIpv4Prefix, formatIpv6 } from '../../src/address.ts';
import type { Role } from '../../src/datapath/engine.ts';
import { FORWARDED, HAIRPINNED, REPLIED } from '../../src/datapath/verdict.ts';
import { EngineUnderTest } from './engine-case.ts';
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

export interface FuzzTally {
  packets: number;
  readonly ends: Record<NaiveAnswer['end'], number>;
}

/**
 * Sends `packets` packets through engines of one role; the same again for the same seed.
 * @throws Error that names table and packet where the two do not agree
 */
export async function fuzz(role: Role, packets: number, seed: number): Promise<FuzzTally> {
  const next = random(seed);
  const tally: FuzzTally = { packets: 0, ends: { forwarded: 0, hairpinned: 0, replied: 0, dropped: 0 } };
  let engine = new EngineUnderTest(role);
  for (let tables = 1; tally.packets < packets; tables++) {
    if (tables % ENGINE_TABLES === 0) engine = new EngineUnderTest(role);
    const table = randomTable(role, next);
    await configure(engine, table);
    const naive = new NaiveEngine(role, table.instances, table.rows);
    for (let batch = 0; batch < TABLE_BATCHES && tally.packets < packets; batch++) {
      runBatch(engine, naive, table, role, next, tally);
    }
  }
  return tally;
}

async function configure(engine: EngineUnderTest, { json, rows }: RandomTable): Promise<void> {
  const bindings = rows.map(({ prefix, instance, local, remote }) => ({
    instance: instance.name,
    text: [formatIpv4Prefix(prefix.address, prefix.length), formatIpv6(remote), formatIpv6(local)] as const,
  }));
  await engine.configureAll(json, bindings);
}

function runBatch(
  engine: EngineUnderTest,
  naive: NaiveEngine,
  table: RandomTable,
  role: Role,
  next: () => number,
  tally: FuzzTally,
): void {
  const packets = Array.from({ length: BATCH }, () => randomPacket(table, role, next));
  // The engine writes into the packets it gets.
  engine.process(packets, tally.packets);
  const outputs = engine.outputsByPacket();
  for (const [k, packet] of packets.entries()) {
    const wanted = naive.decide(packet);
    const fault = compare(wanted, engine.batch.verdicts[k] ?? 0, outputs[k] ?? []);
    if (fault !== undefined) throw new Error(report(fault, role, table, packet, wanted, outputs[k] ?? []));
    tally.ends[wanted.end]++;
  }
  tally.packets += packets.length;
}

const VERDICT_OF = { forwarded: FORWARDED, hairpinned: HAIRPINNED, replied: REPLIED } as const;

function compare({ end, out }: NaiveAnswer, verdict: number, outputs: readonly Buffer[]): string | undefined {
  if (end === 'dropped') {
    if (verdict <= REPLIED) return `verdict ${verdict} instead of a drop`;
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
