/**
 * What the datapath tells the supervisor: records of four octets, little-endian, in a pipe that nothing comes back through. 0 says that it has settled. Every other is
 * the number of a worker thread, to be put before the other threads of its process: that needs CAP_SYS_NICE, which the datapath has not.
 */

import { existsSync, readlinkSync, writeSync } from 'node:fs';
import type { Socket } from 'node:net';
import { basename } from 'node:path';

const RECORD_OCTETS = 4;
const SETTLED = 0;
/** Of a datapath that tells more at once nothing is read any more. Each role that starts tells of its workers. */
const MOST_A_SECOND = 1_024;

/** There is no more hurry: management need not be held back. */
export function tellSettled(descriptor: number | undefined): void {
  if (descriptor !== undefined) write(descriptor, () => SETTLED);
}

/** The calling thread forwards packets. */
export function tellForwarding(descriptor: number | undefined): void {
  if (descriptor !== undefined) write(descriptor, () => Number(basename(readlinkSync('/proc/thread-self'))));
}

function write(descriptor: number, value: () => number): void {
  try {
    const record = Buffer.alloc(RECORD_OCTETS);
    record.writeInt32LE(value());
    writeSync(descriptor, record);
  } catch {
    // Nobody reads, or /proc is not there: threads stay equals, and packets are forwarded all the same.
  }
}

export interface PipeListener {
  /** Also when the pipe is closed; it may be told again. */
  readonly onSettled: () => void;
  /** A thread of the process as it is looked up, and of no other. */
  readonly onForwarding: (thread: number) => void;
}

/**
 * Reads what the process `pid` tells, until its end, when the caller is to destroy the pipe: its number may be another's then. The process may be in a stranger's
 * hands. Does not keep this one.
 */
export function readSupervisorPipe(pipe: Socket, pid: number, { onSettled, onForwarding }: PipeListener): void {
  let rest = Buffer.alloc(0);
  let [since, told] = [performance.now(), 0];
  pipe.on('data', (octets: Buffer) => {
    if (performance.now() - since > 1_000) [since, told] = [performance.now(), 0];
    rest = Buffer.concat([rest, octets]);
    for (; rest.length >= RECORD_OCTETS; rest = rest.subarray(RECORD_OCTETS)) {
      if (++told > MOST_A_SECOND) {
        pipe.destroy();
        return;
      }
      const value = rest.readInt32LE();
      if (value === SETTLED) onSettled();
      else if (existsSync(`/proc/${pid}/task/${value}`)) onForwarding(value);
    }
  });
  pipe.once('close', onSettled).once('error', onSettled);
  pipe.unref();
}
