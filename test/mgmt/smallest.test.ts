import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Smallest } from '../../src/mgmt/smallest.ts';
import { random, seed } from '../helpers/random.ts';

const test = suite('smallest');

const byNumber = (a: number, b: number) => a - b;

test(`the first of many are those of the sorted list, seed ${seed}`, async () => {
  const next = random();
  for (let round = 0; round < 300; round++) {
    const items = Array.from({ length: next() % 200 }, (_, index) => (next() % 100) * 1000 + index);
    const most = next() % 220;
    const smallest = new Smallest(byNumber, most);
    for (const item of items) smallest.add(item);
    assert.is(smallest.count, items.length);
    assert.equal(await smallest.take(), items.sort(byNumber).slice(0, most), `round ${round}`);
  }
});

test('one comparison tells that an item is none of them', async () => {
  let comparisons = 0;
  const smallest = new Smallest<number>((a, b) => {
    comparisons++;
    return a - b;
  }, 100);
  for (let item = 0; item < 100; item++) smallest.add(item);
  comparisons = 0;
  for (let item = 100; item < 1100; item++) smallest.add(item);
  assert.is(comparisons, 1000);
  assert.is((await smallest.take()).length, 100);
});

test('others have their turn while many are put in their order', async () => {
  const smallest = new Smallest(byNumber, 500_000);
  for (let item = 0; item < 500_000; item++) smallest.add((item * 7919) % 500_009);
  let turns = 0;
  let isOver = false;
  const turn = () => {
    turns++;
    if (!isOver) setImmediate(turn);
  };
  setImmediate(turn);
  const taken = await smallest.take();
  isOver = true;
  assert.is(taken.length, 500_000);
  assert.ok(turns > 3, `${turns} turns`);
});

test.run();
