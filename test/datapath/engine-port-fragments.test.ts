import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Batch } from '../../src/datapath/batch.ts';
import { STRIDE } from '../../src/datapath/packet-device.ts';
import { PortFragments } from '../../src/datapath/port-fragments.ts';
import { DROP_FRAGMENT_UNPLACED, HELD } from '../../src/datapath/verdict.ts';
import type { EngineUnderTest } from '../helpers/engine-case.ts';
import { assertPartition, engineFor, packetCounts } from '../helpers/engine-case.ts';
import { fragments as outerFragments } from '../helpers/fragments.ts';
import { icmpv4, ipv4, ipv6, udp } from '../helpers/packets.ts';
import { random, seed } from '../helpers/random.ts';

/** Fragments of packets of a shared address follow the first one, which has the port (RFC 7597 §8.3.2). */
const test = suite('engine-port-fragments');

const AFTR = '2001:db8:b::1';
const B4 = '2001:db8:c::34';
const OTHER_B4 = '2001:db8:c::35';
const SHARED = '198.51.103.9';
const INTERNET = '203.0.113.80';
const [IN_SET, IN_OTHER_SET, NOBODYS] = [1_232, 1_236, 1_231];

const configuration = {
  'binding-table': {
    'shared-address': [
      {
        'ipv4-address': SHARED,
        'psid-length': 8,
        'port-set': [
          { psid: 0x34, 'b4-ipv6-address': B4 },
          { psid: 0x35, 'b4-ipv6-address': OTHER_B4 },
        ],
      },
    ],
  },
};

const toB4 = (payload: string, dst = B4): string => ipv6({ src: AFTR, dst, payload });
const fromB4 = (payload: string, src = B4): string => ipv6({ src, dst: AFTR, payload });

/** The fragments of one UDP packet: 24 octets each, the last one shorter. */
function fragments(count: number, fields: Parameters<typeof ipv4>[0], source: number, destination: number): string[] {
  const whole = udp(24 * count - 12, source, destination);
  return Array.from({ length: count }, (_, i) =>
    ipv4({ ...fields, offset: 3 * i, mf: i < count - 1, payload: whole.slice(48 * i, 48 * (i + 1)) }),
  );
}
const inbound = (port: number, id = 7, count = 3): string[] =>
  fragments(count, { src: INTERNET, dst: SHARED, id }, 5_000, port);
const outbound = (port: number, id = 7, count = 3): string[] =>
  fragments(count, { src: SHARED, dst: INTERNET, id }, port, 5_000);

const SILENT = { 'icmp-policy': { 'icmpv6-errors': { 'generate-icmpv6-errors': false } } };
const pick = (list: readonly string[], order: readonly number[]): string[] => order.map((i) => list[i] ?? '');
const ORDERS = [
  [0, 1, 2],
  [0, 2, 1],
  [1, 0, 2],
  [1, 2, 0],
  [2, 0, 1],
  [2, 1, 0],
];

/** All packets in one batch, or each in a batch of its own 10 ms later. */
function feed(engine: EngineUnderTest, packets: readonly string[], isTogether: boolean): string[] {
  if (isTogether) return engine.run(packets, 0);
  return packets.flatMap((packet, i) => engine.run([packet], 10 * i));
}

for (const order of ORDERS) {
  for (const isTogether of [true, false]) {
    const how = `in the order ${order.join()}, ${isTogether ? 'in one batch' : 'one by one'}`;
    test(`from IPv4 ${how}: all go where the first one does, as they came (D72)`, async () => {
      const engine = await engineFor('aftr', configuration);
      const packets = pick(inbound(IN_SET), order);
      const out = feed(engine, packets, isTogether);
      assert.equal([...out].sort(), packets.map((packet) => toB4(packet)).sort());
      assert.equal(packetCounts(engine.counters()), { 'ipv4 forwarded': 3 });
      assertPartition(engine.counters(), packets);
    });

    test(`from the tunnel ${how}: the source check is that of the first one (D72)`, async () => {
      const engine = await engineFor('aftr', configuration);
      const packets = pick(outbound(IN_SET), order);
      const tunnelled = packets.map((packet) => fromB4(packet));
      assert.equal([...feed(engine, tunnelled, isTogether)].sort(), [...packets].sort());
      assertPartition(engine.counters(), tunnelled);
    });
  }
}

