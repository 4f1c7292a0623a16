/** A helper process of a bench: says when it is ready, works until its input ends, and then writes one line. */

import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export class LineChild {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  /** What it said when it was ready. */
  readonly firstLine: string;

  private constructor(child: ChildProcess, lines: AsyncIterator<string>, firstLine: string) {
    this.#child = child;
    this.#lines = lines;
    this.firstLine = firstLine;
  }

  static async start(script: string, words: readonly string[]): Promise<LineChild> {
    const child = spawn(process.execPath, [script, ...words], { stdio: ['pipe', 'pipe', 'inherit'] });
    if (!child.stdout) throw new Error('the child has no output');
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const { value } = await lines.next();
    return new LineChild(child, lines, value ?? '');
  }

  /** 0 when it could not be started. */
  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Ends its work; its line. */
  async end(): Promise<string> {
    this.#child.stdin?.end();
    const { value } = await this.#lines.next();
    return value ?? '';
  }
}
