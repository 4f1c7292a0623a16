import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { EngineUnderTest } from '../helpers/engine-case.ts';
import { addCases, engineFor, packetCounts } from '../helpers/engine-case.ts';
import { hex8, icmpv4, icmpv6, ipv4, ipv6, udp } from '../helpers/packets.ts';

/** ICMPv6 errors that come back about our own tunnel packets: relayed, remembered, or refused. */
const test = suite('engine-tunnel-errors');

const G1 = '2001:db8:a::1';
const G2 = '2001:db8:a::2';
const BR = '2001:db8:b::1';
const SECOND = '2001:db8:b::2';
const ROUTER = '2001:db8:99::1';
const INTERNET = '203.0.113.80';
const DEVICE = '198.51.100.10';
const OTHER = '198.51.101.20';

/** Towards the end device: what an AFTR sends; its source, and DF. */
const down = (more: Parameters<typeof ipv4>[0] = {}): string =>
  ipv4({ src: INTERNET, dst: DEVICE, df: true, payload: udp(1_432), ...more });
const small = ipv4({ src: INTERNET, dst: DEVICE });

/** An ICMPv6 error to the AFTR that quotes a packet of it, cut as a router would. */
function error(type: number, code: number, parameter: number, quoted: string, src = ROUTER): string {
  const rest = parameter.toString(16).padStart(8, '0') + quoted.slice(0, 2 * (1_280 - 48));
  return ipv6({ src, dst: BR, nextHeader: 58, payload: icmpv6(src, BR, type, code, rest) });
}

const toG1 = (inner: string, more: Parameters<typeof ipv6>[0] = {}): string =>
  ipv6({ src: BR, dst: G1, payload: inner, ...more });

/** The ICMPv4 error of the AFTR about an inner packet. */
function relayed(code: number, mtu: number, about: string, dst = INTERNET): string {
  const rest = mtu.toString(16).padStart(8, '0') + about.slice(0, 2 * (576 - 28));
  const payload = icmpv4(3, code, rest);
  return ipv4({ src: '203.0.113.1', dst, tos: 0xc0, id: 0, df: true, protocol: 1, payload });
}

const fromOther = ipv4({ src: OTHER, dst: DEVICE, ttl: 63 });
const withLimit = ipv6({ src: BR, dst: G1, nextHeader: 60, payload: `0400040104010100${small}` });
const cutWithLimit = ipv6({ src: BR, dst: G1, nextHeader: 44, payload: `3c000001123456780400040104010100${small}` });
const withLimitAndDf = ipv6({
  src: BR,
  dst: G1,
  nextHeader: 60,
  payload: `0400040104010100${down({ payload: udp(1_212) })}`,
});
const longOptions = (next: number): string => `${hex8(next)}3f01fe${'00'.repeat(254)}01fc${'00'.repeat(252)}`;
const firstFragment = ipv6({ src: BR, dst: G1, nextHeader: 44, payload: `0400000112345678${down({ df: false })}` });
const laterFragment = ipv6({ src: BR, dst: G1, nextHeader: 44, payload: `0400040112345678${udp(600)}` });

