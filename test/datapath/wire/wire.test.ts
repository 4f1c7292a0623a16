import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { addOctets, complement, updated } from '../../../src/datapath/wire/checksum.ts';
import {
  isIcmpv4EchoRequest,
  isIcmpv4Error,
  turnIntoEchoReply,
  writeIcmpv4Error,
} from '../../../src/datapath/wire/icmpv4.ts';
import { isIcmpv6EchoRequest, isLinkMessage, turnIntoIcmpv6EchoReply } from '../../../src/datapath/wire/icmpv6.ts';
import * as v4 from '../../../src/datapath/wire/ipv4.ts';
import * as v6 from '../../../src/datapath/wire/ipv6.ts';
import { newWalk, walkExtensions } from '../../../src/datapath/wire/ipv6-extensions.ts';
import { setU8, setU16, setU32, u8, u16, u32 } from '../../../src/datapath/wire/octets.ts';
import { icmpv4, icmpv6, ipv4, ipv6 } from '../../helpers/packets.ts';
import { random, seed } from '../../helpers/random.ts';

const test = suite('wire');

const octets = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'));
const text = (buf: Uint8Array): string => Buffer.from(buf).toString('hex');
/** A buffer that starts as 0xff everywhere, so that an octet left unwritten shows. */
const unwritten = (length: number): Uint8Array => new Uint8Array(length).fill(0xff);

test('numbers are read and written in network order, unsigned', () => {
  const buf = unwritten(8);
  setU8(buf, 0, 0x12);
  setU16(buf, 1, 0x80ab);
  setU32(buf, 3, 0xfedcba98);
  assert.is(text(buf), '1280abfedcba98ff');
  assert.equal([u8(buf, 0), u16(buf, 1), u32(buf, 3)], [0x12, 0x80ab, 0xfedcba98]);
});

test('the checksum example of RFC 1071 §3', () => {
  const buf = octets('0001f203f4f5f6f7');
  assert.is(addOctets(0, buf, 0, 8), 0xddf2);
  assert.is(complement(0xddf2), 0x220d);
  assert.is(addOctets(0, octets('00ff01'), 0, 3), 0x01ff, 'an odd octet is the high one');
});

test('the update example of RFC 1624 §4', () => assert.is(updated(0xdd2f, 0x5555, 0x3285), 0x0000));

test(`a sum is that of the 16-bit words, however long it is and wherever it begins (seed ${seed})`, () => {
  const next = random();
  const memory = Uint8Array.from({ length: 70_000 }, () => next());
  for (let i = 0; i < 400; i++) {
    const at = next() % 20;
    const len = i === 0 ? 65_535 : next() % (i % 2 === 0 ? 200 : 3_000);
    // Now and then of memory that begins in the middle of another's.
    const buf = memory.subarray(next() % 5);
    let wanted = i % 7;
    for (let k = 0; k < len; k += 2) wanted += (buf[at + k] ?? 0) * 256 + (k + 1 < len ? (buf[at + k + 1] ?? 0) : 0);
    while (wanted > 0xffff) wanted = (wanted % 0x10000) + Math.floor(wanted / 0x10000);
    assert.is(addOctets(i % 7, buf, at, len), wanted, `${len} octets at ${at}`);
  }
});

test(`an updated checksum is the one computed anew (seed ${seed})`, () => {
  const next = random();
  for (let i = 0; i < 10_000; i++) {
    const buf = octets(ipv4({ tos: next() & 255, ttl: next() & 255, id: next() & 0xffff }));
    v4.setTos(buf, 0, next() & 255);
    v4.setTtl(buf, 0, next() & 255);
    assert.ok(v4.hasValidChecksum(buf, new Int32Array(buf.buffer, buf.byteOffset, 5), 0), text(buf));
  }
});

const validity = [
  ['a packet of exactly its length', ipv4({}), true],
  ['octets behind the packet', `${ipv4({})}00`, true],
  ['one octet too few', ipv4({}).slice(0, -2), false],
  ['19 octets', ipv4({}).slice(0, 38), false],
  ['version 5', ipv4({ versionIhl: 0x55 }), false],
  ['IHL 4', ipv4({ versionIhl: 0x44 }), false],
  ['IHL beyond the total length', ipv4({ versionIhl: 0x4f, payload: '' }), false],
  ['total length below the header', ipv4({ totalLength: 19 }), false],
  ['a header and nothing else', ipv4({ payload: '' }), true],
] as const;
for (const [why, packet, valid] of validity) {
  test(`isIpv4: ${why}`, () => assert.is(v4.isIpv4(octets(packet), 0, packet.length / 2), valid));
}

const validity6 = [
  ['a packet of exactly its length', ipv6({ payload: '0102' }), true],
  ['octets behind the packet', `${ipv6({ payload: '0102' })}03`, true],
  ['one octet too few', ipv6({ payload: '0102' }).slice(0, -2), false],
  ['39 octets', ipv6({}).slice(0, 78), false],
  ['a header and nothing else', ipv6({}), true],
  ['version 4', `4${ipv6({}).slice(1)}`, false],
] as const;
for (const [why, packet, valid] of validity6) {
  test(`isIpv6: ${why}`, () => assert.is(v6.isIpv6(octets(packet), 0, packet.length / 2), valid));
}

test('every IPv4 field is read from its place', () => {
  const hex = `ff${ipv4({ src: '192.0.2.1', dst: '198.51.100.2', ttl: 33, tos: 0xb9, df: true, mf: true, offset: 0x123, protocol: 50, options: '01010101', payload: '00' })}`;
  const buf = octets(hex);
  assert.equal(
    [v4.headerLength(buf, 1), v4.tos(buf, 1), v4.totalLength(buf, 1), v4.dontFragment(buf, 1), v4.isFragment(buf, 1)],
    [24, 0xb9, 25, true, true],
  );
  assert.equal([v4.fragmentOffset(buf, 1), v4.ttl(buf, 1), v4.protocol(buf, 1)], [0x123, 33, 50]);
  assert.equal([v4.source(buf, 1), v4.destination(buf, 1)], [0xc0000201, 0xc6336402]);
});

