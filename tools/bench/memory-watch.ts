/** The memory of management and datapath of a program while it runs, from its start on. */

import { readFileSync } from 'node:fs';

export const MEMORY_ROLES = ['management', 'datapath'] as const;
export type Memory = [management: number, datapath: number];

const LOOK_MS = 50;

/** Anonymous and shared resident memory of a process in MiB; 0 of one that has ended. */
export function residentOf(pid: number): number {
  const text = readIfThere(`/proc/${pid}/status`);
  const field = (name: string) => Number(new RegExp(`^${name}:\\s*(\\d+)`, 'm').exec(text)?.[1] ?? 0);
  return (field('RssAnon') + field('RssShmem')) / 1024;
}

/** Looks at the children of a supervisor, which may come and go meanwhile. */
export class MemoryWatch {
  readonly #supervisor: number;
  readonly #peak: Memory = [0, 0];
  readonly #timer: NodeJS.Timeout;

  /** Begins at once; the process may have no children yet. */
  constructor(supervisor: number) {
    this.#supervisor = supervisor;
    this.#look();
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
  }

  /** The most that was seen of each; 0 where there was none. */
  get peak(): Memory {
    return this.#peak;
  }

  /** Looks for the last time. */
  end(): Memory {
    clearInterval(this.#timer);
    this.#look();
    return this.#peak;
  }

  #look(): void {
    for (const pid of childrenOf(this.#supervisor)) {
      const words = readIfThere(`/proc/${pid}/cmdline`).split('\0');
      const role = MEMORY_ROLES.findIndex((name) => words.includes(name));
      if (role >= 0) this.#peak[role] = Math.max(this.#peak[role] ?? 0, residentOf(pid));
    }
  }
}

/** Those of its first thread, which starts all of them. */
function childrenOf(pid: number): number[] {
  return readIfThere(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean).map(Number);
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    // The process has ended.
    return '';
  }
}
