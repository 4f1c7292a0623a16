/** What a piece of work is refused with. */

import { ManagementError } from '../../src/state/errors.ts';

/** @throws Error when nothing is refused; whatever else the work throws */
export function faultOf(work: () => unknown): ManagementError {
  try {
    work();
  } catch (error) {
    if (error instanceof ManagementError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}
