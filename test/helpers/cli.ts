/** The command line as a user runs it. */

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';

export const PROGRAM = fileURLToPath(new URL('../../src/main.js', import.meta.url));

export interface Ending {
  readonly code: number | null;
  readonly output: string;
  readonly errors: string;
}

export function run(words: readonly string[], input = ''): Promise<Ending> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [PROGRAM, ...words], { stdio: ['pipe', 'pipe', 'pipe'] });
    const texts = { output: '', errors: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      texts.output += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      texts.errors += text;
    });
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, ...texts }));
  });
}

export interface CommandLine {
  /** Any command. */
  gi(...words: string[]): Promise<Ending>;
  /** A command that must succeed; its output. */
  ok(...words: string[]): Promise<string>;
  /** A command that must be refused with one line; that line. */
  refused(code: number, ...words: string[]): Promise<string>;
}

/** Commands on the management process behind a socket. */
export function commandLine(socket: string): CommandLine {
  const gi = (...words: string[]) => run([...words, '--socket', socket]);
  return {
    gi,
    ok: async (...words) => {
      const { code, output, errors } = await gi(...words);
      assert.is(code, 0, `${words.join(' ')}: ${errors}`);
      assert.is(errors, '');
      return output;
    },
    refused: async (code, ...words) => {
      const ending = await gi(...words);
      assert.is(ending.code, code, `${words.join(' ')}: ${ending.output}${ending.errors}`);
      assert.is(ending.errors.trimEnd().split('\n').length, 1, ending.errors);
      return ending.errors;
    },
  };
}
