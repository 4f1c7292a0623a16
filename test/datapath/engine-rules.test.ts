import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { AFTR, addCases, BINDINGS, EngineUnderTest, engineFor, GATEWAY, packetCounts } from '../helpers/engine-case.ts';
import type { Ipv4Fields, Ipv6Fields } from '../helpers/packets.ts';
import { icmpv4, ipv4, ipv6, udp } from '../helpers/packets.ts';

/** Rules that hold at both roles and in both directions, each with the packets of its row. */
const test = suite('engine-rules');

const DEVICE = '198.51.100.10';
const INTERNET = '203.0.113.80';
const up = { src: DEVICE, dst: INTERNET };
const down = { src: INTERNET, dst: DEVICE };
const G1 = '2001:db8:a::1';
const BR = '2001:db8:b::1';

const upwards = (payload: string, more: Ipv6Fields = {}): string => ipv6({ src: G1, dst: BR, payload, ...more });
const downwards = (payload: string, more: Ipv6Fields = {}): string => ipv6({ src: BR, dst: G1, payload, ...more });

type Way = (fields: Ipv4Fields) => readonly [packet: string, expected: string];

/** The four ways through the two roles: what goes in and what comes out for a packet of these fields. */
const WAYS: readonly (readonly ['gateway' | 'aftr', 'encapsulates' | 'decapsulates', Way])[] = [
  [
    'gateway',
    'encapsulates',
    (fields: Ipv4Fields) => [ipv4({ ...up, ...fields }), upwards(ipv4({ ...up, ...fields }))],
  ],
  [
    'gateway',
    'decapsulates',
    (fields: Ipv4Fields) => [downwards(ipv4({ ...down, ...fields })), ipv4({ ...down, ...fields })],
  ],
  [
    'aftr',
    'encapsulates',
    (fields: Ipv4Fields) => [ipv4({ ...down, ...fields }), downwards(ipv4({ ...down, ...fields }))],
  ],
  ['aftr', 'decapsulates', (fields: Ipv4Fields) => [upwards(ipv4({ ...up, ...fields })), ipv4({ ...up, ...fields })]],
];

const RECORD_ROUTE = '070704c0000201'.padEnd(16, '0');
const TIMESTAMP = '440c0501c000020100000000';
const ROUTER_ALERT = '94040000';
const LOOSE = '83070408080808'.padEnd(16, '0');
const STRICT = '89070408080808'.padEnd(16, '0');

for (const [role, does, way] of WAYS) {
  const through = async (fields: Ipv4Fields, configuration = {}): Promise<readonly [string[], string]> => {
    const engine = await engineFor(role, configuration);
    const [packet, expected] = way(fields);
    return [engine.run([packet]), expected];
  };

  for (const protocol of [1, 6, 47, 50, 132, 253]) {
    test(`${role} ${does}: protocol ${protocol} is carried (D17)`, async () => {
      const [out, expected] = await through({ protocol, payload: icmpv4(8, 0, '00010001') });
      assert.equal(out, [expected]);
    });
  }

  for (const [name, options] of [
    ['record route', RECORD_ROUTE],
    ['timestamp', TIMESTAMP],
    ['router alert', ROUTER_ALERT],
  ] as const) {
    test(`${role} ${does}: option ${name} passes (D16)`, async () => {
      const [out, expected] = await through({ options });
      assert.equal(out, [expected]);
    });
  }

  for (const options of [LOOSE, STRICT]) {
    test(`${role} ${does}: a source route is dropped, or passes where it may (D16)`, async () => {
      assert.equal((await through({ options }))[0], []);
      const [out, expected] = await through({ options }, { 'source-route-options': 'forward' });
      assert.equal(out, [expected]);
    });
  }

  test(`${role} ${does}: the pieces of a fragmented packet one by one, unmodified (D71)`, async () => {
    const pieces = [
      { id: 0x4242, mf: true, payload: udp(16) },
      { id: 0x4242, mf: true, offset: 3, payload: 'ee'.repeat(24) },
      { id: 0x4242, offset: 6, payload: 'dd'.repeat(5) },
    ].map(way);
    const engine = await engineFor(role);
    assert.equal(
      engine.run(pieces.map(([packet]) => packet)),
      pieces.map(([, expected]) => expected),
    );
  });

  for (const [name, fields, end] of [
    ['source', { src: '192.0.2.255' }, 'martian-ipv4-source'],
    ['destination', { dst: '192.0.2.255' }, 'martian-ipv4-destination'],
    ['source, a subnet of length 30', { src: '192.0.2.7' }, 'martian-ipv4-source'],
  ] as const) {
    test(`${role} ${does}: the broadcast address of an own link as ${name} (D14, D41)`, async () => {
      const engine = await engineFor(role);
      engine.forwarding.setLinkAddresses([0xc0_00_02_07, 0xc0_00_02_ff], []);
      const [packet] = way(fields);
      assert.equal(engine.run([packet]), []);
      const side = does === 'encapsulates' ? 'ipv4' : 'ipv6';
      assert.equal(packetCounts(engine.counters()), { [`${side} ${end}`]: 1 });
    });
  }

  test(`${role} ${does}: an address that is no broadcast any more is a host again`, async () => {
    const engine = await engineFor(role);
    engine.forwarding.setLinkAddresses([0xcb_00_71_50], []);
    const [packet, expected] = way({});
    assert.equal(engine.run([packet]), []);
    engine.forwarding.setLinkAddresses([], []);
    assert.equal(engine.run([packet]), [expected]);
  });
}

