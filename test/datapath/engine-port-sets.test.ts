import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { addCases, engineFor, packetCounts } from '../helpers/engine-case.ts';
import { icmpv6Error } from '../helpers/icmpv6-error.ts';
import { hex16, icmpv4, icmpv6, ipv4, ipv6, udp } from '../helpers/packets.ts';

/** Addresses that subscribers share by port sets (RFC 7596 §6.2 and §8.1, RFC 7597 §5.1). */
const test = suite('engine-port-sets');

const AFTR = '2001:db8:b::1';
const AFTR_2 = '2001:db8:b::2';
/** Subscribers of SHARED: PSID 0x34 and 0x35, the second one at the other tunnel address. */
const B4 = '2001:db8:c::34';
const OTHER_B4 = '2001:db8:c::35';
const SHARED = '198.51.103.9';
/** One port a subscriber (psid-length 16), and one subscriber with all ports (psid-length 0). */
const SINGLE = '198.51.103.10';
const WHOLE = '198.51.103.11';
const GATEWAY = '2001:db8:a::1';
const BOUND = '198.51.100.10';
const INTERNET = '203.0.113.80';

/** Nobody is told of what is refused: what leaves is what passes. */
const SILENT = {
  'icmp-policy': {
    'icmpv4-errors': { 'generate-icmpv4-errors': false },
    'icmpv6-errors': { 'generate-icmpv6-errors': false },
  },
};
const configuration = {
  ...SILENT,
  'binding-table': {
    'shared-address': [
      {
        'ipv4-address': SHARED,
        'psid-offset': 6,
        'psid-length': 8,
        'port-set': [
          { psid: 0x34, 'b4-ipv6-address': B4 },
          { psid: 0x35, 'b4-ipv6-address': OTHER_B4, 'aftr-ipv6-address': AFTR_2 },
        ],
      },
      {
        'ipv4-address': SINGLE,
        'psid-offset': 0,
        'psid-length': 16,
        'port-set': [
          { psid: 53, 'b4-ipv6-address': B4 },
          { psid: 65_535, 'b4-ipv6-address': OTHER_B4 },
        ],
      },
      { 'ipv4-address': WHOLE, 'psid-length': 0, 'port-set': [{ psid: 0, 'b4-ipv6-address': B4 }] },
    ],
  },
};

const toB4 = (payload: string, dst = B4, src = AFTR): string => ipv6({ src, dst, payload });
const fromB4 = (payload: string, src = B4, dst = AFTR): string => ipv6({ src, dst, payload });
/** From the Internet to a port, and from a port to the Internet. */
const inbound = (port: number, more: Parameters<typeof ipv4>[0] = {}): string =>
  ipv4({ src: INTERNET, dst: SHARED, payload: udp(8, 5_000, port), ...more });
const outbound = (port: number, more: Parameters<typeof ipv4>[0] = {}): string =>
  ipv4({ src: SHARED, dst: INTERNET, payload: udp(8, port, 5_000), ...more });
const withPorts = (source: number, destination: number): string =>
  `${hex16(source)}${hex16(destination)}${'00'.repeat(16)}`;
const IN_SET = 1_232;
const IN_OTHER_SET = 1_236;
const NOBODYS = 1_231;

/** An ICMPv6 error of a router inside the tunnel about a packet of the AFTR. */
const fromTunnel = (quoted: string): string => {
  const payload = icmpv6('2001:db8:99::1', AFTR, 1, 0, `00000000${quoted}`);
  return ipv6({ src: '2001:db8:99::1', dst: AFTR, nextHeader: 58, payload });
};

