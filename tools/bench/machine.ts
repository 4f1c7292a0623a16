/** Where and of what a bench was run, and what else ran there. */

import { execFileSync } from 'node:child_process';
import { cpus, loadavg, release, totalmem } from 'node:os';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly node: string;
  /** Processes that ran or wanted to, on average of the minute before. */
  readonly load: number;
}

/** To be asked before the bench begins, whose own load is no other's. */
export function machine(): Machine {
  const [cpu] = cpus();
  return {
    cpu: cpu?.model ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 1024 ** 3),
    kernel: release(),
    node: process.version,
    load: Math.round((loadavg()[0] ?? Number.NaN) * 100) / 100,
  };
}

/** Of the repository in a folder, with `-dirty` behind it when files of it differ from it; 'unknown' where there is none. */
export function commit(cwd = process.cwd()): string {
  const git = (...words: string[]) =>
    execFileSync('git', words, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  try {
    const isClean = git('status', '--porcelain', '--untracked-files=no') === '';
    return git('rev-parse', 'HEAD') + (isClean ? '' : '-dirty');
  } catch {
    return 'unknown';
  }
}
