/** The way into the datapath process: its worker threads are made first, then the rest is loaded beside them. */

import { makeEarlyThreads } from './early-threads.ts';
import type { DatapathOptions } from './process.ts';

/** As `runDatapath`. */
export async function startDatapath(options: DatapathOptions): Promise<void> {
  makeEarlyThreads(options.queues);
  const { runDatapath } = await import('./process.ts');
  await runDatapath(options);
}
