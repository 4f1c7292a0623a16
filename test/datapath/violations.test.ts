import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { formatIpv6 } from '../../src/address.ts';
import type { ObservedViolation } from '../../src/control.ts';
import { ViolationLog } from '../../src/datapath/violation-log.ts';
import { AFTR, BINDINGS, EngineUnderTest, engineFor, packetCounts } from '../helpers/engine-case.ts';
import { fragments } from '../helpers/fragments.ts';
import { icmpv4, ipv4, ipv6, udp } from '../helpers/packets.ts';
import { random, seed } from '../helpers/random.ts';

/** What alarms are made of, as the engine leaves it: who sends what is not bound to it, and how full reassembly is. */
const test = suite('violations');

const DST = '203.0.113.80';
/** A tunnel packet from a gateway with an inner source. */
const from = (src: string, inner: string, options = '') =>
  ipv6({ src, payload: ipv4({ src: inner, dst: DST, options }) });

const one = (outerSource: string, innerSource: string, packets = 1): ObservedViolation => ({
  aftr: 'br',
  outerSource,
  innerSource,
  packets,
});

/** [what, packets, what is noted, packets that are counted when these are more] at an AFTR whose BINDINGS give 198.51.100.0/24 to a::1. */
const cases: readonly (readonly [string, readonly string[], readonly ObservedViolation[], number?])[] = [
  ['a good packet', [from('2001:db8:a::1', '198.51.100.10')], []],
  ['the wrong gateway', [from('2001:db8:a::2', '198.51.100.10')], [one('2001:db8:a::2', '198.51.100.10')]],
  ['an unbound source', [from('2001:db8:a::1', '192.0.2.9')], [one('2001:db8:a::1', '192.0.2.9')]],
  ['an unknown gateway', [from('2001:db8:dead::1', '192.0.2.9')], [one('2001:db8:dead::1', '192.0.2.9')]],
  ['an option before the data', [from('2001:db8:a::9', '192.0.2.9', '01010101')], [one('2001:db8:a::9', '192.0.2.9')]],
  [
    'several of one gateway: one entry, the newest inner source',
    [from('2001:db8:a::2', '198.51.100.10'), from('2001:db8:a::2', '192.0.2.9'), from('2001:db8:a::2', '192.0.2.10')],
    [one('2001:db8:a::2', '192.0.2.10', 3)],
  ],
  [
    'the wrong tunnel address of the right gateway is no violation',
    [ipv6({ src: '2001:db8:a::3', dst: '2001:db8:b::1', payload: ipv4({ src: '198.51.102.3', dst: DST }) })],
    [],
  ],
  ['a martian inner source is none', [from('2001:db8:a::1', '127.0.0.1')], []],
  ['an IPv4 packet for nobody is none', [ipv4({ src: DST, dst: '198.51.103.9' })], []],
  [
    'fragments of one: noted when it is whole',
    fragments(ipv4({ src: '198.51.100.10', dst: DST, payload: udp(1_200) }), 600, { src: '2001:db8:a::2' }),
    [one('2001:db8:a::2', '198.51.100.10')],
    3,
  ],
];
for (const [name, packets, expected, counted] of cases) {
  test(`AFTR: ${name}`, async () => {
    const engine = await engineFor('aftr');
    engine.run(packets);
    const { violations, instances } = engine.forwarding.observe();
    assert.equal(violations, expected);
    assert.equal(
      instances.map(({ name: instance, violations: count }) => [instance, count]),
      [['br', counted ?? expected.reduce((sum, { packets: count }) => sum + count, 0)]],
    );
    assert.equal(engine.forwarding.observe().violations, [], 'each once');
  });
}

