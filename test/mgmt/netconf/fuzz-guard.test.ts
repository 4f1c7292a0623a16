import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fuzzGuard, newTally } from '../../helpers/fuzz-guard.ts';
import { seed } from '../../helpers/random.ts';

const test = suite('random octets through the guard');

const INPUTS = 10_000;

test(`${INPUTS} inputs: messages, errors of the RFC, ends of the session (seed ${seed})`, () => {
  const tally = newTally();
  fuzzGuard(seed, 0, INPUTS, tally);
  assert.is(tally.inputs, INPUTS);
  // The generator reaches what lies behind each layer.
  assert.ok(tally.greeted > INPUTS / 2, `${tally.greeted} good hellos`);
  assert.ok(tally.ended > INPUTS / 20, `${tally.ended} ends`);
  assert.ok(tally.operations > INPUTS / 4, `${tally.operations} operations`);
  for (const tag of [
    'malformed-message',
    'too-big',
    'missing-attribute',
    'missing-element',
    'bad-element',
    'unknown-namespace',
    'operation-not-supported',
  ]) {
    assert.ok((tally.errors.get(tag) ?? 0) > 0, `no ${tag} in ${INPUTS} inputs`);
  }
});

test.run();
