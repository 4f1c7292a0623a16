import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { addCases, EngineUnderTest, engineFor, AFTR as INSTANCE } from '../helpers/engine-case.ts';
import { checksumOf, hex8, hex16, ipv4, ipv6 } from '../helpers/packets.ts';

/** TCP segment sizes in SYN and SYN-ACK, both ways (D81; RFC 4459 §3.2). */
const test = suite('engine-mss');

const G1 = '2001:db8:a::1';
const AFTR = '2001:db8:b::1';
const DEVICE = '198.51.100.10';
const INTERNET = '203.0.113.80';
const CLAMP = { 'tcp-mss-clamp': 1_420 };
const SYN = 0x02;
const SYN_ACK = 0x12;
const ACK = 0x10;

interface Tcp {
  readonly flags?: number;
  /** Hexadecimal. */
  readonly options?: string;
  readonly data?: string;
  /** In words, instead of the right one. */
  readonly dataOffset?: number;
}

/** An IPv4 packet of TCP with a right checksum. */
function tcp(src: string, dst: string, { flags = SYN, options = '', data = '', dataOffset }: Tcp, more = {}): string {
  const words = dataOffset ?? 5 + options.length / 8;
  const build = (checksum: number): string =>
    `${hex16(40_000)}${hex16(443)}${'01020304'}${'00000000'}${hex8(words << 4)}${hex8(flags)}ffff${hex16(checksum)}0000${options}${data}`;
  const length = build(0).length / 2;
  const addresses = ipv4({ src, dst }).slice(24, 40);
  const payload = build(checksumOf(`${addresses}0006${hex16(length)}${build(0)}`));
  return ipv4({ src, dst, protocol: 6, payload, ...more });
}

const mss = (value: number): string => `0204${hex16(value)}`;
const up = (fields: Tcp, more = {}): string => tcp(DEVICE, INTERNET, fields, more);
const down = (fields: Tcp, more = {}): string => tcp(INTERNET, DEVICE, fields, more);
const fromGateway = (payload: string, more = {}): string => ipv6({ src: G1, dst: AFTR, payload, ...more });
const toGateway = (payload: string): string => ipv6({ src: AFTR, dst: G1, payload });

/** Name, fields that come, and fields that leave. */
const cases: readonly (readonly [string, Tcp, Tcp])[] = [
  ['SYN with 1,460', { options: mss(1_460) }, { options: mss(1_420) }],
  ['SYN-ACK with 1,460', { options: mss(1_460), flags: SYN_ACK }, { options: mss(1_420), flags: SYN_ACK }],
  ['one above', { options: mss(1_421) }, { options: mss(1_420) }],
  ['the same stays', { options: mss(1_420) }, { options: mss(1_420) }],
  ['lower stays', { options: mss(536) }, { options: mss(536) }],
  ['no option: none is added', {}, {}],
  ['no SYN: stays', { options: mss(1_460), flags: ACK }, { options: mss(1_460), flags: ACK }],
  [
    'behind others',
    { options: `0402080a0102030405060708${mss(65_535)}` },
    { options: `0402080a0102030405060708${mss(1_420)}` },
  ],
  ['at an odd place', { options: `01${mss(1_460)}01030307010100` }, { options: `01${mss(1_420)}01030307010100` }],
  [
    'at an odd place, octets that change both',
    { options: `01${mss(0xffff)}000000` },
    { options: `01${mss(1_420)}000000` },
  ],
  ['behind the end of the options: stays', { options: `00${mss(1_460)}000000` }, { options: `00${mss(1_460)}000000` }],
  ['twice: both', { options: mss(1_460) + mss(9_000) }, { options: mss(1_420) + mss(1_420) }],
  ['with data', { options: mss(1_460), data: 'abcdef' }, { options: mss(1_420), data: 'abcdef' }],
  ['of a wrong length: stays', { options: '020505b400000000' }, { options: '020505b400000000' }],
  [
    'cut off by the header length: stays',
    { options: `010101${mss(1_460)}00`, dataOffset: 6 },
    { options: `010101${mss(1_460)}00`, dataOffset: 6 },
  ],
  ['an option of length 0: stays', { options: `0800${mss(1_460)}0000` }, { options: `0800${mss(1_460)}0000` }],
  [
    'a header length behind the packet',
    { options: mss(1_460), dataOffset: 15 },
    { options: mss(1_420), dataOffset: 15 },
  ],
  ['a header length of nothing: stays', { options: mss(1_460), dataOffset: 0 }, { options: mss(1_460), dataOffset: 0 }],
];
addCases(
  test,
  'aftr',
  cases.map(([name, given, expected]) => ({
    name: `${name} (D81)`,
    configuration: CLAMP,
    in: [fromGateway(up(given)), down(given)],
    out: [up(expected), toGateway(down(expected))],
    counters: { 'ipv6 forwarded': 1, 'ipv4 forwarded': 1 },
  })),
);

