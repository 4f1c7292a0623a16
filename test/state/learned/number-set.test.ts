/** Numbers in their order against a sorted array; what was kept stays as it was. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { KnownRoutes } from '../../../src/state/learned/known-routes.ts';
import type { KeptNumbers } from '../../../src/state/learned/number-set.ts';
import { NumberSet } from '../../../src/state/learned/number-set.ts';
import { random, seed } from '../../helpers/random.ts';

const test = suite('number set');
const ascending = (a: number, b: number) => a - b;

function forwards(kept: KeptNumbers, from?: number): number[] {
  return Array.from(kept.sealedRows('', from), ({ number }) => number);
}

function backwards(kept: KeptNumbers, from?: number): number[] {
  return Array.from(kept.sealedRowsBack('', from), ({ number }) => number);
}

/** All ways to read, held against the sorted numbers. */
function isSame(kept: KeptNumbers, expected: readonly number[], places: readonly number[]): void {
  assert.equal(forwards(kept), expected);
  assert.equal(backwards(kept), [...expected].reverse());
  assert.is(kept.count(), expected.length);
  for (const place of places) {
    assert.equal(
      forwards(kept, place),
      expected.filter((number) => number >= place),
    );
    assert.equal(backwards(kept, place), expected.filter((number) => number <= place).reverse());
    assert.is(kept.sealed('', place) !== undefined, expected.includes(place), `${place}`);
    assert.is(kept.nth('', 3, false, place), expected.filter((number) => number >= place)[3]);
  }
}

for (const range of [40, 3_000, 2 ** 31]) {
  test(`random numbers below ${range} come and go (seed ${seed})`, () => {
    const next = random();
    const set = new NumberSet();
    const twin = new Set<number>();
    const keeps: { readonly kept: KeptNumbers; readonly expected: readonly number[] }[] = [];
    for (let round = 0; round < 12; round++) {
      const isGrowing = round % 4 !== 3;
      for (let step = 0; step < 700; step++) {
        const some = next() % range;
        const number = !isGrowing && twin.size > 0 && step % 2 === 0 ? ([...twin][some % twin.size] ?? 0) : some;
        if (isGrowing) twin.add(number);
        else twin.delete(number);
        if (isGrowing) set.add(number);
        else set.delete(number);
        if (step === 350) keeps.push({ kept: set.kept(), expected: [...twin].sort(ascending) });
      }
      assert.is(set.size, twin.size);
      const places = [0, next() % range, [...twin][0] ?? 0, range + 1];
      isSame(set.kept(), [...twin].sort(ascending), places);
    }
    for (const { kept, expected } of keeps) isSame(kept, expected, [next() % range]);
  });
}

test('in order and in reverse, beyond many chunks, and down to nothing again', () => {
  for (const numbers of [
    Array.from({ length: 5_000 }, (_, at) => at),
    Array.from({ length: 5_000 }, (_, at) => 5_000 - at),
  ]) {
    const set = new NumberSet();
    for (const number of numbers) set.add(number);
    isSame(set.kept(), [...numbers].sort(ascending), [0, 1, 2_500, 5_001]);
    for (const number of numbers) set.delete(number);
    isSame(set.kept(), [], [7]);
    set.add(7);
    isSame(set.kept(), [7], [6, 7, 8]);
  }
});

test('routes are of one kind each, and every change is another edition', () => {
  const routes = new KnownRoutes();
  const refused = { reason: 'not-allowed', time: new Date() } as const;
  const kinds = () => (['bound', 'refused'] as const).map((kind) => forwards(routes.kept(kind).numbers));
  const editions = new Set([routes.kept('bound').edition]);
  // [what, bound, refused]
  const steps: readonly (readonly [() => unknown, readonly number[], readonly number[]])[] = [
    [() => routes.set(2, undefined), [2], []],
    [() => routes.set(1, refused), [2], [1]],
    [() => routes.set(2, refused), [], [1, 2]],
    [() => routes.set(1, undefined), [1], [2]],
    [() => routes.delete(2), [1], []],
    [() => routes.delete(1), [], []],
  ];
  for (const [work, bound, others] of steps) {
    work();
    assert.equal(kinds(), [bound, others]);
    editions.add(routes.kept('bound').edition);
  }
  assert.is(editions.size, steps.length + 1);
  assert.is(routes.delete(9), false);
  assert.not.ok(editions.has(new KnownRoutes().kept('bound').edition), 'another source has others');
});

test.run();
