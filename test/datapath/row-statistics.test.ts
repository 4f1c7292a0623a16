import { Worker } from 'node:worker_threads';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseIpv4Prefix } from '../../src/address.ts';
import { Batch } from '../../src/datapath/batch.ts';
import { HAS_VIOLATORS } from '../../src/datapath/batch-layout.ts';
import { planInstances } from '../../src/datapath/configuration.ts';
import { Epochs } from '../../src/datapath/epochs.ts';
import type { FastPath } from '../../src/datapath/fast-path.ts';
import { Forwarding } from '../../src/datapath/forwarding.ts';
import { TRAFFIC_SHIFT } from '../../src/datapath/layout.ts';
import type { RowCountersMemory } from '../../src/datapath/row-counters.ts';
import { RowCounters } from '../../src/datapath/row-counters.ts';
import type { RowWatcher } from '../../src/datapath/table.ts';
import { DROP_UNBOUND_SOURCE, FORWARDED } from '../../src/datapath/verdict.ts';
import { readConfiguration } from '../../src/state/configuration-reader.generated.ts';
import type { BindingText } from '../helpers/engine-case.ts';
import { AFTR, BINDINGS, binding, EngineUnderTest } from '../helpers/engine-case.ts';
import { fastPathOf } from '../helpers/fast-path.ts';
import { fragments } from '../helpers/fragments.ts';
import { icmpv6, ipv4, ipv6, udp } from '../helpers/packets.ts';

/** What is counted for each binding and each gateway of an AFTR (D130). */
const test = suite('row-statistics');

const G1 = '2001:db8:a::1';
const G2 = '2001:db8:a::2';
const G3 = '2001:db8:a::3';
const MAIN = '2001:db8:b::1';
const INTERNET = '203.0.113.80';
const X = '198.51.100.10';
const SPECIAL = '198.51.100.77';
const Y = '198.51.101.20';

const counting = { ...AFTR, 'binding-counters': true };

async function engineWith(bindings: readonly BindingText[] = BINDINGS, aftr = counting): Promise<EngineUnderTest> {
  const engine = new EngineUnderTest('aftr');
  await engine.configure([aftr], bindings);
  return engine;
}

/** Packets and octets to the gateway, then from it. */
type Figures = readonly [number, number, number, number];

function bindingFigures(engine: EngineUnderTest, prefix: string): Figures | undefined {
  const { address, length } = parseIpv4Prefix(prefix) ?? { address: 0, length: 0 };
  const found = engine.forwarding.bindingCounters('br', address, length);
  return found && figures(found);
}

function figures(found: {
  readonly encapsulatedPackets: number;
  readonly encapsulatedOctets: number;
  readonly decapsulatedPackets: number;
  readonly decapsulatedOctets: number;
}): Figures {
  const { encapsulatedPackets, encapsulatedOctets, decapsulatedPackets, decapsulatedOctets } = found;
  return [encapsulatedPackets, encapsulatedOctets, decapsulatedPackets, decapsulatedOctets];
}

function gateway(engine: EngineUnderTest, remote: string) {
  return engine.forwarding.aftrSoftwires([remote])[0]?.softwires[0];
}

function gatewayFigures(engine: EngineUnderTest, remote: string): Figures | undefined {
  const counters = gateway(engine, remote)?.counters;
  return counters && figures(counters);
}

const down = (dst: string, octets = 8): string => ipv4({ src: INTERNET, dst, payload: udp(octets) });
const up = (gw: string, src: string, dst = INTERNET, octets = 8): string =>
  ipv6({ src: gw, dst: MAIN, payload: ipv4({ src, dst, payload: udp(octets) }) });
const octetsOf = (packet: string): number => packet.length / 2;
const D = octetsOf(down(X));
const U = octetsOf(up(G1, X));

test('both directions are counted for the binding of the longest match, as received', async () => {
  const engine = await engineWith();
  engine.run([down(X), down(X, 100), down(SPECIAL), up(G1, X), up(G2, SPECIAL), up(G2, SPECIAL)]);
  assert.equal(bindingFigures(engine, '198.51.100.0/24'), [2, D + octetsOf(down(X, 100)), 1, U]);
  assert.equal(bindingFigures(engine, '198.51.100.77/32'), [1, D, 2, 2 * U]);
  assert.equal(bindingFigures(engine, '198.51.101.0/24'), [0, 0, 0, 0]);
  assert.is(bindingFigures(engine, '198.51.101.0/25'), undefined);
});

test('a gateway has the sums over its bindings, and how many they are', async () => {
  const engine = await engineWith();
  engine.run([down(SPECIAL), down(Y), up(G2, Y), up(G1, X)]);
  assert.equal(gatewayFigures(engine, G2), [2, 2 * D, 1, U]);
  assert.equal(gatewayFigures(engine, G1), [0, 0, 1, U]);
  assert.is(gateway(engine, G2)?.bindings, 2);
  const all = engine.forwarding.aftrSoftwires()[0]?.softwires ?? [];
  assert.equal(all.map(({ remote }) => remote).sort(), [G1, G2, G3]);
  assert.is(gateway(engine, '2001:db8:a::9'), undefined);
});

