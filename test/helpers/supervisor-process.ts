/** Runs the supervisor with the options given as JSON; ends as the program does: one line and exit code 78 on a fault. */

import type { RunOptions } from '../../src/supervisor.ts';
import { run } from '../../src/supervisor.ts';

try {
  process.exitCode = await run(JSON.parse(process.argv[2] ?? '') as RunOptions);
} catch (error) {
  if (!(error instanceof Error && 'code' in error)) throw error;
  process.stdout.write(`${error.code}: ${error.message}\n`);
  process.exitCode = 78;
}
