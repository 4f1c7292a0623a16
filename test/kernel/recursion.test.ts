/** D129: a gateway whose IPv6 is reached through its own IPv4, on hosts of links and ways that are made up. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseIpv4, parseIpv6 } from '../../src/address.ts';
import { recursionOf } from '../../src/kernel/recursion.ts';

const test = suite('kernel: recursion');

const G = '2001:db8:a::1';
const H = '2001:db8:a::2';

function octetsOf(text: string): Uint8Array {
  if (text.includes(':')) return parseIpv6(text) ?? new Uint8Array(16);
  const octets = Buffer.alloc(4);
  octets.writeUInt32BE(parseIpv4(text) ?? 0);
  return octets;
}

const LINKS = [
  { index: 1, name: 'eth0' },
  { index: 2, name: 'gi-aftr' },
  { index: 3, name: 'six', farEnd: octetsOf('192.0.2.10') },
  { index: 4, name: 'other', farEnd: octetsOf('192.0.2.20') },
  { index: 5, name: 'many', farEnd: octetsOf('0.0.0.0') },
  { index: 6, name: 'outer', farEnd: octetsOf('203.0.113.9') },
].map((link) => ({ ...link, mtu: 1500, isUp: true }));

type Ways = Readonly<Record<string, string>>;
/** 192.0.2.0/24 leads into the softwires. */
const POOL: Ways = { '192.0.2.10': 'gi-aftr', '192.0.2.20': 'gi-aftr' };
const BOUND: Ways = { '192.0.2.10': G, '192.0.2.20': H };

const ITS_OWN = /^it is reached by the tunnel \w+, and that leads to 192\.0\.2\.10, which is bound to 2001:db8:a::1$/;
// [what, ways as `LINK` or `LINK via HOP`, what is bound to whom, what is found]
const cases: readonly (readonly [string, Ways, Ways, RegExp | undefined])[] = [
  ['no tunnel', { [G]: 'eth0' }, BOUND, undefined],
  ['no way', {}, BOUND, undefined],
  ['a tunnel to its own address', { [G]: 'six', ...POOL }, BOUND, ITS_OWN],
  ['a tunnel to an address that is bound to nobody', { [G]: 'six', ...POOL }, {}, undefined],
  ['a tunnel to an address that is not behind the softwires', { [G]: 'six', '192.0.2.10': 'eth0' }, BOUND, undefined],
  ['a tunnel to an address of another gateway', { [G]: 'other', [H]: 'eth0', ...POOL }, BOUND, undefined],
  ['two gateways, each through the other', { [G]: 'other', [H]: 'six', ...POOL }, BOUND, /tunnel other.*is bound to/],
  ['two gateways, the other through itself', { [G]: 'other', [H]: 'other', ...POOL }, BOUND, /192\.0\.2\.20/],
  ['a tunnel in a tunnel', { [G]: 'outer', '203.0.113.9': 'six', ...POOL }, BOUND, /192\.0\.2\.10/],
  ['a tunnel to many, by its next hop', { [G]: 'many via ::192.0.2.10', ...POOL }, BOUND, /192\.0\.2\.10/],
  ['a tunnel to many, by a 6to4 next hop', { [G]: 'many via 2002:c000:20a::1', ...POOL }, BOUND, /192\.0\.2\.10/],
  ['a tunnel to many, by who knows what', { [G]: 'many via fe80::1', ...POOL }, BOUND, undefined],
  ['an IPv6 route into the softwires', { [G]: 'gi-aftr' }, BOUND, /its IPv6 route leads to gi-aftr/],
  ['an endless tunnel', { [G]: 'outer', '203.0.113.9': 'outer' }, BOUND, undefined],
];
for (const [what, ways, bound, expected] of cases) {
  test(`${what}: ${expected ? 'recursion' : 'none'}`, async () => {
    const byOctets = new Map(
      Object.entries(ways).map(([address, way]) => [octetsOf(address).join(), way.split(' via ')]),
    );
    const wayTo = async (octets: Uint8Array) => {
      const [name, via] = byOctets.get(octets.join()) ?? [];
      const link = LINKS.find((item) => item.name === name)?.index ?? 0;
      return { kind: link === 0 ? 'none' : 'link', link, via: via === undefined ? undefined : octetsOf(via) } as const;
    };
    const owners = new Map(Object.entries(bound).map(([address, gateway]) => [parseIpv4(address), octetsOf(gateway)]));
    const around = { links: LINKS, device: 'gi-aftr', netlink: { wayTo }, boundTo: (ipv4: number) => owners.get(ipv4) };
    const found = await recursionOf(octetsOf(G), around);
    if (expected) assert.match(found ?? '', expected);
    else assert.is(found, undefined);
  });
}

test.run();
