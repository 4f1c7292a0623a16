/** What a bench says of where it ran. */

import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { commit, machine } from '../../tools/bench/machine.ts';

const test = suite('machine and commit of benches');
const dir = mkdtempSync(join(tmpdir(), 'gi4over6-machine-'));

test.after(() => rmSync(dir, { recursive: true }));

function git(...words: string[]): string {
  const identity = ['-c', 'user.name=test', '-c', 'user.email=test@example.net', '-c', 'commit.gpgsign=false'];
  return execFileSync('git', [...identity, ...words], { cwd: dir, encoding: 'utf8' }).trim();
}

test('the commit says whether files differ from it', () => {
  assert.is(commit(dir), 'unknown');
  git('init', '--quiet');
  writeFileSync(join(dir, 'file'), 'one\n');
  git('add', 'file');
  git('commit', '--quiet', '--message', 'one');
  const head = git('rev-parse', 'HEAD');
  assert.match(head, /^[0-9a-f]{40}$/);
  writeFileSync(join(dir, 'result.json'), '{}');
  assert.is(commit(dir), head, 'what a bench writes is no part of the tree');
  appendFileSync(join(dir, 'file'), 'two\n');
  assert.is(commit(dir), `${head}-dirty`);
});

test('the machine says what else runs there', () => {
  const { cores, load } = machine();
  assert.ok(cores >= 1);
  assert.ok(Number.isFinite(load) && load >= 0, `${load}`);
});

test.run();
