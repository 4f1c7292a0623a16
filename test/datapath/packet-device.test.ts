import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Batch, HEADROOM } from '../../src/datapath/batch.ts';
import { MemoryDevice, PACKET_MAX, READABLE, STRIDE, TIMEOUT } from '../../src/datapath/packet-device.ts';

const test = suite('packet-device');

const hex = (packets: readonly Uint8Array[]): string[] => packets.map((packet) => Buffer.from(packet).toString('hex'));

test('a slot takes the longest packet with its headroom, and slots do not share sets of the cache', () => {
  assert.ok(HEADROOM + PACKET_MAX <= STRIDE);
  assert.is(STRIDE % 64, 0);
  assert.not.equal(STRIDE % 4_096, 0);
});

test('packets pushed fill the slots, a batch at a time', () => {
  const device = new MemoryDevice(new Batch(2, 256));
  assert.is(device.wait(), TIMEOUT);
  device.push(Uint8Array.of(1), Uint8Array.of(2, 2), Uint8Array.of(3, 3, 3));
  assert.is(device.wait(), READABLE);
  const { batch } = device;
  assert.equal([device.readBatch(), batch.count, ...batch.lengths.subarray(0, batch.capacity)], [2, 2, 1, 2]);
  assert.equal([...batch.buf.subarray(256 + HEADROOM, 256 + HEADROOM + 3)], [2, 2, 0]);
  assert.equal([device.readBatch(), batch.count, batch.lengths[0]], [1, 1, 3]);
  assert.equal([device.readBatch(), batch.count], [0, 0]);
  assert.is(device.wait(), TIMEOUT);
});

test('outputs leave in one piece or two; those of length 0 do not', () => {
  const device = new MemoryDevice(new Batch(2, 256));
  const { batch } = device;
  batch.buf.set([1, 2, 3, 4, 5], HEADROOM);
  batch.send(0, HEADROOM, 2);
  batch.send(0, HEADROOM, 0);
  batch.sendPieces(1, HEADROOM + 3, 1, HEADROOM, 2);
  assert.is(device.writeBatch(), 2);
  batch.buf.fill(0);
  assert.equal(hex(device.take()), ['0102', '040102']);
  assert.equal(device.take(), []);
});

const limits = [
  [256, 0, false],
  [256, 1, true],
  [256, 256 - HEADROOM, true],
  [256, 256 - HEADROOM + 1, false],
  [STRIDE, PACKET_MAX, true],
  [STRIDE, PACKET_MAX + 1, false],
] as const;
for (const [stride, octets, fits] of limits) {
  test(`a packet of ${octets} octets ${fits ? 'fits' : 'does not fit'} at a stride of ${stride}`, () => {
    const device = new MemoryDevice(new Batch(2, stride));
    const push = () => device.push(new Uint8Array(octets));
    if (!fits) return assert.throws(push, new RegExp(`found ${octets}`));
    push();
    assert.is(device.readBatch(), 1);
  });
}

test('a closed device does nothing; closing twice is fine', () => {
  const device = new MemoryDevice(new Batch(2, 256));
  device.close();
  device.close();
  for (const use of [() => device.readBatch(), () => device.writeBatch(), () => device.wait()]) {
    assert.throws(use, (error: Error & { code?: string }) => error.code === 'EBADF');
  }
});

test.run();
