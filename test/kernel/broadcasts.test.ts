import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { formatIpv4 } from '../../src/address.ts';
import { broadcastAddresses, hostAddresses } from '../../src/kernel/broadcasts.ts';

const test = suite('broadcasts');

const cases = [
  ['a /24', [[192, 0, 2, 1, 24]], ['192.0.2.255']],
  ['a /30', [[192, 0, 2, 5, 30]], ['192.0.2.7']],
  [
    'a /31 and a /32 have none (RFC 3021)',
    [
      [192, 0, 2, 4, 31],
      [192, 0, 2, 9, 32],
    ],
    [],
  ],
  ['a /8 of high addresses', [[203, 9, 9, 9, 8]], ['203.255.255.255']],
  [
    'two addresses of one subnet',
    [
      [192, 0, 2, 1, 24],
      [192, 0, 2, 2, 24],
    ],
    ['192.0.2.255'],
  ],
] as const;
for (const [name, addresses, expected] of cases) {
  test(name, () => {
    const given = addresses.map(([a, b, c, d, length]) => {
      return { family: 4 as const, link: 1, octets: Uint8Array.of(a, b, c, d), length };
    });
    assert.equal(broadcastAddresses(given).map(formatIpv4), expected);
  });
}

test('IPv6 has none', () => {
  assert.equal(broadcastAddresses([{ family: 6, link: 1, octets: new Uint8Array(16), length: 64 }]), []);
});

test('addresses of hosts: those of IPv4, each once', () => {
  const address = (octets: readonly number[], family: 4 | 6 = 4) => ({
    family,
    link: 1,
    octets: Uint8Array.from(octets),
    length: 24,
  });
  const given = [address([203, 0, 113, 9]), address([127, 0, 0, 1]), address([203, 0, 113, 9]), address([0x20, 1], 6)];
  assert.equal(hostAddresses(given).map(formatIpv4), ['127.0.0.1', '203.0.113.9']);
});

test.run();
