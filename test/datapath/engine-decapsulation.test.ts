import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { addCases, EngineUnderTest, engineFor, GATEWAY, packetCounts } from '../helpers/engine-case.ts';
import { icmpv6, ipv4, ipv6, udp } from '../helpers/packets.ts';

const test = suite('engine-decapsulation');

const DEVICE = '198.51.100.10';
const INTERNET = '203.0.113.80';
const up = { src: DEVICE, dst: INTERNET };
const down = { src: INTERNET, dst: DEVICE };

/** Errors about what is dropped are in engine-icmpv6-errors.test.ts. */
const SILENT = { 'icmp-policy': { 'icmpv6-errors': { 'generate-icmpv6-errors': false } } };

function fromGateway(payload: string, more: Parameters<typeof ipv6>[0] = {}): string {
  return ipv6({ src: '2001:db8:a::1', dst: '2001:db8:b::1', payload, ...more });
}

function fromAftr(payload: string, more: Parameters<typeof ipv6>[0] = {}): string {
  return ipv6({ src: '2001:db8:b::1', dst: '2001:db8:a::1', payload, ...more });
}

addCases(test, 'aftr', [
  {
    name: 'a packet of a bound source goes out, TTL and all else untouched (D27, D29, D44)',
    in: [fromGateway(ipv4({ ...up, id: 7, df: true }), { hopLimit: 3 })],
    out: [ipv4({ ...up, id: 7, df: true })],
    counters: { 'ipv6 forwarded': 1 },
  },
  {
    name: 'the right inner source from another gateway (D22, D24)',
    configuration: SILENT,
    in: [fromGateway(ipv4(up), { src: '2001:db8:a::2' }), fromGateway(ipv4(up), { src: '2001:db8:a::99' })],
    out: [],
    counters: { 'ipv6 source-mismatch': 2 },
  },
  {
    name: 'the longest binding also decides whom a source belongs to (D107)',
    configuration: SILENT,
    in: [
      fromGateway(ipv4({ ...up, src: '198.51.100.77' })),
      fromGateway(ipv4({ ...up, src: '198.51.100.77' }), { src: '2001:db8:a::2' }),
    ],
    out: [ipv4({ ...up, src: '198.51.100.77' })],
    counters: { 'ipv6 source-mismatch': 1, 'ipv6 forwarded': 1 },
  },
  {
    name: 'an unbound inner source (D25)',
    configuration: SILENT,
    in: [fromGateway(ipv4({ ...up, src: '198.51.103.1' })), fromGateway(ipv4({ ...up, src: '8.8.8.8' }))],
    out: [],
    counters: { 'ipv6 no-binding': 2 },
  },
  {
    name: 'the other tunnel address of the AFTR than that of the binding (D23)',
    in: [fromGateway(ipv4(up), { dst: '2001:db8:b::2' })],
    out: [],
    counters: { 'ipv6 endpoint-mismatch': 1 },
  },
  {
    name: 'a binding with an AFTR address of its own, through that address',
    in: [fromGateway(ipv4({ ...up, src: '198.51.102.5' }), { src: '2001:db8:a::3', dst: '2001:db8:b::2' })],
    out: [ipv4({ ...up, src: '198.51.102.5' })],
    counters: { 'ipv6 forwarded': 1 },
  },
  {
    name: 'an IPv6 destination that is no tunnel address (D20)',
    in: [fromGateway(ipv4(up), { dst: '2001:db8:b::3' })],
    out: [],
    counters: { 'ipv6 not-for-us': 1 },
  },
  {
    name: 'octets after the inner packet are trimmed; too few are malformed (D39)',
    in: [fromGateway(`${ipv4(up)}${'00'.repeat(8)}`), fromGateway(ipv4(up).slice(0, -16))],
    out: [ipv4(up)],
    counters: { 'ipv6 forwarded': 1, 'ipv6 malformed-ipv4': 1 },
  },
  {
    name: 'octets after the outer packet are trimmed',
    in: [`${fromGateway(ipv4(up))}ffff`],
    out: [ipv4(up)],
    counters: { 'ipv6 forwarded': 1 },
  },
  {
    name: 'next header 4 but no IPv4 behind it (D40)',
    in: [
      fromGateway(ipv4({ ...up, versionIhl: 0x65 })),
      fromGateway(ipv4({ ...up, versionIhl: 0x44 })),
      fromGateway(ipv4({ ...up, checksum: 1 })),
      fromGateway(''),
      fromGateway('45000014'),
    ],
    out: [],
    counters: { 'ipv6 malformed-ipv4': 5 },
  },
  {
    name: 'an outer packet that is not whole',
    in: [fromGateway(ipv4(up)).slice(0, 78), fromGateway(ipv4(up), { payloadLength: 100 }), '60'],
    out: [],
    counters: { 'ipv6 malformed-ipv6': 3 },
  },
  {
    name: 'martian inner sources, the address of the AFTR itself among them (D41)',
    in: ['0.1.2.3', '127.0.0.1', '169.254.0.1', '224.0.0.1', '255.255.255.255', '203.0.113.1'].map((src) =>
      fromGateway(ipv4({ ...up, src })),
    ),
    out: [],
    counters: { 'ipv6 martian-ipv4-source': 6 },
  },
  {
    name: 'martian inner destinations',
    in: ['0.1.2.3', '127.0.0.1', '169.254.169.254', '224.0.0.1', '255.255.255.255'].map((dst) =>
      fromGateway(ipv4({ ...up, dst })),
    ),
    out: [],
    counters: { 'ipv6 martian-ipv4-destination': 5 },
  },
  {
    name: 'what stands beside link-local IPv4 is carried',
    in: ['169.253.255.255', '169.255.0.0'].map((dst) => fromGateway(ipv4({ ...up, dst }))),
    out: ['169.253.255.255', '169.255.0.0'].map((dst) => ipv4({ ...up, dst })),
    counters: { 'ipv6 forwarded': 2 },
  },
  {
    name: 'an inner source route',
    in: [fromGateway(ipv4({ ...up, options: '8303040001010101'.slice(0, 16) }))],
    out: [],
    counters: { 'ipv6 source-route-option': 1 },
  },
  {
    name: 'martian outer sources (D42)',
    in: ['ff02::1', 'ff00::1', '::', '::1', 'fe80::1', 'fe90::1', 'febf::1'].map((src) =>
      fromGateway(ipv4(up), { src }),
    ),
    out: [],
    counters: { 'ipv6 martian-outer-source': 7 },
  },
  {
    name: 'what stands beside link-local and multicast is no martian, but nobody either (D42)',
    configuration: SILENT,
    in: ['fe7f::1', 'fec0::1', 'feff::1', '::2'].map((src) => fromGateway(ipv4(up), { src })),
    out: [],
    counters: { 'ipv6 source-mismatch': 4 },
  },
  {
    name: 'other next headers (D38)',
    configuration: SILENT,
    in: [41, 47, 59, 253].map((nextHeader) => fromGateway(ipv4(up), { nextHeader })),
    out: [],
    counters: { 'ipv6 unsupported-next-header': 4 },
  },
  {
    name: 'an atomic fragment is a whole packet (D63)',
    in: [fromGateway(`0400000012345678${ipv4(up)}`, { nextHeader: 44 })],
    out: [ipv4(up)],
    counters: { 'ipv6 forwarded': 1 },
  },
  {
    name: 'what the fragment header of an atomic fragment reserves is ignored (D63)',
    in: ['0400000612345678', '0400000212345678', '0400000412345678', '04ff000012345678', '04ff000612345678'].map(
      (header) => fromGateway(`${header}${ipv4(up)}`, { nextHeader: 44 }),
    ),
    out: Array.from({ length: 5 }, () => ipv4(up)),
    counters: { 'ipv6 forwarded': 5 },
  },
  {
    name: 'a packet to the own address of the AFTR is for the kernel',
    in: [fromGateway(ipv4({ ...up, dst: '203.0.113.1', ttl: 1 }))],
    out: [ipv4({ ...up, dst: '203.0.113.1', ttl: 1 })],
    counters: { 'ipv6 forwarded': 1 },
  },
]);

