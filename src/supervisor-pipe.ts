/**
 * What the datapath tells the supervisor: records of four octets in a pipe, little-endian. 0 says that it has settled. Every other is the number of a
 * worker thread, to be put before the other threads of its process, which needs CAP_SYS_NICE: the supervisor has it and the datapath has not.
 */

import { existsSync, readlinkSync, writeSync } from 'node:fs';
import { basename } from 'node:path';
import type { Readable } from 'node:stream';

const RECORD_OCTETS = 4;
const SETTLED = 0;

/** There is no more hurry: management need not be held back. */
export function tellSettled(descriptor: number | undefined): void {
  write(descriptor, SETTLED);
}

/** The calling thread forwards packets. */
export function tellForwarding(descriptor: number | undefined): void {
  write(descriptor, Number(basename(readlinkSync('/proc/thread-self'))));
}

function write(descriptor: number | undefined, value: number): void {
  if (descriptor === undefined) return;
  const record = Buffer.alloc(RECORD_OCTETS);
  record.writeInt32LE(value);
  try {
    writeSync(descriptor, record);
  } catch {
    // The supervisor is no more, and the next one ends this process.
  }
}

export interface PipeListener {
  /** Also when the process has ended. */
  readonly onSettled: () => void;
  /** A thread of the process, and of no other. */
  readonly onForwarding: (thread: number) => void;
}

/** Reads what the process `pid` tells, of which no more than `threads` threads count: it may be in a stranger's hands. Does not keep this process. */
export function readSupervisorPipe(
  pipe: Readable,
  pid: number,
  threads: number,
  { onSettled, onForwarding }: PipeListener,
): void {
  let left = threads;
  let rest = Buffer.alloc(0);
  pipe.on('data', (octets: Buffer) => {
    rest = Buffer.concat([rest, octets]);
    for (; rest.length >= RECORD_OCTETS; rest = rest.subarray(RECORD_OCTETS)) {
      const value = rest.readInt32LE();
      if (value === SETTLED) onSettled();
      else if (left-- <= 0) pipe.destroy();
      else if (existsSync(`/proc/${pid}/task/${value}`)) onForwarding(value);
    }
  });
  pipe.once('close', onSettled).once('error', onSettled);
}
