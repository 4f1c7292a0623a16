/** Users with Debian's ncclient: the scripts ncclient-*.py. */

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Management } from './management.ts';

const RUN_MS = 180_000;
const MAX_OUTPUT = 16 * 1024 * 1024;

/** What a script told, a step with its result each; the user is `admin`. @throws Error when it does not end well within three minutes */
export async function runNcclient(
  script: string,
  { netconfPort, password }: Pick<Management, 'netconfPort' | 'password'>,
): Promise<(readonly [step: string, result: unknown])[]> {
  const words = ['-B', `test/helpers/ncclient-${script}.py`, '127.0.0.1', String(netconfPort), 'admin', password];
  // Debian's python3 has ncclient; another may stand first in PATH.
  const { stdout } = await promisify(execFile)('/usr/bin/python3', words, { timeout: RUN_MS, maxBuffer: MAX_OUTPUT });
  const lines = stdout.trimEnd().split('\n');
  return lines.map((line) => JSON.parse(line) as readonly [string, unknown]);
}
