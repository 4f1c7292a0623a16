import { Worker } from 'node:worker_threads';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { planInstances } from '../../src/datapath/configuration.ts';
import type { Role } from '../../src/datapath/engine.ts';
import { Epochs } from '../../src/datapath/epochs.ts';
import { allocateShared } from '../../src/datapath/memory.ts';
import { Numbers } from '../../src/datapath/numbers.ts';
import { Softwires } from '../../src/datapath/softwires.ts';
import type { RowWatcher } from '../../src/datapath/table.ts';
import { readConfiguration } from '../../src/state/configuration-reader.generated.ts';
import {
  AFTR,
  assertPartition,
  BINDINGS,
  binding,
  EngineUnderTest,
  GATEWAY,
  packetCounts,
} from '../helpers/engine-case.ts';
import { ipv4, ipv6, ipv6Address, udp } from '../helpers/packets.ts';

const test = suite('engine-changes');

const OUTSIDE = '203.0.113.80';
const { 'ipv4-address': _, ...QUIET_AFTR } = AFTR;

/** Tunnel addresses and pools change in one moment; what the follower does next, the rows, is not yet done. */
function change(engine: EngineUnderTest, role: Role, instances: readonly object[]): void {
  const configuration = readConfiguration({ 'gi-4over6:softwire': { [role]: instances } });
  engine.forwarding.setInstances(planInstances(role, configuration));
}

test('a worker that is still in a batch may send by a tunnel address out of use: no other gets its number', () => {
  const { forwarding } = new EngineUnderTest('aftr');
  const worker = new Epochs(1, forwarding.memory.epochs);
  const numberOf = (address: string): number | undefined => {
    const aftr = { ...QUIET_AFTR, 'ipv6-address': address, 'additional-ipv6-address': [] };
    const configuration = readConfiguration({ 'gi-4over6:softwire': { aftr: [aftr] } });
    forwarding.setInstances(planInstances('aftr', configuration));
    forwarding.releaseNumbers();
    return forwarding.rows.wantedBinding('br', binding(['198.51.100.0/24', '2001:db8:a::1']))?.target.softwire;
  };
  const first = numberOf('2001:db8:b::1');
  worker.enter(0);
  const numbers = [first, numberOf('2001:db8:b::2'), numberOf('2001:db8:b::3')];
  assert.is(new Set(numbers).size, 3, numbers.join());
  worker.leave(0);
  assert.is(numberOf('2001:db8:b::4'), first);
});

test('what a worker that is still in a batch counts for an instance that is gone counts for no other one', async () => {
  const engine = new EngineUnderTest('aftr');
  await engine.configure([QUIET_AFTR], BINDINGS);
  const next = (name: string) => {
    change(engine, 'aftr', [{ ...QUIET_AFTR, name }]);
    engine.forwarding.releaseNumbers();
  };
  const junk = ipv6({
    src: '2001:db8:a::9',
    dst: '2001:db8:b::1',
    payload: ipv4({ src: '198.51.100.5', dst: OUTSIDE }),
  });
  const packets = [ipv4({ src: OUTSIDE, dst: '198.51.100.10' }), junk].map((packet) => Buffer.from(packet, 'hex'));
  engine.processBeside(packets, performance.now(), () => {
    for (const name of ['b1', 'b2']) next(name);
  });
  assert.equal(packetCounts(engine.counters()), {});
  for (const name of ['b4', 'b5', 'b6']) {
    next(name);
    assert.equal(packetCounts(engine.counters()), {}, name);
  }
});

test('numbers that a worker may still count by are waited for when no others are left', () => {
  const epochs = new Epochs(1);
  const numbers = new Numbers(1, 2, epochs);
  assert.equal([numbers.assign('a'), numbers.assign('b')], [1, 2]);
  epochs.enter(0);
  numbers.keepOnly(new Set(['b']));
  assert.throws(() => numbers.assign('c'), /all 2 numbers are taken/);
  epochs.leave(0);
  assert.equal([numbers.assign('c'), numbers.assign('b')], [1, 2]);
});

