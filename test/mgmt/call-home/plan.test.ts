import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { CallHomeClient, Periodic } from '../../../src/mgmt/call-home/plan.ts';
import { attempts, backOffMs, clientsOf, untilCallMs } from '../../../src/mgmt/call-home/plan.ts';
import { treeFromJson } from '../../../src/state/json.ts';
import { schema } from '../../helpers/state.ts';

const test = suite('call home: plan');

function read(...clients: readonly object[]): CallHomeClient[] {
  const data = { 'gi-4over6-management:management': { 'call-home': { 'netconf-client': clients } } };
  return clientsOf(treeFromJson(schema, data));
}

test('a client with nothing said has the defaults of the model and the ports of RFC 8071', () => {
  const endpoint = [
    { name: 'a', transport: 'ssh', 'remote-address': '192.0.2.1' },
    { name: 'b', transport: 'tls', 'remote-address': 'nms.example.com' },
    { name: 'c', transport: 'tls', 'remote-address': '2001:db8::1', 'remote-port': 7 },
  ];
  assert.equal(read({ name: 'nms', endpoint }), [
    {
      name: 'nms',
      endpoints: [
        { name: 'a', transport: 'ssh', address: '192.0.2.1', port: 4334 },
        { name: 'b', transport: 'tls', address: 'nms.example.com', port: 4335 },
        { name: 'c', transport: 'tls', address: '2001:db8::1', port: 7 },
      ],
      periodic: undefined,
      startWith: 'first-listed',
      maxWaitMs: 5_000,
      maxAttempts: 3,
      maxBackOffMs: 60_000,
    },
  ]);
  assert.equal(clientsOf(treeFromJson(schema, {})), []);
});

test('what is said holds', () => {
  const endpoint = [{ name: 'a', transport: 'ssh', 'remote-address': '192.0.2.1' }];
  const strategy = { 'start-with': 'random-selection', 'max-wait': 1, 'max-attempts': 7, 'max-back-off': 9 };
  const periodic = { period: 2, 'anchor-time': '2026-01-01T00:00:30+01:00', 'idle-timeout': 0 };
  const [client] = read({ name: 'nms', endpoint, periodic, 'reconnect-strategy': strategy });
  assert.equal(client?.periodic, { periodMs: 120_000, anchor: Date.UTC(2025, 11, 31, 23, 0, 30), idleMs: 0 });
  assert.is(client?.startWith, 'random-selection');
  assert.equal([client?.maxWaitMs, client?.maxAttempts, client?.maxBackOffMs], [1_000, 7, 9_000]);
  const [bare] = read({ name: 'nms', endpoint, periodic: {} });
  assert.equal(bare?.periodic, { periodMs: 3_600_000, anchor: undefined, idleMs: 180_000 });
});

const endpoints = ['a', 'b', 'c'].map((name) => ({ name, transport: 'ssh', address: name, port: 1 }) as const);
for (const [startWith, last, random, maxAttempts, expected] of [
  ['first-listed', undefined, 0, 1, 'a b c a b c a'],
  ['first-listed', 'b', 0.9, 2, 'a a b b c c a'],
  ['last-connected', undefined, 0.9, 1, 'a b c a b c a'],
  ['last-connected', 'c', 0, 3, 'c c c a a a b'],
  ['last-connected', 'gone', 0, 1, 'a b c a b c a'],
  ['random-selection', 'a', 0, 1, 'a b c a b c a'],
  ['random-selection', 'a', 0.34, 1, 'b c a b c a b'],
  ['random-selection', 'a', 0.999, 2, 'c c a a b b c'],
] as const) {
  test(`${startWith} after ${last}, random ${random}, ${maxAttempts} each: ${expected}`, () => {
    const order: string[] = [];
    for (const { name } of attempts({ endpoints, startWith, maxAttempts }, last, () => random)) {
      if (order.push(name) === 7) break;
    }
    assert.is(order.join(' '), expected);
  });
}

for (const [failures, longest, random, expected] of [
  [1, 60_000, 0, 1_000],
  [2, 60_000, 0, 2_000],
  [6, 60_000, 0, 32_000],
  [7, 60_000, 0, 60_000],
  [5_000, 60_000, 0, 60_000],
  [1, 60_000, 1, 750],
  [7, 60_000, 0.5, 52_500],
  [2, 1_000, 0, 1_000],
] as const) {
  test(`back-off after ${failures} of at most ${longest} ms, random ${random}: ${expected} ms`, () =>
    assert.is(
      backOffMs(failures, longest, () => random),
      expected,
    ));
}

const HOUR: Periodic = { periodMs: 3_600_000, anchor: undefined, idleMs: 0 };
const ANCHORED: Periodic = { ...HOUR, anchor: 10_000_000 };
for (const [what, periodic, begun, now, expected] of [
  ['no anchor: at once', HOUR, undefined, 5, 0],
  ['no anchor: a period after the begin of the last', HOUR, 1_000, 601_000, 3_000_000],
  ['no anchor: the last took longer than a period', HOUR, 1_000, 9_000_000, 0],
  ['anchor to come', ANCHORED, undefined, 9_999_000, 1_000],
  ['anchor more than a period away', ANCHORED, undefined, 1_000_000, 1_800_000],
  ['just now', ANCHORED, undefined, 10_000_000, 0],
  ['long past', ANCHORED, undefined, 10_000_001 + 3_600_000, 3_599_999],
  ['not twice at one time', ANCHORED, 10_000_000, 10_000_000, 3_600_000],
  ['one that began a little late', ANCHORED, 10_000_004, 10_500_000, 3_100_000],
] as const) {
  test(`period, ${what}`, () => assert.is(untilCallMs(periodic, begun, now), expected));
}

test.run();
