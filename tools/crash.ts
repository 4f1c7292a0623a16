/**
 * The long run of crashes: `node dist/tools/crash.js [--store N] [--program N] [--losses N]`. Kills of a bare store process,
 * kills of the whole program (root), and losses of power: the tests of CI, with as many as are asked for. A violation names
 * its seed and keeps the folder.
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

/** Exit code of one run. */
function runTest(file: string, variable: string, count: string): Promise<number> {
  const environment = { ...process.env, [variable]: count };
  const child = spawn(process.execPath, [join(TESTS, file)], { stdio: 'inherit', env: environment });
  return new Promise((resolve) => child.once('exit', (code) => resolve(code ?? 1)));
}

const options = Object.fromEntries(Object.keys(RUNS).map((name) => [name, { type: 'string' as const }]));
const { values } = parseArgs({ options });
const isAsked = Object.keys(values).length > 0;
for (const [name, { file, variable, count }] of Object.entries(RUNS)) {
  const wanted = values[name] ?? (isAsked ? '0' : count);
  if (!/^\d+$/.test(String(wanted))) throw new Error(`--${name} ${wanted}: expected a whole number`);
  if (Number(wanted) > 0 && (await runTest(file, variable, String(wanted))) !== 0) process.exitCode = 1;
}
