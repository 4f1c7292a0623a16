/** Which prefixes the kernel's routes lead to, as a reading tells them and as news bring it on. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { formatIpv4 } from '../../src/address.ts';
import type { Route, RouteNews } from '../../src/kernel/netlink.ts';
import { PROTOCOL } from '../../src/kernel/netlink.ts';
import { numberOf, RouteState } from '../../src/kernel/route-state.ts';

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

function textsOf(state: RouteState): string[] {
  return [254, 100].flatMap((table) => {
    return [...state.numbers(table)].map((number) => {
      assert.ok(state.has(table, number));
      return `${table} ${formatIpv4(Math.floor(number / 64))}/${number % 64}`;
    });
  });
}

for (const [name, routes, expected] of cases) {
  test(name, () => {
    const state = new RouteState();
    for (const item of routes) state.put(item);
    assert.equal(textsOf(state), expected);
    const gone = routes.map((item) => state.apply({ route: item, how: 'gone' }, false));
    assert.equal([textsOf(state), gone.every(Boolean)], [[], true], 'and none when they are gone');
  });
}

const UNICAST = route(0, 'unicast', 5);
const BLACKHOLE = route(0, 'blackhole', 5);

// [what, what a reading told, news, whether they come late, whether it is followed then, whether the news fit]
type NewsCase = readonly [string, readonly Route[], readonly RouteNews[], boolean, boolean, boolean];

const news: readonly NewsCase[] = [
  ['a new one', [], [{ route: UNICAST, how: 'alone' }], false, true, true],
  ['a new one where there should be none', [BLACKHOLE], [{ route: UNICAST, how: 'alone' }], false, true, false],
  ['a new one, as the reading knew', [UNICAST], [{ route: UNICAST, how: 'alone' }], true, true, true],
  ['a new one, since others are gone', [BLACKHOLE], [{ route: UNICAST, how: 'alone' }], true, true, true],
  ['gone', [UNICAST], [{ route: UNICAST, how: 'gone' }], false, false, true],
  ['gone, which was not known', [], [{ route: UNICAST, how: 'gone' }], false, false, false],
  ['gone, as the reading knew', [], [{ route: UNICAST, how: 'gone' }], true, false, true],
  ['another metric gone', [UNICAST, route(0, 'blackhole', 9)], [{ route: UNICAST, how: 'gone' }], false, false, true],
  ['put before', [UNICAST], [{ route: BLACKHOLE, how: 'before' }], false, false, true],
  ['put before, as the reading may know', [BLACKHOLE], [{ route: BLACKHOLE, how: 'before' }], true, false, false],
  ['put behind', [UNICAST], [{ route: BLACKHOLE, how: 'behind' }], false, true, true],
  ['put behind several', [UNICAST, UNICAST], [{ route: BLACKHOLE, how: 'behind' }], false, true, true],
  ['put behind, as the reading may know', [UNICAST], [{ route: UNICAST, how: 'behind' }], true, true, false],
  ['in its place', [UNICAST], [{ route: BLACKHOLE, how: 'instead' }], false, false, true],
  ['in the place of the first', [UNICAST, UNICAST], [{ route: BLACKHOLE, how: 'instead' }], false, false, true],
  ['in the place of one that is not known', [], [{ route: UNICAST, how: 'instead' }], false, true, false],
  ['in the place of another metric', [UNICAST], [{ route: route(0, 'other', 4), how: 'instead' }], false, false, false],
  ['told again', [UNICAST], [{ route: UNICAST, how: 'again' }], false, true, true],
  ['told again, which was not known', [], [{ route: UNICAST, how: 'again' }], false, false, false],
  ['two alike, one goes', [UNICAST, UNICAST], [{ route: UNICAST, how: 'gone' }], false, true, true],
  ['which of two alike goes', [UNICAST, BLACKHOLE, UNICAST], [{ route: UNICAST, how: 'gone' }], false, false, false],
];
for (const [name, routes, told, isLate, isFollowed, fits] of news) {
  test(`news: ${name}`, () => {
    const state = new RouteState();
    for (const item of routes) state.put(item);
    const fit = told.map((item) => state.apply(item, isLate));
    assert.equal([state.has(254, numberOf(UNICAST)), fit.every(Boolean)], [isFollowed, fits]);
  });
}

test.run();
