import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { TraceRow } from '../../src/control.ts';
import { Batch } from '../../src/datapath/batch.ts';
import { planInstances } from '../../src/datapath/configuration.ts';
import { Forwarding } from '../../src/datapath/forwarding.ts';
import { swapWord } from '../../src/datapath/memory.ts';
import { MemoryDevice, STRIDE } from '../../src/datapath/packet-device.ts';
import { Pump } from '../../src/datapath/pump.ts';
import { Softwires } from '../../src/datapath/softwires.ts';
import { readConfiguration } from '../../src/state/configuration-reader.generated.ts';
import {
  AFTR,
  BINDINGS,
  binding,
  comparable,
  EngineUnderTest,
  engineFor,
  packetCounts,
} from '../helpers/engine-case.ts';
import { fragments } from '../helpers/fragments.ts';
import { fragmentHeader, icmpv6, ipv4, ipv6, udp } from '../helpers/packets.ts';

/** D139: what would become of a packet, and what becomes of those of one address. */
const test = suite('trace');

const DEVICE = '198.51.100.10';
const INTERNET = '203.0.113.80';
const SHARED = '198.51.103.1';
const fromG1 = (payload: string): string => ipv6({ payload });
const octets = (hex: string): Uint8Array => Buffer.from(hex, 'hex');

const cases = [
  [
    'gateway',
    'a good packet',
    ipv4({ src: DEVICE, dst: INTERNET }),
    'forwarded',
    'gw',
    '198.51.100.0/24',
    '2001:db8:b::1',
  ],
  [
    'gateway',
    'a stranger',
    ipv4({ src: '192.0.2.1', dst: INTERNET }),
    'outside-served-prefix',
    'gw',
    undefined,
    undefined,
  ],
  [
    'aftr',
    'a good packet',
    ipv4({ src: INTERNET, dst: DEVICE }),
    'forwarded',
    'br',
    '198.51.100.0/24',
    '2001:db8:a::1',
  ],
  [
    'aftr',
    'the longest match',
    ipv4({ src: INTERNET, dst: '198.51.100.77' }),
    'forwarded',
    'br',
    '198.51.100.77/32',
    '2001:db8:a::2',
  ],
  [
    'aftr',
    'in fragments',
    ipv4({ src: INTERNET, dst: DEVICE, payload: udp(1_800) }),
    'forwarded',
    'br',
    '198.51.100.0/24',
    '2001:db8:a::1',
  ],
  [
    'aftr',
    'hairpin',
    fromG1(ipv4({ src: DEVICE, dst: '198.51.101.1' })),
    'hairpinned',
    'br',
    '198.51.100.0/24',
    '2001:db8:a::1',
  ],
  [
    'aftr',
    'a wrong gateway',
    ipv6({ src: '2001:db8:a::9', payload: ipv4({ src: DEVICE, dst: INTERNET }) }),
    'source-mismatch',
    'br',
    '198.51.100.0/24',
    '2001:db8:a::1',
  ],
  ['aftr', 'bound to nothing', ipv4({ src: INTERNET, dst: '198.51.103.1' }), 'no-binding', 'br', undefined, undefined],
  ['aftr', 'in no pool', ipv4({ src: INTERNET, dst: '192.0.2.1' }), 'no-instance', undefined, undefined, undefined],
  ['aftr', 'no packet at all', '00', 'malformed-ipv6', 'br', undefined, undefined],
] as const;
for (const [role, name, packet, end, instance, prefix, remote] of cases) {
  test(`${role}: ${name}: ${end}, and what the engine would send`, async () => {
    const traced = await engineFor(role);
    const result = traced.forwarding.trace(octets(packet));
    assert.is(result.reason ?? result.end, end);
    assert.is(result.end === 'dropped', result.reason !== undefined);
    assert.equal([result.role, result.instance, result.prefix, result.remote], [role, instance, prefix, remote]);
    assert.equal(packetCounts(traced.counters()), {}, 'nothing is counted');
    const twin = await engineFor(role);
    assert.equal(result.sent.map(comparable), twin.run([packet]).map(comparable));
  });
}