test('a packet from gateway to gateway counts for both, as it was received', async () => {
  const engine = await engineWith();
  engine.run([up(G1, X, Y)]);
  assert.equal(bindingFigures(engine, '198.51.100.0/24'), [0, 0, 1, U]);
  assert.equal(bindingFigures(engine, '198.51.101.0/24'), [1, U, 0, 0]);
});

test('an ICMPv6 error that is passed on counts for no binding, also where its octets look like an address of one', async () => {
  // 2001:db8 is 32.1.13.184.
  const engine = await engineWith([...BINDINGS, ['32.1.0.0/16', G3]]);
  const sent = ipv6({ src: MAIN, dst: G1, payload: ipv4({ src: Y, dst: X }) });
  const rest = `00000000${sent}`;
  engine.run([ipv6({ src: G1, dst: MAIN, nextHeader: 58, payload: icmpv6(G1, MAIN, 1, 0, rest) })]);
  assert.is(engine.counters()[0]?.ipv6.hairpinned.packets, 1);
  assert.equal(
    [G1, G2, G3].map((gw) => gatewayFigures(engine, gw)),
    Array.from({ length: 3 }, () => [0, 0, 0, 0]),
  );
});

test('a drop is counted for no binding', async () => {
  const engine = await engineWith();
  engine.run([up(G2, X), up(G1, X, X), down('198.51.102.200'), ipv4({ src: INTERNET, dst: X, ttl: 0 })]);
  assert.equal(bindingFigures(engine, '198.51.100.0/24'), [0, 0, 0, 0]);
});

test('a tunnel packet that came in fragments counts with all of them', async () => {
  const engine = await engineWith();
  const pieces = fragments(ipv4({ src: X, dst: INTERNET, payload: udp(100) }), 64, { src: G1, dst: MAIN });
  for (const piece of pieces) engine.run([piece]);
  const octets = pieces.reduce((sum, piece) => sum + octetsOf(piece), 0);
  assert.equal(bindingFigures(engine, '198.51.100.0/24'), [0, 0, pieces.length, octets]);
});

test('sums of gateways are those of the instance', async () => {
  const engine = await engineWith();
  engine.run([down(X), down(Y), down(SPECIAL), up(G1, X), up(G1, X, Y), up(G2, Y), up(G2, X)]);
  const [instance] = engine.counters();
  const all = engine.forwarding.aftrSoftwires()[0]?.softwires ?? [];
  const sum = (name: 'encapsulatedOctets' | 'decapsulatedOctets') =>
    all.reduce((total, { counters }) => total + (counters?.[name] ?? 0), 0);
  assert.is(
    sum('encapsulatedOctets'),
    (instance?.ipv4.forwarded.octets ?? 0) + (instance?.ipv6.hairpinned.octets ?? 0),
  );
  assert.is(
    sum('decapsulatedOctets'),
    (instance?.ipv6.forwarded.octets ?? 0) + (instance?.ipv6.hairpinned.octets ?? 0),
  );
});

test('a port set counts for its gateway', async () => {
  const shared = {
    'ipv4-address': '198.51.103.1',
    'psid-offset': 6,
    'psid-length': 8,
    'port-set': [{ psid: 0x34, 'b4-ipv6-address': G3 }],
  };
  const engine = await engineWith(BINDINGS, { ...counting, 'binding-table': { 'shared-address': [shared] } } as never);
  const packet = ipv4({ src: INTERNET, dst: '198.51.103.1', payload: udp(8, 1000, 1232) });
  engine.run([packet]);
  assert.is(gateway(engine, G3)?.bindings, 2);
  assert.equal(gatewayFigures(engine, G3), [1, octetsOf(packet), 0, 0]);
});

test('what is refused from a gateway is counted for it, with the last inner source; not from addresses that are none', async () => {
  const engine = await engineWith();
  const packets = [up(G2, X), up(G2, '198.51.103.9'), up('2001:db8:a::9', X)];
  const before = Date.now();
  engine.run(packets, performance.now());
  const found = gateway(engine, G2)?.counters;
  assert.equal(found?.violations, { packets: 2, octets: 2 * U });
  assert.is(found?.lastViolation?.ipv4Source, '198.51.103.9');
  assert.ok(Math.abs((found?.lastViolation?.timeMs ?? 0) - before) < 1_000);
  assert.is(gateway(engine, '2001:db8:a::9'), undefined);
  assert.is(gateway(engine, G1)?.counters?.lastViolation, undefined);
});

test('what is refused and came in fragments is counted with all of them (D132)', async () => {
  const engine = await engineWith();
  const pieces = fragments(ipv4({ src: X, dst: INTERNET, payload: udp(100) }), 48, { src: G2 });
  engine.run(pieces);
  const octets = pieces.join('').length / 2;
  assert.equal(gateway(engine, G2)?.counters?.violations, { packets: pieces.length, octets });
});

for (const workers of [1, 2]) {
  test(`junk that is dropped without the slow path is counted as well, by one worker of ${workers}`, async () => {
    const engine = new EngineUnderTest('aftr', 10_000, 64, workers);
    await engine.configure([counting], BINDINGS);
    for (let i = 0; i < 20; i++) engine.run(new Array<string>(60).fill(up(G2, X)), 0);
    assert.equal(gateway(engine, G2)?.counters?.violations, { packets: 1_200, octets: 1_200 * U });
  });
}

