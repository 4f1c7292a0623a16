import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { BINDINGS, EngineUnderTest, engineFor, AFTR as INSTANCE, packetCounts } from '../helpers/engine-case.ts';
import { icmpv4, icmpv6, ipv4, ipv6, udp } from '../helpers/packets.ts';
import { random, seed } from '../helpers/random.ts';

/** Who floods takes no errors from those that others need. */
const test = suite('engine-error-budgets');

const G1 = '2001:db8:a::1';
const AFTR = '2001:db8:b::1';
const DEVICE = '198.51.100.10';
const INTERNET = '203.0.113.80';

const tunnelled = (src: string, payload: string): string => ipv6({ src, dst: AFTR, payload });

/** ICMPv4 errors sent and suppressed. */
function icmpv4Errors(engine: EngineUnderTest): { readonly sent: number; readonly suppressed: number } {
  return engine.counters()[0]?.icmpv4Errors ?? { sent: 0, suppressed: 0 };
}

/**
 * 20 seconds of `perSecond` packets of a flood, and every half second one packet with an error due; how many of the 40 are
 * answered to `isAnswer`. All in steps of 10 ms.
 */
function answered(
  engine: EngineUnderTest,
  perSecond: number,
  flood: () => string,
  packet: string,
  isAnswer: (out: string) => boolean,
): number {
  let answers = 0;
  let owed = 0;
  for (let ms = 0; ms < 20_000; ms += 10) {
    const batch: string[] = [];
    for (owed += perSecond / 100; owed >= 1; owed--) batch.push(flood());
    if (ms % 500 === 250) batch.push(packet);
    answers += engine.run(batch, 100_000 + ms).filter(isAnswer).length;
  }
  return answers;
}

const next = random();
/** From any host of the Internet to an address of the pool that no binding holds. */
const scan = (): string =>
  ipv4({ src: `${64 + (next() % 60)}.${next() % 256}.${next() % 256}.7`, dst: `198.51.103.${1 + (next() % 250)}` });
const tooBig = ipv4({ src: INTERNET, dst: DEVICE, df: true, payload: udp(1_472) });
const isTooBig = (out: string): boolean => out.slice(40, 44) === '0304';
const lastHop = tunnelled(G1, ipv4({ src: DEVICE, dst: INTERNET, ttl: 1 }));
const isTimeExceeded = (out: string): boolean => out.slice(80 + 40, 80 + 44) === '0b00';

for (const perSecond of [20, 100, 1_000]) {
  test(`a scan of unbound addresses, ${perSecond} packets a second, stops no path MTU discovery (D56, D96, D104, seed ${seed})`, async () => {
    const engine = await engineFor('aftr');
    assert.is(answered(engine, perSecond, scan, tooBig, isTooBig), 40);
    const { sent, suppressed } = icmpv4Errors(engine);
    assert.is(sent + suppressed, 20 * perSecond + 40);
    assert.ok(sent >= 190 && sent <= 10 + 200, `${sent} sent`);
  });

  test(`nor a traceroute through the tunnel (D28, D96, D104, seed ${seed})`, async () => {
    const engine = await engineFor('aftr');
    assert.is(answered(engine, perSecond, scan, lastHop, isTimeExceeded), 40);
  });
}

test('packets too big for the egress link are reported during a scan (D74, D96)', async () => {
  const engine = await engineFor('aftr');
  engine.forwarding.setEgressMtus(new Map([['br', 1_400]]));
  const big = tunnelled(G1, ipv4({ src: DEVICE, dst: INTERNET, df: true, payload: udp(1_400) }));
  assert.is(
    answered(engine, 1_000, scan, big, (out) => out.slice(80 + 40, 80 + 44) === '0304'),
    40,
  );
});

// Fairness: another gateway behind the same AFTR, and one packet of it every half second ------------------------------

const G2 = '2001:db8:a::2';
const othersLastHop = tunnelled(G2, ipv4({ src: '198.51.101.9', dst: INTERNET, ttl: 1 }));
const isToOther = (out: string): boolean => out.slice(48, 80) === '20010db8000a00000000000000000002';
/** Of the /24 of G1, without the one address of it that is another's. */
const ofG1 = (): string => `198.51.100.${1 + (next() % 70)}`;
const forgedError = (destination: string): string => {
  const quote = ipv6({
    src: AFTR,
    dst: G1,
    payload: ipv4({ src: `9.${next() % 256}.${next() % 256}.1`, dst: destination }),
  });
  const [reporter, rest] = ['2001:db8:ffff::7', `00000000${quote}`];
  return ipv6({ src: reporter, dst: AFTR, nextHeader: 58, payload: icmpv6(reporter, AFTR, 1, 0, rest) });
};