addCases(test, 'gateway', [
  {
    name: 'a packet from the AFTR to a served address goes out',
    in: [fromAftr(ipv4(down))],
    out: [ipv4(down)],
    counters: { 'ipv6 forwarded': 1 },
  },
  {
    name: 'an outer source that is not the AFTR (D19)',
    in: [fromAftr(ipv4(down), { src: '2001:db8:b::2' }), fromAftr(ipv4(down), { src: '2001:db8:a::2' })],
    out: [],
    counters: { 'ipv6 wrong-aftr': 2 },
  },
  {
    name: 'an inner destination outside the served prefixes (D21)',
    in: [fromAftr(ipv4({ ...down, dst: '198.51.101.0' })), fromAftr(ipv4({ ...down, dst: '198.51.99.255' }))],
    out: [],
    counters: { 'ipv6 outside-served-prefix': 2 },
  },
  {
    name: 'an inner source behind this very gateway',
    in: [fromAftr(ipv4({ src: '198.51.100.200', dst: DEVICE }))],
    out: [],
    counters: { 'ipv6 loop-prevented': 1 },
  },
]);

test('a gateway takes no packet through its own tunnel for a prefix of another gateway of the device (D21)', async () => {
  const engine = new EngineUnderTest('gateway');
  const other = {
    ...GATEWAY,
    name: 'g2',
    'ipv6-address': '2001:db8:a::2',
    'ipv4-address': '198.51.101.1',
    'served-prefix': [{ 'ipv4-prefix': '198.51.101.0/24' }],
  };
  await engine.configure([GATEWAY, other]);
  const inner = ipv4({ ...down, dst: '198.51.101.20' });
  assert.equal(engine.run([fromAftr(inner), fromAftr(inner, { dst: '2001:db8:a::2' })]), [inner]);
  assert.equal(
    engine.counters().map((instance) => packetCounts([instance])),
    [{ 'ipv6 endpoint-mismatch': 1 }, { 'ipv6 forwarded': 1 }],
  );
});