addCases(test, 'aftr', [
  ...[0, 1, 2, 3, 4, 5, 6].map((code) => ({
    name: `1/${code} from inside the tunnel: 3/1 to the inner source (D83)`,
    in: [error(1, code, 0, toG1(small))],
    out: [relayed(1, 0, small)],
    counters: { 'ipv6 forwarded': 1 },
  })),
  {
    name: '3/0: 3/1 to the inner source (D84)',
    in: [error(3, 0, 0, toG1(small))],
    out: [relayed(1, 0, small)],
    counters: { 'ipv6 forwarded': 1 },
  },
  {
    name: '1/7, 3/1, and 4/x that does not point at the encapsulation limit: nothing (D85, D86)',
    in: [
      error(1, 7, 0, toG1(small)),
      error(3, 1, 0, toG1(small)),
      error(4, 0, 44, toG1(small)),
      error(4, 0, 40, withLimit),
      error(4, 1, 44, withLimit),
      error(4, 2, 44, withLimit),
      error(4, 3, 0, withLimit),
      error(5, 0, 0, toG1(small)),
    ],
    out: [],
    counters: { 'ipv6 icmp-not-relayed': 8 },
  },
  {
    name: '4/0 that points at the encapsulation limit: 3/1 (D86)',
    configuration: { 'encapsulation-limit': 4 },
    in: [error(4, 0, 44, withLimit)],
    out: [relayed(1, 0, small)],
    counters: { 'ipv6 forwarded': 1 },
  },
  {
    name: '4/0 that points at the encapsulation limit of a first fragment, which stands behind the fragment header (D86)',
    configuration: { 'encapsulation-limit': 4 },
    in: [error(4, 0, 52, cutWithLimit), error(4, 0, 44, cutWithLimit)],
    out: [relayed(1, 0, small)],
    counters: { 'ipv6 forwarded': 1, 'ipv6 icmp-not-relayed': 1 },
  },
  {
    name: 'a quote with the encapsulation limit, which is not configured (D79, D86)',
    in: [
      error(4, 0, 44, withLimit),
      error(4, 0, 52, cutWithLimit),
      error(2, 0, 1_280, withLimitAndDf),
      error(1, 0, 0, withLimit),
    ],
    out: [],
    counters: { 'ipv6 icmp-not-relayed': 4 },
  },
  {
    name: 'a quote without the encapsulation limit, which is configured (D79)',
    configuration: { 'encapsulation-limit': 4 },
    in: [error(1, 0, 0, toG1(small)), error(2, 0, 1_280, toG1(down()))],
    out: [],
    counters: { 'ipv6 icmp-not-relayed': 2 },
  },
  {
    name: 'a quote with headers that this end does not write (D79)',
    in: [
      error(
        2,
        0,
        1_280,
        ipv6({ src: BR, dst: G1, nextHeader: 60, payload: `${longOptions(60)}${longOptions(4)}${small}` }),
      ),
      error(2, 0, 1_280, ipv6({ src: BR, dst: G1, nextHeader: 60, payload: `0400010400000000${down()}` })),
      error(1, 0, 0, ipv6({ src: BR, dst: G1, nextHeader: 60, payload: `3c000401040101000400040104010100${small}` })),
      error(1, 0, 0, ipv6({ src: BR, dst: G1, nextHeader: 60, payload: `2c000401040101000400000112345678${small}` })),
    ],
    out: [],
    counters: { 'ipv6 icmp-not-relayed': 4 },
  },
  {
    name: 'the inner source is behind a gateway: through the tunnel again (D87)',
    in: [error(1, 3, 0, toG1(fromOther))],
    out: [ipv6({ src: BR, dst: G2, trafficClass: 0xc0, payload: relayed(1, 0, fromOther, OTHER) })],
    counters: { 'ipv6 hairpinned': 1 },
  },
  {
    name: 'a quote without a whole inner header and eight octets (D88)',
    in: [40, 48, 60, 67].map((octets) => error(1, 0, 0, toG1(small).slice(0, 2 * octets))),
    out: [],
    counters: { 'ipv6 icmp-not-relayed': 4 },
  },
  {
    name: 'a quote of just the inner header and eight octets (D88)',
    in: [error(1, 0, 0, toG1(small).slice(0, 2 * 68))],
    out: [relayed(1, 0, small.slice(0, 2 * 28))],
    counters: { 'ipv6 forwarded': 1 },
  },
  {
    name: 'about a later inner fragment, an ICMP error, a martian source, the AFTR itself: nothing (D88)',
    in: [
      error(1, 0, 0, toG1(ipv4({ src: INTERNET, dst: DEVICE, offset: 5 }))),
      error(
        1,
        0,
        0,
        toG1(ipv4({ src: INTERNET, dst: DEVICE, protocol: 1, payload: icmpv4(3, 1, `00000000${small}`) })),
      ),
      error(1, 0, 0, toG1(ipv4({ src: '127.0.0.1', dst: DEVICE }))),
      error(1, 0, 0, toG1(ipv4({ src: '203.0.113.1', dst: DEVICE }))),
    ],
    out: [],
    counters: { 'ipv6 icmp-not-relayed': 4 },
  },
  {
    name: 'a quote that is no packet of this AFTR to the gateway of its binding (D79)',
    in: [
      error(1, 0, 0, ipv6({ src: BR, dst: G2, payload: small })),
      error(1, 0, 0, ipv6({ src: '2001:db8:b::2', dst: G1, payload: small })),
      error(1, 0, 0, ipv6({ src: ROUTER, dst: G1, payload: small })),
      error(1, 0, 0, toG1(ipv4({ src: INTERNET, dst: '198.51.103.1' }))),
      error(2, 0, 1_400, ipv6({ src: BR, dst: G2, payload: down() })),
    ],
    out: [],
    counters: { 'ipv6 icmp-error-mismatch': 5 },
  },
  {
    name: 'an error to the second tunnel address about a packet as if it had gone from there (D79)',
    in: [2, 1].map((type) => {
      const quoted = ipv6({ src: SECOND, dst: G1, payload: down() }).slice(0, 2 * 1_232);
      const rest = (type === 2 ? '00000578' : '00000000') + quoted;
      return ipv6({ src: ROUTER, dst: SECOND, nextHeader: 58, payload: icmpv6(ROUTER, SECOND, type, 0, rest) });
    }),
    out: [],
    counters: { 'ipv6 icmp-error-mismatch': 2 },
  },
  {
    name: 'a quote that is longer or shorter than its inner packet makes it: nothing is learned of it (D79)',
    in: [
      error(2, 0, 1_280, toG1(ipv4({ src: INTERNET, dst: DEVICE, df: true }), { payloadLength: 65_535 })),
      error(2, 0, 1_280, toG1(small, { payloadLength: 1_460 })),
      error(2, 0, 1_280, toG1(down(), { payloadLength: 1_459 })),
      error(
        2,
        0,
        1_280,
        ipv6({ src: BR, dst: G1, nextHeader: 44, payload: `0400000112345678${small}`, payloadLength: 1_400 }),
      ),
      error(1, 0, 0, toG1(small, { payloadLength: 100 })),
      down(),
    ],
    out: [toG1(down())],
    counters: { 'ipv6 icmp-error-mismatch': 5, 'ipv4 forwarded': 1 },
  },
  {
    name: 'a wrong checksum, and an inner header that is none',
    in: [
      `${error(1, 0, 0, toG1(small)).slice(0, -2)}00`,
      error(1, 0, 0, toG1(ipv4({ src: INTERNET, dst: DEVICE, checksum: 1 }))),
      error(1, 0, 0, toG1(small, { nextHeader: 41 })),
    ],
    out: [],
    counters: { 'ipv6 icmp-not-relayed': 3 },
  },
  {
    name: 'generate-icmpv4-errors false: nothing is relayed',
    configuration: { 'icmp-policy': { 'icmpv4-errors': { 'generate-icmpv4-errors': false } } },
    in: [error(1, 0, 0, toG1(small))],
    out: [],
    counters: { 'ipv6 icmp-not-relayed': 1 },
  },
  {
    name: 'Packet Too Big 1400, inner DF: 3/4 with 1360 (D80)',
    in: [error(2, 0, 1_400, toG1(down()))],
    out: [relayed(4, 1_360, down())],
    counters: { 'ipv6 forwarded': 1 },
  },
  {
    name: 'Packet Too Big 1400, no DF: remembered, not relayed; the next packet is cut (D76, D80)',
    in: [error(2, 0, 1_400, toG1(down({ df: false }))), down({ df: false })],
    out: fragmentsOf(down({ df: false }), 1_352),
    counters: { 'ipv6 icmp-not-relayed': 1, 'ipv4 forwarded': 1 },
  },
  {
    name: 'Packet Too Big about the first of our fragments; about a later one nothing is known',
    in: [error(2, 0, 1_300, laterFragment), error(2, 0, 1_400, firstFragment), down()],
    out: [relayed(4, 1_360, down())],
    counters: { 'ipv6 icmp-not-relayed': 2, 'ipv4 too-big': 1 },
  },
  {
    name: 'less than 1280, more than what is known, more than the packet has: ignored (D77)',
    in: [
      error(2, 0, 777, toG1(down())),
      error(2, 0, 1_279, toG1(down())),
      error(2, 0, 9_000, toG1(down())),
      error(2, 0, 1_500, toG1(down())),
      error(2, 0, 1_400, toG1(small)),
      down(),
    ],
    out: [toG1(down())],
    counters: { 'ipv6 icmp-not-relayed': 5, 'ipv4 forwarded': 1 },
  },
]);

