import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseIpv4 } from '../../../src/address.ts';
import type { InstanceCounters } from '../../../src/control.ts';
import { Batch } from '../../../src/datapath/batch.ts';
import type { Role } from '../../../src/datapath/engine.ts';
import type { Forwarding } from '../../../src/datapath/forwarding.ts';
import { allocateShared } from '../../../src/datapath/memory.ts';
import type { PacketDevice } from '../../../src/datapath/packet-device.ts';
import { MemoryDevice, READABLE, STRIDE, TIMEOUT } from '../../../src/datapath/packet-device.ts';
import { Pump } from '../../../src/datapath/pump.ts';
import { comparable, engineFor, packetCounts } from '../../helpers/engine-case.ts';
import { memoryOffloadDevice } from '../../helpers/memory-queue.ts';
import type { TransportFields } from '../../helpers/naive-segments.ts';
import {
  completed,
  handedOver,
  naiveSegments,
  offloadHeader,
  onTheWire,
  TCP,
  TCP_FIELDS,
  transportPacket,
} from '../../helpers/naive-segments.ts';
import { checksumOf, hex16, ipv4, ipv6, udp } from '../../helpers/packets.ts';
import { random, seed } from '../../helpers/random.ts';

const test = suite('offload-device');

/** A packet as it comes with offloads, and as it would come without: one or several. */
type Kind = 'vouched' | 'unknown' | 'partial';

interface Arrival {
  readonly handed: string;
  readonly single: readonly string[];
}

const NOTHING_LEFT = offloadHeader(0);
const VOUCHED = offloadHeader(2);
const UP: TransportFields = { ...TCP_FIELDS, payload: 'ab'.repeat(4_000) };
const DOWN: TransportFields = { ...UP, src: '203.0.113.80', dst: '198.51.100.10' };
const OUTER = { src: '2001:db8:b::1', dst: '2001:db8:a::1' };

function plain(packet: string): Arrival {
  return { handed: NOTHING_LEFT + packet, single: [packet] };
}

function superPacket(fields: TransportFields, size: number): Arrival {
  return { handed: handedOver(fields, size), single: naiveSegments(fields, size) };
}

/** Segments of a flow out of the tunnel, whose checksums are found right, unknown, or left to be completed. */
function tunnelled(fields: TransportFields, size: number, kind: Kind, outer = OUTER): Arrival[] {
  return naiveSegments(fields, size).map((packet) => {
    const single = ipv6({ ...outer, payload: packet });
    if (kind !== 'partial') return { handed: (kind === 'vouched' ? VOUCHED : NOTHING_LEFT) + single, single: [single] };
    const partial = partialOf(packet);
    return { handed: offloadHeader(1, 0, 0, 0, 60, 16) + ipv6({ ...outer, payload: partial }), single: [single] };
  });
}

/** The TCP packet with the sum of the pseudo-header alone. */
function partialOf(packet: string): string {
  const pseudo = `${packet.slice(24, 40)}0006${(packet.length / 2 - 20).toString(16).padStart(4, '0')}`;
  const sum = (pseudo.match(/.{4}/g) ?? []).reduce((total, word) => total + Number.parseInt(word, 16), 0);
  const folded = ((sum & 0xffff) + (sum >>> 16)).toString(16).padStart(4, '0');
  return packet.slice(0, 72) + folded + packet.slice(76);
}

interface Outcome {
  readonly written: readonly string[];
  /** What is on the wire for it. */
  readonly out: readonly string[];
  readonly counters: readonly Omit<InstanceCounters, 'discontinuityTime'>[];
  /** Packets from or to INTERNET as a trace of live traffic tells of them, without times. */
  readonly trace: readonly unknown[];
}

const INTERNET = '203.0.113.80';

async function through(
  device: PacketDevice,
  take: () => readonly string[],
  forwarding: Forwarding,
  isWatched: boolean,
): Promise<Outcome> {
  const pump = new Pump(device, forwarding.memory, 0, () => {});
  if (isWatched) forwarding.setWatched(parseIpv4(INTERNET) ?? 0);
  const trace: unknown[] = [];
  while (pump.forwardBatch()) {
    trace.push(...forwarding.takeWatched().packets.map(({ time: _, ...packet }) => packet));
  }
  const written = take();
  return {
    written,
    out: [],
    counters: forwarding.counters().map(({ discontinuityTime: _, ...counts }) => counts),
    trace,
  };
}

