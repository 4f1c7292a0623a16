/**
 * What would become of a packet: the engine itself decides, over the very tables that packets are forwarded by, and nothing
 * is counted, learned or sent.
 */

import type { PacketEnd, TraceResult, TraceRow } from '../control.ts';
import { allocateIn, clearRoom } from './arena.ts';
import { Batch, OUTPUT_WORDS } from './batch.ts';
import type { EngineMemory } from './engine.ts';
import { Engine } from './engine.ts';
import { Events } from './events.ts';
import type { Allocate } from './memory.ts';
import { PACKET_MAX, STRIDE } from './packet-device.ts';
import type { RowCountersMemory } from './row-counters.ts';
import { allocateAdmissions } from './slow-budget.ts';
import { dropReason, FIRST_DROP, FORWARDED, HAIRPINNED, HELD, REPLIED } from './verdict.ts';

const ENDS: PacketEnd[] = [];
ENDS[FORWARDED] = 'forwarded';
ENDS[HAIRPINNED] = 'hairpinned';
ENDS[REPLIED] = 'replied';
ENDS[HELD] = 'held';

/** Drops of packets that no instance of the role is meant by. */
const NOBODYS: readonly string[] = ['no-instance', 'not-for-us'];

/** How a verdict is called, and the drop reason when it is one. */
export function endOf(verdict: number): { readonly end: PacketEnd; readonly reason?: string } {
  if (verdict >= FIRST_DROP) return { end: 'dropped', reason: dropReason(verdict) };
  return { end: ENDS[verdict] ?? 'replied' };
}

/**
 * Decides one packet, 1 to 65,535 octets from its IP header on, without any effect. `nameOf` gives the name behind an
 * instance number, `rowAnswer` what a row is.
 */
export function tracePacket(
  memory: EngineMemory,
  packet: Uint8Array,
  nameOf: (instance: number) => string | undefined,
  rowAnswer: (row: number) => TraceRow,
): TraceResult {
  clearRoom(memory.tracing);
  const allocate = allocateIn(memory.tracing);
  const batch = new Batch(1, STRIDE, 0, allocate);
  batch.nowMs = performance.now();
  const from = batch.at[0] ?? 0;
  const octets = packet.subarray(0, PACKET_MAX);
  batch.buf.set(octets, from);
  batch.lengths[0] = octets.length;
  batch.count = 1;
  new Engine(withoutEffect(memory, allocate), 0).process(batch);
  const { end, reason } = endOf(batch.verdicts[0] ?? 0);
  const isSomebodys = reason === undefined || !NOBODYS.includes(reason);
  const instance = isSomebodys ? nameOf(batch.instances[0] ?? 0) : undefined;
  return {
    role: memory.role,
    end,
    ...(reason !== undefined && { reason }),
    ...(instance !== undefined && { instance }),
    ...rowAnswer(batch.rows[0] ?? 0),
    sent: Array.from({ length: batch.outputs }, (_, slot) => outputOf(batch, slot)),
  };
}

/**
 * The same memory, with what the engine writes to replaced by memory that is forgotten: what it learned and what errors it may
 * still send are as now. Of fragments none is there.
 */
function withoutEffect(memory: EngineMemory, allocate: Allocate): EngineMemory {
  const { statistics } = memory;
  const { gauges, rings } = memory.fragments;
  const softwires = allocate(memory.softwires.byteLength);
  softwires.set(memory.softwires);
  return {
    ...memory,
    events: new Events(1).memory,
    workers: 1,
    admissions: allocateAdmissions(1, allocate),
    softwires,
    icmpBudget: memory.icmpBudget.slice(0),
    pathMtus: memory.pathMtus.slice(0),
    sourceRefusals: memory.sourceRefusals.slice(0),
    violations: memory.violations.slice(0),
    statistics: statistics && { ...statistics, counters: countingNothing(statistics.counters, allocate) },
    fragments: { ...memory.fragments, gauges: gauges.slice(0), rings: rings.slice(0) },
  };
}

/** The same counters, of which an engine is told that no instance is counted. */
function countingNothing(counters: RowCountersMemory, allocate: Allocate): RowCountersMemory {
  return { ...counters, counting: allocate(counters.counting.byteLength) };
}

function outputOf(batch: Batch, slot: number): string {
  const word = slot * OUTPUT_WORDS;
  const [headAt = 0, headLen = 0, bodyAt = 0, bodyLen = 0] = batch.output.subarray(word, word + OUTPUT_WORDS);
  const piece = (at: number, len: number): string => Buffer.from(batch.buf.subarray(at, at + len)).toString('hex');
  return piece(headAt, headLen) + piece(bodyAt, bodyLen);
}
