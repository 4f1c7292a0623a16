/**
 * A disk that takes no change: what is said of it, and when it takes changes again.
 *
 *   1. a write fails: from now on the store is not writable, which the status and an alarm say
 *   2. every few seconds a write that changes nothing is tried, so that nobody's edit is needed to find out
 *   3. any write that succeeds ends it
 */

import { statfsSync } from 'node:fs';
import { getSystemErrorMap } from 'node:util';
import type { Tell } from './compaction.ts';

const TRY_MS = 5_000;
/** Less room than this is none. */
const FULL_OCTETS = 65_536;

/** Of an error of the system or of LMDB: the system's code and what it means, without what the library adds. */
export function systemFault(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  for (const [number, [name, meaning]] of getSystemErrorMap()) {
    // LMDB gives errno as a number, node the name.
    if (code === name || code === -number) return `${name}: ${meaning}`;
  }
  return typeof code === 'string' || typeof code === 'number' ? `error ${code}` : 'an error without a code';
}

/** What `systemFault` says of EIO. */
const IO_FAULT = systemFault(Object.assign(new Error('EIO'), { code: 'EIO' }));
const FULL = Object.assign(new Error('the disk is full'), { code: 'ENOSPC' });

function isFull(dir: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(dir);
    return bavail * bsize < FULL_OCTETS;
  } catch {
    return false;
  }
}

export interface DiskCareParts {
  readonly dir: string;
  /** A small write that changes nothing. */
  readonly attempt: () => Promise<unknown>;
  readonly tell: Tell;
  /** Between two attempts, in milliseconds. */
  readonly tryMs?: number;
}

export class DiskCare {
  readonly #parts: DiskCareParts;
  #fault = '';
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(parts: DiskCareParts) {
    this.#parts = parts;
  }

  /** A sentence while the store is not writable, '' else. */
  get problem(): string {
    const advice = 'edits are refused, reads and forwarding go on; make room on it, or see why it fails';
    return this.#fault && `The disk of ${this.#parts.dir} takes no change (${this.#fault}): ${advice}.`;
  }

  /** A write failed; gives what a client is told. */
  failed(cause: unknown): string {
    const isFirst = this.#fault === '';
    const fault = systemFault(cause);
    // A write that found room for a part of it is one of EIO to LMDB.
    this.#fault = fault === IO_FAULT && isFull(this.#parts.dir) ? systemFault(FULL) : fault;
    if (isFirst) this.#parts.tell('the store took no change: none is taken until its disk takes one again', cause);
    this.#tryLater();
    return `the store in ${this.#parts.dir} took no change (${this.#fault}): see whether its disk is full or fails`;
  }

  succeeded(): void {
    this.#fault = '';
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  #tryLater(): void {
    if (this.#timer || this.#isClosed) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      // One that fails asks for the next.
      this.#parts.attempt().catch(() => undefined);
    }, this.#parts.tryMs ?? TRY_MS);
    this.#timer.unref();
  }
}
