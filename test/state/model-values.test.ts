/** Canonical text and refusals of the leaves of a row. That libyang agrees: test/yang/binding-leaf.test.ts. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { formatIpv6 } from '../../src/address.ts';
import { checkBindingLeaf } from '../../src/state/binding.generated.ts';
import { random, seed } from '../helpers/random.ts';

const test = suite('model-values');

const canonical = [
  ['ipv4-prefix', '192.0.2.7/28', '192.0.2.0/28', 'host bits are zeroed'],
  ['ipv4-prefix', '0.0.0.0/0', '0.0.0.0/0', 'the shortest prefix'],
  ['ipv4-prefix', '255.255.255.255/32', '255.255.255.255/32', 'the longest prefix'],
  ['gateway-ipv6-address', '2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1', 'RFC 5952: lower case, first longest run'],
  ['aftr-ipv6-address', '::ffff:192.0.2.1', '::ffff:192.0.2.1', 'RFC 5952 §5'],
  ['description', '', '', 'an empty text'],
  ['description', ' a\tb\n ', ' a\tb\n ', 'white space stays'],
  ['description', '\u{1f600}'.repeat(255), '\u{1f600}'.repeat(255), '255 characters of two code units'],
  ['origin', 'learned', 'learned', 'a name of the enumeration'],
] as const;
for (const [name, text, value, why] of canonical) {
  test(`${name}: ${why}`, () => assert.equal(checkBindingLeaf(name, text), { value }));
}

const wrong = [
  ['ipv4-prefix', '192.0.2.0', 'no length'],
  ['ipv4-prefix', '192.0.2.0/33', 'length over 32'],
  ['ipv4-prefix', '192.0.2.0/08', 'a leading zero in the length'],
  ['ipv4-prefix', '192.0.2.256/32', 'an octet over 255'],
  ['ipv4-prefix', ' 192.0.2.0/24', 'a blank'],
  ['ipv4-prefix', '', 'nothing'],
  ['gateway-ipv6-address', 'fe80::1%eth0', 'a zone'],
  ['gateway-ipv6-address', '1:2:3:4:5:6:7:8:9', 'nine groups'],
  ['gateway-ipv6-address', '1::2::3', 'two gaps'],
  ['gateway-ipv6-address', '192.0.2.1', 'IPv4'],
  ['description', 'x'.repeat(256), 'one character too many'],
  ['description', 'a\u0000', 'NUL'],
  ['description', 'a\u001f', 'a control character'],
  ['description', '\ud800', 'half a pair'],
  ['description', '\ufdd0', 'a noncharacter'],
  ['origin', 'Static', 'another case'],
] as const;
for (const [name, text, why] of wrong) {
  test(`${name}: ${why} is refused with a sentence`, () => {
    const checked = checkBindingLeaf(name, text);
    assert.ok('message' in checked && checked.message.startsWith('expected '), JSON.stringify(checked));
  });
}

test('a message shows only the beginning of a long text', () => {
  const checked = checkBindingLeaf('ipv4-prefix', 'x'.repeat(1_000_000));
  assert.ok('message' in checked && checked.message.length < 200);
});

test('an unknown leaf is our own mistake', () => assert.throws(() => checkBindingLeaf('mtu', '1'), /mtu/));

test(`canonical text of IPv6 addresses is a fixed point, seed ${seed}`, () => {
  const next = random();
  for (let i = 0; i < 2_000; i++) {
    const octets = Uint8Array.from({ length: 16 }, () => (next() % 3 === 0 ? next() & 255 : 0));
    const text = formatIpv6(octets);
    assert.equal(checkBindingLeaf('gateway-ipv6-address', text.toUpperCase()), { value: text });
  }
});

test.run();