function fragmentsOf(inner: string, piece: number): string[] {
  const cut = (from: number, to: number, last: boolean): string => {
    const payload = inner.slice(2 * from, 2 * to);
    const header = `0400${(from | (last ? 0 : 1)).toString(16).padStart(4, '0')}00000000`;
    return ipv6({ src: BR, dst: G1, nextHeader: 44, payload: header + payload });
  };
  return [cut(0, piece, false), cut(piece, inner.length / 2, true)];
}

for (const [name, fields] of [
  ['from', { src: '203.0.113.255', dst: DEVICE }],
  ['to', { src: INTERNET, dst: '198.51.100.255' }],
] as const) {
  test(`about a packet ${name} the broadcast address of an own link: nothing (D88, RFC 1812 §4.3.2.7)`, async () => {
    const engine = await engineFor('aftr');
    engine.forwarding.setLinkAddresses([0xcb_00_71_ff, 0xc6_33_64_ff], []);
    assert.equal(engine.run([error(1, 0, 0, toG1(ipv4(fields)))]), []);
    assert.equal(packetCounts(engine.counters()), { 'ipv6 icmp-not-relayed': 1 });
    engine.forwarding.setLinkAddresses([], []);
    assert.equal(engine.run([error(1, 0, 0, toG1(ipv4(fields)))]).length, 1);
  });
}

