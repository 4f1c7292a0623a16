import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  newSuperPacket,
  pieceLength,
  readSuperPacket,
  writePieceHeaders,
} from '../../../src/datapath/offload/segmentation.ts';
import type { TcpFields, TransportFields } from '../../helpers/naive-segments.ts';
import { naiveSegments, TCP, TCP_FIELDS, transportPacket } from '../../helpers/naive-segments.ts';
import { checksumOf, ipv4, ipv6, udp } from '../../helpers/packets.ts';
import { random, seed } from '../../helpers/random.ts';

const test = suite('segmentation');

const AT = 64;
const TO = 70_000;
const GSO_TCP = 1;
const GSO_UDP = 5;
const BASE = { ...TCP_FIELDS, payload: 'ab'.repeat(1_000) };
const UDP_FIELDS: TransportFields = { ...BASE, tcp: undefined };

/** The packets that a super-packet is cut into, with whole checksums; undefined when it cannot be cut. */
function cut(hex: string, type: number, size: number, start: number): string[] | undefined {
  const buf = new Uint8Array(80_000).fill(0xff);
  const words = new Int32Array(buf.buffer);
  const packet = newSuperPacket();
  const len = hex.length / 2;
  buf.set(Buffer.from(hex, 'hex'), AT);
  if (!readSuperPacket(packet, buf, AT, len, type, size, start)) return undefined;
  const packets: string[] = [];
  for (let offset = 0; offset < len - packet.headers; offset += size) {
    writePieceHeaders(packet, offset, buf, words, TO);
    const body = AT + packet.headers + offset;
    const whole = Buffer.concat([
      buf.subarray(TO, TO + packet.headers),
      buf.subarray(body, body + pieceLength(packet, offset)),
    ]);
    const field = start + (type === GSO_TCP ? 16 : 6);
    whole.writeUInt16BE(checksumOf(whole.subarray(start).toString('hex')) || 0xffff, field);
    packets.push(whole.toString('hex'));
  }
  return packets;
}

function tcp(changes: Partial<TcpFields>): TransportFields {
  return { ...BASE, tcp: { ...TCP, ...changes } };
}

const good: readonly (readonly [string, TransportFields, number])[] = [
  ['several, the last shorter', BASE, 300],
  ['all alike', BASE, 250],
  ['one only', BASE, 1_000],
  ['one octet each', { ...BASE, payload: 'abcdef' }, 1],
  ['FIN and PSH on the last only', tcp({ flags: 0x19 }), 400],
  ['CWR on the first only, ECE on all', tcp({ flags: 0xd0 }), 400],
  ['URG and its pointer on all', tcp({ flags: 0x30, urgent: 7 }), 400],
  ['AE on all', tcp({ flags: 0x110 }), 400],
  ['the sequence number wraps', tcp({ sequence: 0xffff_fff0 }), 400],
  ['the identification wraps', { ...BASE, id: 0xfffe }, 200],
  ['without DF, with TOS', { ...BASE, df: false, tos: 0xb9 }, 400],
  ['TCP options on all', tcp({ options: '0101080a0000000100000002' }), 400],
  ['IPv4 options on all', { ...BASE, ipOptions: '07040000' }, 400],
  ['UDP', UDP_FIELDS, 400],
  ['UDP, an odd length', { ...UDP_FIELDS, payload: 'ab'.repeat(999) }, 333],
];
for (const [name, fields, size] of good) {
  test(name, () => {
    const start = 20 + fields.ipOptions.length / 2;
    assert.equal(
      cut(transportPacket(fields, true), fields.tcp ? GSO_TCP : GSO_UDP, size, start),
      naiveSegments(fields, size),
    );
  });
}

test('UDP over IPv6, behind an extension header', () => {
  const pseudo = (len: number): string => `${ipv6({}).slice(16, 80) + len.toString(16).padStart(8, '0')}00000011`;
  const extension = '1100000000000000';
  const packet = (octets: number, sum: (text: string) => number): string => {
    const text = udp(octets);
    const field = sum(pseudo(8 + octets) + text)
      .toString(16)
      .padStart(4, '0');
    return ipv6({ nextHeader: 0, payload: extension + text.slice(0, 12) + field + text.slice(16) });
  };
  const whole = packet(500, () => 0xffff - checksumOf(pseudo(508)));
  const first = packet(300, checksumOf);
  const second = packet(200, checksumOf);
  assert.equal(cut(whole, GSO_UDP, 300, 48), [first, second]);
});

const whole = transportPacket(BASE, true);
const refused: readonly (readonly [string, string, number, number, number])[] = [
  ['no size', whole, GSO_TCP, 0, 20],
  ['another type', whole, 4, 300, 20],
  ['TCP said to be UDP', whole, GSO_UDP, 300, 20],
  ['UDP said to be TCP', transportPacket(UDP_FIELDS, true), GSO_TCP, 300, 20],
  ['TCP elsewhere', whole, GSO_TCP, 300, 24],
  ['a length that is not its own', `${whole}00`, GSO_TCP, 300, 20],
  ['shorter than it says', whole.slice(0, -2), GSO_TCP, 300, 20],
  ['a fragment', ipv4({ ...BASE, mf: true, protocol: 6, payload: whole.slice(40) }), GSO_TCP, 300, 20],
  ['no payload', transportPacket({ ...BASE, payload: '' }, true), GSO_TCP, 300, 20],
  ['less than a TCP header', ipv4({ protocol: 6, payload: 'ab'.repeat(19) }), GSO_TCP, 300, 20],
  ['a data offset of 4', `${whole.slice(0, 64)}40${whole.slice(66)}`, GSO_TCP, 300, 20],
  [
    'a data offset behind the end',
    transportPacket({ ...BASE, payload: '' }).replace(/^(.{64})50/, '$1f0'),
    GSO_TCP,
    300,
    20,
  ],
  ['TCP over IPv6', ipv6({ nextHeader: 6, payload: whole.slice(40) }), GSO_TCP, 300, 40],
  ['IPv6 of another length', `${ipv6({ nextHeader: 17, payload: udp(600) })}00`, GSO_UDP, 300, 40],
];
for (const [name, packet, type, size, start] of refused) {
  test(`not cut: ${name}`, () => assert.is(cut(packet, type, size, start), undefined));
}

test(`random super-packets are cut as the naive way does (seed ${seed})`, () => {
  const next = random();
  const hex = (octets: number): string =>
    Array.from({ length: octets }, () => (next() % 256).toString(16).padStart(2, '0')).join('');
  for (let round = 0; round < 300; round++) {
    const size = 1 + (next() % 1_500);
    const fields: TransportFields = {
      ...TCP_FIELDS,
      src: [...Buffer.from(hex(4), 'hex')].join('.'),
      tos: next() % 256,
      ttl: next() % 256,
      df: next() % 2 === 0,
      id: next() % 65_536,
      ipOptions: hex(4 * (next() % 11)),
      source: next() % 65_536,
      tcp:
        next() % 3 === 0
          ? undefined
          : {
              sequence: next(),
              acknowledgment: next(),
              flags: next() % 4_096,
              window: next() % 65_536,
              urgent: next() % 65_536,
              options: hex(4 * (next() % 11)),
            },
      payload: hex(1 + (next() % (round % 10 === 0 ? 60_000 : 5_000))),
    };
    const start = 20 + fields.ipOptions.length / 2;
    const packets = cut(transportPacket(fields, true), fields.tcp ? GSO_TCP : GSO_UDP, size, start);
    assert.equal(packets, naiveSegments(fields, size), `round ${round}`);
  }
});

test.run();
