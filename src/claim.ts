/** Who has a directory: one supervisor, which a file in it names, and its children, which may outlive it. */

import { readdirSync, readFileSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const PID_FILE = 'gi4over6.pid';
const CHILD_ROLES = ['management', 'datapath'];

/**
 * Makes this process the only supervisor of the directories; returns what gives them free again.
 * @throws Error with code ALREADY_RUNNING, or DIRECTORY for one that cannot be written
 */
export function claim(dirs: readonly string[]): () => void {
  const claimed: string[] = [];
  const release = () => {
    for (const file of claimed) rmSync(file, { force: true });
  };
  try {
    for (const dir of dirs) {
      const file = join(dir, PID_FILE);
      claimFile(file, dir);
      claimed.push(file);
    }
  } catch (error) {
    release();
    throw error;
  }
  return release;
}

/** First line: process; second: what tells it from a later process of the same number. On a full disk a link has both. */
function claimFile(file: string, dir: string): void {
  const pid = claimantOf(dir);
  if (pid !== undefined) {
    const message = `${dir} is in use by gi4over6, process ${pid}: stop it (kill ${pid}) or choose another directory`;
    throw Object.assign(new Error(message), { code: 'ALREADY_RUNNING' });
  }
  const words = [process.pid, identityOf(process.pid)];
  withAdvice(dir, () => {
    rmSync(file, { force: true });
    try {
      writeFileSync(file, `${words.join('\n')}\n`, { flag: 'wx', mode: 0o644 });
    } catch (error) {
      if (!isFull(error)) throw error;
      rmSync(file, { force: true });
      // A short link needs no block of the disk.
      symlinkSync(words.join(' '), file);
    }
  });
}

/** The process that has the directory now. */
export function claimantOf(dir: string): number | undefined {
  const file = join(dir, PID_FILE);
  const [pid, identity] = (linkIfThere(file) ?? readIfThere(file) ?? '').split(/[ \n]/);
  return pid && identity && identity === identityOf(Number(pid)) ? Number(pid) : undefined;
}

function isFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT');
}

/** Runs what writes to a directory. @throws Error with code DIRECTORY and what to do when the file system takes nothing */
export function withAdvice<Result>(dir: string, work: () => Result): Result {
  try {
    return work();
  } catch (cause) {
    throw adviceFor(dir, cause);
  }
}

/** Any other error as it is. */
export function adviceFor(dir: string, cause: unknown): unknown {
  const isReadOnly = cause instanceof Error && 'code' in cause && cause.code === 'EROFS';
  if (!isReadOnly && !isFull(cause)) return cause;
  const why = isReadOnly ? 'is on a read-only file system: mount it writable' : 'is on a full disk: make room on it';
  return Object.assign(new Error(`${dir} ${why}, or choose another directory`, { cause }), { code: 'DIRECTORY' });
}

/** Management and datapath processes over a state directory, of one user or of anybody. */
export function childrenOf(stateDir: string, uid?: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      const words = readIfThere(`/proc/${pid}/cmdline`)?.split('\0') ?? [];
      const isChild = CHILD_ROLES.some((role) => words.includes(role));
      if (!isChild || words[words.indexOf('--state-dir') + 1] !== stateDir) return false;
      return uid === undefined || readIfThere(`/proc/${pid}/status`)?.match(/^Uid:\s+(\d+)/m)?.[1] === `${uid}`;
    })
    .map(Number);
}

/** Boot and start time of a process; undefined when there is none of that number, or only its remains. */
export function identityOf(pid: number): string | undefined {
  const stat = readIfThere(`/proc/${pid}/stat`);
  // The name, in brackets, may hold anything; behind it comes the state, and the start time is the twentieth word.
  const words = stat?.slice(stat.lastIndexOf(')') + 2).split(' ') ?? [];
  const [state, startTime] = [words[0], words[19]];
  if (startTime === undefined || state === 'Z') return undefined;
  return `${readIfThere('/proc/sys/kernel/random/boot_id')?.trim()}:${startTime}`;
}

function linkIfThere(file: string): string | undefined {
  try {
    return readlinkSync(file);
  } catch {
    return undefined;
  }
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