/** An AFTR with its BINDINGS and the shared address 198.51.103.1, whose PSID 5 of eight, in ports from 1,024 on, is at a::5. */
async function withPortSet(): Promise<EngineUnderTest> {
  const engine = new EngineUnderTest('aftr');
  const portSet = { psid: 5, 'b4-ipv6-address': '2001:db8:a::5' };
  const shared = { 'ipv4-address': SHARED, 'psid-offset': 6, 'psid-length': 3, 'port-set': [portSet] };
  await engine.configure([{ ...AFTR, 'binding-table': { 'shared-address': [shared] } }], BINDINGS);
  return engine;
}

/** The first port of PSID 5. */
const HELD_PORT = (1 << 10) | (5 << 7);
const toShared = (port: number) => ipv4({ src: INTERNET, dst: SHARED, payload: udp(8, 53, port) });
const fromShared = (port: number, src = '2001:db8:a::5') =>
  ipv6({ src, payload: ipv4({ src: SHARED, dst: INTERNET, payload: udp(8, port, 53) }) });
const PORT_SET = { prefix: '198.51.103.1/32', psid: 5, remote: '2001:db8:a::5' };

const sharedCases = [
  ['to a port of it', toShared(HELD_PORT), 'forwarded', PORT_SET],
  ['to its last port', toShared(HELD_PORT + 127), 'forwarded', PORT_SET],
  ['to a port that nobody holds', toShared(HELD_PORT + 128), 'no-binding', {}],
  ['from it', fromShared(HELD_PORT), 'forwarded', PORT_SET],
  ['from another gateway', fromShared(HELD_PORT, '2001:db8:a::6'), 'source-mismatch', PORT_SET],
] as const;
for (const [name, packet, end, binding] of sharedCases) {
  test(`a port set, ${name}: ${end}, with the shared address and the PSID, traced and live`, async () => {
    const { forwarding } = await withPortSet();
    const result = forwarding.trace(octets(packet));
    assert.equal([result.reason ?? result.end, bindingOf(result)], [end, binding]);
    forwarding.setWatched(0xc6_33_67_01);
    pumpOver(forwarding)([packet]);
    const { packets } = forwarding.takeWatched();
    assert.equal(
      packets.map((seen) => [seen.reason ?? seen.end, bindingOf(seen)]),
      [[end, binding]],
    );
  });
}

function bindingOf({ prefix, psid, remote }: TraceRow): TraceRow {
  return {
    ...(prefix !== undefined && { prefix }),
    ...(psid !== undefined && { psid }),
    ...(remote !== undefined && { remote }),
  };
}

test('a trace has no effect: no event, no token of the errors', async () => {
  const engine = await engineFor('aftr');
  const lastHop = fromG1(ipv4({ src: DEVICE, dst: INTERNET, ttl: 1 }));
  for (let i = 0; i < 30; i++) {
    assert.is(engine.forwarding.trace(octets(lastHop)).sent.length, 1);
    engine.forwarding.trace(octets(ipv6({ trafficClass: 1, payload: ipv4({ src: DEVICE, dst: INTERNET }) })));
  }
  assert.is(engine.run(new Array<string>(30).fill(lastHop)).length, 10);
  assert.is(engine.counters()[0]?.ecnAnomalies, 0);
});

test('a trace tells of errors by the clock of the workers: after a flood they are due again', async () => {
  const engine = await engineFor('aftr');
  const lastHop = fromG1(ipv4({ src: DEVICE, dst: INTERNET, ttl: 1 }));
  const sent = () => engine.forwarding.trace(octets(lastHop)).sent.length;
  const nowMs = performance.now();
  assert.is(engine.run(new Array<string>(30).fill(lastHop), nowMs + 3_600_000).length, 10);
  assert.is(sent(), 0);
  assert.is(engine.run(new Array<string>(30).fill(lastHop), nowMs - 60_000).length, 0);
  assert.is(sent(), 1);
});

for (const flooder of ['2001:db8:a::1', '2001:db8:f::1']) {
  for (const src of ['2001:db8:a::3', '2001:db8:f::2']) {
    for (const [agoMs, told] of [
      [-3_600_000, 0],
      [300, 1],
    ] as const) {
      test(`a trace tells what ${src} gets ${agoMs} ms behind the burst of ${flooder}, as the wire does (D95, D139)`, async () => {
        const engine = await engineFor('aftr');
        const refused = (from: string) => ipv6({ src: from, payload: ipv4({ src: '198.51.101.5', dst: INTERNET }) });
        const nowMs = performance.now();
        assert.is(engine.run(new Array<string>(30).fill(refused(flooder)), nowMs - agoMs).length, 10);
        const { end, reason, sent } = engine.forwarding.trace(octets(refused(src)));
        assert.equal({ end, reason }, { end: 'dropped', reason: 'source-mismatch' });
        const out = engine.run([refused(src)], nowMs);
        assert.equal(sent.map(comparable), out.map(comparable));
        assert.is(out.length, told);
      });
    }
  }
}