/** Configuration changed to, an inner address of a binding, its gateway and its AFTR address, and what is counted. */
const changes = [
  ['disabled', { ...QUIET_AFTR, enabled: false }, '198.51.100.10', '2001:db8:a::1', '2001:db8:b::1', 'no-instance'],
  [
    'with another tunnel address',
    { ...QUIET_AFTR, 'ipv6-address': '2001:db8:b::77' },
    '198.51.100.10',
    '2001:db8:a::1',
    '2001:db8:b::1',
    'no-binding',
  ],
  [
    'without its additional address',
    { ...QUIET_AFTR, 'additional-ipv6-address': [] },
    '198.51.102.5',
    '2001:db8:a::3',
    '2001:db8:b::2',
    'no-binding',
  ],
] as const;
for (const [name, next, inner, gateway, aftr, reason] of changes) {
  test(`rows of an AFTR ${name} lead nowhere before they are taken away`, async () => {
    const engine = new EngineUnderTest('aftr');
    await engine.configure([QUIET_AFTR], BINDINGS);
    change(engine, 'aftr', [next]);
    const packets = [
      ipv4({ src: OUTSIDE, dst: inner }),
      ipv6({ src: gateway, dst: aftr, payload: ipv4({ src: inner, dst: OUTSIDE }) }),
    ];
    assert.equal(engine.run(packets), []);
    assert.equal(packetCounts(engine.counters()), { [`ipv4 ${reason}`]: 1, 'ipv6 not-for-us': 1 });
    assertPartition(engine.counters(), packets);
  });
}

test('a flood whose inner source has a row out of use is of nobody, as the slow path says', async () => {
  const engine = new EngineUnderTest('aftr');
  await engine.configure([QUIET_AFTR], BINDINGS);
  change(engine, 'aftr', [{ ...QUIET_AFTR, 'additional-ipv6-address': [] }]);
  const inner = ipv4({ src: '198.51.102.5', dst: OUTSIDE });
  const packets = new Array<string>(64).fill(ipv6({ src: '2001:db8:a::9', dst: '2001:db8:b::1', payload: inner }));
  for (let round = 0; round < 10; round++) engine.run(packets);
  assert.equal(packetCounts(engine.counters()), { 'ipv6 no-binding': 640 });
});

test('port sets of an AFTR with another tunnel address lead nowhere before they are taken away', async () => {
  const portSet = [{ psid: 0x34, 'b4-ipv6-address': '2001:db8:c::34' }];
  const shared = [{ 'ipv4-address': '198.51.103.9', 'psid-length': 8, 'port-set': portSet }];
  const before = { ...QUIET_AFTR, 'binding-table': { 'shared-address': shared } };
  const engine = new EngineUnderTest('aftr');
  await engine.configure([before]);
  const inbound = ipv4({ src: OUTSIDE, dst: '198.51.103.9', df: true, payload: udp(8, 5_000, 1_232) });
  assert.is(engine.run([inbound]).length, 1);
  change(engine, 'aftr', [{ ...before, 'ipv6-address': '2001:db8:b::77' }]);
  assert.equal(engine.run([inbound]), []);
  assert.equal(packetCounts(engine.counters()), { 'ipv4 forwarded': 1, 'ipv4 no-binding': 1 });
});

test('rows of a gateway that is disabled lead nowhere before they are taken away', async () => {
  const engine = new EngineUnderTest('gateway');
  await engine.configure([GATEWAY]);
  change(engine, 'gateway', [{ ...GATEWAY, enabled: false }]);
  const packets = [
    ipv4({ src: '198.51.100.9', dst: OUTSIDE }),
    ipv6({ src: '2001:db8:b::1', dst: '2001:db8:a::1', payload: ipv4({ src: OUTSIDE, dst: '198.51.100.9' }) }),
  ];
  assert.equal(engine.run(packets), []);
  assert.equal(packetCounts(engine.counters()), { 'ipv4 outside-served-prefix': 1, 'ipv6 not-for-us': 1 });
});

test('a learned path MTU does not open a way that is closed', async () => {
  const engine = new EngineUnderTest('aftr');
  await engine.configure([QUIET_AFTR], BINDINGS);
  change(engine, 'aftr', [{ ...QUIET_AFTR, enabled: false }]);
  engine.forwarding.age(1_000);
  assert.equal(engine.run([ipv4({ src: OUTSIDE, dst: '198.51.100.10' })]), []);
});

