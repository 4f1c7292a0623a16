import { randomBytes } from 'node:crypto';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { IDENTIFICATION_KEY_LEN, Identifications } from '../../src/datapath/identifications.ts';

/** Identifications of outer fragments (D59; RFC 7739 §5). */
const test = suite('identifications');

const KEY = randomBytes(IDENTIFICATION_KEY_LEN);
const take = (from: Identifications, count: number): number[] => Array.from({ length: count }, () => from.next());

test('none comes twice among 300,000 of three workers', () => {
  const all = [0, 1, 31].flatMap((worker) => take(new Identifications(KEY, worker), 100_000));
  assert.is(new Set(all).size, 300_000);
  assert.ok(all.every((one) => Number.isInteger(one) && one >= 0 && one < 2 ** 32));
});

test('each octet of the key changes all that follow', () => {
  const before = take(new Identifications(KEY, 0), 1_000);
  for (let i = 0; i < IDENTIFICATION_KEY_LEN; i++) {
    const key = Uint8Array.from(KEY);
    key[i] = (key[i] ?? 0) ^ 1;
    const same = take(new Identifications(key, 0), 1_000).filter((one, j) => one === before[j]);
    assert.ok(same.length < 3, `octet ${i}: ${same.length} the same`);
  }
});

test('neighbours differ in half of their bits, each bit is set in half, and no step comes back', () => {
  const taken = take(new Identifications(KEY, 0), 50_000);
  const bits = new Array<number>(32).fill(0);
  const flips = new Array<number>(32).fill(0);
  const steps = new Map<number, number>();
  for (const [i, one] of taken.entries()) {
    const changed = one ^ (taken[i - 1] ?? 0);
    const step = (one - (taken[i - 1] ?? 0)) >>> 0;
    steps.set(step, (steps.get(step) ?? 0) + 1);
    for (let bit = 0; bit < 32; bit++) {
      bits[bit] = (bits[bit] ?? 0) + ((one >>> bit) & 1);
      flips[bit] = (flips[bit] ?? 0) + ((changed >>> bit) & 1);
    }
  }
  // Seven standard deviations of a fair coin thrown 50,000 times are 783.
  for (const [bit, count] of [...bits, ...flips].entries()) {
    assert.ok(Math.abs(count - 25_000) < 783, `bit ${bit % 32}: ${count} of 50,000`);
  }
  assert.ok(Math.max(...steps.values()) < 5, 'a step that comes back');
});

test.run();
