import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Batch } from '../../src/datapath/batch.ts';
import { STRIDE } from '../../src/datapath/packet-device.ts';
import type { EngineCase } from '../helpers/engine-case.ts';
import { addCases, engineFor, packetCounts } from '../helpers/engine-case.ts';
import { fastPathOf } from '../helpers/fast-path.ts';
import { hex8, icmpv4, ipv4, ipv6, udp } from '../helpers/packets.ts';

const test = suite('engine-encapsulation');

const DEVICE = '198.51.100.10';
const INTERNET = '203.0.113.80';
const up = { src: DEVICE, dst: INTERNET };
const down = { src: INTERNET, dst: DEVICE };

/** What the gateway makes of a packet. */
function toAftr(payload: string, more: Record<string, number> = {}): string {
  return ipv6({ src: '2001:db8:a::1', dst: '2001:db8:b::1', payload, ...more });
}

/** What the AFTR makes of a packet. */
function toGateway(payload: string, more: Record<string, number> = {}): string {
  return ipv6({ src: '2001:db8:b::1', dst: '2001:db8:a::1', payload, ...more });
}

/** Host unreachable: what an instance tells the source of a packet. */
function error(src: string, dst: string, about: string): string {
  return ipv4({ src, dst, tos: 0xc0, id: 0, df: true, protocol: 1, payload: icmpv4(3, 1, `00000000${about}`) });
}

const plain = ipv4(up);
const withOptions = ipv4({ ...up, options: `94040000${'01'.repeat(36)}` });
const protocols = [1, 6, 47, 50, 132, 253].map((protocol) =>
  ipv4({ ...up, protocol, payload: icmpv4(8, 0, '00010001') }),
);