test('the last violation of a batch is the last one, also where junk before it is dropped without the slow path', async () => {
  const engine = await engineWith();
  const flood = new Array<string>(60).fill(up(G2, X));
  const nowMs = performance.now();
  for (let i = 0; i < 20; i++) engine.run(flood, nowMs);
  // A fragment that is a whole packet is for the slow path.
  const inner = ipv4({ src: '198.51.103.9', dst: INTERNET, payload: udp(8) });
  const whole = ipv6({ src: G2, dst: MAIN, nextHeader: 44, payload: `0400000000000001${inner}` });
  engine.run([...flood, whole], nowMs);
  const found = gateway(engine, G2)?.counters;
  assert.is(found?.violations.packets, 21 * 60 + 1);
  assert.is(found?.lastViolation?.ipv4Source, '198.51.103.9');
});

for (const workers of [1, 2]) {
  test(`whose violation a packet of an earlier batch was says nothing of the next one, in one worker of ${workers}`, async () => {
    const engine = new EngineUnderTest('aftr', 10_000, 64, workers);
    await engine.configure([counting], BINDINGS);
    const strange = up('2001:db8:a::9', X);
    engine.run([up(G2, X), up(G2, X)], performance.now());
    engine.run([strange, up(G2, X)], performance.now());
    assert.equal(gateway(engine, G2)?.counters?.violations, { packets: 3, octets: 3 * U });
  });
}

test('of a flood from gateways of which some share a chain, each packet is counted for its gateway', async () => {
  // Of so many some 16 pairs share one of 2^20 chains.
  const remotes = Array.from({ length: 6_000 }, (_, i) => `2001:db8:c::${(i + 1).toString(16)}`);
  const addressOf = (i: number) => `198.51.${i >> 8}.${i & 255}`;
  const bindings = remotes.map((remote, i): BindingText => [`${addressOf(i)}/32`, remote]);
  const engine = await engineWith(bindings);
  // Time 0 would say that there is none.
  const nowMs = performance.now() + 1_000;
  for (let i = 0; i < 5; i++) engine.run(new Array<string>(60).fill(up(G1, INTERNET)), nowMs);
  for (let from = 0; from < remotes.length; from += 60) {
    const packets = remotes.slice(from, from + 60).map((remote, i) => up(remote, addressOf(from + i + 1)));
    engine.run(packets, nowMs);
    engine.run([...packets, up('2001:db8:d::1', X)], nowMs);
  }
  const [{ softwires = [] } = {}] = engine.forwarding.aftrSoftwires();
  assert.is(softwires.length, remotes.length);
  for (const { remote, counters } of softwires) {
    const i = remotes.indexOf(remote);
    const told = [counters?.violations, counters?.lastViolation?.ipv4Source];
    assert.equal(told, [{ packets: 2, octets: 2 * U }, addressOf(i + 1)], remote);
  }
});

test('changes of other bindings leave the figures alone; a row that is used again begins at zero', async () => {
  const engine = await engineWith();
  engine.run([down(X), down(Y)]);
  for (let round = 0; round < 40; round++) {
    await engine.configure([counting], [...BINDINGS, [`198.51.103.${round}/32`, G3]]);
    assert.equal(bindingFigures(engine, `198.51.103.${round}/32`), [0, 0, 0, 0], `round ${round}`);
    engine.run([down(`198.51.103.${round}`)]);
    assert.equal(bindingFigures(engine, `198.51.103.${round}/32`), [1, D, 0, 0]);
  }
  assert.equal(bindingFigures(engine, '198.51.100.0/24'), [1, D, 0, 0]);
  assert.equal(bindingFigures(engine, '198.51.101.0/24'), [1, D, 0, 0]);
});

test('a binding goes on when its AFTR address changes, and begins anew with another gateway', async () => {
  const engine = await engineWith();
  engine.run([down(X), down(Y)]);
  await engine.configure(
    [counting],
    [
      ['198.51.100.0/24', G1, '2001:db8:b::2'],
      ['198.51.101.0/24', G3],
    ],
  );
  assert.equal(bindingFigures(engine, '198.51.100.0/24'), [1, D, 0, 0]);
  assert.equal(bindingFigures(engine, '198.51.101.0/24'), [0, 0, 0, 0]);
  assert.is(gateway(engine, G2), undefined);
  assert.equal(gatewayFigures(engine, G3), [0, 0, 0, 0]);
});

test('a binding has counted since it began, also when its AFTR address changes', async () => {
  const engine = await engineWith();
  const sinceOf = (prefix: string): number => {
    const { address, length } = parseIpv4Prefix(prefix) ?? { address: 0, length: 0 };
    return engine.forwarding.bindingCounters('br', address, length)?.sinceMs ?? 0;
  };
  const since = sinceOf('198.51.100.0/24');
  // Until a binding that begins now has another time.
  for (let host = 0, newest = since; newest === since; host = (host + 1) % 256) {
    await engine.configure([counting], [...BINDINGS, [`198.51.103.${host}/32`, G3]]);
    newest = sinceOf(`198.51.103.${host}/32`);
  }
  await engine.configure([counting], [['198.51.100.0/24', G1, '2001:db8:b::2']]);
  assert.is(sinceOf('198.51.100.0/24'), since);
});

