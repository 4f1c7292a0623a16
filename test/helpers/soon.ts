/** What holds in a moment: a worker sends a packet before it counts it, and other processes keep their state in their own time. */

import { setTimeout as sleep } from 'node:timers/promises';

const SOON_MS = 60_000;
const PAUSE_MS = 50;

/** Repeats a check until it passes. @throws What the check throws after `ms` */
export async function soon(check: () => void | Promise<void>, ms = SOON_MS): Promise<void> {
  for (const end = performance.now() + ms; ; await sleep(PAUSE_MS)) {
    try {
      return await check();
    } catch (error) {
      if (performance.now() > end) throw error;
    }
  }
}