test('an instance that takes the number of another has none of its violations', async () => {
  const engine = await engineFor('aftr');
  const count = () => engine.forwarding.observe().instances.map(({ name, violations }) => [name, violations]);
  engine.run([from('2001:db8:a::1', '192.0.2.9'), from('2001:db8:a::1', '192.0.2.9')]);
  assert.equal(count(), [['br', 2]]);
  await engine.configure([]);
  await engine.configure([{ ...AFTR, name: 'other' }], BINDINGS);
  engine.run([from('2001:db8:a::1', '192.0.2.9')]);
  assert.equal(count(), [['other', 1]]);
});

/** An AFTR with its BINDINGS whose shared address 198.51.103.1 has one port set of two, the upper half, at a::5. */
async function withHalfHeldAddress(): Promise<EngineUnderTest> {
  const engine = new EngineUnderTest('aftr');
  const shared = {
    'ipv4-address': '198.51.103.1',
    'psid-offset': 0,
    'psid-length': 1,
    'port-set': [{ psid: 1, 'b4-ipv6-address': '2001:db8:a::5' }],
  };
  await engine.configure([{ ...AFTR, 'binding-table': { 'shared-address': [shared] } }], BINDINGS);
  return engine;
}

test('a source outside the port sets of a shared address is noted', async () => {
  const engine = await withHalfHeldAddress();
  const packet = (src: string, port: number) =>
    ipv6({ src, payload: ipv4({ src: '198.51.103.1', dst: DST, payload: udp(8, port) }) });
  const ping = ipv6({
    src: '2001:db8:a::6',
    payload: ipv4({ src: '198.51.103.1', dst: DST, protocol: 1, payload: icmpv4(8, 0, '8000000101020304') }),
  });
  engine.run([packet('2001:db8:a::5', 40_000), packet('2001:db8:a::5', 1_000), packet('2001:db8:a::6', 40_000), ping]);
  assert.equal(packetCounts(engine.counters()), {
    'ipv6 forwarded': 1,
    'ipv6 no-binding': 1,
    'ipv6 source-mismatch': 2,
  });
  // The order is that of the slots, which are random.
  const bySource = (a: ObservedViolation, b: ObservedViolation) => a.outerSource.localeCompare(b.outerSource);
  assert.equal([...engine.forwarding.observe().violations].sort(bySource), [
    one('2001:db8:a::5', '198.51.103.1'),
    one('2001:db8:a::6', '198.51.103.1', 2),
  ]);
});

/** From a rightful gateway to a port; no port set of the shared address holds those below 32,768. */
const toPort = (port: number, gateway = '2001:db8:a::1', src = '198.51.100.10', sourcePort = 40_000) =>
  ipv6({ src: gateway, payload: ipv4({ src, dst: '198.51.103.1', payload: udp(8, sourcePort, port) }) });

test('a rightful gateway that sends to a port nobody holds: dropped, no violation', async () => {
  const engine = await withHalfHeldAddress();
  const later = fragments(ipv4({ src: '198.51.100.10', dst: '198.51.103.1', payload: udp(1_200, 1, 1_000) }), 600);
  engine.run([toPort(1_000), toPort(40_000), toPort(1_000, '2001:db8:a::5', '198.51.103.1'), ...later]);
  assert.equal(packetCounts(engine.counters()), { 'ipv6 hairpinned': 1, 'ipv6 no-binding': 5 });
  const { violations, instances } = engine.forwarding.observe();
  assert.equal([violations, instances[0]?.violations], [[], 0]);
});

