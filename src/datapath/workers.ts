/**
 * The worker threads of one role: started together, stopped together, and never one missing unnoticed. What a thread has to load it
 * loads while the tables are read: it is made ready first, and begins when it is told.
 */

import type { Worker } from 'node:worker_threads';
import { takeThread } from './early-threads.ts';
import type { ForwardingMemory } from './forwarding.ts';
import { wakeTunDevice } from './tun-device.ts';
import type { WorkerOptions, WorkerReady } from './worker.ts';
import { BEGIN, ORDERS_OCTETS, STOP } from './worker-orders.ts';

export interface WorkersOptions {
  /** Name of the TUN device. */
  readonly device: string;
  readonly memory: ForwardingMemory;
  /** Open descriptors of /dev/net/tun, one a worker; a worker without one opens the file itself. */
  readonly descriptors: readonly number[];
  /** Whether the kernel may leave segmentation and checksums to the workers, and they to the kernel. */
  readonly offloads: boolean;
  /** Of the pipe to the supervisor, which puts the workers first. */
  readonly supervisorDescriptor?: number | undefined;
  /** A worker has ended that was not asked to. */
  readonly onCrash: (error: Error) => void;
}

/** Threads that have opened nothing yet. As long as they only wait they do not keep the process. */
export class PreparedWorkers {
  readonly #threads: readonly Worker[];
  readonly #ready: Promise<readonly WorkerReady[]>;
  readonly #orders = new Int32Array(new SharedArrayBuffer(ORDERS_OCTETS));
  readonly #device: string;
  readonly #onCrash: (error: Error) => void;

  /** Takes one thread for each worker of the memory. */
  constructor({ device, memory, descriptors, offloads, supervisorDescriptor, onCrash }: WorkersOptions) {
    this.#device = device;
    this.#onCrash = onCrash;
    this.#threads = Array.from({ length: memory.workers }, (_, worker) => {
      const { buffer: orders } = this.#orders as { buffer: SharedArrayBuffer };
      const descriptor = descriptors[worker];
      const told: WorkerOptions = { device, memory, worker, orders, descriptor, offloads, supervisorDescriptor };
      const thread = takeThread();
      thread.postMessage(told);
      return thread;
    });
    this.#ready = Promise.all(this.#threads.map(readiness));
    // Told by `start`.
    this.#ready.catch(() => undefined);
    // Whoever listens to a thread has the process wait for it again.
    for (const thread of this.#threads) thread.unref();
  }

  /** Has them begin; resolves when all have their queue. Once only. @throws what opening a queue throws */
  async start(): Promise<Workers> {
    for (const thread of this.#threads) thread.ref();
    Atomics.store(this.#orders, BEGIN, 1);
    Atomics.notify(this.#orders, BEGIN);
    const ready = await this.#ready;
    for (const thread of this.#threads) {
      thread.on('error', this.#onCrash);
      thread.on('exit', () => {
        if (Atomics.load(this.#orders, STOP) === 0) this.#onCrash(new Error(`a worker of ${this.#device} has ended`));
      });
    }
    return new Workers(this.#threads, ready, this.#orders);
  }
}

export class Workers {
  /** Whether the kernel hands UDP over in super-packets as well. */
  readonly offloadsUdp: boolean;
  readonly #wakeDescriptors: readonly number[];
  readonly #orders: Int32Array;
  readonly #ended: Promise<unknown>;

  /** Of threads that run; see PreparedWorkers. */
  constructor(threads: readonly Worker[], ready: readonly WorkerReady[], orders: Int32Array) {
    this.offloadsUdp = ready.every(({ offloadsUdp }) => offloadsUdp);
    this.#wakeDescriptors = ready.map(({ wakeDescriptor }) => wakeDescriptor);
    this.#orders = orders;
    this.#ended = Promise.all(threads.map((thread) => new Promise((resolve) => thread.once('exit', resolve))));
  }

  /** Makes threads and starts them. @throws what opening a queue throws */
  static start(options: WorkersOptions): Promise<Workers> {
    return new PreparedWorkers(options).start();
  }

  /** Ends the threads at their next batch boundary; resolves when all queues are closed. */
  async stop(): Promise<void> {
    Atomics.store(this.#orders, STOP, 1);
    for (const descriptor of this.#wakeDescriptors) wakeTunDevice(descriptor);
    await this.#ended;
  }
}

function readiness(thread: Worker): Promise<WorkerReady> {
  return new Promise((resolve, reject) => {
    thread.once('message', resolve);
    thread.once('error', reject);
  });
}