const floods = [
  ['last hops from one address of a gateway', () => tunnelled(G1, ipv4({ src: DEVICE, dst: INTERNET, ttl: 1 }))],
  ['last hops from all addresses of a gateway', () => tunnelled(G1, ipv4({ src: ofG1(), dst: INTERNET, ttl: 1 }))],
  ['forged ICMPv6 errors that quote any inner source', () => forgedError(DEVICE)],
] as const;
for (const [name, flood] of floods) {
  test(`${name}, 1,000 a second: another gateway is told of its own (D97, seed ${seed})`, async () => {
    const engine = await engineFor('aftr');
    assert.is(answered(engine, 1_000, flood, othersLastHop, isToOther), 40);
    const { sent, suppressed } = icmpv4Errors(engine);
    assert.is(sent + suppressed, 20_040);
    assert.ok(sent >= 180 && sent <= 10 + 200, `${sent} sent`);
  });
}

test(`forged errors about packets to one gateway leave those about packets to another alone (D80, D97, seed ${seed})`, async () => {
  const engine = await engineFor('aftr');
  const quote = ipv6({
    src: AFTR,
    dst: G2,
    payload: ipv4({ src: INTERNET, dst: '198.51.101.9', df: true, payload: udp(1_400) }),
  });
  const router = '2001:db8:fff::1';
  const report = icmpv6(router, AFTR, 2, 0, `00000514${quote.slice(0, 2_000)}`);
  const packet = ipv6({ src: router, dst: AFTR, nextHeader: 58, payload: report });
  assert.is(
    answered(engine, 1_000, () => forgedError(ofG1()), packet, isTooBig),
    40,
  );
});

test(`an end device of a gateway is told while strangers flood it with last hops (D97, seed ${seed})`, async () => {
  const engine = await engineFor('gateway');
  const stranger = (): string => `${64 + (next() % 60)}.${next() % 256}.${next() % 256}.7`;
  const flood = (): string => ipv6({ src: AFTR, dst: G1, payload: ipv4({ src: stranger(), dst: DEVICE, ttl: 1 }) });
  const big = ipv4({ src: DEVICE, dst: INTERNET, df: true, payload: udp(1_472) });
  assert.is(answered(engine, 1_000, flood, big, isTooBig), 40);
});

test(`strangers send tunnel packets from made-up addresses: a gateway is told of its own (D95, D97, seed ${seed})`, async () => {
  const engine = await engineFor('aftr');
  const madeUp = (): string => `2001:db8:${(next() & 0xffff).toString(16)}:${(next() & 0xffff).toString(16)}::1`;
  const refused = tunnelled(G2, ipv4({ src: DEVICE, dst: INTERNET }));
  const flood = (): string => tunnelled(madeUp(), ipv4({ src: DEVICE, dst: INTERNET }));
  assert.is(answered(engine, 1_000, flood, refused, isToOther), 40);
  const { sent, suppressed } = engine.counters()[0]?.icmpv6Errors ?? { sent: 0, suppressed: 0 };
  assert.is(sent + suppressed, 20_040);
  assert.ok(sent >= 190 && sent <= 10 + 200, `${sent} sent`);
});

test(`strangers send a gateway what it does not speak, from made-up addresses: its AFTR is told of its own (D95, D97, seed ${seed})`, async () => {
  const engine = await engineFor('gateway');
  const unknown = (src: string): string => ipv6({ src, dst: G1, nextHeader: 99, payload: '00'.repeat(8) });
  const flood = (): string =>
    unknown(`2001:db8:${(next() & 0xffff).toString(16)}:${(next() & 0xffff).toString(16)}::1`);
  const toAftr = (out: string): boolean => out.slice(48, 80) === '20010db8000b00000000000000000001';
  assert.is(answered(engine, 1_000, flood, unknown(AFTR), toAftr), 40);
});