test('4/0 about the first fragment that this AFTR itself has sent, at its encapsulation limit: 3/1 (D86)', async () => {
  const engine = await engineFor('aftr', { 'encapsulation-limit': 0, 'softwire-payload-mtu': 1_248 });
  const big = ipv4({ src: INTERNET, dst: DEVICE, payload: udp(1_400) });
  const [first = ''] = engine.run([big]);
  assert.is(first.slice(2 * 48, 2 * 52), '04000401', 'the option behind the fragment header');
  assert.equal(engine.run([error(4, 0, 52, first)]), [relayed(1, 0, big)]);
});

/** Sizes of packets with DF that go to an end device whole. */
function passes(engine: EngineUnderTest, dst: string, total: number, nowMs = 0): boolean {
  const [out = ''] = engine.run([down({ dst, payload: udp(total - 28) })], nowMs);
  return out.startsWith('6');
}

test('Packet Too Big holds for one gateway, every binding of it, and no other (D76)', async () => {
  const engine = await engineFor('aftr');
  engine.run([error(2, 0, 1_400, toG1(down()))]);
  assert.ok(passes(engine, DEVICE, 1_360));
  assert.not(passes(engine, DEVICE, 1_361));
  assert.not(passes(engine, '198.51.100.11', 1_361));
  assert.ok(passes(engine, OTHER, 1_460), 'the other gateway');
  assert.ok(passes(engine, '198.51.102.5', 1_460), 'the other tunnel address');
});

