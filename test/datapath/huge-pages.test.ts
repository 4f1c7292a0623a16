// needs: addon
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { adviseHugePages } from 'node-tuntap2';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { allocateInHugePages } from '../../src/datapath/huge-pages.ts';

const MODES = '/sys/kernel/mm/transparent_hugepage/enabled';
const OCTETS = 64 * 1024 * 1024;
/** What this kernel gives: always, only on advice, or never. */
const mode = existsSync(MODES) ? (/\[(\w+)\]/.exec(readFileSync(MODES, 'utf8'))?.[1] ?? 'never') : 'never';

test('advice is taken where there are huge pages, and for no memory at all never', () => {
  assert.is(adviseHugePages(new SharedArrayBuffer(OCTETS)), existsSync(MODES));
  assert.is(adviseHugePages(new SharedArrayBuffer(0)), false);
});

const cases = [
  ['memory that is reached at random', true, mode !== 'never'],
  ['other memory', false, mode === 'always'],
] as const;
for (const [name, isRandom, isHuge] of cases) {
  test(`${name} lies in ${isHuge ? 'huge' : 'small'} pages`, () => {
    const before = hugeKibibytes();
    const words = new Int32Array(allocateInHugePages(OCTETS, isRandom));
    for (let i = 0; i < words.length; i += 1_024) words[i] = 1;
    const more = hugeKibibytes() - before;
    // A kernel that has few free ones gives small ones instead.
    if (isHuge) assert.ok(more > OCTETS / 1024 / 4, `${more} KiB`);
    else assert.is(more, 0);
    assert.is(words[1_024], 1);
  });
}

test('memory that is reached at random is as large as asked for and shared with workers', async () => {
  const memory = allocateInHugePages(OCTETS, true);
  assert.ok(memory.byteLength >= OCTETS);
  const word = new Int32Array(memory);
  const script = "const { workerData } = require('node:worker_threads'); new Int32Array(workerData)[7] = 4711;";
  await once(new Worker(script, { eval: true, workerData: memory }), 'exit');
  assert.is(word[7], 4711);
});

/** What this process has in huge pages. */
function hugeKibibytes(): number {
  return Number(/AnonHugePages: +(\d+)/.exec(readFileSync('/proc/self/smaps_rollup', 'utf8'))?.[1]);
}

test.run();
