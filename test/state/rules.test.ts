import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { faults } from '../helpers/rules.ts';
import { binding } from '../helpers/state.ts';

const test = suite('rules');

type Json = Readonly<Record<string, unknown>>;
const AFTR = { name: 'a', 'ipv6-address': '2001:db8:b::1', 'ipv4-pool': ['192.0.2.0/24', '198.51.100.0/25'] };
const GATEWAY = { name: 'g', 'ipv6-address': '2001:db8:a::1', 'aftr-ipv6-address': '2001:db8:b::9' };
const FAR = '2001:db8:c::1';

function configuration({ aftr = [], gateway = [] }: { aftr?: readonly Json[]; gateway?: readonly Json[] }): Json {
  return { 'gi-4over6:softwire': { aftr, gateway } };
}

const withBindings = (more: Json, ...bindings: readonly Json[]) =>
  configuration({ aftr: [{ ...AFTR, ...more, 'binding-table': { binding: bindings } }] });

const row = (prefix: string) => `aftr[name='a']/binding-table/binding[ipv4-prefix='${prefix}']`;

const bindings: readonly (readonly [string, Json, readonly string[]])[] = [
  ['in a pool', binding('192.0.2.1/32', FAR), []],
  ['a whole pool', binding('192.0.2.0/24', FAR), []],
  ['at the end of a pool', binding('198.51.100.127/32', FAR), []],
  ['just behind a pool', binding('198.51.100.128/32', FAR), [`outside-pool ${row('198.51.100.128/32')}`]],
  ['wider than a pool', binding('198.51.100.0/24', FAR), [`outside-pool ${row('198.51.100.0/24')}`]],
  [
    'a multicast gateway',
    binding('192.0.2.1/32', 'ff02::1'),
    [`unusable-tunnel-address ${row('192.0.2.1/32')}/gateway-ipv6-address`],
  ],
  [
    'an unspecified gateway',
    binding('192.0.2.1/32', '::'),
    [`unusable-tunnel-address ${row('192.0.2.1/32')}/gateway-ipv6-address`],
  ],
  [
    'a loopback gateway',
    binding('192.0.2.1/32', '::1'),
    [`unusable-tunnel-address ${row('192.0.2.1/32')}/gateway-ipv6-address`],
  ],
  [
    'a link-local gateway',
    binding('192.0.2.1/32', 'fe80::1'),
    [`unusable-tunnel-address ${row('192.0.2.1/32')}/gateway-ipv6-address`],
  ],
  [
    'our own address as gateway',
    binding('192.0.2.1/32', '2001:db8:b::1'),
    [`both-ends-local ${row('192.0.2.1/32')}/gateway-ipv6-address`],
  ],
  ['the AFTR address named', binding('192.0.2.1/32', FAR, { 'aftr-ipv6-address': '2001:db8:b::1' }), []],
  [
    'an AFTR address that is not listed',
    binding('192.0.2.1/32', FAR, { 'aftr-ipv6-address': '2001:db8:b::2' }),
    [`unknown-aftr-address ${row('192.0.2.1/32')}/aftr-ipv6-address`],
  ],
];
for (const [why, entry, expected] of bindings) {
  test(`binding: ${why}`, async () => assert.equal(await faults(withBindings({}, entry)), expected));
}

test('binding: an additional AFTR address', async () => {
  const entry = binding('192.0.2.1/32', FAR, { 'aftr-ipv6-address': '2001:db8:b::2' });
  assert.equal(await faults(withBindings({ 'additional-ipv6-address': ['2001:db8:b::2'] }, entry)), []);
});

for (const prefix of [
  '0.0.0.0/0',
  '0.0.0.0/8',
  '127.0.0.0/8',
  '224.0.0.0/4',
  '240.0.0.0/4',
  '96.0.0.0/3',
  '255.255.255.255/32',
]) {
  test(`martian: ${prefix} as pool and as served prefix`, async () => {
    const pool = configuration({ aftr: [{ ...AFTR, 'ipv4-pool': [prefix] }] });
    assert.equal(await faults(pool), [`martian-prefix aftr[name='a']/ipv4-pool[.='${prefix}']`]);
    const served = configuration({ gateway: [{ ...GATEWAY, 'served-prefix': [{ 'ipv4-prefix': prefix }] }] });
    assert.equal(await faults(served), [`martian-prefix gateway[name='g']/served-prefix[ipv4-prefix='${prefix}']`]);
  });
}

