/**
 * Compares passwords with hashes in worker threads, so that the milliseconds a hash takes never stop the event loop.
 * Threads start with the first task, do not keep the process alive, and are replaced when they die.
 */

import { Worker } from 'node:worker_threads';

export interface PasswordTask {
  readonly id: number;
  readonly password: string;
  readonly hash: string;
}

export interface PasswordVerdict {
  readonly id: number;
  readonly matches: boolean;
}

const WORKERS = 2;
/** Tasks waiting or in work; one more is not judged. At 15 ms each this is half a second of waiting. */
const MAX_TASKS = 64;

interface Thread {
  readonly worker: Worker;
  readonly tasks: Map<number, (matches: boolean | undefined) => void>;
}

export class PasswordPool {
  readonly #threads: Thread[] = [];
  readonly #maxTasks: number;
  #lastId = 0;

  constructor(maxTasks = MAX_TASKS) {
    this.#maxTasks = maxTasks;
  }

  /** Whether the password has this hash; undefined when the pool is overloaded or the thread died. */
  matches(password: string, hash: string): Promise<boolean | undefined> {
    const thread = this.#freest();
    if (thread.tasks.size * WORKERS >= this.#maxTasks) return Promise.resolve(undefined);
    const id = ++this.#lastId;
    return new Promise((resolve) => {
      if (thread.tasks.size === 0) thread.worker.ref();
      thread.tasks.set(id, resolve);
      const task: PasswordTask = { id, password, hash };
      thread.worker.postMessage(task);
    });
  }

  async close(): Promise<void> {
    await Promise.all(this.#threads.splice(0).map(({ worker }) => worker.terminate()));
  }

  #freest(): Thread {
    const [free] = [...this.#threads].sort((a, b) => a.tasks.size - b.tasks.size);
    return free && (free.tasks.size === 0 || this.#threads.length >= WORKERS) ? free : this.#start();
  }

  #start(): Thread {
    const worker = new Worker(new URL('./password-worker.js', import.meta.url));
    const thread: Thread = { worker, tasks: new Map() };
    worker.unref();
    worker.on('message', ({ id, matches }: PasswordVerdict) => {
      const resolve = thread.tasks.get(id);
      thread.tasks.delete(id);
      if (thread.tasks.size === 0) worker.unref();
      resolve?.(matches);
    });
    // An error is followed by exit; without a listener it would end the process.
    worker.on('error', () => undefined);
    worker.on('exit', () => {
      const at = this.#threads.indexOf(thread);
      if (at >= 0) this.#threads.splice(at, 1);
      for (const resolve of thread.tasks.values()) resolve(undefined);
      thread.tasks.clear();
    });
    this.#threads.push(thread);
    return thread;
  }
}
