import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  beginRun,
  canFollow,
  extend,
  hasRightChecksum,
  isOfFlow,
  isSegment,
  newRun,
} from '../../../src/datapath/offload/coalescing.ts';
import type { TcpFields, TransportFields } from '../../helpers/naive-segments.ts';
import { TCP, TCP_FIELDS, transportPacket } from '../../helpers/naive-segments.ts';

const test = suite('coalescing');

const FIRST = 64;
const SECOND = 70_000;
const LEN = 100;

type Changes = Partial<Omit<TransportFields, 'tcp'>> & { readonly tcp?: Partial<TcpFields> };

function segment({ tcp, ...changes }: Changes): string {
  return transportPacket({ ...TCP_FIELDS, payload: 'ab'.repeat(LEN), ...changes, tcp: { ...TCP, ...tcp } });
}

function memory(...packets: readonly string[]): { buf: Uint8Array; words: Int32Array } {
  const buf = new Uint8Array(140_000);
  for (const [i, packet] of packets.entries()) buf.set(Buffer.from(packet, 'hex'), [FIRST, SECOND][i]);
  return { buf, words: new Int32Array(buf.buffer) };
}

const segments: readonly (readonly [string, string, boolean])[] = [
  ['ACK with payload', segment({}), true],
  ['PSH', segment({ tcp: { flags: 0x18 } }), true],
  ['FIN', segment({ tcp: { flags: 0x11 } }), true],
  ['ECE', segment({ tcp: { flags: 0x50 } }), true],
  ['without DF', segment({ df: false }), true],
  ['options of TCP', segment({ tcp: { options: '0101080a0000000100000002' } }), true],
  ['no payload', segment({ payload: '' }), false],
  ['no ACK', segment({ tcp: { flags: 0x08 } }), false],
  ['SYN', segment({ tcp: { flags: 0x12 } }), false],
  ['RST', segment({ tcp: { flags: 0x14 } }), false],
  ['URG', segment({ tcp: { flags: 0x30 } }), false],
  ['CWR', segment({ tcp: { flags: 0x90 } }), false],
  ['AE', segment({ tcp: { flags: 0x110 } }), false],
  ['options of IPv4', segment({ ipOptions: '01010100' }), false],
  ['UDP', transportPacket({ ...TCP_FIELDS, tcp: undefined, payload: 'ab'.repeat(LEN) }), false],
  ['a first fragment', segment({}).replace(/^(.{12})4000/, '$12000'), false],
  ['a later fragment', segment({}).replace(/^(.{12})4000/, '$14001'), false],
  ['a reserved flag of IPv4', segment({}).replace(/^(.{12})4000/, '$1c000'), false],
  ['shorter than it says', segment({}).slice(0, -2), false],
  ['a data offset behind the end', segment({ payload: 'abab' }).replace(/^(.{64})50/, '$1f0'), false],
  ['a data offset of 4', segment({}).replace(/^(.{64})50/, '$140'), false],
];
for (const [name, packet, expected] of segments) {
  test(`${expected ? 'a segment' : 'no segment'}: ${name}`, () => {
    const { buf, words } = memory(packet);
    assert.is(isSegment(buf, words, FIRST, packet.length / 2), expected);
  });
}