test('of two AFTRs one gets another tunnel address: between its rows every packet is its own, from the new address or not sent', async () => {
  const other = {
    ...QUIET_AFTR,
    name: 'b2',
    'ipv6-address': '2001:db8:b::8',
    'additional-ipv6-address': [],
    'ipv4-pool': ['10.0.0.0/8'],
  };
  const moved = { ...other, 'ipv6-address': '2001:db8:b::9' };
  const rows = Array.from({ length: 20_000 }, (_, i) => ({
    instance: 'b2',
    text: [`10.0.${i >> 8}.${i & 255}/32`, '2001:db8:a::2'] as const,
  }));
  const engine = new EngineUnderTest('aftr', 30_000);
  await engine.configureAll([QUIET_AFTR, other], rows);
  change(engine, 'aftr', [QUIET_AFTR, moved]);
  const { forwarding } = engine;
  const wanted = rows.flatMap(({ instance, text }) => forwarding.rows.wantedBinding(instance, binding(text)) ?? []);
  const sent: string[] = [];
  let slices = 0;
  await forwarding.rows.synchronize(wanted, () => {
    slices++;
    sent.push(...engine.run([ipv4({ src: OUTSIDE, dst: '10.0.0.1' }), ipv4({ src: OUTSIDE, dst: '10.0.70.1' })]));
    return Promise.resolve();
  });
  assert.ok(slices >= 4, `${slices} slices`);
  const dropped = 2 * slices - sent.length;
  assert.ok(dropped > 0, 'no packet met a row of the old address');
  for (const packet of sent) assert.is(packet.slice(16, 48), '20010db8000b00000000000000000009');
  const [first, second] = engine.counters().map((instance) => packetCounts([instance]));
  assert.equal(first, {});
  assert.equal(second, { 'ipv4 forwarded': sent.length, 'ipv4 no-binding': dropped });
});

const SOFTWIRE = {
  instance: 3,
  local: Uint8Array.from({ length: 16 }, (_, i) => i + 1),
  flags: 0,
  hopLimit: 64,
  pipeDscp: 0,
  payloadMtu: 1_460,
  ipv4Address: 0xc6336401,
  egressMtu: 1_500,
  mssClamp: 0,
  encapsulationLimit: 4,
  reassembly: { timeoutMs: 60_000, fragments: 20, datagrams: 100, datagramsPerSource: 10 },
} as const;

/** Looks at softwire 1 until told to stop; posts how often a word of its outer header, instance or sizes was zero. */
const READER = `
  const { parentPort, workerData } = require('node:worker_threads');
  const words = workerData.memory;
  const stop = new Int32Array(workerData.stop);
  let looks = 0, zeros = 0;
  parentPort.postMessage('begun');
  while (Atomics.load(stop, 0) === 0) {
    for (const word of [0, 1, 2, 3, 4, 5, 10, 12, 14]) if (words[16 + word] === 0) zeros++;
    looks++;
  }
  parentPort.postMessage({ looks, zeros });
`;

/** Ten shared addresses with `sets` port sets each, all of one B4. */
function sharedAddresses(sets: number, b4: string): object {
  const portSets = Array.from({ length: sets }, (_, psid) => ({ psid, 'b4-ipv6-address': b4 }));
  const ofAddress = { 'psid-offset': 6, 'psid-length': 8, 'port-set': portSets };
  const all = Array.from({ length: 10 }, (_, i) => ({ 'ipv4-address': `198.51.103.${i}`, ...ofAddress }));
  return { ...QUIET_AFTR, 'binding-table': { 'shared-address': all } };
}