test('a trace takes what was learned of a path as it is by now: ten minutes later it is forgotten (D79, D139)', async () => {
  const engine = await engineFor('aftr');
  const big = ipv4({ src: INTERNET, dst: DEVICE, df: true, payload: udp(1_400) });
  const about = ipv6({ src: '2001:db8:b::1', dst: '2001:db8:a::1', payload: big });
  const router = '2001:db8:fff::1';
  const tooBig = icmpv6(router, '2001:db8:b::1', 2, 0, `00000514${about.slice(0, 2_000)}`);
  const report = ipv6({ src: router, dst: '2001:db8:b::1', nextHeader: 58, payload: tooBig });
  const nowMs = performance.now();
  const end = () => engine.forwarding.trace(octets(big)).end;
  assert.is(end(), 'forwarded');
  engine.run([report], nowMs);
  assert.is(end(), 'dropped');
  const later = await engineFor('aftr');
  later.run([report], nowMs - 601_000);
  assert.is(later.forwarding.trace(octets(big)).end, 'forwarded');
});

test('a refusal that is traced is not counted for its gateway (D139)', async () => {
  const engine = await engineFor('aftr', { 'binding-counters': true });
  const refused = fromG1(ipv4({ src: '198.51.101.5', dst: INTERNET }));
  const refusals = () => engine.forwarding.aftrSoftwires(['2001:db8:a::1']);
  const before = refusals();
  engine.forwarding.trace(octets(refused));
  assert.equal(refusals(), before);
  engine.run([refused]);
  assert.not.equal(refusals(), before);
});

test('a Packet Too Big that is traced teaches nothing (D139)', async () => {
  const engine = await engineFor('aftr');
  const big = ipv4({ src: INTERNET, dst: DEVICE, df: true, payload: udp(1_432) });
  const about = ipv6({ src: '2001:db8:b::1', dst: '2001:db8:a::1', payload: big });
  const report = icmpv6('2001:db8:99::1', '2001:db8:b::1', 2, 0, `00000578${about.slice(0, 2 * 1_232)}`);
  const packet = ipv6({ src: '2001:db8:99::1', nextHeader: 58, payload: report });
  assert.is(engine.forwarding.trace(octets(packet)).end, 'forwarded', 'as 3/4 to the source');
  assert.equal(engine.forwarding.learned(performance.now())[0]?.pathMtus, []);
  assert.is(new Softwires(engine.forwarding.memory.engine.softwires).payloadMtu(1), 1_460, 'what the fast path asks');
  assert.equal(engine.run([big]), [about]);
});

/** An AFTR over a device in memory, as a worker runs it. */
async function worker() {
  return pumpOver((await engineFor('aftr')).forwarding);
}

function pumpOver(forwarding: Forwarding, worker = 0) {
  const device = new MemoryDevice(new Batch(64, STRIDE, 0, forwarding.allocate));
  const pump = new Pump(device, forwarding.memory, worker, () => {});
  return (packets: readonly string[]) => {
    device.push(...packets.map(octets));
    while (pump.forwardBatch());
    return forwarding;
  };
}

test('live: only packets of the address, both sides, as they came, with their ends', async () => {
  const run = await worker();
  const forwarding = run([]);
  forwarding.setWatched(0xc6_33_64_0a);
  const packets = [
    ipv4({ src: INTERNET, dst: DEVICE }),
    ipv4({ src: INTERNET, dst: '198.51.100.11' }),
    fromG1(ipv4({ src: DEVICE, dst: INTERNET })),
    ipv6({ src: '2001:db8:a::9', payload: ipv4({ src: DEVICE, dst: INTERNET }) }),
  ];
  run(packets);
  const { packets: seen, missed } = forwarding.takeWatched();
  assert.equal(
    seen.map(({ side, end, reason, instance, prefix, remote, header }) => [
      [side, end, reason, instance, header],
      [prefix, remote],
    ]),
    [
      ['ipv4', 'forwarded', undefined, 'br', packets[0]],
      ['ipv6', 'forwarded', undefined, 'br', packets[2]],
      ['ipv6', 'dropped', 'source-mismatch', 'br', packets[3]],
    ].map((packet) => [packet, ['198.51.100.0/24', '2001:db8:a::1']]),
  );
  assert.is(missed, 0);
  assert.equal(forwarding.takeWatched().packets, []);
  forwarding.setWatched(0);
  run(packets);
  assert.equal(forwarding.takeWatched().packets, []);
});

