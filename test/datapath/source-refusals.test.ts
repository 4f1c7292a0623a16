import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { SourceRefusals } from '../../src/datapath/source-refusals.ts';

/** That an AFTR refuses a gateway (RFC 7596 §5.1): counted for each gateway. */
const test = suite('source-refusals');

test('refusals of a worker are counted at the control thread, with the newest source and its time', () => {
  const refusals = new SourceRefusals();
  const worker = new SourceRefusals(refusals.memory);
  assert.is(refusals.read(3), undefined);
  worker.add(3, 0xc633_6401, 1_000);
  worker.add(3, 0xc633_6402, 2_000);
  assert.equal(refusals.read(3), { count: 2, lastMs: 2_000, lastIpv4Source: 0xc633_6402 });
  assert.is(refusals.read(2), undefined);
});

test('cleared, they count from zero', () => {
  const refusals = new SourceRefusals();
  for (let i = 0; i < 5; i++) refusals.add(3, 0xc633_6401, 1_000);
  refusals.clear(3);
  assert.is(refusals.read(3), undefined);
  refusals.add(3, 0xc633_6402, 2_000);
  assert.is(refusals.read(3)?.count, 1);
});

test('a gateway with the number of one that is gone counts from zero, also when the other was cleared', () => {
  const refusals = new SourceRefusals();
  for (let i = 0; i < 5; i++) refusals.add(3, 0xc633_6401, 1_000);
  refusals.clear(3);
  refusals.begin(3);
  assert.is(refusals.read(3), undefined);
  refusals.add(3, 0xc633_6402, 2_000);
  assert.is(refusals.read(3)?.count, 1);
});

test.run();