/** The same packets through an engine with offloads and one without. */
async function both(
  role: Role,
  arrivals: readonly Arrival[],
  { configuration = {}, capacity = 16, isWatched = false } = {},
): Promise<{ offloaded: Outcome; single: Outcome }> {
  const [{ forwarding }, { forwarding: other }] = [
    await engineFor(role, configuration),
    await engineFor(role, configuration),
  ];
  const { queue, device } = memoryOffloadDevice(capacity, forwarding.allocate);
  queue.waiting.push(...arrivals.map(({ handed }) => handed));
  const memory = new MemoryDevice(new Batch(capacity, STRIDE, 0, other.allocate));
  memory.push(...arrivals.flatMap(({ single }) => single).map((hex) => new Uint8Array(Buffer.from(hex, 'hex'))));
  const taken = (): string[] => memory.take().map((packet) => Buffer.from(packet).toString('hex'));
  const offloaded = await through(device, () => queue.written, forwarding, isWatched);
  const single = await through(memory, taken, other, isWatched);
  return {
    offloaded: { ...offloaded, out: offloaded.written.flatMap(onTheWire).map(comparable) },
    single: { ...single, out: single.written.map(comparable) },
  };
}

/** Nobody can tell from what is sent and counted whether there are offloads; the order of different flows does not matter. */
function assertSame(offloaded: Outcome, single: Outcome): void {
  assert.equal(offloaded.counters, single.counters);
  assert.equal([...offloaded.out].sort(), [...single.out].sort());
  assert.equal(byFlow(offloaded.out), byFlow(single.out));
}

/** Packets in their order, by the addresses and ports of IPv4. */
function byFlow(packets: readonly string[]): Map<string, string[]> {
  const flows = new Map<string, string[]>();
  for (const packet of packets) {
    const flow = packet.startsWith('4') ? packet.slice(24, 48) : packet.slice(104, 128);
    flows.set(flow, [...(flows.get(flow) ?? []), packet]);
  }
  return flows;
}

const FIT = 1_420;
/** Ports 1,232 to 1,235 and others are those of the port set. */
const SHARED = {
  'binding-table': {
    'shared-address': [
      {
        'ipv4-address': '198.51.103.9',
        'psid-length': 8,
        'port-set': [{ psid: 0x34, 'b4-ipv6-address': '2001:db8:c::34' }],
      },
    ],
  },
};

/** From the subscriber of the port set, with a source port that is handed over as a checksum to complete, which makes it another one. */
function withPortCompleted(from: number, to: number): Arrival {
  const packet = (port: number, word: number): string =>
    ipv4({
      src: '198.51.103.9',
      dst: '203.0.113.80',
      payload: `${hex16(port)}01bb000a0000${hex16(word)}`,
    });
  const word = (checksumOf(packet(from, 0).slice(40)) + 0xffff - to) % 0xffff;
  const tunnelled = (payload: string): string => ipv6({ src: '2001:db8:c::34', dst: '2001:db8:b::1', payload });
  return {
    handed: offloadHeader(1, 0, 0, 0, 60, 0) + tunnelled(packet(from, word)),
    single: [tunnelled(packet(to, word))],
  };
}

/** A datagram out of the tunnel whose checksum is left, and said to cover what is from `start` on. */
function coveringMore(start: number): Arrival {
  const packet = ipv6({ ...OUTER, payload: transportPacket({ ...DOWN, tcp: undefined, payload: 'ab' }) });
  const offset = 40 + 20 + 6 - start;
  return {
    handed: offloadHeader(1, 0, 0, 0, start, offset) + packet,
    single: [completed(Buffer.from(packet, 'hex'), start, offset).toString('hex')],
  };
}

