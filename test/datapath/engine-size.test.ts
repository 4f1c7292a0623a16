import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { addCases, engineFor, packetCounts } from '../helpers/engine-case.ts';
import { hex16, icmpv4, ipv4, ipv6, udp } from '../helpers/packets.ts';

const test = suite('engine-size');

const G1 = '2001:db8:a::1';
const AFTR = '2001:db8:b::1';
const DEVICE = '198.51.100.10';
const INTERNET = '203.0.113.80';

/** An IPv4 packet of so many octets. */
const sized = (octets: number, df: boolean, more = {}): string =>
  ipv4({ src: DEVICE, dst: INTERNET, df, payload: udp(octets - 28), ...more });
const toAftr = (payload: string, more: Parameters<typeof ipv6>[0] = {}): string =>
  ipv6({ src: G1, dst: AFTR, payload, ...more });

/** The outer fragments of RFC 8200 §4.5, identification zero, pieces of `piece` octets. */
function fragments(inner: string, piece: number, more: Parameters<typeof ipv6>[0] = {}): string[] {
  const parts = inner.match(new RegExp(`.{1,${2 * piece}}`, 'g')) ?? [];
  return parts.map((part, i) => {
    const offset = hex16((i * piece) | (i < parts.length - 1 ? 1 : 0));
    return toAftr(`0400${offset}00000000${part}`, { nextHeader: 44, ...more });
  });
}

const tooBig = sized(1_461, true);
/** 3/4 of 576 octets, whatever is larger. */
const tooBigFor = (payloadMtu: number, offender: string): string =>
  ipv4({
    src: '198.51.100.1',
    dst: DEVICE,
    tos: 0xc0,
    id: 0,
    df: true,
    protocol: 1,
    payload: icmpv4(3, 4, `0000${hex16(payloadMtu)}${offender.slice(0, 2 * 548)}`),
  });
const AT_1280 = { 'softwire-payload-mtu': 1_240 };

addCases(test, 'gateway', [
  {
    name: 'the payload MTU passes whole, with and without DF (D54)',
    in: [sized(1_460, true), sized(1_460, false)],
    out: [toAftr(sized(1_460, true)), toAftr(sized(1_460, false))],
    counters: { 'ipv4 forwarded': 2 },
  },
  {
    name: 'one octet more with DF: 3/4 with the payload MTU, straight to the end device (D56)',
    in: [tooBig],
    out: [tooBigFor(1_460, tooBig)],
    counters: { 'ipv4 too-big': 1 },
  },
  {
    name: 'one octet more without DF: the outer packet is fragmented, no ICMP (D55, D57, D58)',
    in: [sized(1_461, false)],
    out: fragments(sized(1_461, false), 1_448),
    counters: { 'ipv4 forwarded': 1 },
  },
  {
    name: 'a path of 1,280: 1,240 octets pass whole, 1,241 without DF do not, 1,480 go in two fragments (D54, D55)',
    configuration: AT_1280,
    in: [sized(1_240, true), sized(1_240, false), sized(1_241, false), sized(1_480, false)],
    out: [
      toAftr(sized(1_240, true)),
      toAftr(sized(1_240, false)),
      ...fragments(sized(1_241, false), 1_232),
      ...fragments(sized(1_480, false), 1_232),
    ],
    counters: { 'ipv4 forwarded': 4 },
  },
  {
    name: 'a path of 1,280: 1,241 and 1,480 octets with DF are told 1,240, in errors of 576 octets (D56, D89)',
    configuration: AT_1280,
    in: [sized(1_241, true), sized(1_480, true)],
    out: [tooBigFor(1_240, sized(1_241, true)), tooBigFor(1_240, sized(1_480, true))],
    counters: { 'ipv4 too-big': 2 },
  },
  {
    name: 'many fragments, each with the same traffic class and hop limit (D58)',
    configuration: { 'softwire-payload-mtu': 68, 'hop-limit': 9 },
    in: [sized(1_480, false, { tos: 0xb8 })],
    out: fragments(sized(1_480, false, { tos: 0xb8 }), 56, { trafficClass: 0xb8, hopLimit: 9 }),
    counters: { 'ipv4 forwarded': 1 },
  },
  {
    name: 'a larger payload MTU is honoured (D82)',
    configuration: { 'softwire-payload-mtu': 2_720 },
    in: [sized(2_720, true)],
    out: [toAftr(sized(2_720, true))],
    counters: { 'ipv4 forwarded': 1 },
  },
]);

test('all outer fragments have one flow label (D58)', async () => {
  const engine = await engineFor('gateway', { 'softwire-payload-mtu': 600, 'flow-label-mode': 'flow' });
  const labels = engine.run([sized(1_480, false)]).map((packet) => packet.slice(3, 8));
  assert.is(labels.length, 3);
  assert.is(new Set(labels).size, 1);
  assert.is.not(labels[0], '00000');
});

test('an error about 1,480 octets has 576 (D89)', () => {
  assert.is(tooBigFor(1_240, sized(1_480, true)).length / 2, 576);
});

test('identifications of fragments differ, and neighbours do not follow each other (D59)', async () => {
  const engine = await engineFor('gateway');
  const seen = new Set<number>();
  let neighbours = 0;
  let before = 0;
  for (let i = 0; i < 1_000; i++) {
    const [first = '', second = ''] = engine.run([sized(1_461, false)]);
    const identification = Number.parseInt(first.slice(88, 96), 16);
    assert.is(second.slice(88, 96), first.slice(88, 96));
    if (Math.abs(identification - before) === 1) neighbours++;
    before = identification;
    seen.add(identification);
  }
  assert.equal([seen.size, neighbours], [1_000, 0]);
});

test('a batch of nothing but fragments beyond its room drops what does not fit, and counts it', async () => {
  const engine = await engineFor('gateway', { 'softwire-payload-mtu': 68 });
  const out = engine.run(new Array<string>(64).fill(sized(5_900, false)));
  const counts = packetCounts(engine.counters());
  const forwarded = counts['ipv4 forwarded'] ?? 0;
  assert.is(forwarded + (counts['ipv4 write-failed'] ?? 0), 64);
  assert.ok(forwarded > 20 && forwarded < 64, `${forwarded} forwarded`);
  assert.is(out.length, forwarded * Math.ceil(5_900 / 56));
});

test('a batch of 64 packets of 65,535 octets over a path of 1,280 goes out whole', async () => {
  const engine = await engineFor('gateway', { 'softwire-payload-mtu': 1_240 });
  const out = engine.run(new Array<string>(64).fill(sized(65_535, false)));
  assert.equal(packetCounts(engine.counters()), { 'ipv4 forwarded': 64 });
  assert.is(out.length, 64 * Math.ceil(65_535 / 1_232));
});

test.run();