const NEXT = { id: TCP_FIELDS.id + 1, tcp: { sequence: TCP.sequence + LEN } };
const withTcp = (changes: Partial<TcpFields>): Changes => ({ ...NEXT, tcp: { ...NEXT.tcp, ...changes } });
const followers: readonly (readonly [string, Changes, Changes, boolean])[] = [
  ['the next one', {}, NEXT, true],
  ['pushed', {}, withTcp({ flags: 0x18 }), true],
  ['the end', {}, withTcp({ flags: 0x11 }), true],
  ['shorter', {}, { ...NEXT, payload: 'ab' }, true],
  ['longer', {}, { ...NEXT, payload: 'ab'.repeat(LEN + 1) }, false],
  ['behind what was pushed', { tcp: { flags: 0x18 } }, NEXT, false],
  ['behind the end', { tcp: { flags: 0x11 } }, NEXT, false],
  ['a gap', {}, withTcp({ sequence: TCP.sequence + LEN + 1 }), false],
  ['again', {}, { id: TCP_FIELDS.id + 1 }, false],
  ['another identification', {}, { ...NEXT, id: TCP_FIELDS.id + 2 }, false],
  ['the same identification', {}, { ...NEXT, id: TCP_FIELDS.id }, false],
  ['another acknowledgment', {}, withTcp({ acknowledgment: TCP.acknowledgment + 1 }), false],
  ['another window', {}, withTcp({ window: TCP.window + 1 }), false],
  ['ECE', {}, withTcp({ flags: 0x50 }), false],
  ['ECE on both', { tcp: { flags: 0x50 } }, withTcp({ flags: 0x50 }), true],
  ['another urgent pointer', {}, withTcp({ urgent: 1 }), false],
  ['options', {}, withTcp({ options: '01010101' }), false],
  ['the same options', { tcp: { options: '01010101' } }, withTcp({ options: '01010101' }), true],
  ['other options', { tcp: { options: '01010101' } }, withTcp({ options: '01010100' }), false],
  ['another TOS', {}, { ...NEXT, tos: 1 }, false],
  ['another TTL', {}, { ...NEXT, ttl: 63 }, false],
  ['without DF', {}, { ...NEXT, df: false }, false],
  ['both without DF', { df: false }, { ...NEXT, df: false }, true],
  ['the identification wraps', { id: 0xffff }, { ...NEXT, id: 0 }, true],
  ['the sequence number wraps', { tcp: { sequence: 2 ** 32 - LEN } }, withTcp({ sequence: 0 }), true],
  [
    '65,535 octets',
    { payload: 'ab'.repeat(32_748) },
    { id: NEXT.id, payload: 'ab'.repeat(32_747), tcp: { sequence: TCP.sequence + 32_748 } },
    true,
  ],
  [
    '65,536 octets',
    { payload: 'ab'.repeat(32_748) },
    { id: NEXT.id, payload: 'ab'.repeat(32_748), tcp: { sequence: TCP.sequence + 32_748 } },
    false,
  ],
];
for (const [name, first, second, expected] of followers) {
  test(`${expected ? 'follows' : 'does not follow'}: ${name}`, () => {
    const packets = [segment(first), segment(second)] as const;
    const { buf, words } = memory(...packets);
    const run = newRun();
    assert.not(canFollow(run, buf, words, SECOND, packets[1].length / 2), 'nothing follows what has not begun');
    beginRun(run, buf, FIRST, packets[0].length / 2);
    assert.is(canFollow(run, buf, words, SECOND, packets[1].length / 2), expected);
  });
}

const flows: readonly (readonly [string, Changes, boolean])[] = [
  ['the same', NEXT, true],
  ['another source', { ...NEXT, src: '198.51.100.11' }, false],
  ['another destination', { ...NEXT, dst: '203.0.113.81' }, false],
  ['another source port', { ...NEXT, source: 40_001 }, false],
  ['another destination port', { ...NEXT, destination: 444 }, false],
];
for (const [name, second, expected] of flows) {
  test(`flow: ${name}`, () => {
    const { buf, words } = memory(segment({}), segment(second));
    const run = newRun();
    beginRun(run, buf, FIRST, 40 + LEN);
    assert.is(isOfFlow(run, words, SECOND), expected);
  });
}

const thirds: readonly (readonly [string, Changes, boolean])[] = [
  ['as long as the first', {}, true],
  ['shorter, so it is the last', { payload: 'ab'.repeat(LEN - 1) }, false],
  ['pushed, so it is the last', { tcp: { flags: 0x18 } }, false],
];
for (const [name, second, expected] of thirds) {
  test(`a third behind a second that is ${name}`, () => {
    const packets = [segment({}), segment({ ...second, id: NEXT.id, tcp: { ...second.tcp, ...NEXT.tcp } })] as const;
    const { buf, words } = memory(...packets);
    const run = newRun();
    beginRun(run, buf, FIRST, packets[0].length / 2);
    extend(run, buf, SECOND, packets[1].length / 2);
    const sequence = TCP.sequence + packets[0].length / 2 + packets[1].length / 2 - 80;
    const third = segment({ payload: 'ab', id: NEXT.id + 1, tcp: { sequence } });
    buf.set(Buffer.from(third, 'hex'), SECOND);
    assert.is(canFollow(run, buf, words, SECOND, third.length / 2), expected);
  });
}

test('a checksum is right or not, also of an odd length', () => {
  for (const payload of ['ab'.repeat(LEN), 'ab'.repeat(LEN + 1)]) {
    const packet = segment({ payload });
    const { buf } = memory(packet);
    assert.ok(hasRightChecksum(buf, FIRST, packet.length / 2));
    buf[FIRST + packet.length / 2 - 1] = 0xac;
    assert.not(hasRightChecksum(buf, FIRST, packet.length / 2));
  }
});

test.run();
