/** Worker thread that compares passwords with their hashes, one at a time; see password-pool.ts. */

import { parentPort } from 'node:worker_threads';
import { shaCryptMatches } from '../sha-crypt.ts';
import type { PasswordTask, PasswordVerdict } from './password-pool.ts';

parentPort?.on('message', ({ id, password, hash }: PasswordTask) => {
  const verdict: PasswordVerdict = { id, matches: shaCryptMatches(password, hash) };
  parentPort?.postMessage(verdict);
});