const inner = ipv4({ src: DEVICE, dst: INTERNET, payload: udp(600) });
const WITH_LIMIT = '0400040104010100';
/** Destination options of 16 octets. */
const OPTIONS_16 = '0401010c000000000000000000000000';

const placedCases = [
  ['a Tunnel Encapsulation Limit', ipv6({ nextHeader: 60, payload: WITH_LIMIT + inner }), 'forwarded'],
  ['longer options', ipv6({ nextHeader: 60, payload: OPTIONS_16 + inner }), 'forwarded'],
  [
    'hop-by-hop and destination options',
    ipv6({ nextHeader: 0, payload: `3c00010400000000${WITH_LIMIT}${inner}` }),
    'forwarded',
  ],
  ['an atomic fragment header', ipv6({ nextHeader: 44, payload: fragmentHeader(4, 0, 0) + inner }), 'forwarded'],
  ['a first fragment', ipv6({ nextHeader: 44, payload: fragmentHeader(4, 0, 1) + inner.slice(0, 608) }), 'held'],
  [
    'options behind the header of a first fragment',
    ipv6({ nextHeader: 44, payload: fragmentHeader(60, 0, 1) + WITH_LIMIT + inner.slice(0, 608) }),
    'held',
  ],
  ['a later fragment: none', ipv6({ nextHeader: 44, payload: fragmentHeader(4, 38, 0) + inner }), undefined],
  ['an ICMPv6 message: none', ipv6({ nextHeader: 58, payload: inner }), undefined],
  ['a header that is cut off: none', ipv6({ payload: inner.slice(0, 38) }), undefined],
] as const;
for (const [name, packet, end] of placedCases) {
  test(`live: the inner packet behind ${name}`, async () => {
    const run = await worker();
    // What lies behind a short packet is what was there before.
    const forwarding = run([ipv6({ payload: inner })]);
    forwarding.setWatched(0xc6_33_64_0a);
    run([packet]);
    const { packets } = forwarding.takeWatched();
    const expected = end === undefined ? [] : [[end, packet.slice(0, 256)]];
    assert.equal(
      packets.map((seen) => [seen.end, seen.header]),
      expected,
    );
  });
}

const aboutIt = ipv6({ src: '2001:db8:b::1', dst: '2001:db8:a::1', payload: ipv4({ src: INTERNET, dst: DEVICE }) });
const withHeaders = ipv6({
  src: '2001:db8:b::1',
  dst: '2001:db8:a::1',
  nextHeader: 44,
  payload: fragmentHeader(60, 0, 1) + WITH_LIMIT + ipv4({ src: INTERNET, dst: DEVICE }),
});
const report = (type: number, quoted: string, rest = '00000000'): string =>
  ipv6({
    src: '2001:db8:99::1',
    nextHeader: 58,
    payload: icmpv6('2001:db8:99::1', '2001:db8:b::1', type, 0, rest + quoted),
  });
const laterQuoted = ipv6({ nextHeader: 44, payload: fragmentHeader(4, 38, 0) + inner });

