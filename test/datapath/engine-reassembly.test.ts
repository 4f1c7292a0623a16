import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  addCases,
  assertPartition,
  BINDINGS,
  AFTR as CONFIGURATION,
  engineFor,
  packetCounts,
} from '../helpers/engine-case.ts';
import type { FragmentFields } from '../helpers/fragments.ts';
import { fragment, fragments } from '../helpers/fragments.ts';
import { icmpv6Error } from '../helpers/icmpv6-error.ts';
import { icmpv6, ipv4, ipv6, udp } from '../helpers/packets.ts';

/** Outer fragments at the AFTR, from gateway 2001:db8:a::1 with 198.51.100.0/24 (RFC 8200 §4.5). */
const test = suite('engine-reassembly');

const G1 = '2001:db8:a::1';
const G2 = '2001:db8:a::2';
const AFTR = '2001:db8:b::1';
const DEVICE = '198.51.100.10';
const INTERNET = '203.0.113.80';

const inner = ipv4({ src: DEVICE, dst: INTERNET, payload: udp(100) });
const [a = '', b = '', c = ''] = fragments(inner, 48);

addCases(
  test,
  'aftr',
  [
    [a, b, c],
    [a, c, b],
    [b, a, c],
    [b, c, a],
    [c, a, b],
    [c, b, a],
  ].map((order, i) => ({
    name: `three fragments, order ${i + 1} of 6: the whole packet, once, and one verdict for all (D60)`,
    in: order,
    out: [inner],
    counters: { 'ipv6 forwarded': 3 },
  })),
);

const longer = ipv4({ src: DEVICE, dst: INTERNET, payload: udp(148) });
const longerCuts = Array.from({ length: 19 }, (_, i) => 24 + 8 * i);
const big = ipv4({ src: DEVICE, dst: INTERNET, payload: udp(65_535 - 28) });
const hairpinned = ipv4({ src: DEVICE, dst: '198.51.101.1', payload: udp(1_600) });
const hairpinnedOut = ipv4({ src: DEVICE, dst: '198.51.101.1', payload: udp(1_600), ttl: 63 });
/** A fragment with all that its header reserves set (RFC 8200 §4.5: ignored on reception). */
const reserved = (one: string): string =>
  `${one.slice(0, 82)}ff${one.slice(84, 87)}${(Number.parseInt(one.slice(87, 88), 16) | 6).toString(16)}${one.slice(88)}`;
