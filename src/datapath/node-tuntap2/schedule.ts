/** How soon a thread comes when it wakes. */

import { native } from './native.ts';

/**
 * Asks the kernel for slices of so many nanoseconds (100,000 to 100,000,000) for the calling thread: its share of a core stays, but what runs there
 * when it wakes gives way at once (sched_setattr(2), Linux 6.12). Needs no right. False when the kernel does not take it, and all is as
 * before. @throws Error code ADDON_MISSING
 */
export function shortenSlice(nanoseconds: number): boolean {
  return native().shortenSlice(nanoseconds);
}