test('what a worker adds while the row of a binding is replaced counts once for its gateway', async () => {
  const engine = await engineWith();
  engine.run([down(X), down(X)]);
  const { table, memory } = engine.forwarding;
  const low = memory.engine.statistics?.counters.low ?? new Int32Array(0);
  const watcher = table.watcher as RowWatcher;
  table.watcher = {
    written: (row) => watcher.written(row),
    replaced: (from, to) => {
      // A worker has read the count before, and writes it one higher after.
      const read = low[from << TRAFFIC_SHIFT] ?? 0;
      watcher.replaced(from, to);
      low[from << TRAFFIC_SHIFT] = read + 1;
    },
    retired: (row) => watcher.retired(row),
    passed: (row) => watcher.passed(row),
  };
  await engine.configure([counting], [['198.51.100.0/24', G1, '2001:db8:b::2']]);
  assert.is(bindingFigures(engine, '198.51.100.0/24')?.[0], 3);
  assert.equal(gatewayFigures(engine, G1), [3, 2 * D, 0, 0]);
});

/** Changes what these packets have been looked up in before they are counted; workers are not held. */
function runBeside(engine: EngineUnderTest, packets: readonly string[], change: () => void): void {
  const octets = packets.map((packet) => Buffer.from(packet, 'hex'));
  engine.processBeside(octets, performance.now(), change);
}

function put(engine: EngineUnderTest, text: BindingText): void {
  const row = engine.forwarding.rows.wantedBinding('br', binding(text));
  if (row) engine.forwarding.rows.put(row);
}

function remove(engine: EngineUnderTest, prefix: string): void {
  const parsed = parseIpv4Prefix(prefix);
  if (parsed) engine.forwarding.table.remove(parsed.address, parsed.length);
}

const [MOVED, MOVED_AGAIN] = [
  ['198.51.100.0/24', G1, '2001:db8:b::2'],
  ['198.51.100.0/24', G1],
] as const;

for (const workers of [1, 2]) {
  const engineOf = async () => {
    const engine = new EngineUnderTest('aftr', 10_000, 64, workers);
    await engine.configure([counting], BINDINGS);
    return engine;
  };

  test(`what one of ${workers} counts for a row that was replaced goes to its binding and its gateway`, async () => {
    const engine = await engineOf();
    engine.run([down(X)]);
    runBeside(engine, [down(X), down(X), up(G1, X)], () => {
      put(engine, MOVED);
      assert.equal(gatewayFigures(engine, G1), [1, D, 0, 0]);
    });
    assert.equal(bindingFigures(engine, '198.51.100.0/24'), [3, 3 * D, 1, U]);
    assert.equal(gatewayFigures(engine, G1), [3, 3 * D, 1, U]);
    engine.run([down(X)]);
    put(engine, MOVED_AGAIN);
    assert.equal(bindingFigures(engine, '198.51.100.0/24'), [4, 4 * D, 1, U]);
    assert.equal(gatewayFigures(engine, G1), [4, 4 * D, 1, U]);
  });

  test(`what one of ${workers} counts before changes that were prepared together are seen goes to each binding`, async () => {
    const engine = await engineOf();
    const { forwarding } = engine;
    const second: BindingText = ['198.51.101.0/24', G2, '2001:db8:b::2'];
    engine.run([down(X), down(Y)]);
    const hold = forwarding.hold.bind(forwarding);
    forwarding.hold = (body) => {
      engine.run([down(X), down(X), down(Y)]);
      hold(body);
    };
    const wanted = [MOVED, second].flatMap((text) => forwarding.rows.wantedBinding('br', binding(text)) ?? []);
    forwarding.rows.showTogether(wanted.map((row) => forwarding.rows.preparePut(row)));
    engine.run([down(Y)]);
    assert.equal(bindingFigures(engine, '198.51.100.0/24'), [3, 3 * D, 0, 0]);
    assert.equal(bindingFigures(engine, '198.51.101.0/24'), [3, 3 * D, 0, 0]);
    assert.equal(
      [gatewayFigures(engine, G1), gatewayFigures(engine, G2)],
      [
        [3, 3 * D, 0, 0],
        [3, 3 * D, 0, 0],
      ],
    );
  });

  test(`what one of ${workers} counted for a row that was replaced is cleared with the rest`, async () => {
    const engine = await engineOf();
    runBeside(engine, [down(X), up(G1, X)], () => put(engine, MOVED));
    assert.equal(bindingFigures(engine, '198.51.100.0/24'), [1, D, 1, U]);
    assert.ok(engine.forwarding.clearStatistics('br'));
    assert.equal(bindingFigures(engine, '198.51.100.0/24'), [0, 0, 0, 0]);
    assert.equal(gatewayFigures(engine, G1), [0, 0, 0, 0]);
  });

  test(`what one of ${workers} counts for a row whose binding has another gateway since goes to the one it had`, async () => {
    const engine = await engineOf();
    put(engine, ['198.51.103.0/24', G1]);
    runBeside(engine, [down(X), up(G1, X)], () => put(engine, ['198.51.100.0/24', G3]));
    assert.equal(gatewayFigures(engine, G1), [1, D, 1, U]);
    assert.equal(gatewayFigures(engine, G3), [0, 0, 0, 0]);
    assert.equal(bindingFigures(engine, '198.51.100.0/24'), [0, 0, 0, 0]);
  });

  test(`what one of ${workers} counts for a row that was replaced twice in its batch goes to its binding`, async () => {
    const engine = await engineOf();
    runBeside(engine, [down(X), down(X)], () => {
      put(engine, MOVED);
      put(engine, MOVED_AGAIN);
    });
    assert.equal(bindingFigures(engine, '198.51.100.0/24'), [2, 2 * D, 0, 0]);
    assert.equal(gatewayFigures(engine, G1), [2, 2 * D, 0, 0]);
  });

  test(`what one of ${workers} counts for a row that was replaced and then removed goes to its gateway`, async () => {
    const engine = await engineOf();
    put(engine, ['198.51.103.0/24', G1]);
    runBeside(engine, [down(X), down(X)], () => {
      put(engine, MOVED);
      remove(engine, '198.51.100.0/24');
    });
    assert.equal(gatewayFigures(engine, G1), [2, 2 * D, 0, 0]);
    assert.is(gateway(engine, G1)?.bindings, 1);
  });

  test(`what one of ${workers} counts for a row that was removed goes to its gateway, refusals too`, async () => {
    const engine = await engineOf();
    const flood = new Array<string>(60).fill(up(G2, X));
    for (let i = 0; i < 5; i++) engine.run(flood, performance.now());
    const since = gateway(engine, G2)?.counters?.sinceMs;
    runBeside(engine, [down(SPECIAL), down(Y), up(G2, SPECIAL), ...flood], () => {
      remove(engine, '198.51.101.0/24');
      remove(engine, '198.51.100.77/32');
      put(engine, ['198.51.103.0/24', G3]);
    });
    // Without a binding the gateway has no figures.
    assert.is(gateway(engine, G2), undefined);
    put(engine, ['198.51.101.0/24', G2]);
    assert.equal(gatewayFigures(engine, G2), [0, 0, 0, 0]);
    put(engine, ['198.51.100.77/32', G2]);
    for (let i = 0; i < 5; i++) engine.run(flood, performance.now());
    runBeside(engine, [down(SPECIAL), down(Y), up(G2, SPECIAL), ...flood], () => remove(engine, '198.51.101.0/24'));
    assert.equal(gatewayFigures(engine, G2), [2, 2 * D, 1, U]);
    assert.equal(gateway(engine, G2)?.counters?.violations, { packets: 360, octets: 360 * U });
    assert.ok((gateway(engine, G2)?.counters?.sinceMs ?? 0) >= (since ?? 0));
  });

  test(`what one of ${workers} counts for a row is with its gateway before that row is used again`, async () => {
    const engine = await engineOf();
    runBeside(engine, [down(Y)], () => remove(engine, '198.51.101.0/24'));
    // So many that the first rows are taken again.
    for (let i = 0; i < 3_000; i++) {
      put(engine, ['198.51.103.9/32', G3]);
      remove(engine, '198.51.103.9/32');
    }
    assert.equal(gatewayFigures(engine, G2), [1, D, 0, 0]);
  });
}

