import { suite } from 'uvu';
import { addCases } from '../helpers/engine-case.ts';
import { fragments } from '../helpers/fragments.ts';
import { hex8, icmpv4, icmpv6, ipv4, ipv6, udp } from '../helpers/packets.ts';

/** The Tunnel Encapsulation Limit (RFC 2473 §4.1.1) and its eight octets in all sizes (D12, D55, D56, D58). */
const test = suite('engine-encapsulation-limit');

const G1 = '2001:db8:a::1';
const AFTR = '2001:db8:b::1';
const DEVICE = '198.51.100.10';
const INTERNET = '203.0.113.80';
const LIMIT = { 'encapsulation-limit': 4 };

const option = (limit: number): string => `04000401${hex8(limit)}010100`;
const sized = (octets: number, more = {}): string =>
  ipv4({ src: DEVICE, dst: INTERNET, payload: udp(octets - 28), ...more });
const toAftr = (payload: string, limit = 4, more = {}): string =>
  ipv6({ src: G1, dst: AFTR, nextHeader: 60, payload: option(limit) + payload, ...more });
const report = (mtu: number, about: string): string =>
  ipv4({
    src: '198.51.100.1',
    dst: DEVICE,
    tos: 0xc0,
    id: 0,
    df: true,
    protocol: 1,
    payload: icmpv4(3, 4, mtu.toString(16).padStart(8, '0') + about.slice(0, 2 * 548)),
  });

addCases(test, 'gateway', [
  {
    name: 'the option stands before the packet: 04 00 04 01 04 01 01 00 (D12)',
    configuration: LIMIT,
    in: [sized(100)],
    out: [toAftr(sized(100))],
    counters: { 'ipv4 forwarded': 1 },
  },
  ...[0, 1, 255].map((limit) => ({
    name: `a limit of ${limit} (D12)`,
    configuration: { 'encapsulation-limit': limit },
    in: [sized(100)],
    out: [toAftr(sized(100), limit)],
    counters: { 'ipv4 forwarded': 1 },
  })),
  {
    name: 'traffic class, hop limit and a label of zero as without it (D12)',
    configuration: { ...LIMIT, 'hop-limit': 9 },
    in: [sized(100, { tos: 0xb9 })],
    out: [toAftr(sized(100, { tos: 0xb9 }), 4, { trafficClass: 0xb9, hopLimit: 9 })],
    counters: { 'ipv4 forwarded': 1 },
  },
  {
    name: 'no more than the far end can put together: 65,527 octets in fragments, 65,528 and 65,535 not at all (D66)',
    configuration: LIMIT,
    in: [65_527, 65_528, 65_535].map((octets) => sized(octets)),
    out: fragments(option(4) + sized(65_527), 1_448, { src: G1, dst: AFTR, upper: 60, id: 0 }),
    counters: { 'ipv4 forwarded': 1, 'ipv4 too-big': 2 },
  },
  {
    name: 'a payload MTU of 68 stays that: no less is reported, as no link of IPv4 has less',
    configuration: { ...LIMIT, 'softwire-payload-mtu': 68 },
    in: [sized(68, { df: true }), sized(69, { df: true })],
    out: [toAftr(sized(68, { df: true })), report(68, sized(69, { df: true }))],
    counters: { 'ipv4 forwarded': 1, 'ipv4 too-big': 1 },
  },
  {
    name: 'a path of 1,500: 1,452 octets pass whole, 1,453 with DF are told 1,452 (D12, D56)',
    configuration: LIMIT,
    in: [sized(1_452, { df: true }), sized(1_453, { df: true })],
    out: [toAftr(sized(1_452, { df: true })), report(1_452, sized(1_453, { df: true }))],
    counters: { 'ipv4 forwarded': 1, 'ipv4 too-big': 1 },
  },
  {
    name: 'a path of 1,280: 1,232 and 1,233 (D56)',
    configuration: { ...LIMIT, 'softwire-payload-mtu': 1_240 },
    in: [sized(1_232, { df: true }), sized(1_233, { df: true })],
    out: [toAftr(sized(1_232, { df: true })), report(1_232, sized(1_233, { df: true }))],
    counters: { 'ipv4 forwarded': 1, 'ipv4 too-big': 1 },
  },
  {
    name: 'in fragments the option comes first, and each is of at most 1,500 octets (D55, D58)',
    configuration: LIMIT,
    in: [sized(1_453)],
    out: fragments(option(4) + sized(1_453), 1_448, { id: 0, upper: 60, src: G1, dst: AFTR }),
    counters: { 'ipv4 forwarded': 1 },
  },
]);