const gatewayCases: EngineCase[] = [
  {
    name: 'an end device packet gets the outer header of the softwire (D1, D2, D6)',
    in: [plain],
    out: [toAftr(plain)],
    counters: { 'ipv4 forwarded': 1 },
  },
  {
    name: 'an inner packet of 28 octets in 46 of a frame: the padding is trimmed, 68 octets leave (D1)',
    in: [`${ipv4({ ...up, payload: udp(0) })}${'00'.repeat(18)}`],
    out: [toAftr(ipv4({ ...up, payload: udp(0) }), { payloadLength: 28 })],
    counters: { 'ipv4 forwarded': 1 },
  },
  {
    name: 'options up to IHL 15, identification, DF, UDP checksum 0 and a real one stay as they are (D2, D16)',
    in: [withOptions, ipv4({ ...up, df: true, id: 0xbeef }), ipv4({ ...up, payload: '03e807d0000cbeef01020304' })],
    out: [
      toAftr(withOptions),
      toAftr(ipv4({ ...up, df: true, id: 0xbeef })),
      toAftr(ipv4({ ...up, payload: '03e807d0000cbeef01020304' })),
    ],
    counters: { 'ipv4 forwarded': 3 },
  },
  {
    name: 'any IPv4 protocol is carried (D17)',
    in: protocols,
    out: protocols.map((packet) => toAftr(packet)),
    counters: { 'ipv4 forwarded': 6 },
  },
  {
    name: 'the outer hop limit is the configured one, whatever the TTL (D6)',
    configuration: { 'hop-limit': 77 },
    in: [ipv4({ ...up, ttl: 2 }), ipv4({ ...up, ttl: 255 })],
    out: [toAftr(ipv4({ ...up, ttl: 2 }), { hopLimit: 77 }), toAftr(ipv4({ ...up, ttl: 255 }), { hopLimit: 77 })],
    counters: { 'ipv4 forwarded': 2 },
  },
  {
    name: 'TTL 0 is not encapsulated (D4)',
    in: [ipv4({ ...up, ttl: 0 })],
    out: [],
    counters: { 'ipv4 ttl-expired': 1 },
  },
  {
    name: 'a faulty IPv4 header is dropped (D13)',
    in: [
      ipv4({ ...up, checksum: 0x1234 }),
      ipv4({ ...up, versionIhl: 0x44 }),
      ipv4({ ...up, totalLength: 19 }),
      ipv4({ ...up, totalLength: 37 }),
      ipv4(up).slice(0, 38),
      '45',
      ipv4({ ...up, versionIhl: 0x4f }),
    ],
    out: [],
    counters: { 'ipv4 malformed-ipv4': 7 },
  },
  {
    name: 'a version that is neither 4 nor 6 is dropped, and counts with IPv6 (D13)',
    in: [ipv4({ ...up, versionIhl: 0x55 })],
    out: [],
    counters: { 'ipv6 malformed-ipv6': 1 },
  },
  {
    name: 'a martian destination is dropped (D14)',
    in: ['0.0.0.1', '127.0.0.1', '169.254.169.254', '224.0.0.1', '240.0.0.1', '255.255.255.255'].map((dst) =>
      ipv4({ src: DEVICE, dst }),
    ),
    out: [],
    counters: { 'ipv4 martian-ipv4-destination': 6 },
  },
  {
    name: 'a martian source is dropped (D14)',
    in: ['0.0.0.1', '127.0.0.1', '169.254.0.1', '224.0.0.1', '240.0.0.1', '255.255.255.255'].map((src) =>
      ipv4({ src, dst: INTERNET }),
    ),
    out: [],
    counters: { 'ipv4 martian-ipv4-source': 6 },
  },
  {
    name: 'loose and strict source routes are dropped, also behind other options (D16)',
    in: [
      ipv4({ ...up, options: '83070408080808 00'.replace(' ', '') }),
      ipv4({ ...up, options: '0189070408080808' }),
      ipv4({ ...up, options: '9404000001830304'.padEnd(16, '0') }),
    ],
    out: [],
    counters: { 'ipv4 source-route-option': 3 },
  },
  {
    name: 'a source in no served prefix is dropped (RFC 7596 §5.2)',
    in: [ipv4({ src: '198.51.101.10', dst: INTERNET }), ipv4({ src: '198.51.99.255', dst: INTERNET })],
    out: [],
    counters: { 'ipv4 outside-served-prefix': 2 },
  },
  {
    name: 'a destination in a served prefix of the gateway does not enter the tunnel (D49)',
    in: [ipv4({ src: DEVICE, dst: '198.51.100.200' })],
    out: [error('198.51.100.1', DEVICE, ipv4({ src: DEVICE, dst: '198.51.100.200' }))],
    counters: { 'ipv4 loop-prevented': 1 },
  },
  {
    name: 'inner fragments are encapsulated one by one, unmodified (D71)',
    in: [ipv4({ ...up, mf: true }), ipv4({ ...up, offset: 2 })],
    out: [toAftr(ipv4({ ...up, mf: true })), toAftr(ipv4({ ...up, offset: 2 }))],
    counters: { 'ipv4 forwarded': 2 },
  },
  {
    name: 'ECN compatibility mode: outer ECN is always 00, DSCP is copied (D11)',
    configuration: { 'ecn-mode': 'compatibility' },
    in: [0xb8, 0xb9, 0xba, 0xbb].map((tos) => ipv4({ ...up, tos })),
    out: [0xb8, 0xb9, 0xba, 0xbb].map((tos) => toAftr(ipv4({ ...up, tos }), { trafficClass: 0xb8 })),
    counters: { 'ipv4 forwarded': 4 },
  },
  {
    name: 'pipe mode: the outer DSCP is the configured one, ECN is copied (D9)',
    configuration: { 'traffic-class-mode': 'pipe', 'pipe-dscp': 10 },
    in: [ipv4({ ...up, tos: 0xb8 }), ipv4({ ...up, tos: 0x03 })],
    out: [
      toAftr(ipv4({ ...up, tos: 0xb8 }), { trafficClass: 0x28 }),
      toAftr(ipv4({ ...up, tos: 0x03 }), { trafficClass: 0x2b }),
    ],
    counters: { 'ipv4 forwarded': 2 },
  },
];
addCases(test, 'gateway', gatewayCases);

addCases(test, 'aftr', [
  {
    name: 'the longest binding answers (D107)',
    in: [ipv4(down), ipv4({ ...down, dst: '198.51.100.77' }), ipv4({ ...down, dst: '198.51.100.78' })],
    out: [
      toGateway(ipv4(down)),
      ipv6({ src: '2001:db8:b::1', dst: '2001:db8:a::2', payload: ipv4({ ...down, dst: '198.51.100.77' }) }),
      toGateway(ipv4({ ...down, dst: '198.51.100.78' })),
    ],
    counters: { 'ipv4 forwarded': 3 },
  },
  {
    name: 'a binding with an AFTR address of its own leaves from there',
    in: [ipv4({ ...down, dst: '198.51.102.1' })],
    out: [ipv6({ src: '2001:db8:b::2', dst: '2001:db8:a::3', payload: ipv4({ ...down, dst: '198.51.102.1' }) })],
    counters: { 'ipv4 forwarded': 1 },
  },
  {
    name: 'an address of a pool that is bound to nothing: host unreachable (RFC 7596 §6.2)',
    in: [ipv4({ ...down, dst: '198.51.102.128' }), ipv4({ ...down, dst: '198.51.103.255' })],
    out: ['198.51.102.128', '198.51.103.255'].map((dst) => error('203.0.113.1', INTERNET, ipv4({ ...down, dst }))),
    counters: { 'ipv4 no-binding': 2 },
  },
  {
    name: 'an address of no pool belongs to no instance',
    in: [ipv4({ ...down, dst: '198.51.104.0' }), ipv4({ ...down, dst: '198.51.99.255' })],
    out: [],
    counters: { 'ipv4 no-instance': 2 },
  },
]);

