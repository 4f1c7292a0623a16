/**
 * Packets of one device through the engine, a batch at a time, until none waits.
 *
 * Worker 0 also forwards what other workers hand over (fragments), and gives up datagrams whose time is over.
 */

import type { Batch } from './batch.ts';
import { OUTPUT_WORDS } from './batch.ts';
import { Engine } from './engine.ts';
import { Epochs } from './epochs.ts';
import type { ForwardingMemory } from './forwarding.ts';
import { NO_WAKE } from './fragment-ring.ts';
import type { PacketDevice, WaitResult } from './packet-device.ts';
import { TIMEOUT } from './packet-device.ts';
import { DROP_WRITE_FAILED, FIRST_DROP } from './verdict.ts';
import { Watch } from './watch.ts';

export class Pump {
  readonly #device: PacketDevice;
  readonly #worker: number;
  readonly #engine: Engine;
  readonly #epochs: Epochs;
  readonly #watch: Watch;
  /** Of the table. */
  readonly #rows: Int32Array;
  readonly #wake: (descriptor: number) => void;

  /** For worker number `worker` of those that share `memory`; `wake` ends the wait of another worker. */
  constructor(device: PacketDevice, memory: ForwardingMemory, worker: number, wake: (descriptor: number) => void) {
    this.#device = device;
    this.#worker = worker;
    this.#engine = new Engine(memory.engine, worker);
    this.#rows = memory.engine.table.rows;
    this.#epochs = new Epochs(memory.workers, memory.epochs);
    this.#watch = new Watch(memory.workers, memory.watch);
    this.#wake = wake;
  }

  /** How this worker is woken, for those that hand over to it. */
  set wakeDescriptor(descriptor: number) {
    const { receiver } = this.#engine.fragments;
    if (receiver) receiver.wakeDescriptor = descriptor;
  }

  /** Forwards one batch of the device, and one that was handed over, as far as packets wait; false when none did. */
  forwardBatch(): boolean {
    const { batch } = this.#device;
    const { receiver } = this.#engine.fragments;
    const fromDevice = this.#device.readBatch();
    if (fromDevice > 0 || this.#engine.isDue(performance.now())) this.#forward(batch);
    const handedOver = receiver?.readBatch(batch) ?? 0;
    if (handedOver > 0) this.#forward(batch);
    return fromDevice + handedOver > 0;
  }

  /** Blocks until packets wait, for at most so many milliseconds. */
  wait(timeoutMs: number): WaitResult {
    const { receiver } = this.#engine.fragments;
    if (!receiver) return this.#device.wait(timeoutMs);
    receiver.sleeps = true;
    // Whoever has handed over before it could know of the sleep does not wake.
    const result = receiver.isEmpty() ? this.#device.wait(timeoutMs) : TIMEOUT;
    receiver.sleeps = false;
    return result;
  }

  /**
   * A batch is decided and sent between two batch boundaries, so that when a commit has been applied nothing is sent any
   * more by what was before it.
   */
  #forward(batch: Batch): void {
    this.#epochs.enter(this.#worker);
    batch.nowMs = performance.now();
    const isWatched = this.#watch.keep(this.#worker, batch);
    this.#engine.process(batch);
    if (this.#device.writeBatch() < batch.outputs) markUnsent(batch);
    this.#engine.count(batch);
    if (isWatched) this.#watch.finish(this.#worker, batch, this.#rows);
    this.#epochs.leave(this.#worker);
    const sleeper = this.#engine.fragments.publish();
    if (sleeper !== NO_WAKE) this.#wake(sleeper);
  }
}

/** A packet whose output the kernel refused was not forwarded after all; a packet that was dropped anyway stays so. */
function markUnsent(batch: Batch): void {
  for (let slot = 0; slot < batch.outputs; slot++) {
    const owner = batch.owners[slot] ?? 0;
    if (owner < 0) continue;
    const refused = (batch.output[slot * OUTPUT_WORDS + 1] ?? 0) < 0;
    if (refused && (batch.verdicts[owner] ?? 0) < FIRST_DROP) batch.verdicts[owner] = DROP_WRITE_FAILED;
  }
}
