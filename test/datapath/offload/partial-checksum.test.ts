import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { completeChecksum } from '../../../src/datapath/offload/partial-checksum.ts';

const test = suite('partial-checksum');

/** Octets from where the checksum begins, with the sum of the pseudo-header in the field; the field after. */
const cases = [
  ['00010002', 2, 'fffc', 'the sum of what is there, field included, and all of it inverted'],
  ['0001000203', 2, 'fcfc', 'an odd last octet counts as padded'],
  ['ffff0001', 2, 'fffe', 'a carry goes round'],
  ['fffe0001', 2, 'ffff', 'never 0, which would say that there is none'],
  ['12340000000100', 4, 'edca', 'a field further on, and an octet of nothing'],
] as const;
for (const [octets, offset, expected, why] of cases) {
  test(`${octets}: ${why}`, () => {
    const before = 'abcdef01';
    const buf = new Uint8Array(Buffer.from(`${before}${octets}ffff`, 'hex'));
    completeChecksum(buf, 2, 2 + octets.length / 2, 2, offset);
    const text = Buffer.from(buf).toString('hex');
    const field = 8 + offset * 2;
    assert.is(text.slice(field, field + 4), expected);
    assert.is(text, `${before}${octets.slice(0, offset * 2)}${expected}${octets.slice(offset * 2 + 4)}ffff`);
  });
}

test.run();