test('it only falls, however the reports come (D77)', async () => {
  const engine = await engineFor('aftr');
  for (const [mtu, payloadMtu] of [
    [1_450, 1_410],
    [1_300, 1_260],
    [1_400, 1_260],
    [1_280, 1_240],
  ] as const) {
    engine.run([error(2, 0, mtu, toG1(down()))]);
    assert.ok(passes(engine, DEVICE, payloadMtu), `${mtu}`);
    assert.not(passes(engine, DEVICE, payloadMtu + 1), `${mtu}`);
  }
});

test('a configured payload MTU below what is learned stays', async () => {
  const engine = await engineFor('aftr', { 'softwire-payload-mtu': 1_000 });
  assert.equal(engine.run([error(2, 0, 1_280, toG1(down()))]), [relayed(4, 1_000, down())]);
  assert.not(passes(engine, DEVICE, 1_001));
});

for (const [minutes, configuration] of [
  [10, {}],
  [5, { 'path-mtu-lifetime': 5 }],
  [1_440, { 'path-mtu-lifetime': 1_440 }],
] as const) {
  test(`it is forgotten after ${minutes} minutes (D78)`, async () => {
    const engine = await engineFor('aftr', configuration);
    const lifetime = minutes * 60_000;
    engine.run([error(2, 0, 1_400, toG1(down()))], 1_000);
    assert.equal(engine.forwarding.learned(1_000)[0]?.pathMtus, [{ remote: G1, mtu: 1_400 }]);
    assert.not(passes(engine, DEVICE, 1_460, lifetime + 900));
    assert.ok(passes(engine, DEVICE, 1_460, lifetime + 1_000));
    assert.equal(engine.forwarding.learned(lifetime + 1_000)[0]?.pathMtus, []);
    engine.forwarding.age(lifetime + 1_000);
    engine.run([error(2, 0, 1_440, toG1(down()))], lifetime + 2_000);
    assert.ok(passes(engine, DEVICE, 1_400, lifetime + 2_000));
  });
}

test('it outlives a change of the configuration, not the end of its tunnel address', async () => {
  const engine = await engineFor('aftr');
  engine.run([error(2, 0, 1_400, toG1(down()))], performance.now());
  const bindings = [['198.51.100.0/24', G1]] as const;
  const base = { name: 'br', 'ipv6-address': BR, 'ipv4-pool': ['198.51.100.0/22'], 'ipv4-address': '203.0.113.1' };
  await engine.configure([{ ...base, 'hop-limit': 9 }], bindings);
  assert.not(passes(engine, DEVICE, 1_400, performance.now()));
  await engine.configure([{ ...base, enabled: false }], bindings);
  await engine.configure([base], bindings);
  assert.ok(passes(engine, DEVICE, 1_400, performance.now()));
});

test('hairpinned packets obey what is known of the second tunnel', async () => {
  const engine = await engineFor('aftr');
  engine.run([error(2, 0, 1_400, toG1(down()))]);
  const big = ipv4({ src: OTHER, dst: DEVICE, df: true, payload: udp(1_400) });
  const answer = relayed(4, 1_360, big, OTHER);
  assert.equal(engine.run([ipv6({ src: G2, dst: BR, payload: big })]), [
    ipv6({ src: BR, dst: G2, trafficClass: 0xc0, payload: answer }),
  ]);
});

test('relayed errors are limited like all ICMPv4 errors, and counted', async () => {
  const engine = await engineFor('aftr');
  const flood = new Array<string>(50).fill(error(1, 0, 0, toG1(small)));
  assert.is(engine.run(flood).length, 10);
  assert.equal(engine.counters()[0]?.icmpv4Errors, { sent: 10, suppressed: 40 });
  assert.equal(packetCounts(engine.counters()), { 'ipv6 forwarded': 10, 'ipv6 icmp-not-relayed': 40 });
});

// The gateway -----------------------------------------------------------------------------------------------------------

const up = ipv4({ src: DEVICE, dst: INTERNET });
const fromGateway = ipv6({ src: G1, dst: BR, payload: up });

