/** Packed rows against a Map, in key order and out of it. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { RowPack } from '../../src/state/row-pack.ts';
import { random, seed } from '../helpers/random.ts';

const test = suite('row pack');

test(`puts, removals and questions in any order (seed ${seed})`, () => {
  const next = random();
  for (let round = 0; round < 300; round++) {
    const pack = new RowPack();
    const twin = new Map<number, string>();
    // Some rounds stay in key order to the end, some fall out of it on the way.
    const disorder = [0, 0, 3, 50][next() % 4] ?? 0;
    let number = 0;
    for (let step = 0; step < next() % 400; step++) {
      number = next() % 100 < disorder ? next() % 500 : number + (next() % 3) + (step === 0 ? 0 : 1);
      const value = next() % 8 === 0 ? '' : `${next()}`;
      if (value === '') pack.remove(number);
      else pack.put(number, Buffer.from(value));
      twin.delete(number);
      twin.set(number, value);
      const asked = next() % (number + 5);
      assert.is(pack.has(asked), twin.has(asked));
    }
    assert.is(pack.size, twin.size);
    for (let asked = -1; asked < 1_300; asked++) {
      const value = pack.get(asked);
      assert.is(value ? Buffer.from(value).toString() : value, twin.get(asked) === '' ? null : twin.get(asked));
    }
    assert.equal([...pack.numbers()], [...twin.keys()]);
    const packed = pack.packed();
    if (disorder === 0) assert.equal([...(packed?.numbers ?? [])], [...twin.keys()]);
    if (packed)
      assert.equal(
        [...twin.keys()],
        [...twin.keys()].sort((a, b) => a - b),
      );
  }
});

test.run();
