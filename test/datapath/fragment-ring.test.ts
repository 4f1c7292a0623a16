import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Batch } from '../../src/datapath/batch.ts';
import { allocateRings, FragmentReceiver, FragmentSender, STRANGER } from '../../src/datapath/fragment-ring.ts';
import { STRIDE } from '../../src/datapath/packet-device.ts';

/** Who gets room in a ring that worker 0 is too slow for. */
const test = suite('fragment-ring');

const PACKET = 1_500;
const VICTIM = 255;

/** Packets of the victim that find room: in each round come 200 of `forged` sources, in each fourth one of his, and 16 leave. */
function taken(forged: number, rounds: number): number {
  const rings = allocateRings(2);
  const sender = new FragmentSender(rings, 1);
  const receiver = new FragmentReceiver(rings);
  const source = new Batch(1, STRIDE);
  const target = new Batch(16, STRIDE);
  const at = source.at[0] ?? 0;
  let count = 0;
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < 200; i++) sender.put(source, at, PACKET, 0, forged === 0 ? STRANGER : i % forged);
    if (round % 4 === 3 && sender.put(source, at, PACKET, 0, VICTIM)) count++;
    sender.publish();
    receiver.readBatch(target);
    target.settlements.count = 0;
  }
  return count;
}

for (const forged of [0, 1, 4, 8, 20]) {
  test(`${forged || 'no'} gateways that somebody forges: a real one finds room (D69)`, () => {
    assert.is(taken(forged, 2_000), 500);
  });
}

test('a hundred of them fill the ring: shares of what passes cannot tell who is real', () => {
  const count = taken(100, 2_000);
  assert.ok(count < 500, `${count}`);
});

test.run();
