/** Damage that is found while the program runs, as clients are told of it. */

import { ManagementError } from './errors.ts';
import { DamageError } from './model-values.ts';

/** What a client gets for damage of the store; undefined for any other error. */
export function damageRefusal(error: unknown): ManagementError | undefined {
  if (!(error instanceof DamageError)) return undefined;
  const advice = 'stop the program, then restore a backup with `gi4over6 restore`';
  const message = `the store is damaged (${error.message}): ${advice}`;
  return new ManagementError('operation-failed', { message });
}