test('what a worker counts for a row of an AFTR that goes is not of the next one with its number', async () => {
  const engine = await engineWith();
  const only = (name: string) => {
    const configuration = readConfiguration({ 'gi-4over6:softwire': { aftr: [{ ...counting, name }] } });
    engine.forwarding.setInstances(planInstances('aftr', configuration));
  };
  const left = engine.forwarding.table.find(parseIpv4Prefix('198.51.100.0/24')?.address ?? 0, 24);
  runBeside(engine, [], () => {
    only('b1');
    for (const [prefix] of BINDINGS) remove(engine, prefix);
    engine.forwarding.releaseNumbers();
    // As by a worker that has seen before that the rows of the AFTR are counted.
    engine.forwarding.memory.engine.statistics?.counters.low.set([1, D], left << TRAFFIC_SHIFT);
  });
  only('b2');
  const row = engine.forwarding.rows.wantedBinding('b2', binding(['198.51.100.0/24', G1]));
  if (row) engine.forwarding.rows.put(row);
  engine.run([down(X)]);
  const [{ name, softwires } = { name: '', softwires: [] }] = engine.forwarding.aftrSoftwires([G1]);
  assert.is(name, 'b2');
  assert.equal(softwires[0]?.counters && figures(softwires[0].counters), [1, D, 0, 0]);
});

test('what was cleared while a row was leaving does not come back', async () => {
  const engine = await engineWith();
  engine.run([down(Y), up(G2, X)]);
  const worker = new Epochs(1, engine.forwarding.memory.epochs);
  worker.enter(0);
  remove(engine, '198.51.101.0/24');
  engine.forwarding.clearStatistics('br');
  worker.leave(0);
  assert.equal(gatewayFigures(engine, G2), [0, 0, 0, 0]);
  assert.equal(gateway(engine, G2)?.counters?.violations, { packets: 0, octets: 0 });
});