const cases: readonly (readonly [string, readonly string[], readonly string[], Readonly<Record<string, number>>])[] = [
  ['two fragments', fragments(inner, 64), [inner], { forwarded: 2 }],
  [
    'what stands behind the IPv6 packet is counted with each fragment, and goes nowhere',
    fragments(inner, 64).map((part) => `${part}eeee`),
    [inner],
    { forwarded: 2 },
  ],
  ['as many fragments as may be', fragments(longer, longerCuts), [longer], { forwarded: 20 }],
  ['an inner packet of 65,535 octets, the largest there is', fragments(big, 8_192), [big], { forwarded: 8 }],
  [
    'a hairpinned packet is put together, and leaves in fragments of its own',
    fragments(hairpinned, 800),
    fragments(hairpinnedOut, 1_448, { id: 0, src: AFTR, dst: G2 }),
    { hairpinned: 3 },
  ],
  [
    'a spoofed inner source: all fragments share the verdict',
    fragments(inner, 64, { src: G2 }),
    [icmpv6Error(1, 5, 0, ipv6({ src: G2, payload: inner }), AFTR)],
    { 'source-mismatch': 2 },
  ],
  [
    'overlap by 8: all silently dropped (D61)',
    [a, fragment(inner.slice(80, 192), 40, true)],
    [],
    { 'fragment-overlap': 2 },
  ],
  [
    'overlap: those that come later too (D61)',
    [a, fragment(inner.slice(80, 192), 40, true), b, c],
    [],
    { 'fragment-overlap': 4 },
  ],
  ['overlap from before', [b, fragment(inner.slice(0, 112), 0, true), a, c], [], { 'fragment-overlap': 4 }],
  ['overlap inside', [fragments(inner, 96)[0] ?? '', b], [], { 'fragment-overlap': 2 }],
  ['an exact duplicate waits with the rest (D62)', [a, a, b, b, c], [inner], { forwarded: 5 }],
  [
    'the first again, with other octets, is an overlap (D62)',
    [a, fragment('00'.repeat(48), 0, true), b, c],
    [],
    { 'fragment-overlap': 4 },
  ],
  [
    'the same place with other data is an overlap (D62)',
    [b, fragment('00'.repeat(48), 48, true), a, c],
    [],
    { 'fragment-overlap': 4 },
  ],
  ['the same place, but the end', [b, fragment(inner.slice(96, 192), 48, false)], [], { 'fragment-overlap': 2 }],
  [
    'a duplicate of the last, but not the end',
    [c, fragment(inner.slice(192), 96, true)],
    [],
    { 'fragment-overlap': 2 },
  ],
  ['two ends', [c, fragment('00'.repeat(8), 200, false)], [], { 'fragment-overlap': 2 }],
  ['data behind the end', [c, fragment('00'.repeat(8), 200, true)], [], { 'fragment-overlap': 2 }],
  ['an end before data', [c, fragment('00'.repeat(8), 8, false)], [], { 'fragment-overlap': 2 }],
  [
    'an atomic fragment alone, beside a queue with the same identification (D63)',
    [a, fragment(ipv4({ src: DEVICE, dst: INTERNET }), 0, false), b, c],
    [ipv4({ src: DEVICE, dst: INTERNET }), inner],
    { forwarded: 4 },
  ],
  [
    'the same with reserved bits and a reserved octet in it (D63)',
    [a, reserved(fragment(ipv4({ src: DEVICE, dst: INTERNET }), 0, false)), b, c],
    [ipv4({ src: DEVICE, dst: INTERNET }), inner],
    { forwarded: 4 },
  ],
  ['reserved bits and a reserved octet in each fragment (D60)', [a, b, c].map(reserved), [inner], { forwarded: 3 }],
  ['first only: held', [a], [], { held: 1 }],
  ['the last octet there can be', [fragment('00'.repeat(7), 65_528, false)], [], { held: 1 }],
  ['a first fragment of 24 octets', [fragment(inner.slice(0, 48), 0, true)], [], { held: 1 }],
  ['a fragment without data', [fragment('', 48, false), fragment('', 48, true)], [], { 'fragment-malformed': 2 }],
  ['a fragment of a fragment', fragments(a.slice(80), 40, { upper: 44 }), [], { 'fragment-malformed': 2 }],
  [
    'two gateways with the same identification are never combined (D68)',
    [a, ...fragments(inner, 48, { src: G2 }).slice(1)],
    [],
    { held: 3 },
  ],
  [
    'two tunnel addresses with the same identification are never combined (D68)',
    [a, ...fragments(inner, 48, { dst: '2001:db8:b::2' }).slice(1)],
    [],
    { held: 3 },
  ],
  [
    'two identifications that differ in their highest bit, between each other (D68)',
    [a, fragment(inner.slice(0, 96), 0, true, { id: 0x92345678 }), b, c],
    [inner],
    { forwarded: 3, held: 1 },
  ],
  ['ECT(0), CE: the packet is marked (D70)', ecn([2, 3, 2], 2), [marked(inner, 3)], { forwarded: 3 }],
  ['ECT(0), ECT(1): the first counts (D70)', ecn([2, 1, 1], 2), [marked(inner, 2)], { forwarded: 3 }],
  ['Not-ECT, ECT: dropped (D70)', ecn([0, 2, 0], 2), [], { 'fragment-ecn-mismatch': 3 }],
  ['Not-ECT, CE: dropped (D70)', ecn([0, 3, 0], 2), [], { 'fragment-ecn-mismatch': 3 }],
  ['all CE about a packet that cannot see it (D32)', ecn([3, 3, 3], 0), [], { 'ecn-inner-not-ect-outer-ce': 3 }],
  [
    'options before and behind the fragment header',
    fragments(`0400040104010100${inner}`, 64, { upper: 60, before: [60, '2c00010400000000'] }),
    [inner],
    { forwarded: 3 },
  ],
  [
    'the next header of the whole is that of the first fragment',
    [a, b, fragment(inner.slice(192), 96, false, { upper: 59 })],
    [inner],
    { forwarded: 3 },
  ],
];
addCases(
  test,
  'aftr',
  cases.map(([name, packets, out, counters]) => ({
    name,
    in: packets,
    out,
    counters: Object.fromEntries(Object.entries(counters).map(([end, count]) => [`ipv6 ${end}`, count])),
  })),
);