for (const [sets, wayOf] of [
  [100, 'in one moment'],
  [101, 'without holding workers'],
] as const) {
  test(`${10 * sets} port sets change ${wayOf}; where none does, nobody is held`, async () => {
    const engine = new EngineUnderTest('aftr');
    await engine.configure([sharedAddresses(sets, '2001:db8:a::1') as Record<string, unknown>]);
    const { forwarding } = engine;
    const watcher = forwarding.table.watcher as RowWatcher;
    const written = { 'in one moment': 0, 'without holding workers': 0 };
    let [holds, isHeld] = [0, false];
    forwarding.hold = (body) => {
      holds++;
      isHeld = true;
      body();
      isHeld = false;
    };
    watcher.written = (row) => {
      written[isHeld ? 'in one moment' : 'without holding workers']++;
      Object.getPrototypeOf(watcher).written.call(watcher, row);
    };
    change(engine, 'aftr', [sharedAddresses(sets, '2001:db8:a::2')]);
    holds = 0;
    forwarding.putSharedAddresses()();
    assert.equal(written, { 'in one moment': 0, 'without holding workers': 0, [wayOf]: 10 * sets });
    assert.is(holds, wayOf === 'in one moment' ? 1 : 0);
    holds = 0;
    forwarding.putSharedAddresses()();
    assert.is(holds, 0, 'nothing changes');
    // Port 1,024 is the first of PSID 0.
    const out = engine.run([ipv4({ src: OUTSIDE, dst: '198.51.103.9', payload: udp(8, 1_000, 1_024) })]);
    assert.is(out[0]?.slice(48, 80), ipv6Address('2001:db8:a::2'));
  });
}

for (const [name, before, after, port] of [
  ['psid-length', [{ 'psid-length': 8 }], { 'psid-length': 7 }, 1_028],
  ['psid-offset', [{ 'psid-offset': 6 }], { 'psid-offset': 5 }, 2_052],
  ['the far end', [{ 'port-set': [{ psid: 0, 'b4-ipv6-address': '2001:db8:a::9' }] }], {}, 1_024],
  ['an address without port sets', [], { 'port-set': [] }, undefined],
] as const) {
  test(`where nothing else changes, ${name} does`, async () => {
    const portSet = [{ psid: 0, 'b4-ipv6-address': '2001:db8:a::1' }];
    const one = { 'ipv4-address': '198.51.103.1', 'psid-offset': 6, 'psid-length': 8, 'port-set': portSet };
    const aftr = (shared: readonly object[]) => ({ ...QUIET_AFTR, 'binding-table': { 'shared-address': shared } });
    const engine = new EngineUnderTest('aftr');
    const bindings = [['198.51.103.0/24', '2001:db8:a::5']] as const;
    await engine.configure([aftr(before.map((leaves) => ({ ...one, ...leaves })))], bindings);
    await engine.configure([aftr([{ ...one, ...after }])], bindings);
    const out = engine.run([ipv4({ src: OUTSIDE, dst: '198.51.103.1', payload: udp(8, 1_000, port ?? 1_024) })]);
    const led = out.map((packet) => packet.slice(48, 80));
    assert.equal(led, port === undefined ? [] : [ipv6Address('2001:db8:a::1')]);
  });
}

test('a worker that was not held in time reads a whole outer header at every step of a change', async () => {
  const softwires = new Softwires(allocateShared);
  softwires.set(1, SOFTWIRE);
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(READER, { eval: true, workerData: { memory: softwires.words, stop: stop.buffer } });
  const next = () => new Promise((resolve) => worker.once('message', resolve));
  try {
    await next();
    for (let i = 0; i < 100_000; i++) softwires.set(1, { ...SOFTWIRE, payloadMtu: 1_400 + (i & 63) });
  } finally {
    Atomics.store(stop, 0, 1);
  }
  const { looks, zeros } = (await next()) as { looks: number; zeros: number };
  await worker.terminate();
  assert.ok(looks > 1_000, `${looks} looks`);
  assert.is(zeros, 0);
});

test('what a worker has begun to send stays whole when its softwire goes out of use', () => {
  const softwires = new Softwires(allocateShared);
  softwires.set(1, SOFTWIRE);
  const header = Buffer.from(softwires.octets.slice(64, 64 + 24)).toString('hex');
  softwires.set(1, undefined);
  assert.is(Buffer.from(softwires.octets.slice(64, 64 + 24)).toString('hex'), header);
  assert.is(softwires.isEnabled(1), false);
  assert.is(softwires.payloadMtu(1), 0);
  assert.is(softwires.egressMtu(1), 0);
});

test.run();
