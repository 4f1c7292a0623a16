import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { AFTR, addCases, engineFor, packetCounts } from '../helpers/engine-case.ts';
import { fragment, fragments } from '../helpers/fragments.ts';
import { icmpv6Error } from '../helpers/icmpv6-error.ts';
import { hex8, ipv4, udp } from '../helpers/packets.ts';

/** What ICMPv6 says about fragments (RFC 8200 §4.5): which field of which packet, and when nothing is said. */
const test = suite('engine-reassembly-errors');

const TUNNEL = '2001:db8:b::1';
const inner = ipv4({ src: '198.51.100.10', dst: '203.0.113.80', payload: udp(1_500) });
const withOptions = (words: number): string => `4${(5 + words).toString(16)}${inner.slice(2, 48)}`;
/** Destination options before the fragment header, and hop-by-hop before them. */
const BEFORE = [0, `3c00010400000000${'2c00010400000000'}`] as const;
const HOPS = '0400010400000000';
const OPTION = (next: number): string => `${hex8(next)}00040104010100`;

/** What it is, the fragment, the code of the Parameter Problem, and its pointer. */
const malformed = [
  ['M=1 with 50 octets (D65)', fragment(inner.slice(0, 100), 0, true), 0, 4],
  ['M=1 with 9 octets in the middle (D65)', fragment('00'.repeat(9), 48, true), 0, 4],
  ['offset 65,528 with 16 octets: more than 65,535 (D66)', fragment('00'.repeat(16), 65_528, true), 0, 42],
  ['offset 65,528 with 8 octets, the last: 65,536 (D66)', fragment('00'.repeat(8), 65_528, false), 0, 42],
  ['65,535 with the headers before it (D66)', fragment('00'.repeat(7), 65_528, false, { before: BEFORE }), 0, 58],
  ['a first fragment of 8 octets (D67)', fragment(inner.slice(0, 16), 0, true), 3, 0],
  ['a first fragment of 16 octets (D67)', fragment(inner.slice(0, 32), 0, true), 3, 0],
  ['a first fragment of 24 octets whose inner header has 28 (D67)', fragment(withOptions(2), 0, true), 3, 0],
  ['a first fragment that ends with an option header (D67)', fragment(OPTION(4), 0, true, { upper: 60 }), 3, 0],
  [
    'hop-by-hop behind a fragment header (D38)',
    fragment(`${HOPS}${inner}`.slice(0, 1_280), 0, true, { upper: 0 }),
    1,
    40,
  ],
  [
    'a first fragment that ends inside an option header (D67)',
    fragment('0401040104010100', 0, true, { upper: 60 }),
    3,
    0,
  ],
] as const;
addCases(
  test,
  'aftr',
  malformed.map(([name, packet, code, pointer]) => ({
    name,
    in: [packet],
    out: [icmpv6Error(4, code, pointer, packet, TUNNEL)],
    counters: { 'ipv6 fragment-malformed': 1 },
  })),
);

const silent = [
  ['a first fragment of 24 octets whose inner header has 24', [fragment(withOptions(1), 0, true)], { 'ipv6 held': 1 }],
  ['an overlap (D61)', [fragments(inner, 96)[0], fragment('00'.repeat(24), 88, true)], { 'ipv6 fragment-overlap': 2 }],
  [
    'a later fragment of an ICMPv6 message, which may be an error, whatever its octets look like (D94)',
    [fragment('80'.repeat(9), 48, true, { upper: 58 })],
    { 'ipv6 fragment-malformed': 1 },
  ],
  ['a fragment without data', [fragment('', 48, false)], { 'ipv6 fragment-malformed': 1 }],
] as const;
addCases(
  test,
  'aftr',
  silent.map(([name, packets, counters]) => ({
    name: `${name}: silent`,
    in: packets.map((one) => one ?? ''),
    out: [],
    counters,
  })),
);

const [first = '', middle = '', last = ''] = fragments(inner, 640);
const overlap = fragment('00'.repeat(24), 1_000, true);
const timeouts = [
  ['the first fragment has come: 3/1 quotes it as it was (D64)', [first], first, 1],
  ['it came after others', [last, first], first, 2],
  ['only a later one has come: silent (D64)', [middle, last], undefined, 2],
] as const;
for (const [name, packets, quoted, count] of timeouts) {
  test(`after 60 s, ${name}`, async () => {
    const engine = await engineFor('aftr');
    assert.equal(engine.run([...packets], 5_000), []);
    assert.equal(engine.run([], 64_999), []);
    assert.equal(engine.run([], 65_250), quoted === undefined ? [] : [icmpv6Error(3, 1, 0, quoted, TUNNEL)]);
    assert.equal(engine.run([], 200_000), []);
    assert.equal(packetCounts(engine.counters()), { 'ipv6 reassembly-timeout': count });
  });
}

