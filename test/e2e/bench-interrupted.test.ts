// needs: root
/** A bench that is interrupted leaves no process, namespace or folder behind. */

import type { ChildProcess } from 'node:child_process';
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { soon } from '../helpers/soon.ts';

const test = suite('bench-interrupted');
const BENCH = join(import.meta.dirname, '../../tools/bench.js');
/** Of the program's start, and its end. */
const LIMIT_MS = 60_000;

function bench(name: string): {
  readonly process: ChildProcess;
  readonly pid: number;
  readonly ended: Promise<unknown>;
} {
  const child = spawn(process.execPath, [BENCH, name], { stdio: 'ignore' });
  assert.ok(child.pid);
  const ended = new Promise((resolve) => child.once('exit', (code, signal) => resolve(code ?? signal)));
  return { process: child, pid: child.pid, ended };
}

/** The processes that have a word in their command line which begins so. */
function running(word: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    const file = `/proc/${pid}/cmdline`;
    try {
      return (
        /^\d+$/.test(pid) &&
        readFileSync(file, 'utf8')
          .split('\0')
          .some((some) => some.startsWith(word))
      );
    } catch {
      // It has ended.
      return false;
    }
  });
}

function childrenOf(pid: number): string {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
}

function namespaces(): string {
  return execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' });
}

test('one with namespaces of its own, by SIGINT', async () => {
  const { process: child, pid, ended } = bench('start');
  const dir = `/tmp/gi4start-${pid}`;
  await soon(() => assert.ok(existsSync(join(dir, 'aftr/run/netconf.sock'))), LIMIT_MS);
  child.kill('SIGINT');
  assert.is(await ended, 130);
  assert.not.match(namespaces(), `gi4start-${pid}`);
  assert.equal(running(dir), []);
  assert.not.ok(existsSync(dir));
});

test('one in a network of its own, by SIGTERM to the process that was called', async () => {
  const { process: child, pid, ended } = bench('netconf');
  const dir = () => `/tmp/gi4over6-bench-${childrenOf(pid)}`;
  await soon(() => assert.ok(existsSync(join(dir(), 'run/netconf.sock'))), LIMIT_MS);
  const own = dir();
  assert.not.equal(running(own), []);
  child.kill('SIGTERM');
  assert.is(await ended, 'SIGTERM');
  await soon(() => assert.equal([running(own), existsSync(own)], [[], false]), LIMIT_MS);
});

test('one with hosts of its own besides, by SIGTERM to the process that was called', async () => {
  const { process: child, pid, ended } = bench('offloads');
  await soon(() => assert.match(namespaces(), `gi4dp-${childrenOf(pid)}-`), LIMIT_MS);
  const own = `gi4dp-${childrenOf(pid)}-`;
  child.kill('SIGTERM');
  assert.is(await ended, 'SIGTERM');
  await soon(() => assert.not.match(namespaces(), own), LIMIT_MS);
});

test('one that has nothing to end, by SIGTERM', async () => {
  const { process: child, pid, ended } = bench('datapath');
  await soon(() => assert.match(readFileSync(`/proc/${pid}/cmdline`, 'utf8'), 'datapath'), LIMIT_MS);
  child.kill('SIGTERM');
  assert.is(await ended, 'SIGTERM');
});

test.run();
