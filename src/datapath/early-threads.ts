/**
 * Worker threads that are made before anything else of the datapath is loaded, so that on another core they load what they need
 * meanwhile. They belong to no role yet. Loads nothing itself.
 */

import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';

let early: Worker[] = [];

/** Makes as many as there are queues, and cores beside that of this thread. While they only wait they do not keep the process. */
export function makeEarlyThreads(queues: number): void {
  const count = Math.min(queues, Math.max(1, availableParallelism() - 1));
  early = Array.from({ length: count }, makeThread);
}

/** One that was made early and is not taken yet, or a new one. It does nothing before it gets its options as a message. */
export function takeThread(): Worker {
  return early.shift() ?? makeThread();
}

function makeThread(): Worker {
  const thread = new Worker(new URL('./worker.js', import.meta.url));
  thread.unref();
  return thread;
}