const B = { name: 'b', 'ipv6-address': '2001:db8:b::2' };
const H = { name: 'h', 'ipv6-address': '2001:db8:a::2', 'aftr-ipv6-address': '2001:db8:b::9' };
const served = (...prefixes: readonly string[]) => ({
  'served-prefix': prefixes.map((prefix) => ({ 'ipv4-prefix': prefix })),
});

const trees: readonly (readonly [string, Json, readonly string[]])[] = [
  [
    'an AFTR without address',
    configuration({ aftr: [{ name: 'a', 'ipv4-pool': ['192.0.2.0/24'] }] }),
    ["missing-tunnel-address aftr[name='a']"],
  ],
  [
    'an AFTR without pool',
    configuration({ aftr: [{ name: 'a', 'ipv6-address': '2001:db8:b::1' }] }),
    ["missing-pool aftr[name='a']"],
  ],
  ['an AFTR that is off needs neither', configuration({ aftr: [{ name: 'a', enabled: false }] }), []],
  [
    'a gateway without addresses',
    configuration({ gateway: [{ name: 'g' }] }),
    ["missing-tunnel-address gateway[name='g']", "missing-aftr-address gateway[name='g']"],
  ],
  [
    'a gateway that learns its AFTR',
    configuration({ gateway: [{ name: 'g', 'ipv6-address': '2001:db8:a::1', 'aftr-from-dhcpv6': 'wan' }] }),
    [],
  ],
  [
    'a gateway with both ways to know its AFTR',
    configuration({ gateway: [{ ...GATEWAY, 'aftr-from-dhcpv6': 'wan' }] }),
    ["two-aftr-addresses gateway[name='g']/aftr-from-dhcpv6"],
  ],
  [
    'also while it is off',
    configuration({ gateway: [{ ...GATEWAY, enabled: false, 'aftr-from-dhcpv6': 'wan' }] }),
    ["two-aftr-addresses gateway[name='g']/aftr-from-dhcpv6"],
  ],
  ['a gateway that is off needs none', configuration({ gateway: [{ name: 'g', enabled: false }] }), []],
  [
    'pools that overlap across AFTRs',
    configuration({ aftr: [AFTR, { ...B, 'ipv4-pool': ['192.0.2.128/25'] }] }),
    ["overlapping-pool aftr[name='b']/ipv4-pool[.='192.0.2.128/25']"],
  ],
  ['pools side by side', configuration({ aftr: [AFTR, { ...B, 'ipv4-pool': ['198.51.100.128/25'] }] }), []],
  [
    'pools that overlap in one AFTR',
    configuration({ aftr: [{ ...AFTR, 'ipv4-pool': ['192.0.2.0/24', '192.0.2.128/25'] }] }),
    [],
  ],
  [
    'served prefixes that overlap across gateways',
    configuration({
      gateway: [
        { ...GATEWAY, ...served('192.0.2.0/24') },
        { ...H, ...served('192.0.2.1/32') },
      ],
    }),
    ["overlapping-served-prefix gateway[name='h']/served-prefix[ipv4-prefix='192.0.2.1/32']"],
  ],
  [
    'served prefixes that overlap in one gateway',
    configuration({ gateway: [{ ...GATEWAY, ...served('192.0.2.0/24', '192.0.2.1/32') }] }),
    [],
  ],
  [
    'one tunnel address twice',
    configuration({ gateway: [GATEWAY], aftr: [{ ...AFTR, 'additional-ipv6-address': ['2001:db8:a::1'] }] }),
    ["duplicate-tunnel-address aftr[name='a']"],
  ],
  [
    'a link-local tunnel address',
    configuration({ gateway: [{ ...GATEWAY, 'ipv6-address': 'fe80::1' }] }),
    ["unusable-tunnel-address gateway[name='g']"],
  ],
  [
    'a gateway whose AFTR is this device',
    configuration({ gateway: [{ ...GATEWAY, 'aftr-ipv6-address': '2001:db8:b::1' }], aftr: [AFTR] }),
    ["both-ends-local gateway[name='g']/aftr-ipv6-address"],
  ],
  [
    'a gateway whose AFTR is itself',
    configuration({ gateway: [{ ...GATEWAY, 'aftr-ipv6-address': '2001:db8:a::1' }] }),
    ["both-ends-local gateway[name='g']/aftr-ipv6-address"],
  ],
  [
    'as many bindings as allowed',
    withBindings({ 'softwire-num-max': 2 }, binding('192.0.2.1/32', FAR), binding('192.0.2.2/32', FAR)),
    [],
  ],
  [
    'one binding too many',
    withBindings({ 'softwire-num-max': 1 }, binding('192.0.2.1/32', FAR), binding('192.0.2.2/32', FAR)),
    ["too-many-bindings aftr[name='a']/softwire-num-max"],
  ],
];
for (const [why, edit, expected] of trees) test(why, async () => assert.equal(await faults(edit), expected));

