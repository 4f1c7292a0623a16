/** Engine cases: a configuration, packets in, packets out, and exactly the counters that change; with offloads and without. */

import * as assert from 'uvu/assert';
import { parseIpv4Prefix, parseIpv6 } from '../../src/address.ts';
import type { InstanceCounters, SideCounters } from '../../src/control.ts';
import { Batch, OUTPUT_WORDS } from '../../src/datapath/batch.ts';
import { planInstances } from '../../src/datapath/configuration.ts';
import type { Role } from '../../src/datapath/engine.ts';
import { Engine } from '../../src/datapath/engine.ts';
import { Epochs } from '../../src/datapath/epochs.ts';
import { Forwarding } from '../../src/datapath/forwarding.ts';
import { STRIDE } from '../../src/datapath/packet-device.ts';
import type { Binding } from '../../src/state/binding.generated.ts';
import { readConfiguration } from '../../src/state/configuration-reader.generated.ts';
import { handedPartial, handedWhole } from './naive-segments.ts';
import { OffloadedEngine } from './offloaded-engine.ts';

export interface EngineCase {
  readonly name: string;
  /** Leaves beside those of GATEWAY or AFTR, in RFC 7951 JSON. */
  readonly configuration?: Readonly<Record<string, unknown>>;
  /** Packets in, hexadecimal. */
  readonly in: readonly string[];
  /** Packets out; identification of fragments and flow labels as in `comparable`. */
  readonly out: readonly string[];
  /** Packets by side and end, such as `ipv4 forwarded` or `ipv6 no-binding`. */
  readonly counters: Readonly<Record<string, number>>;
}

export const GATEWAY = {
  name: 'gw',
  'ipv6-address': '2001:db8:a::1',
  'aftr-ipv6-address': '2001:db8:b::1',
  'ipv4-address': '198.51.100.1',
  'served-prefix': [{ 'ipv4-prefix': '198.51.100.0/24' }],
  'flow-label-mode': 'zero',
};

export const AFTR = {
  name: 'br',
  'ipv6-address': '2001:db8:b::1',
  'additional-ipv6-address': ['2001:db8:b::2'],
  'ipv4-address': '203.0.113.1',
  'ipv4-pool': ['198.51.100.0/22'],
  'flow-label-mode': 'zero',
};

/** Bindings of the AFTR: prefix, gateway, and the AFTR address when it is not the main one. */
export const BINDINGS = [
  ['198.51.100.0/24', '2001:db8:a::1'],
  ['198.51.100.77/32', '2001:db8:a::2'],
  ['198.51.101.0/24', '2001:db8:a::2'],
  ['198.51.102.0/25', '2001:db8:a::3', '2001:db8:b::2'],
] as const;

export type BindingText = readonly [prefix: string, gateway: string, aftr?: string];

export function binding([prefix, gateway, aftr]: BindingText): Binding {
  const parsed = parseIpv4Prefix(prefix);
  const gatewayIpv6Address = parseIpv6(gateway);
  if (!parsed || !gatewayIpv6Address) throw new Error(`no binding: ${prefix} ${gateway}`);
  const aftrIpv6Address = aftr === undefined ? undefined : parseIpv6(aftr);
  return { ...parsed, gatewayIpv6Address, aftrIpv6Address, description: undefined, origin: 'static' };
}

/** A batch in which something happens after so many outputs, as another thread would have it. */
class InterruptedBatch extends Batch {
  #left = -1;
  #interrupt: () => void = () => undefined;

  /** With 0, before any packet is looked at. */
  interruptAfter(outputs: number, interrupt: () => void): void {
    this.#left = outputs;
    this.#interrupt = interrupt;
  }