test(`1,000 spoofs in a second, of gateways and of strangers: burst and rate of both together, and no more (D95, seed ${seed})`, async () => {
  const engine = await engineFor('aftr');
  const told = { gateways: 0, strangers: 0 };
  for (let ms = 0; ms < 1_000; ms++) {
    const who = ms % 2 === 0 ? 'gateways' : 'strangers';
    const src = who === 'gateways' ? [G1, G2][(ms >> 1) % 2] : `2001:db8:f::${(1 + ms).toString(16)}`;
    told[who] += engine.run([tunnelled(src ?? '', ipv4({ src: '198.51.102.9', dst: INTERNET }))], 100_000 + ms).length;
  }
  const all = told.gateways + told.strangers;
  assert.ok(all >= 16 && all <= 20 && Math.min(told.gateways, told.strangers) >= 5, JSON.stringify(told));
  const { sent, suppressed } = engine.counters()[0]?.icmpv6Errors ?? { sent: 0, suppressed: 0 };
  assert.is(sent, all);
  assert.is(sent + suppressed, 1_000);
});

for (const [name, packet, kind] of [
  ['ICMPv4', ipv4({ src: INTERNET, dst: DEVICE, df: true, payload: udp(1_472) }), 'icmpv4Errors'],
  ['ICMPv6', tunnelled(G1, ipv4({ src: '198.51.101.9', dst: INTERNET })), 'icmpv6Errors'],
] as const) {
  test(`an ${name} error that finds no room in the batch counts as suppressed (D95, D96)`, async () => {
    const engine = await engineFor('aftr', { 'softwire-payload-mtu': 500 });
    // In fragments of 488 octets: 30 times 134, 70, and three times two take all room that there is beside one a packet.
    const sized = (octets: number) => ipv4({ src: INTERNET, dst: DEVICE, payload: udp(octets) });
    const batch = [...new Array<string>(30).fill(sized(65_000)), sized(34_100), sized(600), sized(600), sized(600)];
    engine.run([...batch, packet, packet, packet]);
    assert.is(packetCounts(engine.counters())['ipv4 forwarded'], batch.length);
    assert.equal(engine.counters()[0]?.[kind], { sent: 0, suppressed: 3 });
    assert.is(engine.run([packet]).length, 1);
  });
}

// What is counted as sent leaves -----------------------------------------------------------------------------------------

const NARROW = { 'softwire-payload-mtu': 500, 'outer-fragmentation': false };
const LEAST = { 'softwire-payload-mtu': 68, 'outer-fragmentation': false };
const ended = (payload: string, options = ''): string => ipv4({ src: DEVICE, dst: INTERNET, ttl: 1, options, payload });
/** Time exceeded about a packet of which so many octets are quoted, through the tunnel to G1. */
function timeExceeded(about: string, quoted: number): string {
  const payload = icmpv4(11, 0, `00000000${about.slice(0, 2 * quoted)}`);
  const error = ipv4({ src: '203.0.113.1', dst: DEVICE, tos: 0xc0, id: 0, df: true, protocol: 1, payload });
  return ipv6({ src: AFTR, dst: G1, trafficClass: 0xc0, payload: error });
}

const long = ended(udp(600));
const withOptions = ended(udp(600), '01'.repeat(40));
const cut = [
  ['a narrow tunnel that takes no fragments: an error that fits', NARROW, long, [timeExceeded(long, 472)]],
  ['the narrowest one: header and 20 octets', LEAST, long, [timeExceeded(long, 40)]],
  ['the narrowest one, and a header as long as can be: none', LEAST, withOptions, []],
  ['a small packet is quoted whole', NARROW, ended(''), [timeExceeded(ended(''), 20)]],
] as const;
for (const [name, configuration, packet, out] of cut) {
  test(`${name} (D89)`, async () => {
    const engine = await engineFor('aftr', configuration);
    assert.equal(engine.run([tunnelled(G1, packet)]), out);
    assert.equal(icmpv4Errors(engine), { sent: out.length, suppressed: 0 });
  });
}

test('errors in fragments, more than a batch has room for: those that leave are sent', async () => {
  const errors = { 'icmp-policy': { 'icmpv4-errors': { 'icmpv4-burst': 1_000 } } };
  const engine = new EngineUnderTest('aftr', 100, 512);
  await engine.configure([{ ...INSTANCE, 'softwire-payload-mtu': 68, ...errors }], BINDINGS);
  const out = engine.run(new Array<string>(512).fill(tunnelled(G1, long)));
  const { sent } = icmpv4Errors(engine);
  assert.is(out.length, sent * Math.ceil(576 / 56));
  assert.ok(sent > 100 && sent < 512, `${sent} sent`);
});

test.run();
