import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { addCases, EngineUnderTest, engineFor, AFTR as INSTANCE, packetCounts } from '../helpers/engine-case.ts';
import { icmpv6Error } from '../helpers/icmpv6-error.ts';
import { icmpv4, icmpv6, ipv4, ipv6, udp } from '../helpers/packets.ts';

/** Packets that turn round: hairpin, loops, and answers of the engine itself. */
const test = suite('engine-turning');

const G1 = '2001:db8:a::1';
const G2 = '2001:db8:a::2';
const AFTR = '2001:db8:b::1';
const X = '198.51.100.10';
const Y = '198.51.101.20';
const INTERNET = '203.0.113.80';

const fromG1 = (payload: string, more: Parameters<typeof ipv6>[0] = {}): string =>
  ipv6({ src: G1, dst: AFTR, payload, ...more });
const toG1 = (payload: string, more: Parameters<typeof ipv6>[0] = {}): string =>
  ipv6({ src: AFTR, dst: G1, payload, ...more });
const toG2 = (payload: string, more: Parameters<typeof ipv6>[0] = {}): string =>
  ipv6({ src: AFTR, dst: G2, payload, ...more });

/** The ICMPv4 error of the AFTR about a packet. */
function error(type: number, code: number, mtu: number, about: string): string {
  const quote = about.slice(0, 2 * (576 - 28));
  const rest = `0000${mtu.toString(16).padStart(4, '0')}${quote}`;
  return ipv4({
    src: '203.0.113.1',
    dst: X,
    tos: 0xc0,
    id: 0,
    df: true,
    protocol: 1,
    payload: icmpv4(type, code, rest),
  });
}

const DEVICE_LOCAL = '198.51.100.1';

const lastHop = ipv4({ src: X, dst: INTERNET, ttl: 1 });
const lastHopHairpin = ipv4({ src: X, dst: Y, ttl: 1 });
const bigHairpin = ipv4({ src: X, dst: Y, df: true, payload: udp(1_000) });
const echo = icmpv4(8, 0, `00070001${'61'.repeat(32)}`);
const echoReply = icmpv4(0, 0, `00070001${'61'.repeat(32)}`);
const echo6 = (src: string, dst: string): string => icmpv6(src, dst, 128, 0, '00070001cafe');

const toUnserved = ipv4({ src: INTERNET, dst: '192.0.2.9', protocol: 1, payload: icmpv4(8, 0, '00070001cafe') });
const cutEcho = { src: X, dst: '203.0.113.1', protocol: 1, payload: echo };
addCases(test, 'aftr', [
  {
    name: 'a fragment of an echo request to the own address is not answered, though its checksum be right (D103)',
    in: [
      ipv4({ ...cutEcho, src: INTERNET, mf: true }),
      ipv4({ ...cutEcho, src: INTERNET, offset: 5 }),
      fromG1(ipv4({ ...cutEcho, mf: true })),
    ],
    out: [ipv4({ ...cutEcho, mf: true })],
    counters: { 'ipv4 martian-ipv4-destination': 2, 'ipv6 forwarded': 1 },
  },
]);

addCases(test, 'gateway', [
  {
    name: 'an ipv4-address in no served prefix: what comes for it is for the kernel, echo too (D43)',
    configuration: { 'ipv4-address': '192.0.2.9' },
    in: [toG1(toUnserved), toG1(ipv4({ src: INTERNET, dst: '192.0.2.9' }))],
    out: [toUnserved, ipv4({ src: INTERNET, dst: '192.0.2.9' })],
    counters: { 'ipv6 forwarded': 2 },
  },
]);

