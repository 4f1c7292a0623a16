/** What goes wrong with a file that a client names, as an error of RFC 6241. */

import type { ErrorTag } from '../state/errors.ts';
import { ManagementError } from '../state/errors.ts';

/** By the code of the system; another one is operation-failed. */
const TAGS: Readonly<Record<string, readonly [ErrorTag, string]>> = {
  ENOENT: ['invalid-value', 'there is none'],
  ELOOP: ['invalid-value', 'it is a link'],
  ENXIO: ['invalid-value', 'it is no plain file'],
  EACCES: ['operation-failed', 'this program may not open it'],
  EISDIR: ['invalid-value', 'it is a directory'],
  ENOSPC: ['resource-denied', 'the disk is full'],
  EDQUOT: ['resource-denied', 'the disk is full'],
};

export function fileFault(tag: ErrorTag, name: string, why: string): ManagementError {
  const info = { 'bad-element': 'url' };
  return new ManagementError(tag, { type: 'protocol', message: `file ${name}: ${why}`, info });
}

/** Throws a failure of the system as a fault of this file; another error as it is. */
export function faultOfFile(name: string): (error: unknown) => never {
  return (error) => {
    const code = error instanceof Error && 'code' in error && 'syscall' in error ? String(error.code) : undefined;
    if (code === undefined) throw error;
    const [tag, why] = TAGS[code] ?? ['operation-failed', `the system says ${code}`];
    throw fileFault(tag, name, why);
  };
}
