/** Changes of operational tables: what wants one, and how several that wait become one transaction. */

import type { Softwire } from '../model.generated.ts';
import type { RowOverlay } from '../overlay.ts';
import type { Caller } from '../request.ts';
import type { RowSource } from '../rows.ts';
import type { Snapshot } from '../snapshot.ts';

/** What a work in the queue makes of the operational tables; `done` is called when it is durable and applied, and waited for. */
export interface Learned {
  readonly overlay: RowOverlay;
  readonly done: () => void | Promise<void>;
}

/** Who wants a change of operational tables, and what is on record of it. */
interface Wish {
  readonly caller: Caller;
  readonly comment: string;
}

/** One that has a turn of the queue for itself. */
export interface Learning extends Wish {
  readonly work: (base: Snapshot, softwire: Softwire) => Promise<Learned>;
}

/**
 * One that may share a turn with others: `rows` are the tables with what those before it in the turn have changed. It must do the
 * same when it is called again, and change nothing itself: where a group fails, each has its own turn.
 */
export interface SharedLearning extends Wish {
  /** Those of one key have different turns: each builds on what the one before it was told when it was done. */
  readonly key: string;
  /** Rows it may change, about. */
  readonly weight: number;
  readonly work: (rows: RowSource, softwire: Softwire) => Promise<Learned>;
}

export type AnyLearning = Learning | SharedLearning;

/** Where rows go: a turn of the store's queue. */
export interface LearningStore {
  /** Durable, and applied by where the datapath runs, when it returns. @throws ManagementError of the commit; nothing has changed then */
  learn(learning: AnyLearning): Promise<void>;
}

/** Changed rows of a group: no more than what becomes visible to packets in one moment (see datapath/follower.ts). */
const GROUP_ROWS = 1_000;

interface Waiting {
  readonly learning: AnyLearning;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
  /** Whether it was in a group that failed. */
  isAlone: boolean;
}

/** Learnings in the order of asking: those that wait while one turn runs are made together in the next, as far as they may. */
export class LearningQueue {
  readonly #turn: (take: () => readonly AnyLearning[]) => Promise<void>;
  #waiting: Waiting[] = [];
  #isRunning = false;

  /** `turn` takes learnings in a turn of the store's queue and makes all of them or, when it throws, none. */
  constructor(turn: (take: () => readonly AnyLearning[]) => Promise<void>) {
    this.#turn = turn;
  }

  add(learning: AnyLearning): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ learning, resolve, reject, isAlone: !('key' in learning) });
      if (!this.#isRunning) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    while (this.#waiting.length > 0) await this.#runOne();
    this.#isRunning = false;
  }

  async #runOne(): Promise<void> {
    let group: readonly Waiting[] = [];
    try {
      await this.#turn(() => {
        group = this.#take();
        return group.map(({ learning }) => learning);
      });
      for (const { resolve } of group) resolve();
    } catch (error) {
      // The turn did not come to them.
      if (group.length === 0) group = this.#take();
      if (group.length < 2) for (const { reject } of group) reject(error);
      // One of them may have failed for all.
      else this.#waiting = [...group.map((waiting) => ({ ...waiting, isAlone: true })), ...this.#waiting];
    }
  }

  #take(): readonly Waiting[] {
    const keys = new Set<string>();
    let weight = 0;
    let count = 0;
    for (const { learning, isAlone } of this.#waiting) {
      if (isAlone || !('key' in learning) || keys.has(learning.key)) break;
      weight += Math.max(1, learning.weight);
      if (weight > GROUP_ROWS) break;
      keys.add(learning.key);
      count++;
    }
    return this.#waiting.splice(0, Math.max(1, count));
  }
}
