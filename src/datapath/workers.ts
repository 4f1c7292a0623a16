/** The worker threads of one role: started together, stopped together, and never one missing unnoticed. */

import { Worker } from 'node:worker_threads';
import type { ForwardingMemory } from './forwarding.ts';
import { wakeTunDevice } from './tun-device.ts';
import type { WorkerOptions, WorkerReady } from './worker.ts';

export interface WorkersOptions {
  /** Name of the TUN device. */
  readonly device: string;
  readonly memory: ForwardingMemory;
  /** Open descriptors of /dev/net/tun, one a worker; a worker without one opens the file itself. */
  readonly descriptors: readonly number[];
  /** Whether the kernel may leave segmentation and checksums to the workers, and they to the kernel. */
  readonly offloads: boolean;
  /** A worker has ended that was not asked to. */
  readonly onCrash: (error: Error) => void;
}

export class Workers {
  readonly #wakeDescriptors: readonly number[];
  readonly #stop: Int32Array;
  readonly #ended: Promise<unknown>;

  private constructor(threads: readonly Worker[], wakeDescriptors: readonly number[], stop: Int32Array) {
    this.#wakeDescriptors = wakeDescriptors;
    this.#stop = stop;
    this.#ended = Promise.all(threads.map((thread) => new Promise((resolve) => thread.once('exit', resolve))));
  }

  /**
   * Starts one thread for each worker of the memory; resolves when all have their queue. @throws what opening a queue
   * throws
   */
  static async start({ device, memory, descriptors, offloads, onCrash }: WorkersOptions): Promise<Workers> {
    const stop = new SharedArrayBuffer(4);
    const stopWord = new Int32Array(stop);
    const threads = Array.from({ length: memory.workers }, (_, worker) => {
      const descriptor = descriptors[worker];
      const workerData: WorkerOptions = { device, memory, worker, stop, descriptor, offloads };
      return new Worker(new URL('./worker.js', import.meta.url), { workerData });
    });
    const ready = await Promise.all(threads.map(readiness));
    for (const thread of threads) {
      thread.on('error', onCrash);
      thread.on('exit', () => {
        if (Atomics.load(stopWord, 0) === 0) onCrash(new Error(`a worker of ${device} has ended`));
      });
    }
    return new Workers(
      threads,
      ready.map(({ wakeDescriptor }) => wakeDescriptor),
      stopWord,
    );
  }

  /** Ends the threads at their next batch boundary; resolves when all queues are closed. */
  async stop(): Promise<void> {
    Atomics.store(this.#stop, 0, 1);
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
