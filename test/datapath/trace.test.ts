import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Batch } from '../../src/datapath/batch.ts';
import { swapWord } from '../../src/datapath/memory.ts';
import { MemoryDevice, STRIDE } from '../../src/datapath/packet-device.ts';
import { Pump } from '../../src/datapath/pump.ts';
import { comparable, engineFor, packetCounts } from '../helpers/engine-case.ts';
import { ipv4, ipv6, udp } from '../helpers/packets.ts';

/** D139: what would become of a packet, and what becomes of those of one address. */
const test = suite('trace');

const DEVICE = '198.51.100.10';
const INTERNET = '203.0.113.80';
const fromG1 = (payload: string): string => ipv6({ payload });
const octets = (hex: string): Uint8Array => Buffer.from(hex, 'hex');

const cases = [
  [
    'gateway',
    'a good packet',
    ipv4({ src: DEVICE, dst: INTERNET }),
    'forwarded',
    'gw',
    '198.51.100.0/24',
    '2001:db8:b::1',
  ],
  [
    'gateway',
    'a stranger',
    ipv4({ src: '192.0.2.1', dst: INTERNET }),
    'outside-served-prefix',
    'gw',
    undefined,
    undefined,
  ],
  [
    'aftr',
    'a good packet',
    ipv4({ src: INTERNET, dst: DEVICE }),
    'forwarded',
    'br',
    '198.51.100.0/24',
    '2001:db8:a::1',
  ],
  [
    'aftr',
    'the longest match',
    ipv4({ src: INTERNET, dst: '198.51.100.77' }),
    'forwarded',
    'br',
    '198.51.100.77/32',
    '2001:db8:a::2',
  ],
  [
    'aftr',
    'in fragments',
    ipv4({ src: INTERNET, dst: DEVICE, payload: udp(1_800) }),
    'forwarded',
    'br',
    '198.51.100.0/24',
    '2001:db8:a::1',
  ],
  [
    'aftr',
    'hairpin',
    fromG1(ipv4({ src: DEVICE, dst: '198.51.101.1' })),
    'hairpinned',
    'br',
    '198.51.100.0/24',
    '2001:db8:a::1',
  ],
  [
    'aftr',
    'a wrong gateway',
    ipv6({ src: '2001:db8:a::9', payload: ipv4({ src: DEVICE, dst: INTERNET }) }),
    'source-mismatch',
    'br',
    '198.51.100.0/24',
    '2001:db8:a::1',
  ],
  ['aftr', 'bound to nothing', ipv4({ src: INTERNET, dst: '198.51.103.1' }), 'no-binding', 'br', undefined, undefined],
  ['aftr', 'in no pool', ipv4({ src: INTERNET, dst: '192.0.2.1' }), 'no-instance', undefined, undefined, undefined],
  ['aftr', 'no packet at all', '00', 'malformed-ipv6', 'br', undefined, undefined],
] as const;
for (const [role, name, packet, end, instance, prefix, remote] of cases) {
  test(`${role}: ${name}: ${end}, and what the engine would send`, async () => {
    const traced = await engineFor(role);
    const result = traced.forwarding.trace(octets(packet));
    assert.is(result.reason ?? result.end, end);
    assert.is(result.end === 'dropped', result.reason !== undefined);
    assert.equal([result.role, result.instance, result.prefix, result.remote], [role, instance, prefix, remote]);
    assert.equal(packetCounts(traced.counters()), {}, 'nothing is counted');
    const twin = await engineFor(role);
    assert.equal(result.sent.map(comparable), twin.run([packet]).map(comparable));
  });
}

test('a trace has no effect: no event, no token of the errors', async () => {
  const engine = await engineFor('aftr');
  const lastHop = fromG1(ipv4({ src: DEVICE, dst: INTERNET, ttl: 1 }));
  for (let i = 0; i < 30; i++) {
    assert.is(engine.forwarding.trace(octets(lastHop)).sent.length, 1);
    engine.forwarding.trace(octets(ipv6({ trafficClass: 1, payload: ipv4({ src: DEVICE, dst: INTERNET }) })));
  }
  assert.is(engine.run(new Array<string>(30).fill(lastHop)).length, 10);
  assert.is(engine.counters()[0]?.ecnAnomalies, 0);
});