/** [what, an ICMPv6 message to the AFTR, its reason or end; undefined when it is not shown]. */
const quotingCases = [
  ['unreachable, relayed', report(1, aboutIt), 'forwarded'],
  ['hop limit exceeded, relayed', report(3, aboutIt), 'forwarded'],
  ['Packet Too Big that is not believed', report(2, aboutIt, '00000578'), 'icmp-not-relayed'],
  ['behind headers of ours', report(1, withHeaders), 'icmp-not-relayed'],
  ['about somebody else', report(1, ipv6({ payload: ipv4({ src: INTERNET, dst: '198.51.100.11' }) })), undefined],
  ['of a quote that is cut off in the inner header', report(1, aboutIt.slice(0, 2 * 59)), undefined],
  ['of a quote that ends with the inner header', report(1, aboutIt.slice(0, 2 * 60)), 'icmp-not-relayed'],
  ['about a later fragment', report(1, laterQuoted), undefined],
  ['about no IPv6 packet', report(1, `4${aboutIt.slice(1)}`), undefined],
  ['an echo request', report(128, aboutIt), undefined],
] as const;
for (const [name, packet, end] of quotingCases) {
  test(`live: an ICMPv6 error that quotes a packet of the address: ${name} (D139)`, async () => {
    const { forwarding } = await engineFor('aftr');
    const run = pumpOver(forwarding);
    run([ipv6({ payload: inner })]);
    forwarding.setWatched(0xc6_33_64_0a);
    run([packet]);
    const expected = end === undefined ? [] : [[['ipv6', end, packet.length / 2, end === 'forwarded' ? 1 : 0], packet]];
    const seen = forwarding.takeWatched().packets;
    assert.equal(
      seen.map((one) => [[one.side, one.reason ?? one.end, one.length, one.sentPackets], one.header]),
      expected.map(([what, octets]) => [what, octets?.slice(0, 256)]),
    );
  });
}

test('live: an ICMPv6 error in fragments: the first one, then how the whole ended', async () => {
  const { forwarding } = await engineFor('aftr');
  const run = pumpOver(forwarding);
  forwarding.setWatched(0xc6_33_64_0a);
  const quoted = ipv6({
    src: '2001:db8:b::1',
    dst: '2001:db8:a::1',
    payload: ipv4({ src: INTERNET, dst: DEVICE, payload: udp(600) }),
  });
  const whole = report(1, quoted);
  const message = whole.slice(80);
  const piece = (payload: string, offset: number, more: 0 | 1): string =>
    ipv6({ src: '2001:db8:99::1', nextHeader: 44, payload: fragmentHeader(58, offset, more) + payload });
  const first = piece(message.slice(0, 2 * 400), 0, 1);
  run([first]);
  run([piece(message.slice(2 * 400), 50, 0)]);
  assert.equal(
    forwarding.takeWatched().packets.map(({ end, length, sentPackets, header }) => [end, length, sentPackets, header]),
    [
      ['held', first.length / 2, 0, first.slice(0, 256)],
      ['forwarded', whole.length / 2, 1, whole.slice(0, 256)],
    ],
  );
});

for (const [role, name, packet] of cases) {
  test(`live as traced: ${role}: ${name}`, async () => {
    const { forwarding } = await engineFor(role);
    const bytes = Buffer.from(packet, 'hex');
    const at = packet.startsWith('6') ? 40 : 0;
    if (bytes.length < at + 20) return;
    forwarding.setWatched(bytes.readUInt32BE(at + 16));
    const traced = forwarding.trace(bytes);
    pumpOver(forwarding)([packet]);
    const { packets } = forwarding.takeWatched();
    const heads = (sent: readonly string[]): string[] => sent.slice(0, 2).map((one) => comparable(one.slice(0, 256)));
    assert.equal(
      packets.map(({ end, reason, sentPackets, sent }) => ({ end, reason, sentPackets, sent: heads(sent) })),
      [{ end: traced.end, reason: traced.reason, sentPackets: traced.sent.length, sent: heads(traced.sent) }],
    );
  });
}

const wholeInner = ipv4({ src: DEVICE, dst: INTERNET, payload: udp(1_500) });
const seenBy = (forwarding: Forwarding) =>
  forwarding
    .takeWatched()
    .packets.map(({ side, reason, end, length, sentPackets, header }) => [
      [side, reason ?? end, length, sentPackets],
      header.slice(0, 40),
    ]);

