import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { allocateShared } from '../../src/datapath/memory.ts';
import { PathMtus } from '../../src/datapath/path-mtus.ts';
import { Softwires } from '../../src/datapath/softwires.ts';
import { random, seed } from '../helpers/random.ts';

const test = suite('path-mtus');

const CONFIGURED = 1_460;
const SOFTWIRE = 2;
const TEN_MINUTES = 600_000;

/** A softwire with rows 1 to `count`, each to a far end of its own. */
function prepare(count: number): { softwires: Softwires; mtus: PathMtus; again: () => PathMtus } {
  const softwires = new Softwires(allocateShared);
  const rows = new Int32Array(8 * (count + 1));
  for (let row = 1; row <= count; row++) {
    rows[8 * row] = 0xb80d0120;
    rows[8 * row + 3] = row;
  }
  const mtus = new PathMtus(softwires, rows, seed);
  const local = new Uint8Array(16).fill(1);
  const modes = { flags: 0, hopLimit: 64, pipeDscp: 0, encapsulationLimit: 0, mssClamp: 0, egressMtu: 65_535 };
  const reassembly = { timeoutMs: 60_000, fragments: 20, datagrams: 100, datagramsPerSource: 10 };
  const softwire = { instance: 0, local, payloadMtu: CONFIGURED, ipv4Address: 0, reassembly, ...modes };
  softwires.set(SOFTWIRE, softwire);
  mtus.configure(SOFTWIRE, CONFIGURED, TEN_MINUTES);
  mtus.refresh(0);
  return { softwires, mtus, again: () => new PathMtus(softwires, rows, seed, mtus.memory) };
}

const limits = [
  [1_279, CONFIGURED, 'less than every link takes'],
  [1_280, 1_240, 'the least'],
  [1_499, 1_459, 'one less than configured'],
  [1_500, CONFIGURED, 'what is configured'],
  [9_000, CONFIGURED, 'more'],
] as const;
for (const [mtu, payloadMtu, why] of limits) {
  test(`${mtu}: ${why}`, () => {
    const { mtus } = prepare(2);
    mtus.learn(SOFTWIRE, 1, mtu, 7, 0);
    assert.is(mtus.payloadMtu(SOFTWIRE, 1, 0), payloadMtu);
    assert.is(mtus.payloadMtu(SOFTWIRE, 2, 0), CONFIGURED);
  });
}

test('what every far end takes falls with the first report and is back when all is old', () => {
  const { softwires, mtus } = prepare(2);
  assert.is(softwires.payloadMtu(SOFTWIRE), CONFIGURED);
  mtus.learn(SOFTWIRE, 1, 1_400, 7, 1_000);
  mtus.learn(SOFTWIRE, 2, 1_300, 7, 2_000);
  assert.is(softwires.payloadMtu(SOFTWIRE), 1_260);
  mtus.age(TEN_MINUTES + 1_000);
  assert.is(softwires.payloadMtu(SOFTWIRE), 1_260);
  assert.is(mtus.payloadMtu(SOFTWIRE, 1, TEN_MINUTES + 1_000), CONFIGURED);
  assert.is(mtus.payloadMtu(SOFTWIRE, 2, TEN_MINUTES + 1_000), 1_260);
  mtus.age(TEN_MINUTES + 2_000);
  assert.is(softwires.payloadMtu(SOFTWIRE), CONFIGURED);
  assert.equal(mtus.learned(TEN_MINUTES + 2_000), []);
});

test('a lifetime that is configured anew holds for what was learned before', () => {
  const { mtus } = prepare(1);
  mtus.learn(SOFTWIRE, 1, 1_400, 7, 0);
  mtus.configure(SOFTWIRE, CONFIGURED, 2 * TEN_MINUTES);
  assert.is(mtus.payloadMtu(SOFTWIRE, 1, 2 * TEN_MINUTES - 100), 1_360);
  mtus.configure(SOFTWIRE, CONFIGURED, TEN_MINUTES / 2);
  assert.is(mtus.payloadMtu(SOFTWIRE, 1, TEN_MINUTES / 2 - 100), 1_360);
  assert.is(mtus.payloadMtu(SOFTWIRE, 1, TEN_MINUTES / 2), CONFIGURED);
});

