import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseIpv4Prefix, parseIpv6 } from '../../src/address.ts';
import type { HostState } from '../../src/kernel/checks.ts';
import { refusals } from '../../src/kernel/checks.ts';
import type { KernelConfig } from '../../src/kernel/plan.ts';
import { MAIN } from '../../src/kernel/plan.ts';

const test = suite('checks');

function prefix(text: string) {
  const parsed = parseIpv4Prefix(text);
  assert.ok(parsed, text);
  return parsed;
}

function ipv6(text: string): Uint8Array {
  const parsed = parseIpv6(text);
  assert.ok(parsed, text);
  return parsed;
}

function config(served: readonly string[], pools: readonly string[] = []): KernelConfig {
  const gateway = {
    name: 'g',
    ipv6Address: ipv6('2001:db8:a::1'),
    aftrIpv6Address: ipv6('2001:db8:b::1'),
    ipv4Interfaces: ['left'],
    servedPrefixes: served.map(prefix),
    payloadMtu: 1460,
    icmpSource: { ipv4Address: undefined, sendsErrors: false },
  };
  const aftr = {
    name: 'a',
    ipv6Addresses: [ipv6('2001:db8:c::1')],
    pools: pools.map(prefix),
    payloadMtu: 1460,
    icmpSource: { ipv4Address: undefined, sendsErrors: false },
  };
  return {
    gatewayDevice: 'gi-gw',
    aftrDevice: 'gi-aftr',
    gateways: served.length > 0 ? [gateway] : [],
    aftrs: pools.length > 0 ? [aftr] : [],
  };
}

const HOST: HostState = {
  links: [
    { index: 1, name: 'eth0', mtu: 1500, isUp: true },
    { index: 2, name: 'left', mtu: 1500, isUp: true },
  ],
  addresses: [
    { family: 6, link: 1, octets: ipv6('2001:db8:a::1'), length: 64 },
    { family: 4, link: 1, octets: Uint8Array.of(203, 0, 113, 1), length: 24 },
    { family: 4, link: 2, octets: Uint8Array.of(198, 51, 100, 1), length: 24 },
  ],
  routes: [
    {
      family: 4,
      table: MAIN,
      octets: new Uint8Array(4),
      length: 0,
      kind: 'unicast',
      link: 1,
      metric: 0,
      protocol: 3,
      gateway: Uint8Array.of(192, 0, 2, 254),
    },
  ],
  ownRoutes: [],
};
const NOBODY: HostState = { links: HOST.links, addresses: [], routes: [], ownRoutes: [] };

const checks: readonly (readonly [string, KernelConfig, HostState, readonly RegExp[]])[] = [
  ['nothing in the way', config(['198.51.100.0/24'], ['192.0.2.0/24']), NOBODY, []],
  [
    'a tunnel address that the kernel holds',
    config(['10.0.0.0/8']),
    HOST,
    [/^2001:db8:a::1 is configured on eth0; choose a free address of its prefix or a routed one$/],
  ],
  [
    'a pool over an own subnet',
    config([], ['203.0.113.0/24']),
    HOST,
    [/pool 203\.0\.113\.0\/24 covers 203\.0\.113\.1\/24 of eth0/],
  ],
  [
    'a pool inside an own subnet',
    config([], ['203.0.113.128/25']),
    HOST,
    [/lies in the connected subnet of 203\.0\.113\.1\/24 of eth0; change the pool/],
  ],
  [
    'an AFTR that is this host itself',
    config(['10.0.0.0/8']),
    { ...NOBODY, addresses: [{ family: 6, link: 2, octets: ipv6('2001:db8:b::1'), length: 64 }] },
    [
      /^AFTR 2001:db8:b::1 is configured on left: the tunnel would end where it begins; name the AFTR's tunnel address$/,
    ],
  ],
  ['a pool over a next hop', config([], ['192.0.2.0/24']), HOST, [/192\.0\.2\.254, the next hop/]],
  [
    'a served prefix over the left subnet',
    config(['198.51.100.0/24']),
    { ...HOST, addresses: HOST.addresses.slice(1) },
    [],
  ],
  [
    'a served prefix over another subnet',
    config(['203.0.113.0/24']),
    { ...HOST, addresses: HOST.addresses.slice(1) },
    [/served prefix 203\.0\.113\.0\/24 covers/],
  ],
];
for (const [why, given, host, expected] of checks) {
  test(`check: ${why}`, () => {
    const found = refusals(given, host).map(({ message }) => message);
    assert.is(found.length, expected.length, found.join('; '));
    for (const [index, pattern] of expected.entries()) assert.match(found[index] ?? '', pattern);
  });
}

test.run();
