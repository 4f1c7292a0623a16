/** Has the disk take what was written. */

import { closeSync, fsyncSync, openSync } from 'node:fs';

/** What was written to a file, or which names a folder holds, is on the disk when it returns. @throws Error of the system */
export function syncPath(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