test('a written IPv4 header is whole', () => {
  const buf = unwritten(21);
  v4.writeIpv4(buf, 0, 20, 0xc0, 64, 1, 0xc0000201, 0xc6336402);
  const expected = ipv4({
    src: '192.0.2.1',
    dst: '198.51.100.2',
    tos: 0xc0,
    protocol: 1,
    id: 0,
    df: true,
    payload: '',
  });
  assert.is(text(buf), `${expected}ff`);
});

const routes = [
  ['none', '', false],
  ['loose', '8303040000000000', true],
  ['strict', '89030400', true],
  ['behind no-operation', '01018303', true],
  ['behind the end of options', '00830304', false],
  ['behind router alert', '9404000083030400', true],
  ['behind an option of length 0', '9400830304000000', false],
  ['an option that runs over the end', '94ff8303', false],
] as const;
for (const [why, options, found] of routes) {
  test(`hasSourceRoute: ${why}`, () => assert.is(v4.hasSourceRoute(octets(ipv4({ options })), 0), found));
}

test('every IPv6 field is read from its place and written back', () => {
  const hex = ipv6({
    src: '2001:db8::1',
    dst: '2001:db8::2',
    trafficClass: 0xb9,
    flowLabel: 0xabcde,
    hopLimit: 9,
    nextHeader: 44,
    payload: '00',
  });
  const buf = octets(hex);
  assert.equal([v6.trafficClass(buf, 0), v6.payloadLength(buf, 0)], [0xb9, 1]);
  assert.equal([v6.nextHeader(buf, 0), v6.hopLimit(buf, 0)], [44, 9]);
  const written = unwritten(8);
  v6.writeIpv6Fields(written, 0, 0xb9, 0xabcde, 1, 44, 9);
  assert.is(text(written), hex.slice(0, 16));
  v6.swapAddresses(buf, 0);
  assert.is(
    text(buf),
    ipv6({
      src: '2001:db8::2',
      dst: '2001:db8::1',
      trafficClass: 0xb9,
      flowLabel: 0xabcde,
      hopLimit: 9,
      nextHeader: 44,
      payload: '00',
    }),
  );
});

const martians = [
  ['::', true],
  ['::1', true],
  ['::2', false],
  ['fe80::1', true],
  ['febf::1', true],
  ['fec0::1', false],
  ['ff02::1', true],
  ['2001:db8::1', false],
] as const;
for (const [address, martian] of martians) {
  test(`isMartianSource: ${address}`, () =>
    assert.is(v6.isMartianSource(octets(ipv6({ src: address })), v6.IPV6_SOURCE), martian));
}

test('a chain of extension headers leads to what is behind it', () => {
  const walk = newWalk();
  const chain = '3c00010400000000' + '2b00010400000000' + '2c00000000000000' + '0400000012345678';
  walkExtensions(octets(ipv6({ nextHeader: 0, payload: `${chain}45` })), 0, walk);
  assert.equal(walk, { end: 0, nextHeader: 4, at: 72, field: 64, steps: 6 });
});

test('echo requests become replies with right checksums', () => {
  const v4Echo = octets(icmpv4(8, 0, '00010002ab'));
  assert.ok(isIcmpv4EchoRequest(v4Echo, 0, v4Echo.length));
  turnIntoEchoReply(v4Echo, 0, v4Echo.length);
  assert.is(text(v4Echo), icmpv4(0, 0, '00010002ab'));
  const packet = octets(
    ipv6({
      src: '2001:db8::1',
      dst: '2001:db8::2',
      nextHeader: 58,
      payload: icmpv6('2001:db8::1', '2001:db8::2', 128, 0, '00010002ab'),
    }),
  );
  assert.ok(isIcmpv6EchoRequest(packet, 0, 40, packet.length - 40));
  turnIntoIcmpv6EchoReply(packet, 40);
  assert.is(text(packet.subarray(40)), icmpv6('2001:db8::1', '2001:db8::2', 129, 0, '00010002ab'));
});

test('an ICMPv4 error has its MTU, its quote and its checksum', () => {
  const buf = unwritten(13);
  setU32(buf, 8, 0x45000014);
  writeIcmpv4Error(buf, 0, 4, 3, 4, 1_460);
  assert.is(text(buf), `${icmpv4(3, 4, '000005b445000014')}ff`);
});

test('the ICMPv4 errors and the messages of a link', () => {
  const types = (is: (buf: Uint8Array, at: number) => boolean): number[] =>
    Array.from({ length: 256 }, (_, type) => type).filter((type) => is(Uint8Array.of(type), 0));
  assert.equal(types(isIcmpv4Error), [3, 4, 5, 11, 12]);
  assert.equal(types(isLinkMessage), [130, 131, 132, 133, 134, 135, 136, 137, 143]);
});

for (const [name, rest, checksum] of [
  ['all zero: no zero sum', '00000000', 'ffff'],
  ['all ones: the sum of one that is not all zero', 'ffff0000', '0000'],
  ['any other', '00070001', 'fff7'],
] as const) {
  test(`the checksum of an ICMPv4 echo reply, ${name} (RFC 1624 §3)`, () => {
    const message = Buffer.from(icmpv4(8, 0, rest), 'hex');
    turnIntoEchoReply(message, 0, message.length);
    assert.is(message.toString('hex'), `0000${checksum}${rest}`);
  });
}

test.run();