test('a count above 2^31 goes on when the AFTR address of the binding changes', async () => {
  const engine = await engineWith();
  engine.run([down(X)]);
  const { table, memory } = engine.forwarding;
  const cell = table.find(parseIpv4Prefix('198.51.100.0/24')?.address ?? 0, 24) << TRAFFIC_SHIFT;
  const { low, high } = memory.engine.statistics?.counters ?? {};
  for (const half of [low, high]) half?.set([5], cell + 1);
  await engine.configure([counting], [['198.51.100.0/24', G1, '2001:db8:b::2']]);
  assert.equal(bindingFigures(engine, '198.51.100.0/24'), [1, 5 * 2 ** 31 + 5, 0, 0]);
});

test('the sums of a gateway do not fall when it loses a binding; they are gone with the last one', async () => {
  const engine = await engineWith();
  engine.run([down(SPECIAL), down(Y), up(G2, X)]);
  const since = gateway(engine, G2)?.counters?.sinceMs;
  await engine.configure([counting], [['198.51.101.0/24', G2]]);
  assert.equal(gatewayFigures(engine, G2), [2, 2 * D, 0, 0]);
  assert.equal(gateway(engine, G2)?.counters?.violations, { packets: 1, octets: U });
  assert.is(gateway(engine, G2)?.counters?.sinceMs, since);
  assert.equal(bindingFigures(engine, '198.51.101.0/24'), [1, D, 0, 0]);
  await engine.configure([counting], [['198.51.100.0/24', G1]]);
  assert.is(gateway(engine, G2), undefined);
  await engine.configure([counting], [['198.51.101.0/24', G2]]);
  assert.equal(gatewayFigures(engine, G2), [0, 0, 0, 0]);
});

const OF_G2 = ['198.51.100.77/32', '198.51.101.0/24', '198.51.103.0/24'] as const;
for (const first of OF_G2) {
  for (const second of OF_G2.filter((prefix) => prefix !== first)) {
    test(`a gateway that loses ${first}, then ${second}, keeps what was counted and refused`, async () => {
      const engine = await engineWith(OF_G2.map((prefix) => [prefix, G2] as const));
      engine.run([down(SPECIAL), down(Y), down('198.51.103.1'), up(G2, X)], performance.now());
      for (const prefix of [first, second]) {
        remove(engine, prefix);
        assert.equal(gatewayFigures(engine, G2), [3, 3 * D, 0, 0]);
        assert.equal(gateway(engine, G2)?.counters?.violations, { packets: 1, octets: U });
      }
    });
  }
}

test('a gateway that is left with a binding of later has counted since the first one began', async () => {
  const engine = await engineWith();
  const since = gateway(engine, G2)?.counters?.sinceMs ?? 0;
  const { address, length } = parseIpv4Prefix('198.51.103.0/24') ?? { address: 0, length: 0 };
  for (let begun = since; begun === since; ) {
    remove(engine, '198.51.103.0/24');
    put(engine, ['198.51.103.0/24', G2]);
    begun = engine.forwarding.bindingCounters('br', address, length)?.sinceMs ?? 0;
  }
  for (const prefix of ['198.51.100.77/32', '198.51.101.0/24']) remove(engine, prefix);
  assert.is(gateway(engine, G2)?.bindings, 1);
  assert.is(gateway(engine, G2)?.counters?.sinceMs, since);
});

test('clear-statistics begins all figures of the AFTR anew', async () => {
  const engine = await engineWith();
  engine.run([down(SPECIAL), down(Y), up(G2, X)]);
  await engine.configure([counting], BINDINGS.slice(0, 3));
  const before = gateway(engine, G2)?.counters?.sinceMs ?? 0;
  await new Promise((resolve) => setTimeout(resolve, 250));
  assert.ok(engine.forwarding.clearStatistics('br'));
  assert.equal(gatewayFigures(engine, G2), [0, 0, 0, 0]);
  assert.equal(gateway(engine, G2)?.counters?.violations, { packets: 0, octets: 0 });
  assert.is(gateway(engine, G2)?.counters?.lastViolation, undefined);
  assert.equal(bindingFigures(engine, '198.51.101.0/24'), [0, 0, 0, 0]);
  const { sinceMs = 0 } = gateway(engine, G2)?.counters ?? {};
  assert.ok(sinceMs >= before + 200, `${before} to ${sinceMs}`);
});

test('violations that a gateway keeps from a binding it lost add up with newer ones, and are cleared with them', async () => {
  const engine = await engineWith();
  engine.run([up(G2, X)], performance.now());
  await engine.configure([counting], [['198.51.101.0/24', G2]]);
  const counters = () => gateway(engine, G2)?.counters;
  assert.equal(counters()?.violations, { packets: 1, octets: U });
  assert.is(counters()?.lastViolation?.ipv4Source, X);
  engine.run([up(G2, SPECIAL)], performance.now() + 200);
  assert.equal(counters()?.violations, { packets: 2, octets: 2 * U });
  assert.is(counters()?.lastViolation?.ipv4Source, SPECIAL);
  assert.ok(engine.forwarding.clearStatistics('br'));
  assert.equal(counters()?.violations, { packets: 0, octets: 0 });
  assert.is(counters()?.lastViolation, undefined);
});

