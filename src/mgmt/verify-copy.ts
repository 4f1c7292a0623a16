/** Reads a copy of the store back, in a child of low priority: management answers meanwhile. */

import { spawn } from 'node:child_process';
import { constants, setPriority } from 'node:os';
import { ManagementError } from '../state/errors.ts';
import type { StoreSummary } from '../state/verify.ts';

const EXIT_DAMAGED = 65;

/**
 * `program` is this one; `onDamage` is told why a copy is not whole, since what it was made from may not be either. The child ends with `signal`.
 * @throws ManagementError operation-failed for a copy that is not whole; AbortError
 */
export function verifyCopy(
  program: string,
  file: string,
  onDamage: (why: string) => void = () => undefined,
  signal?: AbortSignal,
): Promise<StoreSummary> {
  const words = [program, 'verify-store', file, '--json'];
  const child = spawn(process.execPath, words, {
    stdio: ['ignore', 'pipe', 'pipe'],
    killSignal: 'SIGKILL',
    ...(signal && { signal }),
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => {
      output += text;
    });
  }
  if (child.pid !== undefined) setPriority(child.pid, constants.priority.PRIORITY_BELOW_NORMAL);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) return resolve(JSON.parse(output) as StoreSummary);
      if (code === EXIT_DAMAGED) onDamage(output.trim());
      const message = `the copy is not whole, and so the store may be damaged: ${output.trim()}`;
      reject(new ManagementError('operation-failed', { message }));
    });
  });
}
