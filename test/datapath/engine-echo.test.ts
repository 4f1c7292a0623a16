import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { addCases, comparable, engineFor, packetCounts } from '../helpers/engine-case.ts';
import { fragments } from '../helpers/fragments.ts';
import { icmpv6, ipv4, ipv6, udp } from '../helpers/packets.ts';

/** Echo to a tunnel address, from anybody (D103). */
const test = suite('engine-echo');

const AFTR = '2001:db8:b::1';
const PEER = '2001:db8::99';
const ENDS = { src: PEER, dst: AFTR };
const BACK = { src: AFTR, dst: PEER };

const data = (octets: number): string => `00070001${'61'.repeat(octets)}`;
const request = (octets: number): string => icmpv6(PEER, AFTR, 128, 0, data(octets));
const reply = (octets: number): string => icmpv6(AFTR, PEER, 129, 0, data(octets));
const whole = (octets: number, more = {}): string =>
  ipv6({ ...ENDS, nextHeader: 58, payload: request(octets), ...more });
const answer = (octets: number): string => ipv6({ ...BACK, nextHeader: 58, payload: reply(octets) });

/** Extension headers before a request, the first of which `nextHeader` names; the last one names ICMPv6. */
const behind = [
  ['destination options', 60, '3a00010400000000'],
  ['hop-by-hop options', 0, '3a00010400000000'],
  ['a routing header that has nothing left to visit', 43, '3a00000000000000'],
  ['the header of a fragment that is all of its packet', 44, '3a00000000000007'],
  ['two headers', 0, '3c000104000000003a02010400000000010e0000000000000000000000000000'],
] as const;

addCases(test, 'aftr', [
  ...behind.map(([name, nextHeader, headers]) => ({
    name: `an echo request behind ${name} is answered, without them`,
    in: [ipv6({ ...ENDS, nextHeader, trafficClass: 0xb8, hopLimit: 3, payload: headers + request(24) })],
    out: [ipv6({ ...BACK, nextHeader: 58, trafficClass: 0xb8, payload: reply(24) })],
    counters: { 'ipv6 replied': 1 },
  })),
  {
    name: 'behind options its checksum counts, too',
    in: [ipv6({ ...ENDS, nextHeader: 60, payload: `3a00010400000000${icmpv6(PEER, PEER, 128, 0, data(24))}` })],
    out: [],
    counters: { 'ipv6 icmp-not-relayed': 1 },
  },
  {
    name: 'an answer as large as the softwire takes goes whole, as the request came',
    in: [whole(1_452)],
    out: [answer(1_452)],
    counters: { 'ipv6 replied': 1 },
  },
  {
    name: 'a larger one goes in fragments that every link takes',
    in: [whole(1_453)],
    out: fragments(reply(1_453), 1_232, { ...BACK, id: 0, upper: 58 }),
    counters: { 'ipv6 replied': 1 },
  },
  {
    name: 'a larger softwire takes it whole',
    configuration: { 'softwire-payload-mtu': 8_960 },
    in: [whole(1_453)],
    out: [answer(1_453)],
    counters: { 'ipv6 replied': 1 },
  },
]);

for (const [octets, pieces] of [
  [1_224, 1],
  [1_232, 1],
  [1_233, 2],
  [3_000, 3],
  [60_000, 49],
] as const) {
  test(`an answer of ${octets} octets of data to a request in fragments goes in ${pieces}`, async () => {
    const engine = await engineFor('aftr', { reassembly: { 'maximum-fragments': 64 } });
    const out = engine.run(fragments(request(octets), 1_232, { ...ENDS, id: 77, upper: 58 }));
    assert.is(out.length, pieces);
    const wanted = pieces === 1 ? [answer(octets)] : fragments(reply(octets), 1_232, { ...BACK, id: 0, upper: 58 });
    assert.equal(out.map(comparable), wanted);
    assert.ok(out.every((packet) => packet.length / 2 <= 1_280));
    assert.is(packetCounts(engine.counters())['ipv6 replied'], Math.ceil((octets + 8) / 1_232));
  });
}

test('an answer whose fragments find no room in the batch is not sent, and counts as write-failed', async () => {
  const engine = await engineFor('aftr', { 'softwire-payload-mtu': 500 });
  // In fragments of 488 octets they take all room that there is beside one output a packet.
  const sized = (octets: number) => ipv4({ src: '203.0.113.80', dst: '198.51.100.10', payload: udp(octets) });
  const full = [...new Array<string>(30).fill(sized(65_000)), sized(34_100), sized(600), sized(600), sized(600)];
  engine.run([...full, whole(1_453)]);
  assert.equal(packetCounts(engine.counters()), { 'ipv4 forwarded': full.length, 'ipv6 write-failed': 1 });
  assert.is(engine.run([whole(1_453)]).length, 2);
  assert.is(packetCounts(engine.counters())['ipv6 replied'], 1);
});

test.run();
