/**
 * A worker thread of the bench of cores: a queue of a device as a worker of the program has it, but it begins when it is told, and
 * ends a turn when nothing waits. What it shares with the bench: a word that counts its turns up, one that follows when a turn is
 * done, how many packets it took, whether the bare loop takes the engine's place, and when it began and ended (nanoseconds of the
 * monotonic clock).
 */

import { readlinkSync } from 'node:fs';
import { basename } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { allocateIn } from '../../src/datapath/arena.ts';
import { Batch } from '../../src/datapath/batch.ts';
import type { ForwardingMemory } from '../../src/datapath/forwarding.ts';
import type { PacketDevice } from '../../src/datapath/packet-device.ts';
import { STRIDE } from '../../src/datapath/packet-device.ts';
import { Pump } from '../../src/datapath/pump.ts';
import { TunDevice } from '../../src/datapath/tun-device.ts';
import { loadBaseline } from './baseline.ts';

export interface CoresWorkerData {
  readonly device: string;
  readonly memory: ForwardingMemory;
  readonly worker: number;
  /** Four words: told, done, packets, bare. */
  readonly words: SharedArrayBuffer;
  /** What went wrong, in UTF-8 up to a zero: the bench waits for words, and no event reaches it meanwhile. */
  readonly fault: SharedArrayBuffer;
  readonly times: SharedArrayBuffer;
}

export const [TOLD, DONE, PACKETS, IS_BARE] = [0, 1, 2, 3];
export const [BEGAN, ENDED] = [0, 1];
/** In place of a turn: the worker is to end. */
export const END = -1;

/** As a worker has it. */
const BATCH = 64;

function run(data: CoresWorkerData): void {
  try {
    forward(data);
  } catch (error) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    const octets = new Uint8Array(data.fault);
    octets.set(Buffer.from(text).subarray(0, octets.length - 1));
    const words = new Int32Array(data.words);
    Atomics.add(words, DONE, 1);
    Atomics.notify(words, DONE);
    throw error;
  }
}

function forward({ device: name, memory, worker, words: shared, times: sharedTimes }: CoresWorkerData): void {
  const room = memory.rooms[worker];
  if (!room) throw new RangeError(`cores: there is no worker of number ${worker}`);
  const device = TunDevice.open({ name }, new Batch(BATCH, STRIDE, 0, allocateIn(room)));
  let packets = 0;
  const counting: PacketDevice = {
    batch: device.batch,
    readBatch: () => {
      const count = device.readBatch();
      packets += count;
      return count;
    },
    writeBatch: () => device.writeBatch(),
    wait: (timeoutMs) => device.wait(timeoutMs),
    close: () => device.close(),
  };
  const pump = new Pump(counting, memory, worker, () => undefined);
  const baseline = loadBaseline();
  const words = new Int32Array(shared);
  const times = new BigInt64Array(sharedTimes);
  // The number that the kernel knows this thread by.
  parentPort?.postMessage(Number(basename(readlinkSync('/proc/thread-self'))));
  for (let turn = 0; ; turn++) {
    Atomics.wait(words, TOLD, turn);
    if (Atomics.load(words, TOLD) === END) break;
    times[BEGAN] = process.hrtime.bigint();
    packets = 0;
    if (words[IS_BARE] === 1) packets = baseline.copy(device.descriptor);
    else while (pump.forwardBatch());
    times[ENDED] = process.hrtime.bigint();
    words[PACKETS] = packets;
    Atomics.add(words, DONE, 1);
    Atomics.notify(words, DONE);
  }
  device.close();
}

if (parentPort) run(workerData as CoresWorkerData);