test('all 256 TOS octets are copied to the traffic class (D9, D10)', async () => {
  const engine = await engineFor('gateway');
  for (let tos = 0; tos < 256; tos++) {
    const packet = ipv4({ ...up, tos });
    assert.equal(engine.run([packet]), [toAftr(packet, { trafficClass: tos })], `TOS ${hex8(tos)}`);
  }
});

test('a flow has one label, flows have many (D7)', async () => {
  const engine = await engineFor('gateway', { 'flow-label-mode': 'flow' });
  const labels = new Set<string>();
  for (let flow = 0; flow < 1_000; flow++) {
    const packets = [1, 5].map((octets) => ipv4({ ...up, payload: udp(octets, 1_000 + flow) }));
    const [first, second] = engine.run(packets).map((packet) => packet.slice(3, 8));
    assert.is(first, second);
    labels.add(String(first));
  }
  assert.ok(labels.size > 900, `${labels.size} labels`);
});

test('a flow has the same label with IPv4 options, which stand before its ports (D7)', async () => {
  const engine = await engineFor('gateway', { 'flow-label-mode': 'flow' });
  const labelOf = (port: number, options: string): string =>
    (engine.run([ipv4({ ...up, options, payload: udp(8, port) })])[0] ?? '').slice(3, 8);
  for (const options of ['94040000', `${'01'.repeat(7)}00`]) assert.is(labelOf(1_000, options), labelOf(1_000, ''));
  const labels = new Set(Array.from({ length: 100 }, (_, i) => labelOf(1_000 + i, '94040000')));
  assert.ok(labels.size > 90, `${labels.size} labels`);
});

test('no flow is without a label (D7)', async () => {
  const { forwarding } = await engineFor('gateway');
  const fastPath = fastPathOf(forwarding);
  const batch = new Batch(1, STRIDE, 0, forwarding.allocate);
  const at = batch.at[0] ?? 0;
  batch.buf.set(Buffer.from(ipv4({ ...up, protocol: 47, payload: '' }), 'hex'), at);
  let [least, most] = [0xfffff, 0];
  // Of sixteen million addresses about sixteen come to a hash that begins with twenty zero bits.
  for (let address = 0; address < 1 << 24; address++) {
    batch.words[(at >> 2) + 4] = address;
    const label = fastPath.flowLabelOf(batch, at, 20);
    least = Math.min(least, label);
    most = Math.max(most, label);
  }
  assert.equal([least, most], [1, 0xfffff]);
});

test('all fragments of a datagram have one label (D8)', async () => {
  const engine = await engineFor('gateway', { 'flow-label-mode': 'flow' });
  const fragments = [
    ipv4({ ...up, mf: true }),
    ipv4({ ...up, mf: true, offset: 2, payload: 'ff'.repeat(16) }),
    ipv4({ ...up, offset: 4, payload: '77'.repeat(9) }),
  ];
  const labels = engine.run(fragments).map((packet) => packet.slice(3, 8));
  assert.is(new Set(labels).size, 1);
});

test('what has no ports has one label for all packets between two addresses, whatever they begin with (D8)', async () => {
  const engine = await engineFor('gateway', { 'flow-label-mode': 'flow' });
  const labelOf = (protocol: number, payload: string, dst = INTERNET): string =>
    (engine.run([ipv4({ ...up, dst, protocol, payload })])[0] ?? '').slice(3, 8);
  for (const protocol of [1, 47, 50, 132, 253]) {
    const one = labelOf(protocol, '03e807d000080000');
    assert.is(labelOf(protocol, '03e807d100080000'), one, `protocol ${protocol}`);
    assert.is.not(labelOf(protocol, '03e807d000080000', '203.0.113.81'), one, `protocol ${protocol}`);
  }
});

test('an empty table drops everything (D143)', async () => {
  const engine = await engineFor('gateway', { 'served-prefix': [] });
  assert.equal(engine.run([ipv4(up), toGateway(ipv4(down))]), []);
  assert.equal(packetCounts(engine.counters()), { 'ipv4 outside-served-prefix': 1, 'ipv6 outside-served-prefix': 1 });
});

test.run();