addCases(test, 'aftr', [
  {
    name: 'a hairpinned packet gets it too (D12)',
    configuration: LIMIT,
    in: [ipv6({ src: G1, dst: AFTR, payload: ipv4({ src: DEVICE, dst: '198.51.101.1' }) })],
    out: [
      ipv6({
        src: AFTR,
        dst: '2001:db8:a::2',
        nextHeader: 60,
        payload: option(4) + ipv4({ src: DEVICE, dst: '198.51.101.1', ttl: 63 }),
      }),
    ],
    counters: { 'ipv6 hairpinned': 1 },
  },
  {
    name: 'an ICMPv4 error through the tunnel too (D12)',
    configuration: LIMIT,
    in: [ipv6({ src: G1, dst: AFTR, payload: ipv4({ src: DEVICE, dst: INTERNET, ttl: 1 }) })],
    out: [
      ipv6({
        src: AFTR,
        dst: G1,
        trafficClass: 0xc0,
        nextHeader: 60,
        payload:
          option(4) +
          ipv4({
            src: '203.0.113.1',
            dst: DEVICE,
            tos: 0xc0,
            id: 0,
            df: true,
            protocol: 1,
            payload: icmpv4(11, 0, `00000000${ipv4({ src: DEVICE, dst: INTERNET, ttl: 1 })}`),
          }),
      }),
    ],
    counters: { 'ipv6 ttl-expired': 1 },
  },
  {
    name: 'what comes with it is taken apart, whatever its limit (D34)',
    configuration: LIMIT,
    in: [ipv6({ src: G1, dst: AFTR, nextHeader: 60, payload: option(0) + sized(100) })],
    out: [sized(100)],
    counters: { 'ipv6 forwarded': 1 },
  },
]);

/** A router inside the tunnel says that it has no way for what is quoted. */
const unreachable = (quoted: string): string =>
  ipv6({
    src: '2001:db8:99::1',
    dst: G1,
    nextHeader: 58,
    payload: icmpv6('2001:db8:99::1', G1, 1, 0, `00000000${quoted}`),
  });
addCases(test, 'gateway', [
  {
    name: 'a quote whose option header says it is longer than those that are sent is of no packet from here (D79)',
    configuration: LIMIT,
    in: [
      unreachable(toAftr(sized(100))),
      unreachable(ipv6({ src: G1, dst: AFTR, nextHeader: 60, payload: `0401${option(4).slice(4)}${sized(100)}` })),
    ],
    out: [
      ipv4({
        src: '198.51.100.1',
        dst: DEVICE,
        tos: 0xc0,
        id: 0,
        df: true,
        protocol: 1,
        payload: icmpv4(3, 1, `00000000${sized(100)}`),
      }),
    ],
    counters: { 'ipv6 forwarded': 1, 'ipv6 icmp-not-relayed': 1 },
  },
]);

addCases(test, 'gateway', [
  {
    name: 'outer-fragmentation off: too big without DF is dropped, and nothing said (D55, D57)',
    configuration: { 'outer-fragmentation': false },
    in: [sized(1_461), sized(1_460)],
    out: [ipv6({ src: G1, dst: AFTR, payload: sized(1_460) })],
    counters: { 'ipv4 too-big': 1, 'ipv4 forwarded': 1 },
  },
]);

addCases(test, 'aftr', [
  {
    name: 'inner fragments of a whole address go one by one, as they are (D71)',
    in: [
      ipv4({ src: INTERNET, dst: DEVICE, id: 7, mf: true, payload: udp(40) }),
      ipv4({ src: INTERNET, dst: DEVICE, id: 7, mf: true, offset: 6, payload: 'aa'.repeat(48) }),
      ipv4({ src: INTERNET, dst: DEVICE, id: 7, offset: 12, payload: 'bb'.repeat(5) }),
    ],
    out: [
      ipv4({ src: INTERNET, dst: DEVICE, id: 7, mf: true, payload: udp(40) }),
      ipv4({ src: INTERNET, dst: DEVICE, id: 7, mf: true, offset: 6, payload: 'aa'.repeat(48) }),
      ipv4({ src: INTERNET, dst: DEVICE, id: 7, offset: 12, payload: 'bb'.repeat(5) }),
    ].map((payload) => ipv6({ src: AFTR, dst: G1, payload })),
    counters: { 'ipv4 forwarded': 3 },
  },
]);

test.run();