const TWO = withBindings({}, binding('192.0.2.1/32', FAR), binding('198.51.100.0/28', FAR));
const replaced = (more: Json, ...more2: readonly Json[]) =>
  withBindings(more, binding('192.0.2.1/32', FAR), binding('198.51.100.0/28', FAR), ...more2);
const ground: readonly (readonly [string, Json, readonly string[]])[] = [
  [
    'a pool goes under a binding',
    replaced({ 'ipv4-pool': ['192.0.2.0/24'] }),
    [`outside-pool ${row('198.51.100.0/28')}`],
  ],
  ['a pool shrinks beside a binding', replaced({ 'ipv4-pool': ['192.0.2.0/24', '198.51.100.0/28'] }), []],
  [
    'a pool shrinks under a binding',
    replaced({ 'ipv4-pool': ['192.0.2.0/24', '198.51.100.0/29'] }),
    [`outside-pool ${row('198.51.100.0/28')}`],
  ],
  ['a pool goes into a wider one', replaced({ 'ipv4-pool': ['192.0.2.0/23', '198.51.100.0/24'] }), []],
  [
    'a lost pool and a new row in it: one fault a row',
    replaced({ 'ipv4-pool': ['192.0.2.0/24'] }, binding('198.51.100.64/32', FAR)),
    [`outside-pool ${row('198.51.100.0/28')}`, `outside-pool ${row('198.51.100.64/32')}`],
  ],
  [
    'a gateway address becomes our own',
    replaced({ 'additional-ipv6-address': [FAR] }),
    [
      `both-ends-local ${row('192.0.2.1/32')}/gateway-ipv6-address`,
      `both-ends-local ${row('198.51.100.0/28')}/gateway-ipv6-address`,
    ],
  ],
  ['the bound goes with its pool', withBindings({ 'ipv4-pool': ['192.0.2.0/24'] }, binding('192.0.2.1/32', FAR)), []],
];
for (const [why, edit, expected] of ground)
  test(`ground: ${why}`, async () => assert.equal(await faults(edit, TWO), expected));

test('ground: an AFTR address goes that a binding names', async () => {
  const entry = binding('192.0.2.1/32', FAR, { 'aftr-ipv6-address': '2001:db8:b::2' });
  const before = withBindings({ 'additional-ipv6-address': ['2001:db8:b::2'] }, entry);
  assert.equal(await faults(withBindings({}, entry), before), [
    `unknown-aftr-address ${row('192.0.2.1/32')}/aftr-ipv6-address`,
  ]);
});

test('at most twenty faults are told', async () => {
  const many = Array.from({ length: 30 }, (_, index) => binding(`203.0.113.${index}/32`, FAR));
  assert.is((await faults(withBindings({}, ...many))).length, 20);
});

test('more than the forwarding tables take is refused, whether the datapath is there or not', async () => {
  const gateway = Array.from({ length: 129 }, (_, i) => ({ name: `g${i}`, enabled: false }));
  assert.equal(await faults(configuration({ gateway })), ['datapath-limit gateway']);
  assert.equal(await faults(configuration({ gateway: gateway.slice(1) })), []);
  const pools = Array.from({ length: 4_097 }, (_, i) => `10.${i >> 8}.${i & 255}.0/24`);
  assert.equal(await faults(configuration({ aftr: [{ ...AFTR, 'ipv4-pool': pools }] })), ['datapath-limit aftr']);
});

for (const address of ['0.0.0.0', '127.0.0.1', '224.1.1.1', '255.255.255.255']) {
  test(`ICMP from ${address} is refused`, async () => {
    assert.equal(await faults(configuration({ aftr: [{ ...AFTR, 'ipv4-address': address }] })), [
      "unusable-ipv4-address aftr[name='a']/ipv4-address",
    ]);
  });
}

test.run();