function marked(packet: string, ecnField: number): string {
  return ipv4({ src: DEVICE, dst: INTERNET, payload: packet.slice(40), tos: ecnField });
}

/** The three fragments of a packet of inner ECN field `innerEcn`, with these outer ones. */
function ecn(fields: readonly number[], innerEcn: number): string[] {
  const whole = marked(inner, innerEcn);
  return fields.map((trafficClass, i) => fragments(whole, 48, { trafficClass })[i] ?? '');
}

addCases(test, 'gateway', [
  {
    name: 'the gateway puts together what comes from its AFTR',
    in: fragments(ipv4({ src: INTERNET, dst: DEVICE, payload: udp(100) }), 64, { src: AFTR, dst: G1 }),
    out: [ipv4({ src: INTERNET, dst: DEVICE, payload: udp(100) })],
    counters: { 'ipv6 forwarded': 2 },
  },
  {
    name: 'and holds nothing of anybody else (D19)',
    in: fragments(ipv4({ src: INTERNET, dst: DEVICE, payload: udp(100) }), 64, { src: '2001:db8:c::1', dst: G1 }),
    out: [],
    counters: { 'ipv6 wrong-aftr': 2 },
  },
]);

test('an echo request to the tunnel address in fragments is answered whole', async () => {
  const engine = await engineFor('aftr');
  const echo = icmpv6(G1, AFTR, 128, 0, `00010001${'ab'.repeat(100)}`);
  const [reply = ''] = engine.run(fragments(echo, 56, { upper: 58 }));
  assert.is(
    reply,
    ipv6({ src: AFTR, dst: G1, nextHeader: 58, payload: icmpv6(AFTR, G1, 129, 0, `00010001${'ab'.repeat(100)}`) }),
  );
  assert.equal(packetCounts(engine.counters()), { 'ipv6 replied': 2 });
});

/** Batches at their times, in milliseconds; counters and partition after each. */
async function inSteps(
  configuration: Readonly<Record<string, unknown>>,
  steps: readonly (readonly [atMs: number, packets: readonly string[], counters: Readonly<Record<string, number>>])[],
): Promise<void> {
  const engine = await engineFor('aftr', configuration);
  const sent: string[] = [];
  for (const [atMs, packets, counters] of steps) {
    engine.run(packets, atMs);
    sent.push(...packets);
    assert.equal(packetCounts(engine.counters()), counters, `after ${atMs} ms`);
    assertPartition(engine.counters(), sent);
  }
}

test('60 s after the first to arrive, the datagram is given up, and a new one may begin (D64)', () =>
  inSteps({}, [
    [1_000, [a], { 'ipv6 held': 1 }],
    [31_000, [b], { 'ipv6 held': 2 }],
    [60_999, [], { 'ipv6 held': 2 }],
    [61_250, [], { 'ipv6 reassembly-timeout': 2 }],
    [61_300, [c], { 'ipv6 reassembly-timeout': 2, 'ipv6 held': 1 }],
    [62_000, [a, b], { 'ipv6 reassembly-timeout': 2, 'ipv6 forwarded': 3 }],
  ]));

test('60 s are whole also between the steps of the timers (D64)', () =>
  inSteps({}, [
    [1_100, [a], { 'ipv6 held': 1 }],
    [61_099, [b], { 'ipv6 held': 2 }],
    [61_350, [], { 'ipv6 reassembly-timeout': 2 }],
  ]));

