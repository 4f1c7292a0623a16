import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Batch } from '../../src/datapath/batch.ts';
import { planInstances } from '../../src/datapath/configuration.ts';
import { Forwarding } from '../../src/datapath/forwarding.ts';
import type { WaitResult } from '../../src/datapath/packet-device.ts';
import { MemoryDevice, STRIDE, TIMEOUT } from '../../src/datapath/packet-device.ts';
import { Pump } from '../../src/datapath/pump.ts';
import { readConfiguration } from '../../src/state/configuration-reader.generated.ts';
import { AFTR, assertPartition, BINDINGS, binding, packetCounts } from '../helpers/engine-case.ts';
import { fragment, fragments } from '../helpers/fragments.ts';
import { ipv4, udp } from '../helpers/packets.ts';
import { random, seed } from '../helpers/random.ts';

/** Fragments that come by the queues of several workers are put together by worker 0. */
const test = suite('fragments-workers');

const WAKE = 77;
const packet = (i: number): string =>
  ipv4({ src: '198.51.100.10', dst: '203.0.113.80', id: i, payload: udp(100 + (i % 50)) });
const octets = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'));
const hex = (packets: readonly Uint8Array[]): string[] => packets.map((one) => Buffer.from(one).toString('hex'));

class SleepyDevice extends MemoryDevice {
  duringWait: () => void = () => {};
  waits = 0;

  override wait(): WaitResult {
    this.waits++;
    this.duringWait();
    return TIMEOUT;
  }
}

interface Worker {
  readonly device: SleepyDevice;
  readonly pump: Pump;
}

interface Workers {
  readonly forwarding: Forwarding;
  readonly workers: readonly Worker[];
  readonly woken: readonly number[];
}

async function start(count: number): Promise<Workers> {
  const forwarding = new Forwarding('aftr', count, 100, 'small');
  forwarding.setInstances(planInstances('aftr', readConfiguration({ 'gi-4over6:softwire': { aftr: [AFTR] } })));
  const rows = BINDINGS.map((text) => forwarding.rows.wantedBinding('br', binding(text)));
  await forwarding.rows.synchronize(
    rows.filter((row) => row !== undefined),
    () => Promise.resolve(),
  );
  const woken: number[] = [];
  const workers = Array.from({ length: count }, (_, worker) => {
    const device = new SleepyDevice(new Batch(64, STRIDE, 0, forwarding.allocate));
    const pump = new Pump(device, forwarding.memory, worker, (descriptor) => woken.push(descriptor));
    pump.wakeDescriptor = WAKE + worker;
    return { device, pump };
  });
  return { forwarding, workers, woken };
}

test('one datagram by three queues: held where it came in, whole at worker 0, one verdict', async () => {
  const { forwarding, workers } = await start(3);
  // What stands behind a fragment is counted with it.
  const parts = fragments(packet(1), 48).map((part) => `${part}eeee`);
  for (const [i, part] of parts.entries()) workers[i]?.device.push(octets(part));
  for (const { pump } of [...workers].reverse()) pump.forwardBatch();
  assert.equal(hex(workers[0]?.device.take() ?? []), [packet(1)]);
  assert.equal(
    [1, 2].map((i) => workers[i]?.device.take().length),
    [0, 0],
  );
  assert.equal(packetCounts(forwarding.counters()), { 'ipv6 forwarded': 3 });
  assertPartition(forwarding.counters(), parts);
});

test('between the workers a fragment is held, and counted', async () => {
  const { forwarding, workers } = await start(2);
  const [first = ''] = fragments(packet(1), 48);
  workers[1]?.device.push(octets(first));
  workers[1]?.pump.forwardBatch();
  assert.equal(packetCounts(forwarding.counters()), { 'ipv6 held': 1 });
  workers[0]?.pump.forwardBatch();
  assert.equal(packetCounts(forwarding.counters()), { 'ipv6 held': 1 });
  assertPartition(forwarding.counters(), [first]);
});

/** The second of two fragments of 30,000 octets, from a gateway of the bindings. */
const large = (gateway: number): string =>
  fragments(ipv4({ payload: udp(60_000) }), 30_000, { src: `2001:db8:a::${gateway}` })[1] ?? '';