test('a packet of nobody ends in all its fragments with one reason, whatever their order', async () => {
  const engine = await engineFor('aftr', configuration);
  for (const order of ORDERS) assert.equal(engine.run(pick(inbound(NOBODYS, 7 + (order[0] ?? 0)), order)), []);
  assert.equal(packetCounts(engine.counters()), { 'ipv4 no-binding': 18 });
});

test('fragments between two port sets follow both ports of the first one', async () => {
  const engine = await engineFor('aftr', configuration);
  const packets = fragments(3, { src: SHARED, dst: SHARED }, IN_SET, IN_OTHER_SET);
  const out = engine.run(pick(packets, [2, 1, 0]).map((packet) => fromB4(packet)));
  const left = fragments(3, { src: SHARED, dst: SHARED, ttl: 63 }, IN_SET, IN_OTHER_SET);
  assert.equal(out.sort(), left.map((packet) => toB4(packet, OTHER_B4)).sort());
  assert.equal(packetCounts(engine.counters()), { 'ipv6 hairpinned': 3 });
});

test('fragments of echo go by the identifier of the first one', async () => {
  const engine = await engineFor('aftr', configuration);
  const message = icmpv4(8, 0, `04d00001${'61'.repeat(56)}`);
  const packets = [0, 1].map((i) =>
    ipv4({
      src: INTERNET,
      dst: SHARED,
      protocol: 1,
      offset: 4 * i,
      mf: i === 0,
      payload: message.slice(64 * i, 64 * (i + 1)),
    }),
  );
  assert.equal(
    engine.run([...packets].reverse()),
    packets.map((packet) => toB4(packet)),
  );
});

test('no subscriber can end what another one has begun, not with the same identification', async () => {
  const engine = await engineFor('aftr', configuration);
  const [mine = '', , last = ''] = outbound(IN_SET);
  assert.equal(engine.run([fromB4(mine), fromB4(last, OTHER_B4)]), [mine]);
  // Nor can somebody in the Internet who takes the addresses of the subscriber's packet.
  assert.equal(engine.run([ipv4({ src: SHARED, dst: INTERNET, payload: udp() })]), []);
  // The other one's own first fragment leads to another port set, which is his.
  const [other = ''] = outbound(IN_OTHER_SET);
  assert.equal(engine.run([fromB4(other, OTHER_B4)]), [other, last]);
});

test('two packets of one identification from different sources are kept apart', async () => {
  const engine = await engineFor('aftr', configuration);
  const one = inbound(IN_SET);
  const two = fragments(3, { src: '203.0.113.81', dst: SHARED, id: 7 }, 5_000, IN_OTHER_SET);
  const out = engine.run([...one.slice(1), ...two.slice(1), ...two.slice(0, 1), ...one.slice(0, 1)]);
  assert.equal(
    out.sort(),
    [...one.map((packet) => toB4(packet)), ...two.map((packet) => toB4(packet, OTHER_B4))].sort(),
  );
});

test('a fragment waits two seconds for the first one, and no more; then it is counted', async () => {
  const engine = await engineFor('aftr', configuration);
  const [first = '', second = '', third = ''] = inbound(IN_SET);
  assert.equal(engine.run([second, third], 0), []);
  assert.equal(packetCounts(engine.counters()), { 'ipv4 held': 2 });
  assert.equal(engine.run([], 2_000), []);
  assert.equal(packetCounts(engine.counters()), { 'ipv4 held': 2 });
  assert.equal(engine.run([], 2_001), []);
  assert.equal(packetCounts(engine.counters()), { 'ipv4 fragment-unplaced': 2 });
  assert.equal(engine.run([first], 2_002), [toB4(first)]);
  assertPartition(engine.counters(), [first, second, third]);
});