test('the timeout is configured', () =>
  inSteps({ reassembly: { timeout: 1 } }, [
    [0, [a], { 'ipv6 held': 1 }],
    [999, [], { 'ipv6 held': 1 }],
    [1_000, [], { 'ipv6 reassembly-timeout': 1 }],
  ]));

test('a datagram that an overlap ended is remembered until its time is over (D61)', () =>
  inSteps({}, [
    [0, [a, fragment(inner.slice(80, 192), 40, true)], { 'ipv6 fragment-overlap': 2 }],
    [59_900, [b], { 'ipv6 fragment-overlap': 3 }],
    [60_000, [a, b, c], { 'ipv6 fragment-overlap': 3, 'ipv6 forwarded': 3 }],
  ]));

test('one fragment more than maximum-fragments ends the datagram, and what comes later of it', () =>
  inSteps({ reassembly: { 'maximum-fragments': 2 } }, [
    [0, [a, c], { 'ipv6 held': 2 }],
    [1, [b], { 'ipv6 reassembly-limit': 3 }],
    [2, [a], { 'ipv6 reassembly-limit': 4 }],
    [3, fragments(inner, 64, { id: 2 }), { 'ipv6 reassembly-limit': 4, 'ipv6 forwarded': 2 }],
  ]));

/** First fragments of so many datagrams of a source, with identifications from `from` on. */
function firsts(count: number, from: number, fields: FragmentFields = {}): string[] {
  return Array.from({ length: count }, (_, i) => fragment(inner.slice(0, 96), 0, true, { id: from + i, ...fields }));
}

test('20,000 first fragments of one gateway hold its own share, and another gateway goes on undisturbed (D69)', async () => {
  const engine = await engineFor('aftr');
  const other = ipv4({ src: '198.51.101.1', dst: INTERNET, payload: udp(100) });
  const sent: string[] = [];
  for (let round = 0; round < 400; round++) {
    const [first = '', last = ''] = fragments(other, 64, { src: G2, id: round });
    // The two come far from each other: fifty of the flood are between them.
    const packets = [first, ...firsts(50, round * 50), last];
    assert.equal(engine.run(packets, round), [other]);
    sent.push(...packets);
  }
  assert.equal(packetCounts(engine.counters()), {
    'ipv6 forwarded': 800,
    'ipv6 held': 100,
    'ipv6 reassembly-limit': 19_900,
  });
  assertPartition(engine.counters(), sent);
});

test('a source at its limit loses its oldest', async () => {
  const engine = await engineFor('aftr', { reassembly: { 'maximum-packets-per-source': 2 } });
  engine.run(firsts(3, 1));
  const rest = (id: number) => fragments(inner, 48, { id }).slice(1);
  assert.equal(engine.run([...rest(2), ...rest(3)]), [inner, inner]);
  assert.equal(engine.run(rest(1)), []);
});

test('with all sources together at the limit, the one that holds most makes room, and only for who holds less (D69)', async () => {
  const limits = { 'maximum-packets': 20, 'maximum-packets-per-source': 20 };
  const engine = await engineFor('aftr', { reassembly: limits });
  engine.run(firsts(20, 1, { src: G1 }));
  assert.equal(packetCounts(engine.counters()), { 'ipv6 held': 20 });
  engine.run(firsts(4, 1, { src: G2 }));
  const rest = (id: number, src: string) => fragments(inner, 48, { id, src }).slice(1);
  // The four oldest of the first had to go; those of the second stay, whatever the first still sends.
  engine.run(firsts(40, 100, { src: G1 }));
  assert.equal(packetCounts(engine.counters()), { 'ipv6 held': 20, 'ipv6 reassembly-limit': 44 });
  engine.run([1, 2, 3, 4].flatMap((id) => rest(id, G2)));
  assert.equal(packetCounts(engine.counters())['ipv6 source-mismatch'], 12);
});