const headers = [
  ['Linux: destination options with encapsulation limit 4 and PadN (D34)', '0400040104010100', 60, 'forwarded'],
  ['hop-by-hop with PadN (D35)', '0400010400000000', 0, 'forwarded'],
  ['hop-by-hop with Pad1 only', '0400000000000000', 0, 'forwarded'],
  ['62 Pad1 and an option: 64 with their header', `0408${'00'.repeat(62)}0106${'00'.repeat(6)}`, 60, 'forwarded'],
  ['63 Pad1 and an option', `0408${'00'.repeat(63)}0105${'00'.repeat(5)}`, 60, 'extension-header-limit'],
  ['Pad1 in hundreds, then one that is unknown', `04ff${'00'.repeat(2_040)}de0400000000`, 60, 'extension-header-limit'],
  ['options without data in hundreds', `04ff${'0100'.repeat(1_023)}`, 60, 'extension-header-limit'],
  ['32 headers with an option each', `${'3c00010400000000'.repeat(31)}0400010400000000`, 60, 'forwarded'],
  ['one more', `${'3c00010400000000'.repeat(32)}0400010400000000`, 60, 'extension-header-limit'],
  ['64 routing headers', `${'2b00000000000000'.repeat(63)}0400000000000000`, 43, 'forwarded'],
  ['65 routing headers', `${'2b00000000000000'.repeat(64)}0400000000000000`, 43, 'extension-header-limit'],
  ['six Pad1, then an option longer than its header', '040100000000000001070000000000ff', 60, 'malformed-ipv6'],
  ['two extension headers', '3c000104000000000400010400000000', 0, 'forwarded'],
  ['routing header with no segment left (D35)', '0400000000000000', 43, 'forwarded'],
  ['routing header type 0 with a segment left (D37)', '0400000100000000', 43, 'routing-header'],
  ['routing header type 4 with segments left', '0400040200000000', 43, 'routing-header'],
  ['unknown option, action 00: skipped (D36)', '04001e0400000000', 60, 'forwarded'],
  ['unknown option, action 01: dropped (D36)', '04005e0400000000', 60, 'unknown-destination-option'],
  ['unknown option, action 10: dropped (D36)', '04009e0400000000', 60, 'unknown-destination-option'],
  ['unknown option, action 11: dropped (D36)', '0400de0400000000', 60, 'unknown-destination-option'],
  ['an option longer than its header', '0400010500000000', 60, 'malformed-ipv6'],
  ['a header longer than the packet', '04ff010400000000', 60, 'malformed-ipv6'],
] as const;
for (const [name, header, nextHeader, end] of headers) {
  test(`aftr: ${name}`, async () => {
    const engine = await engineFor('aftr', SILENT);
    const out = engine.run([fromGateway(header + ipv4(up), { nextHeader })]);
    assert.equal(out, end === 'forwarded' ? [ipv4(up)] : []);
    assert.equal(packetCounts(engine.counters()), { [`ipv6 ${end}`]: 1 });
  });
}

