/** A tool that is interrupted ends what it has started all the same: the newest first, as it would itself. */

import { constants } from 'node:os';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;
/** What does not end in that time is left. */
const MOST_MS = 60_000;

type Ending = () => void | Promise<void>;

const endings = new Set<Ending>();
let isEnding = false;

/**
 * Has `end` called when the process is told to end before `forget`, the answer, was called. It must not rely on anything newer. As long
 * as there is such, a signal is heard when the process comes back to its event loop, and ends it with the exit code of a shell.
 */
export function onInterrupt(end: Ending): () => void {
  if (endings.size === 0) for (const signal of SIGNALS) process.on(signal, interrupted);
  endings.add(end);
  return () => {
    if (!endings.delete(end) || endings.size > 0) return;
    for (const signal of SIGNALS) process.removeListener(signal, interrupted);
  };
}

function interrupted(signal: NodeJS.Signals): void {
  // It may come twice, to the process and to its group.
  if (isEnding) return;
  isEnding = true;
  const exit = () => process.exit(128 + constants.signals[signal]);
  setTimeout(exit, MOST_MS);
  void endAll().finally(exit);
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