for (const [role, own, tunnelled, other] of [
  ['gateway', 0xcb_00_71_50, downwards(ipv4(down)), ipv4({ ...up, src: '198.51.100.11' })],
  ['aftr', 0xc6_33_64_0a, upwards(ipv4(up)), ipv4(down)],
] as const) {
  test(`${role}: an address of the device itself is no inner source (D41)`, async () => {
    const engine = await engineFor(role);
    engine.forwarding.setLinkAddresses([], [own, 0x0a_00_00_01, 0xfe_00_00_01]);
    assert.equal(engine.run([tunnelled]), []);
    assert.equal(packetCounts(engine.counters()), { 'ipv6 martian-ipv4-source': 1 });
    assert.is(engine.run([other]).length, 1, 'what the device itself sends into the tunnel');
    engine.forwarding.setLinkAddresses([], [0x0a_00_00_01]);
    assert.is(engine.run([tunnelled]).length, 1);
  });
}

const NO_ICMPV6_ERRORS = { 'icmp-policy': { 'icmpv6-errors': { 'generate-icmpv6-errors': false } } };

for (const [role, configuration, packets] of [
  ['gateway', { 'served-prefix': [] }, [ipv4(up), downwards(ipv4(down))]],
  ['aftr', {}, [ipv4(down), upwards(ipv4(up))]],
] as const) {
  test(`${role}: an empty table with traffic: all of it is dropped (D143)`, async () => {
    const engine = new EngineUnderTest(role);
    const silent = { 'ipv4-address': undefined, ...NO_ICMPV6_ERRORS };
    await engine.configure([{ ...(role === 'gateway' ? GATEWAY : AFTR), ...configuration, ...silent }]);
    for (let round = 0; round < 50; round++) {
      assert.equal(engine.run(Array.from({ length: 64 }, (_, k) => packets[k % 2] ?? '')), []);
    }
    const reason = role === 'gateway' ? 'outside-served-prefix' : 'no-binding';
    assert.equal(packetCounts(engine.counters()), { [`ipv4 ${reason}`]: 1_600, [`ipv6 ${reason}`]: 1_600 });
  });
}

const lastHop = ipv4({ ...down, ttl: 1 });
const echo = icmpv4(8, 0, `00070001${'61'.repeat(32)}`);
const echoReply = icmpv4(0, 0, `00070001${'61'.repeat(32)}`);
const timeExceeded = ipv4({
  src: '198.51.100.1',
  dst: INTERNET,
  tos: 0xc0,
  id: 0,
  df: true,
  protocol: 1,
  payload: icmpv4(11, 0, `00000000${lastHop}`),
});