addCases(test, 'aftr', [
  {
    name: 'from gateway to gateway: one TTL, right outer addresses, nothing on the IPv4 side (D45)',
    in: [fromG1(ipv4({ src: X, dst: Y }))],
    out: [toG2(ipv4({ src: X, dst: Y, ttl: 63 }))],
    counters: { 'ipv6 hairpinned': 1 },
  },
  {
    name: 'the traffic class of the first tunnel is carried into the second',
    in: [fromG1(ipv4({ src: X, dst: Y, tos: 0x02 }), { trafficClass: 0xbb })],
    out: [toG2(ipv4({ src: X, dst: Y, ttl: 63, tos: 0xbb }), { trafficClass: 0xbb })],
    counters: { 'ipv6 hairpinned': 1 },
  },
  {
    name: 'hairpinning off (D46)',
    configuration: { 'enable-hairpinning': false },
    in: [fromG1(ipv4({ src: X, dst: Y }))],
    out: [],
    counters: { 'ipv6 hairpin-disabled': 1 },
  },
  {
    name: 'the source check comes first (D47)',
    configuration: { 'icmp-policy': { 'icmpv6-errors': { 'generate-icmpv6-errors': false } } },
    in: [fromG1(ipv4({ src: Y, dst: X }))],
    out: [],
    counters: { 'ipv6 source-mismatch': 1 },
  },
  {
    name: 'to an address of the same gateway, of the same and of another binding (D48, D50)',
    in: [
      fromG1(ipv4({ src: X, dst: '198.51.100.11' })),
      ipv6({ src: G2, dst: AFTR, payload: ipv4({ src: Y, dst: '198.51.100.77' }) }),
    ],
    out: [],
    counters: { 'ipv6 same-gateway': 2 },
  },
  {
    name: 'TTL 1 to IPv4 and to another gateway: time exceeded, back through the tunnel (D28)',
    in: [fromG1(lastHop), fromG1(lastHopHairpin)],
    out: [
      toG1(error(11, 0, 0, lastHop), { trafficClass: 0xc0 }),
      toG1(error(11, 0, 0, lastHopHairpin), { trafficClass: 0xc0 }),
    ],
    counters: { 'ipv6 ttl-expired': 2 },
  },
  {
    name: 'too big for the other tunnel with DF: 3/4 back through the tunnel (D56, D87)',
    configuration: { 'softwire-payload-mtu': 1_000 },
    in: [fromG1(bigHairpin)],
    out: [toG1(error(3, 4, 1_000, bigHairpin), { trafficClass: 0xc0 })],
    counters: { 'ipv6 too-big': 1 },
  },
  {
    name: 'echo to the ipv4-address of the AFTR is answered through the tunnel (D43, D103)',
    in: [fromG1(ipv4({ src: X, dst: '203.0.113.1', protocol: 1, payload: echo, ttl: 3 }))],
    out: [toG1(ipv4({ src: '203.0.113.1', dst: X, protocol: 1, payload: echoReply }))],
    counters: { 'ipv6 replied': 1 },
  },
  {
    name: 'echo to the ipv4-address from IPv4 is answered to IPv4; nothing else is',
    in: [
      ipv4({ src: INTERNET, dst: '203.0.113.1', protocol: 1, payload: echo, ttl: 1 }),
      ipv4({ src: INTERNET, dst: '203.0.113.1' }),
    ],
    out: [ipv4({ src: '203.0.113.1', dst: INTERNET, protocol: 1, payload: echoReply })],
    counters: { 'ipv4 replied': 1, 'ipv4 martian-ipv4-destination': 1 },
  },
  {
    name: 'echo to the tunnel address is answered (D103)',
    in: [ipv6({ src: '2001:db8::99', dst: AFTR, nextHeader: 58, hopLimit: 9, payload: echo6('2001:db8::99', AFTR) })],
    out: [
      ipv6({
        src: AFTR,
        dst: '2001:db8::99',
        nextHeader: 58,
        payload: icmpv6(AFTR, '2001:db8::99', 129, 0, '00070001cafe'),
      }),
    ],
    counters: { 'ipv6 replied': 1 },
  },
  {
    name: 'a wrong ICMPv6 checksum, an error and a truncated message are not answered',
    in: [
      ipv6({ src: '2001:db8::99', dst: AFTR, nextHeader: 58, payload: echo6('2001:db8::98', AFTR) }),
      ipv6({ src: '2001:db8::99', dst: AFTR, nextHeader: 58, payload: icmpv6('2001:db8::99', AFTR, 2, 0, '00000578') }),
      ipv6({ src: '2001:db8::99', dst: AFTR, nextHeader: 58, payload: '8000' }),
    ],
    out: [],
    counters: { 'ipv6 icmp-not-relayed': 3 },
  },
]);