test('another worker sees what one has learned', () => {
  const { mtus, again } = prepare(1);
  const other = again();
  mtus.learn(SOFTWIRE, 1, 1_400, 7, 0);
  assert.is(other.payloadMtu(SOFTWIRE, 1, 0), 1_360);
});

test('a report after ten minutes counts again, though it says more than the old one', () => {
  const { mtus } = prepare(1);
  mtus.learn(SOFTWIRE, 1, 1_300, 7, 0);
  mtus.learn(SOFTWIRE, 1, 1_400, 7, TEN_MINUTES);
  assert.is(mtus.payloadMtu(SOFTWIRE, 1, TEN_MINUTES), 1_360);
});

test('as a map, where it has room', () => {
  const { mtus } = prepare(5_000);
  const next = random();
  const twin = new Map<number, number>();
  for (let i = 0; i < 20_000; i++) {
    const row = 1 + (next() % 5_000);
    const mtu = 1_200 + (next() % 400);
    mtus.learn(SOFTWIRE, row, mtu, next() % 5, i);
    if (mtu >= 1_280 && mtu < (twin.get(row) ?? 1_500)) twin.set(row, mtu);
  }
  for (let row = 1; row <= 5_000; row++) {
    assert.is(mtus.payloadMtu(SOFTWIRE, row, 20_000), (twin.get(row) ?? 1_500) - 40, `row ${row}, seed ${seed}`);
  }
  assert.is(mtus.learned(20_000).length, twin.size);
});

test('its memory does not grow: a million far ends, and it still holds as many as it can', () => {
  const { mtus } = prepare(1_000_000);
  const octets = mtus.memory.byteLength;
  for (let row = 1; row <= 1_000_000; row++) mtus.learn(SOFTWIRE, row, 1_400, row, 0);
  assert.is(mtus.memory.byteLength, octets);
  assert.ok(octets < 3_000_000, `${octets}`);
  assert.is(mtus.learned(0).length, 65_536);
});

test('what is forgotten makes room before anything that holds, also for a reporter that has entries there', () => {
  const { mtus } = prepare(400_000);
  for (let row = 1; row <= 200_000; row++) mtus.learn(SOFTWIRE, row, 1_400, row, 0);
  for (let row = 200_001; row <= 300_000; row++) mtus.learn(SOFTWIRE, row, 1_400, 777_777, TEN_MINUTES / 2);
  // In nearly every set the reporter has one, and the others are old now.
  const own = mtus.learned(TEN_MINUTES).map(({ remote }) => remote.join());
  assert.ok(own.length > 8_000, `${own.length}`);
  for (let row = 300_001; row <= 301_000; row++) mtus.learn(SOFTWIRE, row, 1_400, 777_777, TEN_MINUTES);
  const kept = new Set(mtus.learned(TEN_MINUTES).map(({ remote }) => remote.join()));
  // Where the random seed brings a set more of these than have room in it, one of them goes.
  assert.ok(kept.size >= own.length + 990, `${kept.size} after ${own.length}`);
  assert.ok(own.filter((remote) => !kept.has(remote)).length <= 10);
});

test('one reporter without end takes hardly anything from others', () => {
  const { mtus } = prepare(400_000);
  // Others fill it to the brim.
  for (let row = 1; row <= 200_000; row++) mtus.learn(SOFTWIRE, row, 1_400, row % 10_000, 0);
  const before = new Set(mtus.learned(0).map(({ remote }) => remote.join()));
  for (let row = 200_001; row <= 400_000; row++) mtus.learn(SOFTWIRE, row, 1_400, 77_777, 1_000);
  const kept = mtus.learned(1_000).filter(({ remote }) => before.has(remote.join())).length;
  assert.ok(kept >= (before.size * 7) / 8, `${kept} of ${before.size}`);
});

test.run();