addCases(test, 'gateway', [
  {
    name: 'TTL 1 out of the tunnel: time exceeded, back through the tunnel (D28)',
    in: [downwards(lastHop)],
    out: [upwards(timeExceeded, { trafficClass: 0xc0 })],
    counters: { 'ipv6 ttl-expired': 1 },
  },
  {
    name: 'echo with TTL 1 to the own address, from either side, is answered (D5, D43, D103)',
    in: [
      downwards(ipv4({ src: INTERNET, dst: '198.51.100.1', ttl: 1, protocol: 1, payload: echo })),
      ipv4({ src: DEVICE, dst: '198.51.100.1', ttl: 1, protocol: 1, payload: echo }),
    ],
    out: [
      upwards(ipv4({ src: '198.51.100.1', dst: INTERNET, protocol: 1, payload: echoReply })),
      ipv4({ src: '198.51.100.1', dst: DEVICE, protocol: 1, payload: echoReply }),
    ],
    counters: { 'ipv6 replied': 1, 'ipv4 replied': 1 },
  },
  {
    name: 'anything else to the own address out of the tunnel is for the kernel, TTL 1 too (D5, D43)',
    in: [downwards(ipv4({ src: INTERNET, dst: '198.51.100.1', ttl: 1 }))],
    out: [ipv4({ src: INTERNET, dst: '198.51.100.1', ttl: 1 })],
    counters: { 'ipv6 forwarded': 1 },
  },
  {
    name: 'the tunnel ends themselves: own IPv4, and IPv6 between the ends, are not encapsulated (D52)',
    configuration: NO_ICMPV6_ERRORS,
    in: [
      ipv4({ src: DEVICE, dst: '198.51.100.1' }),
      upwards(ipv4(up)),
      ipv6({ src: G1, dst: G1, payload: ipv4(down) }),
      downwards(downwards(ipv4(down)), { nextHeader: 41 }),
    ],
    out: [],
    counters: {
      'ipv4 martian-ipv4-destination': 1,
      'ipv6 not-for-us': 1,
      'ipv6 wrong-aftr': 1,
      'ipv6 unsupported-next-header': 1,
    },
  },
]);

addCases(test, 'aftr', [
  {
    name: 'the tunnel ends themselves: own IPv4, and IPv6 between the ends, are not encapsulated (D52)',
    configuration: NO_ICMPV6_ERRORS,
    in: [
      ipv4({ src: INTERNET, dst: '203.0.113.1' }),
      downwards(ipv4(down)),
      ipv6({ src: BR, dst: BR, payload: ipv4(up) }),
      upwards(upwards(ipv4(up)), { nextHeader: 41 }),
    ],
    out: [],
    counters: {
      'ipv4 martian-ipv4-destination': 1,
      'ipv6 not-for-us': 1,
      'ipv6 source-mismatch': 1,
      'ipv6 unsupported-next-header': 1,
    },
  },
]);

test('hairpinning is switched in a running engine (D46)', async () => {
  const engine = new EngineUnderTest('aftr');
  const packet = upwards(ipv4({ src: DEVICE, dst: '198.51.101.20' }));
  const ends: (string | number)[] = [];
  for (const isOn of [true, false, true]) {
    await engine.configure([{ ...AFTR, 'enable-hairpinning': isOn }], BINDINGS);
    ends.push(engine.run([packet]).length);
  }
  assert.equal(ends, [1, 0, 1]);
  assert.equal(packetCounts(engine.counters()), { 'ipv6 hairpinned': 2, 'ipv6 hairpin-disabled': 1 });
});

/** RFC 1812 §4.3.2.7, each beside a packet to the same unbound address that is answered. */
const unbound = { src: INTERNET, dst: '198.51.103.9' };
const silent = [
  ['an ICMP error', { protocol: 1, payload: icmpv4(3, 3, `00000000${ipv4({})}`) }],
  ['an ICMP redirect', { protocol: 1, payload: icmpv4(5, 0, `0a000001${ipv4({})}`) }],
  ['a fragment that is not the first', { offset: 5 }],
  ['a destination that is broadcast', { dst: '255.255.255.255' }],
  ['a destination that is the broadcast of an own link', { dst: '203.0.113.255' }],
  ['a destination that is multicast', { dst: '224.0.0.9' }],
  ['a source that is multicast', { src: '224.0.0.9' }],
  ['a source that is broadcast', { src: '255.255.255.255' }],
  ['a source that is loopback', { src: '127.0.0.1' }],
  ['a source that is zero', { src: '0.0.0.0' }],
  ['a source of class E', { src: '240.1.2.3' }],
  ['a source that is the broadcast of an own link', { src: '203.0.113.255' }],
] as const;
for (const [name, fields] of silent) {
  test(`no ICMP error about ${name} (D92)`, async () => {
    const engine = await engineFor('aftr');
    engine.forwarding.setLinkAddresses([0xcb_00_71_ff], []);
    assert.equal(engine.run([ipv4({ ...unbound, ...fields })]), []);
    assert.is(engine.run([ipv4(unbound)]).length, 1);
  });
}

test.run();
