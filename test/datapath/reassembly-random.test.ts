import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { assertPartition, engineFor, packetCounts } from '../helpers/engine-case.ts';
import { fragment } from '../helpers/fragments.ts';
import type { NaiveFragment } from '../helpers/naive-reassembly.ts';
import { NaiveReassembly } from '../helpers/naive-reassembly.ts';
import { ipv4 } from '../helpers/packets.ts';
import { random, seed } from '../helpers/random.ts';

/** Random fragments of random packets against the naive twin: the same packets come out, in the same order. */
const test = suite('reassembly-random');

/** Gateways with an address of a prefix bound to each, and the tunnel address of that binding. */
const SOURCES = [
  ['2001:db8:a::1', '198.51.100.10', '2001:db8:b::1'],
  ['2001:db8:a::2', '198.51.101.9', '2001:db8:b::1'],
  ['2001:db8:a::3', '198.51.102.3', '2001:db8:b::2'],
] as const;
const TIMEOUT_MS = 2_000;

interface Sent {
  readonly packet: string;
  readonly key: string;
  readonly offset: number;
  readonly data: string;
  readonly more: boolean;
}

type Next = () => number;

/** The fragments of one packet, cut at random, in random order, some twice, some lost, some spoiled. */
function datagram(next: Next): Sent[] {
  const [src, inside, dst] = SOURCES[next() % SOURCES.length] ?? SOURCES[0];
  const payload = Array.from({ length: next() % 300 }, () => (next() & 255).toString(16).padStart(2, '0')).join('');
  const whole = ipv4({ src: inside, dst: '203.0.113.80', payload });
  const id = next() % 12;
  const make = (from: number, data: string, more: boolean): Sent => ({
    packet: fragment(data, from, more, { src, dst, id }),
    key: `${src} ${dst} ${id}`,
    offset: from,
    data,
    more,
  });
  const sent: Sent[] = [];
  const length = whole.length / 2;
  for (let from = 0; from < length; ) {
    const size = from === 0 ? 24 + 8 * (next() % 8) : 8 * (1 + (next() % 12));
    const to = Math.min(from + size, length);
    // One piece would be an atomic fragment, which waits for nobody.
    if (from === 0 && to === length) return [];
    sent.push(make(from, whole.slice(from * 2, to * 2), to < length));
    from = to;
  }
  const spoiled = sent.flatMap((piece) => {
    const chance = next() % 40;
    if (chance === 0) return [];
    if (chance === 1) return [piece, piece];
    if (chance === 2) return [piece, make(piece.offset + 8, 'ee'.repeat(8), true)];
    if (chance === 3 && piece.offset > 0)
      return [piece, make(piece.offset, 'ee'.repeat(piece.data.length / 2), piece.more)];
    if (chance === 4 && piece.offset > 0)
      return [make(piece.offset, piece.data, !piece.more && piece.data.length % 16 === 0)];
    return [piece];
  });
  return shuffled(spoiled, next);
}

function shuffled<Item>(items: readonly Item[], next: Next): Item[] {
  return items
    .map((item) => [next(), item] as const)
    .sort(([a], [b]) => a - b)
    .map(([, item]) => item);
}

/** What leaves of a tunnel packet's data: an IPv4 packet that is all there, without what stands behind it (RFC 4213 §3.6). */
function delivered(fragments: readonly NaiveFragment[] | 'held' | 'dropped'): string[] {
  if (typeof fragments === 'string') return [];
  const data = Buffer.concat(fragments.map((fragment) => fragment.data)).toString('hex');
  const octets = Number.parseInt(data.slice(4, 8), 16);
  return data.length >= 2 * octets ? [data.slice(0, 2 * octets)] : [];
}

for (const round of [0, 1, 2, 3]) {
  test(`round ${round}: as the twin says (seed ${seed})`, async () => {
    const next = random(seed + round * 7_919);
    const engine = await engineFor('aftr', {
      reassembly: { timeout: TIMEOUT_MS / 1_000, 'maximum-fragments': 64 },
      'icmp-policy': { 'icmpv6-errors': { 'generate-icmpv6-errors': false } },
    });
    const twin = new NaiveReassembly<NaiveFragment>(TIMEOUT_MS);
    const all: string[] = [];
    let whole = 0;
    for (let step = 0; step < 800; step++) {
      // Times at which both see the end of a wait alike: the engine rounds up to a quarter of a second.
      const nowMs = step * 250;
      const batch = shuffled(Array.from({ length: 1 + (next() % 4) }, () => datagram(next)).flat(), next).slice(0, 64);
      const expected = batch.flatMap(({ key, offset, data, more }) =>
        delivered(twin.add(nowMs, key, { offset, data: Buffer.from(data, 'hex'), more })),
      );
      const packets = batch.map(({ packet }) => packet);
      assert.equal(engine.run(packets, nowMs), expected, `step ${step}`);
      whole += expected.length;
      all.push(...packets);
      if (step % 100 === 0) assertPartition(engine.counters(), all);
    }
    engine.run([], 800 * 250 + TIMEOUT_MS);
    const { 'ipv6 held': held = 0, 'ipv6 fragment-overlap': overlaps = 0 } = packetCounts(engine.counters());
    assert.ok(whole > 500 && overlaps > 50, `${whole} whole, ${overlaps} of overlaps`);
    assert.is(held, 0);
    assertPartition(engine.counters(), all);
  });
}

test.run();