for (const [name, src, end, sentPackets] of [
  ['good', '2001:db8:a::1', 'forwarded', 1],
  ['of a stranger', '2001:db8:a::9', 'source-mismatch', 0],
] as const) {
  test(`live: a tunnel packet in fragments, ${name}: its first fragment, then how the whole ended`, async () => {
    const pieces = fragments(wholeInner, 1_400, { src });
    const quiet = { 'icmp-policy': { 'icmpv6-errors': { 'generate-icmpv6-errors': false } } };
    const { forwarding } = await engineFor('aftr', quiet);
    forwarding.setWatched(0xc6_33_64_0a);
    const run = pumpOver(forwarding);
    const first = [['ipv6', 'held', (pieces[0]?.length ?? 0) / 2, 0], pieces[0]?.slice(0, 40)];
    const whole = [['ipv6', end, wholeInner.length / 2, sentPackets], wholeInner.slice(0, 40)];
    run(pieces.slice(0, 1));
    assert.equal(seenBy(forwarding), [first]);
    run(pieces.slice(1));
    assert.equal(seenBy(forwarding), [whole]);
    run(fragments(wholeInner, 1_400, { src, id: 77 }).toReversed());
    const last = ['ipv6', end, (pieces[0]?.length ?? 0) / 2, sentPackets];
    assert.equal(
      seenBy(forwarding).map(([seen]) => seen),
      [last],
      'the first fragment comes last, and has the verdict itself',
    );
  });
}

for (const [name, leaves, sentPackets] of [
  ['without an encapsulation limit', {}, 1],
  ['with an encapsulation limit', { 'encapsulation-limit': 4 }, 1],
  ['with an encapsulation limit, in fragments again', { 'encapsulation-limit': 4, 'softwire-payload-mtu': 1_240 }, 2],
] as const) {
  test(`live: a tunnel packet in fragments that turns round, ${name}: how the whole ended (D139)`, async () => {
    const turned = ipv4({ src: DEVICE, dst: '198.51.101.9', ttl: 9, payload: udp(1_400) });
    const pieces = fragments(turned, 1_200, { src: '2001:db8:a::1' });
    const { forwarding } = await engineFor('aftr', leaves);
    forwarding.setWatched(0xc6_33_64_0a);
    const run = pumpOver(forwarding);
    run(pieces.slice(0, 1));
    forwarding.takeWatched();
    run(pieces.slice(1));
    // As it went on: that hop was ours.
    const went = ipv4({ src: DEVICE, dst: '198.51.101.9', ttl: 8, payload: udp(1_400) });
    assert.equal(seenBy(forwarding), [[['ipv6', 'hairpinned', turned.length / 2, sentPackets], went.slice(0, 40)]]);
  });
}

test('live: fragments that another worker hands to worker 0 are shown there alone', async () => {
  const forwarding = new Forwarding('aftr', 2, 1_000, 'small');
  forwarding.setInstances(planInstances('aftr', readConfiguration({ 'gi-4over6:softwire': { aftr: [AFTR] } })));
  const rows = BINDINGS.flatMap((text) => forwarding.rows.wantedBinding('br', binding(text)) ?? []);
  await forwarding.rows.synchronize(rows, () => Promise.resolve());
  forwarding.setWatched(0xc6_33_64_0a);
  const [zero, one] = [pumpOver(forwarding, 0), pumpOver(forwarding, 1)];
  const other = ipv6({ payload: ipv4({ src: DEVICE, dst: INTERNET }) });
  one([other, ...fragments(wholeInner, 1_400), other]);
  const plain = ['ipv6', 'forwarded', other.length / 2, 1];
  assert.equal(
    seenBy(forwarding).map(([seen]) => seen),
    [plain, plain],
  );
  zero([]);
  const ends = seenBy(forwarding).map(([seen]) => seen?.slice(1));
  assert.equal(ends, [
    ['held', 1_400 + 48, 0],
    ['forwarded', wholeInner.length / 2, 1],
  ]);
});

for (const [name, later, first, sides] of [
  [
    'from IPv4',
    ipv4({ src: INTERNET, dst: SHARED, id: 5, offset: 3, payload: 'cd'.repeat(24) }),
    ipv4({ src: INTERNET, dst: SHARED, id: 5, mf: true, payload: udp(16, 53, HELD_PORT) }),
    'ipv4',
  ],
  [
    'out of the tunnel',
    ipv6({
      src: '2001:db8:a::5',
      payload: ipv4({ src: SHARED, dst: INTERNET, id: 5, offset: 3, payload: 'cd'.repeat(24) }),
    }),
    ipv6({
      src: '2001:db8:a::5',
      payload: ipv4({ src: SHARED, dst: INTERNET, id: 5, mf: true, payload: udp(16, HELD_PORT, 53) }),
    }),
    'ipv6',
  ],
] as const) {
  test(`live: a fragment that waits for the ports of the first one, ${name}: held, and how it ended`, async () => {
    const { forwarding } = await withPortSet();
    forwarding.setWatched(0xc6_33_67_01);
    const run = pumpOver(forwarding);
    run([later]);
    assert.equal(
      seenBy(forwarding).map(([seen]) => seen),
      [[sides, 'held', later.length / 2, 0]],
    );
    run([first]);
    assert.equal(
      seenBy(forwarding).map(([seen]) => seen),
      [
        [sides, 'forwarded', first.length / 2, 1],
        [sides, 'forwarded', 44, 1],
      ],
    );
  });
}

