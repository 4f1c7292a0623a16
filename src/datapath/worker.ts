/**
 * A worker thread: one queue of a TUN device. Its only message says which; it begins when a word in shared memory tells it to. It blocks in
 * the native wait, so it has no timers and no more messages; it is stopped by another word and a wake.
 */

import { parentPort } from 'node:worker_threads';
import { tellForwarding } from '../supervisor-pipe.ts';
import { allocateIn } from './arena.ts';
import type { ForwardingMemory } from './forwarding.ts';
import { Pump } from './pump.ts';
import { openTun, shortenSlice, wakeTunDevice } from './tun-device.ts';
import { BEGIN, STOP } from './worker-orders.ts';

/** What a worker is told. */
export interface WorkerOptions {
  readonly device: string;
  readonly descriptor: number | undefined;
  /** Whether the kernel may hand over, and be handed, super-packets. */
  readonly offloads: boolean;
  readonly worker: number;
  readonly memory: ForwardingMemory;
  /** Of the pipe to the supervisor. */
  readonly supervisorDescriptor: number | undefined;
  /** Words of worker-orders.ts. */
  readonly orders: SharedArrayBuffer;
}

/** The one message a worker sends: it is ready, how it is woken, and whether its queue has offloads of UDP, too. */
export interface WorkerReady {
  readonly wakeDescriptor: number;
  readonly offloadsUdp: boolean;
}

/** Larger batches gain nothing over a TUN device and cost cache. */
const BATCH = 64;
/** A wake that is lost delays the end by no more than this. */
const WAIT_MS = 500;
/**
 * The shortest that Linux takes. A worker sleeps whenever its queue is empty, some thousand times a second; with an ordinary slice what runs on its core
 * meanwhile may go on until the next tick, 4 ms, in which 500 packets and more come.
 */
const SLICE_NS = 100_000;

function run(options: WorkerOptions): void {
  const { descriptor, offloads, memory, worker } = options;
  const orders = new Int32Array(options.orders);
  Atomics.wait(orders, BEGIN, 0);
  const room = memory.rooms[worker];
  if (!room) throw new RangeError(`worker: there is none of number ${worker}`);
  const queue = { name: options.device, descriptor, offloads };
  shortenSlice(SLICE_NS);
  const { device, wakeDescriptor, offloadsUdp } = openTun(queue, BATCH, allocateIn(room));
  tellForwarding(options.supervisorDescriptor);
  const pump = new Pump(device, memory, worker, wakeTunDevice);
  pump.wakeDescriptor = wakeDescriptor;
  const ready: WorkerReady = { wakeDescriptor, offloadsUdp };
  parentPort?.postMessage(ready);
  while (Atomics.load(orders, STOP) === 0) if (!pump.forwardBatch()) pump.wait(WAIT_MS);
  device.close();
}

parentPort?.once('message', run);
