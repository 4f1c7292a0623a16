import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  formatIpv4,
  formatIpv4Prefix,
  formatIpv6,
  inIpv4Prefix,
  isMartianIpv4,
  isUnusableIpv6,
  overlapIpv4,
  parseIpv4,
  parseIpv4Prefix,
  parseIpv6,
  sameIpv6,
  writeIpv4Prefix,
  writeIpv6,
} from '../src/address.ts';
import { random, seed } from './helpers/random.ts';

const test = suite('address');

const ipv4Cases = [
  ['0.0.0.0', 0],
  ['192.0.2.1', 0xc0000201],
  ['255.255.255.255', 0xffffffff],
  ['192.0.2', undefined],
  ['192.0.2.256', undefined],
  ['192.0.2.01', undefined],
  ['192.0.2.1 ', undefined],
  ['192.0.2.1.5', undefined],
  ['', undefined],
] as const;
for (const [text, address] of ipv4Cases) {
  test(`IPv4 '${text}'`, () => {
    assert.is(parseIpv4(text), address);
    if (address !== undefined) assert.is(formatIpv4(address), text);
  });
}

const prefixCases = [
  ['192.0.2.0/24', '192.0.2.0/24'],
  ['192.0.2.77/24', '192.0.2.0/24'],
  ['255.255.255.255/32', '255.255.255.255/32'],
  ['10.0.0.0/0', '0.0.0.0/0'],
  ['192.0.2.0/33', undefined],
  ['192.0.2.0/024', undefined],
  ['192.0.2.0', undefined],
  ['192.0.2.0/', undefined],
  ['/24', undefined],
] as const;
for (const [text, canonical] of prefixCases) {
  test(`prefix '${text}'`, () => {
    const prefix = parseIpv4Prefix(text);
    assert.is(prefix && formatIpv4Prefix(prefix.address, prefix.length), canonical);
  });
}

// Texts of RFC 5952 §4 and §5 among them.
const ipv6Cases = [
  ['::', '::'],
  ['::1', '::1'],
  ['1::', '1::'],
  ['2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
  ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
  ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
  ['::ffff:192.0.2.1', '::ffff:192.0.2.1'],
  ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
  ['1:2:3:4:5:6:7:8', '1:2:3:4:5:6:7:8'],
  ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
  ['1:2:3:4:5:6:7', undefined],
  ['1:2:3:4:5:6:7:8:9', undefined],
  ['1:2:3:4:5:6:7:8::', undefined],
  ['1::2::3', undefined],
  ['12345::', undefined],
  ['fe80::1%eth0', undefined],
  [':1', undefined],
  ['1:', undefined],
  [':::', undefined],
  ['', undefined],
] as const;
for (const [text, canonical] of ipv6Cases) {
  test(`IPv6 '${text}'`, () => {
    const octets = parseIpv6(text);
    assert.is(octets && formatIpv6(octets), canonical);
  });
}

test(`what is written as octets is what the text says (seed ${seed})`, () => {
  const next = random();
  const target = Buffer.alloc(64);
  for (let round = 0; round < 20_000; round++) {
    // Many zero groups, and short ones.
    const groups = Array.from({ length: 8 }, () => (next() % 2 === 0 ? 0 : next() & (0xffff >> (next() % 16))));
    const octets = Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 255]));
    if (round % 50 === 0) octets.fill(0, 0, 10).fill(255, 10, 12);
    assert.is(target.toString('latin1', 3, writeIpv6(target, 3, octets)), formatIpv6(octets));
    const [address, length] = [next(), next() % 33];
    const end = writeIpv4Prefix(target, 5, address, length);
    assert.is(target.toString('latin1', 5, end), formatIpv4Prefix(address, length));
  }
});

test('IPv6 at an offset', () => {
  const octets = new Uint8Array(20);
  octets.set(parseIpv6('2001:db8::5') ?? [], 4);
  assert.is(formatIpv6(octets, 4), '2001:db8::5');
});

for (const [text, unusable] of [
  ['::', true],
  ['::1', true],
  ['::2', false],
  ['ff02::1', true],
  ['fe80::1', true],
  ['febf::1', true],
  ['fec0::1', false],
  ['2001:db8::1', false],
] as const) {
  test(`tunnel endpoint ${text}`, () => assert.is(isUnusableIpv6(parseIpv6(text) ?? new Uint8Array(16)), unusable));
}

for (const [text, martian] of [
  ['0.1.2.3', true],
  ['1.0.0.0', false],
  ['127.0.0.1', true],
  ['169.253.255.255', false],
  ['169.254.0.0', true],
  ['169.254.255.255', true],
  ['169.255.0.0', false],
  ['223.255.255.255', false],
  ['224.0.0.1', true],
  ['240.0.0.1', true],
  ['255.255.255.255', true],
] as const) {
  test(`martian ${text}`, () => assert.is(isMartianIpv4(parseIpv4(text) ?? 0), martian));
}

test('prefixes and addresses', () => {
  const wide = { address: 0xc0000200, length: 24 };
  assert.ok(inIpv4Prefix(0xc00002ff, wide));
  assert.not(inIpv4Prefix(0xc0000300, wide));
  assert.ok(inIpv4Prefix(0x01020304, { address: 0, length: 0 }));
  assert.ok(overlapIpv4(wide, { address: 0xc0000280, length: 25 }));
  assert.ok(overlapIpv4({ address: 0xc0000280, length: 25 }, wide));
  assert.not(overlapIpv4(wide, { address: 0xc0000300, length: 24 }));
  assert.ok(sameIpv6(new Uint8Array(16), new Uint8Array(16)));
  assert.not(sameIpv6(new Uint8Array(16), new Uint8Array(16).fill(1)));
});

test.run();