const unanswered = [
  ['an ICMP error', { protocol: 1, payload: icmpv4(3, 1, `00000000${ipv4({})}`) }],
  ['a later fragment', { offset: 5 }],
] as const;
for (const [name, fields] of unanswered) {
  test(`no time exceeded about ${name} (D92)`, async () => {
    const engine = await engineFor('aftr');
    assert.equal(engine.run([fromG1(ipv4({ src: X, dst: INTERNET, ttl: 1, ...fields }))]), []);
    assert.equal(packetCounts(engine.counters()), { 'ipv6 ttl-expired': 1 });
  });
}

for (const address of ['0.1.2.3', '127.0.0.1', '224.0.0.1', '240.0.0.1', '255.255.255.255']) {
  test(`no error from or to ${address}, whatever else is wrong with the packet (D92)`, async () => {
    const engine = await engineFor('aftr');
    for (const ends of [
      { src: address, dst: X },
      { src: X, dst: address },
    ]) {
      assert.equal(engine.run([ipv4({ ...ends, df: true, payload: udp(1_600) })]), []);
      assert.equal(engine.run([fromG1(ipv4({ ...ends, ttl: 1 }))]), []);
    }
    assert.equal(packetCounts(engine.counters()), {
      'ipv4 martian-ipv4-source': 1,
      'ipv4 martian-ipv4-destination': 1,
      'ipv6 martian-ipv4-source': 1,
      'ipv6 martian-ipv4-destination': 1,
    });
  });
}

test('to an address without a binding: an error, but not about an ICMP error or a later fragment (D92)', async () => {
  const engine = await engineFor('aftr');
  const unbound = { src: INTERNET, dst: '198.51.103.1' };
  assert.is(engine.run([ipv4(unbound)]).length, 1);
  for (const [, fields] of unanswered) assert.equal(engine.run([ipv4({ ...unbound, ...fields })]), []);
  assert.equal(packetCounts(engine.counters()), { 'ipv4 no-binding': 3 });
});

test('time exceeded about an echo request is sent', async () => {
  const engine = await engineFor('aftr');
  const out = engine.run([fromG1(ipv4({ src: X, dst: INTERNET, ttl: 1, protocol: 1, payload: echo }))]);
  assert.is(out.length, 1);
});

test('without an ipv4-address there is nobody to send errors', async () => {
  const engine = await engineFor('aftr', { 'ipv4-address': undefined });
  assert.equal(engine.run([fromG1(lastHop)]), []);
});

test('errors of an instance are limited to a burst of 10 and 10 a second, and those left out are counted (D96)', async () => {
  // Each to a gateway of its own, so that only the instance limits them.
  const gateways = Array.from({ length: 50 }, (_, i) => [`198.51.100.${i + 1}/32`, `2001:db8:a::${i + 1}`] as const);
  const engine = new EngineUnderTest('aftr');
  await engine.configure([INSTANCE], gateways);
  const flood = gateways.map(([prefix, src]) =>
    ipv6({ src, dst: AFTR, payload: ipv4({ src: prefix.slice(0, -3), dst: INTERNET, ttl: 1 }) }),
  );
  assert.is(engine.run(flood, 0).length, 10);
  // Half of what flows in, but for its first token, is kept for errors of other kinds.
  assert.is(engine.run(flood, 500).length, 3);
  assert.is(engine.run(flood, 500).length, 0);
  assert.is(engine.run(flood, 60_000).length, 10);
  assert.equal(packetCounts(engine.counters()), { 'ipv6 ttl-expired': 200 });
  assert.equal(engine.counters()[0]?.icmpv4Errors, { sent: 23, suppressed: 177 });
});

