/** Who has a directory: one supervisor, which a file in it names, and its children, which may outlive it. */

import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const PID_FILE = 'gi4over6.pid';
const CHILD_ROLES = ['management', 'datapath'];

/**
 * Makes this process the only supervisor of the directories; returns what gives them free again.
 * @throws Error with code ALREADY_RUNNING
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

/** First line: process; second: what tells it from a later process of the same number. */
function claimFile(file: string, dir: string): void {
  const pid = claimantOf(dir);
  if (pid !== undefined) {
    const message = `${dir} is in use by gi4over6, process ${pid}: stop it (kill ${pid}) or choose another directory`;
    throw Object.assign(new Error(message), { code: 'ALREADY_RUNNING' });
  }
  rmSync(file, { force: true });
  writeFileSync(file, `${process.pid}\n${identityOf(process.pid)}\n`, { flag: 'wx', mode: 0o644 });
}

/** The process that has the directory now. */
export function claimantOf(dir: string): number | undefined {
  const [pid, identity] = (readIfThere(join(dir, PID_FILE)) ?? '').split('\n');
  return pid && identity && identity === identityOf(Number(pid)) ? Number(pid) : undefined;
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

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