const cutOff = up({ options: mss(1_460) });
addCases(test, 'aftr', [
  {
    name: 'without the leaf nothing changes (D81)',
    in: [fromGateway(cutOff), down({ options: mss(1_460) })],
    out: [cutOff, toGateway(down({ options: mss(1_460) }))],
    counters: { 'ipv6 forwarded': 1, 'ipv4 forwarded': 1 },
  },
  {
    name: 'a later fragment that looks like a SYN stays; a first one is lowered (D81)',
    configuration: CLAMP,
    in: [
      fromGateway(up({ options: mss(1_460) }, { offset: 3 })),
      fromGateway(up({ options: mss(1_460) }, { mf: true })),
    ],
    out: [up({ options: mss(1_460) }, { offset: 3 }), up({ options: mss(1_420) }, { mf: true })],
    counters: { 'ipv6 forwarded': 2 },
  },
  {
    name: 'behind IPv4 options (D81)',
    configuration: CLAMP,
    in: [fromGateway(up({ options: mss(1_460) }, { options: '01010101' }))],
    out: [up({ options: mss(1_420) }, { options: '01010101' })],
    counters: { 'ipv6 forwarded': 1 },
  },
  {
    name: 'other protocols with the same octets stay (D81)',
    configuration: CLAMP,
    in: [fromGateway(up({ options: mss(1_460) }, { protocol: 132 }))],
    out: [up({ options: mss(1_460) }, { protocol: 132 })],
    counters: { 'ipv6 forwarded': 1 },
  },
  {
    name: 'between two gateways (D81)',
    configuration: CLAMP,
    in: [fromGateway(tcp(DEVICE, '198.51.101.1', { options: mss(1_460) }))],
    out: [
      ipv6({
        src: AFTR,
        dst: '2001:db8:a::2',
        payload: tcp(DEVICE, '198.51.101.1', { options: mss(1_420) }, { ttl: 63 }),
      }),
    ],
    counters: { 'ipv6 hairpinned': 1 },
  },
]);

for (const [first, second, expected] of [
  [undefined, 1_000, 1_000],
  [1_000, undefined, 1_000],
  [1_300, 1_000, 1_000],
  [1_000, 1_300, 1_000],
] as const) {
  test(`between gateways of two AFTRs that clamp to ${first} and ${second}: both do (D81)`, async () => {
    const engine = new EngineUnderTest('aftr');
    const own = { 'ipv6-address': '2001:db8:b::8', 'ipv4-address': '203.0.113.8', 'ipv4-pool': ['198.51.104.0/24'] };
    const other = { ...INSTANCE, ...own, name: 'b2', 'additional-ipv6-address': [], 'tcp-mss-clamp': second };
    await engine.configureAll(
      [{ ...INSTANCE, 'tcp-mss-clamp': first }, other],
      [
        { instance: 'br', text: ['198.51.100.0/24', G1] },
        { instance: 'b2', text: ['198.51.104.0/24', '2001:db8:a::2'] },
      ],
    );
    const through = (value: number, more = {}): string => tcp(DEVICE, '198.51.104.1', { options: mss(value) }, more);
    const payload = through(expected, { ttl: 63 });
    assert.equal(engine.run([fromGateway(through(1_460))]), [
      ipv6({ src: '2001:db8:b::8', dst: '2001:db8:a::2', payload }),
    ]);
  });
}

test('a TCP header cut off anywhere is forwarded as it is', async () => {
  const engine = await engineFor('aftr', CLAMP);
  for (let octets = 0; octets < 24; octets++) {
    const packet = ipv4({
      src: DEVICE,
      dst: INTERNET,
      protocol: 6,
      mf: true,
      payload: cutOff.slice(40, 40 + octets * 2),
    });
    assert.equal(engine.run([fromGateway(packet)]), [packet], `${octets} octets`);
  }
});

test.run();