test('of two that hold as much, who sends more loses his own (D69)', async () => {
  for (const [sender, other] of [
    [G2, G1],
    [G1, G2],
  ] as const) {
    const limits = { 'maximum-packets': 20, 'maximum-packets-per-source': 20 };
    const quiet = { 'icmp-policy': { 'icmpv6-errors': { 'generate-icmpv6-errors': false } } };
    const engine = await engineFor('aftr', { reassembly: limits, ...quiet });
    for (const src of [G1, G2]) engine.run(firsts(10, 1, { src }));
    engine.run(firsts(10, 100, { src: sender }));
    assert.equal(packetCounts(engine.counters()), { 'ipv6 held': 20, 'ipv6 reassembly-limit': 10 });
    engine.run(
      firsts(10, 1, { src: other }).flatMap((_, i) => fragments(inner, 48, { id: 1 + i, src: other }).slice(1)),
    );
    const { 'ipv6 held': held, ...ended } = packetCounts(engine.counters());
    const whole = other === G1 ? 'ipv6 forwarded' : 'ipv6 source-mismatch';
    assert.equal([held, ended], [10, { 'ipv6 reassembly-limit': 10, [whole]: 30 }], 'all ten of the other are whole');
  }
});

/** First fragments, each from an address that no binding names. */
const strangers = (count: number, from: number): string[] =>
  firsts(count, from).map(
    (one, i) => `${one.slice(0, 16)}20010db80099${(from + i).toString(16).padStart(20, '0')}${one.slice(48)}`,
  );

test('sources that no binding names fill the table: who is bound gets all packets through, however large (D69)', async () => {
  const engine = await engineFor('aftr', { reassembly: { 'maximum-packets': 200 } });
  const large = ipv4({ src: '198.51.101.1', dst: INTERNET, payload: udp(1_400) });
  const sent: string[] = [];
  const run = (packets: readonly string[]): string[] => {
    sent.push(...packets);
    return engine.run(packets);
  };
  for (let i = 0; i < 400; i += 50) assert.equal(run(strangers(50, i)), []);
  for (let id = 0; id < 20; id++) {
    const [first = '', last = ''] = fragments(large, 1_232, { src: G2, id });
    // Now the one comes first and now the other, which has no inner header.
    const [one, other] = id % 2 === 0 ? [first, last] : [last, first];
    assert.equal(run([one, ...strangers(50, 1_000 + 50 * id)]), []);
    assert.equal(run([other]), [large]);
  }
  assert.is(packetCounts(engine.counters())['ipv6 forwarded'], 40);
  assertPartition(engine.counters(), sent);
});

test('sources that no binding names push out each other only, and are put together while there is room (D69)', async () => {
  const engine = await engineFor('aftr', { reassembly: { 'maximum-packets': 20 } });
  const src = '2001:db8:99::1';
  const echo = icmpv6(src, AFTR, 128, 0, `00010001${'ab'.repeat(100)}`);
  assert.is(engine.run(fragments(echo, 40, { src, upper: 58 })).length, 1);
  engine.run(firsts(20, 1));
  assert.equal(engine.run(strangers(30, 0)), []);
  assert.equal(packetCounts(engine.counters()), { 'ipv6 replied': 3, 'ipv6 held': 20, 'ipv6 reassembly-limit': 30 });
  const rest = Array.from({ length: 20 }, (_, i) => fragments(inner, 48, { id: 1 + i }).slice(1));
  assert.equal(
    rest.flatMap((packets) => engine.run(packets)),
    rest.map(() => inner),
  );
});

test('a sentence warns from the part of the limit on that is configured (D69, D135)', async () => {
  const engine = await engineFor('aftr', { reassembly: { 'maximum-packets': 50, 'alarm-threshold': 10 } });
  engine.run(firsts(4, 0));
  assert.equal(engine.forwarding.reassemblyWarnings(), []);
  engine.run(firsts(1, 4));
  assert.match(engine.forwarding.reassemblyWarnings().join(), /^reassembly of aftr br holds 5 of 50 packets/);
  const [observed] = engine.forwarding.observe().instances;
  assert.equal([observed?.reassembly, observed?.reassemblyThreshold], [0.1, 10]);
});

