/** A datapath on TUN devices that are there, in this process: it follows a store in memory and sets nothing of the kernel. */

import { Datapath } from '../../src/datapath/datapath.ts';
import type { Role } from '../../src/datapath/engine.ts';
import { Follower } from '../../src/datapath/follower.ts';
import { Workers } from '../../src/datapath/workers.ts';
import type { MemoryStore } from './memory-store.ts';

const QUIET = { debug() {}, info() {}, warn() {}, error() {} };

export function tunDatapath(
  store: MemoryStore,
  deviceOf: (role: Role) => string,
  { queues = 1, offloads = false } = {},
): Datapath {
  return new Datapath({
    follower: new Follower(store, queues, 'small'),
    kernel: { check: async () => [], apply: async () => {}, diagnose: async () => [], remove: async () => {} },
    startWorkers: (role, { memory }) =>
      Workers.start({
        device: deviceOf(role),
        memory,
        descriptors: [],
        offloads,
        onCrash: (error) => {
          throw error;
        },
      }),
    endProcess: () => undefined,
    log: QUIET,
  });
}
