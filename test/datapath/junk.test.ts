import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Role } from '../../src/datapath/engine.ts';
import type { EngineUnderTest } from '../helpers/engine-case.ts';
import { engineFor, packetCounts } from '../helpers/engine-case.ts';
import { ipv4, ipv6, udp } from '../helpers/packets.ts';
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
    // Of most of a flood nobody is told, nor would be with a larger budget; it is counted all the same.
    assert.equal(errorsOf(flooded), errorsOf(calm));
    assert.ok(role === 'gateway' || errorsOf(flooded) > 1_000);
  });
}

/** ICMP errors that were sent, or suppressed by their budget. */
function errorsOf(engine: EngineUnderTest): number {
  const counts = engine.counters().flatMap(({ icmpv4Errors, icmpv6Errors }) => [icmpv4Errors, icmpv6Errors]);
  return counts.reduce((sum, { sent, suppressed }) => sum + sent + suppressed, 0);
}

const G2 = '2001:db8:a::2';
/** A packet of G2 that is refused with 1/5, and one of the Internet with 3/1. */
const refused = ipv6({ src: G2, payload: ipv4({ src: DEVICE, dst: INTERNET }) });
const unbound = ipv4({ src: INTERNET, dst: '198.51.103.9' });
const isTold = (out: string): boolean => out.slice(48, 80) === '20010db8000a00000000000000000002';

/** A second of 64,000 packets of a flood; `each` runs every 200 ms. */
function flood(engine: EngineUnderTest, packet: string, each: (nowMs: number) => void = () => undefined): void {
  const batch = new Array<Buffer>(64).fill(Buffer.from(packet, 'hex'));
  for (let ms = 1; ms <= 1_000; ms++) {
    engine.process(batch, ms);
    if (ms % 200 === 0) each(ms);
  }
}

const goodButSlow = [
  ['hairpinned packets', {}, ipv6({ payload: ipv4({ src: DEVICE, dst: '198.51.101.80' }) }), 'ipv6 hairpinned'],
  ['packets with an option', {}, ipv4({ src: INTERNET, dst: DEVICE, options: '01010101' }), 'ipv4 forwarded'],
  ['packets that get a limit', { 'encapsulation-limit': 4 }, ipv4({ src: INTERNET, dst: DEVICE }), 'ipv4 forwarded'],
] as const;
for (const [name, configuration, packet, end] of goodButSlow) {
  test(`errors are sent in a flood of good ${name}, and behind it (D95, D96)`, async () => {
    const engine = await engineFor('aftr', configuration);
    const told: number[] = [];
    flood(engine, packet, (ms) => told.push(engine.run([refused, unbound], ms).length));
    assert.equal(told, new Array(5).fill(2));
    assert.is(engine.run([refused, unbound], 1_001).length, 2);
    assert.is(packetCounts(engine.counters())[end], 64_000);
    assert.equal(errorsOf(engine), 12);
  });
}

const hostile = [
  ['packets with an unknown option that is to be dropped', { nextHeader: 60, payload: '04005e0400000000' }, 5],
  ['packets with an unknown option that asks for an error', { nextHeader: 60, payload: '04009e0400000000' }, 4],
  ['packets of inner sources that are not its own', { payload: ipv4({ src: '198.51.101.9', dst: INTERNET }) }, 4],
  ['packets of inner sources of nobody', { payload: ipv4({ src: '198.51.103.9', dst: INTERNET }) }, 4],
] as const;
for (const [name, fields, answers] of hostile) {
  test(`one gateway floods with ${name}: another gets its 1/5, up to half of the rate (D97)`, async () => {
    const engine = await engineFor('aftr');
    let told = 0;
    flood(engine, ipv6(fields), (ms) => {
      told += engine.run([refused], ms).filter(isTold).length;
    });
    // Of five a second: behind the burst half of what flows in is kept for strangers.
    assert.is(told, answers);
  });
}

test('what is dropped as junk has its errors counted as suppressed, and the next millisecond begins anew (D95, D96)', async () => {
  const engine = await engineFor('aftr');
  flood(engine, ipv6({ payload: ipv4({ src: '198.51.103.9', dst: INTERNET }) }));
  flood(engine, unbound);
  const [counters] = engine.counters();
  for (const { sent, suppressed } of [counters?.icmpv4Errors, counters?.icmpv6Errors].filter((x) => x !== undefined)) {
    assert.is(sent + suppressed, 64_000);
    assert.ok(sent >= 13 && sent <= 20, `${sent} sent`);
  }
  assert.is(engine.run([refused], 1_001).length, 1);
});

test('of a flood to a port of a shared address that nobody has nobody is told, nor would be', async () => {
  const portSet = { psid: 0x34, 'b4-ipv6-address': G2 };
  const shared = { 'ipv4-address': '198.51.103.9', 'psid-offset': 6, 'psid-length': 8, 'port-set': [portSet] };
  const engine = await engineFor('aftr', { 'binding-table': { 'shared-address': [shared] } });
  flood(engine, ipv4({ src: INTERNET, dst: '198.51.103.9', payload: udp(8, 2_000, 1_000) }));
  assert.equal(packetCounts(engine.counters()), { 'ipv4 no-binding': 64_000 });
  assert.is(errorsOf(engine), 0);
});

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