test('a sentence warns when reassembly is near its limit, and goes with it (D69)', async () => {
  const engine = await engineFor('aftr', { reassembly: { timeout: 1, 'maximum-packets': 50 } });
  engine.run(firsts(39, 0));
  assert.equal(engine.forwarding.reassemblyWarnings(), []);
  engine.run(firsts(1, 39));
  assert.match(
    engine.forwarding.reassemblyWarnings().join(),
    /^reassembly of aftr br holds 40 of 50 packets: look for/,
  );
  engine.run([], 1_250);
  assert.equal(engine.forwarding.reassemblyWarnings(), []);
});

test('memory in use by four fifths is told of, and one source cannot take it from another (D69)', async () => {
  const limits = { 'maximum-packets': 1_000_000, 'maximum-packets-per-source': 1_000_000 };
  const engine = await engineFor('aftr', { reassembly: limits });
  const large = (id: number, src: string): string => fragment('00'.repeat(60_000), 5_000, true, { id, src });
  const sent: string[] = [];
  const other = fragments(ipv4({ src: '198.51.101.1', dst: INTERNET, payload: udp(100) }), 64, { src: G2 });
  engine.run(other.slice(0, 1));
  for (let id = 0; id < 1_300; id += 50) {
    const packets = Array.from({ length: 50 }, (_, i) => large(id + i, G1));
    engine.run(packets);
    if (id === 750) assert.equal(engine.forwarding.reassemblyWarnings(), []);
    sent.push(...packets);
  }
  assert.match(engine.forwarding.reassemblyWarnings().join(), /^\d+ % of the memory for reassembly is in use \(aftr\)/);
  const { 'ipv6 held': held = 0, 'ipv6 reassembly-limit': limited = 0 } = packetCounts(engine.counters());
  // 64 MiB hold 1,040 fragments of 60,048 octets in 126 chunks each, and the one of the other.
  assert.equal([held, limited], [1_041, 260]);
  assert.is(engine.run(other.slice(1)).length, 1);
  assertPartition(engine.counters(), [...sent, ...other]);
});

test('when the memory is full, a fragment takes the place of other packets, never of the one that it is part of (D69)', async () => {
  const limits = { 'maximum-packets': 1_000_000, 'maximum-packets-per-source': 1_000_000 };
  const engine = await engineFor('aftr', { reassembly: limits });
  const parts = fragments(big, [64, 60_064]);
  engine.run(parts.slice(0, 1));
  for (let id = 0; id < 1_040; id += 40) {
    engine.run(Array.from({ length: 40 }, (_, i) => fragment('00'.repeat(60_000), 5_000, true, { id: id + i })));
  }
  assert.equal(packetCounts(engine.counters()), { 'ipv6 held': 1_041 });
  assert.equal(engine.run(parts.slice(1)), [big]);
  assert.equal(packetCounts(engine.counters()), {
    'ipv6 forwarded': 3,
    'ipv6 held': 1_039,
    'ipv6 reassembly-limit': 1,
  });
});

test('duplicates without end: the datagram is given up before its octets are more than a counter holds', async () => {
  const engine = await engineFor('aftr');
  const large = Buffer.from(fragment('ee'.repeat(60_000), 0, true), 'hex');
  const batch = Array.from({ length: 64 }, () => large);
  for (let sent = 0; sent < 2 ** 30 / large.length; sent += batch.length) engine.process(batch);
  const [counters] = engine.counters();
  const ended = counters?.ipv6.drops['reassembly-limit'];
  assert.equal(ended, counters?.ipv6.received);
  assert.is(counters?.ipv6.held.octets, 0);
});

test('a tunnel address that another AFTR takes over while fragments wait: each is counted where it came in', async () => {
  const engine = await engineFor('aftr');
  engine.run([a]);
  await engine.configure([{ ...CONFIGURATION, name: 'other' }], BINDINGS);
  engine.run([b]);
  for (const { name, ipv6 } of engine.counters()) {
    assert.ok(ipv6.received.packets >= 0 && ipv6.held.packets >= 0, `${name}: ${JSON.stringify(ipv6)}`);
  }
  engine.run([], 61_000);
  for (const { name, ipv6 } of engine.counters()) assert.is(ipv6.held.packets, 0, name);
});

test.run();