function errorToGateway(type: number, code: number, parameter: number, quoted: string, src: string): string {
  const rest = parameter.toString(16).padStart(8, '0') + quoted.slice(0, 2 * (1_280 - 48));
  return ipv6({ src, dst: G1, nextHeader: 58, payload: icmpv6(src, G1, type, code, rest) });
}

function relayedByGateway(code: number, mtu: number, about: string): string {
  const rest = mtu.toString(16).padStart(8, '0') + about.slice(0, 2 * (576 - 28));
  const payload = icmpv4(3, code, rest);
  return ipv4({ src: '198.51.100.1', dst: DEVICE, tos: 0xc0, id: 0, df: true, protocol: 1, payload });
}

addCases(test, 'gateway', [
  {
    name: 'the AFTR refuses the source: the end device learns it (D26, D83)',
    in: [errorToGateway(1, 5, 0, fromGateway, BR)],
    out: [relayedByGateway(1, 0, up)],
    counters: { 'ipv6 forwarded': 1 },
  },
  {
    name: 'a stranger refuses the source: ignored (D26)',
    in: [errorToGateway(1, 5, 0, fromGateway, ROUTER)],
    out: [],
    counters: { 'ipv6 icmp-error-mismatch': 1 },
  },
  {
    name: 'a router reports no route: relayed (D83)',
    in: [errorToGateway(1, 0, 0, fromGateway, ROUTER)],
    out: [relayedByGateway(1, 0, up)],
    counters: { 'ipv6 forwarded': 1 },
  },
  {
    name: "about a packet to an address that is no host's: nothing (D88)",
    in: ['224.0.0.9', '127.0.0.1', '0.0.0.1', '255.255.255.255'].map((dst) =>
      errorToGateway(1, 0, 0, ipv6({ src: G1, dst: BR, payload: ipv4({ src: DEVICE, dst }) }), ROUTER),
    ),
    out: [],
    counters: { 'ipv6 icmp-not-relayed': 4 },
  },
  {
    name: 'quotes of another source, another AFTR, an unserved address (D79)',
    in: [
      errorToGateway(1, 0, 0, ipv6({ src: G2, dst: BR, payload: up }), ROUTER),
      errorToGateway(1, 0, 0, ipv6({ src: G1, dst: '2001:db8:b::2', payload: up }), ROUTER),
      errorToGateway(1, 0, 0, ipv6({ src: G1, dst: BR, payload: ipv4({ src: OTHER, dst: INTERNET }) }), ROUTER),
    ],
    out: [],
    counters: { 'ipv6 icmp-error-mismatch': 3 },
  },
]);

test('a gateway remembers who of its end devices was refused, and when (D26)', async () => {
  const engine = await engineFor('gateway');
  assert.is(engine.forwarding.learned(0)[0]?.sourceRefusal, undefined);
  const other = ipv6({ src: G1, dst: BR, payload: ipv4({ src: '198.51.100.44', dst: INTERNET }) });
  engine.run([errorToGateway(1, 5, 0, fromGateway, BR), errorToGateway(1, 5, 0, fromGateway, ROUTER)], 1_000);
  engine.run([errorToGateway(1, 5, 0, other, BR)], 5_000);
  const before = Date.now();
  const refusal = engine.forwarding.learned(65_000)[0]?.sourceRefusal;
  assert.equal([refusal?.packets, refusal?.lastIpv4Source], [2, '198.51.100.44']);
  const ago = before - Date.parse(refusal?.lastTime ?? '');
  assert.ok(ago > 59_000 && ago <= 60_000, `${ago} ms ago`);
  const observed = () => engine.forwarding.observe().instances[0]?.refusal;
  assert.equal(observed(), { packets: 2, innerSource: '198.51.100.44' }, 'what the event is made of');
  engine.forwarding.clearStatistics('gw');
  assert.equal([engine.forwarding.learned(65_000)[0]?.sourceRefusal, observed()], [undefined, undefined]);
  engine.run([errorToGateway(1, 5, 0, fromGateway, BR)], 66_000);
  assert.equal(observed(), { packets: 1, innerSource: DEVICE });
});

