/** Pages of memory that threads share. */

import { native } from './native.ts';

/**
 * Advises the kernel to back memory, or a part of it, with huge pages where it is touched. False when it has none, and all is as before.
 * @throws Error code ADDON_MISSING
 */
export function adviseHugePages(memory: SharedArrayBuffer | Int32Array): boolean {
  return native().adviseHugePages(memory instanceof Int32Array ? memory : new Int32Array(memory));
}
