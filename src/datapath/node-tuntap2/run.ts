/** Programs that are run to their end, from a process whose other threads must not wait for it. */

import { getSystemErrorName } from 'node:util';
import { native } from './native.ts';

/** A program that hangs keeps a thread of the pool. */
const MOST_MS = 60_000;

export interface ProgramEnd {
  /** -1 when a signal ended it. */
  readonly code: number;
  readonly output: string;
  readonly errors: string;
}

/**
 * Runs the program at the path that is the first word, with `input` as its input. It gets no other descriptors than the three, and
 * memory is not copied for it: `spawn` of Node.js forks, which holds up each thread that writes to memory, the longer the more is in use.
 * After `mostMs` it is killed.
 * @throws RangeError without a word; Error code ADDON_MISSING; Error with the code of the system when the program cannot be started
 */
export async function runProgram(
  words: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
  input: string,
  mostMs = MOST_MS,
): Promise<ProgramEnd> {
  if (words.length === 0) throw new RangeError('runProgram: expected the path of a program and its words, found none');
  const variables = Object.entries(environment).filter(([, value]) => value !== undefined);
  const settings = variables.map(([name, value]) => `${name}=${value}`);
  const { error, code, output, errors } = await native().run(words, settings, input, mostMs);
  if (error !== 0) {
    const name = getSystemErrorName(-error);
    throw Object.assign(new Error(`${words[0]} cannot be started: ${name}`), { code: name, syscall: 'posix_spawn' });
  }
  return { code, output, errors };
}
