/** The way into the datapath process: its worker threads are made first, then the rest is loaded beside them. */

import { parseArgs } from 'node:util';
import { makeEarlyThreads } from './early-threads.ts';
import { noteOtherThreads } from './other-threads.ts';
import type { DatapathOptions } from './process.ts';

/** As `runDatapath`, with options as the supervisor gives them: words of `gi4over6 run`, most of which concern management alone. */
export async function startDatapath(words: readonly string[]): Promise<void> {
  const options = optionsIn(words);
  noteOtherThreads();
  makeEarlyThreads(options.queues);
  const { runDatapath } = await import('./process.ts');
  await runDatapath(options);
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
    supervisorDescriptor: Number(process.env.GI4OVER6_SUPERVISOR_FD ?? '') || undefined,
  };
}
