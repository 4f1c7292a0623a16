import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Ipv4Prefix } from '../../src/address.ts';
import { formatIpv4Prefix, inIpv4Prefix, parseIpv4Prefix, parseIpv6 } from '../../src/address.ts';
import type { KernelConfig, KernelPlan } from '../../src/kernel/plan.ts';
import { coveringPrefixes, planKernel } from '../../src/kernel/plan.ts';
import { random, seed } from '../helpers/random.ts';

const test = suite('plan');

function prefix(text: string): Ipv4Prefix {
  return parseIpv4Prefix(text) ?? { address: 0, length: 0 };
}

function texts(prefixes: readonly Ipv4Prefix[]): string[] {
  return prefixes.map(({ address, length }) => formatIpv4Prefix(address, length));
}

const covers = [
  [[], [], 'nothing'],
  [['192.0.2.0/24'], ['192.0.2.0/24'], 'one'],
  [['192.0.2.0/24', '192.0.2.0/24'], ['192.0.2.0/24'], 'the same twice'],
  [['192.0.2.0/24', '192.0.2.64/26'], ['192.0.2.0/24'], 'one inside another'],
  [['192.0.2.0/25', '192.0.2.128/25'], ['192.0.2.0/24'], 'two halves'],
  [['192.0.2.128/25', '192.0.3.0/25'], ['192.0.2.128/25', '192.0.3.0/25'], 'neighbours, but no halves of one'],
  [['10.0.0.0/32', '10.0.0.1/32', '10.0.0.2/31', '10.0.0.4/30'], ['10.0.0.0/29'], 'joined again and again'],
  [['0.0.0.0/1', '128.0.0.0/1'], ['0.0.0.0/0'], 'all there is'],
  [['255.255.255.254/32', '255.255.255.255/32'], ['255.255.255.254/31'], 'the last two'],
] as const;
for (const [given, expected, what] of covers) {
  test(`covering set: ${what}`, () => assert.equal(texts(coveringPrefixes(given.map(prefix))), [...expected]));
}

test(`a covering set holds the same addresses and no pair that could be one (seed ${seed})`, () => {
  const next = random();
  const below = (limit: number) => next() % limit;
  for (let round = 0; round < 300; round++) {
    const given = Array.from({ length: below(12) }, () => {
      const length = 26 + below(7);
      return prefix(formatIpv4Prefix(0xc0000200 + below(256), length));
    });
    const covering = coveringPrefixes(given);
    const held = (set: readonly Ipv4Prefix[]) =>
      Array.from({ length: 256 }, (_, octet) => set.some((one) => inIpv4Prefix(0xc0000200 + octet, one)));
    assert.equal(held(covering), held(given), `round ${round}`);
    assert.equal(texts(coveringPrefixes(covering)), texts(covering), `round ${round}`);
  }
});

function configuration(served: readonly string[], pools: readonly string[]): KernelConfig {
  const [gateway, aftr] = ['2001:db8:a::1', '2001:db8:b::1'].map((text) => parseIpv6(text) ?? new Uint8Array(16));
  return {
    gatewayDevice: 'gi-gw',
    aftrDevice: 'gi-aftr',
    gateways:
      served.length === 0
        ? []
        : [
            {
              name: 'home',
              ipv6Address: gateway ?? new Uint8Array(16),
              aftrIpv6Address: aftr ?? new Uint8Array(16),
              ipv4Interfaces: ['left'],
              servedPrefixes: served.map(prefix),
              payloadMtu: 1460,
              icmpSource: { ipv4Address: undefined, sendsErrors: false },
            },
          ],
    aftrs:
      pools.length === 0
        ? []
        : [
            {
              name: 'edge',
              ipv6Addresses: [aftr ?? new Uint8Array(16)],
              pools: pools.map(prefix),
              payloadMtu: 1460,
              icmpSource: { ipv4Address: undefined, sendsErrors: false },
            },
          ],
  };
}

/** Routes as `family table octets/length device`. */
function routeTexts({ routes }: KernelPlan): string[] {
  return routes.map(
    ({ family, table, octets, length, device }) =>
      `${family} ${table} ${Buffer.from(octets).toString('hex')}/${length} ${device ?? 'blackhole'}`,
  );
}

test('no instance: nothing', () => {
  assert.equal(planKernel(configuration([], [])), {
    devices: [],
    routes: [],
    rules: [],
    tunnelAddresses: [],
    marked: undefined,
  });
});

test('gateway: every route to the device has a blackhole behind it, and so have its prefixes', () => {
  const plan = planKernel(configuration(['192.0.2.0/25', '192.0.2.128/25'], []));
  const tunnel = '20010db8000a00000000000000000001/128';
  assert.equal(plan.devices, ['gi-gw']);
  assert.equal(routeTexts(plan), [
    `6 254 ${tunnel} gi-gw`,
    `6 254 ${tunnel} blackhole`,
    '4 4446 00000000/0 gi-gw',
    '4 4446 00000000/0 blackhole',
    '4 254 c0000200/24 gi-gw',
    '4 254 c0000200/24 blackhole',
  ]);
  assert.equal(
    plan.rules.map(({ priority, table, suppress }) => [priority, table, suppress]),
    [
      [4446, 254, 0],
      [4447, 4446, undefined],
    ],
  );
});

test('AFTR: pools and tunnel address lead to the device, no rule is needed', () => {
  const plan = planKernel(configuration([], ['192.0.2.0/24']));
  const tunnel = '20010db8000b00000000000000000001/128';
  assert.equal(routeTexts(plan), [
    `6 254 ${tunnel} gi-aftr`,
    `6 254 ${tunnel} blackhole`,
    '4 254 c0000200/24 gi-aftr',
    '4 254 c0000200/24 blackhole',
  ]);
  assert.equal(plan.rules, []);
});

test('a blackhole is always worse than the route before it', () => {
  const { routes } = planKernel(configuration(['10.0.0.0/8'], ['192.0.2.0/24']));
  const worst = Math.max(...routes.filter(({ device }) => device !== undefined).map(({ metric }) => metric));
  for (const { device, metric } of routes) if (device === undefined) assert.ok(metric > worst);
});

for (const [count, isMarked] of [
  [64, false],
  [65, true],
] as const) {
  test(`${count} prefixes: ${isMarked ? 'marks and two rules' : 'two rules each'}`, () => {
    const served = Array.from({ length: count }, (_, index) => `10.${index}.0.0/24`);
    const { rules, marked } = planKernel(configuration(served, []));
    assert.is(rules.length, isMarked ? 2 : 2 * count);
    assert.is(
      rules.every(({ mark }) => mark !== 0),
      isMarked,
    );
    assert.equal(marked?.links, isMarked ? ['left'] : undefined);
    assert.is(marked?.prefixes.length, isMarked ? count : undefined);
  });
}

test.run();
