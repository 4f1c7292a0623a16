import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Batch, OUTPUT_WORDS } from '../../src/datapath/batch.ts';
import { Engine } from '../../src/datapath/engine.ts';
import { MemoryDevice, STRIDE } from '../../src/datapath/packet-device.ts';
import { Pump } from '../../src/datapath/pump.ts';
import { DROP_FRAGMENT_UNPLACED, HELD } from '../../src/datapath/verdict.ts';
import { engineFor, packetCounts } from '../helpers/engine-case.ts';
import { ipv4, ipv6 } from '../helpers/packets.ts';

const test = suite('pump');

const IN = ipv4({ src: '198.51.100.10', dst: '203.0.113.80' });
const OUT = ipv6({ src: '2001:db8:a::1', dst: '2001:db8:b::1', payload: IN });
const octets = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'));

/** A device whose kernel refuses every second output. */
class RefusingDevice extends MemoryDevice {
  override writeBatch(): number {
    const written = super.writeBatch();
    for (let slot = 1; slot < this.batch.outputs; slot += 2) this.batch.output[slot * OUTPUT_WORDS + 1] = -105;
    return written - (this.batch.outputs >> 1);
  }
}

test('more packets than a batch holds all come out, in order', async () => {
  const { forwarding } = await engineFor('gateway');
  const device = new MemoryDevice(new Batch(8, STRIDE, 0, forwarding.allocate));
  const pump = new Pump(device, forwarding.memory, 0, () => {});
  device.push(...new Array<Uint8Array>(20).fill(octets(IN)));
  const batches = [0, 1, 2, 3].map(() => pump.forwardBatch());
  assert.equal(batches, [true, true, true, false]);
  assert.equal(
    device.take().map((packet) => Buffer.from(packet).toString('hex')),
    new Array<string>(20).fill(OUT),
  );
  assert.equal(packetCounts(forwarding.counters()), { 'ipv4 forwarded': 20 });
});

test('what the kernel refuses is a drop, and counted once', async () => {
  const { forwarding } = await engineFor('gateway');
  const device = new RefusingDevice(new Batch(8, STRIDE, 0, forwarding.allocate));
  const pump = new Pump(device, forwarding.memory, 0, () => {});
  device.push(...new Array<Uint8Array>(6).fill(octets(IN)));
  pump.forwardBatch();
  assert.equal(packetCounts(forwarding.counters()), { 'ipv4 forwarded': 3, 'ipv4 write-failed': 3 });
});

test('a refused ICMP error leaves the reason of its packet', async () => {
  const { forwarding } = await engineFor('gateway');
  const device = new RefusingDevice(new Batch(8, STRIDE, 0, forwarding.allocate));
  const pump = new Pump(device, forwarding.memory, 0, () => {});
  const big = ipv4({ src: '198.51.100.10', dst: '203.0.113.80', df: true, payload: '00'.repeat(1_500) });
  device.push(octets(big), octets(big));
  pump.forwardBatch();
  assert.equal(packetCounts(forwarding.counters()), { 'ipv4 too-big': 2 });
});

test('a fragment that waits for its first one ends in time, though no packet comes any more (D72)', async () => {
  const portSet = { psid: 0x34, 'b4-ipv6-address': '2001:db8:c::34' };
  const shared = { 'ipv4-address': '198.51.103.9', 'psid-length': 8, 'port-set': [portSet] };
  const { forwarding } = await engineFor('aftr', { 'binding-table': { 'shared-address': [shared] } });
  const batch = new Batch(8, STRIDE, 0, forwarding.allocate);
  const engine = new Engine(forwarding.memory.engine, 0);
  const later = octets(ipv4({ src: '203.0.113.80', dst: '198.51.103.9', offset: 3, payload: 'cd'.repeat(24) }));
  batch.buf.set(later, batch.at[0]);
  batch.lengths[0] = later.length;
  batch.count = 1;
  batch.nowMs = 1_000;
  engine.process(batch);
  assert.is(batch.verdicts[0], HELD);
  assert.not(engine.isDue(3_000));
  assert.ok(engine.isDue(3_001));
  batch.count = 0;
  batch.nowMs = 3_001;
  engine.process(batch);
  assert.is(batch.late, 1);
  assert.is(batch.verdicts[batch.capacity], DROP_FRAGMENT_UNPLACED);
  assert.not(engine.isDue(9_999));
});

test.run();
