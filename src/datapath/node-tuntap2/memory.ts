/** Pages of memory that threads share. */

import { native } from './native.ts';

/**
 * Advises the kernel to back memory with huge pages where it is touched. False when it has none, and all is as before.
 * @throws Error code ADDON_MISSING
 */
export function adviseHugePages(memory: SharedArrayBuffer): boolean {
  return native().adviseHugePages(new Int32Array(memory));
}
