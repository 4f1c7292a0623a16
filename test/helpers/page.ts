/**
 * Pages of docs/ that show commands with what they print: a block of `sh`, and behind it, when it prints something, one of `text`. A
 * block of `sh start` is what a reader does before.
 */

import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Step {
  readonly commands: string;
  /** What the page says they print. */
  readonly shown: string;
}

export interface Page {
  readonly start: readonly string[];
  readonly steps: readonly Step[];
}

const BLOCK = /^```(sh start|sh|text)\n([\s\S]*?)^```$/gm;

/** @throws Error for an output without commands, or a page without any */
export function readPage(text: string): Page {
  const start: string[] = [];
  const steps: Step[] = [];
  for (const [, kind, content = ''] of text.matchAll(BLOCK)) {
    const last = steps[steps.length - 1];
    if (kind === 'sh start') start.push(...content.trim().split('\n'));
    else if (kind === 'sh') steps.push({ commands: content, shown: '' });
    else if (last?.shown === '') steps[steps.length - 1] = { ...last, shown: content };
    else throw new Error(`output without commands: ${content}`);
  }
  if (steps.length === 0) throw new Error('there are no commands');
  return { start, steps };
}

/** What each step prints, all in one shell that begins in `dir`. @throws Error when it does not end by itself within `ms` */
export function runSteps(steps: readonly Step[], dir: string, ms: number): Promise<string[]> {
  const mark = 'end-of-the-step-b1946ac9';
  const script = steps.map(({ commands }) => `${commands}\necho ${mark}\n`).join('');
  // A file: some programs refuse to write to a pipe of Node, which does not block.
  const file = join(dir, 'output');
  const output = openSync(file, 'w');
  const shell = spawn('bash', ['-c', script], { cwd: dir, stdio: ['ignore', output, output] });
  closeSync(output);
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => shell.kill('SIGKILL'), ms);
    shell.once('close', (code) => {
      clearTimeout(timer);
      const text = readFileSync(file, 'utf8');
      const parts = text.split(`${mark}\n`).slice(0, -1);
      if (code === 0 && parts.length === steps.length) resolve(parts);
      else reject(new Error(`the shell ended with ${code}, after ${text}`));
    });
  });
}

/** What differs from run to run. */
const VARYING: readonly (readonly [RegExp, string])[] = [
  [/\r/g, ''],
  [/^date: .*\n/gim, ''],
  [/^(last-modified: ).*/gim, '$1TIME'],
  [/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)/g, 'TIME'],
  [/(\\?")[0-9a-z]+-[0-9a-z]{8}\\?"/g, '$1TAG$1'],
  [/"(version|content-hash|applied-version)":"[^"]*"/g, '"$1":"VARYING"'],
  [/[ \t]+$/gm, ''],
];

/** A text with everything that varies replaced by a word for it. */
export function masked(text: string): string {
  return VARYING.reduce((result, [pattern, word]) => result.replace(pattern, word), text).trim();
}