test('nothing is counted while it is off, and what was counted before does not come back', async () => {
  const engine = await engineWith();
  engine.run([down(X)]);
  await engine.configure([{ ...AFTR, 'binding-counters': false }], BINDINGS);
  engine.run([down(X), up(G2, X)]);
  assert.equal(gateway(engine, G1), { remote: G1, bindings: 1 });
  await engine.configure([counting], BINDINGS);
  assert.equal(bindingFigures(engine, '198.51.100.0/24'), [0, 0, 0, 0]);
  assert.equal(gateway(engine, G2)?.counters?.violations, { packets: 0, octets: 0 });
});

test('two AFTRs have figures of their own, also where one does not count', async () => {
  const engine = new EngineUnderTest('aftr');
  const second = { ...AFTR, name: 'b2', 'ipv6-address': '2001:db8:b::9', 'additional-ipv6-address': [] };
  const aftrs = [
    { ...counting, 'ipv4-pool': ['198.51.100.0/24'] },
    { ...second, 'ipv4-address': '203.0.113.2', 'ipv4-pool': ['198.51.101.0/24'], 'binding-counters': false },
  ];
  await engine.configureAll(aftrs, [
    { instance: 'br', text: ['198.51.100.0/24', G1] },
    { instance: 'b2', text: ['198.51.101.0/24', G3] },
  ]);
  engine.run([down(X), down(Y), up(G1, X, Y)]);
  const [br, b2] = engine.forwarding.aftrSoftwires();
  assert.equal(b2?.softwires, [{ remote: G3, bindings: 1 }]);
  assert.equal(
    br?.softwires.map(({ bindings, counters }) => [bindings, counters && figures(counters)]),
    [[1, [1, D, 1, U]]],
  );
  engine.run([ipv6({ src: G3, dst: '2001:db8:b::9', payload: ipv4({ src: Y, dst: X, payload: udp(8) }) })]);
  assert.equal(gatewayFigures(engine, G1), [2, D + U, 1, U]);
});

test('a flood is counted for gateways of the AFTR that it came to', async () => {
  const engine = new EngineUnderTest('aftr');
  const second = { ...counting, name: 'b2', 'ipv6-address': '2001:db8:b::9', 'additional-ipv6-address': [] };
  const aftrs = [
    { ...counting, 'ipv4-pool': ['198.51.100.0/24'] },
    { ...second, 'ipv4-address': '203.0.113.2', 'ipv4-pool': ['198.51.101.0/24'] },
  ];
  await engine.configureAll(aftrs, [
    { instance: 'br', text: ['198.51.100.0/24', G1] },
    { instance: 'b2', text: ['198.51.101.0/24', G1] },
  ]);
  const good = ipv6({ src: G1, dst: '2001:db8:b::9', payload: ipv4({ src: '198.51.101.1', dst: INTERNET }) });
  const forged = ipv6({ src: G1, dst: '2001:db8:b::9', payload: ipv4({ src: '198.51.103.1', dst: INTERNET }) });
  assert.is(engine.run([good]).length, 1);
  const inAnHour = performance.now() + 3_600_000;
  for (let i = 0; i < 20; i++) engine.run(new Array<string>(60).fill(forged), inAnHour);
  const counted = engine.forwarding.aftrSoftwires().map(({ softwires }) => softwires[0]?.counters);
  assert.equal(
    counted.map((counters) => counters?.violations.packets),
    [0, 1_200],
  );
  assert.is(counted[0]?.lastViolation, undefined);
  const { timeMs = 0 } = counted[1]?.lastViolation ?? {};
  assert.ok(Math.abs(timeMs - performance.timeOrigin - inAnHour) < 1_000, `${timeMs}`);
});

test('trace counts nothing', async () => {
  const engine = await engineWith();
  engine.forwarding.trace(Buffer.from(up(G2, X), 'hex'));
  engine.forwarding.trace(Buffer.from(down(X), 'hex'));
  assert.equal(gateway(engine, G2)?.counters?.violations, { packets: 0, octets: 0 });
  assert.equal(bindingFigures(engine, '198.51.100.0/24'), [0, 0, 0, 0]);
});

/** Counting alone, of so many workers, of which this is the first one: instance 0 is counted. */
interface Counting {
  readonly forwarding: Forwarding;
  readonly memory: RowCountersMemory;
  readonly counters: RowCounters;
  readonly fastPath: FastPath;
}

function countingOf(workers: number): Counting {
  const forwarding = new Forwarding('aftr', workers, 10, 'small');
  const memory = forwarding.memory.engine.statistics?.counters;
  if (!memory) throw new Error('an AFTR has statistics');
  const counters = new RowCounters(memory);
  counters.setCounting([0]);
  return { forwarding, memory, counters, fastPath: fastPathOf(forwarding) };
}

/** A batch of packets that were forwarded to the gateway of a row. */
function forwarded({ forwarding }: Counting, row: number, packets: number, octets: number): Batch {
  const batch = new Batch(packets, 128, 0, forwarding.allocate);
  batch.count = packets;
  batch.sides.fill(4);
  batch.verdicts.fill(FORWARDED);
  batch.rows.fill(row);
  batch.lengths.fill(octets);
  return batch;
}

