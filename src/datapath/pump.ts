/** Packets of one device through the engine, a batch at a time, until none waits. */

import type { Batch } from './batch.ts';
import { OUTPUT_WORDS } from './batch.ts';
import { Counters } from './counters.ts';
import { Engine } from './engine.ts';
import { Epochs } from './epochs.ts';
import type { ForwardingMemory } from './forwarding.ts';
import type { PacketDevice } from './packet-device.ts';
import { DROP_WRITE_FAILED, FIRST_DROP } from './verdict.ts';
import { Watch } from './watch.ts';

export class Pump {
  readonly #device: PacketDevice;
  readonly #worker: number;
  readonly #engine: Engine;
  readonly #counters: Counters;
  readonly #epochs: Epochs;
  readonly #watch: Watch;

  /** For worker number `worker` of those that share `memory`. */
  constructor(device: PacketDevice, memory: ForwardingMemory, worker: number) {
    this.#device = device;
    this.#worker = worker;
    this.#engine = new Engine(memory.engine, device.batch.capacity, worker);
    this.#counters = new Counters(memory.workers, memory.counters);
    this.#epochs = new Epochs(memory.workers, memory.epochs);
    this.#watch = new Watch(memory.workers, memory.watch);
  }

  /**
   * Forwards one batch if packets wait; false when none did. A batch is decided and sent between two batch boundaries,
   * so that when a commit has been applied nothing is sent any more by what was before it.
   */
  forwardBatch(): boolean {
    const { batch } = this.#device;
    if (this.#device.readBatch() === 0) return false;
    this.#epochs.enter(this.#worker);
    batch.nowMs = performance.now();
    const isWatched = this.#watch.keep(this.#worker, batch);
    this.#engine.process(batch);
    if (this.#device.writeBatch() < batch.outputs) markUnsent(batch);
    this.#counters.countBatch(this.#worker, batch);
    if (isWatched) this.#watch.finish(this.#worker, batch);
    this.#epochs.leave(this.#worker);
    return true;
  }
}

/** A packet whose output the kernel refused was not forwarded after all; a packet that was dropped anyway stays so. */
function markUnsent(batch: Batch): void {
  for (let slot = 0; slot < batch.outputs; slot++) {
    const owner = batch.owners[slot] ?? 0;
    const refused = (batch.output[slot * OUTPUT_WORDS + 1] ?? 0) < 0;
    if (refused && (batch.verdicts[owner] ?? 0) < FIRST_DROP) batch.verdicts[owner] = DROP_WRITE_FAILED;
  }
}
