/**
 * The test runner: every compiled test file in a process of its own, two at a time.
 *
 *   node dist/tools/test.js [--unit] [part of a file name]
 *
 * 1. Sources under test/ name the files to run, so a compiled file whose source is gone is never run.
 * 2. `--unit` leaves out files whose first line is `// needs: addon` or `// needs: root`.
 * 3. uvu can end with exit code 0 although nothing ran, so a file passes only if it exits with 0, prints uvu's summary,
 *    passed equals total, total is not 0 and nothing was skipped.
 * 4. Two run at a time, but only one of those that need root: these make devices, namespaces and load.
 * 5. The last line is `N passed, N failed`. They count tests; a file with a fault but no failed test counts as one.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const PROJECT = join(import.meta.dirname, '../..');
const FILE_LIMIT_MS = 10 * 60_000;
const LANES = 2;
const NEEDS = /^\/\/ needs: (addon|root)\b/;
const NEEDS_ROOT = /^\/\/ needs: .*\broot\b/;
const SUMMARY = /^\s*Total:\s+(\d+)\s+Passed:\s+(\d+)\s+Skipped:\s+(\d+)/gm;

interface Outcome {
  readonly passed: number;
  readonly failed: number;
  /** What is wrong, when something is. */
  readonly fault?: string;
}

const running = new Set<ChildProcess>();

function readArguments(): { unit: boolean; filter: string } {
  let unit = false;
  let filter = '';
  for (const argument of process.argv.slice(2)) {
    if (argument === '--unit') unit = true;
    else if (!argument.startsWith('-') && filter === '') filter = argument;
    else throw new Error(`expected [--unit] [part of a file name], got ${argument}`);
  }
  return { unit, filter };
}

/** Paths below the project of the test sources to run, in alphabetical order. */
function selectSources(unit: boolean, filter: string): string[] {
  return readdirSync(join(PROJECT, 'test'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.test.ts'))
    .map((path) => join('test', path))
    .filter((path) => path.includes(filter))
    .filter((path) => !unit || !NEEDS.test(textOf(path)))
    .sort();
}

function textOf(source: string): string {
  return readFileSync(join(PROJECT, source), 'utf8');
}

interface Ending {
  readonly output: string;
  readonly how: string;
  readonly clean: boolean;
}

/** Runs one compiled file in a process group of its own, so that nothing it started survives the limit. */
function runFile(compiled: string): Promise<Ending> {
  const { FORCE_COLOR: _, ...environment } = process.env;
  const child = spawn(process.execPath, ['--enable-source-maps', compiled], {
    cwd: PROJECT,
    env: { ...environment, NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  running.add(child);
  let output = '';
  let late = false;
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => {
      output += text;
    });
  }
  const timer = setTimeout(() => {
    late = true;
    killGroup(child);
  }, FILE_LIMIT_MS);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      clearTimeout(timer);
      killGroup(child);
      // What outlived the test held the pipe open; it is gone now, and the output ends.
      child.on('close', () => {
        running.delete(child);
        const how = late
          ? `did not end within ${FILE_LIMIT_MS / 60_000} minutes`
          : `ended with ${signal ?? `exit code ${code}`}`;
        resolve({ output, how, clean: code === 0 && !late });
      });
    });
  });
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

function judge({ output, how, clean }: Ending): Outcome {
  const summary = [...output.matchAll(SUMMARY)].at(-1);
  if (!summary) return { passed: 0, failed: 1, fault: `printed no summary and ${how}` };
  const [total = 0, passed = 0, skipped = 0] = summary.slice(1).map(Number);
  let fault: string | undefined;
  if (total === 0) fault = 'ran no test';
  else if (skipped > 0) fault = `skipped ${skipped} tests`;
  else if (passed !== total) fault = `${total - passed} of ${total} tests failed`;
  else if (!clean) fault = `all tests passed, but it ${how}`;
  return fault === undefined ? { passed, failed: 0 } : { passed, failed: Math.max(1, total - passed), fault };
}

async function testSource(source: string): Promise<Outcome> {
  const compiled = join(PROJECT, 'dist', source.replace(/\.ts$/, '.js'));
  const start = performance.now();
  const ending = existsSync(compiled) ? await runFile(compiled) : undefined;
  const outcome = ending ? judge(ending) : { passed: 0, failed: 1, fault: `is not compiled: ${compiled} is missing` };
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`${outcome.fault ? 'FAIL' : 'ok  '} ${source} (${outcome.passed} tests, ${seconds} s)`);
  if (outcome.fault) console.log(`${ending?.output ?? ''}\n     ${source}: ${outcome.fault}\n`);
  return outcome;
}

/** Takes from what is left until nothing is; the first lane begins with what needs root, the others leave that to it. */
async function runLane(isFirst: boolean, alone: string[], others: string[], outcomes: Outcome[]): Promise<void> {
  const next = () => (isFirst ? alone.shift() : undefined) ?? others.shift();
  for (let source = next(); source !== undefined; source = next()) outcomes.push(await testSource(source));
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    for (const child of running) killGroup(child);
    process.exit(signal === 'SIGINT' ? 130 : 143);
  });
}

const { unit, filter } = readArguments();
const outcomes: Outcome[] = [];
const sources = selectSources(unit, filter);
const alone = sources.filter((source) => NEEDS_ROOT.test(textOf(source)));
const others = sources.filter((source) => !alone.includes(source));
await Promise.all(Array.from({ length: LANES }, (_, lane) => runLane(lane === 0, alone, others, outcomes)));
const passed = outcomes.reduce((sum, outcome) => sum + outcome.passed, 0);
const failed = outcomes.reduce((sum, outcome) => sum + outcome.failed, 0);
if (outcomes.length === 0) console.log('no test file was selected');
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