for (const workers of [1, 2]) {
  test(`octets carry over 2^31 and 2^32, counted by one of ${workers}`, () => {
    const counting = countingOf(workers);
    const { counters, fastPath } = counting;
    const batch = forwarded(counting, 7, 64, 65_535);
    for (let i = 1; i <= 2_100; i++) {
      fastPath.count(batch);
      assert.is(counters.traffic(7).encapsulatedOctets, i * 64 * 65_535);
    }
    fastPath.addTraffic(7, 'to', 3, 2 ** 31 - 1);
    assert.is(counters.traffic(7).encapsulatedOctets, 2_100 * 64 * 65_535 + 2 ** 31 - 1);
    assert.is(counters.traffic(7).encapsulatedPackets, 2_100 * 64 + 3);
    assert.is(counters.traffic(6).encapsulatedPackets, 0);
  });

  test(`octets of refused packets carry over 2^31 and 2^32, counted by one of ${workers}`, () => {
    const counting = countingOf(workers);
    const { counters, fastPath } = counting;
    const batch = forwarded(counting, 0, 64, 65_535);
    batch.verdicts.fill(DROP_UNBOUND_SOURCE);
    batch.violators.fill(7);
    batch.entries[HAS_VIOLATORS >> 2] = 1;
    for (let i = 1; i <= 2_100; i++) {
      fastPath.count(batch);
      assert.is(counters.refusals(7).octets, i * 64 * 65_535);
    }
    assert.is(counters.refusals(7).packets, 2_100 * 64);
    assert.is(counters.refusals(6).packets, 0);
  });

  test(`packets count beyond 2^31, counted by one of ${workers}`, () => {
    const counting = countingOf(workers);
    const { counters, fastPath, memory } = counting;
    memory.low[4 * 7] = 0x7fff_fff0;
    fastPath.count(forwarded(counting, 7, 64, 64));
    assert.is(counters.traffic(7).encapsulatedPackets, 0x7fff_fff0 + 64);
    assert.is(counters.traffic(7).encapsulatedOctets, 64 * 64);
  });
}

/** Two workers that count batches of 64 packets of 65,535 octets for `rows` rows, one after the other. */
async function countInWorkers(
  { forwarding: { memory } }: Counting,
  rows: number,
  rounds: number,
  meanwhile: () => void,
) {
  const source = `
    const { workerData, parentPort } = require('node:worker_threads');
    const { memory, worker, rows, rounds, modules } = workerData;
    Promise.all(modules.map((module) => import(module))).then(([{ FastPath }, { Batch }, { allocateIn }]) => {
      const fastPath = new FastPath(memory.engine, worker, {});
      const batch = new Batch(64, 128, 0, allocateIn(memory.rooms[worker]));
      batch.count = 64;
      batch.sides.fill(4);
      batch.lengths.fill(65535);
      for (let row = 1; row <= rows; row++) {
        batch.rows.fill(row);
        for (let i = 0; i < rounds; i++) fastPath.count(batch);
      }
      parentPort.postMessage('done');
    });`;
  const modules = ['fast-path', 'batch', 'arena'].map(
    (name) => new URL(`../../src/datapath/${name}.js`, import.meta.url).href,
  );
  const threads = [0, 1].map(
    (worker) => new Worker(source, { eval: true, workerData: { memory, worker, rows, rounds, modules } }),
  );
  let running = threads.length;
  for (const thread of threads) thread.once('exit', () => running--);
  while (running > 0) {
    meanwhile();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const OCTETS_OF_BATCH = 64 * 65_535;

test('the sum of several workers is exact over many carries', async () => {
  const counting = countingOf(2);
  await countInWorkers(counting, 1, 3_000, () => undefined);
  assert.ok(6_000 * OCTETS_OF_BATCH > 2 ** 34);
  assert.is(counting.counters.traffic(1).encapsulatedOctets, 6_000 * OCTETS_OF_BATCH);
  assert.is(counting.counters.traffic(1).encapsulatedPackets, 6_000 * 64);
});

test('no reading falls when a row of several workers carries', async () => {
  const rows = 400;
  const counting = countingOf(2);
  const { counters, memory } = counting;
  const first = 2 ** 31 - 10 * OCTETS_OF_BATCH;
  for (let row = 1; row <= rows; row++) memory.low[4 * row + 1] = first;
  const last = new Float64Array(rows + 1).fill(first);
  await countInWorkers(counting, rows, 20, () => {
    for (let row = 1; row <= rows; row++) {
      const now = counters.traffic(row).encapsulatedOctets;
      assert.ok(now >= (last[row] ?? 0), `row ${row}: ${last[row]}, then ${now}`);
      last[row] = now;
    }
  });
  for (let row = 1; row <= rows; row++) {
    assert.is(counters.traffic(row).encapsulatedOctets, first + 40 * OCTETS_OF_BATCH);
  }
});

test('a worker that is held up between setting the sign and carrying takes no half with it', () => {
  const counting = countingOf(2);
  const { counters, fastPath, memory } = counting;
  // As another worker leaves it that passed 2^31 and has not carried.
  memory.low[4 * 7 + 1] = -OCTETS_OF_BATCH / 2;
  fastPath.count(forwarded(counting, 7, 64, 65_535));
  // It goes on.
  Atomics.add(memory.high, 4 * 7 + 1, 1);
  assert.is(counters.traffic(7).encapsulatedOctets, 2 ** 32 + OCTETS_OF_BATCH / 2);
});

test.run();
