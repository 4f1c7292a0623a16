/** The first moments of the datapath process, as one that waits for its store. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { constants, getPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { soon } from '../helpers/soon.ts';

const test = suite('early start');

const PROGRAM = fileURLToPath(new URL('../../src/main.js', import.meta.url));
/** Of V8, as the supervisor starts it, and of Node.js, which read files. */
const OTHERS = 1 + 4;

test('once it has settled, threads that are not ours come after the one that follows the store and those that forward', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'gi4-early-'));
  const words = ['datapath', '--state-dir', dir, '--run-dir', dir, '--queues', '1'];
  const child = spawn(process.execPath, ['--v8-pool-size=1', PROGRAM, ...words], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const { pid = 0 } = child;
  const own = getPriority();
  const behind = Math.min(constants.priority.PRIORITY_LOW, own + 8);
  const niceness = () => readdirSync(`/proc/${pid}/task`).map((thread) => getPriority(Number(thread)));
  try {
    await soon(() => {
      const found = niceness();
      assert.ok(found.filter((nice) => nice === behind).length >= OTHERS, `niceness ${found}`);
      // Its own, and that of the worker which is made early.
      assert.is(found.filter((nice) => nice === own).length, 2, `niceness ${found}`);
    });
    assert.is(getPriority(pid), own);
  } finally {
    const exit = once(child, 'exit');
    if (child.exitCode === null) {
      child.kill();
      await exit;
    }
    rmSync(dir, { recursive: true, force: true });
  }
});

test.run();