const cases: readonly {
  readonly name: string;
  readonly role?: Role;
  readonly in: readonly Arrival[];
  /** Messages written. */
  readonly messages: number;
  readonly counters: Readonly<Record<string, number>>;
  readonly configuration?: Readonly<Record<string, unknown>>;
}[] = [
  {
    name: 'a super-packet is cut, each packet counted',
    in: [superPacket(UP, FIT)],
    messages: 3,
    counters: { 'ipv4 forwarded': 3 },
  },
  {
    name: 'a super-packet of more packets than a batch holds, and what comes behind it',
    in: [superPacket(UP, 100), plain(transportPacket({ ...UP, payload: '' }))],
    messages: 41,
    counters: { 'ipv4 forwarded': 41 },
  },
  {
    name: 'a super-packet of UDP',
    in: [superPacket({ ...UP, tcp: undefined }, 1_200)],
    messages: 4,
    counters: { 'ipv4 forwarded': 4 },
  },
  {
    name: 'segments that do not fit the tunnel are each too big, the last one goes',
    in: [superPacket({ ...UP, payload: 'ab'.repeat(2_000) }, 1_421)],
    messages: 2,
    counters: { 'ipv4 too-big': 1, 'ipv4 forwarded': 1 },
  },
  {
    name: 'segments that may be fragmented outside',
    in: [superPacket({ ...UP, payload: 'ab'.repeat(3_000), df: false }, 1_500)],
    messages: 4,
    counters: { 'ipv4 forwarded': 2 },
  },
  {
    name: 'segments from elsewhere',
    in: [superPacket({ ...UP, src: '192.0.2.7' }, FIT)],
    messages: 0,
    counters: { 'ipv4 outside-served-prefix': 3 },
  },
  {
    name: 'to a port set',
    role: 'aftr',
    configuration: SHARED,
    in: [
      superPacket({ ...DOWN, dst: '198.51.103.9', destination: 1_232 }, FIT),
      superPacket({ ...DOWN, dst: '198.51.103.9', destination: 1_236 }, FIT),
    ],
    messages: 3,
    counters: { 'ipv4 forwarded': 3, 'ipv4 no-binding': 3 },
  },
  {
    name: 'a port that is said to be a checksum is completed before it decides',
    role: 'aftr',
    configuration: SHARED,
    in: [withPortCompleted(1_232, 40_000), withPortCompleted(40_000, 1_233)],
    // And what the subscriber is told.
    messages: 2,
    counters: { 'ipv6 forwarded': 1, 'ipv6 no-binding': 1 },
  },
  {
    name: 'a checksum that is said to cover the outer header, or the inner one, is completed before that changes',
    in: [coveringMore(8), coveringMore(44)],
    messages: 2,
    counters: { 'ipv6 forwarded': 2 },
  },
  {
    name: 'a checksum that is left stays left',
    in: [
      {
        handed: offloadHeader(1, 0, 0, 0, 20, 16) + transportPacket({ ...UP, payload: 'ab' }, true),
        single: [transportPacket({ ...UP, payload: 'ab' })],
      },
    ],
    messages: 1,
    counters: { 'ipv4 forwarded': 1 },
  },
  {
    name: 'a SYN whose segment size is clamped, its checksum left',
    configuration: { 'tcp-mss-clamp': 1_200 },
    in: [
      (() => {
        const syn = { ...UP, payload: '', tcp: { ...TCP, flags: 2, options: '020405b4' } };
        return {
          handed: offloadHeader(1, 0, 0, 0, 20, 16) + transportPacket(syn, true),
          single: [transportPacket(syn)],
        };
      })(),
    ],
    messages: 1,
    counters: { 'ipv4 forwarded': 1 },
  },
  {
    name: 'segments of the tunnel become one',
    in: tunnelled(DOWN, 1_000, 'vouched'),
    messages: 1,
    counters: { 'ipv6 forwarded': 4 },
  },
  {
    name: 'whose checksums are found right',
    in: tunnelled(DOWN, 999, 'unknown'),
    messages: 1,
    counters: { 'ipv6 forwarded': 5 },
  },
  {
    name: 'whose checksums are left',
    in: tunnelled(DOWN, 1_000, 'partial'),
    messages: 1,
    counters: { 'ipv6 forwarded': 4 },
  },
  {
    name: 'a wrong checksum stays wrong, and alone',
    in: tunnelled(DOWN, 800, 'unknown').map((arrival, i) => {
      if (i !== 2) return arrival;
      const wrong = (text: string): string => text.replace(/ab$/, 'ac');
      return { handed: wrong(arrival.handed), single: arrival.single.map(wrong) };
    }),
    messages: 3,
    counters: { 'ipv6 forwarded': 5 },
  },
  {
    name: 'a wrong checksum of the first',
    in: tunnelled(DOWN, 800, 'unknown').map((arrival, i) => {
      if (i !== 0) return arrival;
      const wrong = (text: string): string => text.replace(/ab$/, 'ac');
      return { handed: wrong(arrival.handed), single: arrival.single.map(wrong) };
    }),
    messages: 2,
    counters: { 'ipv6 forwarded': 5 },
  },
  {
    name: 'two flows at once',
    in: tunnelled(DOWN, 1_000, 'vouched').flatMap((arrival, i) => [
      arrival,
      ...tunnelled({ ...DOWN, destination: 9 }, 1_000, 'vouched').slice(i, i + 1),
    ]),
    messages: 2,
    counters: { 'ipv6 forwarded': 8 },
  },
  {
    name: 'more flows than have a run',
    in: [0, 1].flatMap((i) =>
      Array.from({ length: 9 }, (_, flow) =>
        tunnelled({ ...DOWN, payload: 'ab'.repeat(200), destination: flow }, 100, 'vouched').slice(i, i + 1),
      ).flat(),
    ),
    // One of them has lost its run to the ninth.
    messages: 10,
    counters: { 'ipv6 forwarded': 18 },
  },
  {
    name: 'something of the flow in between is not overtaken',
    in: [
      ...tunnelled({ ...DOWN, payload: 'ab'.repeat(2_000) }, 1_000, 'vouched').slice(0, 1),
      plain(ipv6({ ...OUTER, payload: transportPacket({ ...DOWN, payload: '' }) })),
      ...tunnelled({ ...DOWN, payload: 'ab'.repeat(2_000) }, 1_000, 'vouched').slice(1),
    ],
    messages: 3,
    counters: { 'ipv6 forwarded': 3 },
  },
  {
    name: 'segments that come in another order leave in that order',
    in: [0, 2, 1, 3].flatMap((i) => tunnelled(DOWN, 1_000, 'vouched').slice(i, i + 1)),
    messages: 4,
    counters: { 'ipv6 forwarded': 4 },
  },
  {
    name: 'congestion is marked on some: those go apart',
    in: tunnelled({ ...DOWN, tos: 2 }, 1_000, 'vouched').map(({ handed, single }, i) => {
      const marked = (text: string): string => text.replace('60000000', i === 1 ? '60300000' : '60200000');
      return { handed: marked(handed), single: single.map(marked) };
    }),
    messages: 3,
    counters: { 'ipv6 forwarded': 4 },
  },
  {
    name: 'what is no packet of the tunnel',
    in: [plain(ipv6({ ...OUTER, nextHeader: 17, payload: udp() })), plain('00')],
    messages: 1,
    counters: { 'ipv6 unsupported-next-header': 1, 'ipv6 malformed-ipv6': 1 },
  },
];
for (const row of cases) {
  test(row.name, async () => {
    const { configuration = {}, role = 'gateway' } = row;
    const { offloaded, single } = await both(role, row.in, { configuration, capacity: 18 });
    assert.equal(packetCounts(offloaded.counters), row.counters);
    assertSame(offloaded, single);
    assert.is(offloaded.written.length, row.messages);
  });
}

