/** The way into the datapath process: its worker threads are made first, then the rest is loaded beside them. */

import { readdirSync } from 'node:fs';
import { constants, getPriority, setPriority } from 'node:os';
import { parseArgs } from 'node:util';
import { makeEarlyThreads } from './early-threads.ts';
import type { DatapathOptions } from './process.ts';

/** Niceness that threads which are not ours are behind those that forward and follow. */
const OTHERS_BEHIND = 10;

/** As `runDatapath`, with options as the supervisor gives them: words of `gi4over6 run`, most of which concern management alone. */
export async function startDatapath(words: readonly string[]): Promise<void> {
  const options = optionsIn(words);
  putOthersBehind();
  makeEarlyThreads(options.queues);
  const { runDatapath } = await import('./process.ts');
  await runDatapath(options);
}

/**
 * The threads that are there before any of ours: V8 compiles in them, and Node.js reads files and starts programs, which inherit it. As equals of a
 * worker on its core each would have 4 ms at a time, from tick to tick, and a few of them more than its queue holds.
 */
function putOthersBehind(): void {
  const niceness = Math.min(constants.priority.PRIORITY_LOW, getPriority() + OTHERS_BEHIND);
  for (const thread of readdirSync('/proc/self/task').map(Number)) {
    if (thread === process.pid) continue;
    try {
      setPriority(thread, niceness);
    } catch {
      // It has ended, or stays an equal.
    }
  }
}

function optionsIn(words: readonly string[]): DatapathOptions {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    args: [...words],
    options: { 'state-dir': text, 'run-dir': text, queues: { ...text, default: '1' }, offloads: { type: 'boolean' } },
    strict: false,
  });
  const { 'state-dir': stateDir, 'run-dir': runDir, queues, offloads } = values;
  if (typeof stateDir !== 'string' || typeof runDir !== 'string') {
    throw new Error('datapath: expected --state-dir and --run-dir, as `gi4over6 run` gives them');
  }
  return {
    ...{ stateDir, runDir, queues: Number(queues), offloads: offloads === true },
    tunDescriptors: (process.env.GI4OVER6_TUN_FDS ?? '').split(',').filter(Boolean).map(Number),
    settledDescriptor: Number(process.env.GI4OVER6_SETTLED_FD ?? '') || undefined,
  };
}
