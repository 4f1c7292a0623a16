/** Runs a test file in a network namespace of its own: the first start re-executes the file under `unshare --net`. */

import { spawnSync } from 'node:child_process';

const MARK = 'GI4OVER6_OWN_NETWORK';

/** Returns in the new namespace; in the process that was started outside it never returns. */
export function enterOwnNetwork(): void {
  if (process.env[MARK] === '1') return;
  const words = ['--net', '--', process.execPath, ...process.argv.slice(1)];
  const result = spawnSync('unshare', words, { stdio: 'inherit', env: { ...process.env, [MARK]: '1' } });
  process.exit(result.status ?? 1);
}
