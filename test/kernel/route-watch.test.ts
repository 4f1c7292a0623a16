import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { formatIpv4 } from '../../src/address.ts';
import type { Route } from '../../src/kernel/netlink.ts';
import { PROTOCOL } from '../../src/kernel/netlink.ts';
import { followed } from '../../src/kernel/route-watch.ts';

const test = suite('route-watch');

const STATIC = 4;

function route(last: number, kind: Route['kind'], metric: number, more: Partial<Route> = {}): Route {
  const octets = Uint8Array.of(192, 0, 2, last);
  return {
    family: 4,
    table: 254,
    octets,
    length: 26,
    kind,
    link: 2,
    metric,
    protocol: STATIC,
    gateway: undefined,
    ...more,
  };
}

const cases: readonly (readonly [name: string, routes: readonly Route[], expected: readonly string[]])[] = [
  ['a unicast route', [route(0, 'unicast', 0)], ['254 192.0.2.0/26']],
  ['several next hops', [route(0, 'unicast', 0, { link: 0 })], ['254 192.0.2.0/26']],
  ['two metrics are one', [route(0, 'unicast', 9), route(0, 'unicast', 5)], ['254 192.0.2.0/26']],
  ['unreachable alone', [route(0, 'other', 0)], []],
  ['blackhole before it', [route(0, 'unicast', 100), route(0, 'blackhole', 5)], []],
  ['unreachable before it, told first', [route(0, 'other', 5), route(0, 'unicast', 100)], []],
  ['blackhole behind it', [route(0, 'blackhole', 100), route(0, 'unicast', 5)], ['254 192.0.2.0/26']],
  [
    'our own before it',
    [route(0, 'blackhole', 1, { protocol: PROTOCOL }), route(0, 'unicast', 5)],
    ['254 192.0.2.0/26'],
  ],
  ['our own alone', [route(0, 'unicast', 1, { protocol: PROTOCOL })], []],
  [
    'blackhole in another table',
    [route(0, 'unicast', 5), route(0, 'blackhole', 0, { table: 100 })],
    ['254 192.0.2.0/26'],
  ],
  [
    'blackhole to another length',
    [route(0, 'unicast', 5), route(0, 'blackhole', 0, { length: 27 })],
    ['254 192.0.2.0/26'],
  ],
  ['a type of service alone', [route(0, 'unicast', 0, { tos: 16 })], ['254 192.0.2.0/26']],
  [
    'blackhole of a type of service before it',
    [route(0, 'blackhole', 0, { tos: 16 }), route(0, 'unicast', 9)],
    ['254 192.0.2.0/26'],
  ],
  ['blackhole beside a type of service', [route(0, 'unicast', 0, { tos: 16 }), route(0, 'blackhole', 9)], []],
  ['blackhole to its neighbour', [route(64, 'unicast', 5), route(0, 'blackhole', 0)], ['254 192.0.2.64/26']],
];

for (const [name, routes, expected] of cases) {
  test(name, () => {
    const texts = followed(routes).map(({ table, address, length }) => `${table} ${formatIpv4(address)}/${length}`);
    assert.equal(texts, expected);
  });
}

test.run();