test('a later fragment that came in two small outer fragments waits like any other', async () => {
  const engine = await engineFor('aftr', configuration);
  const [first = '', second = ''] = outbound(IN_SET, 9, 3);
  const head = (offset: number, more: number) => `0400${(offset | more).toString(16).padStart(4, '0')}0000002a`;
  const pieces = [`${head(0, 1)}${second.slice(0, 48)}`, `${head(24, 0)}${second.slice(48)}`];
  const sent = pieces.map((payload) => ipv6({ src: B4, dst: AFTR, nextHeader: 44, payload }));
  assert.equal(engine.run(sent), []);
  assert.equal(packetCounts(engine.counters()), { 'ipv6 held': 2 });
  assertPartition(engine.counters(), sent);
  assert.equal(engine.run([fromB4(first)], 1), [first, second]);
  assert.equal(packetCounts(engine.counters()), { 'ipv6 forwarded': 3 });
  assertPartition(engine.counters(), [...sent, fromB4(first)]);
});

test('the port of a packet is known for fifteen seconds', async () => {
  const engine = await engineFor('aftr', configuration);
  const [first = '', second = '', third = ''] = inbound(IN_SET);
  assert.equal(engine.run([first], 0), [toB4(first)]);
  assert.equal(engine.run([second], 15_000), [toB4(second)]);
  assert.equal(engine.run([third], 15_001), []);
});

test('a first fragment that comes again makes its packet the newest of the 256 of its source that are known', async () => {
  const engine = await engineFor('aftr', configuration);
  const [first = '', later = ''] = inbound(IN_SET);
  const others = (from: number, count: number): void => {
    for (let i = from; i < from + count; i++) engine.run([inbound(IN_SET, 100 + i)[0] ?? '']);
  };
  engine.run([first]);
  others(0, 255);
  engine.run([first]);
  others(255, 255);
  assert.equal(engine.run([later]), [toB4(later)]);
  others(510, 2);
  assert.equal(engine.run([later]), []);
});

test('who may not send from a port pushes out no ports of who may, however many gateways he says he is', async () => {
  const engine = await engineFor('aftr', configuration);
  const known = Array.from({ length: 100 }, (_, i) => outbound(IN_SET, 5_000 + i));
  for (const [first = ''] of known) engine.run([fromB4(first)]);
  for (let i = 0; i < 5_000; i++) {
    const src = i % 2 === 0 ? OTHER_B4 : `2001:db8:dead::${i.toString(16)}`;
    engine.run([ipv6({ src, dst: AFTR, payload: outbound(IN_SET, i % 5_000)[0] ?? '' })]);
  }
  for (const [, later = ''] of known) assert.equal(engine.run([fromB4(later)]), [later]);
});

test('a port set that goes takes the fragments under way with it', async () => {
  const engine = await engineFor('aftr', configuration);
  const [first = '', second = ''] = inbound(IN_SET);
  assert.equal(engine.run([first], 0), [toB4(first)]);
  await engine.configure([{ name: 'br', 'ipv6-address': AFTR, 'ipv4-pool': ['198.51.100.0/22'] }]);
  assert.equal(engine.run([second], 10), []);
});

test('copies that wait are bounded, one source has a share of them, and each one is counted', async () => {
  const engine = await engineFor('aftr', configuration);
  const flood = Array.from({ length: 1_000 }, (_, i) => inbound(IN_SET, i)[1] ?? '');
  for (let i = 0; i < flood.length; i += 50) assert.equal(engine.run(flood.slice(i, i + 50), 1), []);
  assert.equal(packetCounts(engine.counters()), { 'ipv4 fragment-unplaced': 1_000 - 64, 'ipv4 held': 64 });
  // Another source still has room.
  const [first = '', second = ''] = fragments(3, { src: '203.0.113.81', dst: SHARED }, 5_000, IN_SET);
  assert.equal(engine.run([second], 2), []);
  assert.equal(engine.run([first], 3), [toB4(first), toB4(second)]);
  for (let batch = 0; batch < 2; batch++) engine.run([], 5_000);
  assertPartition(engine.counters(), [...flood, first, second]);
});

test('copies out of the tunnel: the share is that of the gateway, whatever inner sources it has (D72)', async () => {
  const engine = await engineFor('aftr', configuration);
  const later = (i: number) => ipv4({ src: `198.51.100.${i}`, dst: SHARED, offset: 3, payload: 'cd'.repeat(24) });
  const flood = Array.from({ length: 100 }, (_, i) => fromB4(later(100 + i), '2001:db8:a::1'));
  for (let i = 0; i < flood.length; i += 50) assert.equal(engine.run(flood.slice(i, i + 50), 1), []);
  assert.equal(packetCounts(engine.counters()), { 'ipv6 fragment-unplaced': 100 - 64, 'ipv6 held': 64 });
});

