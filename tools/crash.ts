/**
 * The long run of crashes: `node dist/tools/crash.js [--store N] [--program N] [--losses N] [--seed S]`. Kills of a
 * bare store process, kills of the whole program (root), and losses of power: the tests of CI, with as many as are asked for.
 * A violation names its kill and seed and keeps the folder; the last line says what was held and what was not.
 */

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const TESTS = join(import.meta.dirname, '../test');

/** Test file and the variable that says how many, by option; what a run without options does. */
const RUNS = {
  store: { file: 'state/store-kills.test.js', variable: 'GI4OVER6_KILLS', count: '10000' },
  program: { file: 'e2e/program-kills.test.js', variable: 'GI4OVER6_PROGRAM_KILLS', count: '300' },
  losses: { file: 'state/power-loss.test.js', variable: 'GI4OVER6_LOSSES', count: '2000' },
} as const;

function wholeNumber(name: string, text: unknown): number {
  if (!/^\d+$/.test(String(text))) throw new Error(`--${name} ${text}: expected a whole number`);
  return Number(text);
}

/** Exit code of one run. */
function runTest(file: string, environment: Readonly<Record<string, string>>): Promise<number> {
  const child = spawn(process.execPath, [join(TESTS, file)], {
    stdio: 'inherit',
    env: { ...process.env, ...environment },
  });
  return new Promise((resolve) => child.once('exit', (code) => resolve(code ?? 1)));
}

const names = [...Object.keys(RUNS), 'seed'];
const { values } = parseArgs({ options: Object.fromEntries(names.map((name) => [name, { type: 'string' as const }])) });
const isAsked = Object.keys(RUNS).some((name) => values[name] !== undefined);
const seed = wholeNumber('seed', values.seed ?? Date.now() % 2 ** 32);
console.log(`seed ${seed}`);
const results: string[] = [];
for (const [name, { file, variable, count }] of Object.entries(RUNS)) {
  const wanted = wholeNumber(name, values[name] ?? (isAsked ? '0' : count));
  if (wanted === 0) continue;
  const code = await runTest(file, { [variable]: `${wanted}`, GI4OVER6_SEED: `${seed}` });
  results.push(`${name} ${wanted} ${code === 0 ? 'without a violation' : 'VIOLATED'}`);
  if (code !== 0) process.exitCode = 1;
}
console.log(`seed ${seed}: ${results.join(', ')}`);
