/** A disk that takes no change: what is said of it, and that it is tried until it takes one. */

import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { DiskCare, systemFault } from '../../src/state/disk-care.ts';

const test = suite('disk care');

const withCode = (code: unknown) => Object.assign(new Error('Attempting to write page at position 770048'), { code });
const faults = [
  [withCode(28), 'ENOSPC: no space left on device', 'as LMDB gives it'],
  [withCode('ENOSPC'), 'ENOSPC: no space left on device', 'as node gives it'],
  [withCode(5), 'EIO: i/o error', 'another one'],
  [withCode(-30792), 'error -30792', 'one of LMDB itself'],
  [withCode(undefined), 'an error without a code', 'no code'],
  ['ENOSPC', 'an error without a code', 'no error'],
] as const;
for (const [error, expected, why] of faults) test(`fault: ${why}`, () => assert.is(systemFault(error), expected));

test('it is tried again and again, told once, and ends with the first write that succeeds', async () => {
  let attempts = 0;
  const told: string[] = [];
  const care: DiskCare = new DiskCare({
    dir: '/a/store',
    tryMs: 1,
    tell: (sentence) => told.push(sentence),
    attempt: async () => {
      attempts++;
      if (attempts < 3) throw new Error(care.failed(withCode(28)));
      care.succeeded();
    },
  });
  assert.is(care.problem, '');
  const why =
    'the store in /a/store took no change (ENOSPC: no space left on device): see whether its disk is full or fails';
  assert.is(care.failed(withCode(28)), why);
  assert.match(
    care.problem,
    /^The disk of \/a\/store takes no change \(ENOSPC: no space left on device\): edits are refused, /,
  );
  for (const end = Date.now() + 20_000; care.problem !== '' && Date.now() < end; ) await sleep(5);
  assert.is(care.problem, '');
  assert.is(attempts, 3);
  assert.is(told.length, 1);
  await sleep(20);
  assert.is(attempts, 3, 'then it is left alone');
  care.failed(withCode(28));
  care.close();
  await sleep(20);
  assert.is(attempts, 3, 'closed');
});

test.run();