addCases(test, 'aftr', [
  {
    name: 'the ports of a set reach its subscriber: first and last port of the first and the last range (D111)',
    configuration,
    in: [1_232, 1_235, 64_720, 64_723].map((port) => inbound(port)),
    out: [1_232, 1_235, 64_720, 64_723].map((port) => toB4(inbound(port))),
    counters: { 'ipv4 forwarded': 4 },
  },
  {
    name: "one port beside the set is that of another subscriber, or nobody's; A = 0 is in no set (D111)",
    configuration,
    in: [inbound(1_236), inbound(1_231), inbound(0x34 << 2), inbound(1_023)],
    out: [toB4(inbound(1_236), OTHER_B4, AFTR_2)],
    counters: { 'ipv4 forwarded': 1, 'ipv4 no-binding': 3 },
  },
  {
    name: 'psid-length 16: the PSID is the port (D113)',
    configuration,
    in: [53, 65_535, 54, 0].map((port) => inbound(port, { dst: SINGLE })),
    out: [toB4(inbound(53, { dst: SINGLE })), toB4(inbound(65_535, { dst: SINGLE }), OTHER_B4)],
    counters: { 'ipv4 forwarded': 2, 'ipv4 no-binding': 2 },
  },
  {
    name: 'psid-length 0: one subscriber has all ports but those of A = 0',
    configuration,
    in: [1_024, 65_535, 1_023].map((port) => inbound(port, { dst: WHOLE })),
    out: [1_024, 65_535].map((port) => toB4(inbound(port, { dst: WHOLE }))),
    counters: { 'ipv4 forwarded': 2, 'ipv4 no-binding': 1 },
  },
  {
    name: 'TCP, DCCP, SCTP and UDP-Lite have ports, with and without IPv4 options',
    configuration,
    in: [6, 33, 132, 136].flatMap((protocol) => [
      inbound(0, { protocol, payload: withPorts(9, IN_SET) }),
      inbound(0, { protocol, payload: withPorts(9, IN_SET), options: '01010101' }),
    ]),
    out: [6, 33, 132, 136].flatMap((protocol) => [
      toB4(inbound(0, { protocol, payload: withPorts(9, IN_SET) })),
      toB4(inbound(0, { protocol, payload: withPorts(9, IN_SET), options: '01010101' })),
    ]),
    counters: { 'ipv4 forwarded': 8 },
  },
  {
    name: 'other protocols, and what ends before the ports, have none',
    configuration,
    in: [
      inbound(0, { protocol: 47, payload: '0000080045000000' }),
      inbound(0, { protocol: 50 }),
      inbound(0, { payload: hex16(5_000) }),
      fromB4(outbound(0, { protocol: 47, payload: '0000080045000000' })),
      fromB4(outbound(0, { payload: '' })),
    ],
    out: [],
    counters: { 'ipv4 no-port': 3, 'ipv6 no-port': 2 },
  },
  {
    name: 'out of the tunnel: the source port lies in a set of the outer source (D22, D23, D24)',
    configuration,
    in: [
      fromB4(outbound(IN_SET)),
      fromB4(outbound(IN_OTHER_SET), OTHER_B4, AFTR_2),
      fromB4(outbound(IN_OTHER_SET)),
      fromB4(outbound(IN_SET), OTHER_B4),
      fromB4(outbound(IN_SET), '2001:db8:c::99'),
      fromB4(outbound(IN_SET), B4, AFTR_2),
      fromB4(outbound(IN_OTHER_SET), OTHER_B4, AFTR),
      fromB4(outbound(NOBODYS)),
    ],
    out: [outbound(IN_SET), outbound(IN_OTHER_SET)],
    counters: {
      'ipv6 forwarded': 2,
      'ipv6 source-mismatch': 3,
      'ipv6 endpoint-mismatch': 2,
      'ipv6 no-binding': 1,
    },
  },
  {
    name: 'too big with DF: 3/4 to the Internet; the last hop: 11/0 through the tunnel of the port set',
    configuration: { ...configuration, 'ipv4-address': undefined, 'softwire-payload-mtu': 100 },
    in: [inbound(0, { df: true, payload: udp(200, 5_000, IN_SET) }), fromB4(outbound(IN_SET, { ttl: 1 }))],
    out: [],
    counters: { 'ipv4 too-big': 1, 'ipv6 ttl-expired': 1 },
  },
  {
    name: 'between port sets of one address, and to and from a binding (D45)',
    configuration,
    in: [
      fromB4(ipv4({ src: SHARED, dst: SHARED, payload: udp(8, IN_SET, IN_OTHER_SET) })),
      fromB4(ipv4({ src: SHARED, dst: BOUND, payload: udp(8, IN_SET, 9) })),
      fromB4(ipv4({ src: BOUND, dst: SHARED, payload: udp(8, 9, IN_SET) }), GATEWAY),
    ],
    out: [
      toB4(ipv4({ src: SHARED, dst: SHARED, ttl: 63, payload: udp(8, IN_SET, IN_OTHER_SET) }), OTHER_B4, AFTR_2),
      toB4(ipv4({ src: SHARED, dst: BOUND, ttl: 63, payload: udp(8, IN_SET, 9) }), GATEWAY),
      toB4(ipv4({ src: BOUND, dst: SHARED, ttl: 63, payload: udp(8, 9, IN_SET) })),
    ],
    counters: { 'ipv6 hairpinned': 3 },
  },
  {
    name: 'a hairpin comes after the source check, needs a port set, and never leads back (D47, D48)',
    configuration,
    in: [
      fromB4(ipv4({ src: SHARED, dst: SHARED, payload: udp(8, IN_OTHER_SET, IN_SET) })),
      fromB4(ipv4({ src: SHARED, dst: SHARED, payload: udp(8, IN_SET, NOBODYS) })),
      fromB4(ipv4({ src: SHARED, dst: SHARED, payload: udp(8, IN_SET, IN_SET + 1) })),
      fromB4(ipv4({ src: SHARED, dst: SINGLE, payload: udp(8, IN_SET, 53) })),
      fromB4(ipv4({ src: SHARED, dst: BOUND, protocol: 47, payload: '00000800' })),
    ],
    out: [],
    counters: { 'ipv6 source-mismatch': 1, 'ipv6 no-binding': 1, 'ipv6 same-gateway': 2, 'ipv6 no-port': 1 },
  },
  {
    name: 'hairpinning off (D46)',
    configuration: { ...configuration, 'enable-hairpinning': false },
    in: [fromB4(ipv4({ src: SHARED, dst: SHARED, payload: udp(8, IN_SET, IN_OTHER_SET) }))],
    out: [],
    counters: { 'ipv6 hairpin-disabled': 1 },
  },
]);

