import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { crc32c } from '../../src/state/crc32c.ts';

const test = suite('crc32c');

const ramp = Uint8Array.from({ length: 32 }, (_, i) => i);
const iscsiRead = Buffer.from(
  `01c00000${'00'.repeat(12)}14000000000004000000001400000018280000000000000002${'00'.repeat(7)}`,
  'hex',
);

const vectors = [
  ['nothing', new Uint8Array(0), 0],
  ['123456789, the check value of the catalogue', Buffer.from('123456789'), 0xe3069283],
  ['32 octets of zero (RFC 3720 B.4)', new Uint8Array(32), 0x8a9136aa],
  ['32 octets of ones (RFC 3720 B.4)', new Uint8Array(32).fill(0xff), 0x62a8ab43],
  ['32 octets going up (RFC 3720 B.4)', ramp, 0x46dd794e],
  ['32 octets going down (RFC 3720 B.4)', Uint8Array.from(ramp).reverse(), 0x113fdb5c],
  ['an iSCSI SCSI Read command (RFC 3720 B.4)', iscsiRead, 0xd9963a56],
] as const;
for (const [name, octets, crc] of vectors) test(name, () => assert.is(crc32c(octets), crc));

test('in two parts it is the same as in one', () => {
  for (let at = 0; at <= ramp.length; at++) {
    assert.is(crc32c(ramp.subarray(at), crc32c(ramp.subarray(0, at))), 0x46dd794e, `cut at ${at}`);
  }
});

test('a range is the same as its copy', () => assert.is(crc32c(ramp, 0, 3, 17), crc32c(ramp.slice(3, 17))));

test.run();
