import { Worker } from 'node:worker_threads';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Epochs } from '../../src/datapath/epochs.ts';

const test = suite('epochs');

test('what was unlinked is free when nobody is in a batch', () => {
  const epochs = new Epochs(2);
  assert.ok(epochs.hasPassed(epochs.advance()));
});

test('what was unlinked during a batch is free when that batch has ended, and not held by the next', () => {
  const epochs = new Epochs(2);
  epochs.enter(0);
  const epoch = epochs.advance();
  assert.not.ok(epochs.hasPassed(epoch));
  epochs.enter(1);
  epochs.leave(0);
  assert.ok(epochs.hasPassed(epoch), 'worker 1 began after it');
  assert.not.ok(epochs.hasPassed(epochs.advance()));
  epochs.leave(1);
});

test('epochs come round: what was unlinked before is free, and a batch that lasts is waited for', () => {
  const memory = new Epochs(2).memory;
  new Int32Array(memory)[0] = 0x7fff_fffd;
  const epochs = new Epochs(2, memory);
  const seen: number[] = [];
  for (let i = 0; i < 4; i++) {
    epochs.enter(0);
    assert.not.ok(
      epochs.hold(5, () => undefined),
      'worker 0 is in a batch',
    );
    const epoch = epochs.advance();
    seen.push(epoch);
    assert.not.ok(epochs.hasPassed(epoch));
    epochs.enter(1);
    epochs.leave(0);
    assert.ok(epochs.hasPassed(epoch));
    assert.ok(seen.every((before) => epochs.hasPassed(before)));
    epochs.leave(1);
  }
  assert.equal(seen, [0x7fff_fffd, 0x7fff_fffe, 0, 1]);
});

for (const start of [0, 7, 0x3fff_fffd, 0x7fff_fffa, 0x7fff_fffe]) {
  test(`a batch that began in epoch ${start} holds all that is unlinked while it lasts, and nothing from before`, () => {
    const memory = new Epochs(2).memory;
    new Int32Array(memory)[0] = start;
    const epochs = new Epochs(2, memory);
    const before = epochs.advance();
    epochs.enter(0);
    const during = Array.from({ length: 9 }, () => epochs.advance());
    assert.is(new Set([before, ...during]).size, 10);
    assert.ok(
      during.every((epoch) => epoch >= 0 && epoch <= 0x7fff_fffe),
      'none of them says that a worker is outside',
    );
    epochs.enter(1);
    assert.equal(
      during.map((epoch) => epochs.hasPassed(epoch)),
      during.map(() => false),
    );
    assert.ok(epochs.hasPassed(before));
    epochs.leave(0);
    assert.ok([before, ...during].every((epoch) => epochs.hasPassed(epoch)));
    assert.not.ok(epochs.hasPassed(epochs.advance()), 'worker 1 is in a batch');
    epochs.leave(1);
  });
}

test('a worker that does not reach its boundary lets the change through after the timeout', () => {
  const epochs = new Epochs(1);
  epochs.enter(0);
  let ran = 0;
  const start = performance.now();
  assert.is(
    epochs.hold(30, () => ran++),
    false,
  );
  assert.is(ran, 1);
  const took = performance.now() - start;
  assert.ok(took >= 25 && took < 1_000, `${took} ms`);
  epochs.leave(0);
});

test('an error in a held change lets the workers go on', () => {
  const epochs = new Epochs(1);
  assert.throws(() =>
    epochs.hold(10, () => {
      throw new Error('no');
    }),
  );
  epochs.enter(0);
  epochs.leave(0);
});

/** A worker that enters and leaves batches, and counts those that saw the pair of words differ. */
const WORKER = `
  const { workerData } = require('node:worker_threads');
  import(workerData.module).then(({ Epochs }) => {
    const epochs = new Epochs(workerData.workers, workerData.epochs);
    const words = new Int32Array(workerData.words);
    Atomics.add(words, 4, 1);
    while (Atomics.load(words, 2) === 0) {
      epochs.enter(workerData.worker);
      const before = words[0];
      for (let i = 0; i < 200; i++);
      if (words[1] !== before) Atomics.add(words, 3, 1);
      epochs.leave(workerData.worker);
    }
  });
`;

test('no batch of two workers sees half of a held change', async () => {
  const epochs = new Epochs(2);
  const words = new Int32Array(new SharedArrayBuffer(20));
  const module = new URL('../../src/datapath/epochs.js', import.meta.url).href;
  const workers = [0, 1].map(
    (worker) =>
      new Worker(WORKER, {
        eval: true,
        workerData: { module, worker, workers: 2, epochs: epochs.memory, words: words.buffer },
      }),
  );
  const ended = workers.map((worker) => new Promise((resolve) => worker.on('exit', resolve)));
  while (Atomics.load(words, 4) < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  let held = 0;
  for (let change = 1; change <= 3_000; change++) {
    const all = epochs.hold(1_000, () => {
      words[0] = change;
      for (let i = 0; i < 100; i++);
      words[1] = change;
    });
    if (all) held++;
  }
  Atomics.store(words, 2, 1);
  assert.equal(await Promise.all(ended), [0, 0]);
  assert.equal([held, Atomics.load(words, 3)], [3_000, 0]);
});

test.run();
