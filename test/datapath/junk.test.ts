import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Role } from '../../src/datapath/engine.ts';
import type { EngineUnderTest } from '../helpers/engine-case.ts';
import { engineFor, packetCounts } from '../helpers/engine-case.ts';
import { ipv4, ipv6 } from '../helpers/packets.ts';
import { random, seed } from '../helpers/random.ts';

/** Junk beyond the limit of the slow path ends as it does on the slow path, and good packets go on. */
const test = suite('junk');

const DEVICE = '198.51.100.10';
const INTERNET = '203.0.113.80';
const V4 = [DEVICE, INTERNET, '198.51.101.7', '198.51.103.9', '198.51.102.3', '198.51.100.1', '203.0.113.1', '8.8.8.8'];
const V6 = ['2001:db8:a::1', '2001:db8:a::2', '2001:db8:b::1', '2001:db8:b::2', '2001:db8:a::9', 'fe80::1', '::1'];

const FAULTS = [
  { ttl: 1 },
  { checksum: 1 },
  { options: '01010101' },
  { options: '94040000' },
  { options: '01018303' },
  { options: '0183030489030400' },
  { options: '01010101', checksum: 1 },
  { options: '01010101', totalLength: 32 },
  { versionIhl: 0x4f },
] as const;

/** A packet of addresses that mean something here; some with a fault, an option or a last hop. */
function packetOf(next: () => number): string {
  const pick = (from: readonly string[]): string => from[next() % from.length] ?? '';
  const fields = next() % 4 === 0 ? FAULTS[next() % FAULTS.length] : {};
  const inner = ipv4({ src: pick(V4), dst: pick(V4), tos: next() & 3, ...fields });
  return next() % 2 === 0 ? inner : ipv6({ src: pick(V6), dst: pick(V6), trafficClass: next() & 3, payload: inner });
}

for (const role of ['gateway', 'aftr'] as const satisfies readonly Role[]) {
  test(`${role}: 20,000 packets at once are counted as the same ones in their own time (seed ${seed})`, async () => {
    const next = random();
    const packets = Array.from({ length: 20_000 }, () => packetOf(next));
    const [flooded, calm] = [await engineFor(role), await engineFor(role)];
    for (let at = 0; at < packets.length; at += 50) {
      flooded.run(packets.slice(at, at + 50), 0);
      calm.run(packets.slice(at, at + 50), at * 1_000);
    }
    const counts = packetCounts(flooded.counters());
    assert.equal(counts, packetCounts(calm.counters()));
    assert.ok(Object.keys(counts).length > 8, Object.keys(counts).join());
    // Of most of a flood an AFTR tells nobody, nor would it with a larger budget; a gateway never tells of its commonest junk.
    const [few, all] = [errorsOf(flooded), errorsOf(calm)];
    assert.ok(role === 'gateway' || (few > 0 && few < all / 2), `${few} of ${all}`);
  });
}

/** ICMP errors that were sent, or suppressed by their budget. */
function errorsOf(engine: EngineUnderTest): number {
  const counts = engine.counters().flatMap(({ icmpv4Errors, icmpv6Errors }) => [icmpv4Errors, icmpv6Errors]);
  return counts.reduce((sum, { sent, suppressed }) => sum + sent + suppressed, 0);
}

test('good packets in a flood of junk all go through, and the slow ones among them', async () => {
  const engine = await engineFor('aftr');
  const junk = Array.from({ length: 54 }, (_, k) => ipv4({ src: INTERNET, dst: `198.51.103.${k}` }));
  const good = Array.from({ length: 10 }, (_, k) =>
    ipv4({ src: INTERNET, dst: DEVICE, options: k % 2 === 0 ? '' : '01010101' }),
  );
  let through = 0;
  for (let round = 0; round < 100; round++) {
    through += engine.run([...junk, ...good], 0).filter((packet) => packet.startsWith('6')).length;
  }
  assert.is(through, 1_000);
  assert.equal(packetCounts(engine.counters()), { 'ipv4 forwarded': 1_000, 'ipv4 no-binding': 5_400 });
});

test.run();