test('a live trace tells of packets as if they had come so', async () => {
  for (const arrivals of [[superPacket(UP, FIT)], tunnelled(DOWN, 1_000, 'partial')]) {
    const { offloaded, single } = await both('gateway', arrivals, { isWatched: true });
    assert.is(offloaded.trace.length, arrivals.length === 1 ? 3 : 4);
    assert.equal(offloaded.trace, single.trace);
    assertSame(offloaded, single);
  }
});

test('a super-packet whose headers end amid the inner header is decided by what it brings, not by what was there before', async () => {
  const { forwarding } = await engineFor('aftr');
  const { queue, device } = memoryOffloadDevice(2, forwarding.allocate);
  const pump = new Pump(device, forwarding.memory, 0, () => {});
  const inner = (src: string): string =>
    ipv4({ src, dst: INTERNET, id: 40, df: true, protocol: 253, payload: 'ab'.repeat(20) });
  const [own, foreign] = [inner('198.51.100.10'), inner('198.51.101.20')];
  const outer = (payload: string): string =>
    ipv6({ src: '2001:db8:a::1', dst: '2001:db8:b::1', nextHeader: 4, payload });
  // Two packets of 80 octets: behind their headers come twelve octets of the first, then another whole inner one.
  const whole = (packet: string): string => outer(packet + packet.slice(56));
  const cut = (packet: string): string => outer(`${packet.slice(0, 12)}4020${packet.slice(16).repeat(2)}`);
  queue.waiting.push(offloadHeader(1, 5, 68, 12, 60, 6) + whole(own));
  while (pump.forwardBatch());
  queue.waiting.push(offloadHeader(1, 5, 48, 32, 40, 6) + cut(foreign));
  while (pump.forwardBatch());
  assert.equal(
    queue.written.flatMap(onTheWire).filter((packet) => packet.slice(24, 32) === 'c6336514'),
    [],
  );
  assert.equal(packetCounts(forwarding.counters()), { 'ipv6 forwarded': 2, 'ipv6 malformed-ipv4': 2 });
});