test('and in a flood of violations, past the slow path: each packet by what it is', async () => {
  const engine = await withHalfHeldAddress();
  const rightful = Array.from({ length: 30 }, () => toPort(1_000));
  const unbound = Array.from({ length: 20 }, () => toPort(40_000, '2001:db8:a::1', '198.51.103.77'));
  const outsideItsSet = Array.from({ length: 7 }, () => toPort(40_000, '2001:db8:a::5', '198.51.103.1', 1_000));
  const mismatched = Array.from({ length: 6 }, () => toPort(40_000, '2001:db8:a::2'));
  for (let round = 0; round < 20; round++) {
    engine.run([...rightful, ...unbound, ...outsideItsSet, ...mismatched], 0);
  }
  assert.equal(packetCounts(engine.counters()), { 'ipv6 no-binding': 57 * 20, 'ipv6 source-mismatch': 6 * 20 });
  const { violations, instances } = engine.forwarding.observe();
  assert.is(instances[0]?.violations, 33 * 20);
  const noted = violations.reduce((sum, { packets }) => sum + packets, 0);
  assert.ok(noted > 0 && noted < 33 * 20, `${noted}: most were refused past the slow path`);
});

test('at a gateway nothing is noted', async () => {
  const engine = await engineFor('gateway');
  engine.run([
    ipv6({ src: '2001:db8:dead::1', dst: '2001:db8:a::1', payload: ipv4({ src: DST, dst: '198.51.100.9' }) }),
  ]);
  assert.equal(packetCounts(engine.counters()), { 'ipv6 wrong-aftr': 1 });
  const { violations, instances } = engine.forwarding.observe();
  assert.equal([violations, instances.map((instance) => instance.violations)], [[], [0]]);
});

test('in a flood each packet is counted, and as many are noted as take the slow path: 200, and the first of a source beyond', async () => {
  const engine = await engineFor('aftr');
  const packets = Array.from({ length: 50 }, () => from('2001:db8:a::2', '198.51.100.10'));
  for (let round = 0; round < 100; round++) engine.run(packets, 0);
  const { violations, instances } = engine.forwarding.observe();
  assert.equal(violations, [one('2001:db8:a::2', '198.51.100.10', 201)]);
  assert.is(instances[0]?.violations, 5_000);
});

test('a trace of a packet leaves no note', async () => {
  const engine = await engineFor('aftr');
  assert.is(
    engine.forwarding.trace(Buffer.from(from('2001:db8:a::2', '198.51.100.10'), 'hex')).reason,
    'source-mismatch',
  );
  assert.equal(engine.forwarding.observe().violations, []);
});

test(`100,000 forged outer sources take no more memory, and none is told wrongly (seed ${seed})`, async () => {
  const log = new ViolationLog(2, 12_345);
  const octets = log.memory.byteLength;
  const next = random();
  const words = new Int32Array(8);
  const sent = new Map<string, number>();
  let total = 0;
  let told = 0;
  for (let i = 0; i < 100_000; i++) {
    words.set([next() | 0, next() | 0, next() | 0, next() & 0xff, next() | 0]);
    const source = formatIpv6(new Uint8Array(words.buffer, 0, 16));
    sent.set(source, (sent.get(source) ?? 0) + 1);
    log.add(i & 1, 3, words, 0, 4);
    if (i % 10_000 !== 9_999) continue;
    const { sources, missed } = log.take();
    assert.ok(sources.length <= 512, `${sources.length}`);
    for (const { outerSource, instance, packets } of sources) {
      assert.is(instance, 3);
      assert.ok(packets <= (sent.get(formatIpv6(outerSource)) ?? 0), formatIpv6(outerSource));
      told += packets;
    }
    total += missed;
  }
  assert.is(told + total, 100_000);
  assert.is(log.memory.byteLength, octets);
});

test('one source in the lanes of two workers, and in two instances', () => {
  const log = new ViolationLog(2, 1);
  const words = Int32Array.of(1, 2, 3, 4, 0x0a0b0c0d);
  for (const [lane, instance] of [
    [0, 7],
    [1, 7],
    [1, 8],
  ] as const)
    log.add(lane, instance, words, 0, 4);
  const { sources } = log.take();
  assert.equal(sources.map(({ instance, packets, innerSource }) => [instance, packets, innerSource]).sort(), [
    [7, 2, 0x0d0c0b0a],
    [8, 1, 0x0d0c0b0a],
  ]);
});

test.run();