// ICMP -----------------------------------------------------------------------------------------------------------------

const echo = (type: number, id: number): string => icmpv4(type, 0, `${hex16(id)}0001${'61'.repeat(8)}`);
const icmp = (src: string, dst: string, payload: string, more: Parameters<typeof ipv4>[0] = {}): string =>
  ipv4({ src, dst, protocol: 1, payload, ...more });
/** An error that quotes a packet: header and eight octets, unless it is cut elsewhere. */
const error = (quoted: string, octets = 28, type = 3, code = 1): string =>
  icmpv4(type, code, `00000000${quoted.slice(0, 2 * octets)}`);
const ROUTER = '203.0.113.254';
const wrongChecksum = (message: string): string => `${message.slice(0, 4)}beef${message.slice(8)}`;

addCases(test, 'aftr', [
  {
    name: 'echo request and reply go by the identifier, both ways (D99)',
    configuration,
    in: [
      icmp(INTERNET, SHARED, echo(8, IN_SET)),
      icmp(INTERNET, SHARED, echo(0, IN_SET)),
      icmp(INTERNET, SHARED, echo(8, NOBODYS)),
      icmp(INTERNET, SHARED, echo(0, NOBODYS)),
      fromB4(icmp(SHARED, INTERNET, echo(8, IN_SET))),
      fromB4(icmp(SHARED, INTERNET, echo(0, IN_SET))),
      fromB4(icmp(SHARED, INTERNET, echo(8, IN_OTHER_SET))),
      fromB4(icmp(SHARED, INTERNET, echo(0, NOBODYS))),
    ],
    out: [
      toB4(icmp(INTERNET, SHARED, echo(8, IN_SET))),
      toB4(icmp(INTERNET, SHARED, echo(0, IN_SET))),
      icmp(SHARED, INTERNET, echo(8, IN_SET)),
      icmp(SHARED, INTERNET, echo(0, IN_SET)),
    ],
    counters: {
      'ipv4 forwarded': 2,
      'ipv4 no-binding': 2,
      'ipv6 forwarded': 2,
      'ipv6 source-mismatch': 1,
      'ipv6 no-binding': 1,
    },
  },
  {
    name: 'an error to the address goes by the source port it quotes, over its options, to the last octet of the ports (D100)',
    configuration,
    in: [
      icmp(ROUTER, SHARED, error(outbound(IN_SET))),
      icmp(ROUTER, SHARED, error(outbound(IN_SET, { options: '01010101' }), 32)),
      icmp(ROUTER, SHARED, error(outbound(IN_SET, { options: '01'.repeat(40) }), 64)),
      icmp(ROUTER, SHARED, error(outbound(IN_SET), 24, 11, 0)),
      icmp(ROUTER, SHARED, error(outbound(NOBODYS))),
    ],
    out: [
      toB4(icmp(ROUTER, SHARED, error(outbound(IN_SET)))),
      toB4(icmp(ROUTER, SHARED, error(outbound(IN_SET, { options: '01010101' }), 32))),
      toB4(icmp(ROUTER, SHARED, error(outbound(IN_SET, { options: '01'.repeat(40) }), 64))),
      toB4(icmp(ROUTER, SHARED, error(outbound(IN_SET), 24, 11, 0))),
    ],
    counters: { 'ipv4 forwarded': 4, 'ipv4 no-binding': 1 },
  },
  {
    name: 'an error from the subscriber goes by the destination port it quotes (D100)',
    configuration,
    in: [
      fromB4(icmp(SHARED, INTERNET, error(inbound(IN_SET)))),
      fromB4(icmp(SHARED, INTERNET, error(inbound(IN_SET, { options: '01010101' }), 32))),
      fromB4(icmp(SHARED, INTERNET, error(inbound(IN_OTHER_SET)))),
      fromB4(icmp(SHARED, INTERNET, error(inbound(NOBODYS)))),
    ],
    out: [
      icmp(SHARED, INTERNET, error(inbound(IN_SET))),
      icmp(SHARED, INTERNET, error(inbound(IN_SET, { options: '01010101' }), 32)),
    ],
    counters: { 'ipv6 forwarded': 2, 'ipv6 source-mismatch': 1, 'ipv6 no-binding': 1 },
  },
  {
    name: 'errors about echo go by the identifier they quote',
    configuration,
    in: [
      icmp(ROUTER, SHARED, error(icmp(SHARED, INTERNET, echo(8, IN_SET)))),
      fromB4(icmp(SHARED, INTERNET, error(icmp(INTERNET, SHARED, echo(8, IN_SET))))),
    ],
    out: [
      toB4(icmp(ROUTER, SHARED, error(icmp(SHARED, INTERNET, echo(8, IN_SET))))),
      icmp(SHARED, INTERNET, error(icmp(INTERNET, SHARED, echo(8, IN_SET)))),
    ],
    counters: { 'ipv4 forwarded': 1, 'ipv6 forwarded': 1 },
  },
  {
    name: 'between two port sets an error finds its way back (D45)',
    configuration,
    in: [
      fromB4(
        icmp(SHARED, SHARED, error(ipv4({ src: SHARED, dst: SHARED, payload: udp(8, IN_SET, IN_OTHER_SET) }))),
        OTHER_B4,
        AFTR_2,
      ),
    ],
    out: [
      toB4(
        icmp(SHARED, SHARED, error(ipv4({ src: SHARED, dst: SHARED, payload: udp(8, IN_SET, IN_OTHER_SET) })), {
          ttl: 63,
        }),
      ),
    ],
    counters: { 'ipv6 hairpinned': 1 },
  },
  {
    name: 'a port of another set is refused (D25)',
    configuration: { ...configuration, 'icmp-policy': {} },
    in: [fromB4(outbound(NOBODYS)), fromB4(outbound(IN_OTHER_SET))],
    out: [fromB4(outbound(NOBODYS)), fromB4(outbound(IN_OTHER_SET))].map((packet) =>
      icmpv6Error(1, 5, 0, packet, AFTR),
    ),
    counters: { 'ipv6 no-binding': 1, 'ipv6 source-mismatch': 1 },
  },
  {
    name: 'an error from inside the tunnel is relayed when it quotes a packet to the set of its far end (D79, D83)',
    configuration: { ...configuration, 'icmp-policy': {}, 'ipv4-address': '203.0.113.1' },
    in: [fromTunnel(toB4(inbound(IN_SET))), fromTunnel(toB4(inbound(IN_OTHER_SET)))],
    out: [
      ipv4({
        src: '203.0.113.1',
        dst: INTERNET,
        tos: 0xc0,
        id: 0,
        df: true,
        protocol: 1,
        payload: icmpv4(3, 1, `00000000${inbound(IN_SET)}`),
      }),
    ],
    counters: { 'ipv6 forwarded': 1, 'ipv6 icmp-error-mismatch': 1 },
  },
  {
    name: 'a wrong checksum, a message or quote that is not whole, and a quote of another address end here (D100)',
    configuration,
    in: [
      icmp(INTERNET, SHARED, wrongChecksum(echo(8, IN_SET))),
      icmp(ROUTER, SHARED, wrongChecksum(error(outbound(IN_SET)))),
      icmp(INTERNET, SHARED, '0800'),
      icmp(ROUTER, SHARED, error(outbound(IN_SET), 19)),
      icmp(ROUTER, SHARED, error(`6${outbound(IN_SET).slice(1)}`)),
      icmp(ROUTER, SHARED, error(`4f${outbound(IN_SET).slice(2)}`)),
      icmp(ROUTER, SHARED, error(outbound(IN_SET, { src: BOUND }))),
      fromB4(icmp(SHARED, INTERNET, wrongChecksum(echo(8, IN_SET)))),
      fromB4(icmp(SHARED, INTERNET, error(inbound(IN_SET, { dst: BOUND })))),
    ],
    out: [],
    counters: { 'ipv4 malformed-icmp': 7, 'ipv6 malformed-icmp': 2 },
  },
  {
    name: 'other ICMP, errors about later fragments, errors or protocols without ports, and short quotes have no port (D102)',
    configuration,
    in: [
      icmp(INTERNET, SHARED, icmpv4(13, 0, `${hex16(IN_SET)}0001${'00'.repeat(12)}`)),
      icmp(ROUTER, SHARED, error(outbound(IN_SET, { offset: 5 }))),
      icmp(ROUTER, SHARED, error(icmp(SHARED, INTERNET, error(inbound(IN_SET))), 48)),
      icmp(ROUTER, SHARED, error(outbound(IN_SET, { protocol: 47 }))),
      icmp(ROUTER, SHARED, error(outbound(IN_SET), 23)),
    ],
    out: [],
    counters: { 'ipv4 no-port': 5 },
  },
]);