test('rate and burst of ICMPv4 errors are those of the configuration, and they can be turned off (D96)', async () => {
  const flood = Array.from({ length: 50 }, (_, i) =>
    fromG1(ipv4({ src: `198.51.100.${i + 1}`, dst: INTERNET, ttl: 1 })),
  );
  const policy = (leaves: Readonly<Record<string, unknown>>) => ({ 'icmp-policy': { 'icmpv4-errors': leaves } });
  const limited = await engineFor('aftr', policy({ 'icmpv4-rate': 4, 'icmpv4-burst': 3 }));
  assert.is(limited.run(flood, 0).length, 3);
  // Behind a burst a guard for other kinds grows with half of what flows in; then there is one each 250 ms.
  assert.equal(
    [500, 990, 1_010, 1_240, 1_260, 1_500, 1_520].map((ms) => limited.run(flood, ms).length),
    [1, 1, 0, 0, 1, 0, 1],
  );
  const off = await engineFor('aftr', policy({ 'generate-icmpv4-errors': false }));
  assert.is(off.run(flood, 0).length, 0);
  assert.equal(packetCounts(off.counters()), { 'ipv6 ttl-expired': 50 });
});

test('a packet to an unused address crosses the tunnel at most once (D49, D50)', async () => {
  const aftr = await engineFor('aftr');
  const gateway = await engineFor('gateway');
  const [tunnelled = ''] = aftr.run([ipv4({ src: INTERNET, dst: '198.51.100.200' })]);
  const [inner = ''] = gateway.run([tunnelled]);
  // The gateway has no such device, and its last route brings the packet back to the engine, which tells the source.
  const quote = `00000000${inner}`;
  const fields = { src: DEVICE_LOCAL, dst: INTERNET, tos: 0xc0, id: 0, df: true, protocol: 1 };
  const told = ipv4({ ...fields, payload: icmpv4(3, 1, quote) });
  assert.equal(gateway.run([inner]), [ipv6({ src: G1, dst: AFTR, trafficClass: 0xc0, payload: told })]);
  assert.equal(aftr.run([fromG1(told, { trafficClass: 0xc0 })]), [told]);
  // A gateway that misbehaves sends the packet itself back through the tunnel: it ends there, whatever its TTL.
  const returned = [fromG1(inner), fromG1(ipv4({ src: INTERNET, dst: '198.51.100.200', ttl: 1 }))];
  assert.equal(
    aftr.run(returned),
    returned.map((packet) => icmpv6Error(1, 5, 0, packet, AFTR)),
  );
  assert.equal(packetCounts(gateway.counters()), { 'ipv6 forwarded': 1, 'ipv4 loop-prevented': 1 });
  assert.equal(packetCounts(aftr.counters()), { 'ipv4 forwarded': 1, 'ipv6 forwarded': 1, 'ipv6 no-binding': 2 });
});

test('gateways of an AFTR that connects none are not reached from those of another AFTR either (D46)', async () => {
  const engine = new EngineUnderTest('aftr');
  const other = {
    name: 'other',
    'ipv6-address': '2001:db8:b::9',
    'ipv4-pool': ['192.0.2.0/24'],
    'flow-label-mode': 'zero',
  };
  const bindings = [
    { instance: 'br', text: ['198.51.100.0/24', '2001:db8:a::1'] },
    { instance: 'other', text: ['192.0.2.0/24', '2001:db8:a::9'] },
  ] as const;
  const packet = fromG1(ipv4({ src: X, dst: '192.0.2.5' }));
  for (const connects of [true, false]) {
    await engine.configureAll([INSTANCE, { ...other, 'enable-hairpinning': connects }], bindings);
    assert.is(engine.run([packet]).length, connects ? 1 : 0);
  }
  assert.equal(packetCounts(engine.counters()), { 'ipv6 hairpinned': 1, 'ipv6 hairpin-disabled': 1 });
});

test.run();
