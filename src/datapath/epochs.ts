/**
 * Batch boundaries of the workers, in shared memory: when a freed row may be used again, and how a commit gets a moment
 * in which no packet is decided.
 *
 *     word 0: epoch    word 1: 1 while workers are held at their boundary    word 2 + n: worker n
 *
 * Epochs count from 0 to LAST_EPOCH and begin anew: a thousand retired rows a second come round in 24 days, and no batch lasts
 * a tenth of that. A worker's word is the epoch in which its batch began, or OUTSIDE between batches. What the writer unlinked in epoch
 * e is free once every worker is outside or began its batch after e. All words are accessed with Atomics, whose order
 * is the same for all threads: a worker that writes its word after the writer looked also reads the table after it.
 */

const EPOCH = 0;
const HELD = 1;
const FIRST_WORKER = 2;
const OUTSIDE = 0x7fffffff;
const LAST_EPOCH = 0x7ffffffe;
const HALF = 0x4000_0000;

export class Epochs {
  readonly memory: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #workers: number;

  /** For `workers` workers; `memory` is that of another thread's Epochs, or new memory with nobody in a batch. */
  constructor(workers: number, memory?: SharedArrayBuffer) {
    this.memory = memory ?? new SharedArrayBuffer((FIRST_WORKER + workers) * 4);
    this.#words = new Int32Array(this.memory);
    this.#workers = workers;
    if (!memory) this.#words.fill(OUTSIDE, FIRST_WORKER);
  }

  /** Worker: a batch begins. Blocks while a commit holds the workers. */
  enter(worker: number): void {
    const words = this.#words;
    for (;;) {
      Atomics.store(words, FIRST_WORKER + worker, Atomics.load(words, EPOCH));
      if (Atomics.load(words, HELD) === 0) return;
      this.leave(worker);
      Atomics.wait(words, HELD, 1);
    }
  }

  /** Worker: a batch has ended. */
  leave(worker: number): void {
    Atomics.store(this.#words, FIRST_WORKER + worker, OUTSIDE);
    if (Atomics.load(this.#words, HELD) !== 0) Atomics.notify(this.#words, FIRST_WORKER + worker);
  }

  /** Writer: something was just unlinked; returns the epoch to give to `hasPassed`. */
  advance(): number {
    const epoch = Atomics.load(this.#words, EPOCH);
    Atomics.store(this.#words, EPOCH, epoch === LAST_EPOCH ? 0 : epoch + 1);
    return epoch;
  }

  /** Writer: whether no worker can still hold what was unlinked in that epoch. */
  hasPassed(epoch: number): boolean {
    for (let i = 0; i < this.#workers; i++) {
      const began = Atomics.load(this.#words, FIRST_WORKER + i);
      if (began !== OUTSIDE && !isAfter(began, epoch)) return false;
    }
    return true;
  }

  /**
   * Writer: runs `body` while no worker is in a batch. When a worker has not reached its boundary within `timeoutMs`,
   * body runs all the same (it must leave the table right at every step) and the answer is false.
   */
  hold(timeoutMs: number, body: () => void): boolean {
    const words = this.#words;
    Atomics.store(words, HELD, 1);
    try {
      const outside = this.#waitOutside(performance.now() + timeoutMs);
      body();
      return outside;
    } finally {
      Atomics.store(words, HELD, 0);
      Atomics.notify(words, HELD);
    }
  }

  #waitOutside(deadline: number): boolean {
    for (let i = 0; i < this.#workers; i++) {
      for (;;) {
        const epoch = Atomics.load(this.#words, FIRST_WORKER + i);
        if (epoch === OUTSIDE) break;
        const left = deadline - performance.now();
        if (left <= 0) return false;
        Atomics.wait(this.#words, FIRST_WORKER + i, epoch, left);
      }
    }
    return true;
  }
}

/** Whether one epoch is after another, in a circle in which they are not half of it apart. */
function isAfter(one: number, other: number): boolean {
  const ahead = one > other ? one - other : one - other + LAST_EPOCH + 1;
  return one !== other && ahead < HALF;
}