// Changes --------------------------------------------------------------------------------------------------------------

test('a port set that goes stops in both directions at once, the others go on (D115)', async () => {
  const engine = await engineFor('aftr', configuration);
  const packets = [inbound(IN_SET), inbound(IN_OTHER_SET), fromB4(outbound(IN_SET))];
  assert.is(engine.run(packets).length, 3);
  const [shared] = configuration['binding-table']['shared-address'];
  const rest = { ...shared, 'port-set': shared?.['port-set'].slice(1) };
  const aftr = {
    name: 'br',
    'ipv6-address': AFTR,
    'additional-ipv6-address': [AFTR_2],
    'ipv4-pool': ['198.51.100.0/22'],
    ...SILENT,
  };
  await engine.configure([{ ...aftr, 'flow-label-mode': 'zero', 'binding-table': { 'shared-address': [rest] } }]);
  assert.equal(engine.run(packets), [toB4(inbound(IN_OTHER_SET), OTHER_B4, AFTR_2)]);
  await engine.configure([{ ...aftr, 'flow-label-mode': 'zero' }]);
  assert.equal(engine.run(packets), []);
  assert.equal(packetCounts(engine.counters()), {
    'ipv4 forwarded': 3,
    'ipv4 no-binding': 3,
    'ipv6 forwarded': 1,
    'ipv6 no-binding': 2,
  });
});

test('an AFTR that is off has no port sets', async () => {
  const engine = await engineFor('aftr', { ...configuration, enabled: false });
  assert.equal(engine.run([inbound(IN_SET)]), []);
  assert.is(engine.forwarding.table.size, 0);
});

test.run();
