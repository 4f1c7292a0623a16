/** A tool that is interrupted ends what it has started all the same: the newest first, as it would itself. */

import { constants } from 'node:os';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

type Ending = () => void | Promise<void>;

const endings = new Set<Ending>();

/** Has `end` called when the process is told to end before `forget`, the answer, was called. It must not rely on anything newer. */
export function onInterrupt(end: Ending): () => void {
  endings.add(end);
  return () => endings.delete(end);
}

/** From now on a signal ends the process with the exit code of a shell, once the endings are through. */
export function endWhenInterrupted(): void {
  let isEnding = false;
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      if (!isEnding) void endAll().finally(() => process.exit(128 + constants.signals[signal]));
      isEnding = true;
    });
  }
}

/** From now on a signal ends the process at once. */
export function endAtOnce(): void {
  for (const signal of SIGNALS) process.removeAllListeners(signal);
}

async function endAll(): Promise<void> {
  for (const end of [...endings].reverse()) {
    try {
      await end();
    } catch (error) {
      process.stderr.write(`not ended: ${error instanceof Error ? error.message : String(error)}\n`);
    }
  }
}