/** An AFTR over a device in memory, as a worker runs it. */
async function worker() {
  const { forwarding } = await engineFor('aftr');
  const device = new MemoryDevice(new Batch(64, STRIDE));
  const pump = new Pump(device, forwarding.memory, 0, () => {});
  return (packets: readonly string[]) => {
    device.push(...packets.map(octets));
    while (pump.forwardBatch());
    return forwarding;
  };
}

test('live: only packets of the address, both sides, as they came, with their ends', async () => {
  const run = await worker();
  const forwarding = run([]);
  forwarding.setWatched(0xc6_33_64_0a);
  const packets = [
    ipv4({ src: INTERNET, dst: DEVICE }),
    ipv4({ src: INTERNET, dst: '198.51.100.11' }),
    fromG1(ipv4({ src: DEVICE, dst: INTERNET })),
    ipv6({ src: '2001:db8:a::9', payload: ipv4({ src: DEVICE, dst: INTERNET }) }),
  ];
  run(packets);
  const { packets: seen, missed } = forwarding.takeWatched();
  assert.equal(
    seen.map(({ side, end, reason, instance, header }) => [side, end, reason, instance, header]),
    [
      ['ipv4', 'forwarded', undefined, 'br', packets[0]],
      ['ipv6', 'forwarded', undefined, 'br', packets[2]],
      ['ipv6', 'dropped', 'source-mismatch', 'br', packets[3]],
    ],
  );
  assert.is(missed, 0);
  assert.equal(forwarding.takeWatched().packets, []);
  forwarding.setWatched(0);
  run(packets);
  assert.equal(forwarding.takeWatched().packets, []);
});

test('live: a lane keeps 64 packets until they are taken, and tells how many more there were', async () => {
  const run = await worker();
  const forwarding = run([]);
  forwarding.setWatched(0xc6_33_64_0a);
  run(new Array<string>(1_000).fill(ipv4({ src: INTERNET, dst: DEVICE })));
  const first = forwarding.takeWatched();
  assert.equal([first.packets.length, first.missed], [64, 936]);
  run([ipv4({ src: INTERNET, dst: DEVICE, payload: udp(1_000) })]);
  const second = forwarding.takeWatched();
  assert.equal([second.packets.length, second.missed], [1, 0]);
  assert.equal([second.packets[0]?.length, (second.packets[0]?.header.length ?? 0) / 2], [1_028, 128]);
});

test('an address as a word of a packet is what workers compare', () =>
  assert.is(swapWord(0x0a_00_00_01), 0x01_00_00_0a));

test('statistics cleared: all counters from zero, with the time; those of others stay (D133)', async () => {
  const engine = await engineFor('aftr');
  engine.run([
    ipv4({ src: INTERNET, dst: DEVICE }),
    ipv6({ trafficClass: 1, payload: ipv4({ src: DEVICE, dst: INTERNET }) }),
  ]);
  const [before] = engine.counters();
  assert.equal([before?.ipv4.received.packets, before?.ecnAnomalies], [1, 1]);
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.not.ok(engine.forwarding.clearStatistics('nobody'));
  assert.ok(engine.forwarding.clearStatistics('br'));
  const [after] = engine.counters();
  assert.equal(packetCounts(engine.counters()), {});
  assert.equal([after?.ipv4.received, after?.ecnAnomalies], [{ packets: 0, octets: 0 }, 0]);
  assert.ok((after?.discontinuityTime ?? '') > (before?.discontinuityTime ?? ''));
  engine.run([ipv4({ src: INTERNET, dst: DEVICE })]);
  assert.equal(packetCounts(engine.counters()), { 'ipv4 forwarded': 1 });
});

test.run();