test('a full ring drops, and counts what it drops: one source has half of it, the rest is for others', async () => {
  const { forwarding, workers } = await start(2);
  const all = [1, 1, 1, 1, 1, 1, 2, 3, 2, 3, 2, 3].map(large);
  workers[1]?.device.push(...all.map(octets));
  workers[1]?.pump.forwardBatch();
  // 256 KiB hold eight packets of 30,036 octets with their two words.
  assert.equal(packetCounts(forwarding.counters()), { 'ipv6 held': 8, 'ipv6 reassembly-limit': 4 });
  assertPartition(forwarding.counters(), all);
  workers[0]?.pump.forwardBatch();
  workers[1]?.device.push(octets(large(1)));
  workers[1]?.pump.forwardBatch();
  assert.is(packetCounts(forwarding.counters())['ipv6 reassembly-limit'], 4);
});

for (const [name, flooders] of [
  ['a stranger', ['2001:db8:f::1']],
  ['strangers with many addresses', Array.from({ length: 61 }, (_, i) => `2001:db8:f::${i + 1}`)],
  ['another gateway', ['2001:db8:a::1']],
] as const) {
  test(`${name} floods the ring with fragments: those of a gateway come through, of whatever queue (D69)`, async () => {
    const { forwarding, workers } = await start(2);
    const sent: string[] = [];
    for (let round = 0; round < 300; round++) {
      const flood = Array.from({ length: 62 }, (_, i) =>
        fragment('45'.repeat(1_400), 0, true, { src: flooders[i % flooders.length] ?? '', id: round * 100 + i }),
      );
      const good = fragments(
        ipv4({ src: '198.51.101.9', dst: '203.0.113.80', id: round, payload: udp(1_500) }),
        1_400,
        {
          src: '2001:db8:a::2',
          id: round,
        },
      );
      const batch = [...flood, ...good];
      workers[1]?.device.push(...batch.map(octets));
      workers[1]?.pump.forwardBatch();
      sent.push(...batch);
      // Worker 0 has too much else to do.
      if (round % 2 === 0) workers[0]?.pump.forwardBatch();
    }
    for (let i = 0; i < 50; i++) workers[0]?.pump.forwardBatch();
    assert.is(packetCounts(forwarding.counters())['ipv6 forwarded'], 600);
    assertPartition(forwarding.counters(), sent);
  });
}

test('worker 0 is woken when it sleeps, and does not fall asleep over a full ring', async () => {
  const { workers, woken } = await start(2);
  const [zero, one] = workers;
  const [first = '', second = ''] = fragments(packet(1), 96);
  if (!zero || !one) throw new Error('two workers');
  one.device.push(octets(first));
  one.pump.forwardBatch();
  assert.equal(woken, [], 'awake');
  zero.pump.wait(0);
  assert.is(zero.device.waits, 0, 'something waits in the ring');
  zero.pump.forwardBatch();
  zero.device.duringWait = () => {
    one.device.push(octets(second));
    one.pump.forwardBatch();
  };
  zero.pump.wait(0);
  assert.equal([zero.device.waits, woken], [1, [WAKE]]);
  zero.pump.forwardBatch();
  assert.equal(hex(zero.device.take()), [packet(1)]);
});

test(`random queues, order within 64 datagrams: all come out, exactly once (seed ${seed})`, async () => {
  const next = random();
  const { forwarding, workers } = await start(4);
  const sent: string[] = [];
  const out: string[] = [];
  for (let round = 0; round < 100; round++) {
    const ids = Array.from({ length: 20 }, (_, i) => round * 20 + i);
    const parts = ids.flatMap((id) => fragments(packet(id), 24 + 8 * (next() % 6), { id }));
    for (const part of parts.map((one) => [next(), one] as const).sort(([x], [y]) => x - y)) {
      workers[next() % 4]?.device.push(octets(part[1]));
      sent.push(part[1]);
    }
    for (let turn = 0; turn < 8; turn++) for (const i of [next() % 4, 1, 2, 3, 0]) workers[i]?.pump.forwardBatch();
    assertPartition(forwarding.counters(), sent);
    out.push(...hex(workers[0]?.device.take() ?? []));
  }
  assert.equal(out.sort(), Array.from({ length: 2_000 }, (_, i) => packet(i)).sort());
  assert.equal(packetCounts(forwarding.counters()), { 'ipv6 forwarded': sent.length });
});

test.run();