test('a gateway learns the path MTU to its AFTR (D76)', async () => {
  const engine = await engineFor('gateway');
  const big = ipv4({ src: DEVICE, dst: INTERNET, df: true, payload: udp(1_432) });
  const tooBig = errorToGateway(2, 0, 1_280, ipv6({ src: G1, dst: BR, payload: big }), ROUTER);
  assert.equal(engine.run([tooBig]), [relayedByGateway(4, 1_240, big)]);
  assert.equal(engine.run([big]), [relayedByGateway(4, 1_240, big)]);
  assert.equal(engine.forwarding.learned(0)[0]?.pathMtus, [{ remote: BR, mtu: 1_280 }]);
});

// What is let in --------------------------------------------------------------------------------------------------------

const echo = icmpv4(8, 0, '00070001cafe');
const DENY = { 'icmp-policy': { 'icmpv4-errors': { 'allow-incoming-icmpv4': false } } };

addCases(test, 'aftr', [
  {
    name: 'allow-incoming-icmpv4 false: ICMP from the Internet ends, to the AFTR itself too; the rest passes (D98)',
    configuration: DENY,
    in: [
      ipv4({ src: INTERNET, dst: DEVICE, protocol: 1, payload: echo }),
      ipv4({ src: INTERNET, dst: DEVICE, protocol: 1, payload: echo, options: '01010101' }),
      ipv4({ src: INTERNET, dst: '203.0.113.1', protocol: 1, payload: echo }),
      small,
    ],
    out: [toG1(small)],
    counters: { 'ipv4 icmp-denied': 3, 'ipv4 forwarded': 1 },
  },
  {
    name: 'allow-incoming-icmpv4 false: ICMP from end devices passes (D98)',
    configuration: DENY,
    in: [ipv6({ src: G1, dst: BR, payload: ipv4({ src: DEVICE, dst: INTERNET, protocol: 1, payload: echo }) })],
    out: [ipv4({ src: DEVICE, dst: INTERNET, protocol: 1, payload: echo })],
    counters: { 'ipv6 forwarded': 1 },
  },
  ...[0, 3, 5, 8, 11, 12, 13].map((type) => ({
    name: `ICMP type ${type} to and from a whole address (D101)`,
    in: [
      ipv4({ src: INTERNET, dst: DEVICE, protocol: 1, payload: icmpv4(type, 0, `00010002${up}`) }),
      ipv6({
        src: G1,
        dst: BR,
        payload: ipv4({ src: DEVICE, dst: INTERNET, protocol: 1, payload: icmpv4(type, 0, `00010002${small}`) }),
      }),
    ],
    out: [
      toG1(ipv4({ src: INTERNET, dst: DEVICE, protocol: 1, payload: icmpv4(type, 0, `00010002${up}`) })),
      ipv4({ src: DEVICE, dst: INTERNET, protocol: 1, payload: icmpv4(type, 0, `00010002${small}`) }),
    ],
    counters: { 'ipv4 forwarded': 1, 'ipv6 forwarded': 1 },
  })),
]);

addCases(test, 'gateway', [
  {
    name: 'allow-incoming-icmpv4 false at a gateway: ICMP out of the tunnel ends, ICMP into it passes (D98)',
    configuration: DENY,
    in: [
      ipv6({ src: BR, dst: G1, payload: ipv4({ src: INTERNET, dst: DEVICE, protocol: 1, payload: echo }) }),
      ipv6({ src: BR, dst: G1, payload: small }),
      ipv4({ src: DEVICE, dst: INTERNET, protocol: 1, payload: echo }),
    ],
    out: [small, ipv6({ src: G1, dst: BR, payload: ipv4({ src: DEVICE, dst: INTERNET, protocol: 1, payload: echo }) })],
    counters: { 'ipv6 icmp-denied': 1, 'ipv6 forwarded': 1, 'ipv4 forwarded': 1 },
  },
]);

test.run();
