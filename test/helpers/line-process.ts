/** A child process that is driven by lines. */

import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export class LineProcess {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #exit: Promise<unknown>;

  /**
   * Starts a compiled helper of this folder; `limit` is the largest file it can write, in blocks of 512 octets,
   * `environment` is added to ours.
   */
  constructor(
    helper: string,
    args: readonly string[],
    limit = 'unlimited',
    environment: Readonly<Record<string, string>> = {},
  ) {
    const script = `trap '' XFSZ; ulimit -f ${limit}; exec "$0" "$@"`;
    const program = [process.execPath, join(import.meta.dirname, `${helper}.js`), ...args];
    this.#child = spawn('sh', ['-c', script, ...program], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, ...environment },
    });
    this.#exit = new Promise((resolve) => this.#child.once('close', resolve));
    this.#child.stdin?.on('error', () => undefined);
    if (!this.#child.stdout) throw new Error('the child has no output');
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  send(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  /** The next line; undefined at the end of the output. */
  async next(): Promise<string | undefined> {
    const { value, done } = await this.#lines.next();
    return done ? undefined : value;
  }

  /** Ends the input and waits for the end of the process. */
  async end(): Promise<void> {
    this.#child.stdin?.end();
    await this.#exit;
  }

  /** Ends the input; the process may go on. */
  endInput(): void {
    this.#child.stdin?.end();
  }

  /** How the process ended: a signal or an exit code. */
  async ending(): Promise<string> {
    await this.#exit;
    return this.#child.signalCode ?? `exit code ${this.#child.exitCode}`;
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exit;
  }
}
