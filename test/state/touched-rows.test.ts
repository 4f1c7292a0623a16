import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { prefixNumber } from '../../src/state/rows.ts';
import { TouchedRows } from '../../src/state/touched-rows.ts';
import { random, seed } from '../helpers/random.ts';

const test = suite('touched-rows');

const BASE = 7_000_000;

test(`each row once, in key order, with the first commit that touched it (seed ${seed})`, () => {
  const next = random();
  const rows = new TouchedRows(BASE);
  const twin = new Map<number, number>();
  let version = BASE;
  for (let i = 0; i < 5_000; i++) {
    version += next() % 3;
    const number = prefixNumber(next() % 4 === 0 ? next() : next() % 2_000, next() % 33);
    rows.add(number, version);
    if (!twin.has(number)) twin.set(number, version);
  }
  const found = [...rows.inKeyOrder()];
  assert.equal(
    found,
    [...twin].sort(([a], [b]) => a - b),
  );
});

const LARGEST = prefixNumber(0xffffffff, 32);
for (const [distance, isTaken] of [
  [2 ** 26 - 1, true],
  [2 ** 26, false],
] as const) {
  test(`a commit ${distance} versions later is ${isTaken ? 'told' : 'refused'}`, () => {
    const rows = new TouchedRows(BASE);
    const add = () => rows.add(LARGEST, BASE + distance);
    if (!isTaken) return assert.throws(add, /fewer than 67108864/);
    add();
    assert.equal([...rows.inKeyOrder()], [[LARGEST, BASE + distance]]);
  });
}

test.run();