test('a message that is refused: all packets in it are', async () => {
  const { forwarding } = await engineFor('gateway');
  const { queue, device } = memoryOffloadDevice(16, forwarding.allocate);
  const pump = new Pump(device, forwarding.memory, 0, () => {});
  queue.waiting.push(...[...tunnelled(DOWN, 1_000, 'vouched'), superPacket(UP, FIT)].map(({ handed }) => handed));
  queue.refused.add(0).add(2);
  while (pump.forwardBatch());
  assert.is(queue.written.length, 2);
  assert.equal(packetCounts(forwarding.counters()), {
    'ipv6 write-failed': 4,
    'ipv4 write-failed': 1,
    'ipv4 forwarded': 2,
  });
});

test('what does not fit the batch waits: the device can be read at once', () => {
  const { queue, device } = memoryOffloadDevice(2, allocateShared);
  queue.waiting.push(superPacket(UP, FIT).handed);
  assert.is(device.wait(1_000), READABLE);
  assert.is(device.readBatch(), 2);
  assert.is(device.wait(1_000), READABLE);
  assert.equal([...device.batch.lengths.subarray(0, 2)], [1_460, 1_460]);
  assert.is(device.readBatch(), 1);
  assert.is(device.wait(1_000), TIMEOUT);
  assert.is(device.batch.lengths[0], 40 + 4_000 - 2 * FIT);
  assert.is(device.readBatch(), 0);
});

test(`random traffic of both roles is as without offloads (seed ${seed})`, async () => {
  const next = random();
  const pick = <T>(...values: readonly [T, ...T[]]): T => values[next() % values.length] ?? values[0];
  for (let round = 0; round < 15; round++) {
    const role = pick<Role>('gateway', 'aftr');
    const arrivals: Arrival[] = [];
    while (arrivals.length < 150) arrivals.push(...arrive(role, next, pick));
    const isWatched = next() % 4 === 0;
    const configuration =
      role === 'gateway' ? (next() % 2 === 0 ? { 'tcp-mss-clamp': 1_200 } : {}) : { 'binding-counters': true };
    const { offloaded, single } = await both(role, arrivals, { capacity: pick(3, 16, 64), isWatched, configuration });
    assertSame(offloaded, single);
    if (isWatched) assert.is(offloaded.trace.length, single.trace.length, `round ${round}`);
  }
});

/** One packet, super-packet or run of segments of one of few flows. */
function arrive(role: Role, next: () => number, pick: <T>(...values: readonly [T, ...T[]]) => T): Arrival[] {
  const inside = `198.51.100.${pick(10, 11)}`;
  const isUp = next() % 2 === 0;
  const fromIpv4 = isUp === (role === 'gateway');
  const fields: TransportFields = {
    ...TCP_FIELDS,
    src: isUp ? inside : INTERNET,
    dst: isUp ? INTERNET : inside,
    tos: pick(0, 0, 2, 0xb8),
    df: next() % 4 !== 0,
    id: next() % 65_536,
    destination: pick(80, 443),
    tcp: {
      ...TCP,
      sequence: next(),
      flags: pick(0x10, 0x10, 0x18, 0x19, 0x90, 0x02),
      options: pick('', '0101080a0000000100000002', '020405b4'),
    },
    payload: 'c0ffee11'.repeat(1 + (next() % 1_500)),
  };
  const size = pick(300, 536, 1_000, 1_400);
  if (fromIpv4)
    return [
      pick(
        superPacket(fields, size),
        plain(transportPacket({ ...fields, payload: 'ab'.repeat(next() % 100) })),
        superPacket({ ...fields, tcp: undefined }, size),
      ),
    ];
  const outer = role === 'gateway' ? OUTER : { src: OUTER.dst, dst: OUTER.src };
  const kind = pick<Kind>('vouched', 'unknown', 'partial');
  return tunnelled(fields, size, kind, outer);
}

test.run();
