/** The operations and actions of our model that the datapath carries out. */

import { setTimeout as sleep } from 'node:timers/promises';
import { formatIpv4, parseIpv4 } from '../address.ts';
import type { LivePacket, TraceRow } from '../control.ts';
import { DataNode } from '../state/data.ts';
import { ManagementError } from '../state/errors.ts';
import type { Caller } from '../state/request.ts';
import { outputOf, withLeaves } from './actions.ts';
import type { DatapathClient } from './datapath-client.ts';
import { missingInput } from './missing-input.ts';
import type { StoreOperation } from './store-care.ts';

type DatapathPart = Pick<DatapathClient, 'clearStatistics' | 'trace' | 'watch'>;

/** How often live packets are fetched: workers keep 64 meanwhile. */
const POLL_MS = 100;

/**
 * By schema path: each takes a node of its operation or action and one of its input, and returns one of its output. Whether a packet
 * goes through, and to whom, tells of bindings: who may not read them all traces nothing.
 */
export function datapathOperations(
  datapath: DatapathPart,
  mayTrace: (caller: Caller) => boolean,
): Readonly<Record<string, StoreOperation>> {
  const tracing = (work: typeof trace): StoreOperation => {
    return async (operation, input, caller) => {
      if (mayTrace(caller)) return work(datapath, operation, input);
      const message = `user ${caller.user} may not read all of /gi-4over6:softwire, of which a trace tells`;
      throw new ManagementError('access-denied', { message });
    };
  };
  return {
    '/gi-4over6:softwire/gateway/clear-statistics': (action) => clearStatistics(datapath, 'gateway', action),
    '/gi-4over6:softwire/aftr/clear-statistics': (action) => clearStatistics(datapath, 'aftr', action),
    '/gi-4over6:trace': tracing(trace),
    '/gi-4over6:trace-live': tracing(traceLive),
  };
}

async function clearStatistics(datapath: DatapathPart, role: 'gateway' | 'aftr', action: DataNode): Promise<DataNode> {
  const name = action.parent?.leaf('name') ?? '';
  if (!(await datapath.clearStatistics(role, name))) {
    const path = action.parent?.path ?? '';
    throw new ManagementError('data-missing', { path, message: `there is no ${role} ${name} to count for` });
  }
  return new DataNode(outputOf(action));
}

async function trace(datapath: DatapathPart, operation: DataNode, input: DataNode): Promise<DataNode> {
  const result = await datapath.trace(Buffer.from(required(operation, input, 'packet'), 'base64').toString('hex'));
  const output = new DataNode(outputOf(operation));
  if (!result) {
    return withLeaves(output, { verdict: 'dropped', reason: 'no-instance' });
  }
  withLeaves(output, { verdict: result.end, reason: result.reason, instance: result.instance });
  addBinding(output, result.role, result);
  addPackets(output, 'sent-packet', result.sent);
  return output;
}

/** Adds entries of a leaf-list of type binary. */
function addPackets(parent: DataNode, name: string, packets: readonly string[]): void {
  const schema = parent.schema.child(name);
  for (const packet of packets) {
    if (schema) parent.add(new DataNode(schema, Buffer.from(packet, 'hex').toString('base64')));
  }
}

/** A served prefix leads to the AFTR, which is no gateway. */
function addBinding(parent: DataNode, role: LivePacket['role'], { prefix, psid, remote }: TraceRow): void {
  const schema = parent.schema.child('binding');
  if (!schema || prefix === undefined) return;
  const leaves = {
    'ipv4-prefix': prefix,
    'gateway-ipv6-address': role === 'aftr' ? remote : undefined,
    psid: psid === undefined ? undefined : String(psid),
  };
  parent.add(withLeaves(new DataNode(schema), leaves));
}

/** Waits for packets of an address: for so many, or so long. */
async function traceLive(datapath: DatapathPart, operation: DataNode, input: DataNode): Promise<DataNode> {
  const address = parseIpv4(required(operation, input, 'ipv4-address')) ?? 0;
  if (address === 0) {
    throw new ManagementError('invalid-value', { message: `packets of ${formatIpv4(0)} cannot be traced` });
  }
  const number = (name: string): number => Number(input.leaf(name) ?? input.schema.child(name)?.defaults[0]);
  const maximum = number('maximum-packets');
  const deadline = performance.now() + 1_000 * number('seconds');
  const packets: LivePacket[] = [];
  let missed = 0;
  for (;;) {
    const found = await datapath.watch(address);
    packets.push(...found.packets);
    missed += found.missed;
    if (packets.length >= maximum || performance.now() >= deadline) break;
    await sleep(POLL_MS);
  }
  const output = new DataNode(outputOf(operation));
  const kept = packets.slice(0, maximum);
  for (const [index, packet] of kept.entries()) addLivePacket(output, index, packet);
  return withLeaves(output, { 'missed-packets': String(missed + packets.length - kept.length) });
}

function addLivePacket(output: DataNode, index: number, packet: LivePacket): void {
  const schema = output.schema.child('packet');
  if (!schema) throw new Error('trace-live has no list of packets in the schema');
  const { time, side, end, reason, instance, length, header, sentPackets, sent } = packet;
  const leaves = {
    index: String(index),
    time,
    side,
    verdict: end,
    reason,
    instance,
    length: String(length),
    header: Buffer.from(header, 'hex').toString('base64'),
    'sent-packets': String(sentPackets),
  };
  const node = withLeaves(new DataNode(schema), leaves);
  addBinding(node, packet.role, packet);
  addPackets(node, 'sent-header', sent);
  output.add(node);
}

function required(operation: DataNode, input: DataNode, name: string): string {
  const value = input.leaf(name);
  if (value !== undefined) return value;
  throw missingInput(operation, name);
}
