import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { icmpSourceFaults } from '../../src/kernel/icmp-source.ts';

const test = suite('kernel icmp source');

const OWN = 0xcb007101;
const address = { family: 4, link: 2, octets: Uint8Array.of(203, 0, 113, 1), length: 24 } as const;
const ipv6 = { family: 6, link: 2, octets: new Uint8Array(16), length: 64 } as const;
const host = { links: [], addresses: [ipv6, address], routes: [], ownRoutes: [] };

const cases = [
  [{ ipv4Address: OWN, sendsErrors: true }, undefined, 'one of the device'],
  [{ ipv4Address: undefined, sendsErrors: true }, /^AFTR a has no ipv4-address, .*too big/, 'none'],
  [{ ipv4Address: undefined, sendsErrors: false }, undefined, 'none is needed'],
  [
    { ipv4Address: OWN + 1, sendsErrors: true },
    /^AFTR a: ipv4-address 203\.0\.113\.2 is on no interface .* ip addr add 203\.0\.113\.2\/32 dev lo/,
    "somebody else's",
  ],
  [
    { ipv4Address: OWN + 1, sendsErrors: false },
    /is on no interface/,
    "somebody else's: ping is answered all the same",
  ],
] as const;
for (const [source, expected, why] of cases) {
  test(why, () => {
    const found = icmpSourceFaults('AFTR a', source, host);
    assert.is(found.length, expected ? 1 : 0);
    if (expected) assert.match(found[0] ?? '', expected);
  });
}

test.run();