  /** What has not happened yet happens now. */
  finish(): void {
    if (this.#left < 0) return;
    this.#left = -1;
    this.#interrupt();
  }

  override clearOutputs(): void {
    super.clearOutputs();
    if (this.#left === 0) this.finish();
  }

  override sendPieces(k: number, headAt: number, headLen: number, bodyAt: number, bodyLen: number): void {
    super.sendPieces(k, headAt, headLen, bodyAt, bodyLen);
    if (this.#left > 0 && --this.#left === 0) this.finish();
  }
}

/** One engine over memory of its own. */
export class EngineUnderTest {
  readonly forwarding: Forwarding;
  readonly batch: InterruptedBatch;
  readonly #engine: Engine;
  readonly #role: Role;

  constructor(role: Role, capacity = 10_000, batch = 64, workers = 1, seed?: number) {
    this.#role = role;
    this.forwarding = new Forwarding(role, workers, capacity, 'small', seed);
    this.batch = new InterruptedBatch(batch, STRIDE, 0, this.forwarding.allocate);
    this.#engine = new Engine(this.forwarding.memory.engine, 0);
  }

  /** Applies a configuration, with the bindings in the table of the first AFTR. */
  configure(
    instances: readonly Readonly<Record<string, unknown>>[],
    bindings: readonly BindingText[] = [],
  ): Promise<void> {
    const instance = String(instances[0]?.name);
    return this.configureAll(
      instances,
      bindings.map((text) => ({ instance, text })),
    );
  }

  /** Applies a configuration with bindings of each of its AFTRs. */
  async configureAll(
    instances: readonly Readonly<Record<string, unknown>>[],
    bindings: readonly { readonly instance: string; readonly text: BindingText }[],
  ): Promise<void> {
    const configuration = readConfiguration({ 'gi-4over6:softwire': { [this.#role]: instances } });
    this.forwarding.setInstances(planInstances(this.#role, configuration));
    const removeUnshared = this.forwarding.putSharedAddresses();
    const rows = bindings.map(({ instance, text }) => this.forwarding.rows.wantedBinding(instance, binding(text)));
    const wanted = rows.filter((row) => row !== undefined);
    if (this.#role === 'gateway') await this.forwarding.synchronizeServedPrefixes(() => Promise.resolve());
    else await this.forwarding.rows.synchronize(wanted, () => Promise.resolve());
    removeUnshared();
    this.forwarding.releaseNumbers();
  }

  /** Runs packets through in one batch; the packets that come out. */
  run(packets: readonly string[], nowMs = 0): string[] {
    this.process(
      packets.map((packet) => Buffer.from(packet, 'hex')),
      nowMs,
    );
    return Array.from({ length: this.batch.outputs }, (_, slot) => this.#output(slot).toString('hex'));
  }

  /** Runs packets through in one batch; `send` is called when they are decided, and not yet counted. */
  process(packets: readonly Buffer[], nowMs = 0, send: () => void = () => undefined): void {
    const { batch } = this;
    batch.count = packets.length;
    for (const [k, packet] of packets.entries()) {
      batch.buf.set(packet, batch.at[k]);
      batch.lengths[k] = packet.length;
    }
    this.processBatch(batch, nowMs, send);
  }

  /** The same for a batch in the memory of this engine, as a device has filled it. */
  processBatch(batch: Batch, nowMs: number, send: () => void): void {
    batch.nowMs = nowMs;
    this.#engine.process(batch);
    send();
    this.#engine.count(batch);
  }

  /**
   * The same, with `change` made in its midst, after so many outputs: when all packets have been looked up, and some decided. The
   * batch is one of a worker, for which what the change takes out stays in its place until it ends.
   */
  processDuring(packets: readonly Buffer[], nowMs: number, outputs: number, change: () => void): void {
    const epochs = new Epochs(1, this.forwarding.memory.epochs);
    epochs.enter(0);
    this.batch.interruptAfter(outputs, change);
    this.process(packets, nowMs);
    this.batch.finish();
    epochs.leave(0);
  }

  /** The same, with `change` made when all packets are decided, and none is counted. */
  processBeside(packets: readonly Buffer[], nowMs: number, change: () => void): void {
    const epochs = new Epochs(1, this.forwarding.memory.epochs);
    epochs.enter(0);
    this.process(packets, nowMs, change);
    epochs.leave(0);
  }

  /** What came out of the last batch, by the place of the packet that caused it; NO_OWNER for what none has. */
  outputsByPlace(): Map<number, Buffer[]> {
    const outputs = new Map<number, Buffer[]>();
    for (let slot = 0; slot < this.batch.outputs; slot++) {
      const owner = this.batch.owners[slot] ?? 0;
      const own = outputs.get(owner);
      if (own) own.push(this.#output(slot));
      else outputs.set(owner, [this.#output(slot)]);
    }
    return outputs;
  }

  counters(): readonly InstanceCounters[] {
    return this.forwarding.counters();
  }

  #output(slot: number): Buffer {
    const [headAt = 0, headLen = 0, bodyAt = 0, bodyLen = 0] = this.batch.output.subarray(slot * OUTPUT_WORDS);
    const { buf } = this.batch;
    return Buffer.concat([buf.subarray(headAt, headAt + headLen), buf.subarray(bodyAt, bodyAt + bodyLen)]);
  }
}

/** With it no two sources of the cases share a slot of a budget (icmp-budget.ts), as one pair of 256 does with a random one. */
const HASH_SEED = 12_345;

/** An engine with the configuration of a case. */
export async function engineFor(
  role: Role,
  configuration: Readonly<Record<string, unknown>> = {},
  seed = HASH_SEED,
): Promise<EngineUnderTest> {
  const engine = new EngineUnderTest(role, undefined, undefined, undefined, seed);
  await engine.configure([{ ...(role === 'gateway' ? GATEWAY : AFTR), ...configuration }], BINDINGS);
  return engine;
}

/** Registers a test for each case, and one behind a device with offloads. */
export function addCases(
  test: (name: string, body: () => Promise<void>) => void,
  role: Role,
  cases: readonly EngineCase[],
): void {
  for (const row of cases) {
    test(`${role}: ${row.name}`, async () => {
      const engine = await engineFor(role, row.configuration);
      const out = engine.run(row.in);
      assert.equal(out.map(comparable), row.out);
      assert.equal(packetCounts(engine.counters()), row.counters);
      assertPartition(engine.counters(), row.in);
    });

    test(`${role}: ${row.name}, with offloads`, async () => {
      for (const hand of [handedWhole, handedPartial]) {
        const engine = await engineFor(role, row.configuration);
        const out: Buffer[] = [];
        new OffloadedEngine(engine).process(row.in.map(hand), 0, (_, sent) => out.push(...[...sent.values()].flat()));
        const found = out.map((packet) => comparable(packet.toString('hex')));
        assert.equal(found.sort(), [...row.out].sort(), hand.name);
        assert.equal(packetCounts(engine.counters()), row.counters, hand.name);
        assertPartition(engine.counters(), row.in);
      }
    });
  }
}

/** A packet out with what may vary set to zero: the identification in a fragment header. */
export function comparable(packet: string): string {
  if (packet.startsWith('6') && packet.slice(12, 14) === '2c')
    return `${packet.slice(0, 88)}00000000${packet.slice(96)}`;
  return packet;
}

/** Counters that are not zero, as `side end`: packets. */
export function packetCounts(counters: readonly Pick<InstanceCounters, 'ipv4' | 'ipv6'>[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const instance of counters) {
    for (const side of ['ipv4', 'ipv6'] as const) {
      const { forwarded, hairpinned, replied, held, drops } = instance[side];
      const ends = { forwarded, hairpinned, replied, held, ...drops };
      for (const [end, { packets }] of Object.entries(ends)) {
        if (packets > 0) counts[`${side} ${end}`] = (counts[`${side} ${end}`] ?? 0) + packets;
      }
    }
  }
  return counts;
}

/** Every packet in is counted once, with its octets, on its side. */
export function assertPartition(counters: readonly InstanceCounters[], packets: readonly string[]): void {
  for (const [side, version] of [
    ['ipv4', '4'],
    ['ipv6', '6'],
  ] as const) {
    const sent = packets.filter((packet) => packet.startsWith('4') === (version === '4'));
    const received = total(counters.map((instance) => instance[side].received));
    assert.equal(received, { packets: sent.length, octets: sent.join('').length / 2 }, `${side} received`);
    for (const instance of counters) {
      const { forwarded, hairpinned, replied, held, dropped, drops } = instance[side];
      assert.equal(total([forwarded, hairpinned, replied, held, ...Object.values(drops)]), instance[side].received);
      assert.equal(total(Object.values(drops)), dropped);
      if (held.packets === 0) assert.is(held.octets, 0, `${side} octets held of no packet`);
    }
  }
}

function total(parts: readonly SideCounters['received'][]): SideCounters['received'] {
  return {
    packets: parts.reduce((sum, { packets }) => sum + packets, 0),
    octets: parts.reduce((sum, { octets }) => sum + octets, 0),
  };
}
