import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { OctetCollector } from '../../../src/mgmt/netconf/octet-collector.ts';

const test = suite('octet collector');

const FIRST = 4_096;
const NEXT = 65_536;

/** Octets that tell where they stand and in which message. */
function message(length: number, salt: number): Buffer {
  return Buffer.from(Array.from({ length }, (_, at) => (at * 7 + salt) & 255));
}

for (const length of [0, 1, FIRST - 1, FIRST, FIRST + 1, FIRST + NEXT - 1, FIRST + NEXT, FIRST + NEXT + 1, 300_000]) {
  for (const piece of [1, 1_000, 70_000]) {
    test(`messages of ${length} octets in pieces of ${piece}, one after the other`, () => {
      const collector = new OctetCollector();
      const taken: Buffer[] = [];
      for (const salt of [1, 2]) {
        const octets = message(length, salt);
        for (let at = 0; at < length; at += piece) collector.append(octets.subarray(at, at + piece));
        assert.is(collector.length, length);
        taken.push(collector.take());
      }
      // The first is still what it was when the second has come.
      assert.ok(taken[0]?.equals(message(length, 1)) && taken[1]?.equals(message(length, 2)));
    });
  }
}

test('the last octets are left out', () => {
  const collector = new OctetCollector();
  collector.append(Buffer.from('abc]]>]]>'));
  assert.is(collector.take(6).toString(), 'abc');
  assert.is(collector.length, 0);
});

test.run();