test('a later fragment from an address that is no gateway never waits: no port could make it right (D72)', async () => {
  const engine = await engineFor('aftr', { ...configuration, ...SILENT });
  const sent = Array.from({ length: 320 }, (_, i) => fromB4(outbound(IN_SET, i)[1] ?? '', `2001:db8:f::${i % 5}`));
  for (let i = 0; i < sent.length; i += 64) assert.equal(engine.run(sent.slice(i, i + 64), i), []);
  assert.equal(packetCounts(engine.counters()), { 'ipv6 source-mismatch': 320 });
  assertPartition(engine.counters(), sent);
});

const GATEWAYS = ['2001:db8:a::1', '2001:db8:a::2', '2001:db8:a::3', OTHER_B4];
const floods = [
  [
    'hosts',
    [1, 2, 3, 4, 5].map(
      (i) => (id: number) => fragments(3, { src: `192.0.2.${i}`, dst: SHARED, id }, 5_000, IN_SET)[1] ?? '',
    ),
  ],
  ['gateways', GATEWAYS.map((src) => (id: number) => fromB4(outbound(IN_SET, id)[1] ?? '', src))],
  ['strangers', [1, 2, 3, 4, 5].map((i) => (id: number) => fromB4(outbound(IN_SET, id)[1] ?? '', `2001:db8:f::${i}`))],
] as const;
for (const [who, flooders] of floods) {
  test(`later fragments without first ones from a few ${who} push out none of others (D72)`, async () => {
    // Sources that share a hash share their room, so that with some seeds one of these would be in that of another.
    const engine = await engineFor('aftr', { ...configuration, ...SILENT }, 0x1234);
    const fromTunnel = outbound(IN_SET, 7).map((packet) => fromB4(packet));
    const good = [inbound(IN_SET, 7), fromTunnel];
    for (const [, later = ''] of good) assert.equal(engine.run([later], 0), []);
    const flood = Array.from({ length: 640 }, (_, i) => flooders[i % flooders.length]?.(1_000 + i) ?? '');
    for (let i = 0; i < flood.length; i += 64) assert.equal(engine.run(flood.slice(i, i + 64), 1 + i), []);
    const [first = '', later = ''] = inbound(IN_SET, 7);
    assert.equal(engine.run([first], 1_000), [toB4(first), toB4(later)]);
    assert.equal(engine.run([fromTunnel[0] ?? ''], 1_001), outbound(IN_SET, 7).slice(0, 2));
  });
}

/** A store, and first fragments that come there: of `src`, packet `id`, at `ms`. */
function knownPorts(secret: number) {
  const store = new PortFragments(secret);
  const batch = new Batch(1, STRIDE);
  const at = batch.at[0] ?? 0;
  const packet = Buffer.from(fragments(2, { src: INTERNET, dst: SHARED, id: 0 }, 5_000, IN_SET)[0] ?? '', 'hex');
  const put = (src: string, id: number): void => {
    packet.writeUInt16BE(id & 0xffff, 4);
    packet.set(src.split('.').map(Number), 12);
    batch.buf.set(packet, at);
  };
  const ports = { source: 5_000, destination: IN_SET, quote: 0 };
  return {
    remember: (src: string, id: number, ms: number): void => {
      put(src, id);
      store.remember(batch.buf, at, -1, false, ports, ms);
    },
    isKnown: (src: string, id: number, ms: number): boolean => {
      put(src, id);
      return store.find(batch.buf, at, -1, { ...ports }, ms);
    },
  };
}

test('whose first fragments are many takes no known ports from others that send many: sixteen rings by source', () => {
  let kept = 0;
  for (let secret = 0; secret < 64; secret++) {
    const known = knownPorts(secret);
    for (let id = 0; id < 17; id++) known.remember(INTERNET, id, 0);
    for (let id = 0; id < 300; id++) known.remember('192.0.2.1', id, 1);
    if (known.isKnown(INTERNET, 16, 2)) kept++;
  }
  // One secret in sixteen puts both into one ring.
  assert.ok(kept > 48 && kept < 64, `${kept} of 64`);
});

