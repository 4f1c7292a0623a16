import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  BINDINGS,
  boundAddress,
  CONFIGURATION,
  gatewayOf,
  goodPackets,
  hostileKinds,
  packetsOf,
} from '../../tools/bench/hostile-kinds.ts';
import { assertPartition, EngineUnderTest, packetCounts } from '../helpers/engine-case.ts';

/** What the bench of hostile packets sends is what it says: nothing of it is forwarded, and each packet is counted once. */
const test = suite('hostile-kinds');

const BATCH = 64;

async function engineOfBench(): Promise<EngineUnderTest> {
  const engine = new EngineUnderTest('aftr', 2 * BINDINGS, BATCH);
  const bindings = Array.from({ length: BINDINGS }, (_, i) => [`${boundAddress(i)}/32`, gatewayOf(i)] as const);
  await engine.configure([CONFIGURATION], bindings);
  return engine;
}

for (const side of [4, 6] as const) {
  test(`good packets from IPv${side}: all of them are forwarded`, async () => {
    const engine = await engineOfBench();
    engine.process(goodPackets(side).slice(0, BATCH));
    assert.equal(packetCounts(engine.counters()), { [`ipv${side} forwarded`]: BATCH });
  });
}

for (const kind of hostileKinds()) {
  test(`${kind.name}: ${kind.isServed ? 'answered' : 'dropped or held'}, and counted`, async () => {
    const engine = await engineOfBench();
    const packets = packetsOf(kind).slice(0, BATCH);
    const { numberAt, perNumber = 1 } = kind;
    if (numberAt !== undefined) {
      for (const [i, packet] of packets.entries()) packet.writeUInt32BE(1 + Math.floor(i / perNumber), numberAt);
    }
    engine.process(packets);
    const counts = packetCounts(engine.counters());
    const of = (end: string): number => counts[`ipv${kind.side} ${end}`] ?? 0;
    assert.is(of('forwarded') + of('hairpinned') + of('replied'), kind.isServed ? BATCH : 0);
    assertPartition(
      engine.counters(),
      packets.map((packet) => packet.toString('hex')),
    );
  });
}

test.run();
