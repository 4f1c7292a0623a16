/**
 * The long run of crashes: `node dist/tools/crash.js [--store N] [--program N] [--losses N] [--seed S]`. Kills of a
 * bare store process, kills of the whole program (root), and losses of power: the tests of CI, with as many as are asked for.
 * A violation names its kill and seed and keeps the folder; the last line says what was held and what was not.
 */

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { optionsIn, runTool, UsageError } from './usage.ts';

const TESTS = join(import.meta.dirname, '../test');

/** Test file and the variable that says how many, by option; what a run without options does. */
const RUNS = {
  store: { file: 'state/store-kills.test.js', variable: 'GI4OVER6_KILLS', count: '10000' },
  program: { file: 'e2e/program-kills.test.js', variable: 'GI4OVER6_PROGRAM_KILLS', count: '300' },
  losses: { file: 'state/power-loss.test.js', variable: 'GI4OVER6_LOSSES', count: '2000' },
} as const;

/** Kills of the bare store are in two chains, in each of which every kind is to come. */
const MIN_KILLS = 100;

/** @throws UsageError */
function wholeNumber(name: string, text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new UsageError(`--${name}: expected a whole number, got '${text}'`);
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

async function main(words: readonly string[]): Promise<void> {
  const text = { type: 'string' } as const;
  const values = optionsIn(words, { store: text, program: text, losses: text, seed: text });
  const isAsked = [values.store, values.program, values.losses].some((value) => value !== undefined);
  const seed = wholeNumber('seed', values.seed ?? `${Date.now() % 2 ** 32}`);
  const wanted = (['store', 'program', 'losses'] as const).map((name) => {
    return [name, wholeNumber(name, values[name] ?? (isAsked ? '0' : RUNS[name].count))] as const;
  });
  const [, kills = 0] = wanted[0] ?? [];
  if (kills % 2 === 1 || (kills > 0 && kills < MIN_KILLS)) {
    throw new UsageError(`--store: expected 0 or an even number from ${MIN_KILLS}, got '${kills}'`);
  }
  console.log(`seed ${seed}`);
  const results: string[] = [];
  for (const [name, count] of wanted) {
    if (count === 0) continue;
    const { file, variable } = RUNS[name];
    const code = await runTest(file, { [variable]: `${count}`, GI4OVER6_SEED: `${seed}` });
    results.push(`${name} ${count} ${code === 0 ? 'without a violation' : 'VIOLATED'}`);
    if (code !== 0) process.exitCode = 1;
  }
  console.log(`seed ${seed}: ${results.join(', ')}`);
}

await runTool(() => main(process.argv.slice(2)));