/** RFC 6040 figure 4, by inner field; outer Not-ECT, ECT(0), ECT(1), CE. `-` is a drop. */
const NOT_ECT = 0;
const ECT1 = 1;
const ECT0 = 2;
const CE = 3;
const DROP = undefined;
const egress = [
  [NOT_ECT, [NOT_ECT, NOT_ECT, NOT_ECT, DROP]],
  [ECT0, [ECT0, ECT0, ECT1, CE]],
  [ECT1, [ECT1, ECT1, ECT1, CE]],
  [CE, [CE, CE, CE, CE]],
] as const;
for (const [inner, leaving] of egress) {
  for (const [place, outer] of [NOT_ECT, ECT0, ECT1, CE].entries()) {
    const expected = leaving[place];
    test(`ECN: inner ${inner}, outer ${outer}, leaving ${expected ?? 'nothing'} (D31, D32)`, async () => {
      // Options take the second packet through the slow path.
      for (const options of ['', '01010101']) {
        const engine = await engineFor('aftr');
        const out = engine.run([fromGateway(ipv4({ ...up, tos: inner, options }), { trafficClass: outer })]);
        assert.equal(out, expected === undefined ? [] : [ipv4({ ...up, tos: expected, options })]);
        const end = expected === undefined ? 'ecn-inner-not-ect-outer-ce' : 'forwarded';
        assert.equal(packetCounts(engine.counters()), { [`ipv6 ${end}`]: 1 });
      }
    });
  }
}

for (const options of ['', '01010101']) {
  const path = options === '' ? 'fast' : 'slow';
  test(`uniform: the outer DSCP goes in, all 64 values, ${path} path (D30)`, async () => {
    const engine = await engineFor('aftr');
    for (let dscp = 0; dscp < 64; dscp++) {
      const out = engine.run([fromGateway(ipv4({ ...up, tos: 0x09, options }), { trafficClass: dscp << 2 })]);
      assert.equal(out, [ipv4({ ...up, tos: (dscp << 2) | 1, options })]);
    }
  });
  test(`pipe: the inner DSCP stays, ${path} path (D30)`, async () => {
    const engine = await engineFor('aftr', { 'traffic-class-mode': 'pipe' });
    const out = engine.run([fromGateway(ipv4({ ...up, tos: 0x2a, options }), { trafficClass: 0xbb })]);
    assert.equal(out, [ipv4({ ...up, tos: 0x2b, options })]);
  });
}

const link = 'fe80::1';
const noise = [
  [
    'MLDv2 report',
    ipv6({
      src: link,
      dst: 'ff02::16',
      nextHeader: 0,
      hopLimit: 1,
      payload: `3a00050200000100${icmpv6(link, 'ff02::16', 143, 0, '00000000')}`,
    }),
  ],
  [
    'router solicitation',
    ipv6({
      src: link,
      dst: 'ff02::2',
      nextHeader: 58,
      hopLimit: 255,
      payload: icmpv6(link, 'ff02::2', 133, 0, '00000000'),
    }),
  ],
  [
    'neighbour solicitation',
    ipv6({
      src: '::',
      dst: 'ff02::1:ff00:1',
      nextHeader: 58,
      payload: icmpv6('::', 'ff02::1:ff00:1', 135, 0, '00000000'),
    }),
  ],
] as const;
for (const [name, packet] of noise) {
  test(`${name} from the kernel is noise, not a fault`, async () => {
    const engine = await engineFor('gateway');
    assert.equal(engine.run([packet]), []);
    assert.equal(packetCounts(engine.counters()), { 'ipv6 link-layer-noise': 1 });
  });
}

test('decapsulated packets of every size keep every octet', async () => {
  const engine = await engineFor('aftr');
  for (let octets = 0; octets < 1_400; octets += 13) {
    const packet = ipv4({ ...up, payload: udp(octets) });
    assert.equal(engine.run([fromGateway(packet)]), [packet]);
  }
});

test.run();