test('live: nothing is said of a binding whose row is that of another by the time it is asked', async () => {
  const engine = await engineFor('aftr');
  const { forwarding } = engine;
  forwarding.setWatched(0xc6_33_64_0a);
  pumpOver(forwarding)([ipv4({ src: INTERNET, dst: DEVICE })]);
  const first = forwarding.table.find(0xc6_33_64_00, 24);
  // Rows are used again once a thousand have been given back.
  for (let round = 0; round < 10; round++) {
    const others = Array.from({ length: 250 }, (_, i) => [`198.51.103.${i}/32`, `2001:db8:c::${round}:${i}`] as const);
    await engine.configure([AFTR], others);
    if (Array.from({ length: 250 }, (_, i) => forwarding.table.find(0xc6_33_67_00 + i, 32)).includes(first)) break;
  }
  assert.is(forwarding.table.prefixOf(first).length, 32, 'the row is that of another binding');
  const { packets } = forwarding.takeWatched();
  assert.equal(
    packets.map((seen) => [seen.end, bindingOf(seen)]),
    [['forwarded', {}]],
  );
});

test('live: a lane keeps 64 packets until they are taken, and tells how many more there were', async () => {
  const run = await worker();
  const forwarding = run([]);
  forwarding.setWatched(0xc6_33_64_0a);
  run(new Array<string>(1_000).fill(ipv4({ src: INTERNET, dst: DEVICE })));
  const first = forwarding.takeWatched();
  assert.equal([first.packets.length, first.missed], [64, 936]);
  run([ipv4({ src: INTERNET, dst: DEVICE, payload: udp(1_000) })]);
  const second = forwarding.takeWatched();
  assert.equal([second.packets.length, second.missed], [1, 0]);
  assert.equal([second.packets[0]?.length, (second.packets[0]?.header.length ?? 0) / 2], [1_028, 128]);
});

test('an address as a word of a packet is what workers compare', () =>
  assert.is(swapWord(0x0a_00_00_01), 0x01_00_00_0a));

test('statistics cleared: all counters from zero, with the time; those of others stay (D133)', async () => {
  const engine = await engineFor('aftr');
  engine.run([
    ipv4({ src: INTERNET, dst: DEVICE }),
    ipv6({ trafficClass: 1, payload: ipv4({ src: DEVICE, dst: INTERNET }) }),
    ...new Array<string>(12).fill(ipv6({ payload: ipv4({ src: DEVICE, dst: INTERNET, ttl: 1 }) })),
    ...new Array<string>(12).fill(ipv6({ src: '2001:db8:a::9', payload: ipv4({ src: DEVICE, dst: INTERNET }) })),
  ]);
  const [before] = engine.counters();
  assert.equal([before?.ipv4.received.packets, before?.ecnAnomalies], [1, 1]);
  const errors = { sent: 10, suppressed: 2 };
  assert.equal([before?.icmpv4Errors, before?.icmpv6Errors], [errors, errors]);
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.not.ok(engine.forwarding.clearStatistics('nobody'));
  assert.ok(engine.forwarding.clearStatistics('br'));
  const [after] = engine.counters();
  assert.equal(packetCounts(engine.counters()), {});
  assert.equal([after?.ipv4.received, after?.ecnAnomalies], [{ packets: 0, octets: 0 }, 0]);
  const none = { sent: 0, suppressed: 0 };
  assert.equal([after?.icmpv4Errors, after?.icmpv6Errors], [none, none]);
  assert.ok((after?.discontinuityTime ?? '') > (before?.discontinuityTime ?? ''));
  engine.run([ipv4({ src: INTERNET, dst: DEVICE })]);
  assert.equal(packetCounts(engine.counters()), { 'ipv4 forwarded': 1 });
});

test.run();