for (const [sources, lastsMs] of [
  [48, 1_250],
  [200, 250],
] as const) {
  test(`first fragments that seem to come from ${sources} sources: who sends a few is known for ${lastsMs} ms (D72)`, () => {
    let kept = 0;
    for (let secret = 0; secret < 8; secret++) {
      const known = knownPorts(secret);
      for (let ms = 0; ms < lastsMs; ms += 10) {
        if (ms === 0) known.remember(INTERNET, 7, 0);
        for (let i = 0; i < 5 * sources; i++) known.remember(`192.0.2.${i % sources}`, ms * 500 + i, ms);
      }
      if (known.isKnown(INTERNET, 7, lastsMs)) kept++;
    }
    // One secret in a hundred, or in twenty, puts it into one slot with another source.
    assert.ok(kept >= 6, `${kept} of 8`);
  });
}

test('when all places are taken the oldest copies make room', async () => {
  const engine = await engineFor('aftr', configuration);
  const packets = Array.from({ length: 600 }, (_, i) =>
    fragments(2, { src: `203.0.113.${i % 250}`, dst: SHARED, id: i }, 5_000, IN_SET),
  );
  for (let i = 0; i < 600; i += 50)
    engine.run(
      packets.slice(i, i + 50).map(([, last = '']) => last),
      i,
    );
  const early = packetCounts(engine.counters())['ipv4 fragment-unplaced'] ?? 0;
  assert.ok(early >= 600 - 256, `${early}`);
  const [first = '', last = ''] = packets[599] ?? [];
  assert.equal(engine.run([first], 601), [toB4(first), toB4(last)]);
  const sent = [...packets.map(([, second = '']) => second), first];
  for (let i = 0; i < 10; i++) engine.run([], 10_000);
  assertPartition(engine.counters(), sent);
});

test('more copies than end in one batch end in the next ones', async () => {
  const engine = await engineFor('aftr', configuration);
  const all = fragments(101, { src: INTERNET, dst: SHARED }, 5_000, IN_SET);
  const [first = '', ...others] = all;
  const waiting = others.slice(0, 60);
  const two = fragments(60, { src: '203.0.113.82', dst: SHARED }, 5_000, IN_SET);
  engine.run(waiting.slice(0, 60), 0);
  engine.run(two.slice(1), 0);
  const out = engine.run([first, two[0] ?? ''], 1);
  assert.is(out.length, 2 + 64);
  const rest = engine.run([], 2);
  assert.equal([...out, ...rest].sort(), [first, ...waiting, ...two].map((packet) => toB4(packet)).sort());
});

/** An inner fragment in two outer fragments. */
const inTwo = (inner: string, id: number): string[] => outerFragments(inner, [1_232], { src: B4, dst: AFTR, id });
const first1492 = ipv4({ src: SHARED, dst: INTERNET, id: 5, mf: true, payload: udp(1_464, IN_SET, 53) });
const later1420 = ipv4({ src: SHARED, dst: INTERNET, id: 5, offset: 184, payload: 'cd'.repeat(1_400) });
for (const [name, order] of [
  ['in order', [...inTwo(first1492, 1), ...inTwo(later1420, 2)]],
  ['the later one first', [...inTwo(later1420, 2), ...inTwo(first1492, 1)]],
  ['the later one first, its outer fragments in reverse', [...inTwo(later1420, 2).reverse(), ...inTwo(first1492, 1)]],
  [
    'the later one between those of the first one',
    [0, 2, 3, 1].map((i) => [...inTwo(first1492, 1), ...inTwo(later1420, 2)][i] ?? ''),
  ],
] as const) {
  test(`inner fragments that come in outer fragments: ${name} (D72)`, async () => {
    const engine = await engineFor('aftr', configuration);
    const out = order.flatMap((packet, i) => engine.run([packet], i));
    assert.equal(out.sort(), [first1492, later1420].sort());
    assert.equal(packetCounts(engine.counters()), { 'ipv6 forwarded': 4 });
    assertPartition(engine.counters(), order);
  });
}

