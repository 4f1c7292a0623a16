import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { formatIpv4Prefix, parseIpv4Prefix, parseIpv6 } from '../../src/address.ts';
import type { HostState } from '../../src/kernel/checks.ts';
import { refusals } from '../../src/kernel/checks.ts';
import type { KernelConfig } from '../../src/kernel/plan.ts';
import { coveringPrefixes, GATEWAY_TABLE, MAIN, MAX_RULES, planKernel } from '../../src/kernel/plan.ts';
import { nftablesText } from '../../src/kernel/settings.ts';

const test = suite('kernel plan');

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
  };
  const aftr = { name: 'a', ipv6Addresses: [ipv6('2001:db8:c::1')], pools: pools.map(prefix), payloadMtu: 1460 };
  return {
    gatewayDevice: 'gi-gw',
    aftrDevice: 'gi-aftr',
    gateways: served.length > 0 ? [gateway] : [],
    aftrs: pools.length > 0 ? [aftr] : [],
  };
}

const covers: readonly (readonly [string, readonly string[], readonly string[]])[] = [
  ['nothing', [], []],
  ['one', ['192.0.2.0/24'], ['192.0.2.0/24']],
  ['one inside another', ['192.0.2.128/25', '192.0.2.0/24'], ['192.0.2.0/24']],
  ['two halves', ['192.0.2.0/25', '192.0.2.128/25'], ['192.0.2.0/24']],
  ['neighbours that are no halves', ['192.0.2.128/25', '192.0.3.0/25'], ['192.0.2.128/25', '192.0.3.0/25']],
  ['four quarters', ['192.0.2.0/26', '192.0.2.64/26', '192.0.2.128/26', '192.0.2.192/26'], ['192.0.2.0/24']],
  ['the same twice', ['192.0.2.0/24', '192.0.2.0/24'], ['192.0.2.0/24']],
  ['the whole space', ['0.0.0.0/1', '128.0.0.0/1'], ['0.0.0.0/0']],
];
for (const [why, given, expected] of covers) {
  test(`smallest cover: ${why}`, () => {
    const found = coveringPrefixes(given.map(prefix)).map(({ address, length }) => formatIpv4Prefix(address, length));
    assert.equal(found, expected);
  });
}

test('behind every route to a TUN stands a blackhole of worse metric', () => {
  const { routes } = planKernel(config(['198.51.100.0/24'], ['192.0.2.0/24']));
  const leading = routes.filter(({ device }) => device !== undefined);
  assert.is(leading.length, 4);
  for (const { table, octets, length, metric } of leading) {
    const behind = routes.find(
      (route) =>
        route.device === undefined &&
        route.table === table &&
        route.length === length &&
        Buffer.compare(route.octets, octets) === 0,
    );
    assert.ok(behind && behind.metric > metric);
  }
});

test('a gateway: two rules a prefix, its table to the TUN, a blackhole for each served prefix in main', () => {
  const { rules, routes, devices, marked } = planKernel(config(['198.51.100.0/24', '192.0.2.0/25']));
  assert.equal(devices, ['gi-gw']);
  assert.is(marked, undefined);
  assert.equal(
    rules.map(({ table, suppress, mark }) => [table, suppress, mark]),
    [
      [MAIN, 0, 0],
      [GATEWAY_TABLE, undefined, 0],
      [MAIN, 0, 0],
      [GATEWAY_TABLE, undefined, 0],
    ],
  );
  const served = routes.filter(({ table, family }) => table === MAIN && family === 4);
  assert.equal(
    served.map(({ length, device }) => [length, device]),
    [
      [25, undefined],
      [24, undefined],
    ],
  );
});

test('more prefixes than rules are marked on the left links', () => {
  const many = Array.from({ length: MAX_RULES + 1 }, (_, i) => `10.${i}.0.0/24`);
  const few = planKernel(config(many.slice(1)));
  assert.is(few.rules.length, 2 * MAX_RULES);
  assert.is(nftablesText(few), '');
  const plan = planKernel(config(many));
  assert.is(plan.rules.length, 2);
  assert.ok(plan.rules.every(({ mark }) => mark !== 0));
  assert.match(nftablesText(plan), /iifname \{ "left" \} ip saddr @served meta mark set/);
  assert.match(nftablesText(plan), /10\.0\.0\.0\/24, 10\.1\.0\.0\/24/);
});

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
};
const NOBODY: HostState = { links: HOST.links, addresses: [], routes: [] };

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
  ['a pool inside an own subnet', config([], ['203.0.113.128/25']), HOST, [/covers 203\.0\.113\.1\/24/]],
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
