import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Role } from '../../src/datapath/engine.ts';
import type { EngineUnderTest } from '../helpers/engine-case.ts';
import { assertPartition, engineFor } from '../helpers/engine-case.ts';
import { icmpv4, icmpv6, ipv4, ipv6, udp } from '../helpers/packets.ts';
import { random, seed } from '../helpers/random.ts';

/**
 * Random and mutated packets: nothing throws, everything is counted once, and nothing comes out that was not let in.
 */
const test = suite('engine-random');

const ADDRESSES = [
  '198.51.100.10',
  '198.51.100.77',
  '198.51.101.1',
  '198.51.102.1',
  '198.51.103.9',
  '203.0.113.1',
  '8.8.8.8',
  '127.0.0.1',
];
const ENDPOINTS = [
  '2001:db8:a::1',
  '2001:db8:a::2',
  '2001:db8:a::3',
  '2001:db8:b::1',
  '2001:db8:b::2',
  'fe80::1',
  'ff02::1',
];

/** Packets of the right shape with everything in them chosen at random. */
function validMix(next: () => number, count: number): string[] {
  const pick = (list: readonly string[]): string => list[next() % list.length] ?? '';
  const inner = (): string =>
    ipv4({
      src: pick(ADDRESSES),
      dst: pick(ADDRESSES),
      ttl: next() % 4 === 0 ? next() % 3 : 64,
      tos: next() & 255,
      df: next() % 2 === 0,
      mf: next() % 8 === 0,
      options: next() % 6 === 0 ? pick(['01010101', '83030400', '94040000']) : '',
      ...(next() % 4 === 0
        ? { protocol: 1, payload: icmpv4(pick(['8', '11', '3']) === '8' ? 8 : 3, 0, '00010001') }
        : { payload: udp(next() % 9 === 0 ? 1_600 : next() % 200) }),
    });
  return Array.from({ length: count }, () => {
    if (next() % 2 === 0) return inner();
    const [src, dst] = [pick(ENDPOINTS), pick(ENDPOINTS)];
    if (next() % 10 === 0) return ipv6({ src, dst, nextHeader: 58, payload: icmpv6(src, dst, 128, 0, '00010001') });
    const trafficClass = next() & 255;
    if (next() % 6 === 0)
      return ipv6({ src, dst, trafficClass, nextHeader: 60, payload: `0400040104010100${inner()}` });
    return ipv6({ src, dst, trafficClass, payload: inner() });
  });
}

function mutate(packet: string, next: () => number): string {
  const octets = Buffer.from(packet, 'hex');
  for (let i = next() % 4; i >= 0; i--) octets[next() % Math.min(octets.length, 80)] = next();
  return octets.subarray(0, next() % 4 === 0 ? 1 + (next() % octets.length) : octets.length).toString('hex');
}

/** A packet that left must be whole: IPv4 with a right length and checksum, or IPv6 with a right length. */
function assertWhole(packet: string): void {
  const octets = Buffer.from(packet, 'hex');
  if (packet.startsWith('4')) assert.is(octets.readUInt16BE(2), octets.length, packet);
  else assert.is(octets.readUInt16BE(4) + 40, octets.length, packet);
}

async function runRounds(role: Role, rounds: number, packetsOf: (next: () => number) => string[]): Promise<void> {
  const next = random(seed + (role === 'aftr' ? 1 : 0));
  let engine: EngineUnderTest = await engineFor(role);
  let sent: string[] = [];
  for (let round = 0; round < rounds; round++) {
    const packets = packetsOf(next);
    for (const packet of engine.run(packets, round * 100)) assertWhole(packet);
    sent.push(...packets);
    if (round % 100 !== 99) continue;
    assertPartition(engine.counters(), sent);
    engine = await engineFor(role);
    sent = [];
  }
}

for (const role of ['gateway', 'aftr'] as const) {
  test(`${role}: counters partition a random mix exactly (seed ${seed})`, () =>
    runRounds(role, 200, (next) => validMix(next, 60)));

  test(`${role}: mutated packets never throw and are each counted once (seed ${seed})`, () =>
    runRounds(role, 500, (next) => validMix(next, 60).map((packet) => mutate(packet, next))));

  test(`${role}: random octets are all dropped (seed ${seed})`, async () => {
    const next = random();
    const engine = await engineFor(role);
    for (let round = 0; round < 200; round++) {
      const packets = Array.from({ length: 60 }, () => {
        const octets = Buffer.from(Array.from({ length: 1 + (next() % 120) }, () => next() & 255));
        octets[0] = ((next() % 2 === 0 ? 4 : 6) << 4) | (next() & 15);
        return octets.toString('hex');
      });
      assert.equal(engine.run(packets), []);
    }
  });
}

test('a packet of the AFTR reaches IPv4 only from the gateway of its inner source', async () => {
  const next = random();
  const engine = await engineFor('aftr');
  const gatewayOf: Record<string, string> = {
    '198.51.100.10': '2001:db8:a::1',
    '198.51.100.77': '2001:db8:a::2',
    '198.51.101.1': '2001:db8:a::2',
    '198.51.102.1': '2001:db8:a::3',
  };
  let forwarded = 0;
  for (let i = 0; i < 5_000; i++) {
    const src = ADDRESSES[next() % ADDRESSES.length] ?? '';
    const outer = ENDPOINTS[next() % ENDPOINTS.length] ?? '';
    const local = next() % 2 === 0 ? '2001:db8:b::1' : '2001:db8:b::2';
    const out = engine
      .run([ipv6({ src: outer, dst: local, payload: ipv4({ src, dst: '8.8.4.4' }) })])
      .filter((packet) => packet.startsWith('4'));
    const allowed = gatewayOf[src] === outer && (local === '2001:db8:b::2') === (src === '198.51.102.1');
    assert.is(out.length, allowed ? 1 : 0, `${src} from ${outer} to ${local}`);
    forwarded += out.length;
  }
  assert.ok(forwarded > 50, `${forwarded}`);
});

test.run();
