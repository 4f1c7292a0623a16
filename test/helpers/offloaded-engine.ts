/**
 * An engine under test behind a device with offloads: what a kernel hands over goes in, what is on the wire comes out, for each packet
 * of a batch apart.
 */

import type { Batch } from '../../src/datapath/batch.ts';
import { NO_OWNER, OUTPUT_WORDS } from '../../src/datapath/batch.ts';
import type { OffloadDevice } from '../../src/datapath/offload/offload-device.ts';
import type { EngineUnderTest } from './engine-case.ts';
import type { MemoryQueue, WrittenMessage } from './memory-queue.ts';
import { memoryOffloadDevice } from './memory-queue.ts';
import { onTheWire } from './naive-segments.ts';

/** A packet on the wire, and the output of the batch that it was. */
interface Sent {
  readonly output: number;
  readonly packet: Buffer;
}

/** Octets of the header before each message, and where in it the length of the headers is. */
const VNET_LEN = 12;
const HEADERS_AT = 2;

export class OffloadedEngine {
  /** Super-packets that left. */
  joined = 0;
  readonly #engine: EngineUnderTest;
  readonly #queue: MemoryQueue;
  readonly #device: OffloadDevice;

  /** In the memory of the engine, beside its own batch. */
  constructor(engine: EngineUnderTest, capacity = 64) {
    this.#engine = engine;
    const { queue, device } = memoryOffloadDevice(capacity, engine.forwarding.allocate);
    this.#queue = queue;
    this.#device = device;
  }

  /**
   * Runs through what is handed over, each with its header; of each batch, `each` gets what is on the wire by the place of the packet
   * that caused it, as `EngineUnderTest.outputsByPlace` has it. @throws Error when packets of a flow have changed their order
   */
  process(
    handed: readonly string[],
    nowMs: number,
    each: (batch: Batch, sent: ReadonlyMap<number, Buffer[]>) => void,
  ): void {
    const { batch } = this.#device;
    this.#queue.waiting.push(...handed);
    while (this.#device.readBatch() > 0) {
      this.#queue.messages.length = 0;
      this.#engine.processBatch(batch, nowMs, () => this.#device.writeBatch());
      const sent = this.#sent();
      assertOrder(sent);
      each(batch, byPlace(batch, sent));
    }
  }

  /** What is on the wire, in its order. A message stands where the output stood that it begins with. */
  #sent(): Sent[] {
    const { output, outputs } = this.#device.batch;
    const joined = new Set<number>();
    let next = 0;
    const sent = this.#queue.messages.flatMap((message): Sent[] => {
      while (joined.has(next) || output[next * OUTPUT_WORDS + 1] === 0) next++;
      const packets = onTheWire(message.text).map((hex) => Buffer.from(hex, 'hex'));
      const places = [next++, ...this.#followers(message)];
      if (packets.length !== places.length) throw new Error(`${packets.length} packets of ${places.length} outputs`);
      for (const place of places) joined.add(place);
      if (places.length > 1) this.joined++;
      return packets.map((packet, i) => ({ output: places[i] ?? 0, packet }));
    });
    while (next < outputs && (joined.has(next) || output[next * OUTPUT_WORDS + 1] === 0)) next++;
    if (next < outputs) throw new Error(`output ${next} of ${outputs} was not written`);
    return sent;
  }

  /** The outputs whose payload follows in a super-packet. */
  #followers({ text, pieces }: WrittenMessage): number[] {
    const header = Buffer.from(text.slice(0, VNET_LEN * 2), 'hex');
    if (header[1] === 0) return [];
    const { output, outputs } = this.#device.batch;
    const heads = Array.from({ length: outputs }, (_, o) => output[o * OUTPUT_WORDS] ?? 0);
    return pieces.slice(1).map((at) => heads.indexOf(at - header.readUInt16LE(HEADERS_AT)));
  }
}

function byPlace({ owners }: Batch, sent: readonly Sent[]): Map<number, Buffer[]> {
  const places = new Map<number, Buffer[]>();
  // Of one packet, pieces leave in the order of outputs.
  for (const { output, packet } of [...sent].sort((a, b) => a.output - b.output)) {
    const owner = owners[output] ?? NO_OWNER;
    places.set(owner, [...(places.get(owner) ?? []), packet]);
  }
  return places;
}

/** Packets of the same addresses and ports leave in the order in which the engine sent them. */
function assertOrder(sent: readonly Sent[]): void {
  const last = new Map<string, number>();
  for (const { output, packet } of sent) {
    const flow = (packet[0] ?? 0) >> 4 === 4 ? packet.toString('hex', 12, 24) : packet.toString('hex', 52, 64);
    if ((last.get(flow) ?? -1) > output) throw new Error(`output ${output} was overtaken: ${packet.toString('hex')}`);
    last.set(flow, output);
  }
}
