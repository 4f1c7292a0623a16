import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Batch } from '../../src/datapath/batch.ts';
import { MOST_PACKETS } from '../../src/datapath/batch-layout.ts';
import { Engine } from '../../src/datapath/engine.ts';
import { Forwarding } from '../../src/datapath/forwarding.ts';
import { allocateShared } from '../../src/datapath/memory.ts';
import { STRIDE } from '../../src/datapath/packet-device.ts';
import { FORWARDED } from '../../src/datapath/verdict.ts';
import { AFTR, binding, EngineUnderTest, GATEWAY, packetCounts } from '../helpers/engine-case.ts';
import { ipv4, ipv6 } from '../helpers/packets.ts';
import { random, seed } from '../helpers/random.ts';

const test = suite('fast-path');

const UP = { src: '198.51.100.10', dst: '203.0.113.80' };
const DOWN = { src: '203.0.113.80', dst: '198.51.100.10' };

async function gateway(): Promise<EngineUnderTest> {
  const engine = new EngineUnderTest('gateway');
  await engine.configure([GATEWAY]);
  return engine;
}

test('a batch that lies in other memory is refused', () => {
  const { memory } = new Forwarding('gateway', 1, 1, 'small');
  const engine = new Engine(memory.engine, 0);
  for (const allocate of [allocateShared, new Forwarding('gateway', 1, 1, 'small').allocate]) {
    assert.throws(() => engine.process(new Batch(1, STRIDE, 0, allocate)), /does not lie in the memory of its engine/);
  }
});

test('a batch has at most as many packets as its layout has room for', () => {
  assert.is(new Batch(MOST_PACKETS, 128).capacity, MOST_PACKETS);
  assert.throws(() => new Batch(MOST_PACKETS + 1, 128), /at most 512 packets, found 513/);
});

test('sides may alternate, and what is no IPv4 counts as IPv6', async () => {
  const engine = await gateway();
  const down = ipv6({ src: '2001:db8:b::1', dst: '2001:db8:a::1', payload: ipv4(DOWN) });
  const packets = [ipv4(UP), down, ipv4(UP), `00${ipv4(UP).slice(2)}`, down, down, ipv4(UP)];
  const out = engine.run(packets);
  assert.equal(
    out.map((packet) => packet[0]),
    ['6', '4', '6', '4', '4', '6'],
  );
  assert.equal(packetCounts(engine.counters()), {
    'ipv4 forwarded': 3,
    'ipv6 forwarded': 3,
    'ipv6 malformed-ipv6': 1,
  });
});

test('what an earlier batch left behind the packets of a batch leads nowhere', async () => {
  const engine = new EngineUnderTest('aftr', 263_000);
  const instance = { ...AFTR, 'ipv4-pool': ['1.0.0.0/8', '10.0.0.0/8'] };
  await engine.configure([instance], [['1.0.0.0/8', '2001:db8:a::1']]);
  const target = engine.forwarding.rows.wantedBinding('br', binding(['10.0.0.0/32', '2001:db8:a::2']))?.target;
  assert.ok(target);
  // Row numbers that, taken for octets of the first level, are at the /24s of 1.0.0.0/8.
  for (let host = 0x0a000000, row = 0; row < 0x40004; host++) {
    row = engine.forwarding.rows.put({ prefix: { address: host, length: 32 }, target });
  }
  for (let back = 0; back < 4; back++) {
    const last = 0x40000 - back;
    const packet = ipv4({ src: '192.0.2.1', dst: `10.${last >> 16}.${(last >> 8) & 255}.${last & 255}` });
    for (let count = 1; count <= 4; count++) {
      assert.is(engine.run(Array.from({ length: 8 }, () => packet)).length, 8);
      assert.is(engine.run(Array.from({ length: count }, () => packet)).length, count);
    }
  }
});

/** Octets before a packet that may be written: its outer header. */
const OUTER_LEN = 40;

test(`no packet makes it write outside its slot and the headroom (seed ${seed})`, async () => {
  const engine = await gateway();
  const { batch } = engine;
  const next = random();
  const forwarded = { 4: 0, 6: 0 };
  for (let round = 0; round < 300; round++) {
    const packets = Array.from({ length: batch.capacity }, () => mangled(next));
    batch.buf.fill(0xa5, 0, batch.deviceAt);
    engine.process(packets);
    for (const [k, packet] of packets.entries()) {
      const at = batch.at[k] ?? 0;
      const before = batch.buf.subarray(at - 64, at - OUTER_LEN);
      const behind = batch.buf.subarray(at + packet.length, at + packet.length + 256);
      assert.ok(
        before.every((octet) => octet === 0xa5),
        `before packet ${k}: ${packet.toString('hex')}`,
      );
      assert.ok(
        behind.every((octet) => octet === 0xa5),
        `behind packet ${k}: ${packet.toString('hex')}`,
      );
      if (batch.verdicts[k] === FORWARDED) forwarded[batch.sides[k] === 4 ? 4 : 6]++;
    }
  }
  assert.ok(forwarded[4] > 1_000 && forwarded[6] > 1_000, JSON.stringify(forwarded));
});

/** A good packet of either side, mostly with an octet changed, cut, or with octets behind it. */
function mangled(next: () => number): Buffer {
  const inner = next() % 2 === 0;
  const whole = inner ? ipv6({ src: '2001:db8:b::1', dst: '2001:db8:a::1', payload: ipv4(DOWN) }) : ipv4(UP);
  const packet = Buffer.from(whole, 'hex');
  const kind = next() % 4;
  if (kind === 1) packet[next() % Math.min(packet.length, 64)] = next() & 0xff;
  if (kind === 2) return packet.subarray(0, 1 + (next() % packet.length));
  if (kind === 3 && next() % 2 === 0) return Buffer.concat([packet, Buffer.alloc(1 + (next() % 64), next() & 0xff)]);
  return packet;
}

test.run();