test('a later inner fragment of two outer ones whose first one never comes: both end as unplaced', async () => {
  const engine = await engineFor('aftr', configuration);
  const sent = inTwo(later1420, 2);
  for (const [i, packet] of sent.entries()) assert.equal(engine.run([packet], i), []);
  assert.equal(packetCounts(engine.counters()), { 'ipv6 held': 2 });
  assertPartition(engine.counters(), sent);
  assert.equal(engine.run([], 3_000), []);
  assert.equal(packetCounts(engine.counters()), { 'ipv6 fragment-unplaced': 2 });
  assertPartition(engine.counters(), sent);
});

test('ports that are too old do not make a fragment wait anew when others come', async () => {
  const engine = await engineFor('aftr', configuration);
  const [first = '', later = ''] = inbound(IN_SET);
  assert.is(engine.run([first], 0).length, 1);
  assert.equal(engine.run([later], 15_500), []);
  assert.is(engine.run(inbound(IN_SET, 8).slice(0, 1), 16_000).length, 1);
  assert.equal(engine.run([], 17_600), []);
  assert.equal(packetCounts(engine.counters()), { 'ipv4 forwarded': 2, 'ipv4 fragment-unplaced': 1 });
});

test('a first fragment that was refused takes the ports of an earlier one with its key away for good', async () => {
  const engine = await engineFor('aftr', { ...configuration, ...SILENT });
  const [first = '', later = ''] = outbound(IN_SET);
  assert.equal(engine.run([fromB4(first)]), [first]);
  const refused = [7, ...Array.from({ length: 300 }, (_, i) => 1_000 + i)];
  for (const id of refused) assert.equal(engine.run([fromB4(outbound(NOBODYS, id)[0] ?? '')]), []);
  assert.equal(engine.run([fromB4(later)]), []);
  assert.is(packetCounts(engine.counters())['ipv6 held'], 1);
});

for (const [octets, verdict] of [
  [9_216, HELD],
  [9_217, DROP_FRAGMENT_UNPLACED],
] as const) {
  test(`a fragment of ${octets} octets ${verdict === HELD ? 'waits' : 'does not wait'}`, () => {
    const batch = new Batch(1, 16_384);
    const packet = ipv4({ src: INTERNET, dst: SHARED, offset: 3, payload: 'ab'.repeat(octets - 20) });
    const at = batch.at[0] ?? 0;
    batch.buf.set(Buffer.from(packet, 'hex'), at);
    assert.is(new PortFragments(1).wait(batch, 0, at, -1), verdict);
  });
}

test(`whatever the mix and the order, what leaves is what came, once, and to its port set (seed ${seed})`, async () => {
  const next = random();
  const silent = { 'icmp-policy': { 'icmpv6-errors': { 'generate-icmpv6-errors': false } } };
  const engine = await engineFor('aftr', { ...configuration, ...silent });
  const expected: string[] = [];
  const pending: string[] = [];
  for (let id = 0; id < 300; id++) {
    const port = [IN_SET, IN_OTHER_SET, NOBODYS][next() % 3] ?? 0;
    const b4 = port === IN_SET ? B4 : OTHER_B4;
    const count = 2 + (next() % 4);
    if (next() % 2 === 0) {
      const packets = fragments(count, { src: `203.0.113.${id % 200}`, dst: SHARED, id }, 5_000, port);
      pending.push(...packets);
      if (port !== NOBODYS) expected.push(...packets.map((packet) => toB4(packet, b4)));
    } else {
      const packets = outbound(port, id, count);
      pending.push(...packets.map((packet) => fromB4(packet, b4)));
      if (port !== NOBODYS) expected.push(...packets);
    }
  }
  // Reordered within a window of 40 packets, as networks do it at worst.
  const sent: string[] = [];
  while (pending.length > 0) sent.push(...pending.splice(next() % Math.min(40, pending.length), 1));
  const out: string[] = [];
  for (let at = 0; at < sent.length; ) {
    const size = 1 + (next() % 20);
    out.push(...engine.run(sent.slice(at, at + size), at));
    at += size;
  }
  for (let i = 0; i < 5; i++) out.push(...engine.run([], 100_000));
  assert.equal(out.sort(), expected.sort());
  assertPartition(engine.counters(), sent);
});

test.run();