test('a packet that a longer header of its first fragment makes larger than any is dropped when the last one comes (D66)', async () => {
  const engine = await engineFor('aftr');
  const largest = ipv4({ src: '198.51.100.10', dst: '203.0.113.80', payload: udp(65_535 - 28) });
  const [, ...others] = fragments(largest, 8_192);
  const headed = fragment(largest.slice(0, 2 * 8_192), 0, true, { before: [60, '2c00010400000000'] });
  assert.equal(engine.run([...others, headed]), []);
  assert.equal(packetCounts(engine.counters()), { 'ipv6 fragment-malformed': 8 });
});

test('a first fragment larger than an error may quote is quoted in part (D64)', async () => {
  const engine = await engineFor('aftr');
  const [large = ''] = fragments(inner, 1_400);
  engine.run([large], 0);
  const [error = ''] = engine.run([], 60_250);
  assert.is(error, icmpv6Error(3, 1, 0, large, TUNNEL));
  assert.is(error.length / 2, 1_280);
});

test('after 60 s, nothing is said about a datagram that an overlap had ended', async () => {
  const engine = await engineFor('aftr');
  engine.run([first, overlap, fragment('00'.repeat(24), 1_016, true)], 0);
  assert.equal(engine.run([], 61_000), []);
  assert.equal(packetCounts(engine.counters()), { 'ipv6 fragment-overlap': 3 });
});

test('after 60 s, nothing is said about a packet to a tunnel address that is gone, though others came', async () => {
  const engine = await engineFor('aftr');
  engine.run([fragments(inner, 640, { dst: '2001:db8:b::2' })[0] ?? ''], 0);
  // The number of its softwire is free for the second of them.
  for (const address of ['2001:db8:b::3', '2001:db8:b::4']) {
    await engine.configure([{ ...AFTR, 'additional-ipv6-address': [address] }]);
  }
  assert.equal(engine.run([], 60_250), []);
  assert.equal(packetCounts(engine.counters()), { 'ipv6 reassembly-timeout': 1 });
});

test('thousands of timeouts at once are spread over batches, and their errors are limited in rate', async () => {
  const engine = await engineFor('aftr', { reassembly: { timeout: 1, 'maximum-packets-per-source': 1_000 } });
  for (let i = 0; i < 20; i++) {
    engine.run(
      Array.from({ length: 50 }, (_, j) => fragment(inner.slice(0, 96), 0, true, { id: i * 50 + j })),
      0,
    );
  }
  assert.equal(packetCounts(engine.counters()), { 'ipv6 held': 1_000 });
  let errors = 0;
  let batches = 0;
  for (; packetCounts(engine.counters())['ipv6 held'] !== undefined; batches++) errors += engine.run([], 2_000).length;
  assert.is(batches, 4);
  assert.equal(packetCounts(engine.counters()), { 'ipv6 reassembly-timeout': 1_000 });
  assert.ok(errors > 0 && errors <= 20, `${errors} errors`);
});

test('errors about timeouts that find no room in the batch count as suppressed (D64, D95)', async () => {
  const engine = await engineFor('aftr', {
    reassembly: { timeout: 1, 'maximum-packets-per-source': 1_000 },
    'icmp-policy': { 'icmpv6-errors': { 'icmpv6-burst': 1_000 } },
  });
  // One batch gives up 256 of them: with a copy of what is quoted more than its scratch area holds.
  const [large = ''] = fragments(inner, 1_400);
  const datagrams = Array.from({ length: 256 }, (_, id) => fragment(large.slice(96), 0, true, { id }));
  for (let i = 0; i < 4; i++) engine.run(datagrams.slice(64 * i, 64 * i + 64), 0);
  const sent = engine.run([], 2_000).length;
  assert.ok(sent > 150 && sent < 256, `${sent} sent`);
  assert.equal(engine.counters()[0]?.icmpv6Errors, { sent, suppressed: 256 - sent });
  assert.equal(packetCounts(engine.counters()), { 'ipv6 reassembly-timeout': 256 });
});

test.run();
